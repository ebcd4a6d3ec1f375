"""Which calls change something, and which kind of call each is: for limits, keys and the audit alike."""

from __future__ import annotations

import re
from dataclasses import dataclass

from orgbridge.api.pages import Pages
from orgbridge.services.quotas import RouteClass

_CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
#: Scope key under which the gate leaves who calls, None for nobody known.
CALLER = "orgbridge_caller"
#: Signing in and out: no caller yet, and a class of its own.
TOKEN_PATHS = frozenset({"/token", "/token/revoke"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Tells calls apart by method and path, before any route was looked up."""

    #: Prefix of version 1.
    prefix: str
    #: Paths below it whose POST only reads.
    reading: tuple[str, ...] = ("/query", "/search", "/bulk/preflight")
    #: Pages for people, if there are any.
    pages: Pages | None = None

    def kind(self, method: str, path: str) -> RouteClass | None:
        """Return the kind of a call, None for probes, documents and figures, which are not counted."""
        if self.signs_in(method, path):
            return RouteClass.TOKEN
        if self.pages is not None and self.pages.own(path):
            return self._page_kind(self.pages, method, path)
        if not path.startswith(f"{self.prefix}/"):
            return None
        if not self.changes(method, path):
            return RouteClass.READ
        return RouteClass.BULK if path.startswith(f"{self.prefix}/bulk/") else RouteClass.WRITE

    def changes(self, method: str, path: str) -> bool:
        """Return whether a call of version 1, or of a page, may change something."""
        if self.pages is not None and self.pages.own(path):
            return self.pages.changes(method, path)
        if method not in _CHANGING or not path.startswith(f"{self.prefix}/"):
            return False
        return not (method == "POST" and path[len(self.prefix) :] in self.reading)

    def signs_in(self, method: str, path: str) -> bool:
        """Return whether a call signs somebody in or out; it is to be written down whoever makes it."""
        return path in TOKEN_PATHS or (self.pages is not None and self.pages.signs_in(method, path))

    @staticmethod
    def _page_kind(pages: Pages, method: str, path: str) -> RouteClass | None:
        if pages.is_free(method, path):
            return None
        if not pages.changes(method, path):
            return RouteClass.READ
        return RouteClass.BULK if pages.is_bulk(method, path) else RouteClass.WRITE


class StreamedPaths:
    """Paths whose bodies have no bound but the route's own: they are read as they arrive."""

    def __init__(self, prefix: str, pages: Pages | None = None) -> None:
        self._pages = pages
        self._paths = re.compile(
            re.escape(prefix) + r"(/bulk/dml-file-upload|/salesforce_purchase_orders/[A-Za-z0-9_-]{1,64}/document)\Z"
        )

    def __contains__(self, path: object) -> bool:
        """Tell whether a path is one of them."""
        if not isinstance(path, str):
            return False
        paged = self._pages is not None and self._pages.streams("POST", path)
        return paged or self._paths.match(path) is not None
