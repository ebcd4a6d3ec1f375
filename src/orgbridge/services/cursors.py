"""Cursors that a caller is given for the next page: sealed, so that they tell nothing, and bound to the caller.

A cursor of one caller is of no use to another, and one that was altered or made up is refused before anything is sent.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from orgbridge.kit.json import JSONDecodeError, dumps, loads
from orgbridge.services.errors import InvalidRequest

_NONCE_BYTES = 12
#: What is sealed is filled up to a multiple of this, so that a cursor's length tells nothing either.
_BLOCK_BYTES = 64


class Cursors:
    """Seals and opens cursors."""

    def __init__(self, secret: bytes) -> None:
        """Derive the key.

        Args:
            secret: At least 16 bytes that all processes of one deployment share and nobody else knows. Another secret
                makes the cursors given out before worthless.
        """
        if len(secret) < 16:
            raise ValueError("the secret of cursors must have 16 bytes or more")
        key = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"orgbridge cursors").derive(secret)
        self._cipher = AESGCM(key)

    def seal(self, caller: str, content: Mapping[str, Any]) -> str:
        """Return a cursor with this content for this caller."""
        plain = dumps(dict(content))
        plain += b" " * (-len(plain) % _BLOCK_BYTES)
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, plain, caller.encode())
        return base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    def open(self, caller: str, cursor: str) -> dict[str, Any]:
        """Return the content of a cursor.

        Raises:
            InvalidRequest: It is not one that was given to this caller.
        """
        try:
            sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            content = loads(self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], caller.encode()))
        except (binascii.Error, ValueError, InvalidTag, JSONDecodeError):
            content = None
        if not isinstance(content, dict):
            raise InvalidRequest("The cursor is not one that this service gave to you: run the query again.")
        return content
