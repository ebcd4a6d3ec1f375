"""Pages of exports, webhooks with their outbox, leases of tasks, and what retention notes of loads."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0002"
branch_labels = None
depends_on = None


def _json() -> sa.types.TypeEngine[Any]:
    return sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def _instant() -> sa.DateTime:
    return sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables. Loads that have ended before are told to nobody."""
    op.create_table(
        "export_pages",
        sa.Column("load_id", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("locator", sa.String(512)),
        sa.Column("following", sa.String(512)),
        sa.Column("key", sa.String(512), nullable=False),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(["load_id"], ["loads.id"], name="fk_export_pages_load_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("load_id", "number", name="pk_export_pages"),
    )
    op.create_table(
        "webhook_subscriptions",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("owner", sa.String(128), nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("secret", sa.String(128), nullable=False),
        sa.Column("events", _json(), nullable=False),
        sa.Column("load_id", sa.String(64)),
        sa.Column("all_loads", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("created_at", _instant(), nullable=False),
        sa.ForeignKeyConstraint(["load_id"], ["loads.id"], name="fk_webhook_subscriptions_load_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_webhook_subscriptions"),
    )
    op.create_index("ix_webhook_subscriptions_load_id", "webhook_subscriptions", ["load_id"])
    op.create_index("ix_webhook_subscriptions_owner", "webhook_subscriptions", ["owner"])
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("subscription_id", sa.String(64), nullable=False),
        sa.Column("load_id", sa.String(64)),
        sa.Column("event", sa.String(64), nullable=False),
        sa.Column("payload", _json(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("next_at", _instant(), nullable=False),
        sa.Column("claimed_until", _instant()),
        sa.Column("last_status", sa.Integer),
        sa.Column("last_error", sa.Text),
        sa.Column("created_at", _instant(), nullable=False),
        sa.Column("ended_at", _instant()),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["webhook_subscriptions.id"],
            name="fk_webhook_deliveries_subscription_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_webhook_deliveries"),
    )
    op.create_index("ix_webhook_deliveries_due", "webhook_deliveries", ["state", "next_at"])
    op.create_index("ix_webhook_deliveries_subscription_id", "webhook_deliveries", ["subscription_id"])
    op.create_table(
        "task_leases",
        sa.Column("task", sa.String(64), nullable=False),
        sa.Column("holder", sa.String(128), nullable=False),
        sa.Column("expires_at", _instant(), nullable=False),
        sa.PrimaryKeyConstraint("task", name="pk_task_leases"),
    )
    # Added one by one: a copy of the table, as batches make it, would take its parts along by their foreign keys.
    op.add_column("loads", sa.Column("announced_at", _instant()))
    op.add_column("loads", sa.Column("cleaned_at", _instant()))
    op.execute("UPDATE loads SET announced_at = finished_at WHERE finished_at IS NOT NULL")
    op.create_index("ix_loads_announced_at", "loads", ["announced_at", "finished_at"])
    op.create_index("ix_loads_cleaned_at", "loads", ["cleaned_at", "finished_at"])


def downgrade() -> None:
    """Drop the tables with all that is in them."""
    op.drop_index("ix_loads_cleaned_at", "loads")
    op.drop_index("ix_loads_announced_at", "loads")
    op.drop_column("loads", "cleaned_at")
    op.drop_column("loads", "announced_at")
    for table in ("task_leases", "webhook_deliveries", "webhook_subscriptions", "export_pages"):
        op.drop_table(table)
