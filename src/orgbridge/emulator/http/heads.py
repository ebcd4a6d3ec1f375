"""Request headers read out once, and whole replies handed over at once.

An ASGI server takes a reply in two messages and writes it in two pieces. One that can do better puts a function into
the scope, `WHOLE_EXTENSION`; replies that are there as a whole go through it, unless something on the way - packing, a
fault - has to see the messages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

#: Key in `scope["extensions"]` of a function that sends a whole reply.
WHOLE_EXTENSION = "orgbridge.whole"
#: Sends status, headers and body of a reply; False, with nothing sent, when it has to go the usual way.
Whole = Callable[[int, Sequence[tuple[bytes, bytes]], bytes], bool]
#: Key in the scope under which the headers are kept.
_HEADERS = "orgbridge.headers"


def headers_of(scope: Scope) -> dict[str, str]:
    """Return a request's headers, names in lower case; of one that is repeated, the first."""
    found: dict[str, str] | None = scope.get(_HEADERS)
    if found is None:
        pairs = reversed(scope["headers"])
        found = scope[_HEADERS] = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in pairs}
    return found


def with_headers(scope: Scope, headers: list[tuple[bytes, bytes]]) -> Scope:
    """Return the scope of the same request with other headers."""
    return {name: value for name, value in scope.items() if name != _HEADERS} | {"headers": headers}


class WholeReply(Response):
    """A reply whose body is there, and whose headers are few."""

    def __init__(self, body: bytes, status: int, media_type: bytes | None, headers: Mapping[str, str]) -> None:
        # What Starlette works out from its arguments is known here.
        self.status_code = status
        self.background = None
        self.body = body
        self.raw_headers = [(name.lower().encode("latin-1"), text.encode("latin-1")) for name, text in headers.items()]
        if media_type is not None:
            self.raw_headers += ((b"content-length", b"%d" % len(body)), (b"content-type", media_type))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the reply, at once where that can be done."""
        whole: Whole | None = getattr(send, "whole", None)
        if whole is None or not whole(self.status_code, self.raw_headers, bytes(self.body)):
            await super().__call__(scope, receive, send)


def empty_reply(status: int = 204) -> Response:
    """Return a reply without a body."""
    return WholeReply(b"", status, None, {})
