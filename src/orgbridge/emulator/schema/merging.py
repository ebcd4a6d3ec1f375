"""Objects of several sources brought together, in the form of the package's data files."""

from __future__ import annotations

from collections.abc import Iterable

from orgbridge.kit.json import JSON

_RECORD_TYPE_FIELD: JSON = {
    "name": "RecordTypeId",
    "label": "Record Type ID",
    "type": "reference",
    "referenceTo": ["RecordType"],
}


class UnknownObjectError(Exception):
    """A source has fields for an object that nobody describes; the message is one line for people."""


def merge_objects(base: Iterable[JSON], told: Iterable[JSON]) -> tuple[JSON, ...]:
    """Return the objects of `base` with those of `told`: new objects, new fields, new record types.

    A field that both tell of is taken from `told`. Nothing given is changed.

    Raises:
        UnknownObjectError: Something told is neither in `base` nor a whole object.
    """
    merged = {data["name"].lower(): data for data in base}
    for data in told:
        known = merged.get(data["name"].lower())
        if known is None and "label" not in data:
            raise UnknownObjectError(f"{data['name']} has new fields, but the org knows no such object")
        fields = {field["name"].lower(): field for field in (known or {"fields": ()})["fields"]}
        fields |= {field["name"].lower(): field for field in data["fields"]}
        record_types = [*(known or {}).get("recordTypes", ()), *data.get("recordTypes", ())]
        # A prefix that another object has already is given up: a new one is found for it.
        others = {other.get("keyPrefix") for name, other in merged.items() if name != data["name"].lower()}
        data = {key: value for key, value in data.items() if key != "keyPrefix" or value not in others}
        whole = {**(known or {}), **data, "fields": list(_with_components(fields.values()))}
        if record_types:
            whole["recordTypes"] = record_types
            if "recordtypeid" not in fields:
                whole["fields"].append(_RECORD_TYPE_FIELD)
        merged[data["name"].lower()] = whole
    return tuple(merged.values())


def check_names(objects: Iterable[JSON], told: Iterable[JSON]) -> None:
    """Refuse fields of `told` that name objects or fields which are not among `objects`.

    Raises:
        UnknownObjectError: A lookup, a roll-up or a dependent picklist leads nowhere.
    """
    known = {data["name"]: {field["name"] for field in data["fields"]} for data in objects}
    for data in told:
        for field in data["fields"]:
            place = f"{data['name']}.{field['name']}"
            for target in field.get("referenceTo", ()):
                if target not in known:
                    raise UnknownObjectError(f"{place} refers to {target}, but the org knows no such object")
            controller = field.get("controllerName")
            if controller and controller not in known[data["name"]]:
                raise UnknownObjectError(f"{place} depends on {controller}, which is no field")
            if (summary := field.get("summary")) is None:
                continue
            for name in (summary["reference"], summary["field"]):
                if name is not None and name not in known.get(summary["child"], ()):
                    raise UnknownObjectError(f"{place} sums up {summary['child']}.{name}, which is no field")


def _with_components(fields: Iterable[JSON]) -> Iterable[JSON]:
    """Yield the fields; a geolocation with the two fields that it is made of."""
    listed = list(fields)
    names = {field["name"] for field in listed}
    for field in listed:
        yield field
        if field["type"] != "location":
            continue
        stem = field["name"].removesuffix("__c")
        for part in ("Latitude", "Longitude"):
            name = f"{stem}__{part}__s"
            if name not in names:
                yield {
                    "name": name, "label": f"{field.get('label') or stem} ({part})", "type": "double", "precision": 18,
                    "scale": 15, "custom": True, "compoundFieldName": field["name"],
                }  # fmt: skip
