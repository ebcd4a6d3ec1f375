"""Everything in one process: service, worker and emulated org, on loopback, over one data folder."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn
import uvloop
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from fastapi import FastAPI
from starlette.types import ASGIApp

from orgbridge.api.app import build_api
from orgbridge.emulator.app import EmulatorConfig, EmulatorUser, build_app
from orgbridge.emulator.org.seed import Seed
from orgbridge.engine.worker import run_worker
from orgbridge.kit.json import JSON, dumps
from orgbridge.kit.logs import get_logger
from orgbridge.services.bundle import Services
from orgbridge.wiring.carts import mirror_swept
from orgbridge.wiring.companions import build_companions
from orgbridge.wiring.console import build_pages, sign_in_url
from orgbridge.wiring.documents import kept
from orgbridge.wiring.house import build_house
from orgbridge.wiring.identity import make_first_admin
from orgbridge.wiring.protection import counting
from orgbridge.wiring.rotation import upkeep
from orgbridge.wiring.service import api_config, build_services, server_config
from orgbridge.wiring.settings import AuthFlow, Settings, load_settings
from orgbridge.wiring.signals import end_process
from orgbridge.wiring.startup import listen, make_data_folder, prepare_tables, start_logs
from orgbridge.wiring.tracing import start_traces
from orgbridge.wiring.worker import worker_config

#: Where the address and the token of the local administrator lie in the data folder.
CLI_FILE = "cli.json"
#: Where everything that happens is logged in the data folder, unless the settings say otherwise.
LOG_FILE = "up.log"
#: Where the key of the emulated org's users lies in the data folder.
_BUYERS_KEY = "org-users.pem"
ADMIN_NAME = "local-admin"
_USERNAME, _PASSWORD = "admin@local.org", "localpass"
_CLIENT_ID, _CLIENT_SECRET = "local-client", "local-secret"
_TOKEN_LIFETIME = timedelta(days=30)
log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalAddresses:
    """Where everything is."""

    #: The service's root.
    service_url: str
    #: The emulated org's root.
    org_url: str
    #: The file with the service's address and the administrator's token.
    cli_file: Path
    #: The folder whose files `/bulk/local-file-process` reads.
    input_folder: Path
    #: The log file; None when logs go to standard error only.
    log_file: Path | None
    #: Where the console is, and signs the local administrator in, once; None when it is switched off.
    console_url: str | None


def local_settings(data: Path, org_url: str, jwt_key: Path | None = None) -> Settings:
    """Return the settings of a house that talks to its own emulated org and keeps everything in one folder.

    Args:
        data: The folder.
        org_url: The emulated org's root.
        jwt_key: Key that signs users of the org in, unless the environment names one.

    Raises:
        SettingsError: A setting of the environment is wrong.
    """
    overrides: dict[str, JSON] = {
        "orgbridge_data": data,
        "salesforce_auth_flow": AuthFlow.PASSWORD,
        "salesforce_client_id": _CLIENT_ID,
        "salesforce_client_secret": _CLIENT_SECRET,
        "salesforce_username": _USERNAME,
        "salesforce_password": _PASSWORD,
        # The org is in this very process, whatever address its people chose for it.
        "orgbridge_salesforce_http_hosts": [urlsplit(org_url).hostname],
        "salesforce_token_url": f"{org_url}/services/oauth2/token",
    }
    given = load_settings(needs_salesforce=False, **overrides)
    if jwt_key is not None and not given.has_salesforce_key:
        overrides["orgbridge_salesforce_jwt_key_path"] = jwt_key
    # The documents' folders are those of a container; here they lie in the data folder unless they were set.
    for name in ("data_path_input", "data_path_output", "data_path_failed"):
        if name not in given.model_fields_set:
            overrides[name] = data / name.removeprefix("data_path_")
    return load_settings(**overrides)


def local_org(path: Path, seed: Seed = Seed.EMPTY, jwt_certificate: str | None = None) -> EmulatorConfig:
    """Return the emulated org that `local_settings` signs in to: the published defaults, which guard nothing."""
    admin = EmulatorUser(username=_USERNAME, password=_PASSWORD, security_token="LOCALTOKEN")  # noqa: S106
    return EmulatorConfig(
        path=str(path),
        seed=seed,
        users=(admin,),
        client_id=_CLIENT_ID,
        client_secret=_CLIENT_SECRET,
        jwt_certificate=jwt_certificate,
    )


def buyers_certificate(path: Path) -> str:
    """Return the public half of the key that signs users of the emulated org in; the key is made if it is not there.

    Raises:
        OSError: The file cannot be written or read.
    """
    if not path.exists():
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(text)
    held = load_pem_private_key(path.read_bytes(), None)
    return held.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def up(
    *,
    data: Path,
    port: int = 8000,
    emulator_port: int = 8080,
    host: str = "127.0.0.1",
    seed: str = Seed.EMPTY.value,
    announce: Callable[[LocalAddresses], None],
) -> None:
    """Run everything until told to stop, then end the process.

    Args:
        data: Data folder.
        port: The service's port; 0 lets the system choose.
        emulator_port: The emulated org's port; 0 lets the system choose.
        host: Address of both.
        seed: What a new emulated org holds; with `commerce` its buyers can be signed in as well.
        announce: Called once everything answers.

    Raises:
        PortInUse: A port is taken; nothing was started.
        SettingsError: A setting is wrong or the folder cannot be used; nothing was started.
        EngineAlreadyRunning: Another worker runs on this folder.
    """
    folder = data.absolute()
    with listen(host, port) as service_socket, listen(host, emulator_port) as org_socket:
        key = folder / _BUYERS_KEY if seed == Seed.COMMERCE else None
        settings = local_settings(folder, _url(host, org_socket), key)
        make_data_folder(settings)
        own = key if key == settings.orgbridge_salesforce_jwt_key_path else None
        org = local_org(folder / "org.sqlite", Seed(seed), None if own is None else buyers_certificate(own))
        log_file = start_logs(settings, quiet_file=folder / LOG_FILE)
        settings.data_path_input.mkdir(parents=True, exist_ok=True)
        prepare_tables(settings)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_up(settings, org, host, service_socket, org_socket, announce, log_file))
            # Left from within the runner, for the reason given in `worker.work`.
            end_process(0)


async def _up(
    settings: Settings,
    org_config: EmulatorConfig,
    host: str,
    service_socket: socket.socket,
    org_socket: socket.socket,
    announce: Callable[[LocalAddresses], None],
    log_file: Path | None,
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    house = build_house(settings)
    services = build_services(settings, house)
    await make_first_admin(settings, services.identity)
    tracing = start_traces(settings, "up")
    app = build_api(services, api_config(settings), house.clock, pages=build_pages(settings, services))
    if tracing is not None:
        tracing.observe_database(house.database)
        tracing.observe_app(app)
    org = build_app(org_config)
    ready = asyncio.Event()
    async with (
        kept(services.documents.store, house.clock),
        upkeep(settings, house, services.identity.keys, services.documents.store),
        counting(services.quotas),
        mirror_swept(house),
        _served(org, org_socket),
        _served(app, service_socket),
    ):
        worker = asyncio.create_task(
            run_worker(
                worker_config(settings),
                house.database,
                house.files,
                house.orgs,
                house.clock,
                stop,
                ready=ready.set,
                companions=build_companions(settings, house),
            )
        )
        waiting = asyncio.create_task(ready.wait())
        await asyncio.wait({worker, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if worker.done():
            await worker
        made = await services.identity.local_admin_token(ADMIN_NAME, _TOKEN_LIFETIME)
        service_url = _url(host, service_socket)
        addresses = LocalAddresses(
            service_url=service_url,
            org_url=_url(host, org_socket),
            cli_file=settings.orgbridge_data / CLI_FILE,
            input_folder=settings.data_path_input,
            log_file=log_file,
            console_url=await _console_url(settings, services, service_url, made.token),
        )
        write_cli_file(
            addresses.cli_file,
            url=addresses.service_url,
            token=made.token,
            prefix=settings.api_v1_str,
            org_url=addresses.org_url,
        )
        announce(addresses)
        await worker
    await services.audit.close()
    await house.close()
    if tracing is not None:
        await tracing.close()


async def _console_url(settings: Settings, services: Services, service_url: str, token: str) -> str | None:
    if not settings.orgbridge_console:
        return None
    caller = await services.identity.caller(token, [])
    return sign_in_url(service_url, services.links.make(caller.user_id))


def write_cli_file(path: Path, *, url: str, token: str, prefix: str, org_url: str) -> None:
    """Write where all is and the administrator's token, readable for its owner alone, whole or not at all."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(dumps({"url": url, "token": token, "prefix": prefix, "org_url": org_url}))
    temporary.replace(path)


class _Quiet(uvicorn.Server):
    """A server among several in one process: signals are the process's, not its own."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


@asynccontextmanager
async def _served(app: FastAPI | ASGIApp, sock: socket.socket) -> AsyncIterator[None]:
    server = _Quiet(server_config(app))
    task = asyncio.create_task(server.serve(sockets=[sock]))
    try:
        while not server.started:
            if task.done():
                await task
            await asyncio.wait({task}, timeout=0.02)
        yield
    finally:
        # As its own handler of the signal would: streams of events hear of it, and end.
        server.handle_exit(signal.SIGTERM, None)
        await task


def _url(host: str, sock: socket.socket) -> str:
    shown = "127.0.0.1" if host in ("0.0.0.0", "::", "") else host
    return f"http://{f'[{shown}]' if ':' in shown else shown}:{sock.getsockname()[1]}"
