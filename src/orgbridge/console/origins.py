"""Was a form sent from one of our own pages: what stands between a signed-in browser and a foreign page."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.requests import Request


def is_own(request: Request) -> bool:
    """Return whether a request that changes something comes from a page of this very origin.

    Browsers say so themselves: by `Sec-Fetch-Site` where the connection is trusted, else by `Origin`. A request with
    neither comes from no browser, or from one that hides where it was: it is refused as well.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("origin")
    if origin is None:
        return False
    host = request.headers.get("host", "")
    return bool(host) and urlsplit(origin).netloc.lower() == host.lower()
