"""Tokens of an external OIDC issuer: checked against its key set, and turned into a caller by a mapping of claims.

Only asymmetric signatures count, each key only with its own algorithm. The key set is fetched when first needed, again
after an hour, and when a token names a key that is not in it, but then not more often than every half minute; while the
issuer does not answer, what was fetched before counts for a day.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jwt

from orgbridge.client.keysets import KeySetUnavailable, fetch_document, is_safe_url
from orgbridge.kit.clock import Clock
from orgbridge.kit.logs import get_logger
from orgbridge.services.errors import KeysUnreachable, TokenRefused
from orgbridge.services.keys import check_times
from orgbridge.services.principals import BELIEVED_SECONDS, Principals, limits_of, scopes_of_role
from orgbridge.services.scopes import ALL, SCOPES, Caller, Scope
from orgbridge.store.database import Database
from orgbridge.store.identity_records import RoleRecord

ALGORITHMS = ("EdDSA", "ES256", "ES384", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
#: What an access token's header may say it is; an ID token or a logout token of the same issuer is none.
_TYPES = ("at+jwt", "jwt", "")
_KEYS_SECONDS, _UNKNOWN_SECONDS, _STALE_SECONDS = 3600.0, 30.0, 86_400.0
_LEEWAY_SECONDS = 30.0
_MAX_TOKEN_CHARS = 16_384
_REMEMBERED = 10_000
log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalConfig:
    """Which issuer is believed, and what its claims mean."""

    #: `iss`, exactly.
    issuer: str
    #: One of the values of `aud` must be this.
    audience: str
    #: Where the key set is; None asks the issuer's discovery document.
    jwks_url: str | None = None
    #: Claim with the user's name for people; `sub` when it is absent.
    username_claim: str = "preferred_username"
    #: Claim with scopes: text with spaces, or a list.
    scopes_claim: str = "scope"
    #: Claim with roles or groups: a list, or text with spaces. Dots lead into objects: `realm_access.roles`.
    roles_claim: str = "roles"
    #: Value of that claim → name of a role of ours; values that are not named here mean nothing.
    roles: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Known:
    claims: dict[str, Any]
    asked: float
    people: int
    caller: Caller


class ExternalIssuer:
    """Checks tokens of one external issuer."""

    def __init__(self, database: Database, principals: Principals, clock: Clock, config: ExternalConfig) -> None:
        self._database = database
        self._principals = principals
        self._clock = clock
        self._config = config
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched: float | None = None
        self._tried: float | None = None
        self._turn = asyncio.Lock()
        self._known: OrderedDict[bytes, _Known] = OrderedDict()

    def issued(self, token: str) -> bool:
        """Return whether a token says that it is of this issuer. Believes nothing yet."""
        if len(token) > _MAX_TOKEN_CHARS:
            return False
        # A token that was checked before needs no second look into it.
        if _digest(token) in self._known:
            return True
        try:
            claims = jwt.decode(token, options={"verify_signature": False})
        except jwt.PyJWTError:
            return False
        return bool(claims.get("iss") == self._config.issuer)

    async def caller(self, token: str) -> Caller:
        """Return who a token of the issuer stands for.

        Raises:
            TokenRefused: It is not valid, or belongs to a user of ours who is disabled.
            KeysUnreachable: The issuer's keys cannot be fetched.
        """
        digest, now = _digest(token), self._clock.now().timestamp()
        known = self._known.get(digest)
        if known is not None:
            self._known.move_to_end(digest)
            if float(known.claims["exp"]) + _LEEWAY_SECONDS <= now:
                del self._known[digest]
                raise TokenRefused("The bearer token has expired.")
            fresh = self._clock.monotonic() - known.asked < BELIEVED_SECONDS
            if fresh and known.people == self._principals.generation:
                return known.caller
        # Checked again every few seconds: a key that the issuer took back stops counting with the next key set.
        claims = await self._verified(token, now)
        asked, people = self._clock.monotonic(), self._principals.generation
        caller = await self._caller(claims)
        self._known[digest] = _Known(claims=claims, asked=asked, people=people, caller=caller)
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return caller

    async def _verified(self, token: str, now: float) -> dict[str, Any]:
        try:
            header = jwt.get_unverified_header(token)
            if str(header.get("typ", "")).lower().removeprefix("application/") not in _TYPES:
                raise TokenRefused("The token is not an access token.")
            key = await self._key(str(header.get("kid", "")))
            if header.get("alg") not in ALGORITHMS or header.get("alg") != key.algorithm_name:
                raise TokenRefused
            claims: dict[str, Any] = jwt.decode(
                token,
                key.key,
                algorithms=[key.algorithm_name],
                audience=self._config.audience,
                issuer=self._config.issuer,
                options={
                    "require": ["exp", "sub"],
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
        except jwt.PyJWTError as error:
            raise TokenRefused from error
        check_times(claims, now, leeway=_LEEWAY_SECONDS)
        return claims

    async def _key(self, kid: str) -> jwt.PyJWK:
        age = None if self._fetched is None else self._clock.monotonic() - self._fetched
        if age is None or age >= _KEYS_SECONDS or kid not in self._keys:
            await self._fetch()
            age = None if self._fetched is None else self._clock.monotonic() - self._fetched
        if age is None or age >= _STALE_SECONDS:
            raise KeysUnreachable
        if kid not in self._keys:
            raise TokenRefused
        return self._keys[kid]

    async def _fetch(self) -> None:
        async with self._turn:
            now = self._clock.monotonic()
            if self._tried is not None and now - self._tried < _UNKNOWN_SECONDS:
                return
            self._tried = now
            try:
                document = await fetch_document(await self._jwks_url())
            except KeySetUnavailable as error:
                log.warning("issuer_keys_not_fetched", issuer=self._config.issuer, cause=str(error))
                return
            found: dict[str, jwt.PyJWK] = {}
            for item in document.get("keys") or []:
                key = _usable(item)
                if key is not None and key.key_id is not None:
                    found[key.key_id] = key
            self._keys, self._fetched = found, now

    async def _jwks_url(self) -> str:
        if self._config.jwks_url is not None:
            return self._config.jwks_url
        # Source: OpenID Connect Discovery 1.0, section 4.
        document = await fetch_document(f"{self._config.issuer.rstrip('/')}/.well-known/openid-configuration")
        if document.get("issuer") != self._config.issuer:
            raise KeySetUnavailable("the discovery document is of another issuer")
        url = document.get("jwks_uri")
        if not isinstance(url, str) or not is_safe_url(url):
            raise KeySetUnavailable("the discovery document names no key set")
        return url

    async def _caller(self, claims: dict[str, Any]) -> Caller:
        config, subject = self._config, str(claims["sub"])
        wanted = {config.roles[value] for value in _words(claims, config.roles_claim) if value in config.roles}
        async with self._database.unit(write=False) as unit:
            user = await unit.users.get_by_subject(subject)
            roles = {role.name: role for role in await unit.roles.all() if role.name in wanted}
        linked = await self._principals.get(user.id) if user is not None else None
        if linked is not None:
            if linked.user.disabled:
                raise TokenRefused("The user of this token is disabled.")
            roles |= {role.name: role for role in linked.roles}
        ordered: list[RoleRecord] = [roles[name] for name in sorted(roles)]
        # Administration is given by a role only: any client may ask its issuer for a scope that is named `admin`.
        scopes = (set(_words(claims, config.scopes_claim)) & set(SCOPES)) - {Scope.ADMIN.value}
        scopes = scopes.union(*(scopes_of_role(role) for role in ordered))
        if linked is not None:
            scopes |= linked.scopes
        everything = Scope.ADMIN in scopes
        policies, role_scopes = limits_of(ordered, is_admin=linked is not None and linked.user.is_admin)
        return Caller(
            user_id=linked.user.id if linked is not None else f"oidc:{subject}"[:255],
            username=linked.user.username if linked is not None else _name(claims, config.username_claim),
            scopes=frozenset(scopes),
            roles=tuple(role.name for role in ordered),
            policies=policies,
            role_scopes=role_scopes,
            organizations=ALL if everything else linked.organizations if linked is not None else frozenset(),
            plants=ALL if everything else linked.plants if linked is not None else frozenset(),
            machines=ALL if everything else linked.machines if linked is not None else frozenset(),
            sf_username=linked.user.sf_username if linked is not None else None,
        )


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _usable(item: Any) -> jwt.PyJWK | None:
    if not isinstance(item, dict) or item.get("use", "sig") != "sig":
        return None
    try:
        key = jwt.PyJWK(item)
    except jwt.PyJWTError:
        # A key of a kind that we do not take is none of ours to complain about.
        return None
    return key if key.algorithm_name in ALGORITHMS else None


def _words(claims: Mapping[str, Any], path: str) -> list[str]:
    value: Any = claims.get(path)
    if value is None:
        value = claims
        for step in path.split("."):
            value = value.get(step) if isinstance(value, Mapping) else None
    if isinstance(value, str):
        return value.split()
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _name(claims: Mapping[str, Any], claim: str) -> str:
    name = claims.get(claim) or claims["sub"]
    # Marked, so that nobody at the issuer can take the name of a user of ours.
    return f"oidc:{name}"[:128]
