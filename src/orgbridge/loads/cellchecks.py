"""What Salesforce would say of a cell, told from the field's describe beforehand."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from orgbridge.wire.bulk import NULL_CELL
from orgbridge.wire.dates import parse_date, parse_datetime, parse_time
from orgbridge.wire.fieldtypes import DECIMAL_TYPES, ID_TYPES, TEXT_TYPES, FieldType
from orgbridge.wire.ids import is_id

_INTEGER: Final = re.compile(r"[+-]?\d{1,10}(?:\.0*)?")
_NUMBER: Final = re.compile(r"([+-]?)(\d*)\.?(\d*)(?:[eE]([+-]?\d{1,3}))?")
_EMAIL: Final = re.compile(r"[^@\s,;]+@[^@\s,;]+\.[^@\s,;]{2,}")
_ZONED: Final = re.compile(r".*(?:Z|[+-]\d{2}:?\d{2})\Z", re.IGNORECASE)
_TRUTH: Final = frozenset({"true", "false", "1", "0"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CellFault:
    """What is wrong with a cell."""

    #: Salesforce's status code for it.
    code: str
    #: One sentence.
    message: str


CellCheck = Callable[[str], CellFault | None]


def cell_check(field: Mapping[str, Any]) -> CellCheck | None:
    """Return what checks a cell that is not blank; None for fields that take any text.

    Args:
        field: The field's part of the describe.
    """
    label = f"{field.get('name')} is a {field.get('type')}"
    try:
        kind = FieldType(str(field.get("type")))
    except ValueError:
        return None
    match kind:
        case FieldType.BOOLEAN:
            return _told(lambda text: text.lower() in _TRUTH, "INVALID_TYPE_ON_FIELD_IN_RECORD", label)
        case FieldType.INT:
            return _told(_is_integer, "INVALID_TYPE_ON_FIELD_IN_RECORD", label)
        case FieldType.DATE:
            return _told(lambda text: parse_date(text) is not None, "INVALID_TYPE_ON_FIELD_IN_RECORD", label)
        case FieldType.DATETIME:
            return _told(_is_instant, "INVALID_TYPE_ON_FIELD_IN_RECORD", f"{label} with a time zone")
        case FieldType.TIME:
            return _told(lambda text: parse_time(text) is not None, "INVALID_TYPE_ON_FIELD_IN_RECORD", label)
        case FieldType.PICKLIST | FieldType.MULTIPICKLIST if field.get("restrictedPicklist"):
            return _picklist(field, kind)
        case FieldType.EMAIL:
            return _all(
                _told(lambda text: bool(_EMAIL.fullmatch(text.strip())), "INVALID_EMAIL_ADDRESS", label), _length(field)
            )
        case _ if kind in DECIMAL_TYPES:
            return _number(field, label)
        case _ if kind in ID_TYPES:
            return _told(is_id, "MALFORMED_ID", f"{label} and takes ids of 15 or 18 characters")
        case _ if kind in TEXT_TYPES:
            return _length(field)
        case _:
            return None


def _told(passes: Callable[[str], bool], code: str, expected: str) -> CellCheck:
    def check(text: str) -> CellFault | None:
        return None if passes(text) else CellFault(code=code, message=f"{expected}; the cell holds {text[:60]!r}.")

    return check


def _all(*checks: CellCheck | None) -> CellCheck:
    known = [check for check in checks if check is not None]

    def check(text: str) -> CellFault | None:
        return next((fault for one in known if (fault := one(text)) is not None), None)

    return check


def _is_integer(text: str) -> bool:
    return bool(_INTEGER.fullmatch(text)) and abs(int(text.partition(".")[0])) < 1 << 31


def _is_instant(text: str) -> bool:
    return parse_datetime(text) is not None and bool(_ZONED.match(text))


def _number(field: Mapping[str, Any], label: str) -> CellCheck:
    precision, scale = int(field.get("precision") or 0), int(field.get("scale") or 0)

    def check(text: str) -> CellFault | None:
        found = _NUMBER.fullmatch(text)
        if found is None or not (found[2] or found[3]):
            return CellFault(code="INVALID_TYPE_ON_FIELD_IN_RECORD", message=f"{label}; the cell holds {text[:60]!r}.")
        digits = len(found[2].lstrip("0")) + int(found[4] or 0)
        if precision and digits > precision - scale:
            message = f"{label} of {precision - scale} digits before the point; the cell holds {text[:60]!r}."
            return CellFault(code="NUMBER_OUTSIDE_VALID_RANGE", message=message)
        return None

    return check


def _length(field: Mapping[str, Any]) -> CellCheck | None:
    longest = int(field.get("length") or 0)
    if not longest:
        return None
    name = field.get("name")

    def check(text: str) -> CellFault | None:
        if len(text) <= longest:
            return None
        return CellFault(
            code="STRING_TOO_LONG", message=f"{name} takes {longest} characters; the cell has {len(text)}."
        )

    return check


def _picklist(field: Mapping[str, Any], kind: FieldType) -> CellCheck:
    values = {
        str(value.get("value")).casefold(): str(value.get("value"))
        for value in field.get("picklistValues") or []
        if value.get("active", True)
    }
    name = field.get("name")
    shown = ", ".join(list(values.values())[:10]) + (", ..." if len(values) > 10 else "")

    def check(text: str) -> CellFault | None:
        given = text.split(";") if kind is FieldType.MULTIPICKLIST else [text]
        bad = next((value for value in given if value and value.casefold() not in values), None)
        if bad is None:
            return None
        return CellFault(
            code="INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
            message=f"{name} does not take {bad[:60]!r}; it takes {shown or 'nothing'}.",
        )

    return check


def is_blank(cell: str) -> bool:
    """Tell whether a cell leaves its field without a value."""
    return not cell or cell == NULL_CELL
