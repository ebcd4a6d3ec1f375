"""Tables of exports."""

from __future__ import annotations

import sqlalchemy as sa

from orgbridge.store.tables import metadata

export_pages = sa.Table(
    "export_pages",
    metadata,
    sa.Column("load_id", sa.String(64), sa.ForeignKey("loads.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("locator", sa.String(512)),
    sa.Column("following", sa.String(512)),
    sa.Column("key", sa.String(512), nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
)
