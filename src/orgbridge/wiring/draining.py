"""How a service goes: told to end, it says at once that it is not ready, and listens until nobody waits for an answer.

The server's own way is to stop listening at once; whoever asks it meanwhile, the probe and a load balancer that has not
heard of it yet, would be refused.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import FrameType

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orgbridge.kit.logs import get_logger

#: Longest time in which a service that is told to end takes further requests; those under way have more, see `service`.
DRAIN_SECONDS = 5.0
log = get_logger(__name__)


class Drain:
    """Which requests are under way, and whether the service is about to end."""

    def __init__(self) -> None:
        self._open = 0
        self._quiet = asyncio.Event()
        self._quiet.set()
        #: True from the moment at which the service was told to end.
        self.begun = False

    def entered(self) -> None:
        """Count a request."""
        self._open += 1
        self._quiet.clear()

    def left(self) -> None:
        """Count one less."""
        self._open -= 1
        if self._open == 0:
            self._quiet.set()

    async def quiet(self, seconds: float) -> None:
        """Wait until no request is under way, at most so long."""
        try:
            async with asyncio.timeout(seconds):
                await self._quiet.wait()
        except TimeoutError:
            log.info("service_still_busy", requests=self._open)

    @asynccontextmanager
    async def before_the_end(self, tell: Callable[[], None]) -> AsyncIterator[None]:
        """Within this, SIGTERM first drains and only then reaches the server that took the signal until now.

        Args:
            tell: Called at once when the service is told to end.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        loop = asyncio.get_running_loop()
        before = signal.getsignal(signal.SIGTERM)
        endings: set[asyncio.Task[None]] = set()

        async def end() -> None:
            await self.quiet(DRAIN_SECONDS)
            if callable(before):
                before(signal.SIGTERM, None)

        def begin() -> None:
            if not self.begun:
                self.begun = True
                tell()
                log.info("service_drains", requests=self._open)
                endings.add(asyncio.create_task(end()))

        def told(_number: int, _frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(begin)

        signal.signal(signal.SIGTERM, told)
        try:
            yield
        finally:
            if signal.getsignal(signal.SIGTERM) is told:
                # What takes it has no loop any more soon.
                signal.signal(signal.SIGTERM, before if before is not None else signal.SIG_DFL)
            for ending in endings:
                ending.cancel()


class Draining:
    """Counts requests, and lets connections go once the service is about to end.

    Args:
        app: What answers.
        drain: Where they are counted.
    """

    def __init__(self, app: ASGIApp, *, drain: Drain) -> None:
        self._app = app
        self._drain = drain

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        counted = True
        self._drain.entered()

        async def sending(message: Message) -> None:
            nonlocal counted
            if message["type"] == "http.response.start":
                headers = message.get("headers", [])
                if counted and any(n == b"content-type" and v.startswith(b"text/event-stream") for n, v in headers):
                    # A stream of events lasts as long as its job: its client comes again, elsewhere.
                    counted = False
                    self._drain.left()
                if self._drain.begun:
                    message = {**message, "headers": [*headers, (b"connection", b"close")]}
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            if counted:
                self._drain.left()
