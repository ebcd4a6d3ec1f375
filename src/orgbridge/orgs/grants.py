"""Refresh tokens that Salesforce replaces at every use: kept sealed in the store, used by one process at a time.

Laws:
1. Nobody presents a refresh token that Salesforce has replaced, as far as anybody can know: its reuse revokes the
   grant with all its sessions. The store says which is good; while it does not answer nobody signs in this way.
2. One sign-in of all processes uses the grant at a time: whoever waits for it takes the token that the other left.
3. That Salesforce is asked is written down before, and what it gave is saved before anything else. A process that ends
   in between may have taken the good token with it: nobody can tell. The next one tries the old token, for there is
   no other, and if that is refused the reason is told.
4. The key is derived from the refresh token of the settings, which every process has and the store has not; so another
   one in the settings is another grant, and begins anew.

Source: Salesforce help 005316711 (reuse of a rotated refresh token).
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta

from orgbridge.client import RefreshCredentials, Secret
from orgbridge.client.auth.grants import GrantLoan
from orgbridge.client.errors import ConsentNeeded, SignInUnavailable
from orgbridge.kit.clock import Clock
from orgbridge.kit.identifiers import new_identifier
from orgbridge.kit.logs import get_logger
from orgbridge.kit.sealing import SealBroken, Sealer
from orgbridge.store.database import Database
from orgbridge.store.errors import StoreError
from orgbridge.store.grant_records import GrantRecord

#: How long one sign-in has the grant for itself: longer than all its tries take. Who waits gives up sooner.
_LEASE = timedelta(seconds=150)
_WAIT_SECONDS, _LOOK_SECONDS = 30.0, 0.2
#: How long a token that came is tried to be saved, and the pause between two tries.
_SAVE_SECONDS, _SAVE_PAUSE = 30.0, 0.5
#: Grants that nobody used for so long are forgotten.
_FORGET = timedelta(days=400)
_PURPOSE = "orgbridge refresh tokens"
_log = get_logger(__name__)


class Loan:
    """One sign-in's use of the grant."""

    def __init__(
        self, keeper: Grants, sealer: Sealer, credentials: RefreshCredentials, record: GrantRecord, asked: datetime
    ) -> None:
        self._keeper = keeper
        self._sealer = sealer
        self._credentials = credentials
        #: When a sign-in began whose outcome nobody saved; None: there is none.
        self.interrupted = record.asked_at
        self.record = replace(record, asked_at=asked, updated_at=asked)

    @property
    def credentials(self) -> RefreshCredentials:
        """With the refresh token that is good now."""
        return self._credentials

    async def keep(self, renewed: Secret) -> None:
        """Save the refresh token that came with a reply; tried for half a minute while the store does not answer."""
        if renewed == self._credentials.refresh_token:
            return
        self._credentials = replace(self._credentials, refresh_token=renewed)
        self.record = renewed_record(self.record, self._sealer, renewed)
        self.interrupted = None
        await self._keeper.save(self.record, renewed)

    def explained(self, error: ConsentNeeded) -> ConsentNeeded:
        """Return a refusal with when a process ended that may have taken the good token with it."""
        if self.interrupted is None:
            return error
        when = self.interrupted.isoformat(timespec="seconds")
        cause = (
            f"{error.cause} A sign-in that began at {when} ended before its outcome was saved, and may have used the "
            "refresh token up."
        )
        return ConsentNeeded(cause=cause, remedy=error.remedy, error=error.error, host=error.host)


class Grants:
    """Keeps the grant of one org."""

    def __init__(self, org: str, database: Database, clock: Clock) -> None:
        """Prepare; nothing is read before the first sign-in.

        Args:
            org: Our name of the org.
            database: Where all processes meet.
            clock: Time.
        """
        self._org = org
        self._database = database
        self._clock = clock
        self._holder = new_identifier("proc", clock.now())
        #: A token that could not be saved, with its grant: this process alone knows it.
        self._unsaved: tuple[str, Secret] | None = None

    @asynccontextmanager
    async def lend(self, credentials: RefreshCredentials) -> AsyncIterator[GrantLoan]:
        """Wait until nobody else uses the grant, and use it while the block lasts.

        Args:
            credentials: As they were configured.

        Raises:
            SignInUnavailable: Somebody else uses it for too long, or the store does not answer. Nothing was sent.
        """
        grant_id = self._grant_id(credentials)
        task = f"grant:{grant_id}"[:64]
        loan: Loan | None = None
        known = False
        try:
            await self._take(task)
            loan = await self._begin(credentials, grant_id)
            yield loan
            known = True
        except StoreError as error:
            raise SignInUnavailable(
                cause=f"the refresh token that is good now is in the store, which does not answer ({error}).",
                remedy="Nothing was sent; it is tried again.",
            ) from None
        except ConsentNeeded:
            known = True
            raise
        finally:
            # When nobody knows whether Salesforce replaced the token, the mark that it was asked stays.
            await self._end(task, loan if known else None)

    async def save(self, record: GrantRecord, renewed: Secret) -> None:
        """Save a refresh token, whatever it takes within half a minute; after that this process alone knows it."""
        self._unsaved = (record.grant_id, renewed)
        until = self._clock.monotonic() + _SAVE_SECONDS
        while True:
            try:
                async with self._database.unit() as unit:
                    await unit.grants.put(replace(record, asked_at=None))
            except StoreError as error:
                if self._clock.monotonic() >= until:
                    _log.error(
                        "salesforce.refresh_token_not_saved",
                        org=self._org,
                        cause=str(error),
                        remedy="keep this process running until the store answers: it alone knows the token",
                    )
                    return
                await self._clock.sleep(_SAVE_PAUSE)
            else:
                self._unsaved = None
                _log.info("salesforce.refresh_token_replaced", org=self._org, rotations=record.rotations)
                return

    async def _take(self, task: str) -> None:
        until = self._clock.monotonic() + _WAIT_SECONDS
        while True:
            now = self._clock.now()
            async with self._database.unit() as unit:
                if await unit.tasks.take(task, self._holder, now, now + _LEASE):
                    return
            if self._clock.monotonic() >= until:
                raise SignInUnavailable(
                    cause="another process of this service is signing in with the same refresh token.",
                    remedy="Nothing was sent; try again.",
                )
            await self._clock.sleep(_LOOK_SECONDS)

    async def _begin(self, credentials: RefreshCredentials, grant_id: str) -> Loan:
        now = self._clock.now()
        sealer = Sealer([credentials.refresh_token.reveal().encode()], _PURPOSE)
        async with self._database.unit() as unit:
            record = await unit.grants.get(self._org, grant_id)
            if record is None:
                record = GrantRecord(org=self._org, grant_id=grant_id, updated_at=now)
            if self._unsaved is not None and self._unsaved[0] == grant_id:
                record = replace(renewed_record(record, sealer, self._unsaved[1]), asked_at=None)
            loan = Loan(self, sealer, self._present(credentials, record, sealer), record, now)
            await unit.grants.put(loan.record)
            await unit.grants.forget(self._org, now - _FORGET)
        self._unsaved = None
        return loan

    def _present(self, credentials: RefreshCredentials, record: GrantRecord, sealer: Sealer) -> RefreshCredentials:
        if record.sealed is None:
            return credentials
        try:
            return replace(credentials, refresh_token=Secret(sealer.open(record.sealed, place_of(record))))
        except SealBroken as error:
            raise SignInUnavailable(
                cause=f"the saved refresh token of {self._org} cannot be opened: {error}.",
                remedy="Consent again, and set the new refresh token.",
            ) from None

    async def _end(self, task: str, loan: Loan | None) -> None:
        with suppress(StoreError):
            async with self._database.unit() as unit:
                if loan is not None:
                    now = self._clock.now()
                    await unit.grants.put(replace(loan.record, asked_at=loan.interrupted, updated_at=now))
                await unit.tasks.leave(task, self._holder)
            if loan is not None:
                self._unsaved = None

    def _grant_id(self, credentials: RefreshCredentials) -> str:
        parts = (_PURPOSE, self._org, credentials.client_id, credentials.refresh_token.reveal())
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


def renewed_record(record: GrantRecord, sealer: Sealer, renewed: Secret) -> GrantRecord:
    """Return what is known of a grant once its refresh token was replaced."""
    return replace(record, sealed=sealer.seal(renewed.reveal(), place_of(record)), rotations=record.rotations + 1)


def place_of(record: GrantRecord) -> str:
    """Return what a grant's sealed token is bound to."""
    return f"{record.org}/{record.grant_id}"
