"""Who may use the controls: callers from this machine, and nobody through a web page of somebody else's."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.requests import Request

#: What Starlette's TestClient calls itself and the server; it is in this very process.
_IN_PROCESS = ("testclient", "testserver")


def _is_loopback(host: str | None) -> bool:
    if host is None:
        return False
    if host in ("localhost", *_IN_PROCESS):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def may_control(request: Request, *, from_anywhere: bool = False) -> bool:
    """Tell whether a caller may use the controls.

    A browser on this machine calls from loopback whatever page it shows, so a foreign `Origin` is refused, and so is a
    `Host` that a foreign name server could have pointed here.

    Args:
        request: The call.
        from_anywhere: Whoever runs the org opened its controls to other machines; pages of others stay shut out.
    """
    origin = request.headers.get("origin")
    if origin is not None and not _is_loopback(urlsplit(origin).hostname):
        return False
    if from_anywhere:
        return True
    if request.client is None or not _is_loopback(request.client.host):
        return False
    return _is_loopback(urlsplit(f"//{request.headers.get('host', '')}").hostname)
