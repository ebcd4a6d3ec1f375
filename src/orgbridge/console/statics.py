"""The stylesheet, the script and the icon: read once, named by their content, so that browsers may keep them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from orgbridge.console.cookies import PREFIX
from orgbridge.console.errors import NoSuchPage

#: Where these files are, below a hash of their content.
STATICS = f"{PREFIX}/static"
_TYPES = MappingProxyType(
    {
        "console.css": "text/css; charset=utf-8",
        "console.js": "text/javascript; charset=utf-8",
        "icon.svg": "image/svg+xml",
    }
)
#: A year, which is how long anything is kept at most (RFC 9111 has no end, browsers do).
_KEPT = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Static:
    """One file."""

    #: Its address, with the hash.
    url: str
    #: Its content.
    content: bytes
    #: Its content type.
    media_type: str


def read_statics() -> dict[str, Static]:
    """Return the files by name."""
    folder = files("orgbridge.console") / "static"
    found = {}
    for name, media_type in _TYPES.items():
        content = (folder / name).read_bytes()
        mark = hashlib.sha256(content).hexdigest()[:16]
        found[name] = Static(url=f"{STATICS}/{mark}/{name}", content=content, media_type=media_type)
    return found


def static_routes(statics: dict[str, Static]) -> Iterator[Route]:
    """Yield the route of the files."""
    by_url = {static.url: static for static in statics.values()}

    async def static(request: Request) -> Response:
        found = by_url.get(request.url.path)
        if found is None:
            raise NoSuchPage
        return Response(found.content, media_type=found.media_type, headers={"Cache-Control": _KEPT})

    yield Route(f"{STATICS}/{{mark}}/{{name}}", static, methods=["GET"], name="console_static")
