"""Date functions: parts of a date or instant, as SQL.

Source: facts/salesforce/soql.md section 2, "Date functions". Days are UTC days; the fiscal year is the calendar year.
"""

from __future__ import annotations

from orgbridge.emulator.query.operands import Operand, field_operand
from orgbridge.emulator.query.scopes import Scope
from orgbridge.soql import tree
from orgbridge.wire.fieldtypes import FieldType

_INSTANT = (FieldType.DATETIME,)
_DAY_OR_INSTANT = (FieldType.DATE, FieldType.DATETIME)
#: SQL of each date function over `{0}`, the stored text of a date or instant.
_MONTH, _YEAR, _DAY = "CAST(substr({0}, 6, 2) AS INTEGER)", "CAST(substr({0}, 1, 4) AS INTEGER)", "substr({0}, 9, 2)"
_QUARTER = f"(({_MONTH} + 2) / 3)"
_DAY_OF_YEAR = "CAST(strftime('%j', substr({0}, 1, 10)) AS INTEGER)"
DATE_FUNCTIONS: dict[str, tuple[str, tuple[FieldType, ...]]] = {
    "CALENDAR_MONTH": (_MONTH, _DAY_OR_INSTANT),
    "CALENDAR_QUARTER": (_QUARTER, _DAY_OR_INSTANT),
    "CALENDAR_YEAR": (_YEAR, _DAY_OR_INSTANT),
    "DAY_IN_MONTH": (f"CAST({_DAY} AS INTEGER)", _DAY_OR_INSTANT),
    "DAY_IN_WEEK": ("(strftime('%w', substr({0}, 1, 10)) + 1)", _DAY_OR_INSTANT),
    "DAY_IN_YEAR": (_DAY_OF_YEAR, _DAY_OR_INSTANT),
    "DAY_ONLY": ("substr({0}, 1, 10)", _INSTANT),
    "FISCAL_MONTH": (_MONTH, _DAY_OR_INSTANT),
    "FISCAL_QUARTER": (_QUARTER, _DAY_OR_INSTANT),
    "FISCAL_YEAR": (_YEAR, _DAY_OR_INSTANT),
    "HOUR_IN_DAY": ("CAST(substr({0}, 12, 2) AS INTEGER)", _INSTANT),
    "WEEK_IN_MONTH": (f"((CAST({_DAY} AS INTEGER) + 6) / 7)", _DAY_OR_INSTANT),
    "WEEK_IN_YEAR": (f"(({_DAY_OF_YEAR} + 6) / 7)", _DAY_OR_INSTANT),
}


def date_function(scope: Scope, call: tree.FunctionCall) -> Operand:
    """Return the operand that a call of a date function is."""
    found = DATE_FUNCTIONS.get(call.name.upper())
    if found is None:
        raise scope.refusals.not_evaluated(call.position, call.name)
    sql, types = found
    if len(call.arguments) != 1:
        raise scope.refusals.not_evaluated(call.position, call.name)
    path = _argument(scope, call.arguments[0])
    inner = field_operand(scope.resolve(path))
    if inner.type not in types:
        # Assumed: code and text.
        raise scope.refusals.at(
            "INVALID_FIELD", call.position, f"field {inner.name} does not support function {call.name.upper()}"
        )
    day_only = call.name.upper() == "DAY_ONLY"
    column = sql.format(inner.column)
    return Operand(
        column=column,
        key=column,
        type=FieldType.DATE if day_only else FieldType.INT,
        name=f"{call.name}({path.text})",
        position=call.position,
        is_key_stored=False,
    )


def _argument(scope: Scope, argument: tree.Argument) -> tree.FieldPath:
    """Return the field inside; `convertTimezone(field)` is the field itself, as the user's time zone is UTC."""
    if isinstance(argument, tree.FunctionCall) and argument.name.upper() == "CONVERTTIMEZONE":
        if len(argument.arguments) == 1 and isinstance(argument.arguments[0], tree.FieldPath):
            return argument.arguments[0]
    elif isinstance(argument, tree.FieldPath):
        return argument
    raise scope.refusals.not_evaluated(argument.position, getattr(argument, "name", ""))
