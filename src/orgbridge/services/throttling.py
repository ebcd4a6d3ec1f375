"""Failed sign-ins make the next ones wait, in the store, so that every process counts the same.

Three counts, each with its own patience: of an account from one address, of an address over all accounts, and of an
account over all addresses. A try is counted before the password is looked at and pardoned when it was right, so that a
thousand tries at once are a thousand tries. A wait doubles with each failure up to a quarter of an hour, tries during
a wait count for nothing, and an address from which the account was signed in to before does not wait for what others
do to the account: nobody can lock a user out for ever. Names that nobody has are counted like those of users.
"""

from __future__ import annotations

import hashlib
import ipaddress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from orgbridge.kit.clock import Clock
from orgbridge.services.errors import SignInThrottled
from orgbridge.store.database import Database
from orgbridge.store.identity_records import ThrottleRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How many failures are free, and what follows."""

    #: Failures without a wait.
    free: int
    #: The first wait; it doubles with every further failure.
    first: timedelta = timedelta(seconds=1)
    #: The longest wait.
    longest: timedelta = timedelta(minutes=15)

    def wait(self, failures: int) -> timedelta:
        """Return how long the next try has to wait after so many failures."""
        over = failures - self.free
        if over < 0:
            return timedelta(0)
        # 2**20 seconds are twelve days: more than any longest wait, and far from an overflow.
        return min(self.longest, self.first * float(1 << min(over, 20)))


@dataclass(frozen=True, slots=True, kw_only=True)
class ThrottleConfig:
    """How patient the service is."""

    #: With one account from one address: somebody who mistypes.
    pair: Patience = Patience(free=5)
    #: With one address over all accounts: a whole office behind one address, or somebody who tries names.
    address: Patience = Patience(free=50)
    #: With one account over all addresses: somebody with many addresses.
    account: Patience = Patience(free=20, longest=timedelta(minutes=5))
    #: Failures are forgotten after so long without another.
    memory: timedelta = timedelta(hours=1)
    #: How long an address stays known after a sign-in.
    trust: timedelta = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One counted try, to be pardoned when it was right."""

    #: Key of the account from this address.
    pair: str
    #: Key of the address.
    address: str
    #: Key of the account.
    account: str


class Throttle:
    """Counts sign-ins."""

    def __init__(self, database: Database, clock: Clock, config: ThrottleConfig | None = None) -> None:
        self._database = database
        self._clock = clock
        self._config = config or ThrottleConfig()

    async def begin(self, account: str, address: str) -> Attempt:
        """Count a try before its password is looked at.

        Args:
            account: The name as it was typed, of a user or of nobody.
            address: Where the try comes from; for IPv6 its /64 counts.

        Raises:
            SignInThrottled: It has to wait; it was not counted.
        """
        attempt = attempt_of(account, address)
        now = self._clock.now()
        async with self._database.unit() as unit:
            rows = await unit.throttles.lock([attempt.pair, attempt.address, attempt.account], now)
            pair, place, whole = (self._current(rows[key], now) for key in _keys(attempt))
            trusted = pair.trusted_until is not None and pair.trusted_until > now
            waits = [pair, place] + ([] if trusted else [whole])
            longest = max((row.blocked_until for row in waits if row.blocked_until is not None), default=None)
            if longest is not None and longest > now:
                refusal = SignInThrottled((longest - now).total_seconds())
            else:
                refusal = None
                patience = self._config
                for row, kind in ((pair, patience.pair), (place, patience.address), (whole, patience.account)):
                    failures = row.failures + 1
                    wait = kind.wait(failures)
                    until = now + wait if wait else None
                    await unit.throttles.write(replace(row, failures=failures, blocked_until=until, updated_at=now))
        if refusal is not None:
            raise refusal
        return attempt

    async def pardon(self, attempt: Attempt) -> None:
        """Take a try back that was right: the address is known from now on, and this one try counts for nobody."""
        now = self._clock.now()
        async with self._database.unit() as unit:
            rows = await unit.throttles.lock(_keys(attempt), now)
            pair, place, whole = (rows[key] for key in _keys(attempt))
            trusted = now + self._config.trust
            known = replace(pair, failures=0, blocked_until=None, trusted_until=trusted, updated_at=now)
            await unit.throttles.write(known)
            for row, kind in ((place, self._config.address), (whole, self._config.account)):
                failures = max(0, row.failures - 1)
                until = row.blocked_until if failures >= kind.free else None
                await unit.throttles.write(replace(row, failures=failures, blocked_until=until))

    async def forgive(self, account: str) -> None:
        """Forget what was tried on an account from anywhere: an administrator lets the user in again.

        The waits of addresses stay, those of an account from one address too; they are short for whoever stops.
        """
        async with self._database.unit() as unit:
            await unit.throttles.forget([attempt_of(account, "").account])

    async def purge(self) -> None:
        """Delete counts that no longer matter."""
        now = self._clock.now()
        async with self._database.unit() as unit:
            await unit.throttles.purge(now, now - self._config.memory)

    def _current(self, row: ThrottleRecord, now: datetime) -> ThrottleRecord:
        if now - row.updated_at > self._config.memory:
            return replace(row, failures=0, blocked_until=None)
        return row


def attempt_of(account: str, address: str) -> Attempt:
    """Return the keys that a try is counted under: hashes, so that nothing typed is kept and keys have one length."""
    place = network_of(address)
    return Attempt(
        pair=_hash("pair", account, place), address=_hash("address", place), account=_hash("account", account)
    )


def network_of(address: str) -> str:
    """Return what counts as one address: an IPv4 address, the /64 of an IPv6 address, or the text as it is."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def _keys(attempt: Attempt) -> list[str]:
    return [attempt.pair, attempt.address, attempt.account]


def _hash(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
