"""Salesforce record ids: 15 case-sensitive base-62 characters, or 18 with a checksum that survives case folding.

Source: facts/salesforce/ids-and-types.md section 1, the checksum checked there on 199 recorded ids.
"""

from __future__ import annotations

import re
from collections import defaultdict

_CHECK = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#: What a block of five characters of an id has for its character of the checksum, by which of them are upper case.
_BLOCKS = {f"{bits:05b}"[::-1]: char for bits, char in enumerate(_CHECK)}
_CASES = defaultdict(lambda: "0", {ord(char): "1" if "A" <= char <= "Z" else "0" for char in _DIGITS})
_SHAPE = re.compile(r"[0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?\Z")

#: The master record type, the same in every org.
MASTER_RECORD_TYPE_ID = "012000000000000AAA"
#: Key prefix of Bulk API jobs, 1.0 and 2.0 alike.
BULK_JOB_PREFIX = "750"


def checksum(id15: str) -> str:
    """Return the three characters that make a 15-character id an 18-character one."""
    cases = id15.translate(_CASES)
    return _BLOCKS[cases[:5]] + _BLOCKS[cases[5:10]] + _BLOCKS[cases[10:]]


def to_18(text: str) -> str | None:
    """Return the 18-character form of a 15- or 18-character id, or None when the text is not an id.

    An 18-character id whose letters lost their case is repaired from its checksum; one whose checksum cannot be
    right for its letters is refused.
    """
    if not _SHAPE.match(text):
        return None
    if len(text) == 15:
        return text + checksum(text)
    body, tail = text[:15], text[15:]
    if checksum(body) == tail:
        return text
    tail = tail.upper()
    repaired = []
    for block in range(3):
        bits = _CHECK.find(tail[block])
        if bits < 0:
            return None
        for place in range(5):
            char = body[block * 5 + place]
            upper = bits >> place & 1
            if upper and not char.isalpha():
                return None
            repaired.append(char.upper() if upper else char.lower())
    fixed = "".join(repaired)
    return fixed + tail if checksum(fixed) == tail else None


def is_id(text: str) -> bool:
    """Tell whether the text is a well-formed record id of 15 or 18 characters."""
    return to_18(text) is not None


def make_id(key_prefix: str, number: int, pod: str = "Ob0") -> str:
    """Return the 18-character id of the `number`-th record under a key prefix.

    Args:
        key_prefix: Three characters, e.g. `001` for Account.
        number: 0 or more; up to 62**9 ids fit.
        pod: Characters 4 to 6 (the instance, in a real org).
    """
    digits = []
    for _ in range(9):
        number, digit = divmod(number, 62)
        digits.append(_DIGITS[digit])
    id15 = key_prefix + pod + "".join(reversed(digits))
    return id15 + checksum(id15)
