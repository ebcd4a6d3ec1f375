"""Tables of the carts' mirror: what Salesforce last said about the carts of our users. Never the truth."""

from __future__ import annotations

import sqlalchemy as sa

from orgbridge.store.tables import Instant, metadata

cart_mirrors = sa.Table(
    "cart_mirrors",
    metadata,
    sa.Column("cart_id", sa.String(18), primary_key=True),
    sa.Column("user_id", sa.String(128), nullable=False),
    sa.Column("account_id", sa.String(18), nullable=False),
    sa.Column("webstore_id", sa.String(18), nullable=False),
    sa.Column("status", sa.String(40), nullable=False),
    sa.Column("currency", sa.String(3)),
    # Amounts as text: exact in every database.
    sa.Column("grand_total", sa.String(40)),
    sa.Column("pricing_pending", sa.Boolean, nullable=False),
    sa.Column("seen_at", Instant, nullable=False),
    sa.Column("changed_at", Instant, nullable=False),
    sa.Index("ix_cart_mirrors_user_id", "user_id"),
    sa.Index("ix_cart_mirrors_seen_at", "seen_at"),
)

cart_mirror_lines = sa.Table(
    "cart_mirror_lines",
    metadata,
    sa.Column("cart_id", sa.String(18), sa.ForeignKey("cart_mirrors.cart_id", ondelete="CASCADE"), primary_key=True),
    sa.Column("item_id", sa.String(18), primary_key=True),
    sa.Column("product_id", sa.String(18)),
    sa.Column("sku", sa.String(255)),
    sa.Column("quantity", sa.String(40), nullable=False),
    sa.Column("total_price", sa.String(40)),
    #: Asset that the line is for, as the caller said; Salesforce has it too where the org has a field for it.
    sa.Column("machine_id", sa.String(18)),
    sa.Column("note", sa.String(255)),
)
