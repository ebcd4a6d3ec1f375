"""Roles, grants, organizations, plants, machines, sessions, secrets, throttles and signing keys."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

#: Roles of ours. What they let do stands in the program, so that a new version can give them new scopes.
_BUILT_IN = {
    "admin": "May do everything",
    "integrator": "Records, queries and bulk loads, reading and writing",
    "reader": "Reads records and the jobs' results",
    "buyer": "Carts, orders, accounts and machines",
}


def _json() -> sa.types.TypeEngine[Any]:
    return sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def _instant() -> sa.DateTime:
    return sa.DateTime(timezone=True)


def _revised() -> list[sa.Column[Any]]:
    return [
        sa.Column("revision", sa.String(32), nullable=False),
        sa.Column("created_at", _instant(), nullable=False),
        sa.Column("updated_at", _instant(), nullable=False),
    ]


def _grant(table: str, column: str, target: str) -> None:
    op.create_table(
        table,
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.Column(column, sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=f"fk_{table}_user_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint([column], [f"{target}.id"], name=f"fk_{table}_{column}", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", column, name=f"pk_{table}"),
    )
    op.create_index(f"ix_{table}_{column}", table, [column])


def upgrade() -> None:
    """Make the tables, and give users what they need of them."""
    with op.batch_alter_table("users") as users:
        users.add_column(sa.Column("kind", sa.String(16), nullable=False, server_default="user"))
        users.add_column(sa.Column("display_name", sa.String(200)))
        users.add_column(sa.Column("email", sa.String(254)))
        users.add_column(sa.Column("external_subject", sa.String(255)))
        users.add_column(sa.Column("sf_username", sa.String(128)))
        for name in ("all_organizations", "all_plants", "all_machines"):
            users.add_column(sa.Column(name, sa.Boolean, nullable=False, server_default=sa.false()))
        users.add_column(sa.Column("password_changed_at", _instant()))
        users.add_column(sa.Column("updated_at", _instant()))
        users.add_column(sa.Column("revision", sa.String(32), nullable=False, server_default="1"))
        users.create_unique_constraint("uq_users_external_subject", ["external_subject"])
    _make_roles()
    _make_places()
    _make_sign_in()


def _make_roles() -> None:
    roles = op.create_table(
        "roles",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("description", sa.String(500), nullable=False),
        sa.Column("scopes", _json(), nullable=False),
        sa.Column("policy", _json()),
        sa.Column("built_in", sa.Boolean, nullable=False, server_default=sa.false()),
        *_revised(),
        sa.PrimaryKeyConstraint("name", name="pk_roles"),
    )
    now = datetime.now(UTC)
    op.bulk_insert(
        roles,
        [
            {
                "name": name,
                "description": description,
                "scopes": [],
                "policy": sa.null(),
                "built_in": True,
                "revision": "1",
                "created_at": now,
                "updated_at": now,
            }
            for name, description in _BUILT_IN.items()
        ],
    )
    op.create_table(
        "user_roles",
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.Column("role", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_user_roles_user_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["role"], ["roles.name"], name="fk_user_roles_role", ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("user_id", "role", name="pk_user_roles"),
    )
    op.create_index("ix_user_roles_role", "user_roles", ["role"])


def _make_places() -> None:
    op.create_table(
        "organizations",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("external_id", sa.String(200)),
        *_revised(),
        sa.PrimaryKeyConstraint("id", name="pk_organizations"),
        sa.UniqueConstraint("name", name="uq_organizations_name"),
        sa.UniqueConstraint("external_id", name="uq_organizations_external_id"),
    )
    op.create_table(
        "plants",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("organization_id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("external_id", sa.String(200)),
        *_revised(),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name="fk_plants_organization_id", ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_plants"),
        sa.UniqueConstraint("organization_id", "name", name="uq_plants_organization_id_name"),
        sa.UniqueConstraint("external_id", name="uq_plants_external_id"),
    )
    op.create_table(
        "machines",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("plant_id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("external_id", sa.String(200)),
        sa.Column("serial_number", sa.String(200)),
        sa.Column("asset_id", sa.String(18)),
        *_revised(),
        sa.ForeignKeyConstraint(["plant_id"], ["plants.id"], name="fk_machines_plant_id", ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name="pk_machines"),
        sa.UniqueConstraint("plant_id", "name", name="uq_machines_plant_id_name"),
        sa.UniqueConstraint("external_id", name="uq_machines_external_id"),
        sa.UniqueConstraint("asset_id", name="uq_machines_asset_id"),
    )
    _grant("user_organizations", "organization_id", "organizations")
    _grant("user_plants", "plant_id", "plants")
    _grant("user_machines", "machine_id", "machines")


def _make_sign_in() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.Column("scopes", _json()),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("agent", sa.String(200), nullable=False),
        sa.Column("created_at", _instant(), nullable=False),
        sa.Column("used_at", _instant(), nullable=False),
        sa.Column("idle_until", _instant(), nullable=False),
        sa.Column("expires_at", _instant(), nullable=False),
        sa.Column("revoked_at", _instant()),
        sa.Column("revoked_for", sa.String(32)),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_sessions_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
    )
    op.create_index("ix_sessions_user_id", "sessions", ["user_id", "created_at"])
    op.create_index("ix_sessions_expires_at", "sessions", ["expires_at"])
    op.create_table(
        "refresh_tokens",
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("session_id", sa.String(64), nullable=False),
        sa.Column("created_at", _instant(), nullable=False),
        sa.Column("used_at", _instant()),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name="fk_refresh_tokens_session_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("token_hash", name="pk_refresh_tokens"),
    )
    op.create_index("ix_refresh_tokens_session_id", "refresh_tokens", ["session_id"])
    op.create_table(
        "revoked_tokens",
        sa.Column("token_id", sa.String(64), nullable=False),
        sa.Column("expires_at", _instant(), nullable=False),
        sa.PrimaryKeyConstraint("token_id", name="pk_revoked_tokens"),
    )
    op.create_index("ix_revoked_tokens_expires_at", "revoked_tokens", ["expires_at"])
    op.create_table(
        "client_secrets",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.Column("secret_hash", sa.String(64), nullable=False),
        sa.Column("hint", sa.String(8), nullable=False),
        sa.Column("created_at", _instant(), nullable=False),
        sa.Column("expires_at", _instant()),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_client_secrets_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_client_secrets"),
    )
    op.create_index("ix_client_secrets_user_id", "client_secrets", ["user_id"])
    op.create_table(
        "throttles",
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
        sa.Column("blocked_until", _instant()),
        sa.Column("trusted_until", _instant()),
        sa.Column("updated_at", _instant(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_throttles"),
    )
    op.create_index("ix_throttles_updated_at", "throttles", ["updated_at"])
    op.create_table(
        "signing_keys",
        sa.Column("kid", sa.String(64), nullable=False),
        sa.Column("algorithm", sa.String(16), nullable=False),
        sa.Column("jwk", _json(), nullable=False),
        sa.Column("created_at", _instant(), nullable=False),
        sa.Column("tokens_until", _instant(), nullable=False),
        sa.Column("revoked_at", _instant()),
        sa.PrimaryKeyConstraint("kid", name="pk_signing_keys"),
    )


def downgrade() -> None:
    """Drop the tables with all that is in them; users keep name, password and scopes."""
    for table in (
        "signing_keys",
        "throttles",
        "client_secrets",
        "revoked_tokens",
        "refresh_tokens",
        "sessions",
        "user_machines",
        "user_plants",
        "user_organizations",
        "machines",
        "plants",
        "organizations",
        "user_roles",
        "roles",
    ):
        op.drop_table(table)
    # A program that knows no service accounts would take them for people.
    op.execute("DELETE FROM users WHERE kind <> 'user'")
    with op.batch_alter_table("users") as users:
        users.drop_constraint("uq_users_external_subject", type_="unique")
        for name in (
            "revision",
            "updated_at",
            "password_changed_at",
            "all_machines",
            "all_plants",
            "all_organizations",
            "sf_username",
            "external_subject",
            "email",
            "display_name",
            "kind",
        ):
            users.drop_column(name)
