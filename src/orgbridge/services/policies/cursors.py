"""Cursors of queries, bound to the caller that they were given to.

Without a policy a cursor leads to nothing that its holder could not query anyway. With one it must be the cursor of a
query that was checked for this caller, and not one that was guessed or handed on.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import replace

from orgbridge.client.replies import QueryPage
from orgbridge.services.errors import InvalidRequest
from orgbridge.services.policies.policy import policy_of
from orgbridge.services.scopes import Caller

_MARK = "~"
_SEAL_CHARS = 40


class CursorSeal:
    """Seals and opens the addresses of next pages.

    Args:
        key: The same in all processes of a service; None makes one for this process.
    """

    def __init__(self, key: bytes | None) -> None:
        self._key = key or secrets.token_bytes(32)

    def sealed(self, caller: Caller, page: QueryPage) -> QueryPage:
        """Return the page with a sealed address, as it is for a caller without a policy."""
        if page.next_records_url is None or policy_of(caller).is_unrestricted:
            return page
        url = page.next_records_url
        return replace(page, next_records_url=f"{url}{_MARK}{self._seal(caller, url)}")

    def opened(self, caller: Caller, url: str) -> str:
        """Return an address that was sealed for the caller.

        Raises:
            InvalidRequest: It was not.
        """
        plain, _, seal = url.partition(_MARK)
        if policy_of(caller).is_unrestricted:
            return plain
        if not hmac.compare_digest(seal.encode(), self._seal(caller, plain).encode()):
            raise InvalidRequest("The cursor is not one that this service gave out to you.")
        return plain

    def _seal(self, caller: Caller, url: str) -> str:
        text = f"{caller.user_id}\n{url}".encode()
        return hmac.new(self._key, text, hashlib.sha256).hexdigest()[:_SEAL_CHARS]
