"""Table of which Salesforce account an organization is."""

from __future__ import annotations

import sqlalchemy as sa

from orgbridge.store.tables import Instant, metadata

#: One account per organization and one organization per account: an account of two would show each the other's rows.
account_mappings = sa.Table(
    "account_mappings",
    metadata,
    sa.Column(
        "organization_id", sa.String(64), sa.ForeignKey("organizations.id", ondelete="CASCADE"), primary_key=True
    ),
    sa.Column("account_id", sa.String(18), nullable=False),
    sa.Column("account_name", sa.String(255), nullable=False),
    sa.Column("found_by", sa.String(16), nullable=False),
    sa.Column("mapped_by", sa.String(128), nullable=False),
    sa.Column("revision", sa.String(32), nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.UniqueConstraint("account_id"),
)
