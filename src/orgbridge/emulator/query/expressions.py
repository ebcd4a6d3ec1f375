"""Expressions to operands, by where they stand.

Source: facts/salesforce/soql.md section 2 (`expr`, `ordList`). Assumed: toLabel() is taken in ORDER BY as in WHERE.
"""

from __future__ import annotations

from orgbridge.emulator.query.datefunctions import date_function
from orgbridge.emulator.query.functions import convert_currency, distance, formatted, to_label
from orgbridge.emulator.query.operands import Operand, field_operand
from orgbridge.emulator.query.scopes import Scope
from orgbridge.soql import tree


def operand_of(scope: Scope, expression: tree.Expression) -> Operand:
    """Return what a field or date function is, wherever it stands.

    Raises:
        SFError: An unknown field or function, or a function of a field it cannot take.
    """
    if isinstance(expression, tree.FieldPath):
        return field_operand(scope.resolve(expression))
    return date_function(scope, expression)


def _compared_operand(scope: Scope, expression: tree.Expression) -> Operand:
    match expression:
        case tree.FunctionCall(name=name) if name.upper() == "DISTANCE":
            return distance(scope, expression)
        case tree.FunctionCall(name=name) if name.upper() == "TOLABEL":
            return to_label(scope, expression)
        case _:
            return operand_of(scope, expression)


def filtered_operand(scope: Scope, expression: tree.Expression) -> Operand:
    """Return what stands on the left side of a condition of WHERE.

    Raises:
        SFError: See `operand_of`; or a field that cannot be filtered.
    """
    operand = _compared_operand(scope, expression)
    if operand.field is not None and not (operand.field.filterable and operand.field.is_stored):
        raise scope.refusals.not_filterable(operand.position, operand.name)
    return operand


def sorted_operand(scope: Scope, expression: tree.Expression) -> Operand:
    """Return what ORDER BY sorts records by: a field, its label or a distance.

    Raises:
        SFError: See `operand_of`; or a field that cannot be sorted by, or a date function.
    """
    operand = _compared_operand(scope, expression)
    if operand.is_distance:
        return operand
    if operand.field is None:
        raise scope.refusals.not_evaluated(operand.position, operand.name)
    if not (operand.field.sortable and operand.field.is_stored):
        raise scope.refusals.not_sortable(operand.position, operand.name)
    return operand


def selected_function(scope: Scope, call: tree.FunctionCall) -> Operand:
    """Return the value of a function in SELECT of a query for records.

    Raises:
        SFError: No function that may stand there, or one of a field it cannot take.
    """
    match call.name.upper():
        case "TOLABEL":
            return to_label(scope, call)
        case "CONVERTCURRENCY":
            return convert_currency(scope, call)
        case "DISTANCE":
            return distance(scope, call)
        case "FORMAT" if len(call.arguments) == 1:
            inner = call.arguments[0]
            if isinstance(inner, tree.FieldPath):
                return formatted(scope, call, field_operand(scope.resolve(inner)))
            if isinstance(inner, tree.FunctionCall) and inner.name.upper() == "CONVERTCURRENCY":
                return formatted(scope, call, convert_currency(scope, inner))
    raise scope.refusals.not_evaluated(call.position, call.name)
