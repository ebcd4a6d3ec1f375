"""Table of calls that were made under an Idempotency-Key, and of what they were answered."""

from __future__ import annotations

import sqlalchemy as sa

from orgbridge.store.tables import Instant, json_type, metadata

#: The primary key is the one thing that decides who of several requests does the work, whichever process they reach.
idempotency_keys = sa.Table(
    "idempotency_keys",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("caller_id", sa.String(128), nullable=False),
    sa.Column("fingerprint", sa.String(64)),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("holder", sa.String(64), nullable=False),
    sa.Column("lease_until", Instant, nullable=False),
    sa.Column("status", sa.Integer),
    sa.Column("headers", json_type()),
    sa.Column("body", sa.LargeBinary),
    sa.Column("request_id", sa.String(128), nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
    sa.Index("ix_idempotency_keys_expires_at", "expires_at"),
)
