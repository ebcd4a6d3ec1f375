"""Pages of commerce lists: tokens that callers pass on, and the addresses of the pages around.

Source: facts/commerce/carts.md section 4, orders.md section 2: addresses are host-less and hold all parameters in
alphabetical order. Assumed: what a token is made of; a token that is none is refused.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlencode

from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.resources.commerce.buyers import number
from orgbridge.kit.json import JSON

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page that was asked for."""

    #: The call's path.
    path: str
    #: The call's parameters but those of paging.
    parameters: tuple[tuple[str, str], ...]
    #: Name of the parameter that holds a token.
    token_name: str
    #: From 0.
    place: int
    #: Rows of a page.
    size: int

    def cut(self, rows: Sequence[_T]) -> Sequence[_T]:
        """Return the rows of this page."""
        return rows[self.place * self.size : (self.place + 1) * self.size]

    def links(self, total: int) -> dict[str, JSON]:
        """Return tokens and addresses of this page and of those around it."""
        around = {
            "current": self.place,
            "next": self.place + 1 if (self.place + 1) * self.size < total else None,
            "previous": self.place - 1 if self.place else None,
        }
        found: dict[str, JSON] = {}
        for name, place in around.items():
            found[f"{name}PageToken"] = None if place is None else token_of(place)
            found[f"{name}PageUrl"] = None if place is None else self._url(place)
        return found

    def _url(self, place: int) -> str:
        given = dict(self.parameters) | {"pageSize": str(self.size), self.token_name: token_of(place)}
        return f"{self.path}?{urlencode(sorted(given.items()))}"


def token_of(place: int) -> str:
    """Return the token of a page."""
    return base64.urlsafe_b64encode(f"p{place}".encode()).decode().rstrip("=")


def page_of(call: Call, *, default: int, most: int, token_name: str = "pageToken") -> Page:  # noqa: S107 no secret
    """Return the page that a call asks for.

    Raises:
        SFError: Its size is out of bounds or its token is none.
    """
    size = number(call, "pageSize", default, 1, most)
    text, place = call.query(token_name), 0
    if text:
        try:
            plain = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii")
            place = int(plain.removeprefix("p"))
        except (binascii.Error, ValueError) as error:
            message = f"The value of the {token_name} parameter isn't valid: {text}"
            raise call.parts.commerce.policy.bad_input.error(message) from error
        if place < 0 or token_of(place) != text.rstrip("="):
            raise call.parts.commerce.policy.bad_input.error(f"The {token_name} parameter isn't valid: {text}")
    kept = tuple(
        (name, value)
        for name, value in call.request.query_params.items()
        if name.lower() not in ("pagesize", token_name.lower())
    )
    return Page(path=call.request.url.path, parameters=kept, token_name=token_name, place=place, size=size)
