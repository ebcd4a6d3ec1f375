"""Users, tokens and the key that signs them, for the service and for commands that make users without it."""

from __future__ import annotations

from datetime import timedelta

from orgbridge.kit.clock import Clock
from orgbridge.services.identity import IdentityService, TokenConfig
from orgbridge.services.keys import KeyConfig, KeyRing, load_key_ring
from orgbridge.store.database import Database
from orgbridge.wiring.settings import Settings


def build_keys(settings: Settings) -> KeyRing:
    """Return the key that signs tokens, made when there is none.

    Raises:
        UnusableKey: A key of the settings cannot be used.
    """
    return load_key_ring(
        KeyConfig(
            algorithm=settings.jwt_algorithm,
            private_path=settings.jwt_private_key_path,
            public_path=settings.jwt_public_key_path,
            folder=settings.orgbridge_data.absolute() / "keys",
        )
    )


def build_identity(settings: Settings, database: Database, clock: Clock) -> IdentityService:
    """Return the service of users and tokens.

    Raises:
        UnusableKey: A key of the settings cannot be used.
    """
    lifetime = timedelta(minutes=settings.jwt_access_token_expire_minutes)
    return IdentityService(database, build_keys(settings), clock, TokenConfig(lifetime=lifetime))
