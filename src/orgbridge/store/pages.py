"""Opaque cursors: where a page of a list ended, unreadable for the caller and checked when it comes back."""

from __future__ import annotations

import base64
import binascii

from orgbridge.kit.json import JSONDecodeError, dumps, loads
from orgbridge.store.errors import CursorInvalid

_MAX_CHARS = 2000


def encode_cursor(kind: str, *values: str) -> str:
    """Return a cursor for a place in a list.

    Args:
        kind: Which list; a cursor of another list is refused.
        values: The sort keys of the page's last item.
    """
    return base64.urlsafe_b64encode(dumps([kind, *values])).decode().rstrip("=")


def decode_cursor(kind: str, cursor: str, count: int) -> list[str]:
    """Return the sort keys of a cursor.

    Args:
        kind: Which list.
        cursor: As the caller gave it.
        count: How many keys there must be.

    Raises:
        CursorInvalid: It is not a cursor of this list.
    """
    if len(cursor) > _MAX_CHARS:
        raise CursorInvalid
    try:
        values = loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, JSONDecodeError) as error:
        raise CursorInvalid from error
    if not isinstance(values, list) or len(values) != count + 1 or values[0] != kind:
        raise CursorInvalid
    if not all(isinstance(value, str) and "\x00" not in value for value in values):
        raise CursorInvalid
    return values[1:]
