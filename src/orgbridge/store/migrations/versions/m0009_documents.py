"""Documents of machines."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def _json() -> sa.types.TypeEngine[Any]:
    return sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def _instant() -> sa.DateTime:
    return sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the table."""
    identifier = sa.String(128).with_variant(sa.String(128, collation="C"), "postgresql")
    op.create_table(
        "documents",
        sa.Column("organization_id", sa.String(64), nullable=False),
        sa.Column("id", identifier, nullable=False),
        sa.Column("machine_id", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("recorded_at", _instant(), nullable=False),
        sa.Column("body", _json(), nullable=False),
        sa.Column("body_bytes", sa.Integer, nullable=False),
        sa.Column("created_by", sa.String(128), nullable=False),
        sa.Column("created_at", _instant(), nullable=False),
        sa.Column("updated_at", _instant(), nullable=False),
        sa.Column("etag", sa.String(64), nullable=False),
        sa.Column("expires_at", _instant()),
        sa.PrimaryKeyConstraint("organization_id", "id", name="pk_documents"),
    )
    op.create_index("ix_documents_machine", "documents", ["organization_id", "machine_id", "recorded_at", "id"])
    op.create_index("ix_documents_kind", "documents", ["organization_id", "machine_id", "kind", "recorded_at", "id"])
    op.create_index("ix_documents_expires_at", "documents", ["expires_at"])


def downgrade() -> None:
    """Drop the table with all that is in it."""
    op.drop_table("documents")
