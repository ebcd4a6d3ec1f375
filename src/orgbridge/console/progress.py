"""What happens to a load, told to the browser as it happens: an open page then asks for its live part anew."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import cast

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import Message, Receive, Send
from starlette.types import Scope as RequestScope

from orgbridge.console.cookies import token_of
from orgbridge.console.desk import Desk, Shelf
from orgbridge.console.forms import path_id
from orgbridge.kit.json import dumps
from orgbridge.services.errors import IdentityError
from orgbridge.services.events import END, JobEvent
from orgbridge.services.scopes import Caller, Scope

#: Seconds between two comments while nothing happens, and of one write to a reader who reads nothing.
_HEARTBEAT, _SEND = 15, 30
#: Milliseconds after which a browser that lost the connection comes back.
_RETRY = 2_000
_LONGEST_ID = 200


def progress_routes(shelf: Shelf) -> Iterator[BaseRoute]:
    """Yield the route of the events."""
    yield shelf.get("/loads/{load_id}/events", "events", _events, Scope.BULK_READ)


async def _events(desk: Desk, request: Request, caller: Caller) -> Response:
    heard = request.headers.get("last-event-id", "")[:_LONGEST_ID] or None
    load_id = path_id(request, "load_id")
    events = await desk.services.events.follow(load_id, heard, caller=caller)
    if heard == END:
        # The word by which an EventSource stops coming back.
        return Response(status_code=204)
    return _Stream(
        _told(desk, token_of(request.scope), events),
        ping=_HEARTBEAT,
        send_timeout=_SEND,
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _told(desk: Desk, token: str, events: AsyncIterator[JobEvent]) -> AsyncIterator[ServerSentEvent]:
    async with aclosing(cast("_Closing", events)) as told:
        async for event in told:
            try:
                # Who signed out meanwhile, or lost the right, hears no more.
                await desk.services.identity.caller(token, [Scope.BULK_READ])
            except IdentityError:
                return
            # No more than that something happened: the page asks for what it shows, as it was first made.
            data = dumps({"state": event.data.get("state")}).decode()
            yield ServerSentEvent(data=data, event=event.name, id=event.id, retry=_RETRY)


class _Stream(EventSourceResponse):
    """A stream that ends as a reply ends, also when the service does."""

    async def __call__(self, scope: RequestScope, receive: Receive, send: Send) -> None:
        """Send it."""
        begun = ended = False

        async def sending(message: Message) -> None:
            nonlocal begun, ended
            begun = True
            ended = message["type"] == "http.response.body" and not message.get("more_body")
            await send(message)

        await super().__call__(scope, receive, sending)
        if begun and not ended:
            await send({"type": "http.response.body", "body": b"", "more_body": False})


class _Closing(AsyncIterator[JobEvent]):
    async def aclose(self) -> None: ...
