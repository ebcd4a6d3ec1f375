"""Whose a followed record was when it was seen last: what is told of it once it is purged goes by that."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; what was seen before has none until it is seen again."""
    op.add_column("change_seen", sa.Column("account_id", sa.String(18)))


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("change_seen", "account_id")
