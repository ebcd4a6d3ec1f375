"""Builds the emulated org as one ASGI application."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Lifespan, Receive, Scope, Send

from orgbridge.emulator.commerce.guests import TABLES as GUEST_TABLES
from orgbridge.emulator.commerce.policy import Commerce, CommercePolicy
from orgbridge.emulator.commerce.profilecodes import TABLES as PROFILE_TABLES
from orgbridge.emulator.commerce.quotedlines import TABLES as QUOTE_TABLES
from orgbridge.emulator.commerce.savedconfigurations import TABLES as CONFIGURATION_TABLES
from orgbridge.emulator.commerce.seeding import seed_commerce
from orgbridge.emulator.commerce.settling import TABLES as CART_TABLES
from orgbridge.emulator.faults import Faults
from orgbridge.emulator.http.calls import Parts
from orgbridge.emulator.http.cursors import Cursors
from orgbridge.emulator.http.directory import Client, Directory, Login, SignInPolicy, read_public_key
from orgbridge.emulator.http.dispatch import Dispatcher
from orgbridge.emulator.http.grants import Grants
from orgbridge.emulator.http.lifecycle import Lifecycle
from orgbridge.emulator.http.middleware import CompressionMiddleware, FaultMiddleware, InflateMiddleware, Lanes
from orgbridge.emulator.http.requestlog import RequestLog, RequestLogMiddleware
from orgbridge.emulator.http.routes import route_table
from orgbridge.emulator.http.rowwrites import RowWrites
from orgbridge.emulator.http.sessions import Sessions
from orgbridge.emulator.http.usage import Usage
from orgbridge.emulator.jobs.classic.service import ClassicJobs
from orgbridge.emulator.jobs.ingest import IngestTools
from orgbridge.emulator.jobs.service import Jobs
from orgbridge.emulator.jobs.spool import Spool
from orgbridge.emulator.org.clocks import OrgClock
from orgbridge.emulator.org.intake import CHUNK_RECORDS
from orgbridge.emulator.org.org import Org
from orgbridge.emulator.org.policies import Policies
from orgbridge.emulator.org.schemas import Schemas, load_catalogue
from orgbridge.emulator.org.seed import Seed, seed_org
from orgbridge.emulator.schema.describes import read_describes
from orgbridge.emulator.schema.duplicate_rules import read_duplicate_rules
from orgbridge.emulator.schema.errors import SFError
from orgbridge.emulator.schema.loading import standard_objects
from orgbridge.emulator.schema.merging import check_names, merge_objects
from orgbridge.emulator.schema.metadata import read_metadata
from orgbridge.emulator.schema.model import Catalogue
from orgbridge.emulator.schema.profiles import COMMUNITY, READ_ONLY, read_profiles
from orgbridge.emulator.storage.database import Storage
from orgbridge.kit.clock import Clock, SystemClock
from orgbridge.kit.json import JSON
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
    #: Values of the row in User beside those that it needs; used when the row is made.
    fields: Mapping[str, str | bool] = field(default_factory=dict)
    #: False for one who may not sign in; used when the row is made.
    is_active: bool = True
    #: Whether the security token may be left out.
    trusted_address: bool = True
    #: Whether an administrator locked the user out.
    locked_out: bool = False
    #: Whether the password has to be changed: SOAP login says so.
    password_expired: bool = False
    #: Whether the user may use the API.
    api_enabled: bool = True
    #: Name of the profile; `Read Only Integration` for one who may write nothing.
    profile: str = "System Administrator"


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatorClient:
    """One more connected client; see `Client` for what each word means."""

    #: Consumer key.
    client_id: str
    #: Consumer secret.
    client_secret: str = field(default="", repr=False)
    #: PEM of the certificate (or public key) that its JWT assertions are checked with; None refuses them.
    jwt_certificate: str | None = field(default=None, repr=False)
    #: Addresses that browsers may be sent back to; with none, every address of the browser's own machine.
    redirect_uris: tuple[str, ...] = ()
    #: Whether codes and refresh tokens need the secret.
    secret_required: bool = True
    #: User names that may use it; None for all.
    permitted_users: tuple[str, ...] | None = None
    #: Whether users are asked, the first time, if they let it act for them.
    asks_consent: bool = True
    #: Whether JWT assertions need that consent beforehand.
    jwt_needs_consent: bool = False
    #: Name of the user whom client credentials run as; None for the org's first.
    run_as: str | None = None


#: The client that the Salesforce CLI comes with, without a secret as all apps on people's machines. Assumed: its key.
CLI_CLIENT = EmulatorClient(client_id="PlatformCLI", secret_required=False)
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
    #: Further connected clients.
    clients: tuple[EmulatorClient, ...] = (CLI_CLIENT,)
    #: Addresses that browsers may be sent back to for the first client; with none, those of the browser's own machine.
    redirect_uris: tuple[str, ...] = ()
    #: What the org lets people do at the door.
    policy: SignInPolicy = field(default_factory=SignInPolicy)
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
    #: Salesforce DX source folder (or describe replies) with more objects, fields, profiles and duplicate rules.
    metadata: Path | None = None
    #: Seconds that the parents of rows written by a bulk job stay locked for everybody else; 0 for never.
    lock_seconds: float = 0.0
    #: Rows below one parent in a batch of a bulk job that lock it for jobs running side by side; 0 for never.
    lock_rows: int = CHUNK_RECORDS
    #: What nobody could verify about commerce: codes, statuses, what is allowed.
    commerce: CommercePolicy = field(default_factory=CommercePolicy)
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
        MetadataError: `metadata` holds what is not emulated. Nothing was opened.
        UnknownObjectError: `metadata` names an object or a field that is not there. No row was touched.
    """
    clients = _clients(config)
    time = OrgClock(clock or SystemClock())
    objects, policies = _objects(config), _policies(config)
    storage = Storage(config.path)
    try:
        time.load(storage)
        org = Org(storage, catalogue or load_catalogue(storage, objects), time, policies)
        storage.ensure(CART_TABLES)
        storage.ensure(GUEST_TABLES)
        storage.ensure(PROFILE_TABLES)
        storage.ensure(QUOTE_TABLES)
        storage.ensure(CONFIGURATION_TABLES)
    except BaseException:
        storage.close()
        raise
    spool = Spool(None if config.path == MEMORY else Path(config.path + ".uploads"))
    faults = Faults()
    if config.batch_delay_seconds:
        faults.program({"kind": "slow_jobs", "delay_ms": config.batch_delay_seconds * 1000})
    logins = {user_id: _login(user) for user_id, user in zip(_settle(org, config), config.users, strict=True)}
    directory = Directory(
        org,
        org_name="Orgbridge Local Org",
        logins=logins,
        clients=clients,
        session_seconds=config.session_seconds,
        policy=config.policy,
    )
    idle = timedelta(seconds=config.session_seconds)
    sessions = Sessions(storage, time, org.org_id, idle, directory.is_active)
    if config.refresh_token:
        sessions.keep_refresh_token(config.refresh_token, next(iter(logins)), config.client_id)
    tools = IngestTools(
        org=org, spool=spool, faults=faults, clock=time, shuffle=config.shuffle_results, batch_rows=config.batch_rows
    )
    jobs, classic = Jobs(tools), ClassicJobs(tools)
    schemas = Schemas(org, None if catalogue is not None else objects or standard_objects(), time)
    usage, log = Usage(storage, time, config.daily_api_requests), RequestLog(time)
    parts = Parts(
        org=org,
        storage=storage,
        jobs=jobs,
        classic=classic,
        directory=directory,
        sessions=sessions,
        grants=Grants(storage, time),
        cursors=Cursors(storage, time),
        usage=usage,
        faults=faults,
        requests=log,
        schemas=schemas,
        lifecycle=Lifecycle(
            org=org,
            schemas=schemas,
            jobs=(jobs, classic),
            spool=spool,
            sessions=sessions,
            usage=usage,
            faults=faults,
            clock=time,
            log=log,
            new=lambda path: _write_new(config, catalogue, SystemClock() if clock is None else clock, path),
        ),
        clock=time,
        writes=RowWrites(storage),
        commerce=Commerce(config.commerce),
    )
    parts.lifecycle.load()
    return _application(parts, spool, control_from_anywhere=config.control_from_anywhere)


def _objects(config: EmulatorConfig) -> tuple[JSON, ...] | None:
    """Return the org's objects in the form of the data files; None for the standard ones alone."""
    if config.metadata is None:
        return None
    told = read_metadata(config.metadata)
    objects = merge_objects(merge_objects(standard_objects(), read_describes(config.metadata)), told)
    check_names(objects, told)
    return objects


def _policies(config: EmulatorConfig) -> Policies:
    if config.metadata is None:
        return Policies(lock_seconds=config.lock_seconds, lock_rows=config.lock_rows)
    return Policies(
        profiles=(READ_ONLY, COMMUNITY, *read_profiles(config.metadata)),
        duplicate_rules=read_duplicate_rules(config.metadata),
        lock_seconds=config.lock_seconds,
        lock_rows=config.lock_rows,
    )


def _settle(org: Org, config: EmulatorConfig) -> list[str]:
    """Give the org its first rows and its users, as far as they are not there; return the users' ids."""
    seed_org(org, config.seed)
    if config.seed is Seed.COMMERCE:
        seed_commerce(org)
    return [_user_id(org, user) for user in config.users]


def _write_new(config: EmulatorConfig, catalogue: Catalogue | None, clock: Clock, path: Path) -> None:
    """Write the file of an org that was never used."""
    storage = Storage(MEMORY)
    try:
        objects = catalogue or load_catalogue(storage, _objects(config))
        _settle(Org(storage, objects, clock, _policies(config)), config)
        storage.copy_to(path)
    finally:
        storage.close()


def write_template(config: EmulatorConfig, path: Path) -> None:
    """Write the file of a new org, to be copied as the beginning of many: opening it takes a few milliseconds."""
    _write_new(config, None, SystemClock(), path)


def _application(parts: Parts, spool: Spool, *, control_from_anywhere: bool) -> Starlette:
    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await run_in_threadpool(parts.sessions.sweep)
        await run_in_threadpool(parts.grants.sweep)
        await run_in_threadpool(parts.cursors.sweep_orphans)
        parts.jobs.start()
        parts.classic.start()
        keeper = asyncio.create_task(_keep_saving(parts))
        try:
            yield
        finally:
            keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await keeper
            await run_in_threadpool(parts.jobs.stop)
            await run_in_threadpool(parts.classic.stop)
            await run_in_threadpool(parts.lifecycle.save)
            await run_in_threadpool(parts.storage.close)
            spool.close()

    dispatcher: ASGIApp = Dispatcher(parts, route_table(), control_from_anywhere=control_from_anywhere)
    faulty = FaultMiddleware(CompressionMiddleware(InflateMiddleware(dispatcher)), parts.faults, parts.clock)
    lanes = Lanes(dispatcher, faulty, parts.faults)
    return _Application(RequestLogMiddleware(lanes, parts.requests, parts.clock), lifespan)


class _Application(Starlette):
    """Starlette for the lifespan; requests go straight on, past middleware and routes that have nothing to do here."""

    def __init__(self, requests: ASGIApp, lifespan: Lifespan[Starlette]) -> None:
        super().__init__(lifespan=lifespan)
        self._requests = requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or follow the server's start and end."""
        if scope["type"] == "http":
            await self._requests(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


async def _keep_saving(parts: Parts) -> None:
    while True:
        await parts.clock.sleep(_SAVE_SECONDS)
        await run_in_threadpool(parts.lifecycle.save)


def _clients(config: EmulatorConfig) -> list[Client]:
    """Return the connected clients: the one that is configured by single words, then the others."""
    first = EmulatorClient(
        client_id=config.client_id,
        client_secret=config.client_secret,
        jwt_certificate=config.jwt_certificate,
        redirect_uris=config.redirect_uris,
    )
    return [
        Client(
            client_id=client.client_id,
            client_secret=client.client_secret,
            public_key=read_public_key(client.jwt_certificate) if client.jwt_certificate else None,
            redirect_uris=client.redirect_uris,
            secret_required=client.secret_required,
            permitted_users=_lowered(client.permitted_users),
            asks_consent=client.asks_consent,
            jwt_needs_consent=client.jwt_needs_consent,
            run_as=client.run_as,
        )
        for client in (first, *config.clients)
    ]


def _lowered(names: tuple[str, ...] | None) -> frozenset[str] | None:
    return None if names is None else frozenset(map(str.lower, names))


def _login(user: EmulatorUser) -> Login:
    return Login(
        username=user.username,
        password=user.password,
        security_token=user.security_token,
        trusted_address=user.trusted_address,
        locked_out=user.locked_out,
        password_expired=user.password_expired,
        api_enabled=user.api_enabled,
    )


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
        "ProfileId": _profile_id(org, user.profile),
        "IsActive": user.is_active,
        **user.fields,
    }
    outcome = org.insert("User", [row], user_id=org.admin_id)[0]
    if outcome.id is None:
        raise SFError.from_fault(outcome.errors[0])
    if org.catalogue.sobject("PermissionSet") is not None:
        # Every user has the permission set that stands for the profile.
        own = org.find_by_key("PermissionSet", "Name", f"X{row['ProfileId']}")
        given = [{"PermissionSetId": set_id, "AssigneeId": outcome.id} for set_id in own]
        org.insert("PermissionSetAssignment", given, user_id=org.admin_id)
    return outcome.id


def _profile_id(org: Org, name: str) -> str:
    found = org.find_by_key("Profile", "Name", name)
    if not found:
        raise SFError("NOT_FOUND", f"The org has no profile {name}")
    return found[0]
