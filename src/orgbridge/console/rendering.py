"""Templates become pages: escaping is on, a misspelt name is an error, and no page runs foreign code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse
from starlette.types import Scope as RequestScope

from orgbridge.console.cookies import PREFIX
from orgbridge.console.statics import Static
from orgbridge.services.scopes import Caller, Scope

#: Scope key under which a page's route leaves who is signed in.
SIGNED_IN_KEY = "orgbridge_console_caller"
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    # With `no-referrer` browsers would not even tell us that a form is our own.
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NavItem:
    """One entry of the navigation."""

    #: What it says.
    label: str
    #: Where it leads.
    url: str
    #: What one needs to see it; None for everybody who is signed in.
    needs: Scope | None


NAVIGATION: tuple[NavItem, ...] = (
    NavItem(label="Overview", url=PREFIX, needs=None),
    NavItem(label="Loads", url=f"{PREFIX}/loads", needs=Scope.BULK_READ),
    NavItem(label="New load", url=f"{PREFIX}/new-load", needs=Scope.BULK_WRITE),
    NavItem(label="Query", url=f"{PREFIX}/query", needs=Scope.RECORDS_READ),
    NavItem(label="Orders", url=f"{PREFIX}/orders", needs=Scope.ORDERS_READ),
    NavItem(label="Purchase orders", url=f"{PREFIX}/purchase-orders", needs=Scope.ORDERS_READ),
    NavItem(label="Audit", url=f"{PREFIX}/audit", needs=Scope.ADMIN),
)


class Renderer:
    """Renders pages."""

    def __init__(self, statics: Mapping[str, Static], *, name: str, version: str) -> None:
        """Read the templates.

        Args:
            statics: The files that pages load, by name.
            name: What the service calls itself.
            version: Of the service.
        """
        self._environment = Environment(
            loader=FileSystemLoader(str(files("orgbridge.console") / "templates")),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        filters = (number, size, instant, seconds, amount, plain)
        self._environment.filters |= {one.__name__: one for one in filters}
        self._environment.globals |= {
            "prefix": PREFIX,
            "service_name": name,
            "service_version": version,
            "statics": {static: found.url for static, found in statics.items()},
        }

    def page(
        self,
        scope: RequestScope,
        template: str,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        **facts: Any,
    ) -> HTMLResponse:
        """Return a page.

        Args:
            scope: The request's.
            template: Name of the template.
            status: HTTP status.
            headers: Further headers.
            facts: What the template shows.
        """
        caller: Caller | None = scope.get(SIGNED_IN_KEY)
        text = self._environment.get_template(template).render(
            caller=caller,
            path=scope["path"],
            navigation=[item for item in NAVIGATION if may_see(caller, item.needs)],
            request_id=str(scope.get("orgbridge_request_id", "")),
            **facts,
        )
        return HTMLResponse(text, status_code=status, headers={**HEADERS, **(headers or {})})


def may_see(caller: Caller | None, needs: Scope | None) -> bool:
    """Return whether somebody may see what needs a scope."""
    return caller is not None and (needs is None or needs in caller.scopes)


def number(value: Any) -> str:
    """Return a count for people."""
    return "–" if value is None else f"{int(value):,}"


def size(value: Any) -> str:
    """Return a number of bytes for people."""
    if value is None:
        return "–"
    count = float(value)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if count < 1024 or unit == "GiB":
            return f"{count:,.0f} {unit}" if unit == "bytes" else f"{count:,.1f} {unit}"
        count /= 1024
    raise AssertionError("the last unit takes all")


def instant(value: Any) -> str:
    """Return an instant for people, in UTC as all of this service's are."""
    if not value:
        return "–"
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def amount(value: Any) -> str:
    """Return an amount of money for people, whose last digits a float may have lost."""
    return f"{value:,.2f}" if isinstance(value, int | float) else plain(value)


def plain(value: Any) -> str:
    """Return a value as it stands in a cell: whole numbers without point, truth in words."""
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:,.10f}".rstrip("0").rstrip(".")
        case _:
            return str(value)


def seconds(value: Any) -> str:
    """Return a duration for people."""
    if value is None:
        return "–"
    total = float(value)
    if total < 60:
        return f"{total:.1f} s"
    minutes, rest = divmod(round(total), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
