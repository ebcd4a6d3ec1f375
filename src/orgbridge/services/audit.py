"""Who did what to which thing, with what outcome: entries in one chain, each holding the hash of the one before it.

Entries of one process are gathered while the batch before them is being written; each batch takes the head of the
chain, so that all processes append to one chain and nobody waits for more than one commit. A call that changes
something is answered after its entry is in the store; if the store does not take it in time, the entry goes to the
log as it stands and is written as soon as the store answers again.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from orgbridge.kit.clock import Clock
from orgbridge.kit.json import JSON, dumps_sorted
from orgbridge.kit.logs import get_logger
from orgbridge.services.scopes import Caller
from orgbridge.store.audit_records import AuditFilter, AuditHead, AuditRecord
from orgbridge.store.database import Database
from orgbridge.store.errors import StoreError
from orgbridge.store.identity_records import Page

#: Entries of one transaction, and entries that wait for the store at most.
_BATCH, _WAITING = 200, 20_000
#: How long a call waits for its entry, and how long between two tries when the store does not answer.
_PATIENCE_SECONDS, _RETRY_SECONDS = 5.0, 1.0
#: Longest name in a column that is searched by; the content has it whole, up to the longest text.
_COLUMN_CHARS, _TEXT_CHARS = 128, 1_000
MAX_IDS = 200
log = get_logger(__name__)


class Outcome(StrEnum):
    """What became of it."""

    SUCCEEDED = "succeeded"
    #: By us: no right, no sense, no quota. Nothing was done.
    REFUSED = "refused"
    #: By Salesforce or by a fault.
    FAILED = "failed"
    #: Nobody knows whether it was done.
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that was done, or tried."""

    #: What, e.g. `records.create_record`.
    action: str
    #: What became of it.
    outcome: Outcome
    #: Who; None for somebody unknown.
    caller: Caller | None = None
    #: Name of somebody who is no caller yet or not at all: a sign-in, a command of this machine.
    name: str = ""
    #: Kind of thing: an object of Salesforce, or `user`, `role`.
    object_name: str = ""
    #: Which ones.
    ids: tuple[str, ...] = ()
    #: HTTP method and template of the path; empty for a command.
    route: str = ""
    #: HTTP status; 0 for a command.
    status: int = 0
    #: Code of the refusal.
    code: str = ""
    #: Id of the request.
    request_id: str = ""
    #: Where it came from.
    address: str = ""
    #: More: counts, the Salesforce user who acted. Never a field's value unless that was asked for.
    details: dict[str, JSON] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditConfig:
    """What is written and for how long."""

    #: Calls that only read, too.
    reads: bool = False
    #: Values of fields, too.
    values: bool = False
    #: How long entries are kept; None for ever.
    retention: timedelta | None = None


class AuditTrail:
    """Writes and reads the audit."""

    def __init__(self, database: Database, clock: Clock, config: AuditConfig | None = None) -> None:
        self.config = config or AuditConfig()
        self._database = database
        self._clock = clock
        self._waiting: deque[tuple[str, datetime, Entry, asyncio.Future[None]]] = deque()
        self._writing: asyncio.Task[None] | None = None

    async def write(self, entry: Entry) -> bool:
        """Append an entry and return whether it is in the store; False: it will be as soon as the store answers."""
        now = self._clock.now()
        content = content_of(entry, now)
        if len(self._waiting) >= _WAITING:
            log.error("audit_entry_dropped", entry=content, remedy="see why the database does not answer")
            return False
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((content, now, entry, written))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_all(), name="audit")
        done, _ = await asyncio.wait({written}, timeout=_PATIENCE_SECONDS)
        if not done:
            log.error("audit_entry_waits", entry=content, remedy="see why the database does not answer")
        return bool(done)

    async def page(self, chosen: AuditFilter, *, cursor: str | None, limit: int) -> Page[AuditRecord]:
        """Return one page of entries, newest first.

        Raises:
            CursorInvalid: The cursor is not one of ours.
        """
        async with self._database.unit(write=False) as unit:
            return await unit.audit.page(chosen, cursor=cursor, limit=limit)

    async def close(self) -> None:
        """Write what is left, as far as the store takes it now."""
        task = self._writing
        if task is None or task.done():
            return
        done, _ = await asyncio.wait({task}, timeout=_PATIENCE_SECONDS)
        if not done:
            task.cancel()
            await asyncio.wait({task})
            for content, *_ in self._waiting:
                log.error("audit_entry_lost", entry=content, remedy="the store was gone; this line is all that is left")

    async def _write_all(self) -> None:
        while self._waiting:
            batch = [self._waiting[place] for place in range(min(_BATCH, len(self._waiting)))]
            try:
                head = await self._append(batch)
            except StoreError:
                log.warning("audit_not_written", waiting=len(self._waiting), remedy="see whether the database answers")
                await self._clock.sleep(_RETRY_SECONDS)
                continue
            for _ in batch:
                self._waiting.popleft()
            for _, _, _, written in batch:
                if not written.done():
                    written.set_result(None)
            # A second witness outside of the database: who rewrites the chain must rewrite the logs as well.
            log.debug("audit_head", seq=head.seq, hash=head.hash)

    async def _append(self, batch: list[tuple[str, datetime, Entry, asyncio.Future[None]]]) -> AuditHead:
        async with self._database.unit() as unit:
            head = await unit.audit.head(hold=True)
            records = []
            for content, at, entry, _ in batch:
                head = AuditHead(seq=head.seq + 1, hash=link(head, content))
                records.append(_record(head, content, at, entry))
            await unit.audit.append(records)
        return head


def filter_of(
    *,
    actor: str | None = None,
    action: str | None = None,
    object_name: str | None = None,
    outcome: Outcome | None = None,
    request_id: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> AuditFilter:
    """Return which entries are asked for; None is any, an instant without zone is UTC."""
    return AuditFilter(
        actor=_asked(actor),
        action=_asked(action),
        object_name=_asked(object_name),
        outcome=outcome.value if outcome is not None else None,
        request_id=_asked(request_id),
        since=_aware(since),
        until=_aware(until),
    )


def _asked(text: str | None) -> str | None:
    return column_text(text) if text is not None else None


def _aware(instant: datetime | None) -> datetime | None:
    if instant is None or instant.tzinfo is not None:
        return instant
    return instant.replace(tzinfo=UTC)


def link(head: AuditHead, content: str) -> str:
    """Return the hash of the entry that follows a head."""
    return hashlib.sha256(f"{head.seq + 1}\n{head.hash}\n{content}".encode()).hexdigest()


def content_of(entry: Entry, at: datetime) -> str:
    """Return an entry as canonical JSON: sorted keys, no spaces, texts of bounded length, and nothing but ASCII.

    ASCII, so that every database gives back the very text that it was given.
    """
    caller = entry.caller
    content: dict[str, JSON] = {
        "at": at.isoformat(timespec="microseconds"),
        "action": entry.action,
        "outcome": entry.outcome.value,
        "object": entry.object_name,
        "ids": list(entry.ids[:MAX_IDS]),
        "id_count": len(entry.ids),
        "route": entry.route,
        "status": entry.status,
        "code": entry.code,
        "request_id": entry.request_id,
        "address": entry.address,
        "actor": {
            "id": caller.user_id if caller is not None else "",
            "name": caller.username if caller is not None else entry.name,
            "kind": caller.kind.value if caller is not None else "",
            "roles": list(caller.roles) if caller is not None else [],
            "limited_by": _limited_by(caller),
            "session": caller.session_id if caller is not None else None,
        },
        "details": entry.details,
    }
    return dumps_sorted(_bounded(content))


def _limited_by(caller: Caller | None) -> list[str]:
    if caller is None:
        return []
    return [name for name, policy in zip(caller.roles, caller.policies, strict=False) if policy is not None]


def _bounded(value: JSON) -> JSON:
    match value:
        case str():
            return value if len(value) <= _TEXT_CHARS else value[:_TEXT_CHARS] + "…"
        case dict():
            return {str(key)[:_COLUMN_CHARS]: _bounded(item) for key, item in value.items()}
        case list() | tuple():
            return [_bounded(item) for item in value]
        case _:
            return value


def _record(head: AuditHead, content: str, at: datetime, entry: Entry) -> AuditRecord:
    caller = entry.caller
    return AuditRecord(
        seq=head.seq,
        at=at,
        actor_id=column_text(caller.user_id if caller is not None else ""),
        actor_name=column_text(caller.username if caller is not None else entry.name),
        action=column_text(entry.action),
        object_name=column_text(entry.object_name),
        outcome=entry.outcome.value,
        request_id=column_text(entry.request_id),
        content=content,
        hash=head.hash,
    )


def column_text(text: str) -> str:
    """Return a text as the columns hold it that are searched by."""
    # What a caller typed as a user name may hold what PostgreSQL does not take; the content has it escaped.
    return text.encode("ascii", "backslashreplace").decode().replace("\x00", "\\0")[:_COLUMN_CHARS]
