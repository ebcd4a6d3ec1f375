"""Addresses of mails as people write them, and texts that go into a mail's head. Pure."""

from __future__ import annotations

import re
from typing import Final

_MAX_HEADER_CHARS: Final = 200
#: One address and nothing else: no list, no comment, no route, no control character.
_ADDRESS: Final = re.compile(
    r"[^\s<>()\[\],;:\\\"@\x00-\x20\x7f]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?\Z"
)
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f\x80-\x9f\u2028\u2029]+")


def is_address(text: str) -> bool:
    """Tell whether a text is one address and nothing else."""
    return _ADDRESS.match(text) is not None


def one_line(text: str) -> str:
    """Return a text as one line of a header: nothing in it ends the header, and it is not too long."""
    return _CONTROLS.sub(" ", text).strip()[:_MAX_HEADER_CHARS]


def parse_sender(text: str) -> tuple[str, str]:
    """Return name and address of `address` or `Name <address>`.

    Raises:
        ValueError: It is neither.
    """
    name, _, rest = text.strip().rpartition("<")
    address = rest.removesuffix(">") if name or rest.endswith(">") else text.strip()
    if not is_address(address):
        raise ValueError("not an address")
    return one_line(name.strip().strip('"')), address


def is_sender(text: str) -> bool:
    """Tell whether mails can come from there."""
    try:
        parse_sender(text)
    except ValueError:
        return False
    return True
