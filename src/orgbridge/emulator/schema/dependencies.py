"""Dependent picklists: under which values of the controlling field a value may be chosen, as names and as a bitmap.

The bitmap is base64; its first bit, the highest of the first byte, stands for the controlling field's first value;
of a controlling checkbox for false. Source: facts/salesforce/rest.md section 2 (`validFor`), the order of bits
Assumed from the describe reference.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

from orgbridge.emulator.schema.model import Field
from orgbridge.wire.fieldtypes import FieldType


def controlling_values(controller: Field) -> tuple[str, ...]:
    """Return the values of a controlling field in the order of the bitmap."""
    if controller.type is FieldType.BOOLEAN:
        return ("false", "true")
    return tuple(value.value for value in controller.picklist)


def to_bitmap(valid_for: Sequence[str], values: Sequence[str]) -> str:
    """Return the bitmap of those of the controlling values under which a value may be chosen."""
    bits = bytearray((len(values) + 7) // 8)
    for place, value in enumerate(values):
        if value in valid_for:
            bits[place // 8] |= 0x80 >> place % 8
    return base64.b64encode(bytes(bits)).decode()


def from_bitmap(text: str, values: Sequence[str]) -> list[str]:
    """Return the controlling values that a bitmap names; bits beyond the values are passed over.

    Raises:
        ValueError: The text is no base64.
    """
    try:
        bits = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"validFor is no base64: {text!r}") from error
    return [
        value for place, value in enumerate(values) if place // 8 < len(bits) and bits[place // 8] & 0x80 >> place % 8
    ]
