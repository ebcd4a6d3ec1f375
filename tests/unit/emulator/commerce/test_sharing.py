"""What a buyer's own session reads and writes past the store: rows of the own accounts, and no others, everywhere."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orgbridge.emulator.commerce import world
from orgbridge.emulator.schema.sharing import COMMUNITY_SHARING
from tests.support.commerce_org import ADMIN, APPROVER, BREMEN, KIEL, LYON, NOBODY, OMAHA
from tests.unit.emulator.commerce.conftest import Shop, code_of

_ACCOUNTS = {
    KIEL: {"ACC-110"},
    BREMEN: {"ACC-120"},
    APPROVER: {"ACC-100", "ACC-110", "ACC-120", "ACC-130"},
    LYON: {"ACC-210"},
    OMAHA: {"ACC-310"},
    NOBODY: {"ACC-900"},
}
#: Objects of the seed whose rows belong to an account, with the path to its key.
_KEYS = {
    "Account": "External_Id__c",
    "Asset": "Account.External_Id__c",
    "AssetWarranty": "Asset.Account.External_Id__c",
    "BuyerAccount": "Buyer.External_Id__c",
    "Case": "Account.External_Id__c",
    "Contact": "Account.External_Id__c",
    "Order": "Account.External_Id__c",
    "OrderItem": "Order.Account.External_Id__c",
    "Purchase_Order__c": "Account__r.External_Id__c",
    "User": "Account.External_Id__c",
    "WorkOrder": "Account.External_Id__c",
}


def _query(shop: Shop, user: str, soql: str) -> list[dict[str, Any]]:
    reply = shop.call(user, "GET", "/query", params={"q": soql})
    assert reply.status_code == 200, reply.text
    rows = list(reply.json()["records"])
    while not reply.json()["done"]:
        reply = shop.http.get(reply.json()["nextRecordsUrl"], headers={"Authorization": f"Bearer {shop.token(user)}"})
        rows += reply.json()["records"]
    return rows


def _value(row: dict[str, Any], path: str) -> Any:
    here: Any = row
    for name in path.split("."):
        here = None if here is None else here[name]
    return here


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    user=st.sampled_from(sorted(_ACCOUNTS)),
    sobject=st.sampled_from(sorted(_KEYS)),
    asked=st.sampled_from(["", "ACC-110", "ACC-210", "ACC-310", "ACC-900"]),
    soql_form=st.sampled_from(["plain", "not", "in"]),
)
def test_queries_show_rows_of_the_own_accounts(
    shown: Shop, user: str, sobject: str, asked: str, soql_form: str
) -> None:
    """Whatever the filter, and exactly those that the administrator finds for these accounts."""
    path = _KEYS[sobject]
    where = {"plain": f"{path} != null", "not": f"{path} != '{asked}'", "in": f"{path} IN ('{asked}', 'ACC-110')"}
    soql = f"SELECT Id, {path} FROM {sobject} WHERE {where[soql_form]}"
    mine = {row["Id"] for row in _query(shown, user, soql)}
    wanted = {row["Id"] for row in _query(shown, ADMIN, soql) if _value(row, path) in _ACCOUNTS[user]}
    assert mine == wanted


@pytest.mark.parametrize(
    ("user", "group"), [(KIEL, world.GROUPS[0]), (LYON, world.GROUPS[1]), (OMAHA, world.GROUPS[2])]
)
def test_nobody_reads_anothers_price_past_the_store(shown: Shop, user: str, group: world.SeedGroup) -> None:
    """Entries of the own price books and of the store's list, for products of the own group; no other book exists."""
    rows = _query(shown, user, "SELECT UnitPrice, ProductCode, Pricebook2.Name FROM PricebookEntry")
    low, high = group.products
    assert len(rows) == 2 * len([n for n in range(low, high + 1) if n != world.INACTIVE_PRODUCT]) + 2 * (
        low <= world.INACTIVE_PRODUCT <= high
    )
    for row in rows:
        number = int(row["ProductCode"][3:])
        assert low <= number <= high
        own = row["Pricebook2"]["Name"].startswith(group.name)
        assert row["UnitPrice"] == (world.agreed_price(number, group) if own else world.list_price(number, group.store))
    assert {row["Name"] for row in _query(shown, user, "SELECT Name FROM Pricebook2")} == {
        f"{group.name} Prices",
        f"List Prices {world.STORES[group.store]}",
    }


def test_rows_of_others_are_not_there(shop: Shop) -> None:
    """By id they are not found, cannot be changed, deleted or referred to."""
    order = _query(shop, ADMIN, f"SELECT Id FROM Order WHERE AccountId = '{shop.account('ACC-210')}'")[0]["Id"]
    path = f"/sobjects/Order/{order}"
    assert code_of(shop.call(KIEL, "GET", path)) == (404, "NOT_FOUND")
    assert shop.call(KIEL, "PATCH", path, json={"Description": "mine"}).status_code in (400, 404)
    assert shop.call(KIEL, "DELETE", path).status_code in (400, 403, 404)
    made = shop.call(
        KIEL,
        "POST",
        "/sobjects/Order",
        json={"AccountId": shop.account("ACC-210"), "EffectiveDate": "2026-01-01", "Status": "Draft"},
    )
    assert code_of(made) == (400, "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY")
    (row,) = _query(shop, ADMIN, f"SELECT Description FROM Order WHERE Id = '{order}'")
    assert row["Description"] is None


def test_the_own_rows_are_read_and_written(shop: Shop) -> None:
    """A buyer changes the own order and makes a purchase order for the own account."""
    order = _query(shop, KIEL, "SELECT Id FROM Order WHERE Status = 'Draft'")[0]["Id"]
    assert shop.call(KIEL, "PATCH", f"/sobjects/Order/{order}", json={"Description": "mine"}).status_code == 204
    assert shop.call(KIEL, "GET", f"/sobjects/Order/{order}").json()["Description"] == "mine"
    paper = {"Account__c": shop.account("ACC-110"), "Purchase_Order_Number__c": "PO-1"}
    assert shop.call(KIEL, "POST", "/sobjects/Purchase_Order__c", json=paper).status_code == 201


def test_lists_of_changes_and_searches_keep_to_it(shown: Shop) -> None:
    """Neither what was updated, nor a search, nor a sub-query, nor a count tells of others' rows."""
    own = len(_query(shown, KIEL, "SELECT Id FROM Asset"))
    assert own == world.MACHINES_EACH
    counted = shown.call(KIEL, "GET", "/query", params={"q": "SELECT COUNT() FROM Asset"}).json()["totalSize"]
    assert counted == own
    found = shown.call(KIEL, "GET", "/search", params={"q": "FIND {Slicer*} IN ALL FIELDS RETURNING Asset(Id)"}).json()
    assert len(found["searchRecords"]) < own + 1
    below = _query(shown, APPROVER, "SELECT External_Id__c, (SELECT SerialNumber FROM Assets) FROM Account")
    assert {row["External_Id__c"] for row in below} == _ACCOUNTS[APPROVER]
    when = {"start": _day(-1), "end": _day(1)}
    assert shown.call(KIEL, "GET", "/sobjects/Asset/updated", params=when).status_code == 200


def _day(ahead: int) -> str:
    return (datetime.now(UTC) + timedelta(days=ahead)).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_objects_that_are_not_for_buyers_are_hidden(shown: Shop) -> None:
    """Entitlements of groups, coupons and leads are not there at all; products cannot be written."""
    for sobject in ("Lead", "Coupon", "CommerceEntitlementBuyerGroup", "Opportunity"):
        assert code_of(shown.call(KIEL, "GET", "/query", params={"q": f"SELECT Id FROM {sobject}"}))[0] == 400
    refused = shown.call(KIEL, "PATCH", f"/sobjects/Product2/{shown.product(1)}", json={"Name": "x"})
    assert refused.status_code in (400, 403)


def test_every_condition_can_be_asked(shown: Shop) -> None:
    """Each object with a condition is queryable by a buyer: no condition names what is not there."""
    for sobject in sorted(COMMUNITY_SHARING):
        reply = shown.call(KIEL, "GET", "/query", params={"q": f"SELECT COUNT() FROM {sobject}"})
        assert reply.status_code == 200, (sobject, reply.text)


def test_a_user_of_the_org_sees_everything(shown: Shop) -> None:
    """Sharing is for members of sites."""
    assert len(_query(shown, ADMIN, "SELECT Id FROM Asset WHERE SerialNumber LIKE 'SN-%'")) == 10 * world.MACHINES_EACH
