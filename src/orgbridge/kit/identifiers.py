"""Our own identifiers: sortable by time, safe in URLs and file names, told apart by prefix."""

from __future__ import annotations

import secrets
from datetime import datetime

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u


def _base32(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 32)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))


def new_identifier(prefix: str, now: datetime) -> str:
    """Return `{prefix}_` and 26 characters: 10 of milliseconds, 16 (80 bits) of chance.

    Args:
        prefix: What it identifies: `load`, `user`, `req`.
        now: The present instant; identifiers made later sort later.
    """
    milliseconds = int(now.timestamp() * 1000)
    return f"{prefix}_{_base32(milliseconds, 10)}{_base32(secrets.randbits(80), 16)}"
