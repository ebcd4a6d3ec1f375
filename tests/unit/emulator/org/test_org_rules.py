"""Rules that look at several fields, at other rows, or at who saves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from orgbridge.emulator.org.org import Org
from orgbridge.emulator.org.policies import Policies
from orgbridge.emulator.schema.duplicate_rules import DuplicateRule
from orgbridge.emulator.schema.errors import SFError
from orgbridge.emulator.schema.loading import catalogue_from_json, standard_catalogue, standard_objects
from orgbridge.emulator.schema.merging import UnknownObjectError, merge_objects
from orgbridge.emulator.schema.profiles import READ_ONLY, FieldRights, ObjectRights, ProfileRights
from orgbridge.emulator.storage.database import Storage
from orgbridge.wire.bulk import IngestOperation
from orgbridge.wire.ids import to_18

LOADER = ProfileRights(
    name="Loader",
    objects={"Lead": ObjectRights(read=False), "Case": ObjectRights(delete=False)},
    fields={"Account.Phone": FieldRights(read=False, edit=False), "Account.Fax": FieldRights(edit=False)},
)
RULES = (
    DuplicateRule(name="Same_Site", sobject="Account", fields=("Site", "Phone"), blocks_inserts=False),
    DuplicateRule(name="Same_Ticker", sobject="Account", fields=("TickerSymbol",), message="Known!"),
)
PLANT, OLD = to_18("0125g0000000001"), to_18("0125g0000000002")
MORE = [
    {
        "name": "Account",
        "recordTypes": [
            {"id": PLANT, "developer_name": "Plant", "name": "Plant", "default": True},
            {"id": OLD, "developer_name": "Old", "name": "Old", "active": False},
        ],
        "fields": [
            {"name": "Size__c", "type": "picklist", "length": 255, "custom": True, "picklistValues": ["Big", "Small"]},
            {
                "name": "Colour__c", "type": "picklist", "length": 255, "custom": True, "restrictedPicklist": True,
                "controllerName": "Size__c",
                "picklistValues": [
                    {"value": "Red", "validFor": ["Big"]}, {"value": "Blue", "validFor": ["Big", "Small"]},
                ],
            },
            {
                "name": "Orders__c", "type": "double", "precision": 18, "createable": False, "updateable": False,
                "custom": True, "defaultValue": 0,
                "summary": {"child": "Order", "reference": "AccountId", "operation": "count"},
            },
            {"name": "Code__c", "type": "string", "length": 20, "custom": True, "externalId": True, "idLookup": True,
             "unique": True, "caseSensitive": True},
        ],
    }
]  # fmt: skip
MORE[0]["fields"] += [field for data in standard_objects() if data["name"] == "Account" for field in data["fields"]]


@pytest.fixture
def org(clock) -> Iterator[Org]:
    """Return an org with a dependent picklist, record types, a roll-up, profiles and duplicate rules."""
    storage = Storage(":memory:")
    policies = Policies(profiles=(READ_ONLY, LOADER), duplicate_rules=RULES, lock_seconds=5.0)
    yield Org(storage, catalogue_from_json(merge_objects(standard_objects(), MORE)), clock, policies)
    storage.close()


@pytest.fixture
def save(org: Org) -> Callable[..., str]:
    """Return a function that inserts a record that must be good, and returns its id."""

    def run(sobject: str, **fields: Any) -> str:
        (outcome,) = org.insert(sobject, [fields], user_id=org.admin_id)
        assert outcome.success, outcome.errors
        return outcome.id or ""

    return run


@pytest.fixture
def codes(org: Org) -> Callable[..., list[tuple[str, ...]]]:
    """Return a function that inserts or updates records and returns the codes of their errors."""

    def run(sobject: str, *rows: dict[str, Any], user_id: str | None = None, **options: Any) -> list[tuple[str, ...]]:
        write = org.update if "Id" in rows[0] else org.insert
        outcomes = write(sobject, rows, user_id=user_id or org.admin_id, **options)
        return [tuple(fault.code for fault in outcome.errors) for outcome in outcomes]

    return run


def user(org: Org, save: Callable[..., str], profile: str) -> str:
    """Return a new user of a profile."""
    return save(
        "User", Username=f"{profile.lower().replace(' ', '.')}@x.org", LastName="U", Email="u@x.org", Alias="u",
        TimeZoneSidKey="GMT", LocaleSidKey="en_US", EmailEncodingKey="UTF-8", LanguageLocaleKey="en_US",
        ProfileId=org.find_by_key("Profile", "Name", profile)[0],
    )  # fmt: skip


@pytest.mark.assumed
def test_dependent_picklists_hold(org, save, codes):
    """A value is taken only under its controlling values, also when only one of the two is changed."""
    bad = ("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",)
    found = codes(
        "Account",
        {"Name": "a", "Size__c": "Small", "Colour__c": "Red"},
        {"Name": "b", "Colour__c": "Red"},
        {"Name": "c", "Size__c": "Big", "Colour__c": "Red"},
        {"Name": "d", "Size__c": "Small"},
    )
    assert found == [bad, bad, (), ()]
    account = save("Account", Name="e", Size__c="Big", Colour__c="Red")
    assert codes("Account", {"Id": account, "Size__c": "Small"}) == [bad]
    assert codes("Account", {"Id": account, "Size__c": "Small", "Colour__c": "Blue"}) == [()]


@pytest.mark.documented
def test_record_types_belong_to_their_object(org, save, codes):
    """New rows get the default record type; one of another object, or an inactive one, is refused."""
    account = save("Account", Name="a")
    assert org.get("Account", account, ["RecordTypeId"])["RecordTypeId"] == PLANT
    other = save("RecordType", Name="R", DeveloperName="R", SobjectType="Contact", IsActive=True)
    for wrong in (other, OLD):
        assert codes("Account", {"Name": "b", "RecordTypeId": wrong}) == [("INVALID_CROSS_REFERENCE_KEY",)]
    assert codes("Account", {"Name": "b", "RecordTypeId": "012000000000000AAA"}) == [()]


@pytest.mark.documented
@pytest.mark.parametrize(
    ("sobject", "field"), [("Account", "ParentId"), ("Asset", "ParentId"), ("Contact", "ReportsToId")]
)
def test_no_row_is_above_itself(org, save, codes, sobject, field):
    """Loops are refused, also those that two records of one call would make together."""
    account = save("Account", Name="x")
    own = {"Account": {"Name": "n"}, "Asset": {"Name": "n", "AccountId": account}, "Contact": {"LastName": "n"}}[
        sobject
    ]
    top = save(sobject, **own)
    middle = save(sobject, **own, **{field: top})
    low = save(sobject, **own, **{field: middle})
    loop = ("CIRCULAR_DEPENDENCY",)
    assert codes(sobject, {"Id": top, field: low}) == [loop]
    assert codes(sobject, {"Id": top, field: top}) == [loop]
    assert codes(sobject, {"Id": low, field: top}) == [()]
    assert codes(sobject, {"Id": top, field: None}, {"Id": middle, field: low}, {"Id": low, field: middle}) == [
        (), (), loop,
    ]  # fmt: skip


@pytest.mark.documented
def test_moved_assets_take_their_tree_along(org, save, codes):
    """Root and level of an asset and of all below it follow its place."""
    account = save("Account", Name="a")
    top, other = (save("Asset", Name=n, AccountId=account) for n in "ab")
    middle = save("Asset", Name="m", AccountId=account, ParentId=top)
    low = save("Asset", Name="l", AccountId=account, ParentId=middle)

    def place(asset):
        row = org.get("Asset", asset, ["RootAssetId", "AssetLevel"])
        return row["RootAssetId"], row["AssetLevel"]

    assert [place(a) for a in (top, middle, low)] == [(top, 1), (top, 2), (top, 3)]
    assert codes("Asset", {"Id": top, "ParentId": other}) == [()]
    assert [place(a) for a in (top, middle, low)] == [(other, 2), (other, 3), (other, 4)]
    assert codes("Asset", {"Id": middle, "ParentId": None}) == [()]
    assert [place(a) for a in (top, middle, low)] == [(other, 2), (middle, 1), (middle, 2)]


@pytest.mark.documented
@pytest.mark.parametrize(
    ("fields", "missing"),
    [
        ({}, ("ActivityDateTime", "DurationInMinutes")),
        ({"StartDateTime": "2025-01-01T10:00:00Z"}, ("DurationInMinutes",)),
        ({"DurationInMinutes": 5}, ("ActivityDateTime",)),
        ({"IsAllDayEvent": True}, ("ActivityDate",)),
        ({"IsAllDayEvent": True, "ActivityDate": "2025-01-01"}, ()),
        ({"ActivityDateTime": "2025-01-01T10:00:00Z", "EndDateTime": "2025-01-01T11:00:00Z"}, ()),
    ],
)
def test_events_need_a_start_and_a_length(org, fields, missing):
    """What an event lacks is named in one fault."""
    (outcome,) = org.insert("Event", [{"Subject": "s", **fields}], user_id=org.admin_id)
    assert tuple(name for fault in outcome.errors for name in fault.fields) == missing
    assert {fault.code for fault in outcome.errors} <= {"REQUIRED_FIELD_MISSING"}


@pytest.mark.documented
def test_a_custom_price_needs_a_standard_price(org, save, codes):
    """A product has a price in another book only once it has one in the standard book, also one of the same call."""
    product, other = (save("Product2", Name=n) for n in "ab")
    book = save("Pricebook2", Name="B", IsActive=True)

    def entry(what, where):
        return {"Product2Id": what, "Pricebook2Id": where, "UnitPrice": 1}

    assert codes("PricebookEntry", entry(product, book)) == [("STANDARD_PRICE_NOT_DEFINED",)]
    standard = org.standard_pricebook_id
    assert codes("PricebookEntry", entry(product, standard), entry(product, book), entry(other, book)) == [
        (), (), ("STANDARD_PRICE_NOT_DEFINED",),
    ]  # fmt: skip


@pytest.mark.documented
def test_totals_follow_their_rows(org, save, codes):
    """Amounts of opportunities and quotes and roll-ups follow inserts, updates, deletes and undeletes."""
    product = save("Product2", Name="p", ProductCode="P1")
    entry = save("PricebookEntry", Product2Id=product, Pricebook2Id=org.standard_pricebook_id, UnitPrice=10)
    account = save("Account", Name="a")
    deal = save("Opportunity", Name="o", StageName="Needs Analysis", CloseDate="2025-01-01", Amount=7)
    line = save("OpportunityLineItem", OpportunityId=deal, PricebookEntryId=entry, Quantity=3, UnitPrice=10)

    def amount():
        row = org.get("Opportunity", deal, ["Amount", "ExpectedRevenue", "HasOpportunityLineItem"])
        return row["Amount"], row["ExpectedRevenue"], row["HasOpportunityLineItem"]

    assert amount() == (30.0, 6.0, True)
    assert org.get("OpportunityLineItem", line, ["TotalPrice", "ProductCode"])["ProductCode"] == "P1"
    assert codes("OpportunityLineItem", {"Id": line, "Quantity": 5}) == [()]
    assert amount() == (50.0, 10.0, True)
    org.delete([line], user_id=org.admin_id, hard=True)
    assert amount() == (0.0, 0.0, False)
    quote = save("Quote", Name="q", OpportunityId=deal, Tax=5)
    save("QuoteLineItem", QuoteId=quote, PricebookEntryId=entry, Quantity=2, UnitPrice=10, Discount=10)
    row = org.get("Quote", quote, ["Subtotal", "TotalPrice", "GrandTotal", "LineItemCount"])
    assert [row[n] for n in ("Subtotal", "TotalPrice", "GrandTotal", "LineItemCount")] == [20.0, 18.0, 23.0, 1]
    order = save("Order", AccountId=account, EffectiveDate="2025-01-01", Status="Draft")
    counts = []
    for step in (lambda: None, lambda: org.delete([order], user_id=org.admin_id),
                 lambda: org.undelete([order], user_id=org.admin_id)):  # fmt: skip
        step()
        counts.append(org.get("Account", account, ["Orders__c"])["Orders__c"])
    assert counts == [1.0, 0.0, 1.0]


@pytest.mark.documented
def test_references_are_cleared_and_come_back(org, save, codes):
    """Deleting a row clears the lookups to it; undeleting puts them back where nothing took their place."""
    account, other = (save("Account", Name=n) for n in "ab")
    cases = [save("Case", AccountId=account) for _ in range(2)]

    def owners():
        return [org.get("Case", case, ["AccountId"])["AccountId"] for case in cases]

    org.delete([account], user_id=org.admin_id)
    assert owners() == [None, None]
    assert codes("Case", {"Id": cases[1], "AccountId": other}) == [()]
    assert org.undelete([account], user_id=org.admin_id)[0].success
    assert owners() == [account, other]


@pytest.mark.assumed
def test_a_detail_waits_for_its_master(org, save):
    """A detail that was deleted on its own cannot come back while its master is deleted."""
    machine = save("Machine__c", Name="m")
    reading = save("Machine_Reading__c", Machine__c=machine, Value__c=1)
    for record in (reading, machine):
        assert org.delete([record], user_id=org.admin_id)[0].success
    assert org.undelete([reading], user_id=org.admin_id)[0].errors[0].code == "UNDELETE_FAILED"
    assert [org.undelete([i], user_id=org.admin_id)[0].success for i in (machine, reading)] == [True, True]


@pytest.mark.documented
def test_a_repeated_upsert_key_is_refused_within_two_hundred_records(org, cells):
    """A key that stands twice in a chunk of 200 is refused; one that comes again in a later chunk updates the row."""
    rows = [(f"n{number}", f"k{number}") for number in range(500)]
    rows[3] = ("again", "k0")
    rows[450] = ("later", "k10")
    outcomes = cells(IngestOperation.UPSERT, "Account", "Name,Code__c", *rows, key="Code__c")
    wrong = [place for place, outcome in enumerate(outcomes) if not outcome.success]
    assert wrong == [0, 3]
    assert {outcomes[place].errors[0].code for place in wrong} == {"DUPLICATE_EXTERNAL_ID"}
    assert (outcomes[450].id, outcomes[450].created, outcomes[10].created) == (outcomes[10].id, False, True)
    assert org.get("Account", outcomes[10].id, ["Name"])["Name"] == "later"


@pytest.mark.documented
def test_case_sensitive_keys_are_different_keys(org, cells):
    """Keys that differ in case only are two rows where the field says so."""
    outcomes = cells(IngestOperation.UPSERT, "Account", "Name,Code__c", ("a", "x"), ("b", "X"), key="Code__c")
    assert [o.created for o in outcomes] == [True, True]


@pytest.mark.documented
def test_duplicate_rules_tell_of_the_rows_that_are_there(org, save, codes):
    """A warning may be passed over, a block may not; the fault carries the rows that match."""
    known = save("Account", Name="a", Site="S", Phone="1", TickerSymbol="T")
    found = ("DUPLICATES_DETECTED",)
    warned = {"Name": "b", "Site": "s", "Phone": "1"}
    assert codes("Account", warned, {"Name": "c", "Site": "S"}) == [found, ()]
    (outcome,) = org.insert("Account", [warned], user_id=org.admin_id)
    result = outcome.errors[0].extra["duplicateResult"]
    assert (result["allowSave"], result["duplicateRule"]) == (True, "Same_Site")
    assert result["matchResults"][0]["matchRecords"][0]["record"]["Id"] == known
    assert SFError.from_fault(outcome.errors[0]).extra == outcome.errors[0].extra
    assert codes("Account", warned, allow_duplicates=True) == [()]
    assert codes("Account", {"Name": "d", "TickerSymbol": "t"}, allow_duplicates=True) == [found]
    assert codes("Account", {"Id": known, "Phone": "2"}) == [()]


@pytest.mark.parametrize("path", ["Gone.Name", "Account.Gone__c", "Account.AnnualRevenue"])
def test_a_duplicate_rule_must_compare_texts_that_are_there(clock, path):
    """A rule on an unknown object or field, or on a number, is refused when the org starts."""
    sobject, _, name = path.partition(".")
    rule = DuplicateRule(name="R", sobject=sobject, fields=(name,))
    storage = Storage(":memory:")
    with pytest.raises(UnknownObjectError, match=path):
        Org(storage, standard_catalogue(), clock, Policies(duplicate_rules=(rule,)))
    storage.close()


@pytest.mark.documented
def test_a_read_only_user_writes_nothing(org, save, codes):
    """A read-only integration user sees rows and can neither insert, update nor delete them."""
    reader = user(org, save, READ_ONLY.name)
    account = save("Account", Name="a")
    refused = ("INSUFFICIENT_ACCESS_OR_READONLY",)
    assert codes("Account", {"Name": "b"}, user_id=reader) == [refused]
    assert codes("Account", {"Id": account, "Name": "b"}, user_id=reader) == [refused]
    assert org.delete([account], user_id=reader)[0].errors[0].code == refused[0]
    assert org.get("Account", account, ["Name"], user_id=reader)["Name"] == "a"
    assert [org.may_hard_delete(who) for who in (reader, org.admin_id)] == [False, True]


@pytest.mark.documented
def test_a_hidden_field_is_as_good_as_absent(org, save, codes):
    """A field or object hidden from a profile is told as one that is not there; one that is read-only is refused."""
    loader = user(org, save, "Loader")
    assert codes("Account", {"Name": "b", "Phone": "1"}, {"Name": "b", "Fax": "1"}, {"Name": "c"}, user_id=loader) == [
        ("INVALID_FIELD",), ("INVALID_FIELD_FOR_INSERT_UPDATE",), (),
    ]  # fmt: skip
    seen = org.view(loader)
    assert (seen.sobject("Lead"), seen.sobject("Account").field("Phone")) == (None, None)
    assert not any(child.child == "Lead" for s in seen.sobjects() for child in s.child_relationships)
    account = save("Account", Name="a", Phone="1")
    with pytest.raises(SFError, match="No such column 'Phone'"):
        org.get("Account", account, ["Phone"], user_id=loader)
    with pytest.raises(SFError, match="does not exist"):
        org.sobject("Lead", user_id=loader)


@pytest.mark.assumed
def test_jobs_that_write_below_one_parent_lock_each_other_out(org, save, codes, clock):
    """While a job holds a parent, others are refused below it; the job itself goes on, and time or release free it."""
    account, free = (save("Account", Name=n) for n in "ab")

    def load(job, *parents):
        rows = [("c", parent) for parent in parents]
        with org.storage.write() as connection:
            outcomes = org.dml_cells(
                connection, "Contact", IngestOperation.INSERT, ["LastName", "AccountId"], rows, user_id=org.admin_id,
                writer=job,
            )  # fmt: skip
        return [outcome.errors[0].code if outcome.errors else "" for outcome in outcomes]

    locked = "UNABLE_TO_LOCK_ROW"
    assert load("one", account) == [""]
    assert load("two", account, free) == [locked, ""]
    assert load("one", account, free) == ["", locked]
    assert codes("Contact", {"LastName": "c", "AccountId": account}) == [(locked,)]
    org.locks.release("one")
    assert load("two", account) == [""]
    clock.moment = 6.0
    assert load("one", account, free) == ["", ""]
