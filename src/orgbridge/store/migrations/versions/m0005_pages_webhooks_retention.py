"""Pages of exports."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "export_pages",
        sa.Column("load_id", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("locator", sa.String(512)),
        sa.Column("following", sa.String(512)),
        sa.Column("key", sa.String(512), nullable=False),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(["load_id"], ["loads.id"], name="fk_export_pages_load_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("load_id", "number", name="pk_export_pages"),
    )


def downgrade() -> None:
    """Drop the tables with all that is in them."""
    op.drop_table("export_pages")
