"""The table of calls that several processes count together."""

from __future__ import annotations

import sqlalchemy as sa

from orgbridge.store.tables import metadata

shared_uses = sa.Table(
    "shared_uses",
    metadata,
    #: What is counted, e.g. `rate:read` or `org:default`.
    sa.Column("counter", sa.String(64), primary_key=True),
    sa.Column("who", sa.String(255), primary_key=True),
    #: Number of the window, counted from 1970.
    sa.Column("slot", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("calls", sa.BigInteger, nullable=False),
)
