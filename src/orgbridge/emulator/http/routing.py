"""Routes: patterns without regard to case, trailing slashes allowed, segments decoded one by one.

Starlette's own routes match case and lose `%2F`, which external ids may hold; hence this small table.

Source: facts/salesforce/rest.md, head.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import unquote

from starlette.responses import Response

from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.errors import not_found
from orgbridge.emulator.schema.errors import SFError
from orgbridge.wire.versions import NEWEST, OLDEST

_VERSION = re.compile(r"v(\d{1,3})\.(\d)\Z", re.IGNORECASE)
Handler = Callable[[Call], Awaitable[Response]]


class Access(StrEnum):
    """Who may use a route."""

    #: Anybody.
    OPEN = "open"
    #: Whoever has a session; counted as an API call.
    API = "api"
    #: Callers from this machine only.
    LOCAL = "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One pattern and what answers it."""

    #: `/services/data/{version}/sobjects/{sobject}`: literal segments and named ones.
    pattern: str
    #: Method in upper case to handler.
    handlers: dict[str, Handler]
    #: Who may use it.
    access: Access = Access.API
    #: Errors go without `fields`.
    bulk: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A route that fits a path."""

    #: The route.
    route: Route
    #: Named segments, percent-decoded.
    args: dict[str, str]


def segments(raw_path: str) -> list[str]:
    """Return the pieces between slashes, still percent-encoded; a trailing slash makes none, nor do doubled ones."""
    return [segment for segment in raw_path.split("/") if segment]


def api_version(segment: str) -> int:
    """Return the number of a version such as `v62.0`.

    Raises:
        SFError: 404, it is no version or not yet there; 410, it is too old.
    """
    found = _VERSION.match(segment)
    if found is None or found.group(2) != "0" or int(found.group(1)) > NEWEST:
        raise not_found()
    version = int(found.group(1))
    if version < OLDEST:
        # Assumed: text; the status is documented (auth.md section 0).
        raise SFError("UNSUPPORTED_API_VERSION", f"API version {version}.0 is no longer supported", 410)
    return version


class RouteTable:
    """Finds the route of a path. Where two fit, the one with more literal segments in front wins."""

    def __init__(self, routes: list[Route]) -> None:
        self._by_length: dict[int, list[tuple[list[str], Route]]] = {}
        for route in routes:
            pieces = segments(route.pattern)
            self._by_length.setdefault(len(pieces), []).append((pieces, route))
        for entries in self._by_length.values():
            entries.sort(key=lambda entry: [piece.startswith("{") for piece in entry[0]])

    def match(self, raw_path: str) -> Match | None:
        """Return the route for a percent-encoded path, or None."""
        given = segments(raw_path)
        for pieces, route in self._by_length.get(len(given), ()):
            args: dict[str, str] = {}
            for piece, text in zip(pieces, given, strict=True):
                if piece.startswith("{"):
                    args[piece[1:-1]] = unquote(text)
                elif piece.lower() != unquote(text).lower():
                    break
            else:
                return Match(route=route, args=args)
        return None
