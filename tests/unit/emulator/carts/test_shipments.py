"""Shipments of an order as buyers see them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.emulator.carts.shops import ADMIN, APPROVER, BREMEN, KIEL, Shop, check_out, error_of, place

_DAYS = ("2026-03-09T08:00:00.000Z", "2026-03-05T08:00:00.000Z", "2026-03-07T08:00:00.000Z")


def _made(shop: Shop, sobject: str, **fields: Any) -> str:
    reply = shop.call("POST", f"/sobjects/{sobject}", user=ADMIN, json=fields)
    assert reply.status_code == 201, reply.text
    return str(reply.json()["id"])


def _shipped(shop: Shop) -> tuple[str, list[str]]:
    """Place an order and ship it in three parcels; return the summary and the shipments, first made first."""
    shop.add(1, 6)
    place(shop, check_out(shop))
    (summary,) = shop.query("SELECT Id FROM OrderSummary WHERE PoNumber = 'PO-7'")
    made = [
        _made(shop, "Shipment", OrderSummaryId=summary["Id"], ShipToName="Werk Kiel", Status="Shipped",
              ExpectedDeliveryDate=day, TrackingNumber=f"T-{number}")
        for number, day in enumerate(_DAYS)
    ]  # fmt: skip
    return summary["Id"], made


def _parcel(shop: Shop, summary: str, shipment: str, *quantities: int) -> list[str]:
    (item,) = shop.query(f"SELECT Id FROM OrderItemSummary WHERE OrderSummaryId = '{summary}' AND TypeCode = 'Product'")
    return [
        _made(shop, "ShipmentItem", ShipmentId=shipment, OrderItemSummaryId=item["Id"], Product2Id=shop.product(1),
              Quantity=quantity)
        for quantity in quantities
    ]  # fmt: skip


def test_shipments_of_an_order_are_listed(shop: Shop) -> None:
    """All shipments of the order come with number, status, day and the asked fields as Record Fields."""
    summary, made = _shipped(shop)
    body = shop.call("GET", f"WS/order-summaries/{summary}/shipments?fields=Shipment.TrackingNumber").json()
    assert [one["shipmentId"] for one in body["shipments"]] == made
    assert (body["count"], body["sortOrder"]) == (3, "ShipmentNumberAsc")
    first = body["shipments"][0]
    assert (first["orderSummaryId"], first["status"], first["expectedDeliveryDate"]) == (summary, "Shipped", _DAYS[0])
    assert first["shipmentNumber"]
    wanted = {"label": "Tracking Number", "text": "T-0", "type": "string"}
    assert first["fields"] == {"Shipment.TrackingNumber": wanted}


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("ShipmentNumberDesc", [2, 1, 0]),
        ("ExpectedDeliveryDateAsc", [1, 2, 0]),
        ("ExpectedDeliveryDateDesc", [0, 2, 1]),
    ],
)
def test_shipments_are_sorted_and_paged(shop: Shop, sort: str, order: list[int]) -> None:
    """Two pages hold every shipment once in the order asked for, and count what is on the page."""
    summary, made = _shipped(shop)
    path = f"WS/order-summaries/{summary}/shipments?pageSize=2&sortOrder={sort}"
    first = shop.call("GET", path).json()
    last = shop.call("GET", f"{path}&pageToken={first['nextPageToken']}").json()
    assert [one["shipmentId"] for one in first["shipments"] + last["shipments"]] == [made[place] for place in order]
    assert (first["count"], last["count"], last["nextPageToken"]) == (2, 1, None)
    assert f"sortOrder={sort}" in first["nextPageUrl"]


def test_shipments_without_a_day_are_not_sorted_by_it(shop: Shop) -> None:
    """One shipment without the date makes that order an error; the others still work."""
    summary, made = _shipped(shop)
    shop.change("Shipment", made[1], ExpectedDeliveryDate=None)
    path = f"WS/order-summaries/{summary}/shipments"
    assert error_of(shop.call("GET", f"{path}?sortOrder=ExpectedDeliveryDateAsc")) == (400, "INVALID_API_INPUT")
    assert shop.call("GET", path).json()["count"] == 3


def test_items_of_a_shipment_are_listed(shop: Shop) -> None:
    """Items tell quantity, product and ordered item; the shipment sums them up."""
    summary, made = _shipped(shop)
    items = _parcel(shop, summary, made[0], 4, 2)
    _parcel(shop, summary, made[1], 9)
    fields = "ShipmentItem.Quantity,Product2.Name,OrderItemSummary.UnitPrice"
    body = shop.call("GET", f"WS/shipments/{made[0]}/items?fields={fields}").json()
    assert [one["shipmentItemId"] for one in body["items"]] == items
    assert [one["quantity"] for one in body["items"]] == [4.0, 2.0]
    first = body["items"][0]
    assert (first["productId"], first["shipmentId"]) == (shop.product(1), made[0])
    assert set(first["fields"]) == {"ShipmentItem.Quantity", "OrderItemSummary.UnitPrice"}
    assert first["product"]["canViewProduct"] is True
    assert first["product"]["fields"]["Name"]["text"]
    turned = shop.call("GET", f"WS/shipments/{made[0]}/items?sortOrder=IdDesc&pageSize=1").json()
    assert ([one["shipmentItemId"] for one in turned["items"]], turned["count"]) == ([items[1]], 1)
    assert turned["nextPageToken"]
    (row,) = shop.query(f"SELECT TotalItemsQuantity FROM Shipment WHERE Id = '{made[0]}'")
    assert row["TotalItemsQuantity"] == 6


def test_shipments_are_the_accounts_own(shop: Shop) -> None:
    """Another account's buyer finds neither list nor row; who may buy for the account does."""
    summary, made = _shipped(shop)
    _parcel(shop, summary, made[0], 1)
    lists = (f"WS/order-summaries/{summary}/shipments", f"WS/shipments/{made[0]}/items")
    kiel = shop.account("ACC-110")
    for path in lists:
        assert error_of(shop.call("GET", path, user=BREMEN)) == (404, "MISSING_RECORD")
        assert shop.call("GET", f"{path}?effectiveAccountId={kiel}", user=APPROVER).json()["count"] > 0
    for sobject, order, seen in (("Shipment", "", 3), ("ShipmentItem", "Shipment.", 1)):
        query = {"q": f"SELECT Id FROM {sobject} WHERE {order}OrderSummaryId = '{summary}'"}
        assert shop.call("GET", "/query", params=query).json()["totalSize"] == seen
        assert shop.call("GET", "/query", params=query, user=BREMEN).json()["totalSize"] == 0


@pytest.mark.parametrize(("user", "other"), [(KIEL, BREMEN), (BREMEN, KIEL)])
def test_the_seed_has_shipments(shop: Shop, user: str, other: str) -> None:
    """Of a buyer's activated orders the oldest is on its way out of the box: one parcel has come, the other has not."""
    listed = shop.call("GET", "WS/order-summaries?sortOrder=OrderedDateAsc", user=user).json()["orderSummaries"]
    assert len(listed) == 2
    both = [
        shop.call("GET", f"WS/order-summaries/{one['orderSummaryId']}/shipments", user=user).json()["shipments"]
        for one in listed
    ]
    assert [[one["status"] for one in shipments] for shipments in both] == [["Delivered", "Shipped"], []]
    items = [shop.call("GET", f"WS/shipments/{one['shipmentId']}/items", user=user).json()["items"] for one in both[0]]
    assert [[one["quantity"] for one in some] for some in items] == [[1.0], [2.0]]
    assert shop.call("GET", f"WS/shipments/{both[0][0]['shipmentId']}/items", user=other).status_code == 404


def test_shipments_refuse_what_makes_no_sense(shop: Shop) -> None:
    """Older versions do not have them; unknown shipments, orders and fields are told as such."""
    summary, made = _shipped(shop)
    path = f"WS/order-summaries/{summary}/shipments"
    assert error_of(shop.call("GET", path, version=51)) == (404, "NOT_FOUND")
    assert error_of(shop.call("GET", f"WS/shipments/{made[0]}/items", version=51)) == (404, "NOT_FOUND")
    assert shop.call("GET", path, version=52).json()["count"] == 3
    assert error_of(shop.call("GET", "WS/shipments/0OB000000000000AAA/items")) == (404, "MISSING_RECORD")
    assert error_of(shop.call("GET", f"{path}?sortOrder=Sideways")) == (400, "INVALID_API_INPUT")
    assert error_of(shop.call("GET", f"WS/shipments/{made[0]}/items?sortOrder=Sideways")) == (400, "INVALID_API_INPUT")
    assert error_of(shop.call("GET", f"{path}?fields=Nonsense")) == (400, "INVALID_FIELD")
    many = ",".join(["Status"] * 16)
    assert error_of(shop.call("GET", f"{path}?fields={many}")) == (400, "INVALID_API_INPUT")
