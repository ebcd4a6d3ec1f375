"""Rounds of rows sent again, links between loads, intents of jobs, baselines of sources, skipped and stalled."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def _json() -> sa.types.TypeEngine[Any]:
    return sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def _instant() -> sa.DateTime:
    return sa.DateTime(timezone=True)


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, server_default="0")


def upgrade() -> None:
    """Make the tables and columns."""
    op.add_column("loads", _count("rows_skipped"))
    op.add_column("parts", _count("skipped"))
    op.add_column("parts", sa.Column("stalled_at", _instant()))
    op.add_column("jobs", sa.Column("round", sa.Integer, nullable=False, server_default="0"))
    op.create_table(
        "part_rounds",
        sa.Column("load_id", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("round", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("state", sa.String(16), nullable=False),
        _count("rows"),
        _count("bytes"),
        sa.Column("sha256", sa.String(64), nullable=False),
        _count("first_line"),
        _count("first_row"),
        sa.Column("input_key", sa.String(512), nullable=False),
        sa.Column("upload", _json(), nullable=False),
        sa.Column("job_id", sa.String(18)),
        sa.Column("upload_job_id", sa.String(18)),
        sa.Column("job_state", sa.String(32)),
        _count("succeeded"),
        _count("failed"),
        _count("unprocessed"),
        _count("api_calls"),
        sa.Column("results_key", sa.String(512)),
        sa.Column("results_sha256", sa.String(64)),
        sa.Column("findings", _json()),
        sa.Column("error_message", sa.Text),
        sa.Column("attempt", sa.Integer, nullable=False, server_default="0"),
        sa.Column("updated_at", _instant()),
        _count("skipped"),
        sa.Column("stalled_at", _instant()),
        sa.ForeignKeyConstraint(["load_id"], ["loads.id"], name="fk_part_rounds_load_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("load_id", "number", "round", name="pk_part_rounds"),
    )
    op.create_table(
        "load_links",
        sa.Column("parent_id", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("child_id", sa.String(64), nullable=False),
        sa.Column("created_at", _instant(), nullable=False),
        sa.ForeignKeyConstraint(["parent_id"], ["loads.id"], name="fk_load_links_parent_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("parent_id", "kind", name="pk_load_links"),
    )
    op.create_index("ix_load_links_child_id", "load_links", ["child_id"])
    op.create_table(
        "job_intents",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("load_id", sa.String(64), nullable=False),
        sa.Column("object_name", sa.String(128), nullable=False),
        sa.Column("operation", sa.String(16), nullable=False),
        sa.Column("external_id_field", sa.String(128)),
        sa.Column("line_ending", sa.String(8), nullable=False),
        sa.Column("column_delimiter", sa.String(16), nullable=False),
        sa.Column("begun_at", _instant(), nullable=False),
        sa.Column("job_id", sa.String(18)),
        sa.ForeignKeyConstraint(["load_id"], ["loads.id"], name="fk_job_intents_load_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_job_intents"),
    )
    op.create_index("ix_job_intents_load_id", "job_intents", ["load_id"])
    op.create_table(
        "delta_baselines",
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("file_key", sa.String(512), nullable=False),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("load_id", sa.String(64), nullable=False),
        sa.Column("updated_at", _instant(), nullable=False),
        sa.PrimaryKeyConstraint("source", name="pk_delta_baselines"),
    )


def downgrade() -> None:
    """Drop them again."""
    for table in ("delta_baselines", "job_intents", "load_links", "part_rounds"):
        op.drop_table(table)
    with op.batch_alter_table("jobs") as jobs:
        jobs.drop_column("round")
    with op.batch_alter_table("parts") as parts:
        parts.drop_column("stalled_at")
        parts.drop_column("skipped")
    with op.batch_alter_table("loads") as loads:
        loads.drop_column("rows_skipped")
