"""Revisions: what an ETag says, new with every write, so that nobody overwrites what they have not seen."""

from __future__ import annotations

import secrets


def new_revision() -> str:
    """Return a revision that no other state of anything has: chance and not a count, so that a thing which was deleted
    and made again is another one.
    """
    return secrets.token_hex(8)
