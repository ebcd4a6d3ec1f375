"""Fields and objects as the control API takes them, turned into the form of the package's data files.

A field is told in a few words - `{"name": "Serial__c", "type": "string", "length": 40, "unique": true}` - or as one
field of a describe reply. What would not be a field in a Salesforce org is refused with a sentence for people.

Source: facts/salesforce/ids-and-types.md sections 2 and 3. Assumed: lengths and digits that are left out are those
that Setup proposes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal

from orgbridge.emulator.schema.describes import field_from_describe
from orgbridge.kit.json import JSON
from orgbridge.wire.fieldtypes import FieldType


class SchemaError(ValueError):
    """An object or a field cannot be made, changed or deleted; nothing was. The message is one line for people."""


_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)*__c\Z")
#: Endings that the platform keeps for other kinds of objects and fields.
_RESERVED = (
    "__r", "__x", "__b", "__e", "__mdt", "__kav", "__ka", "__s", "__pc", "__pr", "__share", "__history", "__feed",
    "__tag", "__changeevent", "__hd", "__xo", "__votestat", "__viewstat", "__dlm",
)  # fmt: skip
#: Characters of a name before its `__c`, and of a label.
_NAME_LENGTH = 40
_VALUES = 1_000
_LONG_TEXT = 131_072
#: Longest and proposed lengths of the types that have one.
_LENGTHS: Mapping[str, tuple[int, int]] = {
    "string": (255, 255),
    "textarea": (_LONG_TEXT, 255),
    "encryptedstring": (175, 175),
    "email": (80, 80),
    "phone": (40, 40),
    "url": (255, 255),
    "picklist": (255, 255),
    "multipicklist": (4_099, 4_099),
}
_NUMBERS = ("double", "currency", "percent")
_PICKLISTS = ("picklist", "multipicklist")
_PLAIN = (*_LENGTHS, *_NUMBERS, "boolean", "date", "datetime", "time", "location")
#: Words that are a type of Setup and not of describe.
_KINDS = ("masterDetail", "autoNumber", "summary")
_UNIQUE = ("string", "email", "double")
_LOCKED = {"createable": False, "updateable": False}
_FIELD_KEYS = frozenset(
    {
        "name", "label", "type", "length", "precision", "scale", "required", "unique", "caseSensitive", "externalId",
        "defaultValue", "picklistValues", "restrictedPicklist", "controllerName", "referenceTo",
        "childRelationshipName", "deleteConstraint", "reparentable", "displayFormat", "summary", "calculated",
        "inlineHelpText",
    }
)  # fmt: skip
_VALUE_KEYS = frozenset({"value", "label", "active", "defaultValue", "validFor"})


def check_name(name: JSON, what: str) -> str:
    """Return the API name of a custom object or field.

    Raises:
        SchemaError: It is none.
    """
    if not isinstance(name, str) or not name:
        raise SchemaError(f"{what} needs a name")
    for ending in _RESERVED:
        if name.lower().endswith(ending):
            raise SchemaError(f"{name}: the ending {ending} is reserved; the name of a custom {what} ends with __c")
    if not _NAME.match(name):
        text = "letters, digits and single underscores, a letter first, and ends with __c"
        raise SchemaError(f"{name}: the name of a custom {what} has {text}")
    if len(name) - len("__c") > _NAME_LENGTH:
        raise SchemaError(f"{name}: a name has at most {_NAME_LENGTH} characters before __c")
    return name


def check_keys(body: Mapping[str, JSON], known: frozenset[str], place: str) -> None:
    """Refuse keys that mean nothing here.

    Raises:
        SchemaError: There are some.
    """
    if unknown := sorted(set(body) - known):
        raise SchemaError(f"{place}: unknown keys {', '.join(unknown)}; there are {', '.join(sorted(known))}")


def read_field(body: JSON, known: Mapping[str, JSON] | None = None, beside: Iterable[JSON] = ()) -> dict[str, JSON]:
    """Return a field in the form of the data files.

    Args:
        body: A field in a few words, or one of a describe reply.
        known: The field as it is, when it is to be changed: `body` says what becomes different.
        beside: The other fields of the describe reply that `body` is a part of.

    Raises:
        SchemaError: It would be no field.
    """
    if not isinstance(body, dict):
        raise SchemaError("a field is a JSON object")
    name = check_name(body.get("name") if known is None else known["name"], "field")
    if known is not None and str(body.get("name", name)).lower() != name.lower():
        raise SchemaError(f"{name}: a field cannot be renamed")
    if "soapType" in body:
        body = _from_describe(body, name, beside)
    check_keys(body, _FIELD_KEYS, name)
    return _Reader(name, body, known or {}).told()


def _from_describe(body: JSON, name: str, beside: Iterable[JSON]) -> dict[str, JSON]:
    """Return a field of a describe reply in few words."""
    try:
        data = field_from_describe(body, beside)
    except (KeyError, TypeError, ValueError) as error:
        raise SchemaError(f"{name}: this is no field of a describe reply: {error}") from error
    kept = {key: data[key] for key in ("name", "label", "type") if key in data}
    kind = data["type"]
    if data.get("autoNumber"):
        kept["type"] = "autoNumber"
    elif kind == "reference" and data.get("relationshipOrder") is not None:
        kept |= {"type": "masterDetail", "reparentable": data.get("updateable", False)}
    elif data.get("calculated"):
        kept["calculated"] = True
    elif kind not in ("boolean", "location") and not data.get("nillable", True):
        kept["required"] = True
    if kind == "reference":
        cascade, restrict = data.get("cascadeDelete"), data.get("restrictedDelete")
        kept["referenceTo"] = data.get("referenceTo", [])
        if kept["type"] == "reference":
            kept["deleteConstraint"] = "Cascade" if cascade else "Restrict" if restrict else "SetNull"
    keys: tuple[str, ...] = ("inlineHelpText", "defaultValue", "picklistValues", "controllerName")
    keys += ("length",) if kind in _LENGTHS and kept["type"] != "autoNumber" else ()
    keys += ("precision", "scale") if kind in _NUMBERS else ()
    keys += ("restrictedPicklist",) if kind in _PICKLISTS else ()
    keys += ("unique", "externalId") if kind in _UNIQUE and kept["type"] != "autoNumber" else ()
    kept |= {key: data[key] for key in keys if data.get(key) is not None}
    if kept.get("unique") and data.get("caseSensitive"):
        kept["caseSensitive"] = True
    return kept


class _Reader:
    """Reads one field, over what it was before."""

    def __init__(self, name: str, body: Mapping[str, JSON], known: Mapping[str, JSON]) -> None:
        self._name = name
        self._body = body
        self._known = known
        self._used = {"name", "label", "type", "inlineHelpText"}

    def told(self) -> dict[str, JSON]:
        """Return the field; every key of the body has been looked at."""
        kind = self._body.get("type", _kind_of(self._known) if self._known else None)
        if not isinstance(kind, str) or kind not in (*_PLAIN, "reference", *_KINDS):
            raise self._refused(f"{kind!r} is no type of a custom field; there are "
                                f"{', '.join((*_PLAIN, 'reference', *_KINDS))}")  # fmt: skip
        told: dict[str, JSON] = {"name": self._name, "custom": True, **self._texts()}
        match kind:
            case "reference" | "masterDetail":
                told |= self._reference(kind)
            case "autoNumber":
                told |= self._auto_number()
            case "summary":
                told |= self._summary()
            case _:
                told |= self._plain(kind)
        if idle := sorted(key for key in set(self._body) - self._used if self._body[key] is not None):
            raise self._refused(f"{', '.join(idle)} says nothing about a field of type {kind}")
        return told

    def _refused(self, text: str) -> SchemaError:
        return SchemaError(f"{self._name}: {text}")

    def _get(self, key: str, implied: JSON, *, was: str | None = None) -> JSON:
        """Return what the body says, else what was, else what is implied; null says what is implied."""
        self._used.add(key)
        if key in self._body:
            return implied if self._body[key] is None else self._body[key]
        return self._known.get(was or key, implied)

    def _flag(self, key: str, *, implied: bool = False, was: bool | None = None) -> bool:
        value = self._get(key, implied) if was is None or key in self._body else was
        self._used.add(key)
        if not isinstance(value, bool):
            raise self._refused(f"{key} is true or false")
        return value

    def _number(self, key: str, implied: int, least: int, most: int) -> int:
        value = self._get(key, implied)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise self._refused(f"{key} is a whole number from {least} to {most}")
        return value

    def _texts(self) -> dict[str, JSON]:
        label = self._get("label", self._name.removesuffix("__c").replace("_", " "))
        if not isinstance(label, str) or not label.strip() or len(label) > _NAME_LENGTH:
            raise self._refused(f"a label has 1 to {_NAME_LENGTH} characters")
        told: dict[str, JSON] = {"label": label}
        if (text := self._get("inlineHelpText", None)) is not None:
            if not isinstance(text, str) or len(text) > 510:
                raise self._refused("inlineHelpText has at most 510 characters")
            told["inlineHelpText"] = text
        return told

    def _plain(self, kind: str) -> dict[str, JSON]:
        told: dict[str, JSON] = {"type": kind}
        if kind in _LENGTHS:
            most, implied = _LENGTHS[kind]
            told["length"] = self._number("length", implied, 1, most)
        if kind in _NUMBERS:
            precision = told["precision"] = self._number("precision", 18, 1, 18)
            scale = told["scale"] = self._number("scale", 0, 0, 17)
            if scale > precision:
                raise self._refused("scale is larger than precision")
        if kind == "location":
            return told | _LOCKED
        if self._flag("calculated"):
            return told | _LOCKED | {"calculated": True, "nillable": True}
        if kind in _PICKLISTS:
            told |= self._picklist(kind)
        if kind != "boolean":
            required = self._flag("required", was=not self._known["nillable"] if "nillable" in self._known else None)
            told["nillable"] = not required
        told |= self._keys(kind)
        if (default := self._get("defaultValue", None)) is not None:
            told |= self._default(kind, default, told)
        return told

    def _keys(self, kind: str) -> dict[str, JSON]:
        if kind not in _UNIQUE:
            return {}
        unique, external = self._flag("unique"), self._flag("externalId")
        told: dict[str, JSON] = {"unique": unique, "externalId": external, "idLookup": unique or external}
        if kind == "string" and (unique or external):
            told["caseSensitive"] = self._flag("caseSensitive")
        return told

    def _default(self, kind: str, default: JSON, told: Mapping[str, JSON]) -> dict[str, JSON]:
        is_number = isinstance(default, int | float) and not isinstance(default, bool)
        if kind == "boolean" and isinstance(default, bool):
            return {"defaultValue": default}
        if kind in _NUMBERS and is_number:
            whole, point = told["precision"] - told["scale"], told["scale"]
            _, digits, exponent = Decimal(str(default)).as_tuple()
            if isinstance(exponent, int) and -exponent <= point and len(digits) + exponent <= whole:
                return {"defaultValue": float(default), "defaultedOnCreate": True}
            raise self._refused(f"the default {default} has more than {whole} digits, or {point} after the point")
        if kind in _PICKLISTS and default in [item["value"] for item in told["picklistValues"]]:
            return {"defaultValue": default, "defaultedOnCreate": True}
        is_text = kind in _LENGTHS and kind not in (*_PICKLISTS, "encryptedstring")
        if is_text and isinstance(default, str) and 0 < len(default) <= told["length"]:
            return {"defaultValue": default, "defaultedOnCreate": True}
        raise self._refused(f"{default!r} cannot be the default value of a field of type {kind}")

    def _picklist(self, kind: str) -> dict[str, JSON]:
        given = self._get("picklistValues", None)
        if not isinstance(given, list) or not 1 <= len(given) <= _VALUES:
            raise self._refused(f"picklistValues lists 1 to {_VALUES} values")
        values = [self._value(item) for item in given]
        names = [item["value"].lower() for item in values]
        if len(set(names)) < len(names):
            raise self._refused("a value stands twice in picklistValues")
        told: dict[str, JSON] = {"picklistValues": values, "restrictedPicklist": self._flag("restrictedPicklist")}
        if (controller := self._get("controllerName", None)) is not None:
            if not isinstance(controller, str):
                raise self._refused("controllerName is the name of a field")
            told["controllerName"] = controller
            for item in values:
                item.setdefault("validFor", [])
        elif any("validFor" in item for item in values):
            raise self._refused("validFor needs a controllerName")
        default = next((item["value"] for item in values if item.get("defaultValue")), None)
        if default is not None and kind == "picklist":
            told |= {"defaultValue": default, "defaultedOnCreate": True}
        return told

    def _value(self, item: JSON) -> dict[str, JSON]:
        told = {"value": item} if isinstance(item, str) else item
        if not isinstance(told, dict) or not isinstance(told.get("value"), str) or not 0 < len(told["value"]) <= 255:
            raise self._refused("a picklist value is a text of 1 to 255 characters, or an object with `value`")
        check_keys(told, _VALUE_KEYS, f"{self._name}: the value {told['value']}")
        flags = (told.get("active", True), told.get("defaultValue", False))
        valid_for = told.get("validFor") or []
        if not all(isinstance(flag, bool) for flag in flags) or not isinstance(told.get("label") or "", str):
            raise self._refused("label of a picklist value is a text; active and defaultValue are true or false")
        if not isinstance(valid_for, list) or not all(isinstance(one, str) for one in valid_for):
            raise self._refused("validFor lists values of the controlling field")
        return {**told}

    def _reference(self, kind: str) -> dict[str, JSON]:
        given = self._get("referenceTo", None)
        targets = [given] if isinstance(given, str) else given
        if not isinstance(targets, list) or len(targets) != 1 or not isinstance(targets[0], str) or not targets[0]:
            raise self._refused("referenceTo names the one object that the field refers to")
        told: dict[str, JSON] = {"type": "reference", "referenceTo": targets}
        told["relationshipName"] = self._name.removesuffix("__c") + "__r"
        below = self._get("childRelationshipName", None)
        if below is not None:
            text = str(below).removesuffix("__r")
            check_name(f"{text}__c", "relationship")
            told["childRelationshipName"] = f"{text}__r"
        if kind == "masterDetail":
            movable = self._flag("reparentable", was=self._known.get("updateable"))
            order = self._known.get("relationshipOrder") or 0
            master = {"nillable": False, "cascadeDelete": True, "relationshipOrder": order}
            return told | master | {"updateable": movable}
        was = (
            "Cascade" if self._known.get("cascadeDelete") else "Restrict" if self._known.get("restrictedDelete") else ""
        )
        constraint = self._get("deleteConstraint", None) or was or "SetNull"
        if constraint not in ("SetNull", "Cascade", "Restrict"):
            raise self._refused("deleteConstraint is SetNull, Cascade or Restrict")
        required = self._flag("required", was=not self._known["nillable"] if "nillable" in self._known else None)
        if required and constraint == "SetNull" and "deleteConstraint" in self._body:
            raise self._refused("a required lookup cannot be cleared on delete; use Cascade or Restrict")
        if required and constraint == "SetNull":
            # Source: ids-and-types.md section 3; Setup makes a required lookup restrict deletes.
            constraint = "Restrict"
        return told | {
            "nillable": not required,
            "cascadeDelete": constraint == "Cascade",
            "restrictedDelete": constraint == "Restrict",
        }

    def _auto_number(self) -> dict[str, JSON]:
        external = self._flag("externalId")
        return {
            "type": "string", "length": 30, "autoNumber": True, "nillable": False, "defaultedOnCreate": True,
            "numberFormat": read_format(self._get("displayFormat", "{0}", was="numberFormat"), self._name),
            "externalId": external, "idLookup": external, **_LOCKED,
        }  # fmt: skip

    def _summary(self) -> dict[str, JSON]:
        summary = self._get("summary", None)
        if not isinstance(summary, dict):
            raise self._refused('summary is {"child", "reference", "operation", "field"}')
        check_keys(summary, frozenset({"child", "reference", "operation", "field"}), f"{self._name}: summary")
        operation, summed = summary.get("operation"), summary.get("field")
        texts = (summary.get("child"), summary.get("reference"))
        if operation not in ("count", "sum", "min", "max") or not all(isinstance(text, str) for text in texts):
            raise self._refused("a summary has child, reference, and count, sum, min or max as its operation")
        if (summed is None) != (operation == "count") or not isinstance(summed, str | None):
            raise self._refused("a count has no field; sum, min and max have one")
        told = {"child": texts[0], "reference": texts[1], "operation": operation, "field": summed}
        return {
            "type": "double", "precision": 18, "scale": 0 if operation == "count" else 2, "calculated": True,
            "summary": told, "defaultValue": 0 if operation in ("count", "sum") else None, **_LOCKED,
        }  # fmt: skip


def read_format(value: JSON, name: str) -> str:
    """Return the form of an auto-number.

    Raises:
        SchemaError: It is none.
    """
    if not isinstance(value, str) or len(value) > 30 or not re.fullmatch(r"[^{}]*\{0{1,10}\}[^{}]*", value):
        raise SchemaError(f"{name}: displayFormat is text with one {{0000}} in it, such as M-{{0000}}")
    return value


def _kind_of(known: Mapping[str, JSON]) -> str:
    """Return the word with which a field that is there would have been told."""
    if known.get("autoNumber"):
        return "autoNumber"
    if known.get("summary"):
        return "summary"
    return "masterDetail" if known.get("relationshipOrder") is not None else str(FieldType(known["type"]).value)
