"""The catalogue from JSON files whose keys are those of describe, with what a type or an object implies left out.

Beside describe's keys a field may have `childRelationshipName` (the name below the parent), `numberFormat` (of an
auto-number) and `summary` (of a roll-up); a picklist value may have `validFor` as the list of the controlling values;
an object may have `system` to leave out system fields and `recordTypes`. A label that is left out follows from the
name, and so does the name of a relationship.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from importlib.resources import files

from orgbridge.emulator.schema.model import (
    Catalogue,
    ChildRelationship,
    Field,
    PicklistValue,
    RecordType,
    SObject,
    Summary,
)
from orgbridge.kit.json import JSON, loads
from orgbridge.wire.fieldtypes import DECIMAL_TYPES, FieldType

#: Texts longer than this cannot be filtered, sorted or grouped. Source: facts/salesforce/soql.md section 2.
LONG_TEXT = 255


def _audit_fields() -> tuple[dict[str, JSON], ...]:
    shared = {"createable": False, "updateable": False, "nillable": False, "defaultedOnCreate": True}
    user = {"referenceTo": ["User"], "type": "reference", **shared}
    instant = {"type": "datetime", **shared}
    return (
        {"name": "CreatedDate", "label": "Created Date", **instant},
        {"name": "CreatedById", "label": "Created By ID", "relationshipName": "CreatedBy", **user},
        {"name": "LastModifiedDate", "label": "Last Modified Date", **instant},
        {"name": "LastModifiedById", "label": "Last Modified By ID", "relationshipName": "LastModifiedBy", **user},
        {"name": "SystemModstamp", "label": "System Modstamp", **instant},
    )


def _id_field(label: str) -> dict[str, JSON]:
    return {
        "name": "Id", "label": f"{label} ID", "type": "id", "length": 18, "idLookup": True, "nillable": False,
        "createable": False, "updateable": False, "defaultedOnCreate": True,
    }  # fmt: skip


_DELETED_FIELD: dict[str, JSON] = {
    "name": "IsDeleted", "label": "Deleted", "type": "boolean", "createable": False, "updateable": False,
}  # fmt: skip


def _picklist_value(item: JSON) -> PicklistValue:
    if isinstance(item, str):
        return PicklistValue(value=item, label=item)
    return PicklistValue(
        value=item["value"],
        label=item.get("label") or item["value"],
        active=item.get("active", True),
        default=item.get("defaultValue", False),
        valid_for=None if item.get("validFor") is None else tuple(item["validFor"]),
    )


_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def label_of(name: str) -> str:
    """Return the label that an API name suggests: `BillingCity` is `Billing City`, `AccountId` is `Account ID`."""
    words = _WORDS.sub(" ", name.removesuffix("__c").replace("_", " "))
    return words[:-2] + "ID" if words.endswith(" Id") else words


def relationship_of(name: str) -> str:
    """Return the name that the relationship of a reference field has: `AccountId` is `Account`, `X__c` is `X__r`."""
    if name.endswith("__c"):
        return name[:-1] + "r"
    return name.removesuffix("Id") or name


def _relationship_name(data: JSON, kind: FieldType) -> str | None:
    if "relationshipName" in data:
        return None if data["relationshipName"] is None else str(data["relationshipName"])
    return relationship_of(data["name"]) if kind is FieldType.REFERENCE else None


def _summary(data: JSON) -> Summary | None:
    return None if data is None else Summary(**data)


def field_from_json(data: JSON) -> Field:
    """Return the field that an object with describe's keys tells of; keys left out take what the type implies.

    Raises:
        KeyError: `name` or `type` is missing.
        ValueError: `type` is no field type.
    """
    kind = FieldType(data["type"])
    is_boolean, is_long = kind is FieldType.BOOLEAN, kind is FieldType.TEXTAREA and data.get("length", 0) > LONG_TEXT
    compound = kind in (FieldType.ADDRESS, FieldType.LOCATION)
    plain = not is_long and kind is not FieldType.BASE64
    return Field(
        name=data["name"],
        label=data.get("label") or label_of(data["name"]),
        type=kind,
        length=data.get("length", 18 if kind is FieldType.REFERENCE else 0),
        precision=data.get("precision", 0),
        scale=data.get("scale", 0),
        digits=data.get("digits", 0),
        nillable=data.get("nillable", not is_boolean),
        createable=data.get("createable", True),
        updateable=data.get("updateable", True),
        defaulted_on_create=data.get("defaultedOnCreate", is_boolean),
        default_value=data.get("defaultValue", False if is_boolean else None),
        unique=data.get("unique", False),
        case_sensitive=data.get("caseSensitive", False),
        external_id=data.get("externalId", False),
        id_lookup=data.get("idLookup", False),
        restricted_picklist=data.get("restrictedPicklist", False),
        picklist=tuple(_picklist_value(item) for item in data.get("picklistValues", ())),
        reference_to=tuple(data.get("referenceTo", ())),
        relationship_name=_relationship_name(data, kind),
        relationship_order=data.get("relationshipOrder"),
        name_field=data.get("nameField", False),
        auto_number=data.get("autoNumber", False),
        number_format=data.get("numberFormat", "{00000000}"),
        calculated=data.get("calculated", False),
        filterable=data.get("filterable", plain),
        sortable=data.get("sortable", plain and not compound and kind is not FieldType.MULTIPICKLIST),
        groupable=data.get("groupable", plain and not compound and kind not in _NOT_GROUPABLE),
        custom=data.get("custom", False),
        compound_field_name=data.get("compoundFieldName"),
        html_formatted=data.get("htmlFormatted", False),
        inline_help_text=data.get("inlineHelpText"),
        extra_type_info=data.get("extraTypeInfo"),
        cascade_delete=data.get("cascadeDelete", False),
        restricted_delete=data.get("restrictedDelete", False),
        controller_name=data.get("controllerName"),
        summary=_summary(data.get("summary")),
    )


_NOT_GROUPABLE = frozenset({FieldType.DATETIME, FieldType.MULTIPICKLIST, FieldType.TIME, *DECIMAL_TYPES})


def _children(objects: Iterable[JSON]) -> dict[str, list[ChildRelationship]]:
    found: dict[str, list[ChildRelationship]] = {}
    for data in objects:
        for field in (*data["fields"], *_audit_fields()):
            for parent in field.get("referenceTo", ()):
                found.setdefault(parent, []).append(
                    ChildRelationship(
                        name=field.get("childRelationshipName"),
                        child=data["name"],
                        field=field["name"],
                        cascade_delete=field.get("cascadeDelete", False),
                        restricted_delete=field.get("restrictedDelete", False),
                    )
                )
    return found


def _known_targets(field: Field, names: set[str]) -> Field:
    """Return a reference without the objects that are not there; with none left it is no way to another row."""
    targets = tuple(name for name in field.reference_to if name in names)
    if targets == field.reference_to:
        return field
    return replace(field, reference_to=targets, relationship_name=field.relationship_name if targets else None)


def catalogue_from_json(objects: Iterable[JSON]) -> Catalogue:
    """Return the catalogue of objects told in the form of the data files.

    System fields are added; child relationships follow from the references. References to objects that are not
    among them are taken out.

    Raises:
        KeyError: A name, a type or a key prefix is missing.
        ValueError: A type is no field type.
    """
    told = list(objects)
    names = {data["name"] for data in told}
    children = _children(told)
    sobjects = []
    for data in told:
        system = data.get("system", {})
        raw = [_id_field(data["label"])]
        if system.get("deleted", True):
            raw.append(_DELETED_FIELD)
        fields = [field_from_json(item) for item in (*raw, *data["fields"], *_audit_fields())]
        sobjects.append(
            SObject(
                name=data["name"],
                label=data["label"],
                label_plural=data["labelPlural"],
                key_prefix=data["keyPrefix"],
                fields=tuple(_known_targets(f, names) for f in fields),
                child_relationships=tuple(
                    sorted(children.get(data["name"], ()), key=lambda c: (c.child.lower(), c.field.lower()))
                ),
                custom=data.get("custom", False),
                createable=data.get("createable", True),
                updateable=data.get("updateable", True),
                deletable=data.get("deletable", True),
                undeletable=data.get("undeletable", True),
                queryable=data.get("queryable", True),
                layoutable=data.get("layoutable", True),
                searchable=data.get("searchable", True),
                triggerable=data.get("triggerable", True),
                record_types=tuple(RecordType(**item) for item in data.get("recordTypes", ())),
            )
        )
    return Catalogue(sobjects)


@cache
def standard_objects() -> tuple[JSON, ...]:
    """Return the objects that every emulated org has, in the form of the package's data files."""
    folder = files("orgbridge.emulator.schema") / "data"
    return tuple(loads(entry.read_bytes()) for entry in folder.iterdir() if entry.name.endswith(".json"))


@cache
def standard_catalogue() -> Catalogue:
    """Return the catalogue of the objects that every emulated org has."""
    return catalogue_from_json(standard_objects())
