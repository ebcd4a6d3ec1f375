"""Tables of identity beside `users`: roles, grants, sign-in sessions, secrets, throttles and signing keys."""

from __future__ import annotations

import sqlalchemy as sa

from orgbridge.store.tables import Instant, json_type, metadata

roles = sa.Table(
    "roles",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("description", sa.String(500), nullable=False),
    sa.Column("scopes", json_type(), nullable=False),
    sa.Column("policy", json_type()),
    sa.Column("built_in", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("revision", sa.String(32), nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
)

#: A role that somebody has cannot be deleted: losing a policy must never widen what a user may do.
user_roles = sa.Table(
    "user_roles",
    metadata,
    sa.Column("user_id", sa.String(64), sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("role", sa.String(64), sa.ForeignKey("roles.name", ondelete="RESTRICT"), primary_key=True),
    sa.Index("ix_user_roles_role", "role"),
)

organizations = sa.Table(
    "organizations",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("external_id", sa.String(200)),
    sa.Column("revision", sa.String(32), nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.UniqueConstraint("name"),
    sa.UniqueConstraint("external_id"),
)

plants = sa.Table(
    "plants",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("organization_id", sa.String(64), sa.ForeignKey("organizations.id", ondelete="RESTRICT"), nullable=False),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("external_id", sa.String(200)),
    sa.Column("revision", sa.String(32), nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.UniqueConstraint("organization_id", "name"),
    sa.UniqueConstraint("external_id"),
)

machines = sa.Table(
    "machines",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("plant_id", sa.String(64), sa.ForeignKey("plants.id", ondelete="RESTRICT"), nullable=False),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("external_id", sa.String(200)),
    sa.Column("serial_number", sa.String(200)),
    sa.Column("asset_id", sa.String(18)),
    sa.Column("revision", sa.String(32), nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.UniqueConstraint("plant_id", "name"),
    sa.UniqueConstraint("external_id"),
    sa.UniqueConstraint("asset_id"),
)


def _grant(table: str, column: str, target: str) -> sa.Table:
    return sa.Table(
        table,
        metadata,
        sa.Column("user_id", sa.String(64), sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
        sa.Column(column, sa.String(64), sa.ForeignKey(f"{target}.id", ondelete="CASCADE"), primary_key=True),
        sa.Index(f"ix_{table}_{column}", column),
    )


user_organizations = _grant("user_organizations", "organization_id", "organizations")
user_plants = _grant("user_plants", "plant_id", "plants")
user_machines = _grant("user_machines", "machine_id", "machines")

#: One row per sign-in: the family of its refresh tokens.
sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("user_id", sa.String(64), sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    sa.Column("scopes", json_type()),
    sa.Column("address", sa.String(64), nullable=False),
    sa.Column("agent", sa.String(200), nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("used_at", Instant, nullable=False),
    sa.Column("idle_until", Instant, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
    sa.Column("revoked_at", Instant),
    sa.Column("revoked_for", sa.String(32)),
    sa.Index("ix_sessions_user_id", "user_id", "created_at"),
    sa.Index("ix_sessions_expires_at", "expires_at"),
)

#: Hashes only. A row whose `used_at` is set was exchanged; seeing it again means that somebody copied it.
refresh_tokens = sa.Table(
    "refresh_tokens",
    metadata,
    sa.Column("token_hash", sa.String(64), primary_key=True),
    sa.Column("session_id", sa.String(64), sa.ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("used_at", Instant),
    sa.Index("ix_refresh_tokens_session_id", "session_id"),
)

#: Access tokens that were revoked one by one and have not expired yet.
revoked_tokens = sa.Table(
    "revoked_tokens",
    metadata,
    sa.Column("token_id", sa.String(64), primary_key=True),
    sa.Column("expires_at", Instant, nullable=False),
    sa.Index("ix_revoked_tokens_expires_at", "expires_at"),
)

client_secrets = sa.Table(
    "client_secrets",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("user_id", sa.String(64), sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    sa.Column("secret_hash", sa.String(64), nullable=False),
    sa.Column("hint", sa.String(8), nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("expires_at", Instant),
    sa.Index("ix_client_secrets_user_id", "user_id"),
)

#: Keys are hashes of account and address, so that nothing an attacker types is kept.
throttles = sa.Table(
    "throttles",
    metadata,
    sa.Column("key", sa.String(64), primary_key=True),
    sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
    sa.Column("blocked_until", Instant),
    sa.Column("trusted_until", Instant),
    sa.Column("updated_at", Instant, nullable=False),
    sa.Index("ix_throttles_updated_at", "updated_at"),
)

#: Public halves of every key that tokens were signed with; the private ones never leave their files.
signing_keys = sa.Table(
    "signing_keys",
    metadata,
    sa.Column("kid", sa.String(64), primary_key=True),
    sa.Column("algorithm", sa.String(16), nullable=False),
    sa.Column("jwk", json_type(), nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("tokens_until", Instant, nullable=False),
    sa.Column("revoked_at", Instant),
)
