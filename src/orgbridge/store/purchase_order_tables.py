"""Tables of purchase orders: the orders, their steps, what is said of them, their rules, documents and links."""

from __future__ import annotations

import sqlalchemy as sa

from orgbridge.store.tables import Instant, json_type, metadata

#: Amounts are decimal texts: SQLite would make binary fractions of them.
purchase_orders = sa.Table(
    "purchase_orders",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("uuid", sa.String(36), nullable=False),
    sa.Column("number", sa.String(80), nullable=False),
    sa.Column("organization_id", sa.String(64), sa.ForeignKey("organizations.id", ondelete="RESTRICT"), nullable=False),
    sa.Column("account_id", sa.String(18), nullable=False),
    sa.Column("requester_id", sa.String(128), nullable=False),
    sa.Column("requester_name", sa.String(128), nullable=False),
    sa.Column("currency", sa.String(3), nullable=False),
    sa.Column("total", sa.String(40), nullable=False),
    sa.Column("lines", json_type(), nullable=False),
    sa.Column("cart_id", sa.String(18)),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("urgent", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.Column("submitted_at", Instant),
    sa.Column("decided_at", Instant),
    sa.Column("decided_by", sa.String(128)),
    sa.Column("decided_name", sa.String(128)),
    sa.Column("expires_at", Instant),
    sa.Column("remind_at", Instant),
    sa.Column("ordering_until", Instant),
    sa.Column("order_ids", json_type(), nullable=False),
    sa.Column("mirror_state", sa.String(16), nullable=False),
    sa.Column("mirror_record_id", sa.String(18)),
    sa.Column("mirror_error", sa.Text),
    sa.Column("mirror_attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("mirror_at", Instant),
    sa.UniqueConstraint("uuid"),
    sa.Index("ix_purchase_orders_requester_id", "requester_id", "created_at"),
    sa.Index("ix_purchase_orders_organization_id", "organization_id", "created_at"),
    sa.Index("ix_purchase_orders_expires_at", "state", "expires_at"),
    sa.Index("ix_purchase_orders_mirror_at", "mirror_state", "mirror_at"),
    sa.Index("ix_purchase_orders_mirror_record_id", "mirror_record_id"),
    # A number may be used again once what bore it has come to nothing.
    sa.Index(
        "uq_purchase_orders_number",
        "organization_id",
        "number",
        unique=True,
        sqlite_where=sa.text("state NOT IN ('rejected', 'cancelled', 'expired')"),
        postgresql_where=sa.text("state NOT IN ('rejected', 'cancelled', 'expired')"),
    ),
)


def _order() -> sa.Column[str]:
    return sa.Column("order_id", sa.String(64), sa.ForeignKey("purchase_orders.id", ondelete="CASCADE"), nullable=False)


#: The key is what makes two steps to one version impossible.
purchase_order_steps = sa.Table(
    "purchase_order_steps",
    metadata,
    _order(),
    sa.Column("version", sa.Integer, nullable=False, autoincrement=False),
    sa.Column("step", sa.String(16)),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("actor_id", sa.String(128), nullable=False),
    sa.Column("actor_name", sa.String(128), nullable=False),
    sa.Column("via", sa.String(16), nullable=False),
    sa.Column("comment", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.PrimaryKeyConstraint("order_id", "version"),
)

purchase_order_comments = sa.Table(
    "purchase_order_comments",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    _order(),
    sa.Column("author_id", sa.String(128), nullable=False),
    sa.Column("author_name", sa.String(128), nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Index("ix_purchase_order_comments_order_id", "order_id", "id"),
)

purchase_order_documents = sa.Table(
    "purchase_order_documents",
    metadata,
    _order(),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("filename", sa.String(255), nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("version_id", sa.String(18)),
    sa.Column("document_id", sa.String(18)),
    sa.Column("link_id", sa.String(18)),
    sa.Column("claimed_until", Instant),
    sa.Column("uploaded_by", sa.String(128), nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.PrimaryKeyConstraint("order_id", "sha256"),
)

purchase_rules = sa.Table(
    "purchase_rules",
    metadata,
    sa.Column(
        "organization_id", sa.String(64), sa.ForeignKey("organizations.id", ondelete="CASCADE"), primary_key=True
    ),
    sa.Column("limits", json_type(), nullable=False),
    sa.Column("free_up_to", json_type(), nullable=False),
    sa.Column("expires_days", sa.Integer, nullable=False),
    sa.Column("remind_days", sa.Integer),
    sa.Column("revision", sa.String(32), nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
)

purchase_approvers = sa.Table(
    "purchase_approvers",
    metadata,
    sa.Column(
        "organization_id", sa.String(64), sa.ForeignKey("organizations.id", ondelete="CASCADE"), primary_key=True
    ),
    sa.Column("user_id", sa.String(64), sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    sa.Index("ix_purchase_approvers_user_id", "user_id"),
)

#: Hashes only. A link ends when it is used, when its time is over, or when the order is decided.
approval_links = sa.Table(
    "approval_links",
    metadata,
    sa.Column("token_hash", sa.String(64), primary_key=True),
    _order(),
    sa.Column("user_id", sa.String(64), sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("used_at", Instant),
    sa.Index("ix_approval_links_order_id", "order_id"),
    sa.Index("ix_approval_links_expires_at", "expires_at"),
)

#: What is to be mailed. No address, no text and no link: those are made when a mail is sent.
mails = sa.Table(
    "mails",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    _order(),
    sa.Column("kind", sa.String(24), nullable=False),
    sa.Column("recipient_id", sa.String(64), sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("next_at", Instant, nullable=False),
    sa.Column("claimed_until", Instant),
    sa.Column("last_error", sa.Text),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("ended_at", Instant),
    sa.Index("ix_mails_due", "state", "next_at"),
    sa.Index("ix_mails_order_id", "order_id"),
)
