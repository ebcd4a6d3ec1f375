"""From the values of a record to stored values, one at a time, with Salesforce's codes and texts; by column in `cells`.

Source: facts/salesforce/errors.md section 2, bulk2.md section 4, ids-and-types.md section 2.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from orgbridge.emulator.org.outcomes import Missing
from orgbridge.emulator.schema.errors import Fault
from orgbridge.emulator.schema.model import Field
from orgbridge.emulator.schema.rendering import Stored, java_double
from orgbridge.wire.dates import bulk_datetime, parse_date, parse_datetime
from orgbridge.wire.fieldtypes import DECIMAL_TYPES, FieldType
from orgbridge.wire.ids import to_18

#: A value for a column, or the word that the record says nothing about the field.
Value = Stored | Missing
#: Faults by the position of the record in the call.
Faults = dict[int, list[Fault]]
#: Turns one text into its stored value, or says what is wrong with it.
Check = Callable[[str], Stored | Fault]

_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,4})?\Z", re.ASCII)
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d)(?:\.(\d{1,3}))?)?Z?\Z", re.ASCII)
_EMAIL = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])\Z"
)
_TRUE, _FALSE = frozenset({"true", "yes", "y", "1"}), frozenset({"false", "no", "n", "0"})
_INT_LIMIT = 2**31
#: Characters of a value that error texts repeat. Assumed: the texts on record are shorter.
_SHOWN = 255


def add_fault(faults: Faults, position: int, fault: Fault) -> None:
    """Note one more thing that is wrong with a record."""
    faults.setdefault(position, []).append(fault)


def is_unicode(text: str) -> bool:
    """Tell whether a text can be stored: JSON's escapes can write half a surrogate pair, which is no character."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _wrong_type(field: Field, text: str) -> Fault:
    return Fault(
        "INVALID_TYPE_ON_FIELD_IN_RECORD", f"{field.label}: value not of required type: {text[:_SHOWN]}", (field.name,)
    )


def _not_json(field: Field, token: str, text: str) -> Fault:
    # Assumed: the position; it is known only to whoever parsed the body.
    return Fault(
        "JSON_PARSER_ERROR",
        f"Cannot deserialize instance of {field.type} from {token} value {text[:_SHOWN]} or request may be missing a "
        "required field at [line:1, column:1]",
    )


def too_long(field: Field, text: str) -> Fault:
    """Return what a text is told that is longer than its field."""
    shown = text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
    return Fault(
        "STRING_TOO_LONG", f"{field.label}: data value too large: {shown} (max length={field.length})", (field.name,)
    )


def number_limit(field: Field) -> float:
    """Return what a number has to be smaller than, without its sign."""
    return float(_INT_LIMIT) if field.type is FieldType.INT else 10.0 ** (field.precision - field.scale or 18)


def _check_number(field: Field) -> Check:
    whole = field.type is FieldType.INT
    limit = number_limit(field)

    def check(text: str) -> Stored | Fault:
        if not _NUMBER.match(text):
            return _wrong_type(field, text)
        number = float(text)
        if whole and number.is_integer() and abs(number) < limit:
            return int(number)
        if whole and abs(number) < limit:
            return _wrong_type(field, text)
        if abs(number) >= limit:
            shown = java_double(number) if abs(number) != float("inf") else text
            return Fault(
                "NUMBER_OUTSIDE_VALID_RANGE",
                f"{field.label}: value outside of valid range on numeric field: {shown}",
                (field.name,),
            )
        return number + 0.0  # SQLite has no -0.0

    return check


def _check_boolean(field: Field) -> Check:
    def check(text: str) -> Stored | Fault:
        lowered = text.lower()
        if lowered in _TRUE:
            return 1
        return 0 if lowered in _FALSE else _wrong_type(field, text)

    return check


def _check_date(field: Field) -> Check:
    def check(text: str) -> Stored | Fault:
        # The guide's own sample has a Z after the date.
        value = parse_date(text.removesuffix("Z"))
        return _wrong_type(field, text) if value is None else value.isoformat()

    return check


def _check_datetime(field: Field) -> Check:
    def check(text: str) -> Stored | Fault:
        value = parse_datetime(text)
        # Assumed: the platform keeps seconds; every recorded instant ends in .000.
        return _wrong_type(field, text) if value is None else bulk_datetime(value.replace(microsecond=0))

    return check


def _check_time(field: Field) -> Check:
    def check(text: str) -> Stored | Fault:
        found = _TIME.match(text)
        if not found:
            return _wrong_type(field, text)
        hour, minute, second, fraction = found.groups()
        return f"{hour}:{minute}:{second or '00'}.{(fraction or '').ljust(3, '0')}Z"

    return check


def _check_base64(field: Field) -> Check:
    def check(text: str) -> Stored | Fault:
        try:
            return base64.b64decode(text, validate=True)
        except binascii.Error:
            return _wrong_type(field, text)

    return check


def _check_reference(field: Field, prefixes: Collection[str]) -> Check:
    def check(text: str) -> Stored | Fault:
        found = to_18(text)
        message = f"{field.label}: id value of incorrect type: {text[:_SHOWN]}"
        if found is None:
            return Fault("MALFORMED_ID", message, (field.name,))
        if found[:3] not in prefixes:
            return Fault("FIELD_INTEGRITY_EXCEPTION", message, (field.name,))
        return found

    return check


def _bad_choice(field: Field, text: str) -> Fault:
    return Fault(
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
        f"{field.label}: bad value for restricted picklist field: {text[:_SHOWN]}",
        (field.name,),
    )


def _check_text(field: Field) -> Check:
    allowed = frozenset(v.value for v in field.picklist if v.active) if field.restricted_picklist else None
    is_email, many = field.type is FieldType.EMAIL, field.type is FieldType.MULTIPICKLIST

    def check(text: str) -> Stored | Fault:
        if len(text) > field.length > 0:
            return too_long(field, text)
        if is_email and not _EMAIL.match(text):
            return Fault("INVALID_EMAIL_ADDRESS", f"{field.label}: invalid email address: {text}", (field.name,))
        if allowed is not None:
            bad = [item for item in (text.split(";") if many else [text]) if item not in allowed]
            if bad:
                return _bad_choice(field, bad[0])
        return text

    return check


def checker(field: Field, prefixes: Mapping[str, str]) -> Check:
    """Return what turns one non-empty text into the field's stored value.

    Args:
        field: A field with a column.
        prefixes: Key prefix of each object's ids.
    """
    match field.type:
        case FieldType.BOOLEAN:
            return _check_boolean(field)
        case FieldType.INT | FieldType.DOUBLE | FieldType.CURRENCY | FieldType.PERCENT:
            return _check_number(field)
        case FieldType.DATE:
            return _check_date(field)
        case FieldType.DATETIME:
            return _check_datetime(field)
        case FieldType.TIME:
            return _check_time(field)
        case FieldType.BASE64:
            return _check_base64(field)
        case FieldType.REFERENCE:
            return _check_reference(field, {prefixes[name] for name in field.reference_to if name in prefixes})
        case _:
            return _check_text(field)


def convert_json(field: Field, check: Check, values: Sequence[Any], faults: Faults) -> list[Value]:
    """Return the stored values of what JSON records say about a field; what is wrong goes to `faults`."""
    out: list[Value] = []
    for position, value in enumerate(values):
        stored = json_value(field, check, value)
        if isinstance(stored, Fault):
            add_fault(faults, position, stored)
            stored = None
        out.append(stored)
    return out


def json_value(field: Field, check: Check, value: Any) -> Value | Fault:
    """Return the stored value of what a JSON record says about a field, or what is wrong with it."""
    match value:
        case str():
            # Assumed: the platform trims the ends of a text that comes as JSON.
            text = value.strip()
            if not text:
                return 0 if field.type is FieldType.BOOLEAN else None
            if not is_unicode(text):
                return _not_json(field, "VALUE_STRING", text.encode("ascii", "backslashreplace").decode())
            if field.type is FieldType.BOOLEAN and text.lower() not in ("true", "false"):
                return _not_json(field, "VALUE_STRING", text)
            stored = check(text)
            if isinstance(stored, Fault) and stored.code == "INVALID_TYPE_ON_FIELD_IN_RECORD":
                return _not_json(field, "VALUE_STRING", text)
            return stored
        case Missing():
            return value
        case None:
            return 0 if field.type is FieldType.BOOLEAN else None
        case bool():
            if field.type is FieldType.BOOLEAN:
                return int(value)
            return _not_json(field, f"VALUE_{str(value).upper()}", str(value).lower())
        case int() | float():
            return _json_number(field, check, value)
        case list() | tuple():
            return _not_json(field, "START_ARRAY", "[")
        case _:
            return _not_json(field, "START_OBJECT", "{")


def _json_number(field: Field, check: Check, value: int | float) -> Value | Fault:
    text = str(value)
    token = "VALUE_NUMBER_INT" if isinstance(value, int) else "VALUE_NUMBER_FLOAT"
    if field.type is FieldType.INT or field.type in DECIMAL_TYPES or field.is_text:
        stored = check(text)
        if isinstance(stored, Fault) and stored.code == "INVALID_TYPE_ON_FIELD_IN_RECORD":
            return _not_json(field, token, text)
        return stored
    return _not_json(field, token, text)
