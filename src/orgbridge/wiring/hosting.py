"""Emulated orgs inside another program: any number of them on one thread, each on a loopback port of its own.

An org begins as a copy of a template file, so opening one takes some milliseconds and no two share anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import shutil
import socket
import tempfile
import threading
from collections.abc import Coroutine, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import uvicorn

from orgbridge.emulator.app import EmulatorConfig, build_app, write_template
from orgbridge.kit.json import JSON, dumps, loads
from orgbridge.wire.limits import URI_BYTES
from orgbridge.wiring.emulator_protocol import EmulatorProtocol

_T = TypeVar("_T")
_TICK_SECONDS = 0.1
_CALL_SECONDS = 600.0
_BACKLOG = 256
_JSON = {"Content-Type": "application/json"}


class ControlError(Exception):
    """A control of the org refused, in its own words."""


def _call(url: str, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
    """Make one request to an org of this process; no library for it may be used here, and none is needed."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_CALL_SECONDS)
    with contextlib.closing(connection):
        connection.request(method, path, body, headers)
        reply = connection.getresponse()
        return reply.status, reply.read()


@dataclass(frozen=True, slots=True, kw_only=True)
class OrgControl:
    """The controls of one org. Every call blocks until the org has done it."""

    #: Address of the org.
    url: str

    def ask(
        self, method: str, path: str, body: JSON = None, params: Mapping[str, str | int] | None = None
    ) -> dict[str, Any]:
        """Use a control under /_emulator and return its answer; empty when it has none.

        Raises:
            ControlError: The org refused.
        """
        target = f"/_emulator/{path}{'?' if params else ''}{urlencode(params or {})}"
        status, text = _call(self.url, method, target, None if body is None else dumps(body), _JSON)
        answer = loads(text) if text else {}
        if status >= 400:
            raise ControlError(str(answer.get("error", answer)) if isinstance(answer, dict) else str(answer))
        return dict(answer)

    def snapshot(self, name: str) -> None:
        """Keep the org as it is now."""
        self.ask("POST", "snapshots", {"name": name})

    def restore(self, name: str) -> None:
        """Make the org what it was at a snapshot; sessions go on."""
        self.ask("POST", "restore", {"name": name})

    def branch(self, name: str) -> None:
        """Go to a branch, which begins as a copy when it is new."""
        self.ask("POST", "branches", {"name": name})

    def reset(self) -> None:
        """Make the org what it was when it was new."""
        self.ask("POST", "reset", {})

    def seed(self, **counts: int) -> dict[str, int]:
        """Make related rows (`number`, `accounts`, `contacts`, ...) and return how many of each object."""
        return dict(self.ask("POST", "seed", counts)["made"])

    def clock(self, **moves: JSON) -> dict[str, Any]:
        """Move the clock (`set`, `advance_seconds`, `frozen`, `restart`) and return how it stands."""
        return self.ask("POST", "clock", moves)

    def make_object(self, name: str, **values: JSON) -> dict[str, Any]:
        """Make an object (`label`, `fields`, ...; see `docs/emulator/objects.md`) and return it."""
        return self.ask("POST", "objects", {"name": name, **values})

    def make_field(self, sobject: str, name: str, **values: JSON) -> dict[str, Any]:
        """Add a field (`type`, `length`, `unique`, ...) to an object and return it."""
        return self.ask("POST", f"objects/{sobject}/fields", {"name": name, **values})

    def drop(self, sobject: str, field: str | None = None) -> None:
        """Delete a custom field with its values, or a custom object with its rows."""
        self.ask("DELETE", f"objects/{sobject}" if field is None else f"objects/{sobject}/fields/{field}")

    def fault(self, kind: str = "request", **values: JSON) -> str:
        """Order trouble and return the order's id; see `docs/emulator/control.md` for kinds and values."""
        ids = self.ask("POST", "faults", {"kind": kind, **values})["ids"]
        return str(ids[0]) if ids else ""

    def faults(self) -> list[dict[str, Any]]:
        """Return the orders with `seen` and `hits`."""
        return list(self.ask("GET", "faults")["faults"])

    def clear_faults(self) -> None:
        """Call all orders off."""
        self.ask("DELETE", "faults")

    def requests(self, **wanted: str | int) -> list[dict[str, Any]]:
        """Return the last requests that match `method`, `path` (a regular expression), `status`, `since`, `limit`."""
        return list(self.ask("GET", "requests", None, wanted)["requests"])

    def clear_requests(self) -> None:
        """Forget the requests so far."""
        self.ask("DELETE", "requests")

    def stats(self) -> dict[str, Any]:
        """Return what the org counted."""
        return self.ask("GET", "stats")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostedOrg:
    """A running org, and all that a client needs to sign in."""

    #: Address, without a slash at the end.
    url: str
    #: Sign-in name.
    username: str
    #: Password, without the token.
    password: str = field(repr=False)
    #: What is appended to the password.
    security_token: str = field(repr=False)
    #: Consumer key.
    client_id: str
    #: Consumer secret.
    client_secret: str = field(repr=False)
    #: The SQLite file.
    path: Path
    #: Its controls.
    control: OrgControl

    @property
    def token_url(self) -> str:
        """Address of the token endpoint."""
        return f"{self.url}/services/oauth2/token"

    def access_token(self) -> str:
        """Open a session by client credentials and return its token."""
        secret = quote(self.client_secret, safe="")
        form = f"grant_type=client_credentials&client_id={quote(self.client_id, safe='')}&client_secret={secret}"
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        status, text = _call(self.url, "POST", "/services/oauth2/token", form.encode(), headers)
        answer = loads(text)
        if status != 200:
            raise ControlError(str(answer))
        return str(answer["access_token"])


class _Server(uvicorn.Server):
    """A server that leaves the process's signals alone and ends at once when told to."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._ending = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def main_loop(self) -> None:
        counter = 0
        while not await self.on_tick(counter):
            counter = (counter + 1) % 864_000
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), _TICK_SECONDS)

    def end(self) -> None:
        self.should_exit = True
        self._ending.set()


class OrgHost:
    """Runs emulated orgs on a thread of its own. Use it as a context manager; leaving it ends all orgs."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="orgbridge-orgs", daemon=True)
        self._folder = Path(tempfile.mkdtemp(prefix="orgbridge-orgs-"))
        self._templates: list[tuple[EmulatorConfig, Path]] = []
        self._running: dict[str, tuple[_Server, asyncio.Task[None]]] = {}
        self._endings: list[Future[None]] = []
        self._opened = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for url in list(self._running):
            self._begin_end(url, None)
        self._do(self._ended())
        self._do(self._loop.shutdown_asyncgens())
        self._do(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    @contextlib.contextmanager
    def org(self, config: EmulatorConfig | None = None) -> Iterator[HostedOrg]:
        """Run a new org while the block lasts.

        Args:
            config: What it is like; `path` is not used: its file lies in a folder that goes away with the org.
        """
        config = config or EmulatorConfig()
        self._opened += 1
        folder = self._folder / f"{self._opened}"
        folder.mkdir()
        path = folder / "org.db"
        shutil.copyfile(self._template(config), path)
        url = self._do(self._begin(replace(config, path=str(path))))
        user = config.users[0]
        try:
            yield HostedOrg(
                url=url,
                username=user.username,
                password=user.password,
                security_token=user.security_token,
                client_id=config.client_id,
                client_secret=config.client_secret,
                path=path,
                control=OrgControl(url=url),
            )
        finally:
            # Nobody needs to wait: a server takes a tenth of a second to say goodbye.
            self._begin_end(url, folder)

    def settle(self) -> None:
        """Return once the orgs that were left have ended."""
        self._do(self._ended())

    def _template(self, config: EmulatorConfig) -> Path:
        wanted = replace(config, path="")
        for known, path in self._templates:
            if known == wanted:
                return path
        path = self._folder / f"template-{len(self._templates)}.db"
        write_template(config, path)
        self._templates.append((wanted, path))
        return path

    async def _begin(self, config: EmulatorConfig) -> str:
        # asyncio sends small replies at once only over sockets that name their protocol; else each waits 40 ms for the
        # other side's acknowledgement.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.bind(("127.0.0.1", 0))
        listener.listen(_BACKLOG)
        app = await asyncio.to_thread(build_app, config)
        server = _Server(
            uvicorn.Config(
                app,
                http=EmulatorProtocol,
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=1,
                h11_max_incomplete_event_size=URI_BYTES,
            )
        )
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        task = asyncio.create_task(server.serve(sockets=[listener]))
        # The socket listens already: whoever calls before the server has started waits for it, and nobody is refused.
        self._running[url] = (server, task)
        return url

    def _begin_end(self, url: str, folder: Path | None) -> None:
        server, task = self._running.pop(url)

        async def end() -> None:
            server.end()
            await task
            if folder is not None:
                await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

        self._endings = [one for one in self._endings if not one.done() or one.exception()]
        self._endings.append(asyncio.run_coroutine_threadsafe(end(), self._loop))

    async def _ended(self) -> None:
        await asyncio.gather(*(asyncio.wrap_future(ending) for ending in self._endings))

    def _do(self, work: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()
