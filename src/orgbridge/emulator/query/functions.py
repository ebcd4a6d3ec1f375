"""Functions of SELECT, WHERE and ORDER BY that are no date functions: toLabel, FORMAT, convertCurrency, DISTANCE.

Source: facts/salesforce/soql.md section 1 ("Special shapes") and section 2; SOQL and SOSL Reference, "FORMAT ()",
"convertCurrency()", "Location-Based SOQL Queries". Assumed: the texts of their refusals.
"""

from __future__ import annotations

from dataclasses import replace

from orgbridge.emulator.query.operands import Operand, field_operand
from orgbridge.emulator.query.scopes import Reference, Scope
from orgbridge.emulator.schema.model import Field
from orgbridge.emulator.storage.presentation import FORMATTED_TYPES
from orgbridge.soql import tree
from orgbridge.wire.fieldtypes import FieldType

#: The one currency of the org; its SOAP login says the same.
ORG_CURRENCY = "USD"
_UNITS = ("mi", "km")
#: Greatest absolute latitude and longitude.
_LATITUDE, _LONGITUDE = 90, 180


def to_label(scope: Scope, call: tree.FunctionCall) -> Operand:
    """Return the label of a picklist's value, or any other text as it is."""
    inner = field_operand(scope.resolve(_path(scope, call)))
    if inner.field is None or not inner.field.is_stored or not inner.field.is_text:
        raise scope.refusals.not_evaluated(call.position, call.name)
    labels = [(value.value, value.label) for value in inner.field.picklist if value.value != value.label]
    if not labels:
        return replace(inner, position=call.position)
    whens = " ".join(f"WHEN {text_literal(value)} THEN {text_literal(label)}" for value, label in labels)
    column = f"CASE {inner.column} {whens} ELSE {inner.column} END"
    return replace(
        inner,
        column=column,
        key=f"SF_FOLD({column})",
        type=FieldType.STRING,
        position=call.position,
        is_key_stored=False,
        case_sensitive=False,
    )


def convert_currency(scope: Scope, call: tree.FunctionCall) -> Operand:
    """Return an amount in the user's currency. Assumed: in an org of one currency that is the amount itself."""
    inner = field_operand(scope.resolve(_path(scope, call)))
    if inner.type is not FieldType.CURRENCY:
        text = f"convertCurrency() takes a currency field, not '{inner.name}'"
        raise scope.refusals.at("INVALID_FIELD", call.position, text)
    return inner


def formatted(scope: Scope, call: tree.FunctionCall, inner: Operand) -> Operand:
    """Return a number, date, time or instant as the user's locale writes it."""
    if inner.type not in FORMATTED_TYPES:
        text = f"FORMAT() takes a number, date, time or currency field, not '{inner.name}'"
        raise scope.refusals.at("INVALID_FIELD", call.position, text)
    column = f"SF_FORMAT({inner.column}, '{inner.type.value}', {_scale(inner)})"
    return replace(inner, column=column, key=column, type=FieldType.STRING, position=call.position, is_key_stored=False)


def distance(scope: Scope, call: tree.FunctionCall) -> Operand:
    """Return the way between two places, each a location, an address or GEOLOCATION(latitude, longitude)."""
    if len(call.arguments) != 3:
        raise scope.refusals.not_evaluated(call.position, call.name)
    unit = call.arguments[2]
    if not isinstance(unit, tree.StringValue) or unit.value.lower() not in _UNITS:
        raise scope.refusals.malformed(unit.position, "DISTANCE() takes the unit 'mi' or 'km'")
    places = [_place(scope, argument) for argument in call.arguments[:2]]
    column = f"SF_DISTANCE({places[0]}, {places[1]}, '{unit.value.lower()}')"
    return Operand(
        column=column,
        key=column,
        type=FieldType.DOUBLE,
        name=call.name,
        position=call.position,
        is_key_stored=False,
        is_distance=True,
    )


def text_literal(text: str) -> str:
    """Return a text of the catalogue as SQL."""
    return "'" + text.replace("'", "''") + "'"


def _path(scope: Scope, call: tree.FunctionCall) -> tree.FieldPath:
    if len(call.arguments) != 1 or not isinstance(call.arguments[0], tree.FieldPath):
        raise scope.refusals.not_evaluated(call.position, call.name)
    return call.arguments[0]


def _scale(inner: Operand) -> int:
    if inner.type is FieldType.CURRENCY:
        # Assumed: amounts are shown with cents whatever the field's own scale is.
        return max(2, inner.field.scale if inner.field else 0)
    return inner.field.scale if inner.field and inner.type is not FieldType.INT else 0


def _place(scope: Scope, argument: tree.Argument) -> str:
    """Return the SQL of a place's latitude and longitude."""
    if isinstance(argument, tree.FieldPath):
        return _stored_place(scope, scope.resolve(argument))
    if not isinstance(argument, tree.FunctionCall) or argument.name.upper() != "GEOLOCATION":
        raise scope.refusals.not_evaluated(argument.position, getattr(argument, "name", ""))
    numbers = [value.value for value in argument.arguments if isinstance(value, tree.NumberValue)]
    if len(numbers) != 2 or len(argument.arguments) != 2:
        raise scope.refusals.malformed(argument.position, "GEOLOCATION() takes a latitude and a longitude")
    if abs(numbers[0]) > _LATITUDE or abs(numbers[1]) > _LONGITUDE:
        text = f"GEOLOCATION({numbers[0]}, {numbers[1]}) is no place on earth"
        raise scope.refusals.at("NUMBER_OUTSIDE_VALID_RANGE", argument.position, text)
    return f"{float(numbers[0])!r}, {float(numbers[1])!r}"


def _stored_place(scope: Scope, reference: Reference) -> str:
    if reference.field.is_stored:
        text = f"field {reference.field.name} does not support function DISTANCE"
        raise scope.refusals.at("INVALID_FIELD", reference.position, text)
    parts = reference.table.sobject.components(reference.field.name)
    return ", ".join(_part(reference, parts, end) for end in ("latitude", "longitude"))


def _part(reference: Reference, parts: tuple[Field, ...], end: str) -> str:
    found = next((part for part in parts if part.name.lower().removesuffix("__s").endswith(end)), None)
    return reference.table.column(found) if found else "NULL"
