"""Tables of the audit: entries in one chain, its head, and checkpoints of what was pruned.

Triggers made by the migration refuse a change of an entry, and a deletion that no checkpoint covers.
"""

from __future__ import annotations

import sqlalchemy as sa

from orgbridge.store.tables import Instant, json_type, metadata

#: `content` is canonical JSON and what the hash is of; the other columns repeat parts of it, to search by.
audit_entries = sa.Table(
    "audit_entries",
    metadata,
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("actor_id", sa.String(128), nullable=False),
    sa.Column("actor_name", sa.String(128), nullable=False),
    sa.Column("action", sa.String(128), nullable=False),
    sa.Column("object_name", sa.String(128), nullable=False),
    sa.Column("outcome", sa.String(16), nullable=False),
    sa.Column("request_id", sa.String(128), nullable=False),
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Index("ix_audit_entries_at", "at"),
    sa.Index("ix_audit_entries_actor_id", "actor_id", "seq"),
    sa.Index("ix_audit_entries_request_id", "request_id"),
)

#: One row: where the chain ends. Whoever appends holds it.
audit_head = sa.Table(
    "audit_head",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
)

#: The last entry of each piece that was pruned, signed.
audit_checkpoints = sa.Table(
    "audit_checkpoints",
    metadata,
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("made_at", Instant, nullable=False),
    sa.Column("jwk", json_type(), nullable=False),
    sa.Column("signature", sa.Text, nullable=False),
)
