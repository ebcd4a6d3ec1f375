"""The HTTP protocol of the emulated org: uvicorn's, with two things more that the application may ask of it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from orgbridge.emulator.http.heads import WHOLE_EXTENSION
from orgbridge.emulator.http.middleware import CUT_EXTENSION


class EmulatorProtocol(HttpToolsProtocol):
    """Lets the application drop the connection, for tests of broken networks, and send a reply in one piece."""

    def on_message_begin(self) -> None:
        """Put the function that cuts the connection into the scope."""
        super().on_message_begin()
        # uvicorn types the scope as its own TypedDict, whose extensions know no foreign keys.
        scope: Any = self.scope
        scope.setdefault("extensions", {})[CUT_EXTENSION] = self.transport.abort

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        scope: Any = cycle.scope
        scope["extensions"][WHOLE_EXTENSION] = partial(_send_whole, cycle)
        super()._start_asgi_task(cycle, app)


def _send_whole(cycle: RequestResponseCycle, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> bool:
    """Write a whole reply, with one call of the system; False, with nothing written, where uvicorn has to judge.

    Does what `RequestResponseCycle.send` does with its two messages.
    """
    if cycle.response_started or cycle.disconnected or cycle.flow.write_paused or cycle.scope["method"] == "HEAD":
        return False
    pieces = [STATUS_LINE[status]]
    for name, value in (*cycle.default_headers, *headers):
        if b"\n" in value or b"\r" in value or name == b"connection":
            return False
        pieces += (name, b": ", value, b"\r\n")
    pieces.append(b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n")
    pieces.append(body)
    cycle.response_started = cycle.response_complete = True
    cycle.waiting_for_100_continue = False
    cycle.transport.write(b"".join(pieces))
    cycle.message_event.set()
    if not cycle.keep_alive:
        cycle.transport.close()
    cycle.on_response()
    return True
