"""The org's objects and fields as rows of EntityDefinition and FieldDefinition, for queries about the org itself."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import cache

from orgbridge.emulator.org.derivations import stored_instant
from orgbridge.emulator.schema.loading import catalogue_from_json
from orgbridge.emulator.schema.model import Catalogue, Field, SObject
from orgbridge.emulator.schema.rendering import Stored
from orgbridge.emulator.storage.database import Connection, Storage
from orgbridge.emulator.storage.tables import quote
from orgbridge.kit.json import JSON
from orgbridge.wire.fieldtypes import FieldType
from orgbridge.wire.ids import make_id

_ENTITY, _FIELD = "4ie", "4fe"
_READ_ONLY = {"createable": False, "updateable": False}
#: Names of types in FieldDefinition. Assumed: as people see them in Setup.
_DATA_TYPES = {
    FieldType.STRING: "Text({length})",
    FieldType.TEXTAREA: "Text Area({length})",
    FieldType.BOOLEAN: "Checkbox",
    FieldType.INT: "Number({digits}, 0)",
    FieldType.DOUBLE: "Number({whole}, {scale})",
    FieldType.CURRENCY: "Currency({whole}, {scale})",
    FieldType.PERCENT: "Percent({whole}, {scale})",
    FieldType.DATETIME: "Date/Time",
    FieldType.MULTIPICKLIST: "Picklist (Multi-Select)",
    FieldType.REFERENCE: "Lookup({targets})",
    FieldType.ID: "Lookup()",
}


def _text(*names: str) -> list[JSON]:
    return [{"name": name, "label": name, "type": "string", "length": 255, **_READ_ONLY} for name in names]


def _flags(*names: str) -> list[JSON]:
    return [{"name": name, "label": name, "type": "boolean", **_READ_ONLY} for name in names]


def _ints(*names: str) -> list[JSON]:
    return [{"name": name, "label": name, "type": "int", "digits": 9, **_READ_ONLY} for name in names]


@cache
def definition_catalogue() -> Catalogue:
    """Return the two objects; nothing of them can be written."""
    reference = {
        "name": "EntityDefinitionId", "label": "EntityDefinitionId", "type": "reference", **_READ_ONLY,
        "referenceTo": ["EntityDefinition"], "relationshipName": "EntityDefinition", "childRelationshipName": "Fields",
    }  # fmt: skip
    fixed = {"createable": False, "updateable": False, "deletable": False, "layoutable": False, "searchable": False}
    named = {"name": "QualifiedApiName", "label": "QualifiedApiName", "type": "string", "length": 255, **_READ_ONLY}
    name: JSON = {**named, "nameField": True}
    entity = [
        name,
        *_text("DurableId", "DeveloperName", "Label", "MasterLabel", "PluralLabel", "KeyPrefix", "NamespacePrefix"),
        *_flags("IsCustomizable", "IsCustomSetting", "IsQueryable", "IsSearchable", "IsTriggerable", "IsLayoutable"),
        *_flags("IsRetrieveable", "IsReplicateable", "IsWorkflowEnabled", "IsEverCreatable", "IsEverUpdatable"),
        *_flags("IsEverDeletable", "IsDeprecatedAndHidden"),
    ]
    field = [
        reference,
        name,
        *_text("DurableId", "DeveloperName", "Label", "MasterLabel", "DataType", "ValueTypeId", "RelationshipName"),
        *_text("NamespacePrefix", "ReferenceTargetField", "ExtraTypeInfo"),
        *_ints("Length", "Precision", "Scale"),
        *_flags("IsNillable", "IsIndexed", "IsCalculated", "IsNameField", "IsCompound", "IsApiFilterable"),
        *_flags(
            "IsApiSortable", "IsApiGroupable", "IsPolymorphicForeignKey", "IsHtmlFormatted", "IsWorkflowFilterable"
        ),
    ]
    return catalogue_from_json(
        [
            {"name": "EntityDefinition", "label": "Entity Definition", "labelPlural": "Entity Definitions",
             "keyPrefix": _ENTITY, "fields": entity, "system": {"deleted": False}, **fixed},
            {"name": "FieldDefinition", "label": "Field Definition", "labelPlural": "Field Definitions",
             "keyPrefix": _FIELD, "fields": field, "system": {"deleted": False}, **fixed},
        ]
    )  # fmt: skip


@contextlib.contextmanager
def open_definitions(catalogue: Catalogue, now: datetime) -> Iterator[Connection]:
    """Open a connection to a database that holds the definitions and ends with the block."""
    storage = Storage(":memory:")
    try:
        storage.migrate(definition_catalogue())
        with storage.write() as connection:
            number = 0
            for place, sobject in enumerate(catalogue.sobjects(), 1):
                entity_id = make_id(_ENTITY, place)
                _put(connection, "EntityDefinition", [_entity_row(entity_id, sobject)], now)
                rows = []
                for field in sobject.fields:
                    number += 1
                    rows.append(_field_row(make_id(_FIELD, number), entity_id, sobject, field))
                _put(connection, "FieldDefinition", rows, now)
        with storage.read() as connection:
            yield connection
    finally:
        storage.close()


def _put(connection: Connection, table: str, rows: Iterable[Mapping[str, Stored]], now: datetime) -> None:
    instant = stored_instant(now)
    stamps = dict.fromkeys(("CreatedDate", "LastModifiedDate", "SystemModstamp"), instant)
    whole = [{**row, **stamps, "QualifiedApiName$key": str(row["QualifiedApiName"]).casefold()} for row in rows]
    if whole:
        names = ", ".join(map(quote, whole[0]))
        marks = ", ".join("?" * len(whole[0]))
        sql = f"INSERT INTO {quote(table)} ({names}) VALUES ({marks})"  # noqa: S608 names come from this module
        connection.executemany(sql, [tuple(row.values()) for row in whole])


def _entity_row(entity_id: str, sobject: SObject) -> dict[str, Stored]:
    return {
        "Id": entity_id,
        "QualifiedApiName": sobject.name,
        "DurableId": sobject.name,
        "DeveloperName": sobject.name.removesuffix("__c"),
        "Label": sobject.label,
        "MasterLabel": sobject.label,
        "PluralLabel": sobject.label_plural,
        "KeyPrefix": sobject.key_prefix,
        "IsCustomizable": int(sobject.layoutable),
        "IsQueryable": int(sobject.queryable),
        "IsSearchable": int(sobject.searchable),
        "IsTriggerable": int(sobject.triggerable),
        "IsLayoutable": int(sobject.layoutable),
        "IsRetrieveable": 1,
        "IsReplicateable": int(sobject.field("IsDeleted") is not None),
        "IsWorkflowEnabled": int(sobject.triggerable),
        "IsEverCreatable": int(sobject.createable),
        "IsEverUpdatable": int(sobject.updateable),
        "IsEverDeletable": int(sobject.deletable),
    }


def _field_row(field_id: str, entity_id: str, sobject: SObject, field: Field) -> dict[str, Stored]:
    return {
        "Id": field_id,
        "EntityDefinitionId": entity_id,
        "QualifiedApiName": field.name,
        "DurableId": f"{sobject.name}.{field.name.removesuffix('__c')}",
        "DeveloperName": field.name.removesuffix("__c"),
        "Label": field.label,
        "MasterLabel": field.label,
        "DataType": _data_type(field),
        "ValueTypeId": field.type.value,
        "RelationshipName": field.relationship_name,
        "ExtraTypeInfo": field.extra_type_info,
        "Length": 18 if field.type in (FieldType.ID, FieldType.REFERENCE) else field.length,
        "Precision": field.precision,
        "Scale": field.scale,
        "IsNillable": int(field.nillable),
        "IsIndexed": int(field.unique or field.external_id or field.id_lookup or field.type is FieldType.REFERENCE),
        "IsCalculated": int(field.calculated),
        "IsNameField": int(field.name_field),
        "IsCompound": int(not field.is_stored),
        "IsApiFilterable": int(field.filterable),
        "IsApiSortable": int(field.sortable),
        "IsApiGroupable": int(field.groupable),
        "IsPolymorphicForeignKey": int(field.is_polymorphic),
        "IsHtmlFormatted": int(field.html_formatted),
    }


def _data_type(field: Field) -> str:
    form = _DATA_TYPES.get(field.type, field.type.value.capitalize())
    return form.format(
        length=field.length,
        digits=field.digits,
        whole=field.precision - field.scale,
        scale=field.scale,
        targets=",".join(field.reference_to),
    )
