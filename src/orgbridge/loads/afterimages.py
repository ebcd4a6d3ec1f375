"""Does a record still hold what a load wrote? Compared value by value, for whole seconds cannot tell. Pure.

SystemModstamp and LastModifiedDate have whole seconds in the API, and a job's end is all that is known of when its rows
were written: a change by the same user before that end is seen in the values only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from orgbridge.wire.bulk import NULL_CELL
from orgbridge.wire.ids import to_18

_NUMBERS = frozenset({"double", "currency", "percent", "int", "long"})


def comparable_fields(header: Sequence[str], describe: Mapping[str, Any]) -> dict[int, Mapping[str, Any]]:
    """Return the fields whose values can be compared, by their place in the header.

    Columns that name a parent by its key (`Parent.Key__c`) write an id that the load did not know: they are left out.

    Args:
        header: Columns as they were sent.
        describe: Salesforce's describe of the object.
    """
    fields = {str(field["name"]).casefold(): field for field in describe.get("fields", [])}
    return {
        place: fields[column.casefold()]
        for place, column in enumerate(header)
        if column.casefold() in fields and column.casefold() != "id"
    }


def still_holds(cell: str, value: Any, field: Mapping[str, Any]) -> bool:
    """Tell whether a field holds what a cell wrote into it.

    Args:
        cell: As it was sent; an empty one wrote nothing.
        value: As a query returns it.
        field: Salesforce's description of the field.
    """
    if not cell:
        return True
    if cell == NULL_CELL:
        return value in (None, "", False)
    kind = str(field.get("type"))
    if kind == "boolean":
        return (cell.strip().casefold() in ("true", "1")) is bool(value)
    if value is None:
        return not cell.strip()
    if kind in _NUMBERS:
        return _same_number(cell, value, int(field.get("scale") or 0))
    if kind in ("id", "reference"):
        return (to_18(cell.strip()) or cell.strip()) == (to_18(str(value)) or str(value))
    if kind == "datetime":
        return _instant(cell) == _instant(str(value))
    if kind in ("date", "time"):
        shown = 10 if kind == "date" else 8
        return cell.strip()[:shown] == str(value)[:shown]
    if kind == "multipicklist":
        return {part.strip() for part in cell.split(";")} == {part.strip() for part in str(value).split(";")}
    return _text(cell) == _text(str(value))


def _same_number(cell: str, value: Any, scale: int) -> bool:
    try:
        wrote, held = Decimal(cell.strip()), Decimal(str(value))
    except InvalidOperation:
        return False
    # Salesforce rounds to the field's scale.
    return abs(wrote - held) <= Decimal(5).scaleb(-scale - 1)


def _instant(text: str) -> object:
    with suppress(ValueError):
        found = datetime.fromisoformat(text.strip())
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC).replace(microsecond=0)
    return text.strip()


def _text(text: str) -> str:
    # Salesforce takes spaces off both ends and makes one kind of line break.
    return text.replace("\r\n", "\n").strip()
