"""The table of documents, for a document store in the database."""

from __future__ import annotations

import sqlalchemy as sa

from orgbridge.store.tables import Instant, json_type, metadata


def _ordered(length: int) -> sa.types.TypeEngine[str]:
    """Return the type of a text that every database sorts by its bytes."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


#: The organization is the first part of every key: no statement of the store reaches across.
documents = sa.Table(
    "documents",
    metadata,
    sa.Column("organization_id", sa.String(64), primary_key=True),
    sa.Column("id", _ordered(128), primary_key=True),
    sa.Column("machine_id", sa.String(64), nullable=False),
    sa.Column("kind", sa.String(64), nullable=False),
    sa.Column("recorded_at", Instant, nullable=False),
    sa.Column("body", json_type(), nullable=False),
    sa.Column("body_bytes", sa.Integer, nullable=False),
    sa.Column("created_by", sa.String(128), nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.Column("etag", sa.String(64), nullable=False),
    sa.Column("expires_at", Instant),
    sa.Index("ix_documents_machine", "organization_id", "machine_id", "recorded_at", "id"),
    sa.Index("ix_documents_kind", "organization_id", "machine_id", "kind", "recorded_at", "id"),
    sa.Index("ix_documents_expires_at", "expires_at"),
)
