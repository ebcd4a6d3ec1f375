"""What was asked of the org and answered: a bounded list that tests can assert on, without secrets.

Bodies and headers are not kept, nor parameters outside /services/data: sign-in carries its secrets there.
"""

from __future__ import annotations

import itertools
import re
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qsl

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orgbridge.emulator.faults import RequestFault
from orgbridge.emulator.http.heads import WHOLE_EXTENSION, Whole, headers_of
from orgbridge.kit.clock import Clock
from orgbridge.kit.json import JSON
from orgbridge.wire.dates import bulk_datetime

#: Where the controls are; requests to them are not kept.
CONTROL_PATH = "/_emulator"
#: Requests that are kept.
KEPT_REQUESTS = 10_000
#: Key in the scope under which the request's entry is found.
_ENTRY = "orgbridge.entry"
_QUERY_CHARS = 2_000
_SECRET = re.compile(r"token|secret|password|assertion|session|code", re.IGNORECASE)
_DATA_PATH = "/services/data"


@dataclass(slots=True, kw_only=True)
class Entry:
    """One request; filled in as it is answered."""

    #: Counts up from 1 since the start.
    number: int
    #: When it came in, by the org's clock.
    at: datetime
    #: HTTP method.
    method: str
    #: Decoded path.
    path: str
    #: Parameters, those with secrets left out.
    query: dict[str, str]
    #: Pattern of the route that answered; None when none did.
    route: str | None = None
    #: Who called; None for nobody.
    user_id: str | None = None
    #: Status of the reply; None when the connection was gone before there was one.
    status: int | None = None
    #: Bytes of the body as they came in.
    request_bytes: int = 0
    #: Bytes of the reply's body as they went out.
    response_bytes: int = 0
    #: Time until the reply was out.
    milliseconds: float = 0.0
    #: What the client calls itself.
    user_agent: str = ""
    #: The fault that struck it, e.g. `503` or `cut after`.
    fault: str | None = None

    def told(self) -> dict[str, JSON]:
        """Return the entry as JSON."""
        return {name: getattr(self, name) for name in Entry.__slots__} | {"at": bulk_datetime(self.at)}


class RequestLog:
    """The last requests. Safe to use from any thread.

    Args:
        clock: The time.
        kept: How many.
    """

    def __init__(self, clock: Clock, kept: int = KEPT_REQUESTS) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._entries: deque[Entry] = deque(maxlen=kept)
        self._total = 0

    @property
    def total(self) -> int:
        """Requests since the start or the last `clear`, also those that are not kept any more."""
        return self._total

    def open(self, scope: Scope) -> Entry:
        """Begin an entry for a request; it is seen at once."""
        path: str = scope["path"]
        shown = path.lower().startswith(_DATA_PATH)
        entry = Entry(
            number=next(self._numbers),
            at=self._clock.now(),
            method=scope["method"],
            path=path,
            query=_query(scope["query_string"]) if shown and scope["query_string"] else {},
            user_agent=headers_of(scope).get("user-agent", "")[:200],
        )
        scope[_ENTRY] = entry
        with self._lock:
            self._entries.append(entry)
            self._total += 1
        return entry

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()
            self._total = 0

    def find(
        self,
        *,
        method: str | None = None,
        path: re.Pattern[str] | None = None,
        status: int | None = None,
        since: int = 0,
        limit: int = 1_000,
    ) -> list[Entry]:
        """Return the last `limit` kept requests that match, oldest first.

        Args:
            method: HTTP method.
            path: Searched for in the path.
            status: Of the reply.
            since: Only requests with a higher number.
            limit: How many at most.
        """
        with self._lock:
            entries: Iterable[Entry] = list(self._entries)
        found = [
            entry
            for entry in entries
            if entry.number > since
            and (method is None or entry.method == method.upper())
            and (path is None or path.search(entry.path) is not None)
            and (status is None or entry.status == status)
        ]
        return found[-limit:] if limit else []


def _query(text: bytes) -> dict[str, str]:
    pairs = parse_qsl(text.decode("latin-1"), keep_blank_values=True, max_num_fields=None)
    return {name: "***" if _SECRET.search(name) else value[:_QUERY_CHARS] for name, value in pairs[:50]}


def note_fault(scope: Scope, fault: RequestFault) -> None:
    """Write into the request's entry that it was struck."""
    entry: Entry | None = scope.get(_ENTRY)
    if entry is not None:
        entry.fault = f"cut {fault.cut}" if fault.cut else str(fault.status or "delay")


def note_route(scope: Scope, route: str, user_id: str | None) -> None:
    """Write into the request's entry what answers it and for whom."""
    entry: Entry | None = scope.get(_ENTRY)
    if entry is not None:
        entry.route, entry.user_id = route, user_id


class _CountedSend:
    """A `send` that writes into an entry what goes out; see `heads` for `whole`."""

    __slots__ = ("_entry", "_send", "_whole")

    def __init__(self, scope: Scope, send: Send, entry: Entry) -> None:
        self._send = send
        self._entry = entry
        self._whole: Whole | None = scope.get("extensions", {}).get(WHOLE_EXTENSION)

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._entry.status = message["status"]
        elif message["type"] == "http.response.body":
            self._entry.response_bytes += len(message.get("body", b""))
        await self._send(message)

    def whole(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> bool:
        if self._whole is None or not self._whole(status, headers, body):
            return False
        self._entry.status, self._entry.response_bytes = status, len(body)
        return True


class RequestLogMiddleware:
    """Keeps an entry of every request but those to the controls."""

    def __init__(self, app: ASGIApp, log: RequestLog, clock: Clock) -> None:
        self._app = app
        self._log = log
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and count what goes in and out."""
        if scope["type"] != "http" or scope["path"].startswith(CONTROL_PATH):
            await self._app(scope, receive, send)
            return
        entry = self._log.open(scope)
        started = self._clock.monotonic()

        async def counted_receive() -> Message:
            message = await receive()
            if message["type"] == "http.request":
                entry.request_bytes += len(message.get("body", b""))
            return message

        try:
            await self._app(scope, counted_receive, _CountedSend(scope, send, entry))
        finally:
            entry.milliseconds = round((self._clock.monotonic() - started) * 1000, 3)
