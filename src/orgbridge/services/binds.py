"""Bind parameters of a query: values as JSON gives them, put into the parsed query by `soql`.

JSON has no dates and no exact decimals, so they come with their type: `{"date": "2026-01-31"}`,
`{"datetime": "2026-01-31T10:00:00Z"}`, `{"time": "10:00:00Z"}`, `{"decimal": "12.50"}`,
`{"literal": "LAST_N_DAYS:30"}`.
A text is always a text, whatever it looks like.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from orgbridge.services.errors import InvalidRequest
from orgbridge.soql import SOQLError, UnquotableValue, bind_query, date_literal, parse, print_query
from orgbridge.wire.dates import parse_date, parse_datetime, parse_time

_ZONED = re.compile(r"(?:[Zz]|[+-]\d{2}:?\d{2})\Z")
_DECIMAL = re.compile(r"[+-]?\d{1,30}(?:\.\d{1,30})?\Z", re.ASCII)
_FORMS = "date, datetime (with its zone), time (ending in Z), decimal, literal"


def bound(soql: str, binds: Mapping[str, Any]) -> str:
    """Return the text of a query whose binds are replaced by their values.

    Args:
        soql: With `:name` where a value may stand.
        binds: Values by name.

    Raises:
        InvalidRequest: The query cannot be read, a bind has no value, a value has no bind, or a value cannot stand
            where its bind stands; `errors` names row and column. Nothing was sent.
    """
    values = {name: _value(name, value) for name, value in binds.items()}
    try:
        return print_query(bind_query(parse(soql, allow_binds=True), values, soql=soql))
    except SOQLError as error:
        raise soql_refused(soql, error) from error


def soql_refused(soql: str, error: SOQLError) -> InvalidRequest:
    """Return the refusal for a query that we could not read, with the place it points at."""
    place: dict[str, Any] = {"location": "q", "code": error.code, "message": error.reason}
    if error.position is not None:
        before = soql[: error.position]
        place |= {"row": before.count("\n") + 1, "column": len(before) - (before.rfind("\n") + 1) + 1}
        return InvalidRequest(f"Row {place['row']}, column {place['column']}: {error.reason}", details=[place])
    return InvalidRequest(error.reason, details=[place])


def _value(name: str, value: Any) -> Any:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case list():
            if any(isinstance(item, list) for item in value):
                raise _fault(name, "a list inside a list has no place in SOQL")
            return [_value(name, item) for item in value]
        case dict() if len(value) == 1:
            ((form, text),) = value.items()
            return _typed(name, form, text)
        case _:
            raise _fault(name, f"an object must have one key of {_FORMS}")


def _typed(name: str, form: str, text: Any) -> Any:
    if not isinstance(text, str):
        raise _fault(name, f"the value of {form!r} must be a text")
    found: Any = None
    match form:
        case "date":
            found = parse_date(text)
        case "datetime":
            found = parse_datetime(text) if _ZONED.search(text) else None
        case "time":
            found = parse_time(text)
        case "decimal":
            found = Decimal(text) if _DECIMAL.match(text) else None
        case "literal":
            try:
                found = date_literal(text)
            except UnquotableValue as error:
                raise _fault(name, error.reason) from error
        case _:
            raise _fault(name, f"{form[:40]!r} is no type; there are {_FORMS}")
    if found is None:
        raise _fault(name, f"{text[:60]!r} is no {form}")
    return found


def _fault(name: str, reason: str) -> InvalidRequest:
    place = {"location": f"binds.{name[:80]}", "code": "bind.invalid", "message": reason}
    return InvalidRequest(f"binds.{name[:80]}: {reason}.", details=[place])
