"""The table of orgs that Salesforce lets nobody sign in to until people do something."""

from __future__ import annotations

import sqlalchemy as sa

from orgbridge.store.tables import Instant, metadata

org_consents = sa.Table(
    "org_consents",
    metadata,
    sa.Column("org", sa.String(128), primary_key=True),
    #: Of the credentials that were refused: others are tried at once.
    sa.Column("fingerprint", sa.String(64), nullable=False),
    sa.Column("error", sa.String(80), nullable=False),
    sa.Column("cause", sa.Text, nullable=False),
    sa.Column("remedy", sa.Text, nullable=False),
    sa.Column("refusals", sa.Integer, nullable=False),
    sa.Column("since", Instant, nullable=False),
    sa.Column("next_try_at", Instant, nullable=False),
)
