"""Which Salesforce account an organization is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "account_mappings",
        sa.Column("organization_id", sa.String(64), nullable=False),
        sa.Column("account_id", sa.String(18), nullable=False),
        sa.Column("account_name", sa.String(255), nullable=False),
        sa.Column("found_by", sa.String(16), nullable=False),
        sa.Column("mapped_by", sa.String(128), nullable=False),
        sa.Column("revision", sa.String(32), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", name="pk_account_mappings"),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name="fk_account_mappings_organization_id",
            ondelete="CASCADE",
        ),
        sa.UniqueConstraint("account_id", name="uq_account_mappings_account_id"),
    )


def downgrade() -> None:
    """Drop the table with all that is in it."""
    op.drop_table("account_mappings")
