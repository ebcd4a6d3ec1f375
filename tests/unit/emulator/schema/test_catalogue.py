"""The catalogue's data files and what describe makes of them."""

from __future__ import annotations

import pytest

from orgbridge.emulator.schema import describe
from orgbridge.emulator.schema.errors import Fault, SFError
from orgbridge.emulator.schema.loading import catalogue_from_json, field_from_json, standard_catalogue
from orgbridge.emulator.schema.rendering import component_names, java_double, rest_value
from orgbridge.wire.fieldtypes import FieldType

CATALOGUE = standard_catalogue()
#: Junctions whose rows have no name.
NAMELESS = frozenset(
    {
        "AccountContactRelation",
        "ContentDocumentLink",
        "Event",
        "GroupMember",
        "NetworkMember",
        "OpportunityContactRole",
        "PermissionSetAssignment",
    }
)
BASE = "/services/data/v67.0"
FIELD_KEYS = [
    "aggregatable",
    "aiPredictionField",
    "autoNumber",
    "byteLength",
    "calculated",
    "calculatedFormula",
    "cascadeDelete",
    "caseSensitive",
    "compoundFieldName",
    "controllerName",
    "createable",
    "custom",
    "defaultValue",
    "defaultValueFormula",
    "defaultedOnCreate",
    "dependentPicklist",
    "deprecatedAndHidden",
    "digits",
    "displayLocationInDecimal",
    "encrypted",
    "externalId",
    "extraTypeInfo",
    "filterable",
    "filteredLookupInfo",
    "formulaTreatNullNumberAsZero",
    "groupable",
    "highScaleNumber",
    "htmlFormatted",
    "idLookup",
    "inlineHelpText",
    "label",
    "length",
    "mask",
    "maskType",
    "name",
    "nameField",
    "namePointing",
    "nillable",
    "permissionable",
    "picklistValues",
    "polymorphicForeignKey",
    "precision",
    "queryByDistance",
    "referenceTargetField",
    "referenceTo",
    "relationshipName",
    "relationshipOrder",
    "restrictedDelete",
    "restrictedPicklist",
    "scale",
    "searchPrefilterable",
    "soapType",
    "sortable",
    "type",
    "unique",
    "updateable",
    "writeRequiresMasterRead",
]
ITEM_KEYS = [
    "activateable",
    "associateEntityType",
    "associateParentEntity",
    "createable",
    "custom",
    "customSetting",
    "deepCloneable",
    "deletable",
    "deprecatedAndHidden",
    "feedEnabled",
    "hasSubtypes",
    "isInterface",
    "isSubtype",
    "keyPrefix",
    "label",
    "labelPlural",
    "layoutable",
    "mergeable",
    "mruEnabled",
    "name",
    "queryable",
    "replicateable",
    "retrieveable",
    "searchable",
    "triggerable",
    "undeletable",
    "updateable",
    "urls",
]
MORE_KEYS = [
    "actionOverrides",
    "childRelationships",
    "compactLayoutable",
    "defaultImplementation",
    "extendedBy",
    "extendsInterfaces",
    "fields",
    "implementedBy",
    "implementsInterfaces",
    "listviewable",
    "lookupLayoutable",
    "namedLayoutInfos",
    "networkScopeFieldName",
    "recordTypeInfos",
    "searchLayoutable",
    "sobjectDescribeOption",
    "supportedScopes",
]


def field(path):
    """Return the field of `Object.Field`."""
    sobject, _, name = path.partition(".")
    return CATALOGUE.sobject(sobject).field(name)


@pytest.mark.recorded
def test_describe_has_the_recorded_keys():
    """Fields have 57 keys, items of the global describe 28, objects 17 more."""
    described = describe.describe_sobject(CATALOGUE.sobject("case"), BASE)
    assert [list(f) for f in described["fields"]] == [FIELD_KEYS] * len(described["fields"])
    assert sorted(described) == sorted(ITEM_KEYS + MORE_KEYS)
    everything = describe.describe_global(CATALOGUE, BASE)
    assert {key: everything[key] for key in ("encoding", "maxBatchSize")} == {"encoding": "UTF-8", "maxBatchSize": 200}
    assert all(list(item) == ITEM_KEYS for item in everything["sobjects"])
    assert described["recordTypeInfos"][0]["recordTypeId"] == "012000000000000AAA"
    assert described["urls"]["rowTemplate"] == f"{BASE}/sobjects/Case/{{ID}}"


@pytest.mark.recorded
@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("Account.Id", {"length": 18, "byteLength": 18, "idLookup": True, "soapType": "tns:ID"}),
        ("Account.Name", {"compoundFieldName": "Name", "extraTypeInfo": "switchablepersonname", "byteLength": 765}),
        ("Account.BillingStreet", {"type": "textarea", "extraTypeInfo": "plaintextarea", "length": 255}),
        ("Account.BillingLatitude", {"type": "double", "precision": 18, "scale": 15}),
        ("Account.AnnualRevenue", {"type": "currency", "precision": 18, "scale": 0, "soapType": "xsd:double"}),
        ("Account.NumberOfEmployees", {"type": "int", "digits": 8}),
        ("Opportunity.Probability", {"type": "percent", "precision": 3, "scale": 0}),
        ("Opportunity.IsPrivate", {"defaultValue": False, "defaultedOnCreate": True, "nillable": False}),
        ("Contact.Name", {"createable": False, "length": 121}),
        ("Case.OwnerId", {"referenceTo": ["Group", "User"], "polymorphicForeignKey": True, "namePointing": True}),
        ("Account.BillingAddress", {"type": "address", "soapType": "urn:address"}),
        ("Account.External_Id__c", {"externalId": True, "unique": True, "custom": True, "length": 255}),
    ],
)
def test_describe_of_known_fields(path, expected):
    """Fields that were recorded from real orgs are described as they were."""
    described = describe.describe_field(CATALOGUE.sobject(path.partition(".")[0]), field(path))
    assert {key: described[key] for key in expected} == expected


@pytest.mark.documented
@pytest.mark.parametrize(
    ("sobject", "required"),
    [
        ("Account", {"Name"}),
        ("Contact", {"LastName"}),
        ("Lead", {"LastName", "Company"}),
        ("Opportunity", {"Name", "StageName", "CloseDate"}),
        ("Case", set()),
        ("Product2", {"Name"}),
        ("PricebookEntry", {"Pricebook2Id", "Product2Id", "UnitPrice"}),
        ("Order", {"EffectiveDate", "Status"}),
        ("WebCart", {"Name", "WebStoreId"}),
        ("CartItem", {"CartDeliveryGroupId", "CartId", "Name"}),
        ("BuyerAccount", {"BuyerId", "Name"}),
        ("BuyerGroupMember", {"BuyerGroupId", "BuyerId"}),
        ("CommerceEntitlementProduct", {"PolicyId", "ProductId"}),
        ("Entitlement", {"AccountId", "Name"}),
        ("WorkOrder", set()),
        ("AssetWarranty", {"AssetId", "StartDate"}),
        ("OpportunityLineItem", {"OpportunityId", "Quantity"}),
    ],
)
def test_required_fields_are_computed(sobject, required):
    """Required is createable, not nillable and not defaulted, as clients compute it from describe."""
    described = describe.describe_sobject(CATALOGUE.sobject(sobject), BASE)["fields"]
    computed = {f["name"] for f in described if f["createable"] and not f["nillable"] and not f["defaultedOnCreate"]}
    assert computed == required == {f.name for f in CATALOGUE.sobject(sobject).fields if f.required}


@pytest.mark.documented
@pytest.mark.parametrize(
    ("parent", "name", "child", "reference", "cascade"),
    [
        ("Account", "Contacts", "Contact", "AccountId", True),
        ("Account", "Opportunities", "Opportunity", "AccountId", True),
        ("Account", "Cases", "Case", "AccountId", False),
        ("Account", "Orders", "Order", "AccountId", True),
        ("Account", "Assets", "Asset", "AccountId", True),
        ("Account", "ChildAccounts", "Account", "ParentId", False),
        ("Contact", "Tasks", "Task", "WhoId", True),
        ("Order", "OrderItems", "OrderItem", "OrderId", True),
        ("Product2", "PricebookEntries", "PricebookEntry", "Product2Id", True),
        ("WebCart", "CartItems", "CartItem", "CartId", True),
        ("WebStore", "WebStoreCatalogs", "WebStoreCatalog", "SalesStoreId", True),
        ("BuyerGroup", "BuyerGroupMembers", "BuyerGroupMember", "BuyerGroupId", True),
        ("ProductCategory", "ChildCategories", "ProductCategory", "ParentCategoryId", False),
        ("OrderSummary", "OrderItemSummaries", "OrderItemSummary", "OrderSummaryId", True),
        ("Asset", "WorkOrders", "WorkOrder", "AssetId", False),
        ("ServiceContract", "ContractLineItems", "ContractLineItem", "ServiceContractId", True),
        ("Machine__c", "Readings__r", "Machine_Reading__c", "Machine__c", True),
    ],
)
def test_child_relationships_have_the_platforms_names(parent, name, child, reference, cascade):
    """Children are found under the relationship's name, in any case."""
    found = CATALOGUE.sobject(parent).child_relationship(name.lower())
    assert (found.name, found.child, found.field, found.cascade_delete) == (name, child, reference, cascade)


def test_names_are_found_in_any_case():
    """Objects, fields, relationships and key prefixes lead to the catalogue's own names."""
    account = CATALOGUE.sobject("ACCOUNT")
    assert (account.name, account.field("billingCITY").name) == ("Account", "BillingCity")
    assert CATALOGUE.sobject("contact").relationship("account").name == "AccountId"
    assert CATALOGUE.by_prefix("001Ob0000000001IAA") is account
    assert (CATALOGUE.sobject("Nope"), account.field("Nope"), account.relationship("Nope")) == (None, None, None)


@pytest.mark.parametrize("sobject", CATALOGUE.sobjects(), ids=lambda s: s.name)
def test_every_object_holds_together(sobject):
    """Names are unique, references lead to objects, defaults are on the list, compounds have their parts."""
    names = [f.name.lower() for f in sobject.fields]
    assert len(set(names)) == len(names)
    assert len(sobject.key_prefix) == 3
    assert sobject.name_field is not None or sobject.name in NAMELESS
    below = [c.name.lower() for c in sobject.child_relationships if c.name]
    assert len(set(below)) == len(below)
    for f in sobject.fields:
        if f.type is FieldType.REFERENCE:
            assert f.reference_to, f.name
            assert f.relationship_name, f.name
            assert all(CATALOGUE.sobject(target) for target in f.reference_to)
        if f.picklist:
            values = [v.value for v in f.picklist]
            assert len(set(values)) == len(values), f.name
            assert f.default_value is None or f.default_value in values
        if not f.is_stored:
            assert all(sobject.field(name) for name in component_names(sobject, f).values())
        if f.is_text and f.type is not FieldType.TEXTAREA:
            assert f.length > 0, f.name


@pytest.mark.documented
@pytest.mark.parametrize(
    ("number", "text"),
    [
        (23, "23.0"),
        (0.0, "0.0"),
        (-300.5, "-300.5"),
        (1e10, "1.0E10"),
        (1e20, "1.0E20"),
        (12345678.9, "1.23456789E7"),
        (9999999.0, "9999999.0"),
        (0.001, "0.001"),
        (0.00015, "1.5E-4"),
        (-1e-7, "-1.0E-7"),
    ],
)
def test_numbers_print_as_javas_do(number, text):
    """Decimals have a point; very large and very small ones an exponent."""
    assert java_double(number) == text


def test_values_have_rests_form():
    """Instants end in +0000 without a colon, booleans are never null."""
    assert rest_value(field("Account.CreatedDate"), "2015-06-26T19:46:33.000Z") == "2015-06-26T19:46:33.000+0000"
    assert [rest_value(field("Account.IsBuyer"), v) for v in (1, 0, None)] == [True, False, False]


def test_own_objects_may_be_told_as_describe_json():
    """An object told with describe's keys joins the catalogue, without references to objects that are not there."""
    told = {
        "name": "Site__c",
        "label": "Site",
        "labelPlural": "Sites",
        "keyPrefix": "a05",
        "custom": True,
        "fields": [
            {"name": "Name", "type": "string", "length": 80, "nameField": True},
            {
                "name": "Kind__c",
                "type": "picklist",
                "picklistValues": [{"value": "A", "label": "Letter A", "active": False, "defaultValue": True}],
            },
            {"name": "Up__c", "type": "reference", "referenceTo": ["Site__c", "Gone__c"], "relationshipName": "Up__r"},
        ],
    }
    site = catalogue_from_json([told]).sobject("Site__c")
    assert site.field("Up__c").reference_to == ("Site__c",)
    assert site.field("Kind__c").picklist[0].label == "Letter A"
    assert [c.field for c in site.child_relationships] == ["Up__c"]
    with pytest.raises(ValueError, match="nonsense"):
        field_from_json({"name": "X", "type": "nonsense"})


def test_errors_know_their_status():
    """An error takes its status from the table of codes unless it is given one."""
    errors = [SFError("NOT_FOUND", "m"), SFError("NEW_CODE", "m"), SFError.from_fault(Fault("X", "m", ("F",)), 404)]
    assert [(e.status, e.fields) for e in errors] == [(404, None), (400, None), (404, ("F",))]
