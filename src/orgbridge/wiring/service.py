"""The service: everything it is made of, built top to bottom, and the server that runs it."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NoReturn

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp

from orgbridge.api.app import APIConfig, build_api
from orgbridge.kit.logs import get_logger
from orgbridge.kit.prometheus import forget_gone
from orgbridge.services.audit import AuditTrail
from orgbridge.services.batches import BatchService
from orgbridge.services.bundle import Services
from orgbridge.services.commerce.accounts import AccountService
from orgbridge.services.commerce.counters import StoreCounter
from orgbridge.services.commerce.diagnosis import DiagnosisService
from orgbridge.services.commerce.documents import DocumentService
from orgbridge.services.commerce.granted_machines import GrantedMachines
from orgbridge.services.commerce.hierarchies import HierarchyService
from orgbridge.services.commerce.machines import MachineService
from orgbridge.services.commerce.mappings import MappingService
from orgbridge.services.commerce.order_rights import OrderRights
from orgbridge.services.commerce.orders import OrderService
from orgbridge.services.commerce.parts import PartService
from orgbridge.services.commerce.placements import PlacementService
from orgbridge.services.commerce.reaches import Reaches
from orgbridge.services.commerce.sights import Sight
from orgbridge.services.commerce.trees import AccountTrees
from orgbridge.services.composite import CompositeService
from orgbridge.services.cursors import Cursors
from orgbridge.services.events import EventService
from orgbridge.services.health import HealthService
from orgbridge.services.jobs import JobService
from orgbridge.services.limits import LimitService
from orgbridge.services.loads import IntakeConfig, LoadService
from orgbridge.services.local_batches import LocalBatchService
from orgbridge.services.passwords import HashCost
from orgbridge.services.policies.guard import Guard
from orgbridge.services.preflight import PreflightService
from orgbridge.services.queries import QueryService
from orgbridge.services.records import RecordService
from orgbridge.services.retries import RetryService
from orgbridge.services.sequels import Sequels
from orgbridge.services.server_inputs import ServerInputs
from orgbridge.services.sign_in_links import SignInLinks
from orgbridge.services.telemetry import Telemetry
from orgbridge.services.undo import UndoService
from orgbridge.services.webhooks import WebhookService
from orgbridge.wiring.carts import build_carts
from orgbridge.wiring.changes import build_audiences
from orgbridge.wiring.console import build_pages
from orgbridge.wiring.documents import build_documents, kept
from orgbridge.wiring.draining import Drain, Draining
from orgbridge.wiring.files import export_targets, import_sources
from orgbridge.wiring.house import House, build_house
from orgbridge.wiring.identity import build_keys, build_people, make_first_admin
from orgbridge.wiring.protection import audit_config, build_idempotency, build_quotas, counting
from orgbridge.wiring.purchasing import build_purchasing
from orgbridge.wiring.rotation import upkeep
from orgbridge.wiring.settings import Settings, hand_down, load_settings, share_figures, shared_figures
from orgbridge.wiring.signals import end_process, termination_is_an_end
from orgbridge.wiring.startup import listen, make_data_folder, prepare_tables, say_warnings, start_logs
from orgbridge.wiring.supervision import Supervisor
from orgbridge.wiring.tracing import start_traces

#: Longest time that a stopping server waits for requests under way, after it has drained.
_GRACE_SECONDS = 20
log = get_logger(__name__)


def build_services(settings: Settings, house: House, cost: HashCost | None = None) -> Services:
    """Return all services over the connections.

    Args:
        settings: All settings.
        house: The connections.
        cost: Of password hashes; None takes the recommended one.

    Raises:
        UnusableKey: A key of the settings cannot be used.
    """
    database, files, orgs, clock = house.database, house.files, house.orgs, house.clock
    people = build_people(settings, database, clock, cost)
    sources = import_sources(settings)
    intake = IntakeConfig(
        input_folder=settings.data_path_input,
        sources=sources,
        part_rows=settings.orgbridge_part_rows,
        targets=export_targets(settings),
    )
    records, batches = RecordService(orgs), BatchService(orgs, clock)
    jobs = JobService(database, files, orgs)
    loads = LoadService(database, files, orgs, clock, intake)
    sequels = Sequels(database, files, clock, Guard(orgs))
    cursors = Cursors(settings.cursor_secret())
    trail = AuditTrail(database, clock, audit_config(settings))
    trees = AccountTrees(orgs, clock)
    accounts = AccountService(database, trees)
    documents = build_documents(settings, database, clock)
    sight = Sight(orgs)
    machines = MachineService(Reaches(database, accounts, trees), sight, cursors, clock)
    carts = build_carts(settings, house, accounts)
    rights = OrderRights(orgs)
    placements = PlacementService(database, accounts, carts.shops, rights, clock)
    return Services(
        records=records,
        batches=batches,
        local_batches=LocalBatchService(batches, records, ServerInputs(settings.data_path_input, sources)),
        queries=QueryService(orgs, cursors),
        composite=CompositeService(orgs, cursors),
        limits=LimitService(orgs),
        loads=loads,
        preflight=PreflightService(loads, files, orgs, clock),
        identity=people.identity,
        links=SignInLinks(clock),
        users=people.users,
        service_accounts=people.service_accounts,
        roles=people.roles,
        organizations=people.organizations,
        jobs=jobs,
        events=EventService(database, jobs, clock),
        webhooks=WebhookService(database, settings.webhook_policy, clock, followers=build_audiences(settings, house)),
        documents=DocumentService(documents, GrantedMachines(database, machines), cursors, clock),
        health=HealthService(database, orgs, clock, documents=documents),
        retries=RetryService(sequels, files),
        undo=UndoService(sequels, files, database),
        telemetry=Telemetry(
            database, orgs, clock, settings.orgbridge_data, lease_seconds=settings.orgbridge_lease_seconds
        ),
        idempotency=build_idempotency(settings, database, clock),
        quotas=build_quotas(settings, database, clock),
        audit=trail,
        purchasing=build_purchasing(
            settings, house, trail, accounts=accounts, carts=carts, placements=placements, rights=rights
        ),
        accounts=accounts,
        mappings=MappingService(database, orgs, accounts, trees, clock),
        hierarchies=HierarchyService(orgs, accounts, trees),
        diagnosis=DiagnosisService(database, orgs, accounts, trees, webstore_id=settings.webstore_id),
        machines=machines,
        parts=PartService(machines, accounts, sight, cursors, StoreCounter(carts.shops)),
        carts=carts.carts,
        cart_batches=carts.batches,
        cart_transfers=carts.transfers,
        placements=placements,
        orders=OrderService(orgs, accounts, carts.shops, cursors),
    )


def build_app(settings: Settings, cost: HashCost | None = None) -> FastAPI:
    """Return the ASGI application; its connections close when it shuts down.

    Args:
        settings: All settings.
        cost: Of password hashes; None takes the recommended one.

    Raises:
        SettingsError: The data folder or a key cannot be used.
        UnusableKey: A key of the settings cannot be used.
    """
    house = build_house(settings)
    services = build_services(settings, house, cost)
    tracing = start_traces(settings, "service")
    if tracing is not None:
        tracing.observe_database(house.database)
    drain = Drain()

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await make_first_admin(settings, services.identity)
        try:
            documents = services.documents.store
            async with (
                kept(documents, house.clock),
                counting(services.quotas),
                upkeep(settings, house, services.identity.keys, documents),
                drain.before_the_end(services.health.stop),
            ):
                log.info("service_started", version=settings.app_version)
                yield
        finally:
            await services.audit.close()
            await house.close()
            if tracing is not None:
                await tracing.close()
            log.info("service_stopped")

    app = build_api(services, api_config(settings), house.clock, lifespan, build_pages(settings, services))
    if tracing is not None:
        tracing.observe_app(app)
    app.add_middleware(Draining, drain=drain)
    return app


def api_config(settings: Settings) -> APIConfig:
    """Return how the API presents itself."""
    return APIConfig(
        name=settings.app_name,
        version=settings.app_version,
        prefix=settings.api_v1_str,
        cors_origins=tuple(settings.backend_cors_origins),
        max_body_bytes=settings.orgbridge_max_body_bytes,
        allowed_hosts=tuple(settings.orgbridge_allowed_hosts),
        hsts_seconds=settings.orgbridge_hsts_seconds,
    )


def app_from_environment() -> FastAPI:
    """Return the application for a server that names it by import string, e.g. `uvicorn --factory`.

    Raises:
        SettingsError: Settings are missing or wrong.
    """
    settings = load_settings()
    start_logs(settings)
    if (shared := shared_figures()) is not None:
        forget_gone(shared)
    prepare_tables(settings)
    return build_app(settings)


def serve(settings: Settings, *, host: str | None = None, port: int | None = None, workers: int | None = None) -> None:
    """Run the service until it is told to stop.

    Args:
        settings: All settings.
        host: Address to listen on; None takes ORGBRIDGE_HOST.
        port: Port to listen on; None takes ORGBRIDGE_PORT.
        workers: Processes; None takes ORGBRIDGE_WORKERS.

    Raises:
        PortInUse: Another program listens there; nothing was started.
        SettingsError: A folder, key or address cannot be used; nothing was started.
        StoreError: The database cannot be reached or is not up to date; nothing was started.
    """
    start_logs(settings)
    say_warnings(settings)
    chosen_host = host if host is not None else settings.orgbridge_host
    chosen_port = port if port is not None else settings.orgbridge_port
    make_data_folder(settings)
    with listen(chosen_host, chosen_port) as sock:
        prepare_tables(settings)
        log.info("service_listens", host=chosen_host, port=sock.getsockname()[1])
        count = workers if workers is not None else settings.orgbridge_workers
        if count > 1:
            _serve_many(settings, sock, count)
        else:
            proxies = settings.orgbridge_trusted_proxies
            with termination_is_an_end():
                uvicorn.Server(server_config(build_app(settings), proxies=proxies)).run(sockets=[sock])


def server_config(app: ASGIApp | str, *, workers: int = 1, proxies: Sequence[str] = ()) -> uvicorn.Config:
    """Return how uvicorn runs an application of ours: our logs, no access log of its own, no server header.

    Args:
        app: What to run.
        workers: Processes.
        proxies: Addresses and networks whose X-Forwarded-For is believed; none: nobody's.
    """
    return uvicorn.Config(
        app,
        factory=isinstance(app, str),
        workers=workers,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=list(proxies),
        timeout_graceful_shutdown=_GRACE_SECONDS,
        # A child answers its parent once it has imported everything: on a busy machine not within the usual 5 s.
        timeout_worker_healthcheck=60,
    )


def _serve_many(settings: Settings, sock: socket.socket, count: int) -> NoReturn:
    build_keys(settings)  # Made once here, so that no two children make different keys.
    hand_down(settings)
    factory, proxies = "orgbridge.wiring.service:app_from_environment", settings.orgbridge_trusted_proxies
    config = server_config(factory, workers=count, proxies=proxies)
    # Not in the data folder: that may be a network's, and these files are written at every request.
    with tempfile.TemporaryDirectory(prefix="orgbridge-figures-", ignore_cleanup_errors=True) as figures:
        share_figures(Path(figures))
        status = Supervisor(config, sock).watch()
    # Taking the interpreter apart may take longer than all of the stopping before it.
    end_process(status)
