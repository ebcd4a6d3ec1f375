"""Users, roles, tokens and the keys that sign them, for the service and for commands that work without it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from orgbridge.kit.clock import Clock
from orgbridge.services.audit_chain import AuditChain
from orgbridge.services.external import ExternalConfig, ExternalIssuer
from orgbridge.services.identity import IdentityService
from orgbridge.services.key_rotation import SigningKeys
from orgbridge.services.keys import KeyConfig, KeyRing, load_key_ring
from orgbridge.services.organizations import OrganizationService
from orgbridge.services.passwords import HashCost, Passwords
from orgbridge.services.principals import Principals
from orgbridge.services.roles import RoleService
from orgbridge.services.service_accounts import ServiceAccountService
from orgbridge.services.sessions import SessionConfig, Sessions
from orgbridge.services.throttling import Throttle
from orgbridge.services.tokens import TokenConfig
from orgbridge.services.users import UserService
from orgbridge.store.database import Database
from orgbridge.wiring.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Everything about who may do what."""

    #: Signing in, and who a token is.
    identity: IdentityService
    #: The keys of this process.
    keys: SigningKeys
    users: UserService
    service_accounts: ServiceAccountService
    roles: RoleService
    organizations: OrganizationService
    #: What was done, verified and pruned.
    audit: AuditChain


def key_config(settings: Settings) -> KeyConfig:
    """Return which key signs."""
    return KeyConfig(
        algorithm=settings.jwt_algorithm,
        private_path=settings.jwt_private_key_path,
        public_path=settings.jwt_public_key_path,
        folder=settings.orgbridge_data.absolute() / "keys",
        pem=settings.signing_pem,
    )


def build_keys(settings: Settings) -> KeyRing:
    """Return the key that signs tokens, made when there is none.

    Raises:
        UnusableKey: A key of the settings cannot be used.
    """
    return load_key_ring(key_config(settings))


def build_people(settings: Settings, database: Database, clock: Clock, cost: HashCost | None = None) -> People:
    """Return the services of users, tokens, roles and organizations.

    Args:
        settings: All settings.
        database: The tables.
        clock: Time.
        cost: Of password hashes; None takes the recommended one.

    Raises:
        UnusableKey: A key of the settings cannot be used.
    """
    keys = SigningKeys(build_keys(settings), key_config(settings), database, clock)
    principals = Principals(database, clock)
    passwords = Passwords(cost)
    throttle = Throttle(database, clock)
    lasting = SessionConfig(
        idle=timedelta(minutes=settings.orgbridge_refresh_idle_minutes),
        absolute=timedelta(minutes=settings.orgbridge_refresh_absolute_minutes),
    )
    sessions = Sessions(database, principals, clock, lasting)
    issuer = settings.orgbridge_jwt_issuer
    identity = IdentityService(
        database,
        keys=keys,
        principals=principals,
        passwords=passwords,
        sessions=sessions,
        throttle=throttle,
        clock=clock,
        config=TokenConfig(
            lifetime=timedelta(minutes=settings.jwt_access_token_expire_minutes),
            issuer=issuer,
            audience=settings.orgbridge_jwt_audience or issuer,
        ),
        external=_external(settings, database, principals, clock),
    )
    return People(
        identity=identity,
        keys=keys,
        users=UserService(database, principals, passwords, throttle, sessions, clock),
        service_accounts=ServiceAccountService(database, principals, clock),
        roles=RoleService(database, principals, clock),
        organizations=OrganizationService(database, principals, clock),
        audit=AuditChain(database, keys, clock),
    )


async def make_first_admin(settings: Settings, identity: IdentityService) -> None:
    """Make the administrator whom the settings name, when there is none yet.

    Raises:
        InvalidRequest: The name or the password is not acceptable.
    """
    name, password = settings.orgbridge_admin_username, settings.orgbridge_admin_password
    if name and password is not None:
        await identity.ensure_admin(name, password.get_secret_value())


def _external(settings: Settings, database: Database, principals: Principals, clock: Clock) -> ExternalIssuer | None:
    issuer, audience = settings.orgbridge_oidc_issuer, settings.orgbridge_oidc_audience
    if not issuer or not audience:
        return None
    config = ExternalConfig(
        issuer=issuer,
        audience=audience,
        jwks_url=settings.orgbridge_oidc_jwks_url,
        username_claim=settings.orgbridge_oidc_username_claim,
        scopes_claim=settings.orgbridge_oidc_scopes_claim,
        roles_claim=settings.orgbridge_oidc_roles_claim,
        roles=settings.orgbridge_oidc_roles,
    )
    return ExternalIssuer(database, principals, clock, config)
