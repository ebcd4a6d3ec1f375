"""What describe says of the org's objects: global, one object, its fields.

Key names and their number are those of recorded describes. Source: facts/salesforce/rest.md section 2.
"""

from __future__ import annotations

from orgbridge.emulator.schema.dependencies import controlling_values, to_bitmap
from orgbridge.emulator.schema.model import Catalogue, ChildRelationship, Field, PicklistValue, RecordType, SObject
from orgbridge.kit.json import JSON
from orgbridge.wire.fieldtypes import DECIMAL_TYPES, FieldType, soap_type
from orgbridge.wire.ids import MASTER_RECORD_TYPE_ID

#: Types that aggregate functions refuse. Source: facts/salesforce/soql.md section 2.
_NOT_AGGREGATABLE = frozenset(
    {FieldType.BOOLEAN, FieldType.BASE64, FieldType.TIME, FieldType.ADDRESS, FieldType.LOCATION}
)
#: Platform bookkeeping that no profile can hide. Assumed: required and system fields alike.
_NOT_PERMISSIONABLE = frozenset(
    {
        "Id",
        "IsDeleted",
        "CreatedDate",
        "CreatedById",
        "LastModifiedDate",
        "LastModifiedById",
        "SystemModstamp",
        "OwnerId",
    }
)


def describe_global(catalogue: Catalogue, base: str) -> JSON:
    """Return the reply of `GET {base}/sobjects`.

    Args:
        catalogue: The org's objects.
        base: Path of the API version, e.g. `/services/data/v67.0`.
    """
    return {
        "encoding": "UTF-8",
        "maxBatchSize": 200,
        "sobjects": [describe_item(sobject, base) for sobject in catalogue.sobjects()],
    }


def describe_item(sobject: SObject, base: str) -> JSON:
    """Return what the global describe says of one object; also `objectDescribe` of its basic information."""
    root = f"{base}/sobjects/{sobject.name}"
    urls = {
        "rowTemplate": f"{root}/{{ID}}",
        "describe": f"{root}/describe",
        "sobject": root,
    }
    if sobject.layoutable:
        urls = {
            "compactLayouts": f"{root}/describe/compactLayouts",
            "rowTemplate": urls["rowTemplate"],
            "approvalLayouts": f"{root}/describe/approvalLayouts",
            "listviews": f"{root}/listviews",
            "describe": urls["describe"],
            "quickActions": f"{root}/quickActions",
            "layouts": f"{root}/describe/layouts",
            "sobject": root,
        }
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
        "mergeable": sobject.name in ("Account", "Contact", "Lead", "Case"),
        "mruEnabled": sobject.layoutable,
        "name": sobject.name,
        "queryable": sobject.queryable,
        "replicateable": sobject.field("IsDeleted") is not None,
        "retrieveable": True,
        "searchable": sobject.searchable,
        "triggerable": sobject.triggerable,
        "undeletable": sobject.undeletable,
        "updateable": sobject.updateable,
        "urls": urls,
    }


def describe_sobject(sobject: SObject, base: str) -> JSON:
    """Return the reply of `GET {base}/sobjects/{name}/describe`, keys in alphabetical order as recorded."""
    root = f"{base}/sobjects/{sobject.name}"
    described = describe_item(sobject, base)
    if sobject.layoutable:
        described["urls"] |= {
            "uiDetailTemplate": "/{ID}",
            "uiEditTemplate": "/{ID}/e",
            "uiNewRecord": f"/{sobject.key_prefix}/e",
            "defaultValues": f"{root}/defaultValues?recordTypeId&fields",
        }
    described |= {
        "actionOverrides": [],
        "childRelationships": [_child(child) for child in sobject.child_relationships],
        "compactLayoutable": sobject.layoutable,
        "defaultImplementation": None,
        "extendedBy": None,
        "extendsInterfaces": None,
        "fields": [describe_field(sobject, field) for field in sobject.fields],
        "implementedBy": None,
        "implementsInterfaces": None,
        "listviewable": None,
        "lookupLayoutable": None,
        "namedLayoutInfos": [],
        "networkScopeFieldName": None,
        "recordTypeInfos": _record_types(sobject, root),
        "searchLayoutable": sobject.searchable,
        "sobjectDescribeOption": "FULL",
        "supportedScopes": _scopes(sobject),
    }
    return dict(sorted(described.items()))


def _scopes(sobject: SObject) -> list[JSON]:
    scopes = [{"label": f"All {sobject.label_plural}", "name": "everything"}]
    if sobject.field("OwnerId") is not None:
        scopes.append({"label": f"My {sobject.label_plural}", "name": "mine"})
    return scopes


def _record_types(sobject: SObject, root: str) -> list[JSON]:
    if not sobject.layoutable:
        return []
    master = RecordType(
        id=MASTER_RECORD_TYPE_ID,
        developer_name="Master",
        name="Master",
        default=not any(kind.default for kind in sobject.record_types),
    )
    return [_record_type(kind, root) for kind in (*sobject.record_types, master)]


def _record_type(kind: RecordType, root: str) -> JSON:
    return {
        "active": kind.active,
        "available": kind.active,
        "defaultRecordTypeMapping": kind.default,
        "developerName": kind.developer_name,
        "master": kind.id == MASTER_RECORD_TYPE_ID,
        "name": kind.name,
        "recordTypeId": kind.id,
        "urls": {"layout": f"{root}/describe/layouts/{kind.id}"},
    }


def _child(child: ChildRelationship) -> JSON:
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


def _picklist(value: PicklistValue, controlling: tuple[str, ...]) -> JSON:
    return {
        "active": value.active,
        "defaultValue": value.default,
        "label": value.label,
        "validFor": None if value.valid_for is None else to_bitmap(value.valid_for, controlling),
        "value": value.value,
    }


def is_permissionable(field: Field) -> bool:
    """Tell whether profiles may hide a field or make it read-only."""
    return field.name not in _NOT_PERMISSIONABLE and not field.required and not field.name_field


def describe_field(sobject: SObject, field: Field) -> JSON:
    """Return the 57 keys that describe gives for a field."""
    controller = sobject.field(field.controller_name) if field.controller_name else None
    controlling = controlling_values(controller) if controller is not None else ()
    plain_default = field.default_value if field.type is FieldType.BOOLEAN else None
    length = 18 if field.type in (FieldType.ID, FieldType.REFERENCE) else field.length
    return {
        "aggregatable": field.filterable and field.type not in _NOT_AGGREGATABLE,
        "aiPredictionField": False,
        "autoNumber": field.auto_number,
        "byteLength": 18 if field.type in (FieldType.ID, FieldType.REFERENCE) else 3 * field.length,
        "calculated": field.calculated,
        "calculatedFormula": None,
        "cascadeDelete": field.cascade_delete,
        "caseSensitive": field.case_sensitive,
        "compoundFieldName": field.compound_field_name,
        "controllerName": None if controller is None else controller.name,
        "createable": field.createable,
        "custom": field.custom,
        "defaultValue": plain_default,
        "defaultValueFormula": None,
        "defaultedOnCreate": field.defaulted_on_create,
        "dependentPicklist": controller is not None,
        "deprecatedAndHidden": False,
        "digits": field.digits,
        "displayLocationInDecimal": False,
        "encrypted": False,
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
        "length": length,
        "mask": None,
        "maskType": None,
        "name": field.name,
        "nameField": field.name_field,
        "namePointing": field.is_polymorphic,
        "nillable": field.nillable,
        "permissionable": is_permissionable(field),
        "picklistValues": [_picklist(value, controlling) for value in field.picklist],
        "polymorphicForeignKey": field.is_polymorphic,
        "precision": field.precision,
        "queryByDistance": field.type is FieldType.LOCATION or field.type is FieldType.ADDRESS,
        "referenceTargetField": None,
        "referenceTo": list(field.reference_to),
        "relationshipName": field.relationship_name,
        "relationshipOrder": field.relationship_order,
        "restrictedDelete": field.restricted_delete,
        "restrictedPicklist": field.restricted_picklist,
        "scale": field.scale if field.type in DECIMAL_TYPES else 0,
        "searchPrefilterable": field.type is FieldType.REFERENCE and sobject.searchable,
        "soapType": soap_type(field.type),
        "sortable": field.sortable,
        "type": field.type.value,
        "unique": field.unique,
        "updateable": field.updateable,
        "writeRequiresMasterRead": False,
    }
