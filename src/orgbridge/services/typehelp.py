"""What a field wanted and what it got: Salesforce's refusals explained from the object's describe.

Salesforce often names neither the field nor what it takes ("Cannot deserialize instance of date from VALUE_STRING value
abc"). The describe and the caller's own values do. Where the describe does not tell, nothing is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from orgbridge.client import Salesforce, SalesforceFault
from orgbridge.client.errors import ClientError
from orgbridge.orgs.errors import OrgError
from orgbridge.wire.fieldtypes import FieldType

#: Codes of which the describe can say more. Source: facts/salesforce/errors.md section 2.
EXPLAINED = frozenset(
    {
        "JSON_PARSER_ERROR",
        "INVALID_TYPE_ON_FIELD_IN_RECORD",
        "INVALID_FIELD",
        "INVALID_FIELD_FOR_INSERT_UPDATE",
        "STRING_TOO_LONG",
        "NUMBER_OUTSIDE_VALID_RANGE",
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
        "REQUIRED_FIELD_MISSING",
        "INVALID_EMAIL_ADDRESS",
        "MALFORMED_ID",
        "FIELD_INTEGRITY_EXCEPTION",
        "INVALID_CROSS_REFERENCE_KEY",
    }
)
#: Of these Salesforce itself says enough: a describe that is at hand is used, and none is asked for.
_CLEAR = frozenset({"REQUIRED_FIELD_MISSING", "STRING_TOO_LONG", "INVALID_FIELD_FOR_INSERT_UPDATE"})
_REFUSED_VALUE = re.compile(
    r"deserialize instance of (?P<type>\w+) from (?P<token>VALUE_\w+)(?: value (?P<value>.*?))?"
    r"(?: or request may be missing| at \[|$)",
    re.DOTALL,
)
_NO_COLUMN = re.compile(r"No such column '(?P<name>[^']+)'")
_BRACKETED = re.compile(r"\[(?P<names>[^\]]*)\]")
#: Picklist values that are listed.
_VALUES_SHOWN = 12
_SHOWN_CHARS = 60
_MEANINGS: Mapping[str, str] = {
    FieldType.BOOLEAN: "a boolean (true or false)",
    FieldType.INT: "a whole number",
    FieldType.DOUBLE: "a number",
    FieldType.CURRENCY: "a currency (a number)",
    FieldType.PERCENT: "a percent (a number)",
    FieldType.DATE: "a date (yyyy-MM-dd)",
    FieldType.DATETIME: "a date and time (yyyy-MM-ddTHH:mm:ss.SSSZ)",
    FieldType.TIME: "a time (HH:mm:ss.SSSZ)",
    FieldType.ID: "a record id",
    FieldType.REFERENCE: "a reference",
    FieldType.EMAIL: "an email address",
    FieldType.BASE64: "base64",
}
#: JSON parser's names of types, and the field types that they stand for.
_PARSED_AS: Mapping[str, frozenset[str]] = {
    "date": frozenset({FieldType.DATE}),
    "datetime": frozenset({FieldType.DATETIME}),
    "time": frozenset({FieldType.TIME}),
    "boolean": frozenset({FieldType.BOOLEAN}),
    "int": frozenset({FieldType.INT}),
    "integer": frozenset({FieldType.INT}),
    "double": frozenset({FieldType.DOUBLE, FieldType.CURRENCY, FieldType.PERCENT}),
    "currency": frozenset({FieldType.CURRENCY}),
    "percent": frozenset({FieldType.PERCENT}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Help:
    """One sentence about one field."""

    #: API name in Salesforce's case, or as the caller wrote it when there is no such field.
    field: str
    #: What the field takes, e.g. `currency`; empty when there is no such field.
    type: str
    #: E.g. "`AnnualRevenue` is a currency (a number); got 'abc'."
    message: str

    def to_json(self) -> dict[str, Any]:
        """Return the place as `errors` of a problem has it."""
        return {"field": self.field, "type": self.type, "code": "field.help", "message": self.message}


async def describe_for_help(
    salesforce: Salesforce, sobject: str, faults: Iterable[SalesforceFault]
) -> Mapping[str, Any]:
    """Return the describe with which faults can be explained; empty when it is of no use or not to be had.

    Asks Salesforce only for an object whose describe was never read, and never for a second time in one failure.
    """
    codes = {fault.error_code for fault in faults} & EXPLAINED
    if not codes:
        return {}
    known = salesforce.describe.known(sobject)
    if known is not None:
        return known
    if codes <= _CLEAR:
        return {}
    try:
        return await salesforce.describe.sobject(sobject)
    except (ClientError, OrgError):
        # The caller waits for the first error, not for a second one.
        return {}


def help_for(faults: Iterable[SalesforceFault], describe: Mapping[str, Any], data: Mapping[str, Any]) -> list[Help]:
    """Return what can be said about faults of one record.

    Args:
        faults: Salesforce's errors.
        describe: The object's describe.
        data: The record's values by field, as the caller gave them.
    """
    fields = {str(item["name"]).lower(): item for item in describe.get("fields") or ()}
    values = {name.lower(): value for name, value in data.items()}
    found: dict[str, Help] = {}
    for fault in faults:
        for item in _helps(fault, fields, values, str(describe.get("name") or "The object")):
            found.setdefault(item.message, item)
    return list(found.values())


def _helps(
    fault: SalesforceFault, fields: Mapping[str, Mapping[str, Any]], values: Mapping[str, Any], sobject: str
) -> list[Help]:
    match fault.error_code:
        case "JSON_PARSER_ERROR":
            return _unparsed(fault.message, fields, values)
        case "INVALID_FIELD":
            found = _NO_COLUMN.search(fault.message)
            return [_unknown(found["name"], fields, sobject)] if found else []
        case "INVALID_FIELD_FOR_INSERT_UPDATE":
            return [_unwritable(field) for field in _named(fault, fields)]
        case "REQUIRED_FIELD_MISSING":
            return [_required(field) for field in _named(fault, fields)]
        case code if code in EXPLAINED:
            return [_wanted(field, values) for field in _named(fault, fields)]
        case _:
            return []


def _named(fault: SalesforceFault, fields: Mapping[str, Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    names = [name for name in fault.fields if name.lower() in fields]
    if not names and (listed := _BRACKETED.search(fault.message)):
        names = [name.strip() for name in listed["names"].split(",")]
    if not names:
        # `Annual Revenue: value not of required type: abc`: the label or the name stands before the colon.
        head = fault.message.partition(":")[0].strip().lower()
        names = [
            str(f["name"]) for f in fields.values() if head in (str(f["name"]).lower(), str(f.get("label")).lower())
        ]
    return [fields[name.lower()] for name in names if name.lower() in fields]


def _unparsed(message: str, fields: Mapping[str, Mapping[str, Any]], values: Mapping[str, Any]) -> list[Help]:
    refused = _REFUSED_VALUE.search(message)
    if refused is None:
        return []
    types = _PARSED_AS.get(refused["type"].lower(), frozenset())
    text = refused["value"]
    fitting = [
        fields[name]
        for name, value in values.items()
        if name in fields and fields[name].get("type") in types and (text is None or _same(value, text.strip()))
    ]
    # Two fields of one type with the same value: which of them Salesforce means is not known, so both are named.
    return [_wanted(field, values) for field in fitting]


def _same(value: Any, text: str) -> bool:
    if isinstance(value, bool):
        return text.lower() == str(value).lower()
    return str(value) == text or str(value).strip() == text


def _wanted(field: Mapping[str, Any], values: Mapping[str, Any]) -> Help:
    name, kind = str(field["name"]), str(field.get("type", ""))
    got = values.get(name.lower())
    shown = _shown(got)
    match kind:
        case FieldType.PICKLIST | FieldType.MULTIPICKLIST if field.get("restrictedPicklist"):
            allowed = [str(v["value"]) for v in field.get("picklistValues") or () if v.get("active", True)]
            listed = ", ".join(allowed[:_VALUES_SHOWN]) + (" …" if len(allowed) > _VALUES_SHOWN else "")
            near = get_close_matches(str(got), allowed, n=1)
            hint = f" Did you mean {near[0]}?" if near and near[0] != got else ""
            text = f"`{name}` takes only: {listed}; got {shown}.{hint}"
        case _ if isinstance(got, str) and field.get("length") and len(got) > int(field["length"]):
            text = f"`{name}` takes {field['length']} characters; got {len(got)}."
        case FieldType.REFERENCE:
            targets = " or ".join(str(target) for target in field.get("referenceTo") or ()) or "a record"
            text = f"`{name}` is the id of {targets}; got {shown}."
        case FieldType.INT | FieldType.DOUBLE | FieldType.CURRENCY | FieldType.PERCENT if isinstance(got, int | float):
            text = f"`{name}` is {_MEANINGS[kind]}{_digits(field)}; got {shown}."
        case _:
            text = f"`{name}` is {_MEANINGS.get(kind, f'of type {kind}')}; got {shown}."
    return Help(field=name, type=kind, message=text)


def _digits(field: Mapping[str, Any]) -> str:
    if field.get("type") == FieldType.INT:
        return f" of at most {field['digits']} digits" if field.get("digits") else ""
    precision, scale = field.get("precision") or 0, field.get("scale") or 0
    return f" of at most {precision - scale} digits before the point" if precision else ""


def _unknown(name: str, fields: Mapping[str, Mapping[str, Any]], sobject: str) -> Help:
    near = get_close_matches(name.lower(), list(fields), n=1)
    hint = f" Did you mean `{fields[near[0]]['name']}`?" if near else ""
    return Help(field=name, type="", message=f"{sobject} has no field `{name}`.{hint}")


def _unwritable(field: Mapping[str, Any]) -> Help:
    ways = [way for way, key in (("set at creation", "createable"), ("updated", "updateable")) if not field.get(key)]
    why = " because it is a formula" if field.get("calculated") else ""
    cannot = " or ".join(ways) or "written by this user"
    name = str(field["name"])
    return Help(field=name, type=str(field.get("type", "")), message=f"`{name}` cannot be {cannot}{why}.")


def _required(field: Mapping[str, Any]) -> Help:
    name, kind = str(field["name"]), str(field.get("type", ""))
    what = _MEANINGS.get(kind, f"of type {kind}")
    return Help(field=name, type=kind, message=f"`{name}` ({field.get('label')}) must have a value; it is {what}.")


def _shown(value: Any) -> str:
    match value:
        case None:
            return "nothing"
        case str():
            return f"'{value[:_SHOWN_CHARS]}…'" if len(value) > _SHOWN_CHARS else f"'{value}'"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case list():
            return "a list"
        case _:
            return "an object"
