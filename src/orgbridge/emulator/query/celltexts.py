"""A value of a statement as the cell that a CSV of the results shows, made by SQLite: never NULL.

Source: facts/salesforce/bulk2.md section 9, ids-and-types.md section 2.
"""

from __future__ import annotations

from orgbridge.emulator.query.fragments import Fragment
from orgbridge.wire.fieldtypes import DECIMAL_TYPES, FieldType


def cell_text(value: Fragment, kind: FieldType) -> Fragment:
    """Return the text of a value; null is the empty text."""
    if kind is FieldType.BOOLEAN:
        return value.wrap("CASE (", ") <> 0 WHEN 1 THEN 'true' WHEN 0 THEN 'false' ELSE '' END")
    if kind in DECIMAL_TYPES:
        return value.wrap("SF_DECIMAL(", ")")
    if kind is FieldType.INT:
        return value.wrap("ifnull(CAST(", " AS TEXT), '')")
    return value.wrap("ifnull(", ", '')")
