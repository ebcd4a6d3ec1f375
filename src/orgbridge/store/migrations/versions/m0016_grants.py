"""Refresh tokens that Salesforce replaces at every use."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "org_grants",
        sa.Column("org", sa.String(128), nullable=False),
        sa.Column("grant_id", sa.String(64), nullable=False),
        sa.Column("sealed", sa.Text),
        sa.Column("rotations", sa.Integer, nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True)),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("org", "grant_id", name="pk_org_grants"),
    )


def downgrade() -> None:
    """Drop it: the older version asks with the refresh token of the settings, which may be used up."""
    op.drop_table("org_grants")
