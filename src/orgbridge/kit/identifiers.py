"""Our own identifiers: sortable by time, safe in URLs and file names, told apart by prefix."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

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


def instant_of(identifier: str) -> datetime | None:
    """Return the instant at which an identifier of ours was made, to the millisecond; None for any other text."""
    _, _, text = identifier.rpartition("_")
    if len(text) != 26 or any(letter not in _ALPHABET for letter in text):
        return None
    milliseconds = 0
    for letter in text[:10]:
        milliseconds = milliseconds * 32 + _ALPHABET.index(letter)
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return None
