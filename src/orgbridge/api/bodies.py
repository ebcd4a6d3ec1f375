"""JSON bodies read strictly: what JSON does not know, or what could not be sent on unaltered, is refused.

Python's own reader takes NaN, Infinity, numbers beyond the range and half surrogates; they would reach Salesforce as
null, or not at all.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from orgbridge.kit.json import JSON, JSONDecodeError, loads


class _StrictRequest(Request):
    """A request whose JSON is read by the house's own reader."""

    async def json(self) -> JSON:
        """Return the body's value.

        Raises:
            json.JSONDecodeError: The body is not JSON: FastAPI makes it a 422.
        """
        body = await self.body()
        try:
            return loads(body)
        except JSONDecodeError as error:
            raise json.JSONDecodeError(str(error), "", 0) from error


class StrictRoute(APIRoute):
    """A route whose JSON body is read strictly."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return FastAPI's handler, given a request that reads strictly."""
        handle = super().get_route_handler()

        async def strictly(request: Request) -> Response:
            return await handle(_StrictRequest(request.scope, request.receive))

        return strictly
