"""The application: routes, errors, layers, API documents."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Router
from starlette.types import ASGIApp, Receive, Scope, Send

from orgbridge.api import identity, operation
from orgbridge.api.auditing import Auditing
from orgbridge.api.directory import Directory
from orgbridge.api.errors import add_handlers
from orgbridge.api.express import Express
from orgbridge.api.gate import Gate
from orgbridge.api.hardening import Doorkeeper, SecurityHeaders
from orgbridge.api.idempotency import Idempotency
from orgbridge.api.middleware import BodyLimit, Edge
from orgbridge.api.pages import Pages
from orgbridge.api.protection_docs import declare_protection
from orgbridge.api.traffic import StreamedPaths, Traffic
from orgbridge.api.v1 import (
    approval_links,
    audit,
    bulk,
    carts,
    checkouts,
    commerce_diagnosis,
    composite,
    events,
    job_actions,
    jobs,
    limits,
    machine_documents,
    organizations,
    purchase_orders,
    queries,
    records,
    roles,
    salesforce_accounts,
    salesforce_machines,
    salesforce_orders,
    search,
    service_accounts,
    sobjects,
    users,
    webhooks,
)
from orgbridge.api.v1.schemas.problems import Problem
from orgbridge.kit.clock import Clock
from orgbridge.services.bundle import Services

#: Asked less often than records, queries and loads; each has its `router` below the prefix.
_RESOURCES: tuple[ModuleType, ...] = (
    sobjects,
    search,
    limits,
    composite,
    job_actions,
    events,
    webhooks,
    users,
    service_accounts,
    roles,
    organizations,
    audit,
    approval_links,
    purchase_orders,
    commerce_diagnosis,
    salesforce_accounts,
    machine_documents,
    salesforce_machines,
    carts,
    checkouts,
    salesforce_orders,
)

#: Calls that keep their Idempotency-Key in the row that they write.
KEPT_KEYS = ("/carts/me/checkout", "/salesforce_orders/", "/salesforce_order")
_ABOUT = """Records, batches, bulk loads and queries of any Salesforce object, behind users and scopes of this service.

Every row of a load is accounted for: read = succeeded + failed + unprocessed + skipped, proven by its receipt.
Errors are RFC 9457 problem JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class APIConfig:
    """How the API presents itself."""

    #: Name in the API documents.
    name: str
    #: Version in the API documents.
    version: str
    #: Prefix of version 1, e.g. `/api/v1`.
    prefix: str
    #: Origins that browsers may call from.
    cors_origins: tuple[str, ...]
    #: Largest JSON body.
    max_body_bytes: int
    #: Names that this service is called by; none: any.
    allowed_hosts: tuple[str, ...] = ()
    #: Seconds for which browsers are to use https only; 0 says nothing.
    hsts_seconds: int = 0


Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def build_api(
    services: Services,
    config: APIConfig,
    clock: Clock,
    lifespan: Lifespan | None = None,
    pages: Pages | None = None,
) -> FastAPI:
    """Return the ASGI application.

    Args:
        services: What the routes call.
        config: How it presents itself.
        clock: For times in logs and figures.
        lifespan: What is opened before the first request and closed after the last.
        pages: Pages for people, served behind the same layers; no part of the API documents.
    """
    app = FastAPI(
        title=config.name,
        version=config.version,
        description=_ABOUT,
        lifespan=lifespan or _nothing,
        docs_url="/docs",
        redoc_url="/redoc",
        openapi_url="/openapi.json",
    )
    app.state.services = services
    # Routes are tried one after another: those asked most come first.
    first = (records, queries, bulk, jobs, identity)
    routers: list[tuple[str, APIRouter]] = [(config.prefix, module.router) for module in first]
    routers += [("", operation.root), ("", identity.root)]
    routers += [(config.prefix, module.router) for module in _RESOURCES]
    for prefix, router in routers:
        app.include_router(router, prefix=prefix)
    app.state.prefix = config.prefix
    paged = Router(routes=pages.routes if pages is not None else [])
    app.router.routes.extend(paged.routes)
    directory = Directory([*routers, ("", paged)])
    add_handlers(app)
    # Added last is outermost: the edge sees all, the limit sees what CORS lets through.
    traffic, streamed = Traffic(prefix=config.prefix, pages=pages), StreamedPaths(config.prefix, pages)
    app.add_middleware(Express, services=services, prefix=config.prefix)
    kept = [f"{config.prefix}{path}" for path in KEPT_KEYS]
    app.add_middleware(
        Idempotency, keys=services.idempotency, traffic=traffic, clock=clock, streamed=streamed, kept=kept
    )
    app.add_middleware(Auditing, trail=services.audit, traffic=traffic, directory=directory)
    app.add_middleware(BodyLimit, max_bytes=config.max_body_bytes, unlimited=streamed)
    app.add_middleware(Gate, identity=services.identity, quotas=services.quotas, traffic=traffic)
    if config.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(config.cors_origins),
            allow_credentials="*" not in config.cors_origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Accept", "Idempotency-Key", "If-Match", "X-Request-ID"],
            expose_headers=[
                *("X-Request-ID", "Link", "Location", "ETag", "Retry-After"),
                *("Idempotency-Replayed", "RateLimit", "RateLimit-Policy"),
            ],
        )
    app.add_middleware(Doorkeeper, hosts=config.allowed_hosts)
    headers = SecurityHeaders(hsts_seconds=config.hsts_seconds)
    app.add_middleware(
        Edge, telemetry=services.telemetry, clock=clock, prefix=config.prefix, headers=headers, directory=directory
    )
    if pages is not None:
        app.add_middleware(_Dressed, dress=pages.dress)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign] # FastAPI's documented way to extend it
    return app


class _Dressed:
    """The outermost layer: what the pages put around everything."""

    def __init__(self, app: ASGIApp, *, dress: Callable[[ASGIApp], ASGIApp]) -> None:
        self._app = dress(app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        await self._app(scope, receive, send)


@asynccontextmanager
async def _nothing(_app: FastAPI) -> AsyncIterator[None]:
    yield


def _openapi(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes, tags=app.openapi_tags
        )
        schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        document.setdefault("components", {}).setdefault("schemas", {})["Problem"] = schema
        _declare_problems(document)
        declare_protection(document, str(app.state.prefix))
        app.openapi_schema = document
    return app.openapi_schema


def _declare_problems(document: dict[str, Any]) -> None:
    """Say the truth about 422: FastAPI declares its own shape, we answer with a problem."""
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for methods in document["paths"].values():
        for operation_object in methods.values():
            replies = operation_object.get("responses", {})
            if "422" in replies:
                replies["422"] = {"description": "The request is not as documented", "content": problem}
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)
