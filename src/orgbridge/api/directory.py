"""Which route a call was for, when it was answered before the router looked.

A layer in front of the routes may answer by itself: a key used twice, too many calls, too large a body. The audit, the
log and the figures still name the route that the call was for.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.routing import BaseRoute, Match, Router
from starlette.types import Scope


class Directory:
    """Looks routes up by method and path, without serving anything."""

    def __init__(self, routers: Sequence[tuple[str, Router]]) -> None:
        """Prepare.

        Args:
            routers: Prefix and router, in the order in which they are asked.
        """
        self._routers = tuple(routers)

    def name(self, scope: Scope) -> None:
        """Leave the route of a call and the parameters of its path in its scope, unless the router did; or nothing."""
        if scope.get("route") is not None:
            return
        for prefix, router in self._routers:
            if not scope["path"].startswith(prefix):
                continue
            asked = {"type": "http", "method": scope["method"], "path": scope["path"][len(prefix) :], "path_params": {}}
            found = _match(router.routes, asked)
            if found is not None:
                scope["route"], scope["path_params"] = found
                return


def _match(routes: Sequence[BaseRoute], asked: Scope) -> tuple[BaseRoute, dict[str, object]] | None:
    for route in routes:
        match, child = route.matches(asked)
        if match is Match.FULL:
            return route, dict(child.get("path_params", {}))
    return None
