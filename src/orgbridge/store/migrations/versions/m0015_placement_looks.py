"""Placements: when an unknown one is looked at again, which request asked for it, what the audit knows."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; what is unknown already is looked at soon."""
    instant = sa.DateTime(timezone=True)
    op.add_column("placements", sa.Column("request_id", sa.String(64), nullable=False, server_default=sa.text("''")))
    op.add_column("placements", sa.Column("look_at", instant))
    op.add_column("placements", sa.Column("audited_at", instant))
    op.execute("UPDATE placements SET look_at = updated_at WHERE state = 'unknown'")
    # What ended before is in the audit as the call that asked for it, and is not told a second time.
    op.execute("UPDATE placements SET audited_at = ended_at")
    op.create_index("ix_placements_look_at", "placements", ["look_at"])
    op.create_index("ix_placements_ended_at", "placements", ["ended_at", "audited_at"])


def downgrade() -> None:
    """Drop the columns."""
    op.drop_index("ix_placements_ended_at", "placements")
    op.drop_index("ix_placements_look_at", "placements")
    for name in ("audited_at", "look_at", "request_id"):
        op.drop_column("placements", name)
