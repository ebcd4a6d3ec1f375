"""One request inside another: a subrequest goes through the same handlers as a request of its own.

A handler that runs as a subrequest does its blocking work at once, in the thread that the whole call runs in, and so
never waits: `run` drives it to its end without an event loop. That is what lets many subrequests share one
transaction: they get parts of the org that work inside it.

Source: facts/salesforce/composite.md.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from orgbridge.emulator.http.calls import Call, Parts
from orgbridge.emulator.http.errors import not_found, render
from orgbridge.emulator.http.headers import check_headers
from orgbridge.emulator.http.routing import Route, RouteTable, api_version, segments
from orgbridge.emulator.schema.errors import SFError
from orgbridge.emulator.schema.model import SObject
from orgbridge.kit.json import JSON, dumps, loads

_T = TypeVar("_T")
#: Headers of a reply that a subrequest's result shows. Source: composite.md section 1.
_SHOWN = {"location": "Location", "etag": "ETag", "last-modified": "Last-Modified"}
_ROOT = ["services", "data"]
#: What may stand unencoded in the query string of a subrequest: real orgs take raw spaces and quotes.
_KEPT = "%/:=&?~#+!$,;'@()*[]<>\""


@dataclass(slots=True, kw_only=True)
class InnerCall(Call):
    """A call whose blocking work is done at once: it runs in a thread already."""

    async def thread(self, work: Callable[[], _T]) -> _T:
        """Do the work and return its value."""
        return work()

    async def save_row(self, sobject: SObject, row: Mapping[str, JSON], work: Callable[[], _T]) -> _T:
        """Do the work and return its value: the call holds the writer, or may wait for it."""
        return work()

    async def try_row(self, sobject: SObject, work: Callable[[], _T | None]) -> _T | None:
        """Do the work and return its value."""
        return work()


@dataclass(frozen=True, slots=True, kw_only=True)
class Subrequest:
    """What one part of a composite call asks for."""

    #: In upper case.
    method: str
    #: Path and query; begins with `/services/data/vXX.X`.
    url: str
    #: JSON, or None for none.
    body: JSON = None
    #: Headers of its own.
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of a subrequest."""

    #: HTTP status.
    status: int
    #: JSON; None when the reply has no body.
    body: JSON
    #: The headers that results show.
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """True when it was refused."""
        return self.status >= 400


class Subrequests:
    """Runs subrequests.

    Args:
        routes: What they may ask for; anything else is not found.
    """

    def __init__(self, routes: Iterable[Route]) -> None:
        self._table = RouteTable(list(routes))

    def pattern(self, url: str) -> str | None:
        """Return the pattern of the route that a URL leads to, or None."""
        match = self._table.match(_encoded(url).partition("?")[0])
        return match.route.pattern if match else None

    def run(self, outer: Call, parts: Parts, asked: Subrequest) -> Result:
        """Return what a subrequest gives. Blocks.

        Args:
            outer: The call that it is a part of.
            parts: What it works with, e.g. the outer call's parts inside a transaction.
            asked: The subrequest.
        """
        try:
            response = _finish(self._answer(outer, parts, asked))
        except Exception as error:  # noqa: BLE001 the edge of the subrequest: what is raised becomes its result
            response = render(error)
        body = bytes(response.body)
        shown = {label: response.headers[name] for name, label in _SHOWN.items() if name in response.headers}
        return Result(status=response.status_code, body=loads(body) if body else None, headers=shown)

    async def _answer(self, outer: Call, parts: Parts, asked: Subrequest) -> Response:
        path, _, query = _encoded(asked.url).partition("?")
        given = segments(path)
        if [piece.lower() for piece in given[:2]] != _ROOT or len(given) < 3:
            raise not_found()
        version, match = api_version(given[2]), self._table.match(path)
        if match is None:
            raise not_found()
        handler = match.route.handlers.get(asked.method)
        if handler is None:
            allowed = ",".join(sorted(match.route.handlers))
            raise SFError("METHOD_NOT_ALLOWED", f"HTTP Method '{asked.method}' not allowed. Allowed are {allowed}")
        request = _request(outer, asked, path, query)
        call = InnerCall(request=request, parts=parts, args=match.args, version=version, session=outer.session)
        check_headers(call.headers)
        response = await handler(call)
        if not hasattr(response, "body"):
            # Documented: what comes as a stream of bytes cannot stand in a composite reply. Assumed: code and text.
            raise SFError("FUNCTIONALITY_NOT_ENABLED", "Blob data cannot be retrieved in a subrequest", 400)
        return response


def _encoded(url: str) -> str:
    return quote(url, safe=_KEPT)


def _request(outer: Call, asked: Subrequest, path: str, query: str) -> Request:
    """Return the request as a handler wants it. Salesforce's own headers of the outer call count for all of it."""
    headers = {"host": outer.header("host") or "localhost", "content-type": "application/json"}
    headers |= {name: value for name, value in outer.headers.items() if name.startswith("sforce-")}
    headers |= {name.lower(): value for name, value in asked.headers.items()}
    body = b"" if asked.body is None else dumps(asked.body)
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": asked.method,
        "scheme": outer.request.url.scheme,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [
            (name.encode("latin-1", "replace"), value.encode("latin-1", "replace")) for name, value in headers.items()
        ],
        "client": outer.request.scope.get("client"),
        "server": outer.request.scope.get("server"),
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request(scope, receive)


def _finish(work: Coroutine[Any, Any, _T]) -> _T:
    """Return what a coroutine returns that never waits."""
    try:
        work.send(None)
    except StopIteration as stop:
        value: _T = stop.value
        return value
    work.close()
    raise RuntimeError("a subrequest waited for the event loop")
