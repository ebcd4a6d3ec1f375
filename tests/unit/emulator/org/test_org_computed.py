"""What the platform fills in: names, stages, numbers, copies, totals, trees."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.assumed


@pytest.fixture
def save(org):
    """Return a function that inserts one record and gives its id."""

    def run(sobject, **fields):
        (outcome,) = org.insert(sobject, [fields], user_id=org.admin_id)
        assert outcome.errors == ()
        return outcome.id

    return run


@pytest.fixture
def change(org):
    """Return a function that updates one record."""

    def run(sobject, **fields):
        (outcome,) = org.update(sobject, [fields], user_id=org.admin_id)
        assert outcome.errors == ()

    return run


@pytest.fixture
def read(org):
    """Return a function that gives some fields of a record as a list."""
    return lambda sobject, record_id, names: [org.get(sobject, record_id, [n])[n] for n in names.split()]


@pytest.mark.parametrize(("sobject", "more"), [("Contact", {}), ("Lead", {"Company": "c"})])
def test_a_persons_name_follows_its_parts(save, change, read, sobject, more):
    """Name is first and last name, and follows when one of them changes."""
    person = save(sobject, FirstName="Zoë", LastName="Meier", Salutation="Dr.", **more)
    assert read(sobject, person, "Name") == ["Zoë Meier"]
    change(sobject, Id=person, FirstName=None)
    assert read(sobject, person, "Name") == ["Meier"]


def test_a_stage_sets_probability_forecast_and_closing(save, change, read):
    """The stage decides probability, forecast category, closed and won; a probability that is given stays."""
    names = "Probability ForecastCategory ForecastCategoryName IsClosed IsWon ExpectedRevenue Fiscal"
    deal = save("Opportunity", Name="n", StageName="Value Proposition", CloseDate="2025-05-31", Amount=200)
    assert read("Opportunity", deal, names) == [50.0, "Pipeline", "Pipeline", False, False, 100.0, "2025 2"]
    change("Opportunity", Id=deal, Probability=60)
    change("Opportunity", Id=deal, Amount=300)
    assert read("Opportunity", deal, "Probability ExpectedRevenue") == [60.0, 180.0]
    change("Opportunity", Id=deal, StageName="Closed Won")
    assert read("Opportunity", deal, names) == [100.0, "Closed", "Closed", True, True, 300.0, "2025 2"]


def test_an_update_computes_only_for_the_records_that_ask(save, org, read):
    """In one call a record that says nothing about the stage keeps a probability of its own."""
    base = {"Name": "n", "StageName": "Prospecting", "CloseDate": "2025-01-01"}
    own, moved = save("Opportunity", **base, Probability=33), save("Opportunity", **base)
    org.update(
        "Opportunity",
        [{"Id": own, "Name": "m"}, {"Id": moved, "StageName": "Qualification", "Name": "m"}],
        user_id=org.admin_id,
    )
    assert read("Opportunity", own, "Probability Name") == [33.0, "m"]


def test_a_case_is_numbered_closed_and_reopened(save, change, read):
    """Cases are numbered; closing sets the instant once, reopening clears it; contact details are copied."""
    account = save("Account", Name="a")
    contact = save("Contact", LastName="l", Email="c@example.com", AccountId=account)
    first, second = save("Case", Subject="s", ContactId=contact), save("Case", Subject="t", Status="Closed")
    assert read("Case", first, "CaseNumber IsClosed ClosedDate ContactEmail AccountId") == [
        "00000001",
        False,
        None,
        "c@example.com",
        account,
    ]
    assert read("Case", second, "CaseNumber IsClosed ClosedDate") == ["00000002", True, "2025-03-04T05:06:07.000+0000"]
    change("Case", Id=second, Status="Working")
    assert read("Case", second, "IsClosed ClosedDate") == [False, None]


def test_an_order_sums_its_items(save, change, read, org):
    """Items take price and product from the price book; the order's total follows every change of them."""
    product = save("Product2", Name="Blade", ProductCode="B1")
    entry = save("PricebookEntry", Pricebook2Id=org.standard_pricebook_id, Product2Id=product, UnitPrice=12.5)
    assert read("PricebookEntry", entry, "Name ProductCode") == ["Blade", "B1"]
    order = save("Order", EffectiveDate="2025-01-01", Status="Draft")
    assert read("Order", order, "OrderNumber StatusCode TotalAmount") == ["00000001", "Draft", 0.0]
    item = save("OrderItem", OrderId=order, PricebookEntryId=entry, Quantity=4)
    other = save("OrderItem", OrderId=order, PricebookEntryId=entry, Quantity=1, UnitPrice=10)
    names = "UnitPrice ListPrice TotalPrice Product2Id OrderItemNumber"
    assert read("OrderItem", item, names) == [12.5, 12.5, 50.0, product, "0000000001"]
    assert read("Order", order, "TotalAmount") == [60.0]
    change("OrderItem", Id=item, Quantity=2)
    assert read("Order", order, "TotalAmount") == [35.0]
    org.delete([other], user_id=org.admin_id)
    assert read("Order", order, "TotalAmount") == [25.0]
    org.undelete([other], user_id=org.admin_id)
    assert read("Order", order, "TotalAmount") == [35.0]


def test_assets_know_their_root_and_level(save, read):
    """A root asset is its own root on level 1; one below it is on level 2."""
    product = save("Product2", Name="Slicer", ProductCode="S1")
    root = save("Asset", Name="r", AccountId=save("Account", Name="a"), Product2Id=product)
    below = save("Asset", Name="b", ParentId=root, AccountId=None)
    assert read("Asset", root, "RootAssetId AssetLevel ProductCode") == [root, 1, "S1"]
    assert read("Asset", below, "RootAssetId AssetLevel") == [root, 2]


def test_activities_follow_what_they_are_about(save, read):
    """A task's account comes from what or whom it is about; completion is noted."""
    account = save("Account", Name="a")
    contact = save("Contact", LastName="l", AccountId=account)
    task = save("Task", Subject="Call", WhoId=contact, Status="Completed", Priority="High")
    names = "AccountId IsClosed CompletedDateTime IsHighPriority TaskSubtype"
    assert read("Task", task, names) == [account, True, "2025-03-04T05:06:07.000+0000", True, "Task"]
    event = save("Event", WhatId=account, StartDateTime="2025-01-01T10:00:00Z", DurationInMinutes=30)
    names = "AccountId EndDateTime ActivityDate ActivityDateTime"
    assert read("Event", event, names) == [
        account,
        "2025-01-01T10:30:00.000+0000",
        "2025-01-01",
        "2025-01-01T10:00:00.000+0000",
    ]


def test_contracts_end_a_day_before_the_month_turns(save, read):
    """A contract's end follows from its start and its term in months."""
    contract = save("Contract", AccountId=save("Account", Name="a"), StartDate="2024-01-31", ContractTerm=13)
    assert read("Contract", contract, "EndDate StatusCode Status") == ["2025-02-27", "Draft", "Draft"]


def test_a_custom_object_without_a_name_is_named_by_its_id(save, read):
    """A custom object's text name defaults to the id; an auto-number counts in its own form."""
    machine = save("Machine__c", Serial_Number__c="s")
    assert read("Machine__c", machine, "Name") == [machine]
    reading = save("Machine_Reading__c", Machine__c=machine, Value__c=1)
    assert read("Machine_Reading__c", reading, "Name") == ["R-00001"]
