"""Orgs that Salesforce lets nobody sign in to until people do something: `needs_reconsent`, kept in the store.

Laws:
1. Nobody asks the token endpoint again with credentials that were refused before `next_try_at`, in whatever process,
   also after a restart: repeated refusals lock a user out. The time doubles from minutes to an hour.
2. When it has come, one process asks; the others wait for what comes of it.
3. Other credentials are tried at once: somebody has just mended them.
4. One good sign-in of any process ends the state for all of them.

A store that does not answer keeps nobody from signing in: then each process remembers for itself.

Source: facts/salesforce/auth.md sections 3 and 6; pains.md 4.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from orgbridge.client import Credentials, Secret
from orgbridge.client.auth.credentials import flow_name
from orgbridge.client.errors import ConsentNeeded
from orgbridge.kit.clock import Clock
from orgbridge.kit.logs import get_logger
from orgbridge.store.consent_records import ConsentRecord
from orgbridge.store.database import Database
from orgbridge.store.errors import StoreError

_log = get_logger(__name__)


class ConnectionState(StrEnum):
    """Whether an org can be signed in to, as far as is known."""

    READY = "ready"
    #: Salesforce refuses until somebody consents again, or mends the user, the app or the secret.
    NEEDS_RECONSENT = "needs_reconsent"


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldConfig:
    """How long a refused sign-in is not tried again. A guess, on the side of not locking out the user."""

    #: Seconds after the first refusal; doubled by each further one.
    first_seconds: float = 300.0
    #: The longest hold.
    longest_seconds: float = 3600.0
    #: Seconds that one process has for its try while the others wait.
    claim_seconds: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is known of an org's sign-in."""

    #: Whether it needs people.
    state: ConnectionState
    #: OAuth error word.
    error: str = ""
    #: What is wrong.
    cause: str = ""
    #: What to do about it.
    remedy: str = ""
    #: When Salesforce refused first.
    since: datetime | None = None
    #: When it is asked again with the same credentials.
    next_try_at: datetime | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it for people and machines."""
        if self.state is ConnectionState.READY:
            return {"state": self.state.value}
        return {
            "state": self.state.value,
            "error": self.error,
            "cause": self.cause,
            "remedy": self.remedy,
            "since": self.since.isoformat() if self.since else None,
            "next_try_at": self.next_try_at.isoformat() if self.next_try_at else None,
        }


class ConsentGuard:
    """Guards the sign-ins of one org."""

    def __init__(
        self, org: str, token_url: str, database: Database | None, clock: Clock, config: HoldConfig | None = None
    ) -> None:
        """Prepare; nothing is read before the first sign-in.

        Args:
            org: Our name of the org.
            token_url: Where it is signed in to: a refusal of another place says nothing.
            database: Where all processes meet; None: this process remembers for itself.
            clock: Time.
            config: How long refusals are held.
        """
        self._org = org
        self._token_url = token_url
        self._database = database
        self._clock = clock
        self._config = config or HoldConfig()
        #: What this process knows while the store does not answer, or without one.
        self._own: ConsentRecord | None = None
        self._insists = False
        self._fingerprints: dict[tuple[str, ...], str] = {}

    def insist(self) -> None:
        """Let the next sign-in out whatever is held: somebody asks for it in person."""
        self._insists = True

    async def standing(self) -> Standing:
        """Return what is known of the org's sign-in; asks the store, never Salesforce."""
        record = await self._read()
        if record is None:
            return Standing(state=ConnectionState.READY)
        return Standing(
            state=ConnectionState.NEEDS_RECONSENT,
            error=record.error,
            cause=record.cause,
            remedy=record.remedy,
            since=record.since,
            next_try_at=record.next_try_at,
        )

    async def admit(self, credentials: Credentials) -> None:
        """Let a sign-in out.

        Raises:
            ConsentNeeded: It was refused before, and it is not yet time to try again. Nothing was sent.
        """
        record = await self._read()
        if record is None or self._insists:
            self._insists = False
            return
        if record.fingerprint != await self._fingerprint(credentials):
            return
        now = self._clock.now()
        if now < record.next_try_at:
            raise _held(record, record.next_try_at - now)
        until = now + timedelta(seconds=self._config.claim_seconds)
        if not await self._claim(record, until):
            raise _held(record, timedelta(seconds=self._config.claim_seconds))

    async def refused(self, credentials: Credentials, error: ConsentNeeded) -> None:
        """Write down that Salesforce refused, and say in the error when it is asked again."""
        now, fingerprint = self._clock.now(), await self._fingerprint(credentials)
        before = await self._read()
        again = before is not None and before.fingerprint == fingerprint
        refusals = before.refusals + 1 if before is not None and again else 1
        # 2**20 times any first hold is longer than any longest one, and far from an overflow.
        seconds = min(self._config.first_seconds * 2 ** min(refusals - 1, 20), self._config.longest_seconds)
        record = ConsentRecord(
            org=self._org,
            fingerprint=fingerprint,
            error=error.error[:80],
            cause=error.cause,
            remedy=error.remedy,
            refusals=refusals,
            since=before.since if before is not None else now,
            next_try_at=now + timedelta(seconds=seconds),
        )
        error.retry_after_seconds = seconds
        self._own = record
        _log.error(
            "salesforce.needs_reconsent", org=self._org, error=error.error, remedy=error.remedy, held_seconds=seconds
        )
        if self._database is None:
            return
        try:
            async with self._database.unit() as unit:
                await unit.consents.put(record)
        except StoreError as trouble:
            _log.warning("salesforce.consent_not_recorded", org=self._org, cause=str(trouble))

    async def signed_in(self) -> None:
        """End the state for all processes."""
        ended, self._own = self._own is not None, None
        if self._database is not None:
            try:
                async with self._database.unit(write=False) as unit:
                    known = await unit.consents.get(self._org)
                if known is not None:
                    async with self._database.unit() as unit:
                        ended = await unit.consents.drop(self._org)
            except StoreError as trouble:
                _log.warning("salesforce.consent_not_recorded", org=self._org, cause=str(trouble))
        if ended:
            _log.warning("salesforce.consent_given", org=self._org)

    async def _read(self) -> ConsentRecord | None:
        if self._database is None:
            return self._own
        try:
            async with self._database.unit(write=False) as unit:
                self._own = await unit.consents.get(self._org)
        except StoreError as trouble:
            _log.warning("salesforce.consent_not_read", org=self._org, cause=str(trouble))
        return self._own

    async def _claim(self, record: ConsentRecord, until: datetime) -> bool:
        self._own = replace(record, next_try_at=until)
        if self._database is None:
            return True
        try:
            async with self._database.unit() as unit:
                return await unit.consents.claim(self._org, record.next_try_at, until)
        except StoreError:
            return True

    async def _fingerprint(self, credentials: Credentials) -> str:
        """Return what credentials are known by: slow to make, so that a weak password is not guessed from it."""
        parts = tuple(str(_shown(getattr(credentials, part.name))) for part in fields(credentials))
        known = self._fingerprints.get(parts)
        if known is None:
            text = "\x1f".join((flow_name(credentials), *parts)).encode()
            salt = f"{self._org}\x1f{self._token_url}".encode()
            made = await asyncio.to_thread(hashlib.scrypt, text, salt=salt, n=2**14, r=8, p=1, dklen=32)
            known = made.hex()
            # The last one only: secrets are not collected here.
            self._fingerprints = {parts: known}
        return known


def _shown(part: object) -> object:
    return part.reveal() if isinstance(part, Secret) else part


def _held(record: ConsentRecord, wait: timedelta) -> ConsentNeeded:
    error = ConsentNeeded(cause=record.cause, remedy=record.remedy, error=record.error)
    error.retry_after_seconds = max(1.0, wait.total_seconds())
    return error
