"""What signing in keeps for a while: codes, device requests, approvals, browser sign-ins, one-time links, failures.

Everything outlives a restart. Methods touch the storage: call them in threads.

Source: facts/salesforce/auth.md sections 1 and 4. Assumed: the lifetimes but that of codes, and the lockout.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from orgbridge.emulator.storage.database import Storage
from orgbridge.emulator.storage.grants import Grant, drop_grant, find_grant, put_grant, sweep_grants
from orgbridge.kit.clock import Clock
from orgbridge.kit.json import JSON
from orgbridge.wire.dates import bulk_datetime, parse_datetime

#: Source: auth.md section 1, "code 15 min, single use".
CODE_MINUTES = 15
DEVICE_MINUTES = 10
#: Seconds between two questions of a device.
DEVICE_SECONDS = 5
_LINK_SECONDS = 60
_LOCKOUT = timedelta(minutes=15)
_FOREVER = timedelta(days=365 * 10)
_KEEP_ENDED = timedelta(days=1)
#: Letters and digits that are not mistaken for each other.
_READABLE = "BCDFGHJKLMNPQRSTVWXZ23456789"
_CHARS = string.ascii_letters + string.digits + "._"


class _Kind(StrEnum):
    CODE = "code"
    DEVICE = "device"
    DEVICE_NAME = "device_name"
    APPROVAL = "approval"
    BROWSER = "browser"
    LINK = "link"
    FAILURES = "failures"
    PASSWORD = "password"  # noqa: S105 a kind, no secret


class Redeemed(StrEnum):
    """What became of a code that was presented."""

    GOOD = "good"
    UNKNOWN = "unknown"
    EXPIRED = "expired"


class DeviceState(StrEnum):
    """What a device is told that asks."""

    APPROVED = "approved"
    PENDING = "pending"
    HASTY = "hasty"
    DENIED = "denied"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Password:
    """A password that was set while the org ran."""

    #: Mixed into the digest.
    salt: str
    #: What is kept of it.
    digest: str
    #: Whether it has to be changed.
    expired: bool

    def fits(self, given: str) -> bool:
        """Tell whether this is the password."""
        return hmac.compare_digest(self.digest, _digest(self.salt, given))


def _digest(salt: str, password: str) -> str:
    # Cheap on purpose: an emulated org holds no real data, and tests sign in often.
    return hashlib.sha256(f"{salt}:{password}".encode()).hexdigest()


def _secret(length: int) -> str:
    return "".join(secrets.choice(_CHARS) for _ in range(length))


class Grants:
    """Keeps and redeems what signing in hands out on the way.

    Args:
        storage: Where it is kept.
        clock: The time.
    """

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock

    # -- authorization codes -------------------------------------------------------------------------------------

    def issue_code(self, body: Mapping[str, JSON]) -> str:
        """Return a code that stands for these values once, for a quarter of an hour."""
        code = f"aPrx{_secret(76)}"
        self._put(_Kind.CODE, code, body, timedelta(minutes=CODE_MINUTES))
        return code

    def redeem_code(self, code: str, client_id: str) -> tuple[Redeemed, dict[str, JSON]]:
        """Use a code up and return its values; another client's code is unknown and stays unused."""
        with self._storage.write() as connection:
            found = find_grant(connection, _Kind.CODE, code)
            if found is None or found.body.get("client_id") != client_id:
                return Redeemed.UNKNOWN, {}
            if found.body.get("used") or found.expires_at <= self._clock.now():
                return Redeemed.EXPIRED, {}
            put_grant(connection, _Kind.CODE, code, {**found.body, "used": True}, found.expires_at)
        return Redeemed.GOOD, found.body

    # -- devices -------------------------------------------------------------------------------------------------

    def begin_device(self, client_id: str, scope: str) -> tuple[str, str]:
        """Return the code of a device and the one that its user types in."""
        device, name = _secret(80), "".join(secrets.choice(_READABLE) for _ in range(8))
        body = {"client_id": client_id, "scope": scope, "state": DeviceState.PENDING, "asked_at": None, "user_id": None}
        life = timedelta(minutes=DEVICE_MINUTES)
        self._put(_Kind.DEVICE, device, body, life)
        self._put(_Kind.DEVICE_NAME, name, {"device": device}, life)
        return device, name

    def find_device(self, name: str) -> dict[str, JSON] | None:
        """Return the request of a device that waits, by what its user typed in, or None."""
        device = self._device(name)
        found = self._get(_Kind.DEVICE, device) if device else None
        return found.body if found and found.body["state"] == DeviceState.PENDING else None

    def decide_device(self, name: str, user_id: str, *, allow: bool) -> bool:
        """Let a device in as this user, or not; False when it does not wait any more."""
        device = self._device(name)
        if device is None:
            return False
        with self._storage.write() as connection:
            found = find_grant(connection, _Kind.DEVICE, device)
            if found is None or found.body["state"] != DeviceState.PENDING or found.expires_at <= self._clock.now():
                return False
            state = DeviceState.APPROVED if allow else DeviceState.DENIED
            body = {**found.body, "state": state, "user_id": user_id}
            put_grant(connection, _Kind.DEVICE, device, body, found.expires_at)
        return True

    def poll_device(self, device: str, client_id: str) -> tuple[DeviceState, dict[str, JSON]]:
        """Return what a device is told now; an approved one is told once."""
        now = self._clock.now()
        with self._storage.write() as connection:
            found = find_grant(connection, _Kind.DEVICE, device)
            if found is None or found.body["client_id"] != client_id:
                return DeviceState.UNKNOWN, {}
            if found.expires_at <= now:
                return DeviceState.EXPIRED, {}
            if found.body["state"] != DeviceState.PENDING:
                drop_grant(connection, _Kind.DEVICE, device)
                return DeviceState(found.body["state"]), found.body
            asked = parse_datetime(found.body["asked_at"] or "")
            body = {**found.body, "asked_at": bulk_datetime(now)}
            put_grant(connection, _Kind.DEVICE, device, body, found.expires_at)
        hasty = asked is not None and now - asked < timedelta(seconds=DEVICE_SECONDS)
        return (DeviceState.HASTY if hasty else DeviceState.PENDING), body

    def _device(self, name: str) -> str | None:
        found = self._get(_Kind.DEVICE_NAME, name.strip().upper().replace("-", ""))
        return str(found.body["device"]) if found else None

    # -- approvals -----------------------------------------------------------------------------------------------

    def approve(self, user_id: str, client_id: str, scope: str) -> None:
        """Remember that a user lets a client act for them, beside what was allowed before."""
        words = {*scope.split(), *(self.approved_scope(user_id, client_id) or ())}
        self._put(_Kind.APPROVAL, f"{user_id}:{client_id}", {"scope": " ".join(sorted(words))}, _FOREVER)

    def approved_scope(self, user_id: str, client_id: str) -> frozenset[str] | None:
        """Return what a user lets a client do, or None."""
        found = self._get(_Kind.APPROVAL, f"{user_id}:{client_id}")
        return frozenset(str(found.body["scope"]).split()) if found else None

    # -- browsers ------------------------------------------------------------------------------------------------

    def open_browser(self, user_id: str, life: timedelta) -> str:
        """Return the cookie of a browser in which a user signed in."""
        cookie = _secret(64)
        self._put(_Kind.BROWSER, cookie, {"user_id": user_id}, life)
        return cookie

    def browser_user(self, cookie: str) -> str | None:
        """Return the user who is signed in in a browser, or None."""
        found = self._get(_Kind.BROWSER, cookie) if cookie else None
        return str(found.body["user_id"]) if found else None

    def close_browser(self, cookie: str) -> None:
        """Sign a browser out."""
        with self._storage.write() as connection:
            drop_grant(connection, _Kind.BROWSER, cookie)

    def issue_link(self, user_id: str) -> str:
        """Return a word that signs one browser in, once, within a minute."""
        link = _secret(64)
        self._put(_Kind.LINK, link, {"user_id": user_id}, timedelta(seconds=_LINK_SECONDS))
        return link

    def redeem_link(self, link: str) -> str | None:
        """Use such a word up and return its user, or None."""
        with self._storage.write() as connection:
            found = find_grant(connection, _Kind.LINK, link)
            drop_grant(connection, _Kind.LINK, link)
        return str(found.body["user_id"]) if found and found.expires_at > self._clock.now() else None

    # -- failed passwords ----------------------------------------------------------------------------------------

    def failures(self, username: str) -> int:
        """Return how many wrong passwords in a row were given for a name; a quarter of an hour forgives them."""
        found = self._get(_Kind.FAILURES, username.lower())
        return int(found.body["count"]) if found else 0

    def note_failure(self, username: str) -> None:
        """Count one more wrong password."""
        self._put(_Kind.FAILURES, username.lower(), {"count": self.failures(username) + 1}, _LOCKOUT)

    def forgive(self, username: str) -> None:
        """Forget the wrong passwords of a name."""
        with self._storage.write() as connection:
            drop_grant(connection, _Kind.FAILURES, username.lower())

    # -- passwords -----------------------------------------------------------------------------------------------

    def password(self, username: str) -> Password | None:
        """Return the password that was set for a name while the org ran, or None."""
        found = self._get(_Kind.PASSWORD, username.lower())
        if found is None:
            return None
        return Password(salt=found.body["salt"], digest=found.body["digest"], expired=found.body["expired"])

    def set_password(self, username: str, password: str, *, expired: bool = False) -> None:
        """Give a name another password; `expired` when it has to be changed by its owner."""
        salt = secrets.token_hex(16)
        body = {"salt": salt, "digest": _digest(salt, password), "expired": expired}
        self._put(_Kind.PASSWORD, username.lower(), body, _FOREVER)

    # -- all -----------------------------------------------------------------------------------------------------

    def sweep(self) -> None:
        """Remove what ended more than a day ago."""
        with self._storage.write() as connection:
            sweep_grants(connection, self._clock.now() - _KEEP_ENDED)

    def _put(self, kind: _Kind, key: str, body: Mapping[str, JSON], life: timedelta) -> None:
        ends: datetime = self._clock.now() + life
        with self._storage.write() as connection:
            put_grant(connection, kind, key, body, ends)

    def _get(self, kind: _Kind, key: str) -> Grant | None:
        with self._storage.read() as connection:
            found = find_grant(connection, kind, key)
        return found if found and found.expires_at > self._clock.now() else None
