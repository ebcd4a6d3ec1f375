"""What happens to a job, as server-sent events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated, cast

from fastapi import APIRouter, Header, Request
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from orgbridge.api.security import BulkReader, services_of
from orgbridge.api.v1.jobs import JobId
from orgbridge.api.v1.schemas.problems import problems
from orgbridge.kit.json import dumps
from orgbridge.services.events import END, JobEvent

router = APIRouter(prefix="/bulk", tags=["bulk"])
#: Seconds between two comments while nothing happens: below the usual minute after which proxies hang up.
HEARTBEAT_SECONDS = 15
#: Milliseconds after which a browser that lost the connection comes back.
_RETRY_MILLISECONDS = 2_000
#: Seconds that one write to a caller who reads nothing may take.
_SEND_SECONDS = 30


@router.get(
    "/job/{job_id}/events",
    responses={
        **problems(404, 429, 502),
        200: {
            "description": "Events `state`, `progress`, `errors` and, last, `end`",
            "content": {
                "text/event-stream": {
                    # Of one event, as readers of such streams see it.
                    "schema": {
                        "type": "object",
                        "properties": {
                            "event": {"type": "string", "enum": ["state", "progress", "errors", "end"]},
                            "id": {"type": "string", "description": "For Last-Event-ID."},
                            "data": {"type": "string", "description": "JSON."},
                            "retry": {"type": "integer"},
                        },
                    },
                    "example": {
                        "event": "progress",
                        "id": "InProgress|8c1f|",
                        "data": '{"records_processed":60000}',
                        "retry": 2000,
                    },
                }
            },
        },
        204: {"description": "Last-Event-ID is that of the end: there is nothing more to hear"},
    },
    response_class=EventSourceResponse,
    summary="Follow a job as it happens",
)
async def job_events(
    request: Request,
    caller: BulkReader,
    job_id: JobId,
    last_event_id: Annotated[str | None, Header(max_length=200, examples=["17"])] = None,
) -> Response:
    """Stream a job's state, progress and errors by code until it has ended; a comment keeps the line open meanwhile.

    Whoever comes back with Last-Event-ID hears what changed since. Leaving does nothing to the job.
    """
    events = await services_of(request).events.follow(job_id, last_event_id, caller=caller)
    if last_event_id == END:
        # The word by which an EventSource stops coming back.
        return Response(status_code=204)
    return _Whole(
        _told(events),
        ping=HEARTBEAT_SECONDS,
        send_timeout=_SEND_SECONDS,
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _told(events: AsyncIterator[JobEvent]) -> AsyncIterator[ServerSentEvent]:
    # Closed at once when the caller leaves, and with it the look at the store.
    async with aclosing(cast("_Closing", events)) as open_events:
        async for event in open_events:
            yield ServerSentEvent(
                data=dumps(event.data).decode(), event=event.name, id=event.id, retry=_RETRY_MILLISECONDS
            )


class _Whole(EventSourceResponse):
    """A stream of events that ends as a reply ends, also when the service does: nobody is cut off in the middle."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        unfinished = False

        async def sending(message: Message) -> None:
            nonlocal unfinished
            await send(message)
            unfinished = message["type"] == "http.response.start" or bool(message.get("more_body"))

        await super().__call__(scope, receive, sending)
        if unfinished:
            await send({"type": "http.response.body", "body": b"", "more_body": False})


class _Closing(AsyncIterator[JobEvent]):
    async def aclose(self) -> None: ...
