"""What an org has of its own beside the objects that it began with, and every change of it, as pure functions.

An org begins with the standard objects and those of a source folder. What is made, changed and deleted while it runs is
kept as a difference to that, so that the beginning may get new fields with the next version.

Source: facts/salesforce/ids-and-types.md sections 2 and 3. Assumed: what is refused because something else needs it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from orgbridge.emulator.schema.compact import SchemaError, check_keys, check_name, read_field, read_format
from orgbridge.emulator.schema.merging import UnknownObjectError, check_names, merge_objects
from orgbridge.kit.json import JSON

#: Fields of an object, custom ones.
_FIELDS = 800
_MASTERS = 2
_OBJECT_KEYS = frozenset({"name", "label", "labelPlural", "nameField", "fields", "recordTypes"})
_NAME_KEYS = frozenset({"label", "type", "displayFormat"})
_TYPE_KEYS = frozenset({"name", "developerName", "active", "default"})
#: Fields that every object gets by itself, or that come with its kind.
_SYSTEM = frozenset(
    {
        "id", "isdeleted", "createddate", "createdbyid", "lastmodifieddate", "lastmodifiedbyid", "systemmodstamp",
        "name", "ownerid", "recordtypeid", "lastvieweddate", "lastreferenceddate", "lastactivitydate",
    }
)  # fmt: skip
_OWNER: JSON = {
    "name": "OwnerId", "label": "Owner ID", "type": "reference", "nillable": False, "defaultedOnCreate": True,
    "referenceTo": ["Group", "User"], "relationshipName": "Owner",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSchema:
    """The difference between an org's objects and those that it began with, in the form of the data files."""

    #: Objects made in this org, whole, and new or changed fields of others.
    objects: tuple[JSON, ...] = ()
    #: Names of objects of the beginning that are gone.
    gone_objects: tuple[str, ...] = ()
    #: `Object.Field` of the beginning that are gone.
    gone_fields: tuple[str, ...] = ()

    def told(self) -> JSON:
        """Return it as JSON."""
        return {
            "objects": list(self.objects),
            "goneObjects": list(self.gone_objects),
            "goneFields": list(self.gone_fields),
        }

    @classmethod
    def read(cls, told: JSON) -> OwnSchema:
        """Return what `told` made JSON."""
        return cls(
            objects=tuple(told["objects"]),
            gone_objects=tuple(told["goneObjects"]),
            gone_fields=tuple(told["goneFields"]),
        )


def apply(base: Sequence[JSON], own: OwnSchema) -> tuple[JSON, ...]:
    """Return all objects of an org.

    Args:
        base: What it began with.
        own: What is different in it.

    Raises:
        SchemaError: The two do not go together: something refers to what is not there.
    """
    gone_objects = {name.lower() for name in own.gone_objects}
    gone_fields = {name.lower() for name in own.gone_fields}
    kept = []
    for data in base:
        if data["name"].lower() in gone_objects:
            continue
        fields = [f for f in data["fields"] if f"{data['name']}.{f['name']}".lower() not in gone_fields]
        kept.append({**data, "fields": fields} if len(fields) < len(data["fields"]) else data)
    own_objects = [_owned(data) for data in own.objects]
    try:
        objects = merge_objects(kept, own_objects)
        if own != OwnSchema():
            check_names(objects, [data for data in objects if data.get("custom") or _has_custom(data)])
    except UnknownObjectError as error:
        raise SchemaError(str(error)) from error
    for data in objects:
        _check_summaries(objects, data)
    return objects


def _has_custom(data: JSON) -> bool:
    return any(field.get("custom") for field in data["fields"])


def _owned(data: JSON) -> JSON:
    """Return an object with its owner; a detail has none, its master's counts."""
    if not data.get("madeHere") or _masters(data):
        return data
    return {**data, "fields": [data["fields"][0], _OWNER, *data["fields"][1:]]}


def _masters(data: JSON) -> list[JSON]:
    return [field for field in data["fields"] if field.get("relationshipOrder") is not None]


def _check_summaries(objects: Iterable[JSON], data: JSON) -> None:
    for field in data["fields"]:
        if (summary := field.get("summary")) is None:
            continue
        below = next(one for one in objects if one["name"] == summary["child"])
        link = next(one for one in below["fields"] if one["name"] == summary["reference"])
        if link.get("relationshipOrder") is None or data["name"] not in link.get("referenceTo", ()):
            place = f"{summary['child']}.{summary['reference']}"
            raise SchemaError(f"{field['name']}: {place} is no master-detail relationship to {data['name']}")


def find_object(objects: Iterable[JSON], name: str) -> JSON:
    """Return an object.

    Raises:
        SchemaError: There is none of that name.
    """
    found = next((data for data in objects if data["name"].lower() == name.lower()), None)
    if found is None:
        raise SchemaError(f"there is no object {name}")
    return found


def find_field(data: JSON, name: str) -> JSON:
    """Return a field of an object.

    Raises:
        SchemaError: There is none of that name.
    """
    found = next((field for field in data["fields"] if field["name"].lower() == name.lower()), None)
    if found is None:
        raise SchemaError(f"{data['name']} has no field {name}")
    return found


# -- objects -----------------------------------------------------------------------------------------------------------


def make_object(objects: Sequence[JSON], own: OwnSchema, body: JSON) -> tuple[OwnSchema, str]:
    """Return the schema with one more object, and its name.

    Args:
        objects: All that there are.
        own: The schema.
        body: An object in a few words, or a whole describe reply.

    Raises:
        SchemaError: It would be no object, or there is one of that name.
    """
    if not isinstance(body, dict):
        raise SchemaError("an object is a JSON object")
    name = check_name(body.get("name"), "object")
    if any(data["name"].lower() == name.lower() for data in objects):
        raise SchemaError(f"there is an object {name} already")
    if "childRelationships" in body:
        body = _from_describe(body, name)
    check_keys(body, _OBJECT_KEYS, name)
    label, plural = _labels(name, body, {})
    told: dict[str, JSON] = {
        "name": name, "label": label, "labelPlural": plural, "custom": True, "madeHere": True,
        "fields": [_name_field(name, body.get("nameField") or {})],
    }  # fmt: skip
    if kinds := _record_types(name, body.get("recordTypes") or []):
        told["recordTypes"] = kinds
    fields = body.get("fields") or []
    if not isinstance(fields, list):
        raise SchemaError(f"{name}: fields is a list")
    for one in fields:
        _add_field(objects, told, read_field(one, beside=fields), plural)
    gone = tuple(other for other in own.gone_objects if other.lower() != name.lower())
    return replace(own, objects=(*own.objects, told), gone_objects=gone), name


def change_object(objects: Sequence[JSON], own: OwnSchema, name: str, body: JSON) -> OwnSchema:
    """Return the schema with other labels or record types of a custom object.

    Raises:
        SchemaError: There is none, or it would be none.
    """
    data = _custom_object(objects, name)
    if not isinstance(body, dict):
        raise SchemaError("a change is a JSON object")
    check_keys(body, frozenset({"label", "labelPlural", "recordTypes"}), data["name"])
    label, plural = _labels(data["name"], body, data)
    told = {**_own_object(own, data), "label": label, "labelPlural": plural}
    if "recordTypes" in body:
        if not data.get("madeHere"):
            raise SchemaError(f"{data['name']}: its record types come from the source folder and stay as they are")
        kinds = _record_types(data["name"], body["recordTypes"])
        names = {kind["developer_name"] for kind in kinds}
        for kind in data.get("recordTypes", ()):
            if kind["developer_name"] not in names:
                raise SchemaError(f"{data['name']}: a record type cannot be deleted; {kind['developer_name']} is one")
        told["recordTypes"] = kinds
    return _with(own, told)


def drop_object(objects: Sequence[JSON], own: OwnSchema, name: str) -> OwnSchema:
    """Return the schema without a custom object.

    Raises:
        SchemaError: There is none, or fields of other objects refer to it.
    """
    data = _custom_object(objects, name)
    for other in objects:
        for field in other["fields"]:
            if other is not data and data["name"] in field.get("referenceTo", ()) and field.get("custom"):
                raise SchemaError(f"{other['name']}.{field['name']} refers to {data['name']}; delete that field first")
    rest = tuple(one for one in own.objects if one["name"].lower() != data["name"].lower())
    prefix = f"{data['name']}.".lower()
    fields = tuple(one for one in own.gone_fields if not one.lower().startswith(prefix))
    return OwnSchema(objects=rest, gone_objects=(*own.gone_objects, data["name"]), gone_fields=fields)


# -- fields ------------------------------------------------------------------------------------------------------------


def make_field(objects: Sequence[JSON], own: OwnSchema, sobject: str, body: JSON) -> tuple[OwnSchema, str]:
    """Return the schema with one more field of an object, and the field's name.

    Raises:
        SchemaError: There is no such object, it would be no field, or there is one of that name.
    """
    data = find_object(objects, sobject)
    field = read_field(body)
    told = _own_object(own, data)
    told["fields"] = list(told["fields"])
    _add_field(objects, told, field, data["labelPlural"], data)
    gone = tuple(one for one in own.gone_fields if one.lower() != f"{data['name']}.{field['name']}".lower())
    return _with(replace(own, gone_fields=gone), told), field["name"]


def change_field(objects: Sequence[JSON], own: OwnSchema, sobject: str, name: str, body: JSON) -> OwnSchema:
    """Return the schema with another form of a custom field.

    Raises:
        SchemaError: There is no such field, or it would be none.
    """
    data, known = _custom_field(objects, sobject, name)
    field = read_field(body, known)
    if known.get("relationshipOrder") != field.get("relationshipOrder"):
        raise SchemaError(f"{known['name']}: a relationship does not become master-detail, nor cease to be one")
    if known.get("referenceTo", []) != field.get("referenceTo", []) and known["type"] == field["type"]:
        raise SchemaError(f"{known['name']}: what a field refers to cannot be changed")
    if "childRelationshipName" not in field and "childRelationshipName" in known:
        field["childRelationshipName"] = known["childRelationshipName"]
    told = _own_object(own, data)
    fields = [one for one in told["fields"] if one["name"].lower() != name.lower()]
    place = next((at for at, one in enumerate(told["fields"]) if one["name"].lower() == name.lower()), len(fields))
    told["fields"] = [*fields[:place], field, *fields[place:]]
    return _with(own, told)


def drop_field(objects: Sequence[JSON], own: OwnSchema, sobject: str, name: str) -> OwnSchema:
    """Return the schema without a custom field; what needs it is found out when the schema is applied.

    Raises:
        SchemaError: There is no such field, or a roll-up summary sums it up.
    """
    data, known = _custom_field(objects, sobject, name)
    for other in objects:
        for field in other["fields"]:
            place, summary = f"{other['name']}.{field['name']}", field.get("summary") or {}
            if summary.get("child") == data["name"] and known["name"] in (summary["reference"], summary["field"]):
                raise SchemaError(f"{place} sums up {data['name']}.{known['name']}; delete that field first")
            if other is data and field.get("controllerName") == known["name"]:
                raise SchemaError(f"{place} depends on {known['name']}; delete that field first")
    gone = {known["name"].lower()}
    if known["type"] == "location":
        gone |= {one["name"].lower() for one in data["fields"] if one.get("compoundFieldName") == known["name"]}
    elif known.get("compoundFieldName"):
        raise SchemaError(f"{known['name']} is a part of {known['compoundFieldName']}; delete that field")
    told = _own_object(own, data)
    told["fields"] = [one for one in told["fields"] if one["name"].lower() not in gone]
    spelled = [f"{data['name']}.{one['name']}" for one in data["fields"] if one["name"].lower() in gone]
    return _with(replace(own, gone_fields=(*own.gone_fields, *spelled)), told)


def _add_field(
    objects: Sequence[JSON], told: dict[str, JSON], field: dict[str, JSON], plural: str, whole: JSON | None = None
) -> None:
    """Add a field to what is told of an object, which is `whole` with all its fields."""
    present = whole or told
    names = {one["name"].lower() for one in present["fields"]} | {one["name"].lower() for one in told["fields"]}
    if field["name"].lower() in names | _SYSTEM:
        raise SchemaError(f"{present['name']} has a field {field['name']} already")
    if len([name for name in names if name.endswith("__c")]) >= _FIELDS:
        raise SchemaError(f"{present['name']} has {_FIELDS} custom fields already")
    if field["type"] == "reference":
        _relate(objects, told, field, plural, present)
    told["fields"].append(field)


def _relate(objects: Sequence[JSON], told: JSON, field: dict[str, JSON], plural: str, present: JSON) -> None:
    (target,) = field["referenceTo"]
    itself = target.lower() == present["name"].lower()
    parent = present if itself else next((o for o in objects if o["name"].lower() == target.lower()), None)
    if parent is None:
        raise SchemaError(f"{field['name']} refers to {target}, but the org knows no such object")
    field["referenceTo"] = [parent["name"]]
    if field.get("relationshipOrder") is not None:
        masters = _masters(present) or _masters(told)
        if not told.get("madeHere"):
            raise SchemaError(f"{field['name']}: {present['name']} cannot become a detail while the org runs")
        if itself or len(masters) >= _MASTERS:
            raise SchemaError(f"{field['name']}: an object has at most {_MASTERS} masters, and not itself")
        field["relationshipOrder"] = len(masters)
    taken = {
        str(one["childRelationshipName"]).lower()
        for other in (*objects, told)
        for one in other["fields"]
        if parent["name"] in one.get("referenceTo", ()) and one.get("childRelationshipName")
    }
    if "childRelationshipName" not in field:
        field["childRelationshipName"] = (re.sub(r"[^A-Za-z0-9]", "", plural) or "Rows") + "__r"
    if field["childRelationshipName"].lower() in taken:
        name = field["childRelationshipName"]
        raise SchemaError(f"{field['name']}: {parent['name']} has a child relationship {name} already; "
                          "say another childRelationshipName")  # fmt: skip


# -- parts -------------------------------------------------------------------------------------------------------------


def _custom_object(objects: Sequence[JSON], name: str) -> JSON:
    data = find_object(objects, name)
    if not data.get("custom"):
        raise SchemaError(f"{data['name']} is a standard object, which stays as it is; custom fields may be added")
    return data


def _custom_field(objects: Sequence[JSON], sobject: str, name: str) -> tuple[JSON, JSON]:
    data = find_object(objects, sobject)
    field = find_field(data, name)
    if not field.get("custom"):
        raise SchemaError(f"{data['name']}.{field['name']} is a standard field, which stays as it is")
    return data, field


def _own_object(own: OwnSchema, data: JSON) -> dict[str, JSON]:
    """Return what the schema tells of an object already; a beginning without fields when it tells nothing."""
    found = next((one for one in own.objects if one["name"].lower() == data["name"].lower()), None)
    return dict(found) if found is not None else {"name": data["name"], "fields": []}


def _with(own: OwnSchema, told: JSON) -> OwnSchema:
    others = [one for one in own.objects if one["name"].lower() != told["name"].lower()]
    is_empty = not told["fields"] and set(told) == {"name", "fields"}
    return replace(own, objects=tuple(others if is_empty else [*others, told]))


def _labels(name: str, body: Mapping[str, JSON], known: Mapping[str, JSON]) -> tuple[str, str]:
    label = body.get("label") or known.get("label") or name.removesuffix("__c").replace("_", " ")
    plural = body.get("labelPlural") or known.get("labelPlural") or f"{label}s"
    for text in (label, plural):
        if not isinstance(text, str) or not 0 < len(text.strip()) <= 40:
            raise SchemaError(f"{name}: label and labelPlural have 1 to 40 characters")
    return str(label), str(plural)


def _name_field(name: str, body: JSON) -> dict[str, JSON]:
    if not isinstance(body, dict):
        raise SchemaError(f"{name}: nameField is a JSON object")
    check_keys(body, _NAME_KEYS, f"{name}: nameField")
    label = body.get("label", "Name")
    if not isinstance(label, str) or not label:
        raise SchemaError(f"{name}: the label of nameField is a text")
    told: dict[str, JSON] = {
        "name": "Name", "type": "string", "length": 80, "idLookup": True, "nameField": True, "label": label,
    }  # fmt: skip
    match body.get("type", "string"):
        case "string":
            if "displayFormat" in body:
                raise SchemaError(f"{name}: displayFormat is for a nameField of type autoNumber")
            return told | {"nillable": True, "defaultedOnCreate": True}
        case "autoNumber":
            told |= {"createable": False, "updateable": False, "nillable": False, "defaultedOnCreate": True}
            return told | {"autoNumber": True, "numberFormat": read_format(body.get("displayFormat", "{0}"), name)}
        case other:
            raise SchemaError(f"{name}: a nameField is a string or an autoNumber, not {other}")


def _record_types(name: str, body: JSON) -> list[JSON]:
    if not isinstance(body, list):
        raise SchemaError(f"{name}: recordTypes is a list")
    told = []
    for item in body:
        kind = {"name": item} if isinstance(item, str) else item
        if not isinstance(kind, dict) or not isinstance(kind.get("name"), str) or not kind["name"]:
            raise SchemaError(f"{name}: a record type is a name, or an object with `name`")
        check_keys(kind, _TYPE_KEYS, f"{name}: the record type {kind['name']}")
        developer_name = kind.get("developerName") or re.sub(r"\W+", "_", kind["name"]).strip("_")
        active, default = kind.get("active", True), kind.get("default", False)
        if not re.fullmatch(r"[A-Za-z]\w{0,79}", str(developer_name)) or not all(
            isinstance(flag, bool) for flag in (active, default)
        ):
            raise SchemaError(f"{name}: the record type {kind['name']} needs a developerName; active and default "
                              "are true or false")  # fmt: skip
        told.append({"developer_name": developer_name, "name": kind["name"], "active": active, "default": default})
    names = [kind["developer_name"].lower() for kind in told]
    if len(set(names)) < len(names):
        raise SchemaError(f"{name}: a record type stands twice")
    return told


def _from_describe(body: Mapping[str, JSON], name: str) -> dict[str, JSON]:
    """Return a describe reply in few words: what every object has is left out, and so is what is not custom."""
    fields, infos = body.get("fields"), body.get("recordTypeInfos") or []
    if not isinstance(fields, list) or not isinstance(infos, list):
        raise SchemaError(f"{name}: this is no describe reply")
    try:
        named: JSON = next((field for field in fields if field.get("nameField")), {})
        kinds = [
            {"name": info["name"], "developerName": info["developerName"], "active": info["active"]}
            | {"default": info["defaultRecordTypeMapping"]}
            for info in infos
            if not info["master"]
        ]
        # The parts of a geolocation come with it.
        own = [field for field in fields if field.get("custom") and str(field["name"]).endswith("__c")]
    except (AttributeError, KeyError, TypeError) as error:
        raise SchemaError(f"{name}: this is no describe reply: {error}") from error
    kind = {"type": "autoNumber"} if named.get("autoNumber") else {}
    return {
        "name": name,
        "label": body.get("label"),
        "labelPlural": body.get("labelPlural"),
        "nameField": {"label": named.get("label") or "Name", **kind},
        "fields": own,
        "recordTypes": kinds,
    }
