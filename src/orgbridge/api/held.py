"""A reply held back until something has happened between its making and its sending."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.types import Message, Send


class HeldReply:
    """Stands in for `send`: holds a reply up to a size, calls `ready` once, then lets it go.

    `ready` is called when the reply is whole; or when it outgrew the size, and is then streamed on.

    Attributes:
        status: HTTP status, 0 before there is one.
        headers: As the application set them.
        body: All of it; None when it outgrew the size.
    """

    def __init__(self, send: Send, max_bytes: int, ready: Callable[[HeldReply], Awaitable[None]]) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.body: bytes | None = b""
        self._send = send
        self._max_bytes = max_bytes
        self._ready = ready
        self._held: list[Message] = []
        self._size = 0
        self._let_go = False

    async def __call__(self, message: Message) -> None:
        """Take the next message of the reply."""
        if self._let_go:
            await self._send(message)
            return
        self._held.append(message)
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = list(message.get("headers", []))
            return
        self._size += len(message.get("body", b""))
        over = self._size > self._max_bytes
        if message.get("more_body", False) and not over:
            return
        self.body = None if over else b"".join(held.get("body", b"") for held in self._held)
        self._let_go = True
        await self._ready(self)
        held, self._held = self._held, []
        for one in held:
            await self._send(one)
