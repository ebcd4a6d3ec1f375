"""Lists by pages: the cursor and limit that they take, and the Link that leads on (RFC 8288)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Query, Request
from starlette.responses import Response

from orgbridge.api.replies import json_reply
from orgbridge.kit.json import JSON

Cursor = Annotated[
    str | None, Query(max_length=2000, description="`next_cursor` of the page before.", examples=["eyJhZnRlciI6MjAwfQ"])
]
Limit = Annotated[int, Query(ge=1, le=200, description="Most items on the page.")]


def page_reply(request: Request, name: str, items: Sequence[JSON], next_cursor: str | None) -> Response:
    """Return one page of a list, with the address of the next one."""
    return json_reply({name: list(items), "next_cursor": next_cursor}, headers=next_link(request, next_cursor))


def next_link(request: Request, next_cursor: str | None) -> dict[str, str]:
    """Return the header with the address of the next page; none at the end."""
    if next_cursor is None:
        return {}
    kept = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
    query = urlencode([*kept, ("cursor", next_cursor)])
    return {"Link": f'<{request.url.path}?{query}>; rel="next"'}
