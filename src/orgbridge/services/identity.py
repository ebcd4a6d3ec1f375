"""Signing in by password, refresh token or client secret, and telling who a token is.

A wrong password and an unknown user get the same answer after the same work, so that names cannot be guessed.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import timedelta

from orgbridge.kit.clock import Clock
from orgbridge.kit.identifiers import new_identifier
from orgbridge.kit.logs import get_logger
from orgbridge.kit.notes import note
from orgbridge.services.errors import (
    ClientRefused,
    InvalidRequest,
    RefreshTokenInvalid,
    ScopeMissing,
    ScopeNotGranted,
    TokenRefused,
    UnknownUser,
    WrongCredentials,
    WrongPassword,
)
from orgbridge.services.external import ExternalIssuer
from orgbridge.services.key_rotation import SigningKeys
from orgbridge.services.passwords import NO_PASSWORD, Passwords
from orgbridge.services.principals import Principal, Principals, admin_roles, scopes_of
from orgbridge.services.scopes import DEFAULT_SCOPES, SCOPES, Caller, Scope, unknown_scopes
from orgbridge.services.sessions import Origin, Sessions, remaining
from orgbridge.services.throttling import Throttle
from orgbridge.services.tokens import AccessToken, TokenConfig, Tokens
from orgbridge.store.database import Database
from orgbridge.store.errors import UsernameTaken
from orgbridge.store.identity_records import Revoked
from orgbridge.store.records import UserKind, UserRecord

MAX_USERNAME_CHARS = 128
#: Old counts, sessions and revocations are cleared away at a sign-in, at most this often in one process.
_PURGE_SECONDS = 600.0
log = get_logger(__name__)


class IdentityService:
    """Signs users and service accounts in and tells who a token is."""

    def __init__(
        self,
        database: Database,
        *,
        keys: SigningKeys,
        principals: Principals,
        passwords: Passwords,
        sessions: Sessions,
        throttle: Throttle,
        clock: Clock,
        config: TokenConfig,
        external: ExternalIssuer | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._config = config
        self.keys = keys
        self.principals = principals
        self.sessions = sessions
        self._passwords = passwords
        self._throttle = throttle
        self._external = external
        self._tokens = Tokens(database, keys, principals, clock, config)
        self._purged = clock.monotonic()

    # The token endpoint

    async def sign_in(
        self,
        username: str,
        password: str,
        scopes: list[str] | None = None,
        origin: Origin | None = None,
        *,
        lifetime: timedelta | None = None,
    ) -> AccessToken:
        """Return an access token and a refresh token for a user and password.

        Args:
            username: Sign-in name.
            password: As typed.
            scopes: Only these; None or empty gives all that the user has.
            origin: Where the sign-in comes from.
            lifetime: Of the access token; None is that of the settings. The sign-in's own end comes first.

        Raises:
            WrongCredentials: No such user, a wrong password or a disabled user.
            SignInThrottled: Too many sign-ins failed; the password was not looked at.
            ScopeNotGranted: A scope was asked for that the user does not have; the password was right.
        """
        origin = origin or Origin()
        note(name=username[:MAX_USERNAME_CHARS], grant="password")
        await self._purge()
        attempt = await self._throttle.begin(username, origin.address)
        user = None
        if username and len(username) <= MAX_USERNAME_CHARS:
            async with self._database.unit(write=False) as unit:
                user = await unit.users.get_by_username(username)
        usable = user is not None and not user.disabled and user.kind is UserKind.USER
        right, rehashed = await self._passwords.verify(password, user.password_hash if usable and user else None)
        if user is None or not usable or not right:
            log.info("sign_in_refused", address=origin.address)
            raise WrongCredentials
        await self._throttle.pardon(attempt)
        if rehashed is not None:
            async with self._database.unit() as unit:
                await unit.users.update(user.id, password_hash=rehashed)
        principal = await self.principals.read(user.id)
        if principal is None or principal.user.disabled:
            raise WrongCredentials
        granted = _narrowed(principal, scopes)
        session, refresh = await self.sessions.open(user.id, tuple(granted) if scopes else None, origin)
        chosen = remaining(session, self._clock.now(), lifetime) if lifetime is not None else None
        return await self._issue(principal, granted, session_id=session.id, refresh_token=refresh, lifetime=chosen)

    async def begin(self, user_id: str, origin: Origin, lifetime: timedelta) -> AccessToken:
        """Return what `sign_in` returns, for a user who has proven in another way who they are.

        Raises:
            WrongCredentials: The user is gone or disabled.
        """
        principal = await self.principals.read(user_id)
        if principal is None or principal.user.disabled:
            raise WrongCredentials
        note(name=principal.user.username, grant="link")
        session, refresh = await self.sessions.open(user_id, None, origin)
        chosen = remaining(session, self._clock.now(), lifetime)
        granted = sorted(principal.scopes)
        return await self._issue(principal, granted, session_id=session.id, refresh_token=refresh, lifetime=chosen)

    async def refresh(self, refresh_token: str, scopes: list[str] | None = None) -> AccessToken:
        """Return the next access token and the next refresh token of a sign-in.

        Args:
            refresh_token: As it was given out; good once.
            scopes: Only these, of those that were asked for at the sign-in; None or empty gives all of them.

        Raises:
            RefreshTokenInvalid: It is unknown, used, expired or revoked, or its user is gone or disabled. If it was
                used before, the whole sign-in has ended.
            ScopeNotGranted: A scope was asked for that the sign-in did not ask for or the user lost; the refresh token
                is used up.
        """
        note(grant="refresh_token")
        session, following = await self.sessions.renew(refresh_token)
        principal = await self.principals.read(session.user_id)
        note(name=principal.user.username if principal is not None else session.user_id)
        if principal is None or principal.user.disabled:
            raise RefreshTokenInvalid
        granted = _narrowed(principal, scopes, within=session.scopes)
        lifetime = remaining(session, self._clock.now(), self._config.lifetime)
        return await self._issue(principal, granted, session_id=session.id, refresh_token=following, lifetime=lifetime)

    async def client_sign_in(
        self, client_id: str, client_secret: str, scopes: list[str] | None = None, origin: Origin | None = None
    ) -> AccessToken:
        """Return an access token for a service account; it has no refresh token (RFC 6749 section 4.4.3).

        Raises:
            ClientRefused: No such account, a wrong or expired secret, or a disabled account.
            SignInThrottled: Too many sign-ins failed; the secret was not looked at.
            ScopeNotGranted: A scope was asked for that the account does not have.
        """
        origin = origin or Origin()
        note(name=client_id[:MAX_USERNAME_CHARS], grant="client_credentials")
        attempt = await self._throttle.begin(f"client:{client_id}", origin.address)
        given = hashlib.sha256(client_secret.encode("utf-8", "surrogatepass")).hexdigest()
        now = self._clock.now()
        async with self._database.unit(write=False) as unit:
            known = await unit.sessions.secrets(client_id)
        right = False
        for secret in known:
            live = secret.expires_at is None or secret.expires_at > now
            right |= hmac.compare_digest(secret.secret_hash, given) and live
        principal = await self.principals.read(client_id) if right else None
        if principal is None or principal.user.disabled or principal.user.kind is not UserKind.SERVICE_ACCOUNT:
            raise ClientRefused
        await self._throttle.pardon(attempt)
        return await self._issue(principal, _narrowed(principal, scopes), client_id=client_id)

    async def revoke(self, token: str) -> None:
        """End what a token stands for (RFC 7009): a refresh token's whole sign-in, or one access token.

        A token that is not ours, or no longer valid, is none: nothing happens, and nobody learns which.
        """
        if await self.sessions.end_by_token(token):
            return
        try:
            claims = await self._tokens.claims(token)
        except TokenRefused:
            return
        await self._tokens.revoke(claims)

    async def _issue(
        self,
        principal: Principal,
        scopes: list[str],
        *,
        client_id: str | None = None,
        session_id: str | None = None,
        refresh_token: str | None = None,
        lifetime: timedelta | None = None,
    ) -> AccessToken:
        chosen = lifetime or self._config.lifetime
        await self.keys.prepare(self._clock.now() + chosen)
        user = principal.user
        extra = {} if client_id is None else {"client_id": client_id}
        made = self._tokens.mint(user.id, user.username, scopes, chosen, session_id=session_id, **extra)
        return AccessToken(
            token=made.token,
            expires_in_seconds=made.expires_in_seconds,
            scopes=made.scopes,
            refresh_token=refresh_token,
        )

    def mint(self, user: UserRecord, scopes: list[str], lifetime: timedelta) -> AccessToken:
        """Return a signed token for a user, without asking for a password and without a session."""
        return self._tokens.mint(user.id, user.username, scopes, lifetime)

    # Requests

    async def caller(self, token: str, needed: list[str]) -> Caller:
        """Return who a bearer token stands for.

        Args:
            token: The token itself, without `Bearer`.
            needed: Scopes that the call needs, all of them.

        Raises:
            TokenRefused: The token is not valid, was revoked, or its user is gone or disabled.
            ScopeMissing: A needed scope is not in the token, or the user has lost it.
            KeysUnreachable: It is of the external issuer, whose keys cannot be fetched.
        """
        if self._external is not None and self._external.issued(token):
            caller = await self._external.caller(token)
        else:
            caller = await self._tokens.caller(token)
        for scope in needed:
            if scope not in caller.scopes:
                raise ScopeMissing([scope for scope in needed if scope not in caller.scopes])
        return caller

    # Users, as far as signing in needs them; the rest is in `services.users`

    async def create_user(
        self, username: str, password: str | None, *, scopes: list[str] | None = None, is_admin: bool = False
    ) -> UserRecord:
        """Make a user.

        Args:
            username: Sign-in name, 1 to 128 characters without spaces at its ends.
            password: 8 to 1,024 characters; None makes a user who cannot sign in by password.
            scopes: What the user may do; None gives the default scopes. An admin has them all.
            is_admin: May do everything.

        Raises:
            InvalidRequest: A name, password or scope is not acceptable; nothing was written.
            UsernameTaken: A user of this name exists; nothing was written.
        """
        check_username(username)
        chosen = list(scopes) if scopes is not None else list(DEFAULT_SCOPES)
        check_scopes(chosen)
        hashed = await self._passwords.hash(password) if password is not None else NO_PASSWORD
        now = self._clock.now()
        user = UserRecord(
            id=new_identifier("user", now),
            username=username,
            password_hash=hashed,
            scopes=tuple(sorted({str(scope) for scope in chosen})),
            is_admin=is_admin,
            created_at=now,
        )
        async with self._database.unit() as unit:
            await unit.users.add(user)
        return user

    async def ensure_admin(self, username: str, password: str) -> bool:
        """Make the first administrator unless there is one, and return whether one was made.

        Raises:
            InvalidRequest: The name or the password is not acceptable; nothing was written.
        """
        async with self._database.unit() as unit:
            if await unit.users.admins(admin_roles(await unit.roles.all())):
                return False
        try:
            await self.create_user(username, password, scopes=[Scope.ADMIN], is_admin=True)
        except UsernameTaken:
            # Another process was faster, or the name belongs to somebody who is no administrator: no business of ours.
            return False
        log.warning("first_admin_made", username=username, remedy="take the password out of the settings now")
        return True

    async def local_admin_token(self, username: str, lifetime: timedelta) -> AccessToken:
        """Return a token for the administrator of this machine, making the user when there is none.

        That user has no password: only whoever can read the data folder can act as them.
        """
        async with self._database.unit(write=False) as unit:
            user = await unit.users.get_by_username(username)
        if user is None:
            user = await self.create_user(username, None, scopes=list(SCOPES), is_admin=True)
        await self.keys.prepare(self._clock.now() + lifetime)
        return self.mint(user, sorted(scopes_of(user)), lifetime)

    async def change_password(self, caller: Caller, present: str, following: str, origin: Origin) -> None:
        """Set the caller's own password and end all sign-ins but the one that the call came with.

        Raises:
            WrongPassword: The present password is not this one, or the caller has none; nothing was changed.
            SignInThrottled: Too many tries failed; the password was not looked at.
            InvalidRequest: The new password is not acceptable; nothing was changed.
        """
        attempt = await self._throttle.begin(caller.username, origin.address)
        async with self._database.unit(write=False) as unit:
            user = await unit.users.get(caller.user_id)
        right, _ = await self._passwords.verify(present, user.password_hash if user is not None else None)
        if user is None or not right:
            raise WrongPassword
        await self._throttle.pardon(attempt)
        hashed = await self._passwords.hash(following)
        now = self._clock.now()
        async with self._database.unit() as unit:
            await unit.users.update(user.id, password_hash=hashed, password_changed_at=now)
            await unit.sessions.revoke_all(user.id, now, Revoked.PASSWORD, but=caller.session_id)
        self.principals.forget()

    async def sign_out(self, caller: Caller, session_id: str | None = None) -> None:
        """End one sign-in of the caller, or all.

        Raises:
            NotOurs: The caller has no such sign-in.
        """
        if session_id is None:
            await self.sessions.end_all(caller.user_id, Revoked.SIGNED_OUT)
        else:
            await self.sessions.end(caller.user_id, session_id, Revoked.SIGNED_OUT)

    async def known(self, caller: Caller) -> UserRecord | None:
        """Return the caller's user; None for somebody whom only the external issuer knows."""
        principal = await self.principals.get(caller.user_id)
        return principal.user if principal is not None else None

    async def user(self, user_id: str) -> UserRecord:
        """Return a user.

        Raises:
            UnknownUser: There is none of this id.
        """
        async with self._database.unit(write=False) as unit:
            user = await unit.users.get(user_id)
        if user is None:
            raise UnknownUser
        return user

    async def users(self) -> list[UserRecord]:
        """Return all users, by name."""
        async with self._database.unit(write=False) as unit:
            return await unit.users.list()

    async def _purge(self) -> None:
        if self._clock.monotonic() - self._purged >= _PURGE_SECONDS:
            self._purged = self._clock.monotonic()
            await self._throttle.purge()
            await self.sessions.purge()


def check_username(username: str) -> None:
    """See that a name can be one.

    Raises:
        InvalidRequest: It cannot.
    """
    printable = all(character.isprintable() for character in username)
    foreign = username.startswith("oidc:")
    if not username or username != username.strip() or len(username) > MAX_USERNAME_CHARS or not printable or foreign:
        raise InvalidRequest(
            f"A user name has 1 to {MAX_USERNAME_CHARS} printable characters and no spaces at its ends; "
            "`oidc:` begins those of the external issuer."
        )


def check_scopes(scopes: list[str] | tuple[str, ...]) -> None:
    """See that words are scopes.

    Raises:
        InvalidRequest: At least one is not.
    """
    if unknown := list(unknown_scopes(scopes)):
        raise InvalidRequest(f"Unknown scope {' '.join(unknown)}; there are: {' '.join(SCOPES)}.")


def _narrowed(principal: Principal, asked: list[str] | None, *, within: tuple[str, ...] | None = None) -> list[str]:
    possible = set(principal.scopes) if within is None else principal.scopes & set(within)
    if refused := sorted(set(asked or ()) - possible):
        raise ScopeNotGranted(f"The user does not have the scope {' '.join(refused)}.")
    return sorted(set(asked) if asked else possible)
