"""Serves an emulated org over HTTP. Runnable as `python -m orgbridge.wiring.emulator` for tests."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import gc
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from orgbridge.emulator.app import MEMORY, EmulatorConfig, EmulatorUser, build_app
from orgbridge.emulator.http.directory import CertificateError
from orgbridge.emulator.org.seed import Seed
from orgbridge.emulator.schema.errors import SFError
from orgbridge.emulator.schema.merging import UnknownObjectError
from orgbridge.emulator.schema.metadata_files import MetadataError
from orgbridge.wire.limits import URI_BYTES
from orgbridge.wiring.emulator_protocol import EmulatorProtocol
from orgbridge.wiring.org_files import OrgFileError, read_org_file

#: Exit status when the emulator cannot start.
EXIT_UNUSABLE = 2
#: How every SQLite file begins.
_SQLITE = b"SQLite format 3\0"
#: Connections that may wait to be taken.
_BACKLOG = 512
#: New objects, young collections and middle ones after which the garbage collector looks for cycles.
_COLLECT = (20_000, 20, 20)
#: Seconds that replies under way get when the process is told to stop.
_GRACE_SECONDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatorServeConfig:
    """Where an emulated org listens, and what it is like."""

    #: Address to listen on.
    host: str = "127.0.0.1"
    #: Port; 0 takes a free one, which the ready line names.
    port: int = 8080
    #: What the org is like.
    org: EmulatorConfig = field(default_factory=EmulatorConfig)
    #: Level of the server's own log.
    log_level: str = "warning"
    #: Certificate and key file in PEM for TLS; None serves plain HTTP.
    tls_certificate: Path | None = None
    #: See `tls_certificate`.
    tls_key: Path | None = None


class CannotServe(Exception):
    """The emulator cannot start; the message is one line for people."""


def _listen(config: EmulatorServeConfig) -> socket.socket:
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((config.host, config.port))
        listener.listen(_BACKLOG)
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise CannotServe(
            f"The emulated org cannot listen on {config.host} port {config.port}: {reason}. "
            "Stop what uses the port, or choose another with --port."
        ) from error
    listener.set_inheritable(True)
    return listener


def serve_emulator(config: EmulatorServeConfig) -> None:
    """Serve an emulated org until SIGTERM or SIGINT. Prints one line with the address once it listens.

    Raises:
        CannotServe: The port is taken, or the org's file or certificate cannot be used. Nothing is listening, and no
            row was touched.
    """
    with contextlib.ExitStack() as open_things:
        listener = open_things.enter_context(_listen(config))
        open_things.enter_context(_only_process(config.org.path))
        try:
            app = build_app(config.org)
        except (CertificateError, MetadataError, SFError, UnknownObjectError, OSError) as error:
            raise CannotServe(f"The emulated org cannot start: {error}") from error
        _serve(config, app, listener)


@contextlib.contextmanager
def _only_process(path: str) -> Iterator[None]:
    """Hold the org's file for this process: two of them would each carry the same jobs on.

    The lock goes away with the process, however it ends.
    """
    if path == MEMORY:
        yield
        return
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with Path(path).open("ab+") as file:
            file.seek(0)
            if file.read(len(_SQLITE)) not in (b"", _SQLITE):
                raise CannotServe(f"The emulated org cannot use {path}: the file is no SQLite database.")
        lock = Path(path + ".lock").open("ab")  # noqa: SIM115 closed below
    except OSError as error:
        raise CannotServe(f"The emulated org cannot use {path}: {error.strerror or error}.") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise CannotServe(f"The emulated org cannot use {path}: another emulator runs on it.") from error
        yield


def _serve(config: EmulatorServeConfig, app: ASGIApp, listener: socket.socket) -> None:
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            loop="uvloop",
            http=EmulatorProtocol,
            ws="none",
            log_level=config.log_level,
            access_log=False,
            server_header=False,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=_GRACE_SECONDS,
            h11_max_incomplete_event_size=URI_BYTES,
            ssl_certfile=config.tls_certificate,
            ssl_keyfile=config.tls_key,
        )
    )
    scheme = "http" if config.tls_certificate is None else "https"
    host, port = listener.getsockname()[:2]
    sys.stderr.write(f"The emulated org listens on {scheme}://{f'[{host}]' if ':' in host else host}:{port}\n")
    sys.stderr.flush()
    with _quiet_end(), _seldom_collected():
        server.run(sockets=[listener])


@contextlib.contextmanager
def _seldom_collected() -> Iterator[None]:
    """Look for garbage in cycles seldom, and never in what the org is made of, which stays until the end.

    Requests and jobs leave few cycles behind; looking for them as often as Python does costs a tenth of the time.
    """
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECT)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


@contextlib.contextmanager
def _quiet_end() -> Iterator[None]:
    """Take the signals that uvicorn raises again once everything is closed: here they are a clean end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, lambda _number, _frame: None) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m orgbridge.wiring.emulator", description=__doc__)
    defaults = EmulatorConfig()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--data", default=MEMORY, help="SQLite file of the org; :memory: when left out")
    parser.add_argument("--seed", choices=[seed.value for seed in Seed], default=Seed.EMPTY.value)
    parser.add_argument("--username", default=defaults.users[0].username)
    parser.add_argument("--password", default=defaults.users[0].password)
    parser.add_argument("--security-token", default=defaults.users[0].security_token)
    parser.add_argument("--client-id", default=defaults.client_id)
    parser.add_argument("--client-secret", default=defaults.client_secret)
    parser.add_argument("--jwt-certificate", type=Path, help="PEM file of the certificate for JWT bearer")
    parser.add_argument("--refresh-token")
    parser.add_argument("--session-seconds", type=int, default=defaults.session_seconds)
    parser.add_argument("--daily-api-requests", type=int, default=defaults.daily_api_requests)
    parser.add_argument("--batch-rows", type=int, default=defaults.batch_rows)
    parser.add_argument("--batch-delay-seconds", type=float, default=0.0)
    parser.add_argument("--keep-order", action="store_true", help="keep bulk results in the order of upload")
    parser.add_argument("--control-from-anywhere", action="store_true", help="let other machines use /_emulator")
    parser.add_argument("--tls-certificate", type=Path)
    parser.add_argument("--tls-key", type=Path)
    parser.add_argument("--metadata", type=Path, metavar="DIR", help="Salesforce DX source folder with more objects")
    parser.add_argument("--users", type=Path, metavar="FILE", help="JSON with users, clients, policy and figures")
    parser.add_argument("--lock-seconds", type=float, default=defaults.lock_seconds)
    parser.add_argument("--lock-rows", type=int, default=defaults.lock_rows)
    parser.add_argument("--log-level", default="warning")
    return parser.parse_args(argv)


def _config(options: argparse.Namespace) -> EmulatorServeConfig:
    certificate = options.jwt_certificate.read_text() if options.jwt_certificate else None
    user = EmulatorUser(username=options.username, password=options.password, security_token=options.security_token)
    org = EmulatorConfig(
        path=options.data,
        seed=Seed(options.seed),
        users=(user,),
        client_id=options.client_id,
        client_secret=options.client_secret,
        jwt_certificate=certificate,
        refresh_token=options.refresh_token,
        session_seconds=options.session_seconds,
        daily_api_requests=options.daily_api_requests,
        shuffle_results=not options.keep_order,
        batch_rows=options.batch_rows,
        batch_delay_seconds=options.batch_delay_seconds,
        metadata=options.metadata,
        lock_seconds=options.lock_seconds,
        lock_rows=options.lock_rows,
        control_from_anywhere=options.control_from_anywhere,
    )
    if options.users is not None:
        org = read_org_file(options.users, org)
    return EmulatorServeConfig(
        host=options.host,
        port=options.port,
        org=org,
        log_level=options.log_level,
        tls_certificate=options.tls_certificate,
        tls_key=options.tls_key,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Serve as the arguments say; return the exit status."""
    options = _arguments(argv)
    try:
        serve_emulator(_config(options))
    except (CannotServe, OrgFileError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_UNUSABLE
    return 0


if __name__ == "__main__":
    sys.exit(main())
