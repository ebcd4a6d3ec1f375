"""Changes of an org that are followed: watermarks, and the last known states."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def _instant() -> sa.DateTime:
    return sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "change_feeds",
        sa.Column("org", sa.String(64), nullable=False),
        sa.Column("sobject", sa.String(64), nullable=False),
        sa.Column("watermark", _instant()),
        sa.Column("run_from", _instant()),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("polled_at", _instant(), nullable=False),
        sa.Column("trouble", sa.Text),
        sa.PrimaryKeyConstraint("org", "sobject"),
    )
    op.create_table(
        "change_seen",
        sa.Column("org", sa.String(64), nullable=False),
        sa.Column("sobject", sa.String(64), nullable=False),
        sa.Column("record_id", sa.String(18), nullable=False),
        sa.Column("modstamp", _instant(), nullable=False),
        sa.Column("status", sa.String(255), nullable=False),
        sa.Column("deleted", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("org", "sobject", "record_id"),
    )
    op.create_index("ix_change_seen_modstamp", "change_seen", ["org", "sobject", "modstamp"])


def downgrade() -> None:
    """Drop them."""
    op.drop_table("change_seen")
    op.drop_table("change_feeds")
