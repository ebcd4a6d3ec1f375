"""One call: the request, what its path said, who makes it, and the parts of the org that may be asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from orgbridge.emulator.commerce.policy import Commerce
from orgbridge.emulator.faults import Faults
from orgbridge.emulator.http.cursors import Cursors
from orgbridge.emulator.http.directory import Directory
from orgbridge.emulator.http.errors import session_invalid
from orgbridge.emulator.http.grants import Grants
from orgbridge.emulator.http.heads import headers_of
from orgbridge.emulator.http.lifecycle import Lifecycle
from orgbridge.emulator.http.replies import json_reply
from orgbridge.emulator.http.requestlog import RequestLog
from orgbridge.emulator.http.rowwrites import RowWrites
from orgbridge.emulator.http.sessions import Sessions
from orgbridge.emulator.http.sites import Site
from orgbridge.emulator.http.usage import Usage
from orgbridge.emulator.jobs.classic.service import ClassicJobs
from orgbridge.emulator.jobs.service import Jobs
from orgbridge.emulator.org.org import Org
from orgbridge.emulator.org.schemas import Schemas
from orgbridge.emulator.schema.errors import SFError
from orgbridge.emulator.schema.model import SObject
from orgbridge.emulator.storage.database import Storage
from orgbridge.emulator.storage.sessions import Session
from orgbridge.kit.clock import Clock
from orgbridge.kit.json import JSON, JSONDecodeError, loads

_T = TypeVar("_T")
#: First version with `Sforce-Duplicate-Rule-Header`. Source: facts/salesforce/rest.md section 4.
_DUPLICATE_HEADER_SINCE = 52
#: Bytes of a JSON body. Source: facts/salesforce/rest.md section 5.
_BODY_BYTES = 50 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What routes work with."""

    #: Rules and rows.
    org: Org
    #: The database.
    storage: Storage
    #: Bulk jobs.
    jobs: Jobs
    #: Jobs of Bulk API 1.0.
    classic: ClassicJobs
    #: Users, clients and their secrets.
    directory: Directory
    #: Sessions.
    sessions: Sessions
    #: Codes, approvals and other things that signing in keeps for a while.
    grants: Grants
    #: Query cursors.
    cursors: Cursors
    #: API calls of the day.
    usage: Usage
    #: Orders for trouble.
    faults: Faults
    #: The last requests.
    requests: RequestLog
    #: The objects while the org runs: made, changed, deleted.
    schemas: Schemas
    #: The org as a whole: snapshots, branches, reset, its clock.
    lifecycle: Lifecycle
    #: The time.
    clock: Clock
    #: Saves of single rows.
    writes: RowWrites
    #: Settings of commerce.
    commerce: Commerce

    def through(self, storage: Storage) -> Parts:
        """Return the parts as they work on another storage of the same file, such as one open transaction."""
        return replace(self, storage=storage, org=self.org.through(storage), cursors=self.cursors.through(storage))


@dataclass(slots=True, kw_only=True)
class Call:
    """One request on its way through a route."""

    #: As it came in.
    request: Request
    #: What the org is made of.
    parts: Parts
    #: Named pieces of the path, percent-decoded.
    args: dict[str, str] = field(default_factory=dict)
    #: API version of the path; 0 outside /services/data/vXX.X.
    version: int = 0
    #: Who calls; None on routes that anybody may use.
    session: Session | None = None
    #: The site that the path began with; None for the org's own addresses.
    site: Site | None = None
    #: The request's headers, names in lower case; of one that is repeated, the first.
    headers: dict[str, str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.headers = headers_of(self.request.scope)

    @property
    def base_url(self) -> str:
        """Scheme and host as the caller wrote them."""
        host = self.headers.get("host", "localhost")
        return f"{self.request.url.scheme}://{host}"

    @property
    def data_path(self) -> str:
        """`/services/data/vXX.X` of this call's version."""
        return f"/services/data/v{self.version}.0"

    @property
    def user_id(self) -> str:
        """Id of the user who calls.

        Raises:
            SFError: Nobody is signed in.
        """
        if self.session is None:
            raise session_invalid()
        return self.session.user_id

    @property
    def allows_duplicates(self) -> bool:
        """True when rows are to be saved that duplicate rules only warn of. Source: rest.md section 4."""
        return self.duplicate_option("allowsave")

    def duplicate_option(self, name: str) -> bool:
        """Tell whether the duplicate rule header says so; versions before it came pass it over."""
        text = self.headers.get("sforce-duplicate-rule-header")
        if text is None or self.version < _DUPLICATE_HEADER_SINCE:
            return False
        return any(piece.replace(" ", "") == f"{name}=true" for piece in text.lower().split(";"))

    @property
    def pretty(self) -> bool:
        """True when the caller wants indented JSON."""
        return self.headers.get("x-prettyprint", "0").strip() == "1"

    def header(self, name: str) -> str | None:
        """Return a request header."""
        return self.headers.get(name)

    def query(self, name: str) -> str | None:
        """Return a query parameter; names match without regard to case if not exactly."""
        if not self.request.scope["query_string"]:
            return None
        params = self.request.query_params
        if name in params:
            return params[name]
        lowered = name.lower()
        return next((value for key, value in params.items() if key.lower() == lowered), None)

    def json(self, value: JSON, status: int = 200, **headers: str) -> Response:
        """Return a JSON reply in the form that the caller wants."""
        return json_reply(value, status, headers=headers, pretty=self.pretty)

    async def body(self) -> bytes:
        """Return the whole body.

        Raises:
            SFError: It is larger than the platform takes.
            ClientDisconnect: The caller went away before its end.
        """
        pieces: list[bytes] = []
        size, more = 0, True
        while more:
            message = await self.request.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            piece, more = message.get("body", b""), message.get("more_body", False)
            pieces.append(piece)
            size += len(piece)
            if size > _BODY_BYTES:
                # Assumed: status and code of a body past the documented 50 MB.
                raise SFError("REQUEST_TOO_LARGE", f"The request body is larger than {_BODY_BYTES} bytes", 413)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def json_object(self) -> dict[str, JSON]:
        """Return the body as a JSON object.

        Raises:
            SFError: The body is something else.
        """
        body = await self.body()
        content_type = (self.header("content-type") or "application/json").partition(";")[0].strip().lower()
        if content_type not in ("application/json", "text/json"):
            # Assumed: text.
            raise SFError("UNSUPPORTED_MEDIA_TYPE", f"Content-Type {content_type!r} is not supported", 415)
        try:
            value = loads(body)
        except JSONDecodeError as error:
            raise SFError("JSON_PARSER_ERROR", f"{error} at [line:1, column:1]") from error
        if not isinstance(value, dict):
            raise SFError("JSON_PARSER_ERROR", "The request body must be a JSON object at [line:1, column:1]")
        return value

    async def read_row(self, sobject: SObject, work: Callable[[], _T]) -> _T:
        """Read one row by its id and return what `work` makes of it.

        On the event loop itself: a reader waits for no writer, and a row without bytes of its own is a handful of
        pages away. Going to a thread and back costs several times what the read does.
        """
        return await self.thread(work) if sobject.blob_fields else work()

    async def save_row(self, sobject: SObject, row: Mapping[str, JSON], work: Callable[[], _T]) -> _T:
        """Save one row and return what `work` makes of it, which opens one `write()`.

        On the event loop only while no other thread writes, and only what is sure to touch a few rows; see `RowWrites`.
        """
        writes = self.parts.writes
        if self.parts.org.reaches_little(sobject, row) and writes.may_join():
            return await writes.save(work)
        return await self.thread(work)

    async def try_row(self, sobject: SObject, work: Callable[[], _T | None]) -> _T | None:
        """Do what touches one row, or finds out that it would touch more; None, also when it cannot be done at once."""
        writes = self.parts.writes
        if self.parts.org.reaches_little(sobject, {}) and writes.may_join():
            return await writes.save(work)
        return None

    async def thread(self, work: Callable[[], _T]) -> _T:
        """Do blocking work in a thread and return its value."""
        return await run_in_threadpool(work)
