"""The mirror of carts: what Salesforce last said about them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "cart_mirrors",
        sa.Column("cart_id", sa.String(18), nullable=False),
        sa.Column("user_id", sa.String(128), nullable=False),
        sa.Column("account_id", sa.String(18), nullable=False),
        sa.Column("webstore_id", sa.String(18), nullable=False),
        sa.Column("status", sa.String(40), nullable=False),
        sa.Column("currency", sa.String(3)),
        sa.Column("grand_total", sa.String(40)),
        sa.Column("pricing_pending", sa.Boolean, nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("cart_id", name="pk_cart_mirrors"),
    )
    op.create_index("ix_cart_mirrors_user_id", "cart_mirrors", ["user_id"])
    op.create_index("ix_cart_mirrors_seen_at", "cart_mirrors", ["seen_at"])
    op.create_table(
        "cart_mirror_lines",
        sa.Column("cart_id", sa.String(18), nullable=False),
        sa.Column("item_id", sa.String(18), nullable=False),
        sa.Column("product_id", sa.String(18)),
        sa.Column("sku", sa.String(255)),
        sa.Column("quantity", sa.String(40), nullable=False),
        sa.Column("total_price", sa.String(40)),
        sa.Column("machine_id", sa.String(18)),
        sa.Column("note", sa.String(255)),
        sa.PrimaryKeyConstraint("cart_id", "item_id", name="pk_cart_mirror_lines"),
        sa.ForeignKeyConstraint(
            ["cart_id"],
            ["cart_mirrors.cart_id"],
            name="fk_cart_mirror_lines_cart_id",
            ondelete="CASCADE",
        ),
    )


def downgrade() -> None:
    """Drop the tables with all that is in them."""
    op.drop_table("cart_mirror_lines")
    op.drop_table("cart_mirrors")
