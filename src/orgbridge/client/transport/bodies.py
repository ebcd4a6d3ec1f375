"""A streamed body: opened anew for every sending, its length watched, its own failure kept apart from the network's."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from types import AsyncGeneratorType, TracebackType
from typing import cast

from orgbridge.client.errors import BodyMismatch
from orgbridge.client.transport.requests import Chunks
from orgbridge.kit.clock import Clock

#: Turns of the event loop that a cancelled sender is given to let go of the chunks. Two were enough when tried.
_TURNS = 100


class OutgoingBody:
    """One sending of a body.

    Attributes:
        failure: What the source of the chunks raised. aiohttp reports it as a broken connection, which it is not.
        stream: What is sent.
    """

    def __init__(self, chunks: Chunks, expected_bytes: int | None) -> None:
        self.failure: Exception | None = None
        self.stream = self._run(chunks, expected_bytes)

    async def close(self, clock: Clock) -> None:
        """Close the source of the chunks, also when Salesforce answered before the end of the body."""
        for _ in range(_TURNS):
            if not cast("AsyncGeneratorType[bytes, None]", self.stream).ag_running:
                break
            await clock.sleep(0)
        await self.stream.aclose()

    async def _run(self, chunks: Chunks, expected: int | None) -> AsyncGenerator[bytes, None]:
        with _Witness(self):
            source, sent = chunks(), 0
            try:
                async for chunk in source:
                    sent += len(chunk)
                    # aiohttp would silently cut off what goes beyond the announced length.
                    if expected is not None and sent > expected:
                        raise BodyMismatch(f"The body has more than the {expected} bytes announced.")
                    yield chunk
                if expected is not None and sent != expected:
                    raise BodyMismatch(f"The body has {sent} bytes; {expected} were announced.")
            finally:
                if isinstance(source, AsyncGenerator):
                    await source.aclose()


class _Witness:
    def __init__(self, body: OutgoingBody) -> None:
        self._body = body

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A GeneratorExit or a cancellation comes from outside; only an Exception is the source's own failure.
        if isinstance(error, Exception):
            self._body.failure = error
