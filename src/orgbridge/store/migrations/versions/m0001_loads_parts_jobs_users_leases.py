"""Loads, their parts and Salesforce jobs, users, and leases of workers."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


# Written out here and not taken from `store.tables`: a migration stays what it was when the tables move on.
def _json() -> sa.types.TypeEngine[Any]:
    return sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def _instant() -> sa.DateTime:
    return sa.DateTime(timezone=True)


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, server_default="0")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "loads",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("object_name", sa.String(128), nullable=False),
        sa.Column("operation", sa.String(16), nullable=False),
        sa.Column("external_id_field", sa.String(128)),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("soql", sa.Text),
        sa.Column("options", _json(), nullable=False),
        sa.Column("input_key", sa.String(512)),
        _count("input_bytes"),
        sa.Column("input_sha256", sa.String(64), nullable=False),
        sa.Column("rows_read", sa.BigInteger),
        _count("parts"),
        _count("rows_succeeded"),
        _count("rows_failed"),
        _count("rows_unprocessed"),
        _count("api_calls"),
        sa.Column("error_code", sa.String(128)),
        sa.Column("error_message", sa.Text),
        sa.Column("error_details", _json(), nullable=False),
        sa.Column("cancel_requested", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("created_by", sa.String(128), nullable=False),
        sa.Column("created_at", _instant(), nullable=False),
        sa.Column("started_at", _instant()),
        sa.Column("finished_at", _instant()),
        sa.Column("receipt", _json()),
        sa.Column("results_key", sa.String(512)),
        sa.Column("failed_key", sa.String(512)),
        sa.Column("org", sa.String(64), nullable=False, server_default="default"),
        sa.Column("dispatched_at", _instant()),
        sa.Column("job_id", sa.String(18)),
        sa.Column("input_facts", _json()),
        sa.PrimaryKeyConstraint("id", name="pk_loads"),
    )
    op.create_index("ix_loads_newest", "loads", ["created_at", "id"])
    op.create_index("ix_loads_dispatched_at", "loads", ["dispatched_at"])
    op.create_index("ix_loads_job_id", "loads", ["job_id"])
    op.create_table(
        "parts",
        sa.Column("load_id", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
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
        sa.ForeignKeyConstraint(["load_id"], ["loads.id"], name="fk_parts_load_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("load_id", "number", name="pk_parts"),
    )
    op.create_table(
        "jobs",
        sa.Column("job_id", sa.String(18), nullable=False),
        sa.Column("load_id", sa.String(64), nullable=False),
        sa.Column("part", sa.Integer),
        sa.Column("use", sa.String(16), nullable=False),
        sa.Column("created_at", _instant(), nullable=False),
        sa.ForeignKeyConstraint(["load_id"], ["loads.id"], name="fk_jobs_load_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", name="pk_jobs"),
    )
    op.create_index("ix_jobs_load_id", "jobs", ["load_id"])
    op.create_table(
        "users",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("username", sa.String(128), nullable=False),
        sa.Column("password_hash", sa.String(256), nullable=False),
        sa.Column("scopes", _json(), nullable=False),
        sa.Column("is_admin", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("disabled", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("created_at", _instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("username", name="uq_users_username"),
    )
    op.create_table(
        "executor_leases",
        sa.Column("executor_id", sa.String(128), nullable=False),
        sa.Column("expires_at", _instant(), nullable=False),
        sa.PrimaryKeyConstraint("executor_id", name="pk_executor_leases"),
    )


def downgrade() -> None:
    """Drop the tables with all that is in them."""
    for table in ("executor_leases", "users", "jobs", "parts", "loads"):
        op.drop_table(table)
