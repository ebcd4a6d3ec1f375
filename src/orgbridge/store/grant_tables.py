"""The table of grants whose refresh tokens Salesforce replaces at every use."""

from __future__ import annotations

import sqlalchemy as sa

from orgbridge.store.tables import Instant, metadata

org_grants = sa.Table(
    "org_grants",
    metadata,
    sa.Column("org", sa.String(128), primary_key=True),
    #: Of the refresh token of the settings, which began the grant: another one is another grant.
    sa.Column("grant_id", sa.String(64), primary_key=True),
    #: The refresh token that is good now, sealed; none: still that of the settings.
    sa.Column("sealed", sa.Text),
    sa.Column("rotations", sa.Integer, nullable=False),
    #: Since when Salesforce is being asked, until the outcome is known and saved.
    sa.Column("asked_at", Instant),
    sa.Column("updated_at", Instant, nullable=False),
)
