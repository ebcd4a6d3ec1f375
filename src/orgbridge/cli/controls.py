"""The controls of a running emulated org from the caller's side."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import aiohttp

from orgbridge.cli.errors import CLIError
from orgbridge.kit import json
from orgbridge.kit.errors import ErrorKind

#: Where an emulated org listens unless it was told otherwise.
DEFAULT_URL = "http://127.0.0.1:8080"
_CONNECT_SECONDS = 10.0
#: Making millions of rows and copying them takes its time.
_TOTAL_SECONDS = 3_600.0


class EmulatorUnreachable(CLIError):
    """Nothing answers where the emulated org should be."""

    code = "cli.emulator_unreachable"
    kind = ErrorKind.UNAVAILABLE
    retryable = True


class EmulatorRefused(CLIError):
    """The emulated org did not do what it was asked."""

    code = "cli.emulator_refused"


class Controls:
    """Speaks to /_emulator of one org.

    Args:
        url: Its address.
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=_TOTAL_SECONDS, sock_connect=_CONNECT_SECONDS)
        self._session = aiohttp.ClientSession(timeout=timeout)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def ask(
        self, method: str, path: str, body: json.JSON = None, params: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Use one control and return its answer; empty when it has none.

        Raises:
            EmulatorUnreachable: Nothing answers, or what answers is no emulated org, or its controls are closed.
            EmulatorRefused: The org refused, in its own words.
        """
        assert self._session is not None, "use it as a context manager"
        data = None if body is None else json.dumps(body)
        headers = {"Content-Type": "application/json"}
        url = f"{self._url}/_emulator/{path}"
        try:
            async with self._session.request(method, url, data=data, headers=headers, params=params) as reply:
                text = await reply.read()
        except (TimeoutError, aiohttp.ClientError) as error:
            raise EmulatorUnreachable(
                f"No emulated org answers at {self._url} ({error}); `orgbridge emulator serve` starts one."
            ) from error
        try:
            answer = json.loads(text) if text else {}
        except json.JSONDecodeError:
            answer = None
        if not isinstance(answer, dict) or (reply.status >= 400 and "error" not in answer):
            raise EmulatorUnreachable(
                f"What answers at {self._url} has no controls for this machine (status {reply.status}); is it an "
                "emulated org, and was it started with --control-from-anywhere if it runs elsewhere?"
            )
        if reply.status >= 400:
            raise EmulatorRefused(f"The emulated org refused: {answer['error']}.")
        return answer
