"""Tables of what comes after a first sending: rounds of rows sent again, links between loads, intents, baselines."""

from __future__ import annotations

import sqlalchemy as sa

from orgbridge.store.tables import Instant, metadata, parts


def _like_parts() -> list[sa.Column[object]]:
    """Return copies of the columns of `parts` that describe one sending; it has one row per sending as well."""
    left_out = {"load_id", "number"}
    return [column._copy() for column in parts.columns if column.name not in left_out]


#: Rows of a part that were sent (again) in a job of their own. Same columns as `parts`, with the round.
part_rounds = sa.Table(
    "part_rounds",
    metadata,
    sa.Column("load_id", sa.String(64), sa.ForeignKey("loads.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("round", sa.Integer, primary_key=True, autoincrement=False),
    *_like_parts(),
)

#: Which load came out of which other one, and how.
load_links = sa.Table(
    "load_links",
    metadata,
    sa.Column("parent_id", sa.String(64), sa.ForeignKey("loads.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("kind", sa.String(16), primary_key=True),
    sa.Column("child_id", sa.String(64), nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Index("ix_load_links_child_id", "child_id"),
)

#: Written before a job is created at Salesforce: what an orphan of a lost reply is known by.
job_intents = sa.Table(
    "job_intents",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("load_id", sa.String(64), sa.ForeignKey("loads.id", ondelete="CASCADE"), nullable=False),
    sa.Column("object_name", sa.String(128), nullable=False),
    sa.Column("operation", sa.String(16), nullable=False),
    sa.Column("external_id_field", sa.String(128)),
    sa.Column("line_ending", sa.String(8), nullable=False),
    sa.Column("column_delimiter", sa.String(16), nullable=False),
    sa.Column("begun_at", Instant, nullable=False),
    sa.Column("job_id", sa.String(18)),
    sa.Index("ix_job_intents_load_id", "load_id"),
)

#: Where the hashes of a source's rows lie, as they were when they were last loaded.
delta_baselines = sa.Table(
    "delta_baselines",
    metadata,
    sa.Column("source", sa.String(64), primary_key=True),
    sa.Column("file_key", sa.String(512), nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("load_id", sa.String(64), nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
)
