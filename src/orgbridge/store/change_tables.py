"""Tables of followed changes: one watermark per org and object, and the last known states of records."""

from __future__ import annotations

import sqlalchemy as sa

from orgbridge.store.tables import Instant, metadata

change_feeds = sa.Table(
    "change_feeds",
    metadata,
    sa.Column("org", sa.String(64), primary_key=True),
    sa.Column("sobject", sa.String(64), primary_key=True),
    sa.Column("watermark", Instant),
    sa.Column("run_from", Instant),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("polled_at", Instant, nullable=False),
    sa.Column("trouble", sa.Text),
)

change_seen = sa.Table(
    "change_seen",
    metadata,
    sa.Column("org", sa.String(64), primary_key=True),
    sa.Column("sobject", sa.String(64), primary_key=True),
    sa.Column("record_id", sa.String(18), primary_key=True),
    sa.Column("modstamp", Instant, nullable=False),
    sa.Column("status", sa.String(255), nullable=False),
    sa.Column("deleted", sa.Boolean, nullable=False),
    sa.Column("account_id", sa.String(18)),
    sa.Index("ix_change_seen_modstamp", "org", "sobject", "modstamp"),
)
