"""Builds the emulated org as one ASGI application."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Mount
from starlette.types import ASGIApp

from orgbridge.emulator.faults import Faults
from orgbridge.emulator.http.calls import Parts
from orgbridge.emulator.http.cursors import Cursors
from orgbridge.emulator.http.directory import Client, Directory, Login, read_public_key
from orgbridge.emulator.http.dispatch import Dispatcher
from orgbridge.emulator.http.lifecycle import Lifecycle
from orgbridge.emulator.http.middleware import FaultMiddleware, InflateMiddleware
from orgbridge.emulator.http.requestlog import RequestLog, RequestLogMiddleware
from orgbridge.emulator.http.routes import route_table
from orgbridge.emulator.http.sessions import Sessions
from orgbridge.emulator.http.usage import Usage
from orgbridge.emulator.jobs.ingest import IngestTools
from orgbridge.emulator.jobs.service import Jobs
from orgbridge.emulator.jobs.spool import Spool
from orgbridge.emulator.org.clocks import OrgClock
from orgbridge.emulator.org.org import Org
from orgbridge.emulator.org.seed import Seed, seed_org
from orgbridge.emulator.schema.errors import SFError
from orgbridge.emulator.schema.loading import standard_catalogue
from orgbridge.emulator.schema.model import Catalogue
from orgbridge.emulator.storage.database import Storage
from orgbridge.kit.clock import Clock, SystemClock
from orgbridge.wire.limits import INGEST_BATCH_RECORDS, SESSION_SECONDS

#: Path that stands for a private org that ends with the process.
MEMORY = ":memory:"
_SAVE_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatorUser:
    """One user who may sign in; the row in User is made when it is not there."""

    #: Looked up without regard to case.
    username: str
    #: Plain: this is an emulated org.
    password: str = field(repr=False)
    #: What callers append to the password.
    security_token: str = field(default="", repr=False)


#: Who may sign in when nobody else is named. Known to everybody: the emulated org holds no real data.
DEFAULT_USER = EmulatorUser(username="admin@local.org", password="localpass", security_token="LOCALTOKEN")  # noqa: S106


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatorConfig:
    """What an emulated org is like."""

    #: SQLite file of the org, or `:memory:`. Uploads lie beside it in `{path}.uploads`. One process at a time.
    path: str = MEMORY
    #: What a new org holds: nothing of its own, or some sample rows.
    seed: Seed = Seed.EMPTY
    #: Who may sign in; client credentials run as the first.
    users: tuple[EmulatorUser, ...] = (DEFAULT_USER,)
    #: Consumer key of the connected client.
    client_id: str = "local-client"
    #: Consumer secret of the connected client.
    client_secret: str = field(default="local-secret", repr=False)
    #: PEM of the certificate (or public key) that JWT assertions are checked with; None refuses them.
    jwt_certificate: str | None = field(default=None, repr=False)
    #: A refresh token that is good from the start, for the first user; None for none.
    refresh_token: str | None = field(default=None, repr=False)
    #: Seconds that a session lives without use.
    session_seconds: int = SESSION_SECONDS
    #: API calls allowed in a day. Source: facts/salesforce/rest.md section 5, a full sandbox.
    daily_api_requests: int = 5_000_000
    #: Whether bulk results lose the order of upload, as they do in a real org.
    shuffle_results: bool = True
    #: Rows of an internal batch of an ingest job.
    batch_rows: int = INGEST_BATCH_RECORDS
    #: Pause before each batch, to make jobs last.
    batch_delay_seconds: float = 0.0
    #: Whether other machines may use the controls under /_emulator; otherwise this one only.
    control_from_anywhere: bool = False


def build_app(config: EmulatorConfig, *, catalogue: Catalogue | None = None, clock: Clock | None = None) -> Starlette:
    """Return the application of an emulated org; its jobs run while the application's lifespan lasts.

    Args:
        config: What the org is like.
        catalogue: Its objects; the standard ones when None.
        clock: The time; the system's when None.

    Raises:
        CertificateError: `jwt_certificate` is no certificate. Nothing was opened.
    """
    key = read_public_key(config.jwt_certificate) if config.jwt_certificate else None
    time = OrgClock(clock or SystemClock())
    objects = catalogue or standard_catalogue()
    storage = Storage(config.path)
    time.load(storage)
    org, user_ids = _found(config, storage, objects, time)
    spool = Spool(None if config.path == MEMORY else Path(config.path + ".uploads"))
    faults = Faults()
    if config.batch_delay_seconds:
        faults.program({"kind": "slow_jobs", "delay_ms": config.batch_delay_seconds * 1000})
    logins = [Login(username=u.username, password=u.password, security_token=u.security_token) for u in config.users]
    sessions = Sessions(storage, time, org.org_id, timedelta(seconds=config.session_seconds))
    if config.refresh_token:
        sessions.keep_refresh_token(config.refresh_token, user_ids[0], config.client_id)
    client = Client(client_id=config.client_id, client_secret=config.client_secret, public_key=key)
    tools = IngestTools(
        org=org, spool=spool, faults=faults, clock=time, shuffle=config.shuffle_results, batch_rows=config.batch_rows
    )
    jobs, usage, log = Jobs(tools), Usage(storage, time, config.daily_api_requests), RequestLog(time)
    parts = Parts(
        org=org,
        storage=storage,
        jobs=jobs,
        directory=Directory(
            org,
            org_name="Orgbridge Local Org",
            logins=logins,
            clients=(client,),
            session_seconds=config.session_seconds,
        ),
        sessions=sessions,
        cursors=Cursors(storage, time),
        usage=usage,
        faults=faults,
        requests=log,
        lifecycle=Lifecycle(
            org=org,
            jobs=jobs,
            spool=spool,
            sessions=sessions,
            usage=usage,
            faults=faults,
            clock=time,
            log=log,
            new=lambda path: _write_new(config, objects, SystemClock() if clock is None else clock, path),
        ),
        clock=time,
    )
    parts.lifecycle.load()
    return _application(parts, spool, control_from_anywhere=config.control_from_anywhere)


def _found(config: EmulatorConfig, storage: Storage, catalogue: Catalogue, clock: Clock) -> tuple[Org, list[str]]:
    """Return the org on a storage, with its first rows and its users, and the users' ids."""
    org = Org(storage, catalogue, clock)
    seed_org(org, config.seed)
    return org, [_user_id(org, user) for user in config.users]


def _write_new(config: EmulatorConfig, catalogue: Catalogue, clock: Clock, path: Path) -> None:
    """Write the file of an org that was never used."""
    storage = Storage(MEMORY)
    try:
        _found(config, storage, catalogue, clock)
        storage.copy_to(path)
    finally:
        storage.close()


def write_template(config: EmulatorConfig, path: Path) -> None:
    """Write the file of a new org, to be copied as the beginning of many: opening it takes a few milliseconds."""
    _write_new(config, standard_catalogue(), SystemClock(), path)


def _application(parts: Parts, spool: Spool, *, control_from_anywhere: bool) -> Starlette:
    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await run_in_threadpool(parts.sessions.sweep)
        await run_in_threadpool(parts.cursors.sweep_orphans)
        parts.jobs.start()
        keeper = asyncio.create_task(_keep_saving(parts))
        try:
            yield
        finally:
            keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await keeper
            await run_in_threadpool(parts.jobs.stop)
            await run_in_threadpool(parts.lifecycle.save)
            await run_in_threadpool(parts.storage.close)
            spool.close()

    dispatcher: ASGIApp = Dispatcher(parts, route_table(), control_from_anywhere=control_from_anywhere)
    return Starlette(
        routes=[Mount("/", app=dispatcher)],
        middleware=[
            Middleware(RequestLogMiddleware, log=parts.requests, clock=parts.clock),
            Middleware(FaultMiddleware, faults=parts.faults, clock=parts.clock),
            Middleware(GZipMiddleware, minimum_size=500, compresslevel=1),
            Middleware(InflateMiddleware),
        ],
        lifespan=lifespan,
    )


async def _keep_saving(parts: Parts) -> None:
    while True:
        await parts.clock.sleep(_SAVE_SECONDS)
        await run_in_threadpool(parts.lifecycle.save)


def _user_id(org: Org, user: EmulatorUser) -> str:
    """Return the id of the user's row in User, which is made when it is not there."""
    found = org.find_user(user.username)
    if found is not None:
        return found.id
    name = user.username.partition("@")[0]
    row = {
        "Username": user.username,
        "LastName": name[:80],
        "Email": user.username if "@" in user.username else f"{user.username}@local.org",
        "Alias": name[:8],
        "TimeZoneSidKey": "GMT",
        "LocaleSidKey": "en_US",
        "EmailEncodingKey": "UTF-8",
        "LanguageLocaleKey": "en_US",
        "ProfileId": org.get("User", org.admin_id, ["ProfileId"])["ProfileId"],
    }
    outcome = org.insert("User", [row], user_id=org.admin_id)[0]
    if outcome.id is None:
        raise SFError.from_fault(outcome.errors[0])
    return outcome.id
