"""Tables of webhooks: who is told, and the outbox of what is still to be said."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from orgbridge.store.tables import Instant, metadata

_JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")

webhook_subscriptions = sa.Table(
    "webhook_subscriptions",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("owner", sa.String(128), nullable=False),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("secret", sa.String(128), nullable=False),
    sa.Column("events", _JSON, nullable=False),
    sa.Column("load_id", sa.String(64), sa.ForeignKey("loads.id", ondelete="CASCADE")),
    sa.Column("all_loads", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("created_at", Instant, nullable=False),
    sa.Index("ix_webhook_subscriptions_load_id", "load_id"),
    sa.Index("ix_webhook_subscriptions_owner", "owner"),
)

webhook_deliveries = sa.Table(
    "webhook_deliveries",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column(
        "subscription_id",
        sa.String(64),
        sa.ForeignKey("webhook_subscriptions.id", ondelete="CASCADE"),
        nullable=False,
    ),
    sa.Column("load_id", sa.String(64)),
    sa.Column("event", sa.String(64), nullable=False),
    sa.Column("payload", _JSON, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("next_at", Instant, nullable=False),
    sa.Column("claimed_until", Instant),
    sa.Column("last_status", sa.Integer),
    sa.Column("last_error", sa.Text),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("ended_at", Instant),
    sa.Index("ix_webhook_deliveries_due", "state", "next_at"),
    sa.Index("ix_webhook_deliveries_subscription_id", "subscription_id"),
)

#: Who does a task that one worker of many is to do, and until when.
task_leases = sa.Table(
    "task_leases",
    metadata,
    sa.Column("task", sa.String(64), primary_key=True),
    sa.Column("holder", sa.String(128), nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
)
