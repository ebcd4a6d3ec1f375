"""Routes: patterns without regard to case, trailing slashes allowed, segments decoded one by one.

Starlette's own routes match case and lose `%2F`, which external ids may hold; hence this small table.

Source: facts/salesforce/rest.md, head.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from urllib.parse import unquote

from starlette.responses import Response

from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.errors import not_found
from orgbridge.emulator.schema.errors import SFError
from orgbridge.wire.versions import NEWEST, OLDEST

_VERSION = re.compile(r"v(\d{1,3})\.(\d)\Z", re.IGNORECASE)
_DATA = ("services", "data")
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


def version_of(raw_path: str) -> str | None:
    """Return the piece of a path where a version of the API has to stand, or None where none has to."""
    given = raw_path.split("/", 4)
    if len(given) < 4 or given[0] or not (given[1] and given[2] and given[3]):
        # Doubled slashes, which count as one.
        given = ["", *segments(raw_path)]
    return given[3] if len(given) > 3 and (given[1].lower(), given[2].lower()) == _DATA else None


@lru_cache(maxsize=64)
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


@dataclass(slots=True)
class _Node:
    """What may follow the first segments of a path."""

    #: By the next segment, in lower case.
    literal: dict[str, _Node] = field(default_factory=dict)
    #: With any next segment; None where only literal ones fit.
    named: _Node | None = None
    #: The route that ends here, and the name of each of its segments, empty for a literal one.
    end: tuple[Route, tuple[str, ...]] | None = None


class RouteTable:
    """Finds the route of a path, segment by segment. Where two fit, the one with more literal segments in front wins;
    of two that differ in names only, the one given first.
    """

    def __init__(self, routes: list[Route]) -> None:
        #: Every route, in the order given.
        self.routes = tuple(routes)
        self._root = _Node()
        for route in routes:
            node, names = self._root, []
            for piece in segments(route.pattern):
                if piece.startswith("{"):
                    names.append(piece[1:-1])
                    node.named = node.named or _Node()
                    node = node.named
                else:
                    names.append("")
                    node = node.literal.setdefault(piece.lower(), _Node())
            node.end = node.end or (route, tuple(names))

    def match(self, raw_path: str) -> Match | None:
        """Return the route for a percent-encoded path, or None."""
        given = segments(raw_path)
        if "%" in raw_path:
            given = [unquote(piece) for piece in given]
        found = _walk(self._root, given, 0)
        if found is None:
            return None
        route, names = found
        return Match(route=route, args={name: text for name, text in zip(names, given, strict=True) if name})


def _walk(node: _Node, given: list[str], place: int) -> tuple[Route, tuple[str, ...]] | None:
    """Return the end of the path below a node; literal segments are tried first. As deep as patterns are long."""
    if place == len(given):
        return node.end
    piece = given[place]
    following = node.literal.get(piece) or node.literal.get(piece.lower())
    found = None if following is None else _walk(following, given, place + 1)
    if found is None and node.named is not None:
        found = _walk(node.named, given, place + 1)
    return found
