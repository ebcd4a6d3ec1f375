"""Purchase orders: orders, steps, comments, rules, documents, approval links; the outbox of mails."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_LIVE = "state NOT IN ('rejected', 'cancelled', 'expired')"
_TABLES = (
    *("purchase_orders", "purchase_order_steps", "purchase_order_comments", "purchase_order_documents"),
    *("purchase_rules", "purchase_approvers", "approval_links", "mails"),
)


def _json() -> sa.types.TypeEngine[Any]:
    return sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def _instant() -> sa.DateTime:
    return sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "purchase_orders",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("uuid", sa.String(36), nullable=False),
        sa.Column("number", sa.String(80), nullable=False),
        sa.Column("organization_id", sa.String(64), nullable=False),
        sa.Column("account_id", sa.String(18), nullable=False),
        sa.Column("requester_id", sa.String(128), nullable=False),
        sa.Column("requester_name", sa.String(128), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("total", sa.String(40), nullable=False),
        sa.Column("lines", _json(), nullable=False),
        sa.Column("cart_id", sa.String(18)),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("urgent", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("created_at", _instant(), nullable=False),
        sa.Column("updated_at", _instant(), nullable=False),
        sa.Column("submitted_at", _instant()),
        sa.Column("decided_at", _instant()),
        sa.Column("decided_by", sa.String(128)),
        sa.Column("decided_name", sa.String(128)),
        sa.Column("expires_at", _instant()),
        sa.Column("remind_at", _instant()),
        sa.Column("ordering_until", _instant()),
        sa.Column("order_ids", _json(), nullable=False),
        sa.Column("mirror_state", sa.String(16), nullable=False),
        sa.Column("mirror_record_id", sa.String(18)),
        sa.Column("mirror_error", sa.Text),
        sa.Column("mirror_attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("mirror_at", _instant()),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name="fk_purchase_orders_organization_id", ondelete="RESTRICT"
        ),
        sa.UniqueConstraint("uuid", name="uq_purchase_orders_uuid"),
        sa.PrimaryKeyConstraint("id", name="pk_purchase_orders"),
    )
    op.create_index("ix_purchase_orders_expires_at", "purchase_orders", ["state", "expires_at"])
    op.create_index("ix_purchase_orders_mirror_at", "purchase_orders", ["mirror_state", "mirror_at"])
    op.create_index("ix_purchase_orders_mirror_record_id", "purchase_orders", ["mirror_record_id"])
    op.create_index("ix_purchase_orders_organization_id", "purchase_orders", ["organization_id", "created_at"])
    op.create_index("ix_purchase_orders_requester_id", "purchase_orders", ["requester_id", "created_at"])
    op.create_index(
        "uq_purchase_orders_number",
        "purchase_orders",
        ["organization_id", "number"],
        unique=True,
        sqlite_where=sa.text(_LIVE),
        postgresql_where=sa.text(_LIVE),
    )
    op.create_table(
        "purchase_order_steps",
        sa.Column("order_id", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("step", sa.String(16)),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("actor_id", sa.String(128), nullable=False),
        sa.Column("actor_name", sa.String(128), nullable=False),
        sa.Column("via", sa.String(16), nullable=False),
        sa.Column("comment", sa.Text, nullable=False),
        sa.Column("at", _instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"], ["purchase_orders.id"], name="fk_purchase_order_steps_order_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("order_id", "version", name="pk_purchase_order_steps"),
    )
    op.create_table(
        "purchase_order_comments",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("order_id", sa.String(64), nullable=False),
        sa.Column("author_id", sa.String(128), nullable=False),
        sa.Column("author_name", sa.String(128), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("created_at", _instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"], ["purchase_orders.id"], name="fk_purchase_order_comments_order_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_purchase_order_comments"),
    )
    op.create_index("ix_purchase_order_comments_order_id", "purchase_order_comments", ["order_id", "id"])
    op.create_table(
        "purchase_order_documents",
        sa.Column("order_id", sa.String(64), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("filename", sa.String(255), nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("version_id", sa.String(18)),
        sa.Column("document_id", sa.String(18)),
        sa.Column("link_id", sa.String(18)),
        sa.Column("claimed_until", _instant()),
        sa.Column("uploaded_by", sa.String(128), nullable=False),
        sa.Column("updated_at", _instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"], ["purchase_orders.id"], name="fk_purchase_order_documents_order_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("order_id", "sha256", name="pk_purchase_order_documents"),
    )
    op.create_table(
        "purchase_rules",
        sa.Column("organization_id", sa.String(64), nullable=False),
        sa.Column("limits", _json(), nullable=False),
        sa.Column("free_up_to", _json(), nullable=False),
        sa.Column("expires_days", sa.Integer, nullable=False),
        sa.Column("remind_days", sa.Integer),
        sa.Column("revision", sa.String(32), nullable=False),
        sa.Column("updated_at", _instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name="fk_purchase_rules_organization_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("organization_id", name="pk_purchase_rules"),
    )
    op.create_table(
        "purchase_approvers",
        sa.Column("organization_id", sa.String(64), nullable=False),
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name="fk_purchase_approvers_organization_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_purchase_approvers_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("organization_id", "user_id", name="pk_purchase_approvers"),
    )
    op.create_index("ix_purchase_approvers_user_id", "purchase_approvers", ["user_id"])
    op.create_table(
        "approval_links",
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("order_id", sa.String(64), nullable=False),
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.Column("expires_at", _instant(), nullable=False),
        sa.Column("created_at", _instant(), nullable=False),
        sa.Column("used_at", _instant()),
        sa.ForeignKeyConstraint(
            ["order_id"], ["purchase_orders.id"], name="fk_approval_links_order_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_approval_links_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("token_hash", name="pk_approval_links"),
    )
    op.create_index("ix_approval_links_expires_at", "approval_links", ["expires_at"])
    op.create_index("ix_approval_links_order_id", "approval_links", ["order_id"])
    op.create_table(
        "mails",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("order_id", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(24), nullable=False),
        sa.Column("recipient_id", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("next_at", _instant(), nullable=False),
        sa.Column("claimed_until", _instant()),
        sa.Column("last_error", sa.Text),
        sa.Column("created_at", _instant(), nullable=False),
        sa.Column("ended_at", _instant()),
        sa.ForeignKeyConstraint(["order_id"], ["purchase_orders.id"], name="fk_mails_order_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["recipient_id"], ["users.id"], name="fk_mails_recipient_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_mails"),
    )
    op.create_index("ix_mails_due", "mails", ["state", "next_at"])
    op.create_index("ix_mails_order_id", "mails", ["order_id"])


def downgrade() -> None:
    """Drop the tables with all that is in them."""
    for table in reversed(_TABLES):
        op.drop_table(table)
