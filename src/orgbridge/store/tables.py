"""The tables, for SQLite and PostgreSQL alike. Migrations make them; a test keeps the two equal."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Instant(sa.types.TypeDecorator[datetime]):
    """An aware instant in UTC. SQLite keeps no zone, so it is taken off on the way in and put on on the way out."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the instant in UTC."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the instant, aware."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def json_type() -> sa.types.TypeEngine[Any]:
    """Return the type of a JSON column: JSONB on PostgreSQL."""
    return sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, server_default="0")


loads = sa.Table(
    "loads",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("object_name", sa.String(128), nullable=False),
    sa.Column("operation", sa.String(16), nullable=False),
    sa.Column("external_id_field", sa.String(128)),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("soql", sa.Text),
    sa.Column("options", json_type(), nullable=False),
    sa.Column("input_key", sa.String(512)),
    _count("input_bytes"),
    sa.Column("input_sha256", sa.String(64), nullable=False),
    sa.Column("rows_read", sa.BigInteger),
    _count("parts"),
    _count("rows_succeeded"),
    _count("rows_failed"),
    _count("rows_unprocessed"),
    _count("rows_skipped"),
    _count("api_calls"),
    sa.Column("error_code", sa.String(128)),
    sa.Column("error_message", sa.Text),
    sa.Column("error_details", json_type(), nullable=False),
    sa.Column("cancel_requested", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("created_by", sa.String(128), nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("started_at", Instant),
    sa.Column("finished_at", Instant),
    sa.Column("receipt", json_type()),
    sa.Column("results_key", sa.String(512)),
    sa.Column("failed_key", sa.String(512)),
    sa.Column("org", sa.String(64), nullable=False, server_default="default"),
    sa.Column("dispatched_at", Instant),
    sa.Column("job_id", sa.String(18)),
    sa.Column("input_facts", json_type()),
    sa.Column("announced_at", Instant),
    sa.Column("cleaned_at", Instant),
    sa.Index("ix_loads_announced_at", "announced_at", "finished_at"),
    sa.Index("ix_loads_cleaned_at", "cleaned_at", "finished_at"),
    sa.Index("ix_loads_newest", "created_at", "id"),
    sa.Index("ix_loads_dispatched_at", "dispatched_at"),
    sa.Index("ix_loads_job_id", "job_id"),
)

parts = sa.Table(
    "parts",
    metadata,
    sa.Column("load_id", sa.String(64), sa.ForeignKey("loads.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("state", sa.String(16), nullable=False),
    _count("rows"),
    _count("bytes"),
    sa.Column("sha256", sa.String(64), nullable=False),
    _count("first_line"),
    _count("first_row"),
    sa.Column("input_key", sa.String(512), nullable=False),
    sa.Column("upload", json_type(), nullable=False),
    sa.Column("job_id", sa.String(18)),
    sa.Column("upload_job_id", sa.String(18)),
    sa.Column("job_state", sa.String(32)),
    _count("succeeded"),
    _count("failed"),
    _count("unprocessed"),
    _count("api_calls"),
    sa.Column("results_key", sa.String(512)),
    sa.Column("results_sha256", sa.String(64)),
    sa.Column("findings", json_type()),
    sa.Column("error_message", sa.Text),
    sa.Column("attempt", sa.Integer, nullable=False, server_default="0"),
    sa.Column("updated_at", Instant),
    _count("skipped"),
    sa.Column("stalled_at", Instant),
)

jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("job_id", sa.String(18), primary_key=True),
    sa.Column("load_id", sa.String(64), sa.ForeignKey("loads.id", ondelete="CASCADE"), nullable=False),
    sa.Column("part", sa.Integer),
    sa.Column("use", sa.String(16), nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("round", sa.Integer, nullable=False, server_default="0"),
    sa.Index("ix_jobs_load_id", "load_id"),
)

users = sa.Table(
    "users",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("username", sa.String(128), nullable=False),
    sa.Column("password_hash", sa.String(256), nullable=False),
    sa.Column("scopes", json_type(), nullable=False),
    sa.Column("is_admin", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("disabled", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("kind", sa.String(16), nullable=False, server_default="user"),
    sa.Column("display_name", sa.String(200)),
    sa.Column("email", sa.String(254)),
    sa.Column("external_subject", sa.String(255)),
    sa.Column("sf_username", sa.String(128)),
    sa.Column("all_organizations", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("all_plants", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("all_machines", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("password_changed_at", Instant),
    sa.Column("updated_at", Instant),
    sa.Column("revision", sa.String(32), nullable=False, server_default="1"),
    sa.UniqueConstraint("username"),
    sa.UniqueConstraint("external_subject"),
)

#: Who may run durable work, and until when by the DATABASE's clock. Used on PostgreSQL only.
executor_leases = sa.Table(
    "executor_leases",
    metadata,
    sa.Column("executor_id", sa.String(128), primary_key=True),
    sa.Column("expires_at", Instant, nullable=False),
)
