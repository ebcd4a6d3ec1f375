"""Table of placements: carts on their way to orders."""

from __future__ import annotations

import sqlalchemy as sa

from orgbridge.store.tables import Instant, json_type, metadata

placements = sa.Table(
    "placements",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("caller_id", sa.String(128), nullable=False),
    sa.Column("caller_name", sa.String(128), nullable=False),
    sa.Column("organization_id", sa.String(64)),
    sa.Column("account_id", sa.String(18), nullable=False),
    sa.Column("sf_username", sa.String(255)),
    sa.Column("webstore_id", sa.String(18), nullable=False),
    sa.Column("cart_id", sa.String(18), nullable=False),
    sa.Column("claim", sa.String(18)),
    sa.Column("way", sa.String(16), nullable=False),
    sa.Column("marker", sa.String(36), nullable=False),
    sa.Column("key_id", sa.String(64)),
    sa.Column("fingerprint", sa.String(64), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("request", json_type(), nullable=False),
    sa.Column("facts", json_type(), nullable=False),
    sa.Column("steps", json_type(), nullable=False),
    sa.Column("order_id", sa.String(18)),
    sa.Column("order_reference", sa.String(80)),
    sa.Column("error", json_type()),
    sa.Column("waiting", sa.Text),
    sa.Column("cancel_requested", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("sent_at", Instant),
    sa.Column("dispatched_at", Instant),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.Column("ended_at", Instant),
    sa.Column("request_id", sa.String(64), nullable=False, server_default=sa.text("''")),
    sa.Column("look_at", Instant),
    sa.Column("audited_at", Instant),
    # A cart has one placement that may come to an order, whichever processes ask for it. Nulls differ from each other.
    sa.UniqueConstraint("claim"),
    sa.UniqueConstraint("key_id"),
    sa.UniqueConstraint("marker"),
    sa.Index("ix_placements_dispatched_at", "dispatched_at", "created_at"),
    sa.Index("ix_placements_caller_id", "caller_id", "created_at"),
    sa.Index("ix_placements_cart_id", "cart_id"),
    sa.Index("ix_placements_look_at", "look_at"),
    sa.Index("ix_placements_ended_at", "ended_at", "audited_at"),
)
