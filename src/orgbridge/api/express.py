"""Reads of single records, answered before the framework looks at them; whatever is unusual is left to it.

Routing, dependencies and layers of the framework cost more than the rest of such a read together. What is done here is
what the route `retrieve` does, with its own functions; a test sends the same requests both ways and compares.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from orgbridge.api.errors import trouble_reply
from orgbridge.api.security import signed_in
from orgbridge.api.v1.records import read_reply
from orgbridge.kit.errors import OrgbridgeError
from orgbridge.services import scopes
from orgbridge.services.bundle import Services

#: An object and an id of 15 or 18 characters; anything else may still be right, and is the route's to judge.
_PATH = r"/records/([A-Za-z][A-Za-z0-9_]{0,79})/([A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?)\Z"
_QUERY = re.compile(rb"fields=([A-Za-z0-9_.,]{1,4000})\Z")
_NEEDED = [scopes.Scope.RECORDS_READ.value]


@dataclass(frozen=True, slots=True)
class _Route:
    """What the figures and the log know of a route."""

    path_format: str


_ROUTE = _Route("/records/{object_name}/{record_id}")


class Express:
    """Answers plain reads of one record itself and hands on everything else."""

    def __init__(self, app: ASGIApp, *, services: Services, prefix: str) -> None:
        self._app = app
        self._services = services
        self._path = re.compile(re.escape(prefix) + _PATH)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        reply = await self._read(scope) if scope["type"] == "http" and scope["method"] == "GET" else None
        await (reply or self._app)(scope, receive, send)

    async def _read(self, scope: Scope) -> Response | None:
        found = self._path.match(scope["path"])
        if found is None:
            return None
        fields: str | None = None
        if scope["query_string"]:
            asked = _QUERY.match(scope["query_string"])
            if asked is None:
                return None
            fields = asked[1].decode()
        authorization = ""
        for name, value in scope["headers"]:
            if name == b"authorization":
                authorization = value.decode("latin-1")
        if not authorization:
            return None
        scope["route"] = _ROUTE
        try:
            caller = await signed_in(self._services, scope, authorization, _NEEDED)
            done = await self._services.records.retrieve(found[1], found[2], caller=caller, fields=fields)
        except OrgbridgeError as error:
            return trouble_reply(str(scope.get("orgbridge_request_id", "")), scope["path"], error)
        return read_reply(done, found[1])
