"""Another face of the house in the same application: its routes behind the same layers as those of the API.

This room does not know what the pages show; whoever wires the house hands them in. What is told here is how the layers
treat their requests: who calls, which calls change something, what is counted, what is streamed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Scope

#: Whether something holds of a method and a path.
Told = Callable[[str, str], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """Pages for people, below one prefix."""

    #: What their paths begin with, e.g. `/console`.
    prefix: str
    #: Their routes, with the prefix.
    routes: Sequence[BaseRoute]
    #: The token that a request carries, empty for none: pages have it from a cookie.
    token: Callable[[Scope], str]
    #: Calls that sign somebody in.
    signs_in: Told
    #: Calls that change something.
    changes: Told
    #: Calls that submit or steer loads.
    is_bulk: Told
    #: Calls that nobody counts: files that never change.
    is_free: Told
    #: Calls whose bodies are read as they arrive.
    streams: Told
    #: Puts the outermost layer around the application: errors of these paths become pages.
    dress: Callable[[ASGIApp], ASGIApp]

    def own(self, path: str) -> bool:
        """Return whether a path is one of these pages."""
        return path == self.prefix or path.startswith(f"{self.prefix}/")
