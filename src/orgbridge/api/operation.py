"""Probes and figures. At the root, not under the version prefix."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse, Response

from orgbridge.api.replies import accepts, json_reply
from orgbridge.api.security import Administrator, caller_or_none, services_of
from orgbridge.api.v1.schemas.identity import HealthReply, ReadyReply
from orgbridge.api.v1.schemas.problems import problems
from orgbridge.services.health import Check, Condition
from orgbridge.services.telemetry import PROMETHEUS_TYPE

root = APIRouter(tags=["operation"])


# Load balancers and `curl -I` ask by HEAD; the documents' words are GET, so HEAD is served and not listed.
@root.head("/health", include_in_schema=False)
@root.get("/health", response_model=HealthReply, summary="Basic health check")
async def health(request: Request) -> Response:
    """Say that the service answers."""
    documents = services_of(request).health.document_backend
    about = {"name": request.app.title, "version": request.app.version, "documents": documents}
    return json_reply({"status": "ok", **about})


@root.head("/health/live", include_in_schema=False)
@root.get("/health/live", response_model=HealthReply, summary="Is the process alive")
async def live() -> Response:
    """Say that the process answers; nothing outside of it is asked."""
    return json_reply({"status": "ok"})


@root.head("/health/ready", include_in_schema=False)
@root.get(
    "/health/ready",
    response_model=ReadyReply,
    responses={503: {"description": "A part that every call needs is not there", "model": ReadyReply}},
    summary="Can the service do its work",
)
async def ready(request: Request) -> Response:
    """Look at the database, the engine and Salesforce. Figures are for administrators only."""
    found = await services_of(request).health.ready()
    caller = await caller_or_none(request)
    tells_all = caller is not None and caller.is_admin
    body = {
        "status": found.condition.value,
        "checks": {name: _check(check, tells_all) for name, check in found.checks.items()},
    }
    return json_reply(body, status=503 if found.condition is Condition.UNAVAILABLE else 200)


@root.head("/health/startup", include_in_schema=False)
@root.get(
    "/health/startup",
    response_model=ReadyReply,
    responses={503: {"description": "The database has not answered yet", "model": ReadyReply}},
    summary="Has the service come up",
)
async def startup(request: Request) -> Response:
    """Say whether the database has answered once; Salesforce is not asked."""
    found = await services_of(request).health.started()
    body = {
        "status": found.condition.value,
        "checks": {name: _check(check, tells_all=False) for name, check in found.checks.items()},
    }
    return json_reply(body, status=503 if found.condition is Condition.UNAVAILABLE else 200)


@root.get(
    "/metrics",
    response_class=PlainTextResponse,
    responses={
        **problems(),
        200: {
            "description": "Figures",
            "content": {
                "text/plain": {
                    "schema": {"type": "string"},
                    "example": 'orgbridge_loads{state="JobComplete"} 3.0\n',
                },
                "application/json": {"schema": {"type": "object"}},
            },
        },
    },
    summary="Detailed system and application metrics",
)
async def metrics(request: Request, caller: Administrator) -> Response:
    """Return figures as Prometheus text, or as JSON when Accept asks for it.

    Figures of loads, queue and outboxes are the store's, the same at every service. Requests, calls, memory and
    processor time are those of all processes of this service; a worker shows its own at ORGBRIDGE_WORKER_METRICS_PORT.
    """
    telemetry = services_of(request).telemetry
    if accepts(request, "text/plain", "application/json") == "application/json":
        return json_reply(await telemetry.figures())
    return Response(await telemetry.prometheus(), media_type=PROMETHEUS_TYPE)


def _check(check: Check, tells_all: bool) -> dict[str, Any]:
    body: dict[str, Any] = {"status": check.condition.value}
    if check.cause is not None:
        body |= {"cause": check.cause, "remedy": check.remedy}
    if tells_all and check.detail:
        body["detail"] = check.detail
    return body
