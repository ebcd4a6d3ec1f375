"""The same call twice is done once: who may do the work of an Idempotency-Key, and what it was answered.

Laws:
1. Of all requests with one caller and key, in whatever process, one does the work: the store's primary key decides.
2. A key is `receiving` until the whole body is here. Until then nothing was done, so a key whose holder died is free
   as soon as its lease ends, and a holder that only slept may not go on: its step to `working` fails.
3. A key that is `working` is never given to another request. If its holder dies, nobody knows what became of the
   work; to do it again could do it twice. The key then answers 409 `idempotency.outcome_unknown` until it expires, and
   the caller, told so, looks and decides: a new key does the work again.
4. A kept reply is the answer for as long as the key lives. A 5xx is not kept: the key is free again when the work was
   surely not done, and unknown as in 3 when that is not sure.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import ClassVar

from orgbridge.kit.clock import Clock
from orgbridge.kit.errors import ErrorKind, OrgbridgeError
from orgbridge.store.database import Database
from orgbridge.store.idempotency_records import IdempotencyRecord, KeyState

_PURGE_SECONDS = 600.0


class IdempotencyError(OrgbridgeError):
    """A key cannot be used as it was."""


class KeyInvalid(IdempotencyError):
    """Idempotency-Key is one value of 1 to 255 visible ASCII characters, best a random UUID."""

    code: ClassVar[str] = "idempotency.key_invalid"
    kind: ClassVar[ErrorKind] = ErrorKind.INVALID


class KeyReused(IdempotencyError):
    """This Idempotency-Key was used for another request: take a new key for a new request."""

    code: ClassVar[str] = "idempotency.key_reused"
    kind: ClassVar[ErrorKind] = ErrorKind.CONTRADICTION


class CallInFlight(IdempotencyError):
    """The first request with this Idempotency-Key is still at work: ask again in a moment."""

    code: ClassVar[str] = "idempotency.in_flight"
    kind: ClassVar[ErrorKind] = ErrorKind.CONFLICT
    retryable: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        self.retry_after_seconds = 1.0


class CallOutcomeUnknown(IdempotencyError):
    """What became of the first request with this key is not known: see whether it was done; a new key does it again."""

    code: ClassVar[str] = "idempotency.outcome_unknown"
    kind: ClassVar[ErrorKind] = ErrorKind.CONFLICT

    def __init__(self, request_id: str) -> None:
        super().__init__(
            "What became of the first request with this Idempotency-Key is not known: it was cut off before its "
            f"outcome was kept. Its id is {request_id}, in logs and audit. See whether it was done; if it was not, "
            "send it with a new key."
        )


class ReplyNotKept(IdempotencyError):
    """The call was done, and its reply was too large to be kept."""

    code: ClassVar[str] = "idempotency.reply_not_kept"
    kind: ClassVar[ErrorKind] = ErrorKind.CONFLICT

    def __init__(self, status: int) -> None:
        super().__init__(f"The call was done and answered {status}; its reply was too large to be kept for a replay.")


class HoldLost(IdempotencyError):
    """The body took so long that another request with this Idempotency-Key took over. Nothing was done."""

    code: ClassVar[str] = "idempotency.hold_lost"
    kind: ClassVar[ErrorKind] = ErrorKind.CONFLICT
    retryable: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyConfig:
    """How keys are kept."""

    #: How long a reply is replayed.
    kept: timedelta = timedelta(hours=24)
    #: How long a holder that says nothing counts as alive.
    lease: timedelta = timedelta(seconds=60)
    #: Largest reply that is kept.
    reply_bytes: int = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """The right to do the work of a key."""

    #: Hash of caller and key.
    id: str
    #: Which request holds it.
    holder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptReply:
    """What the first request was answered."""

    #: Hash of that request.
    fingerprint: str | None
    #: HTTP status.
    status: int
    #: Header names and values.
    headers: list[list[str]]
    #: The body; None when it was too large.
    body: bytes | None = field(repr=False)


class IdempotencyService:
    """Keeps keys and replies in the store."""

    def __init__(self, database: Database, clock: Clock, config: IdempotencyConfig | None = None) -> None:
        self._database = database
        self._clock = clock
        self.config = config or IdempotencyConfig()
        self._purged = clock.monotonic()

    async def claim(self, caller_id: str, key: str, *, fingerprint: str | None, request_id: str) -> Hold | KeptReply:
        """Take a key, or learn what its first request was answered.

        Args:
            caller_id: Whose key; others may use the same text.
            key: As `check_key` returned it.
            fingerprint: Hash of the request; None when its body is still to come.
            request_id: Id of this request.

        Raises:
            CallInFlight: Another request does the work right now.
            CallOutcomeUnknown: Another request did the work or not; nobody knows.
            KeyReused: The other request was a different one.
        """
        await self._purge()
        now = self._clock.now()
        record = IdempotencyRecord(
            id=_identifier(caller_id, key),
            caller_id=caller_id[:128],
            fingerprint=fingerprint,
            state=KeyState.RECEIVING if fingerprint is None else KeyState.WORKING,
            holder=secrets.token_hex(16),
            lease_until=now + self.config.lease,
            request_id=request_id,
            created_at=now,
            expires_at=now + self.config.kept,
        )
        async with self._database.unit() as unit:
            other = await unit.idempotency.claim(record, now)
        if other is None:
            return Hold(id=record.id, holder=record.holder)
        if fingerprint is not None and other.fingerprint not in (None, fingerprint):
            raise KeyReused
        if other.state is KeyState.DONE:
            return KeptReply(
                fingerprint=other.fingerprint,
                status=other.status or 200,
                headers=other.headers or [],
                body=other.body,
            )
        if other.state is KeyState.UNKNOWN or (other.state is KeyState.WORKING and other.lease_until <= now):
            raise CallOutcomeUnknown(other.request_id)
        raise CallInFlight

    async def begin(self, hold: Hold, fingerprint: str) -> None:
        """Step from `receiving` to `working`: the whole body is here, and is about to be acted upon.

        Raises:
            HoldLost: The key went to another request meanwhile; do nothing.
        """
        lease = self._clock.now() + self.config.lease
        async with self._database.unit() as unit:
            changes = {"state": KeyState.WORKING.value, "fingerprint": fingerprint, "lease_until": lease}
            if not await unit.idempotency.move(hold.id, hold.holder, **changes):
                raise HoldLost

    async def renew(self, hold: Hold) -> bool:
        """Say that the holder lives, and return whether it still holds the key."""
        async with self._database.unit() as unit:
            return await unit.idempotency.move(hold.id, hold.holder, lease_until=self._clock.now() + self.config.lease)

    async def keep(self, hold: Hold, status: int, headers: list[list[str]], body: bytes | None) -> bool:
        """Keep the reply, and return whether it was kept.

        Args:
            hold: Whose.
            status: HTTP status.
            headers: Names and values.
            body: None when it is too large to be kept: then only the fact is.
        """
        async with self._database.unit() as unit:
            return await unit.idempotency.move(
                hold.id, hold.holder, state=KeyState.DONE.value, status=status, headers=headers, body=body
            )

    async def release(self, hold: Hold) -> None:
        """Free the key: the work was not done."""
        async with self._database.unit() as unit:
            await unit.idempotency.release(hold.id, hold.holder)

    async def doubt(self, hold: Hold) -> None:
        """Say that nobody knows whether the work was done."""
        async with self._database.unit() as unit:
            await unit.idempotency.move(hold.id, hold.holder, state=KeyState.UNKNOWN.value)

    async def _purge(self) -> None:
        now = self._clock.monotonic()
        if now - self._purged < _PURGE_SECONDS:
            return
        self._purged = now
        async with self._database.unit() as unit:
            await unit.idempotency.purge(self._clock.now())


def check_key(values: list[str]) -> str:
    """Return the key of a request's Idempotency-Key headers; a quoted one (a structured field) without its quotes.

    Raises:
        KeyInvalid: It is empty, too long, given twice, or has other characters than visible ASCII.
    """
    if len(values) != 1:
        raise KeyInvalid
    key = values[0].strip()
    if len(key) >= 2 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if not 1 <= len(key) <= 255 or not key.isascii() or not all("!" <= character <= "~" for character in key):
        raise KeyInvalid
    return key


def _identifier(caller_id: str, key: str) -> str:
    return hashlib.sha256(f"{caller_id}\x1f{key}".encode("utf-8", "surrogatepass")).hexdigest()
