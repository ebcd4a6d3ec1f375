"""The whole application in process, and a caller that is signed in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from orgbridge.emulator.app import EmulatorConfig, build_app
from orgbridge.kit.clock import SystemClock

V = "/services/data/v62.0"
CLIENT = {"client_id": "local-client", "client_secret": "local-secret"}


class MovingClock(SystemClock):
    """The system's clock, moved forward by tests."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        """Return the moved instant."""
        return datetime.now(UTC) + self.ahead


@dataclass
class Caller:
    """Speaks HTTP to the application."""

    http: TestClient
    clock: MovingClock
    #: Ends the application as SIGTERM would.
    close: Callable[[], None] = lambda: None
    token: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def sign_in(self) -> None:
        """Get a session by client credentials."""
        reply = self.http.post("/services/oauth2/token", data={"grant_type": "client_credentials", **CLIENT})
        assert reply.status_code == 200, reply.text
        self.token = reply.json()["access_token"]
        self.headers = {"Authorization": f"Bearer {self.token}"}

    def __call__(self, method: str, path: str, *, headers: dict[str, str] | None = None, **rest: Any) -> Response:
        """Send one request with the session; a path without `/services` lies under the API version."""
        url = path if path.startswith("/services") or path.startswith("/id/") else V + path
        return self.http.request(method, url, headers={**self.headers, **(headers or {})}, **rest)


@pytest.fixture
def make_caller(tmp_path: Path) -> Iterator[Callable[..., Caller]]:
    """Start the application, as configured, on this test's folder; again, if called again."""
    with ExitStack() as stack:

        def make(**options: Any) -> Caller:
            clock = MovingClock()
            app = build_app(EmulatorConfig(path=str(tmp_path / "org.db"), **options), clock=clock)
            own = stack.enter_context(ExitStack())
            return Caller(own.enter_context(TestClient(app)), clock, own.close)

        yield make


@pytest.fixture
def call(make_caller: Callable[..., Caller]) -> Caller:
    """A caller who is signed in."""
    caller = make_caller()
    caller.sign_in()
    return caller
