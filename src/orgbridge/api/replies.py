"""Replies written with one JSON encoder and without a second validation, and streams whose first block is known."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.responses import Response, StreamingResponse

from orgbridge.kit.json import JSON, dumps
from orgbridge.services.errors import UploadBroken


class CSVResponse(Response):
    """Says in the API documents that a route answers with CSV."""

    media_type = "text/csv"


def json_reply(value: JSON, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a JSON reply."""
    return Response(dumps(value), status_code=status, media_type="application/json", headers=dict(headers or {}))


async def stream_reply(
    blocks: AsyncIterator[bytes],
    *,
    media_type: str,
    filename: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> StreamingResponse:
    """Return a streamed reply after its first block was made, so that an early error is still a problem.

    Args:
        blocks: The body. An error after the first block cuts the connection.
        media_type: Content type.
        filename: What a browser saves it as.
        headers: Further headers.
    """
    first = await anext(blocks, b"")

    async def body() -> AsyncIterator[bytes]:
        yield first
        async for block in blocks:
            yield block

    sent = {"Cache-Control": "no-store", **(headers or {})}
    if filename is not None:
        sent["Content-Disposition"] = f'attachment; filename="{filename}"'
    return StreamingResponse(body(), media_type=media_type, headers=sent)


async def body_of(request: Request) -> AsyncIterator[bytes]:
    """Yield a request's body as it arrives.

    Raises:
        UploadBroken: The caller left before the end.
    """
    try:
        async for chunk in request.stream():
            yield chunk
    except ClientDisconnect as error:
        raise UploadBroken from error


def accepts(request: Request, *choices: str) -> str:
    """Return the first media type of the Accept header that is among the choices; the first choice for `*/*` or none.

    Quality values are honoured.
    """
    wanted: list[tuple[float, int, str]] = []
    for place, item in enumerate(request.headers.get("accept", "*/*").split(",")):
        media, *parameters = (part.strip().lower() for part in item.split(";"))
        quality = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    quality = float(parameter[2:])
                except ValueError:
                    quality = 0.0
        wanted.append((-quality, place, media))
    for weight, _, media in sorted(wanted):
        if weight == 0:
            continue
        for choice in choices:
            if media in (choice, "*/*", choice.split("/")[0] + "/*"):
                return choice
    return choices[0]
