"""The first page: can the service work, what do loads do, what needs somebody."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from orgbridge.console.cookies import PREFIX
from orgbridge.console.desk import Desk, Shelf
from orgbridge.console.errors import NoSuchPage
from orgbridge.loads.states import LoadState
from orgbridge.services.health import Check
from orgbridge.services.jobs import JobFilter, JobStatus
from orgbridge.services.scopes import Caller, Scope

#: Loads that are shown, and loads that are looked through for what needs somebody.
_SHOWN, _LOOKED_THROUGH = 8, 50
_LABELS = {
    "database": "Database",
    "engine": "Engine",
    "salesforce": "Salesforce",
    "documents": "Documents",
    "service": "Service",
}


def overview_routes(shelf: Shelf) -> Iterator[BaseRoute]:
    """Yield the routes of the first page."""
    yield shelf.get("", "overview", _overview, None)
    yield Route("/", _to_console, methods=["GET"], name="console_from_root", include_in_schema=False)


async def _to_console(request: Request) -> Response:
    """Lead a browser on that asks for nothing in particular; a program learns that there is nothing."""
    if "text/html" not in request.headers.get("accept", ""):
        raise NoSuchPage("There is nothing at this address; /docs lists what there is.")
    return RedirectResponse(PREFIX, status_code=307)


async def _overview(desk: Desk, request: Request, caller: Caller) -> Response:
    services = desk.services
    found = await services.health.ready()
    checks = [_check(name, found.checks[name], caller) for name in _LABELS if name in found.checks]
    limits = await services.limits.own(caller=caller) if Scope.RECORDS_READ in caller.scopes else None
    counts: dict[str, int] | None = None
    latest: list[JobStatus] = []
    troubled: list[JobStatus] = []
    if Scope.BULK_READ in caller.scopes:
        counts = await services.jobs.counts(caller=caller)
        page = await services.jobs.list(JobFilter(), caller=caller, cursor=None, limit=_LOOKED_THROUGH)
        latest = page.items[:_SHOWN]
        troubled = [status for status in page.items if needs_somebody(status)][:_SHOWN]
    return desk.page(
        request,
        "overview.html",
        condition=found.condition.value,
        checks=checks,
        limits=limits,
        counts={state.value: counts.get(state.value, 0) for state in LoadState} if counts is not None else None,
        latest=latest,
        troubled=troubled,
    )


def needs_somebody(status: JobStatus) -> bool:
    """Return whether a load ended with rows, or as a whole, that somebody has to look at."""
    unprocessed = int((status.progress or {}).get("unprocessed") or 0)
    return status.ended and (status.state == LoadState.FAILED or status.records_failed > 0 or unprocessed > 0)


def _check(name: str, check: Check, caller: Caller) -> dict[str, Any]:
    # Figures are for administrators, as those of /health/ready are.
    detail = check.detail if caller.is_admin else {}
    return {
        "label": _LABELS[name],
        "condition": check.condition.value,
        "cause": check.cause,
        "remedy": check.remedy,
        "said": _said(detail),
    }


def _said(detail: Mapping[str, Any]) -> str:
    words = [str(detail[name]) for name in ("kind", "instance") if detail.get(name)]
    if detail.get("milliseconds") is not None:
        words.append(f"answers in {detail['milliseconds']} ms")
    if detail.get("living_workers") is not None:
        words.append(f"{detail['living_workers']} workers live")
    return ", ".join(words)
