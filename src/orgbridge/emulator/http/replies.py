"""Replies as Salesforce writes them: compact or indented JSON, and CSV streams made in threads.

Source: facts/salesforce/rest.md, head.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from orgbridge.emulator.http.heads import WholeReply
from orgbridge.kit.json import JSON, dumps

_JSON = b"application/json;charset=UTF-8"
_CSV = "text/csv; charset=UTF-8"
_EPOCH = "Thu, 01 Jan 1970 00:00:00 GMT"
#: Bytes that are sent at once; smaller pieces are put together.
_PIECE = 1 << 18


def json_reply(
    value: JSON, status: int = 200, *, headers: Mapping[str, str] | None = None, pretty: bool = False
) -> Response:
    """Return a JSON reply."""
    body = dumps(value)
    if pretty:
        body = msgspec.json.format(body, indent=2).replace(b'": ', b'" : ')
    return WholeReply(body, status, _JSON, {"Expires": _EPOCH, **(headers or {})})


def raw_json_reply(body: bytes, *, pretty: bool = False) -> Response:
    """Return JSON that is text already."""
    if pretty:
        body = msgspec.json.format(body, indent=2)
    return WholeReply(body, 200, _JSON, {"Expires": _EPOCH})


async def _in_threads(blocks: Iterator[bytes]) -> AsyncIterator[bytes]:
    def gather() -> bytes | None:
        pieces: list[bytes] = []
        size = 0
        for block in blocks:
            pieces.append(block)
            size += len(block)
            if size >= _PIECE:
                break
        return b"".join(pieces) if pieces else None

    while (piece := await run_in_threadpool(gather)) is not None:
        for start in range(0, len(piece), _PIECE):
            yield piece[start : start + _PIECE]


def bytes_reply(blocks: Iterator[bytes], media_type: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return a binary reply that is read from `blocks` as it is sent, in threads."""
    return StreamingResponse(_in_threads(blocks), 200, dict(headers or {}), media_type=media_type)


def csv_reply(blocks: Iterator[bytes], headers: Mapping[str, str] | None = None) -> Response:
    """Return a CSV reply that is read from `blocks` as it is sent, in threads."""
    return StreamingResponse(_in_threads(blocks), 200, dict(headers or {}), media_type=_CSV)
