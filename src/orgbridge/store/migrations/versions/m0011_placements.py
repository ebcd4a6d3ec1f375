"""Placements: carts on their way to orders."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def _json() -> sa.types.TypeEngine[Any]:
    return sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def _instant() -> sa.DateTime:
    return sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "placements",
        sa.Column("id", sa.String(64), nullable=False),
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
        sa.Column("request", _json(), nullable=False),
        sa.Column("facts", _json(), nullable=False),
        sa.Column("steps", _json(), nullable=False),
        sa.Column("order_id", sa.String(18)),
        sa.Column("order_reference", sa.String(80)),
        sa.Column("error", _json()),
        sa.Column("waiting", sa.Text),
        sa.Column("cancel_requested", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("sent_at", _instant()),
        sa.Column("dispatched_at", _instant()),
        sa.Column("created_at", _instant(), nullable=False),
        sa.Column("updated_at", _instant(), nullable=False),
        sa.Column("ended_at", _instant()),
        sa.PrimaryKeyConstraint("id", name="pk_placements"),
        sa.UniqueConstraint("claim", name="uq_placements_claim"),
        sa.UniqueConstraint("key_id", name="uq_placements_key_id"),
        sa.UniqueConstraint("marker", name="uq_placements_marker"),
    )
    op.create_index("ix_placements_dispatched_at", "placements", ["dispatched_at", "created_at"])
    op.create_index("ix_placements_caller_id", "placements", ["caller_id", "created_at"])
    op.create_index("ix_placements_cart_id", "placements", ["cart_id"])


def downgrade() -> None:
    """Drop the table with all that is in it."""
    op.drop_table("placements")
