"""Insert, update and upsert of records: rights, required fields, references, keys, uniqueness, null."""

from __future__ import annotations

import pytest

from orgbridge.emulator.org.outcomes import ROLLED_BACK, ValueMode
from orgbridge.emulator.schema.errors import Fault, SFError
from orgbridge.wire.bulk import IngestOperation as Op

INVALID_REFERENCE = Fault("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
NO_SUCH_ACCOUNT = "001Ob000000ZZZZIAA"


def one(outcomes):
    """Return the only outcome."""
    (outcome,) = outcomes
    return outcome


@pytest.fixture
def save(org):
    """Return a function that inserts one record and gives its outcome."""
    return lambda sobject, **fields: one(org.insert(sobject, [fields], user_id=org.admin_id))


@pytest.fixture
def change(org):
    """Return a function that updates one record and gives its outcome."""
    return lambda sobject, **fields: one(org.update(sobject, [fields], user_id=org.admin_id))


@pytest.mark.documented
def test_missing_required_fields_are_named_together(save):
    """One fault names all required fields that an insert leaves out."""
    fault = Fault(
        "REQUIRED_FIELD_MISSING",
        "Required fields are missing: [StageName, CloseDate]",
        ("StageName", "CloseDate"),
    )
    assert save("Opportunity", Name="n").errors == (fault,)


@pytest.mark.documented
def test_a_required_field_cannot_be_cleared(save, change):
    """Null for a required field of an existing record is refused as missing."""
    account = save("Account", Name="a").id
    fault = Fault("REQUIRED_FIELD_MISSING", "Required fields are missing: [Name]", ("Name",))
    assert change("Account", Id=account, Name=None).errors == (fault,)


@pytest.mark.documented
def test_an_unknown_field_is_named_with_its_object(save):
    """A name that is no field fails the record."""
    fault = Fault("INVALID_FIELD", "No such column 'foo' on sobject of type Account")
    assert save("Account", Name="a", foo=1).errors == (fault,)


@pytest.mark.documented
def test_read_only_fields_are_refused_together(save):
    """System, computed and compound fields cannot be given; one fault names them all."""
    fault = Fault(
        "INVALID_FIELD_FOR_INSERT_UPDATE",
        "Unable to create/update fields: CreatedDate, BillingAddress. Please check the security settings of this field"
        " and verify that it is read/write for your profile or permission set.",
        ("CreatedDate", "BillingAddress"),
    )
    outcome = save("Account", Name="a", CreatedDate="2020-01-01T00:00:00Z", BillingAddress={"city": "x", "state": "y"})
    assert outcome.errors == (fault,)


@pytest.mark.assumed
def test_an_insert_cannot_bring_its_id(save):
    """An Id in an insert is refused."""
    fault = Fault("INVALID_FIELD_FOR_INSERT_UPDATE", "cannot specify Id in an insert call", ("Id",))
    assert save("Account", Name="a", Id=NO_SUCH_ACCOUNT).errors == (fault,)


@pytest.mark.documented
def test_a_lookup_to_no_row_is_an_invalid_cross_reference(save, org):
    """A well-formed id of the right object must belong to a live row."""
    assert save("Contact", LastName="l", AccountId=NO_SUCH_ACCOUNT).errors == (INVALID_REFERENCE,)
    account = save("Account", Name="a").id
    org.delete([account], user_id=org.admin_id)
    assert save("Contact", LastName="l", AccountId=account).errors == (INVALID_REFERENCE,)


@pytest.mark.assumed
def test_a_lookup_to_another_object_is_an_integrity_fault(save, org):
    """An id of an object that the field cannot point to is told apart from a missing row."""
    fault = Fault(
        "FIELD_INTEGRITY_EXCEPTION", f"Account ID: id value of incorrect type: {org.admin_id}", ("AccountId",)
    )
    assert save("Contact", LastName="l", AccountId=org.admin_id).errors == (fault,)


@pytest.mark.documented
def test_fifteen_characters_of_an_id_are_enough(save, org):
    """15-character ids are taken in lookups and to find rows; replies have 18."""
    account = save("Account", Name="a").id
    contact = save("Contact", LastName="l", AccountId=account[:15]).id
    assert org.get("Contact", contact[:15], ["AccountId"]) == {"AccountId": account, "Id": contact}


@pytest.mark.documented
def test_a_unique_value_is_taken_once(save):
    """A second record with a unique value, in any case of letters, is told the id of the first."""
    first = save("Account", Name="a", External_Id__c="KEY-1").id
    message = f"duplicate value found: External_Id__c duplicates value on record with id: {first}"
    assert save("Account", Name="b", External_Id__c="key-1").errors == (Fault("DUPLICATE_VALUE", message),)


@pytest.mark.documented
def test_a_unique_value_is_taken_once_within_a_call(org):
    """Of two records of one call with the same unique value the first is saved and the second told its id."""
    rows = [
        {"Name": "bad", "External_Id__c": "k", "Phone": "1" * 41},
        *({"Name": n, "External_Id__c": "k"} for n in "ab"),
    ]
    bad, first, second = org.insert("Account", rows, user_id=org.admin_id)
    assert (bad.success, first.success, second.success) == (False, True, False)
    assert second.errors[0].message.endswith(f"record with id: {first.id}")


def test_a_deleted_record_frees_its_unique_value(save, org):
    """A unique value of a record in the recycle bin may be used again, and then keeps the old one from coming back."""
    first = save("Account", Name="a", External_Id__c="k").id
    org.delete([first], user_id=org.admin_id)
    second = save("Account", Name="b", External_Id__c="k")
    assert second.success
    (back,) = org.undelete([first], user_id=org.admin_id)
    message = f"duplicate value found: External_Id__c duplicates value on record with id: {second.id}"
    assert back.errors == (Fault("DUPLICATE_VALUE", message),)


@pytest.mark.documented
def test_a_record_may_keep_its_own_unique_value(save, change):
    """An update that repeats the record's own unique value is no duplicate."""
    account = save("Account", Name="a", External_Id__c="k").id
    assert change("Account", Id=account, External_Id__c="K").success


@pytest.mark.documented
def test_system_fields_are_the_platforms(save, change, org, clock):
    """Creation is kept, modification moves with each save, the saving user owns what has no other owner."""
    account = save("Account", Name="a").id
    clock.instant = clock.instant.replace(year=2026)
    change("Account", Id=account, Site="s")
    names = ["CreatedDate", "LastModifiedDate", "SystemModstamp", "CreatedById", "LastModifiedById", "OwnerId"]
    old, new = "2025-03-04T05:06:07.000+0000", "2026-03-04T05:06:07.000+0000"
    assert list(org.get("Account", account, names).values())[:6] == [old, new, new, *[org.admin_id] * 3]


@pytest.mark.documented
def test_an_update_of_no_row_or_a_deleted_row_fails(save, change, org):
    """A row that is not there and a row in the bin get different codes."""
    assert change("Account", Id=NO_SUCH_ACCOUNT, Name="x").errors == (INVALID_REFERENCE,)
    account = save("Account", Name="a").id
    org.delete([account], user_id=org.admin_id)
    assert change("Account", Id=account, Name="x").errors == (Fault("ENTITY_IS_DELETED", "entity is deleted"),)
    with pytest.raises(SFError, match="ENTITY_IS_DELETED: entity is deleted") as deleted:
        org.require("Account", account)
    with pytest.raises(SFError, match="NOT_FOUND: The requested resource does not exist") as missing:
        org.require("Account", NO_SUCH_ACCOUNT)
    assert (deleted.value.status, missing.value.status) == (404, 404)


@pytest.mark.documented
def test_an_id_of_another_object_is_malformed(change, org):
    """An update by the id of another object is refused with the object's label."""
    fault = Fault("MALFORMED_ID", f"Account ID: id value of incorrect type: {org.admin_id}", ("Id",))
    assert change("Account", Id=org.admin_id, Name="x").errors == (fault,)


@pytest.mark.assumed
def test_an_update_needs_an_id(change):
    """A record without Id cannot be updated."""
    fault = Fault("MISSING_ARGUMENT", "Id not specified in an update call", ("Id",))
    assert change("Account", Name="x").errors == (fault,)


@pytest.mark.documented
def test_null_clears_in_json_and_na_clears_in_csv(save, change, org, cells):
    """JSON null and CSV #N/A clear a field; a missing key and an empty cell leave it alone; #N/A in JSON is text."""
    account = save("Account", Name="a", Site="s", Phone="1", Fax="2").id
    change("Account", Id=account, Site=None)
    cells(Op.UPDATE, "Account", "Id,Name,Phone,Fax", (account, "", "#N/A", ""))
    read = ["Name", "Site", "Phone", "Fax"]
    assert org.get("Account", account, read) == {"Name": "a", "Site": None, "Phone": None, "Fax": "2", "Id": account}
    change("Account", Id=account, Site="#N/A")
    assert org.get("Account", account, ["Site"])["Site"] == "#N/A"


@pytest.mark.documented
def test_empty_cells_of_an_insert_take_the_default(org, cells):
    """An empty cell of an insert is as if the column were not there; a null boolean is false."""
    new, cleared = cells(Op.INSERT, "Case", "Subject,Status,IsEscalated", ("s", "", ""), ("t", "#N/A", "#N/A"))
    assert org.get("Case", new.id, ["Status", "Priority", "IsEscalated"])["Status"] == "New"
    assert org.get("Case", cleared.id, ["Status", "IsEscalated"]) == {
        "Status": None,
        "IsEscalated": False,
        "Id": cleared.id,
    }


@pytest.mark.documented
def test_a_relationship_finds_its_target_by_external_id(save, org, cells):
    """`Account.External_Id__c` in CSV and a nested object in JSON set the lookup."""
    account = save("Account", Name="a", External_Id__c="Ext-1").id
    by_csv, empty, unknown = cells(
        Op.INSERT, "Contact", "LastName,Account.External_Id__c", ("l", "ext-1"), ("m", ""), ("n", "nope")
    )
    by_json = save("Contact", LastName="l", Account={"attributes": {"type": "Account"}, "External_Id__c": "EXT-1"})
    assert [org.get("Contact", o.id, ["AccountId"])["AccountId"] for o in (by_csv, by_json, empty)] == [
        account,
        account,
        None,
    ]
    message = "Foreign key external ID: nope not found for field External_Id__c in entity Account"
    assert unknown.errors == (Fault("INVALID_FIELD", message),)


@pytest.mark.documented
def test_a_polymorphic_relationship_names_its_object(save, org, cells):
    """`Lead:Who.Email` finds the lead, in CSV by the prefix and in JSON by `attributes.type`."""
    lead = save("Lead", LastName="l", Company="c", Email="who@example.com").id
    (by_csv,) = cells(Op.INSERT, "Task", "Subject,Lead:Who.Email", ("Call", "WHO@example.com"))
    by_json = save("Task", Subject="Call", Who={"attributes": {"type": "Lead"}, "Email": "who@example.com"})
    assert [org.get("Task", o.id, ["WhoId"])["WhoId"] for o in (by_csv, by_json)] == [lead, lead]


@pytest.mark.documented
def test_a_key_that_several_rows_have_is_refused(save, org):
    """A lookup by a field that is not unique fails when more than one row has the value."""
    ids = [save("Contact", LastName=n, Email="same@example.com").id for n in "ab"]
    message = f"Email: more than one record found for external id field: [{ids[0]}, {ids[1]}]"
    fault = Fault("DUPLICATE_EXTERNAL_ID", message, ("Email",))
    (upserted,) = org.upsert("Contact", "Email", [{"LastName": "c", "Email": "same@example.com"}], user_id=org.admin_id)
    assert upserted.errors == (fault,)


@pytest.mark.documented
def test_an_upsert_updates_what_it_finds_and_inserts_the_rest(save, org):
    """Each record is found by its key or made; the outcome says which."""
    account = save("Account", Name="a", Site="s", External_Id__c="k1").id
    rows = [{"External_Id__c": "K1", "Name": "new name"}, {"External_Id__c": "k2", "Name": "b"}]
    old, new = org.upsert("Account", "external_id__c", rows, user_id=org.admin_id)
    assert (old.id, old.created, new.created) == (account, False, True)
    assert org.get("Account", account, ["Name", "Site"]) == {"Name": "new name", "Site": "s", "Id": account}


@pytest.mark.documented
def test_a_key_twice_in_one_upsert_is_refused(org):
    """Records of one call that share a key are all refused; the others are saved."""
    rows = [{"External_Id__c": k, "Name": "n"} for k in ("k1", "k2", "K1")]
    first, other, last = org.upsert("Account", "External_Id__c", rows, user_id=org.admin_id)
    assert first.errors == (Fault("DUPLICATE_EXTERNAL_ID", "Duplicate external id specified: k1", ("External_Id__c",)),)
    assert (other.success, last.errors[0].code) == (True, "DUPLICATE_EXTERNAL_ID")


@pytest.mark.assumed
def test_an_upsert_needs_its_key(org):
    """A record without the key of an upsert is refused."""
    (outcome,) = org.upsert("Account", "External_Id__c", [{"Name": "n"}], user_id=org.admin_id)
    assert outcome.errors == (Fault("MISSING_ARGUMENT", "External_Id__c not specified", ("External_Id__c",)),)


@pytest.mark.documented
def test_a_numeric_external_id_is_a_key(org):
    """An external id that is a number finds its row as a number."""
    for value, created in ((12, True), ("12.0", False)):
        (outcome,) = org.upsert("Machine__c", "Legacy_Number__c", [{"Legacy_Number__c": value}], user_id=org.admin_id)
        assert (outcome.created, outcome.errors) == (created, ())


@pytest.mark.recorded
def test_an_upsert_by_a_null_id_inserts(org):
    """A null Id in an upsert by Id makes a record; a given one finds it."""
    (new,) = org.upsert("Account", "Id", [{"Id": None, "Name": "a"}], user_id=org.admin_id)
    (old,) = org.upsert("Account", "Id", [{"Id": new.id, "Name": "b"}], user_id=org.admin_id)
    assert (new.created, old.created, old.id) == (True, False, new.id)


@pytest.mark.documented
def test_a_field_that_is_no_key_is_not_found(org):
    """An upsert by an ordinary field is refused as a whole."""
    with pytest.raises(SFError) as caught:
        org.upsert("Account", "Phone", [{"Name": "n"}], user_id=org.admin_id)
    expected = ("NOT_FOUND", 404, "Provided external ID field does not exist or is not accessible: Phone")
    assert (caught.value.code, caught.value.status, caught.value.message) == expected


@pytest.mark.documented
@pytest.mark.parametrize("operation", ["insert", "update", "upsert", "delete"])
def test_all_or_none_keeps_nothing(org, save, operation):
    """With all-or-none one bad record undoes its siblings, which say so."""
    good = save("Account", Name="before", External_Id__c="k").id
    match operation:
        case "insert":
            rows = [{"Name": "a", "External_Id__c": "z"}, {}]
            outcomes = org.insert("Account", rows, user_id=org.admin_id, all_or_none=True)
        case "update":
            rows = [{"Id": good, "Name": "after"}, {"Id": NO_SUCH_ACCOUNT}]
            outcomes = org.update("Account", rows, user_id=org.admin_id, all_or_none=True)
        case "upsert":
            rows = [{"External_Id__c": "k", "Name": "after"}, {"External_Id__c": "z"}]
            outcomes = org.upsert("Account", "External_Id__c", rows, user_id=org.admin_id, all_or_none=True)
        case _:
            outcomes = org.delete([good, NO_SUCH_ACCOUNT], user_id=org.admin_id, all_or_none=True)
    assert outcomes[0].errors == (ROLLED_BACK,)
    assert not outcomes[1].success
    assert outcomes[1].errors != (ROLLED_BACK,)
    assert org.get("Account", good, ["Name"])["Name"] == "before"
    assert org.find_by_key("Account", "External_Id__c", "z") == []


def test_an_id_twice_in_one_update_is_applied_in_order(save, org):
    """Two records of one update for the same row add up; the later wins where both speak."""
    account = save("Account", Name="a").id
    rows = [{"Id": account, "Name": "b", "Site": "s"}, {"Id": account, "Name": "c"}]
    assert all(o.success for o in org.update("Account", rows, user_id=org.admin_id))
    assert org.get("Account", account, ["Name", "Site"]) == {"Name": "c", "Site": "s", "Id": account}


@pytest.mark.assumed
def test_a_lookup_cannot_be_given_twice(save, org):
    """An id and an external id for the same lookup are refused."""
    account = save("Account", Name="a", External_Id__c="k").id
    message = "cannot specify both an external ID reference Account and a salesforce id, AccountId"
    outcome = save("Contact", LastName="l", AccountId=account, Account={"External_Id__c": "k"})
    assert outcome.errors == (Fault("INVALID_FIELD", message),)


@pytest.mark.documented
@pytest.mark.parametrize(
    ("operation", "sobject", "header", "name"),
    [
        (Op.INSERT, "Account", "Name,Foo__c", "Foo__c"),
        (Op.INSERT, "Account", "\ufeffName", "\ufeffName"),
        (Op.INSERT, "Contact", "LastName,Account.Name2", "Account.Name2"),
        (Op.INSERT, "Contact", "LastName,Account.Phone", "Account.Phone"),
        (Op.INSERT, "Contact", "LastName,Account:Account.External_Id__c", "Account:Account.External_Id__c"),
        (Op.INSERT, "Task", "Who.Email", "Who.Email"),
        (Op.UPDATE, "Account", "Name", "Id"),
        (Op.UPSERT, "Account", "Name", "External_Id__c"),
        (Op.DELETE, "Account", "Id,Name", "Name"),
    ],
)
def test_a_header_with_an_unknown_name_fails_the_job(org, operation, sobject, header, name):
    """A column that means nothing, or one that the operation needs, is named in the job's error."""
    with pytest.raises(SFError) as caught:
        org.check_header(sobject, operation, header.split(","), "External_Id__c")
    assert (
        f"{caught.value.code} : {caught.value.message}"
        == f"InvalidBatch : InvalidBatch : Field name not found : {name}"
    )


@pytest.mark.documented
def test_headers_are_found_in_any_case(org):
    """Names in a header need not have the catalogue's case."""
    org.check_header("account", Op.UPSERT, ["NAME", "external_id__C", "parent.EXTERNAL_ID__c"], "External_Id__c")


def test_a_csv_batch_of_ten_thousand_is_saved_row_by_row(org, cells):
    """In a large batch every bad row fails alone and every outcome stands at its row's place."""
    rows = [(f"n{i}" if i % 100 else "", f"k{i}") for i in range(10_000)]
    outcomes = cells(Op.INSERT, "Account", "Name,External_Id__c", *rows)
    assert [i for i, o in enumerate(outcomes) if not o.success] == list(range(0, 10_000, 100))
    assert org.find_by_key("Account", "External_Id__c", "k9999") == [outcomes[9999].id]
    assert len({o.id for o in outcomes if o.success}) == 9_900


def test_keys_with_a_nul_are_found(save, org):
    """A NUL in an external id neither hides a row nor lets a second one in."""
    save("Account", Name="a", External_Id__c="k\0x")
    assert save("Account", Name="b", External_Id__c="k\0x").errors[0].code == "DUPLICATE_VALUE"
    assert save("Account", Name="b", External_Id__c="k\0y").success


def test_half_a_surrogate_pair_is_no_text(save, org):
    """What cannot be written as UTF-8 is refused when it is saved and finds nothing when it is looked for."""
    assert save("Account", Name="\ud800").errors[0].code == "JSON_PARSER_ERROR"
    assert org.find_by_key("Account", "External_Id__c", "\udcff") == []


def test_json_rows_may_name_different_fields(org):
    """Records of one call need not have the same keys, and `attributes` is no field."""
    rows = [{"attributes": {"type": "Account"}, "Name": "a", "Site": "s"}, {"name": "b", "Fax": "f"}]
    outcomes = org.insert("Account", rows, user_id=org.admin_id, mode=ValueMode.JSON)
    assert [org.get("Account", o.id, ["Name", "Site", "Fax"]) for o in outcomes] == [
        {"Name": "a", "Site": "s", "Fax": None, "Id": outcomes[0].id},
        {"Name": "b", "Site": None, "Fax": "f", "Id": outcomes[1].id},
    ]


@pytest.mark.documented
def test_an_inactive_user_owns_nothing_new(org, save):
    """A record cannot be given to a user who is not active."""
    profile = org.get("User", org.admin_id, ["ProfileId"])["ProfileId"]
    keys = {"TimeZoneSidKey": "GMT", "LocaleSidKey": "en_US", "EmailEncodingKey": "UTF-8", "LanguageLocaleKey": "en_US"}
    person = {"Username": "u@x.org", "LastName": "l", "Email": "u@x.org", "Alias": "u", "ProfileId": profile}
    user = save("User", **person, **keys, IsActive=False).id
    message = f"operation performed with inactive user [{user}] as owner of account"
    assert save("Account", Name="a", OwnerId=user).errors == (Fault("INACTIVE_OWNER_OR_USER", message),)


@pytest.mark.documented
@pytest.mark.parametrize("nested", [{"Phone": "1"}, {"Nope": "1"}])
def test_a_relationship_by_what_is_no_key_is_refused(save, nested):
    """A nested object must name an external id or lookup field of its target."""
    message = "The external foreign key reference does not reference a valid entity: Account"
    assert save("Contact", LastName="l", Account=nested).errors == (Fault("INVALID_FIELD", message),)


@pytest.mark.documented
def test_a_failed_row_of_an_upsert_carries_the_id_it_matched(save, cells):
    """A row that fails still says which record it was about; one that matches none says nothing."""
    account = save("Account", Name="a", External_Id__c="k").id
    found, new = cells(
        Op.UPSERT, "Account", "External_Id__c,Fax", ("k", "1" * 41), ("z", "1" * 41), key="External_Id__c"
    )
    assert [(o.id, o.errors[0].code) for o in (found, new)] == [(account, "STRING_TOO_LONG"), (None, "STRING_TOO_LONG")]
