"""Who did what, for administrators."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from orgbridge.console.cookies import PREFIX
from orgbridge.console.desk import Desk, Shelf
from orgbridge.console.forms import PAGE_ROWS, asked
from orgbridge.services.audit import Outcome, filter_of
from orgbridge.services.audit_chain import entry_portrait
from orgbridge.services.errors import InvalidRequest
from orgbridge.services.scopes import Caller, Scope

AUDIT = f"{PREFIX}/audit"
_TEXTS = ("actor", "action", "object_name", "request_id")


def audit_routes(shelf: Shelf) -> Iterator[BaseRoute]:
    """Yield the route of the audit."""
    yield shelf.get("/audit", "audit", _list, Scope.ADMIN)


async def _list(desk: Desk, request: Request, caller: Caller) -> Response:
    filters = {name: asked(request, name) for name in (*_TEXTS, "outcome", "since", "until")}
    cursor = asked(request, "cursor", 2_000)
    chosen = filter_of(
        **{name: filters[name] for name in _TEXTS},
        outcome=_outcome(filters["outcome"]),
        since=moment("since", filters["since"]),
        until=moment("until", filters["until"]),
    )
    page = await desk.services.audit.page(chosen, cursor=cursor, limit=PAGE_ROWS)
    kept = {name: value for name, value in filters.items() if value is not None}
    following = f"{AUDIT}?{urlencode({**kept, 'cursor': page.next_cursor})}" if page.next_cursor else None
    return desk.page(
        request,
        "audit.html",
        entries=[entry_portrait(record) for record in page.items],
        filters=filters,
        outcomes=[outcome.value for outcome in Outcome],
        following=following,
        first=cursor is None,
    )


def moment(name: str, text: str | None) -> datetime | None:
    """Return the instant that somebody typed; one without zone is UTC.

    Raises:
        InvalidRequest: It is no date and no time.
    """
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise InvalidRequest(f"{name} must be a day such as 2026-11-22, or with a time 2026-11-22T09:30.") from None


def _outcome(text: str | None) -> Outcome | None:
    if text is None:
        return None
    try:
        return Outcome(text)
    except ValueError:
        raise InvalidRequest(f"outcome must be one of {', '.join(Outcome)}.") from None
