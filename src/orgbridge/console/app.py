"""The console: all its routes, and what the layers in front of them are told about its calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from orgbridge.console.account import account_routes
from orgbridge.console.audit import audit_routes
from orgbridge.console.cookies import PREFIX
from orgbridge.console.desk import Desk, Shelf
from orgbridge.console.loads import LOADS, load_routes
from orgbridge.console.new_load import NEW_LOAD, new_load_routes
from orgbridge.console.orders import order_routes
from orgbridge.console.overview import overview_routes
from orgbridge.console.progress import progress_routes
from orgbridge.console.purchase_orders import purchase_routes
from orgbridge.console.queries import EXPORTS, QUERY, query_routes
from orgbridge.console.rendering import Renderer
from orgbridge.console.sign_in import SIGN_IN, SIGN_OUT, sign_in_routes
from orgbridge.console.statics import STATICS, read_statics, static_routes
from orgbridge.console.troubles import Dress
from orgbridge.services.bundle import Services

#: Forms that only ask.
_ASKING = frozenset({QUERY})


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """The console of one service."""

    #: Its routes, the prefix included.
    routes: Sequence[BaseRoute]
    #: Puts its layer around an application.
    dress: Callable[[ASGIApp], ASGIApp]


def build_console(services: Services, *, name: str, version: str) -> Console:
    """Return the console.

    Args:
        services: What its pages call.
        name: What the service calls itself.
        version: Of the service.
    """
    statics = read_statics()
    renderer = Renderer(statics, name=name, version=version)
    shelf = Shelf(desk=Desk(services=services, renderer=renderer))
    routes = [
        *overview_routes(shelf),
        *static_routes(statics),
        *sign_in_routes(shelf),
        *progress_routes(shelf),
        *load_routes(shelf),
        *new_load_routes(shelf),
        *query_routes(shelf),
        *order_routes(shelf),
        *purchase_routes(shelf),
        *audit_routes(shelf),
        *account_routes(shelf),
    ]
    return Console(routes=routes, dress=lambda app: Dress(app, renderer=renderer, own=is_own_path))


def is_own_path(path: str) -> bool:
    """Return whether a path is the console's."""
    return path == PREFIX or path.startswith(f"{PREFIX}/")


def signs_in(method: str, path: str) -> bool:
    """Return whether a call signs somebody in or out."""
    return method == "POST" and path in (SIGN_IN, SIGN_OUT)


def changes(method: str, path: str) -> bool:
    """Return whether a call may change something."""
    return method == "POST" and path not in _ASKING


def is_bulk(_method: str, path: str) -> bool:
    """Return whether a call submits or steers loads."""
    return path in (NEW_LOAD, EXPORTS) or path.startswith(f"{LOADS}/")


def is_free(_method: str, path: str) -> bool:
    """Return whether nobody counts a call."""
    return path.startswith(f"{STATICS}/")


def streams(method: str, path: str) -> bool:
    """Return whether a call's body is read as it arrives."""
    return method == "POST" and path == NEW_LOAD
