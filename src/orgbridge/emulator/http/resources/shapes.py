"""Describe's JSON from the catalogue: the 57 keys of a field, the keys of an object.

Source: facts/salesforce/rest.md section 2 (recorded v48 to v62).
"""

from __future__ import annotations

from orgbridge.emulator.schema.model import Catalogue, ChildRelationship, Field, SObject
from orgbridge.kit.json import JSON
from orgbridge.wire.fieldtypes import DECIMAL_TYPES, FieldType, soap_type
from orgbridge.wire.ids import MASTER_RECORD_TYPE_ID

_NOT_AGGREGATABLE = frozenset(
    {FieldType.BOOLEAN, FieldType.BASE64, FieldType.TIME, FieldType.ADDRESS, FieldType.LOCATION}
)


def _byte_length(field: Field) -> int:
    if field.type in (FieldType.ID, FieldType.REFERENCE):
        return 18
    return field.length * 3 if field.is_text else 0


def _picklist(field: Field) -> list[JSON]:
    return [
        {
            "active": value.active,
            "defaultValue": value.default,
            "label": value.label,
            "validFor": None,
            "value": value.value,
        }
        for value in field.picklist
    ]


def _default(field: Field) -> JSON:
    if field.type is FieldType.BOOLEAN:
        return bool(field.default_value)
    return None


def field_shape(field: Field, master_detail: bool) -> dict[str, JSON]:
    """Return the describe of a field."""
    is_reference = field.type is FieldType.REFERENCE
    return {
        "aggregatable": field.type not in _NOT_AGGREGATABLE and field.filterable,
        "aiPredictionField": False,
        "autoNumber": field.auto_number,
        "byteLength": _byte_length(field),
        "calculated": field.calculated,
        "calculatedFormula": None,
        "cascadeDelete": field.cascade_delete,
        "caseSensitive": field.case_sensitive,
        "compoundFieldName": field.compound_field_name,
        "controllerName": None,
        "createable": field.createable,
        "custom": field.custom,
        "defaultValue": _default(field),
        "defaultValueFormula": None,
        "defaultedOnCreate": field.defaulted_on_create,
        "dependentPicklist": False,
        "deprecatedAndHidden": False,
        "digits": field.digits,
        "displayLocationInDecimal": field.type is FieldType.LOCATION,
        "encrypted": field.type is FieldType.ENCRYPTEDSTRING,
        "externalId": field.external_id,
        "extraTypeInfo": field.extra_type_info,
        "filterable": field.filterable,
        "filteredLookupInfo": None,
        "formulaTreatNullNumberAsZero": False,
        "groupable": field.groupable,
        "highScaleNumber": False,
        "htmlFormatted": field.html_formatted,
        "idLookup": field.id_lookup,
        "inlineHelpText": field.inline_help_text,
        "label": field.label,
        "length": 18 if field.type in (FieldType.ID, FieldType.REFERENCE) else field.length,
        "mask": None,
        "maskType": None,
        "name": field.name,
        "nameField": field.name_field,
        "namePointing": is_reference and field.is_polymorphic,
        "nillable": field.nillable,
        "permissionable": field.custom and not field.required,
        "picklistValues": _picklist(field),
        "polymorphicForeignKey": is_reference and field.is_polymorphic,
        "precision": field.precision if field.type in DECIMAL_TYPES else 0,
        "queryByDistance": field.type in (FieldType.ADDRESS, FieldType.LOCATION),
        "referenceTargetField": None,
        "referenceTo": list(field.reference_to),
        "relationshipName": field.relationship_name,
        "relationshipOrder": field.relationship_order,
        "restrictedDelete": field.restricted_delete,
        "restrictedPicklist": field.restricted_picklist,
        "scale": field.scale,
        "searchPrefilterable": is_reference,
        "soapType": soap_type(field.type),
        "sortable": field.sortable,
        "type": field.type.value,
        "unique": field.unique,
        "updateable": field.updateable,
        "writeRequiresMasterRead": master_detail,
    }


def object_shape(sobject: SObject, data_path: str) -> dict[str, JSON]:
    """Return the item of the global describe for an object."""
    base = f"{data_path}/sobjects/{sobject.name}"
    return {
        "activateable": False,
        "associateEntityType": None,
        "associateParentEntity": None,
        "createable": sobject.createable,
        "custom": sobject.custom,
        "customSetting": False,
        "deepCloneable": False,
        "deletable": sobject.deletable,
        "deprecatedAndHidden": False,
        "feedEnabled": False,
        "hasSubtypes": False,
        "isInterface": False,
        "isSubtype": False,
        "keyPrefix": sobject.key_prefix,
        "label": sobject.label,
        "labelPlural": sobject.label_plural,
        "layoutable": sobject.layoutable,
        "mergeable": False,
        "mruEnabled": False,
        "name": sobject.name,
        "queryable": sobject.queryable,
        "replicateable": True,
        "retrieveable": True,
        "searchable": sobject.searchable,
        "triggerable": sobject.triggerable,
        "undeletable": sobject.undeletable,
        "updateable": sobject.updateable,
        "urls": {"rowTemplate": f"{base}/{{ID}}", "describe": f"{base}/describe", "sobject": base},
    }


def _child_shape(child: ChildRelationship) -> JSON:
    return {
        "cascadeDelete": child.cascade_delete,
        "childSObject": child.child,
        "deprecatedAndHidden": False,
        "field": child.field,
        "junctionIdListNames": [],
        "junctionReferenceTo": [],
        "relationshipName": child.name,
        "restrictedDelete": child.restricted_delete,
    }


def describe_shape(sobject: SObject, data_path: str, version: int) -> dict[str, JSON]:
    """Return the whole describe of an object."""
    base = f"{data_path}/sobjects/{sobject.name}"
    shape = object_shape(sobject, data_path) | {
        "actionOverrides": [],
        "childRelationships": [_child_shape(child) for child in sobject.child_relationships],
        "compactLayoutable": False,
        "defaultImplementation": None,
        "extendedBy": None,
        "extendsInterfaces": None,
        "fields": [field_shape(field, field.relationship_order is not None) for field in sobject.fields],
        "implementedBy": None,
        "implementsInterfaces": None,
        "listviewable": None,
        "lookupLayoutable": None,
        "namedLayoutInfos": [],
        "networkScopeFieldName": None,
        "recordTypeInfos": [
            {
                "active": True,
                "available": True,
                "defaultRecordTypeMapping": True,
                "developerName": "Master",
                "master": True,
                "name": "Master",
                "recordTypeId": MASTER_RECORD_TYPE_ID,
                "urls": {"layout": f"{base}/describe/layouts/{MASTER_RECORD_TYPE_ID}"},
            }
        ],
        "searchLayoutable": False,
        "supportedScopes": [{"label": f"All {sobject.label_plural}", "name": "everything"}],
    }
    if version >= 50:
        shape["sobjectDescribeOption"] = "FULL"
    return shape


def global_shape(catalogue: Catalogue, data_path: str) -> dict[str, JSON]:
    """Return the global describe."""
    items = [object_shape(sobject, data_path) for sobject in catalogue.sobjects()]
    return {"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": items}
