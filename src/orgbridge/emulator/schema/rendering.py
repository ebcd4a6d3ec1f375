"""Stored values as the wire shows them: JSON of REST, cells of Bulk CSV, numbers as Java prints them.

Source: facts/salesforce/ids-and-types.md section 2.
"""

from __future__ import annotations

from collections.abc import Mapping

from orgbridge.emulator.schema.model import Field, SObject
from orgbridge.kit.json import JSON
from orgbridge.wire.fieldtypes import DECIMAL_TYPES, FieldType

#: A value as a column holds it.
Stored = str | int | float | bytes | None


def java_double(value: float) -> str:
    """Return a number as Java's `Double.toString` prints it: `23.0`, `1.0E10`, `1.5E-4`."""
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        text = repr(float(value))
        if "e" not in text:
            return text
    digits, _, exponent = f"{float(value)!r}".lower().partition("e")
    sign = "-" if digits.startswith("-") else ""
    whole, _, fraction = digits.lstrip("-").partition(".")
    power = int(exponent or 0)
    if whole.strip("0"):
        power += len(whole) - 1
        significant = whole + fraction
    else:
        stripped = fraction.lstrip("0")
        power -= len(fraction) - len(stripped) + 1
        significant = stripped
    significant = significant.rstrip("0") or "0"
    return f"{sign}{significant[0]}.{significant[1:] or '0'}E{power}"


def rest_value(field: Field, stored: Stored) -> JSON:
    """Return a stored value as REST JSON shows it. Base64 fields are the caller's work: they show as an address."""
    if stored is None:
        return False if field.type is FieldType.BOOLEAN else None
    if field.type is FieldType.BOOLEAN:
        return bool(stored)
    if field.type is FieldType.DATETIME:
        return str(stored).removesuffix("Z") + "+0000"
    return stored


def csv_value(field: Field, stored: Stored) -> str:
    """Return a stored value as a cell of Bulk CSV; null is the empty text."""
    if stored is None:
        return "false" if field.type is FieldType.BOOLEAN else ""
    if field.type is FieldType.BOOLEAN:
        return "true" if stored else "false"
    if field.type in DECIMAL_TYPES:
        return java_double(float(stored))
    return str(stored)


#: Keys of an address, in the wire's order, and the ends of the names of the fields they come from.
_ADDRESS_KEYS = (
    ("city", "City"),
    ("country", "Country"),
    ("geocodeAccuracy", "GeocodeAccuracy"),
    ("latitude", "Latitude"),
    ("longitude", "Longitude"),
    ("postalCode", "PostalCode"),
    ("state", "State"),
    ("street", "Street"),
)


def component_names(sobject: SObject, compound: Field) -> dict[str, str]:
    """Return which field each key of an address or location comes from.

    Source: facts/salesforce/soql.md section 1, recorded Organization.Address.
    """
    if compound.type is FieldType.ADDRESS:
        prefix = compound.name.removesuffix("Address")
        return {key: prefix + end for key, end in _ADDRESS_KEYS}
    stem = compound.name.removesuffix("__c")
    return {"latitude": f"{stem}__Latitude__s", "longitude": f"{stem}__Longitude__s"}


def compound_value(sobject: SObject, compound: Field, row: Mapping[str, Stored]) -> JSON:
    """Return an address or location as REST shows it, from its fields' values by API name; None when all are null."""
    values = {key: row.get(name) for key, name in component_names(sobject, compound).items()}
    return values if any(value is not None for value in values.values()) else None
