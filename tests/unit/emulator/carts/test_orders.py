"""From a checkout to an order, what buyers see of it, and Place Order."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.unit.emulator.carts.shops import (
    ADMIN,
    APPROVER,
    BREMEN,
    Shop,
    check_out,
    error_of,
    money,
    place,
    settled,
)

_ADDRESS = {"name": "K", "street": "S 1", "city": "Kiel", "country": "DE"}


def _ordered(shop: Shop, **rest: Any) -> str:
    shop.add(1, 2)
    shop.add(2, 3)
    return place(shop, check_out(shop, **rest), **({"version": rest["version"]} if "version" in rest else {}))


def test_a_checkout_becomes_one_order(shop: Shop) -> None:
    """Order, items, group, summary and its items are there, amounts agree, and the cart is closed."""
    number = _ordered(shop)
    assert re.fullmatch(r"[A-Z0-9]{5}(-[A-Z0-9]{5}){3}", number)
    cart = shop.query("SELECT Status, GrandTotalAmount, PoNumber FROM WebCart")[0]
    fields = "Id, Status, PoNumber, TotalAmount, GrandTotalAmount, TotalTaxAmount, SalesStoreId, Pricebook2Id"
    (order,) = shop.query(f"SELECT {fields} FROM Order WHERE OrderReferenceNumber = '{number}'")
    assert cart["Status"] == "Closed"
    assert order["Status"] == "Activated"
    assert order["PoNumber"] == "PO-7"
    assert order["SalesStoreId"] == shop.store()
    assert order["Pricebook2Id"]
    assert money(order["GrandTotalAmount"]) == money(cart["GrandTotalAmount"])
    items = shop.query(f"SELECT Type, TotalPrice, TotalTaxAmount FROM OrderItem WHERE OrderId = '{order['Id']}'")
    assert [item["Type"] for item in items] == ["Order Product", "Order Product", "Delivery Charge"]
    assert sum(money(item["TotalPrice"]) for item in items) == money(order["TotalAmount"])
    assert sum(money(item["TotalTaxAmount"]) for item in items) == money(order["TotalTaxAmount"]) > 0
    (summary,) = shop.query(
        f"SELECT GrandTotalAmount, Status FROM OrderSummary WHERE OriginalOrderId = '{order['Id']}'"
    )
    assert money(summary["GrandTotalAmount"]) == money(order["GrandTotalAmount"])
    assert summary["Status"] == "Created"
    assert len(shop.query("SELECT Id FROM OrderDeliveryGroup WHERE OrderId = '" + order["Id"] + "'")) == 1
    assert error_of(shop.call("GET", "WS/carts/active"))[0] == 404


def test_an_order_cannot_be_placed_twice(shop: Shop) -> None:
    """The checkout of a placed order is over, whether it is named `active` or by id."""
    shop.add(1)
    checkout = check_out(shop)
    place(shop, checkout)
    for key in ("active", checkout):
        assert shop.call("POST", f"WS/checkouts/{key}/orders").status_code == 404
    assert len(shop.query("SELECT Id FROM OrderSummary WHERE PoNumber = 'PO-7'")) == 1


@pytest.mark.parametrize("version", [58, 62, 63])
def test_the_reference_number_is_known_before_and_after(shop: Shop, version: int) -> None:
    """It stands on the session before v63 and on the cart from then on, and is the order's in the end."""
    shop.add(1)
    checkout = check_out(shop, version=version)
    session = shop.query("SELECT OrderReferenceNumber FROM CartCheckoutSession")[0]["OrderReferenceNumber"]
    cart = shop.query("SELECT InitialOrderReferenceNumber FROM WebCart")[0]["InitialOrderReferenceNumber"]
    assert (session is None, cart is None) == ((True, False) if version >= 63 else (False, True))
    assert place(shop, checkout, version=version) == (session or cart)


def test_a_cart_may_take_a_while_to_close(make_shop: Callable[..., Shop]) -> None:
    """With that setting it is PendingClosed with its order there, and Closed some reads later."""
    shop = make_shop(closing_reads=1)
    _ordered(shop)
    cart = shop.query("SELECT Id, Status FROM WebCart")[0]
    assert cart["Status"] == "PendingClosed"
    assert shop.call("GET", f"WS/carts/{cart['Id']}").status_code == 202
    assert shop.call("GET", f"WS/carts/{cart['Id']}").json()["status"] == "Closed"


def test_a_draft_store_leaves_the_order_a_draft(shop: Shop) -> None:
    """Without activation there is no summary."""
    shop.change("WebStore", shop.store(), OrderActivationStatus="Draft")
    before = len(shop.query("SELECT Id FROM OrderSummary"))
    number = _ordered(shop)
    assert shop.query(f"SELECT Status FROM Order WHERE OrderReferenceNumber = '{number}'")[0]["Status"] == "Draft"
    assert len(shop.query("SELECT Id FROM OrderSummary")) == before


def test_an_order_needs_delivery_and_payment(shop: Shop) -> None:
    """Without them it is refused with errors that name both, beside the reference number."""
    shop.add(1)
    checkout = shop.call("POST", "WS/checkouts", json={"cartId": shop.cart()["cartId"]}).json()["checkoutId"]
    settled(shop, checkout)
    reply = shop.call("POST", f"WS/checkouts/{checkout}/orders")
    assert reply.status_code == 422
    assert reply.json()["orderReferenceNumber"]
    assert [one["type"] for one in reply.json()["errors"]] == [
        "/commerce/errors/shipping-failure",
        "/commerce/errors/payment-failure",
    ]


@pytest.mark.parametrize(
    "body",
    [
        {"deliveryAddress": _ADDRESS, "deliveryMethodId": "7cd000000000001"},
        {"contactInfo": {"email": "a@b.example"}, "shippingInstructions": "x"},
        {"desiredDeliveryDate": "2027-01-01", "deliveryMethodId": "7cd000000000001"},
        {"shippingInstructions": "x", "customFields": []},
        {"shippingAddress": _ADDRESS},
        {"deliveryAddress": {"city": "Kiel"}},
        {"deliveryMethodId": "7cd000000000001"},
        {},
    ],
)
def test_one_part_of_a_checkout_is_changed_at_once(shop: Shop, body: dict[str, Any]) -> None:
    """Parts that do not go together, unknown ones and incomplete ones are refused, and nothing changes."""
    shop.add(1)
    checkout = shop.call("POST", "WS/checkouts", json={"cartId": shop.cart()["cartId"]}).json()["checkoutId"]
    before = settled(shop, checkout)
    assert shop.call("PATCH", f"WS/checkouts/{checkout}", json=body).status_code in (400, 404)
    assert settled(shop, checkout) == before


def test_a_method_of_delivery_clears_the_payment(shop: Shop) -> None:
    """Choosing it again after paying makes the order wait for a payment."""
    shop.add(1)
    checkout = check_out(shop)
    groups = settled(shop, checkout)["deliveryGroups"]["items"]
    method = groups[0]["availableDeliveryMethods"][1]["id"]
    assert groups[0]["selectedDeliveryMethod"]["id"] != method
    shop.call("PATCH", f"WS/checkouts/{checkout}", json={"deliveryMethodId": method})
    assert settled(shop, checkout)["cartSummary"]["totalChargeAmount"] == "45.00"
    assert shop.call("POST", f"WS/checkouts/{checkout}/orders").status_code == 422


def test_editing_the_cart_cancels_its_checkout(make_shop: Callable[..., Shop]) -> None:
    """The cart is Active again without delivery or payment, and the checkout is gone."""
    shop = make_shop()
    shop.add(1)
    checkout = check_out(shop)
    shop.add(2)
    cart = shop.cart()
    assert cart["status"] == "Active"
    assert cart["totalChargeAmount"] == "0.00"
    assert cart["purchaseOrderNumber"] is None
    assert shop.call("GET", f"WS/checkouts/{checkout}").status_code == 404


def test_a_cancelled_checkout_leaves_an_active_cart(shop: Shop) -> None:
    """DELETE wipes what was given for paying."""
    shop.add(1)
    checkout = check_out(shop)
    assert shop.call("DELETE", f"WS/checkouts/{checkout}").status_code == 204
    row = shop.query("SELECT Status, PoNumber, BillingCity FROM WebCart")[0]
    assert (row["Status"], row["PoNumber"], row["BillingCity"]) == ("Active", None, None)


def test_put_returns_the_checkout_that_is_there(shop: Shop) -> None:
    """PUT twice is one checkout; POST begins another."""
    shop.add(1)
    body = {"cartId": shop.cart()["cartId"]}
    first = shop.call("PUT", "WS/checkouts", json=body).json()["checkoutId"]
    assert shop.call("PUT", "WS/checkouts", json=body).json()["checkoutId"] == first
    settled(shop, first)
    assert shop.call("POST", "WS/checkouts", json=body).json()["checkoutId"] != first


def test_a_checkout_ends_with_its_time(shop: Shop) -> None:
    """After the store's minutes it is not found; with none it cannot be started."""
    shop.add(1)
    shop.change("WebStore", shop.store(), CheckoutTimeToLive=30)
    body = {"cartId": shop.cart()["cartId"]}
    checkout = shop.call("POST", "WS/checkouts", json=body).json()["checkoutId"]
    shop.clock.ahead += timedelta(minutes=31)
    assert shop.call("GET", f"WS/checkouts/{checkout}").status_code == 404
    shop.change("WebStore", shop.store(), CheckoutTimeToLive=0)
    assert error_of(shop.call("POST", "WS/checkouts", json=body)) == (403, "INVALID_OPERATION")


def test_no_number_of_a_card_is_kept(shop: Shop) -> None:
    """A card becomes a token that pays; its number is in no file of the org."""
    shop.add(1)
    checkout = check_out(shop, po="PO-1")
    shop.call("DELETE", f"WS/checkouts/{checkout}")
    card = {
        "cardHolderName": "K",
        "cardNumber": "4111111111111111",
        "cardType": "Visa",
        "cvv": "123",
        "expiryMonth": "12",
        "expiryYear": "30",
    }
    reply = shop.call("POST", "WS/payments/token", json={"cardPaymentMethod": card})
    assert reply.status_code == 201
    token = reply.json()["token"]
    checkout = check_out(shop)
    path = f"WS/checkouts/{checkout}/payments"
    assert shop.call("POST", path, json={"requestType": "Auth", "paymentToken": token}).status_code == 400
    shop.call("DELETE", f"WS/checkouts/{checkout}")
    new = shop.call("POST", "WS/checkouts", json={"cartId": shop.cart()["cartId"]}).json()["checkoutId"]
    settled(shop, new)
    path = f"WS/checkouts/{new}/payments"
    codes = [
        shop.call("POST", path, json={"requestType": "Auth", "paymentToken": one}).json()["salesforceResultCode"]
        for one in ("foreign", token)
    ]
    assert codes == ["ValidationError", "Success"]
    assert all(b"4111111111111111" not in file.read_bytes() for file in shop.files())


def test_stock_that_is_short_keeps_the_order_away(make_shop: Callable[..., Shop]) -> None:
    """The settled checkout cannot be ordered: 412 from v63 on, 422 before."""
    shop = make_shop(stock={"MP-0001": Decimal(1)})
    shop.add(1, 2)
    checkout = check_out(shop)
    assert shop.call("POST", f"WS/checkouts/{checkout}/orders", version=62).status_code == 422
    reply = shop.call("POST", f"WS/checkouts/{checkout}/orders", version=63)
    assert reply.status_code == 412
    assert reply.json()["errors"][0]["type"] == "/commerce/errors/inventory-failure"


def test_actions_prepare_and_submit(make_shop: Callable[..., Shop]) -> None:
    """`prepare` orders nothing, `submit` does; where the org does not have them, buyers are refused."""
    shop = make_shop()
    shop.add(1)
    path = f"WS/checkouts/{check_out(shop, version=64)}/orders/actions"
    prepared = shop.call("POST", path, json={"actions": [{"action": "prepare"}]}, version=64).json()
    assert prepared["actions"][0]["orderReferenceNumber"]
    assert shop.cart("current")["status"] == "Checkout"
    done = shop.call("POST", path, json={"actions": [{"action": "submit"}]}, version=64).json()
    assert done["actions"][0]["orderReferenceNumber"] == prepared["actions"][0]["orderReferenceNumber"]
    assert shop.query("SELECT Status FROM WebCart")[0]["Status"] == "Closed"


def test_coupons_lower_cart_and_delivery(shop: Shop) -> None:
    """SAVE10 takes a tenth off the products, to the cent; SHIPFREE takes the delivery; both reach the order."""
    shop.add(1, 3)
    shop.add(2, 1)
    shop.add(3, 7)
    for code in ("save10", "SHIPFREE"):
        assert shop.call("POST", "WS/carts/active/cart-coupons", json={"couponCode": code}).status_code == 201
    assert (
        error_of(shop.call("POST", "WS/carts/active/cart-coupons", json={"couponCode": "SAVE10"}))[1]
        == "ALREADY_APPLIED"
    )
    cart = shop.cart()
    off = money(cart["totalPromotionalAdjustmentAmount"])
    assert off == -(money(cart["totalProductAmount"]) / 10).quantize(off)
    rows = shop.query("SELECT DistributedAdjustmentAmount FROM CartItem")
    assert sum(money(row["DistributedAdjustmentAmount"]) for row in rows) == off
    shown = shop.call("GET", "WS/carts/active/promotions").json()["promotions"]["promotions"]
    assert {one["couponCode"]: money(one["adjustmentAmount"]) for one in shown} == {"SAVE10": off, "SHIPFREE": 0}
    number = place(shop, check_out(shop))
    row = shop.query("SELECT TotalChargeAmount, TotalPromoAdjustmentAmount, GrandTotalAmount FROM WebCart")[0]
    assert money(row["TotalChargeAmount"]) == 15
    assert money(row["TotalPromoAdjustmentAmount"]) == off - 15
    order = shop.query(f"SELECT GrandTotalAmount FROM Order WHERE OrderReferenceNumber = '{number}'")[0]
    assert money(order["GrandTotalAmount"]) == money(row["GrandTotalAmount"])


def test_a_coupon_can_be_taken_off_again(shop: Shop) -> None:
    """What it took off comes back; a code that does not exist is refused."""
    shop.add(1, 4)
    full = shop.cart()["grandTotalAmount"]
    body = shop.call("POST", "WS/carts/active/cart-coupons", json={"couponCode": "SAVE10"}).json()
    coupon = body["cartCoupons"]["coupons"][0]["cartCouponId"]
    assert money(shop.cart()["grandTotalAmount"]) < money(full)
    assert shop.call("DELETE", f"WS/carts/active/cart-coupons/{coupon}").status_code == 204
    assert shop.cart()["grandTotalAmount"] == full
    assert shop.call("POST", "WS/carts/active/cart-coupons", json={"couponCode": "NOPE"}).status_code == 400


def test_summaries_are_listed_for_their_owner(shop: Shop) -> None:
    """The buyer lists the own orders, a manager those of colleagues only unless owner-scoped, others none."""
    _ordered(shop)
    body = shop.call("GET", "WS/order-summaries?fields=PoNumber,GrandTotalAmount").json()
    (mine,) = [one for one in body["orderSummaries"] if one["fields"]["PoNumber"]["text"] == "PO-7"]
    assert body["sortOrder"] == "OrderedDateDesc"
    assert body["count"] == len(body["orderSummaries"])
    assert set(mine["fields"]["PoNumber"]) == {"label", "text", "type"}
    kiel = shop.account("ACC-110")
    scoped = shop.call("GET", f"WS/order-summaries?effectiveAccountId={kiel}", user=APPROVER).json()
    shared = shop.call("GET", f"WS/order-summaries?effectiveAccountId={kiel}&ownerScoped=false", user=APPROVER).json()
    ids = [one["orderSummaryId"] for one in shared["orderSummaries"]]
    assert mine["orderSummaryId"] in ids
    assert mine["orderSummaryId"] not in [one["orderSummaryId"] for one in scoped["orderSummaries"]]
    assert error_of(shop.call("GET", f"WS/order-summaries/{mine['orderSummaryId']}", user=BREMEN))[0] == 404


def test_summaries_come_in_pages_between_dates(shop: Shop) -> None:
    """Pages cover every summary once; earliest is inclusive, latest is exclusive."""
    for _ in range(3):
        shop.add(1)
        place(shop, check_out(shop))
        shop.clock.ahead += timedelta(minutes=5)
    first = shop.call("GET", "WS/order-summaries?pageSize=3&sortOrder=OrderedDateAsc").json()
    rest = shop.call(
        "GET", f"WS/order-summaries?pageSize=3&sortOrder=OrderedDateAsc&pageToken={first['nextPageToken']}"
    ).json()
    both = [one["orderedDate"] for one in first["orderSummaries"] + rest["orderSummaries"]]
    assert both == sorted(both)
    assert len(set(both)) == len(both) >= 3
    middle = both[-2].replace("Z", "%2B0000")
    later = shop.call("GET", f"WS/order-summaries?earliestDate={middle}").json()
    assert [one["orderedDate"] for one in later["orderSummaries"]] == [both[-1], both[-2]]
    earlier = shop.call("GET", f"WS/order-summaries?latestDate={middle}&ownerScoped=true").json()
    assert both[-2] not in [one["orderedDate"] for one in earlier["orderSummaries"]]
    assert "?ownerScoped=true&pageSize=3&" in first["currentPageUrl"]


def test_an_order_is_shown_with_items_and_groups(shop: Shop) -> None:
    """Items, groups, adjustments and the lookup by number tell the same order."""
    number = _ordered(shop)
    (row,) = shop.query("SELECT Id FROM OrderSummary WHERE PoNumber = 'PO-7'")
    one = f"WS/order-summaries/{row['Id']}"
    items = shop.call("GET", f"{one}/items?fields=OrderItemSummary.Quantity,Product2.Name").json()["items"]
    assert [item["fields"]["OrderItemSummary.Quantity"]["text"] for item in items] == ["2.0", "3.0", "1.0"]
    assert items[0]["product"]["canViewProduct"] is True
    assert items[0]["product"]["fields"]["Name"]["text"]
    assert len(shop.call("GET", f"{one}/delivery-groups").json()["orderDeliveryGroups"]) == 1
    assert shop.call("GET", f"{one}/adjustments").json() == {"adjustments": []}
    assert shop.call("GET", f"{one}/shipments").json()["count"] == 0
    found = shop.call("POST", "WS/order-summaries/actions/lookup", json={"orderSummaryIdOrRefNumber": number}).json()
    assert found["id"] == row["Id"]
    assert len(found["deliveryGroups"][0]["lineItems"]) == 2
    assert shop.call("GET", f"{one}?fields=Nonsense").status_code == 400


def test_an_order_is_put_into_a_cart_again(shop: Shop) -> None:
    """What may still be bought is in the cart; what may not is told by product."""
    _ordered(shop)
    shop.change("Product2", shop.product(2), IsActive=False)
    (row,) = shop.query("SELECT Id FROM OrderSummary WHERE PoNumber = 'PO-7'")
    path = f"WS/order-summaries/{row['Id']}/actions/add-order-to-cart"
    reply = shop.call("POST", path, json={"cartStateOrId": "active"}).json()
    assert (reply["totalSucceededProductCount"], reply["totalFailedProductCount"]) == (1, 1)
    assert reply["unaddedProducts"][0]["productSKU"] == "MP-0002"
    cart = shop.cart()
    assert cart["cartId"] == reply["cartId"]
    assert cart["totalProductCount"] == "2.0"


# -- Place Order -------------------------------------------------------------------------------------------------


def _sale(shop: Shop, entries: list[str], **fields: Any) -> dict[str, Any]:
    book = shop.query(f"SELECT Pricebook2Id FROM PricebookEntry WHERE Id = '{entries[0]}'")[0]["Pricebook2Id"]
    items = [
        {"attributes": {"type": "OrderItem"}, "PricebookEntryId": entry, "quantity": "2", "UnitPrice": "110.00"}
        for entry in entries
    ]
    order = {
        "attributes": {"type": "Order"},
        "EffectiveDate": "2026-01-31",
        "Status": "Draft",
        "accountId": shop.account("ACC-110"),
        "Pricebook2Id": book,
        "billingCity": "Kiel",
        "OmniBlu__c": True,
        "OrderItems": {"records": items},
        **fields,
    }
    return {"order": [{key: value for key, value in order.items() if value is not ...}]}


def _entries(shop: Shop) -> list[str]:
    soql = "SELECT Id FROM PricebookEntry WHERE Pricebook2.Name LIKE 'Nordm%' ORDER BY Id LIMIT 2"
    return [row["Id"] for row in shop.query(soql)]


def test_place_order_saves_an_order_with_its_items(shop: Shop) -> None:
    """The reply has ids and attributes only; GET finds items by filter; PATCH adds items."""
    entries = _entries(shop)
    reply = shop.call("POST", "/commerce/sale/order", json=_sale(shop, entries), user=ADMIN, version=53)
    assert reply.status_code == 201, reply.text
    (record,) = reply.json()["records"]
    assert set(record) == {"attributes", "Id", "OrderItems"}
    assert record["OrderItems"]["totalSize"] == 2
    path = f"/commerce/sale/order/{record['Id']}"
    more = {"attributes": {"type": "OrderItem"}, "PricebookEntryId": entries[0], "quantity": 5, "UnitPrice": 1}
    more["orderId"] = record["Id"]
    body = {"order": [{"attributes": {"type": "Order"}, "Id": record["Id"], "OrderItems": {"records": [more]}}]}
    assert shop.call("PATCH", path, json=body, user=ADMIN, version=53).status_code == 200
    found = shop.call("GET", f"{path}?order.orderItems.Quantity=5", user=ADMIN, version=53).json()
    assert found["records"][0]["OrderItems"]["totalSize"] == 1
    assert shop.call("GET", path, user=ADMIN, version=53).json()["records"][0]["OrderItems"]["totalSize"] == 3
    row = shop.query(f"SELECT TotalAmount, BillingCity, OmniBlu__c FROM Order WHERE Id = '{record['Id']}'")[0]
    assert (row["TotalAmount"], row["BillingCity"], row["OmniBlu__c"]) == (445.0, "Kiel", True)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"Pricebook2Id": None}, "REQUIRED_FIELD_MISSING"),
        ({"accountId": ...}, "REQUIRED_FIELD_MISSING"),
        ({"Status": "Activated"}, "INVALID_STATUS"),
        ({"StatusCode": "Activated"}, "INVALID_STATUS"),
        ({"Nonsense": 1}, "INVALID_FIELD"),
        ({"BillingAddress": "x"}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
    ],
)
def test_place_order_refuses_what_breaks_a_rule(shop: Shop, fields: dict[str, Any], code: str) -> None:
    """The code names the rule, and no order is made."""
    before = len(shop.query("SELECT Id FROM Order"))
    reply = shop.call(
        "POST", "/commerce/sale/order", json=_sale(shop, _entries(shop), **fields), user=ADMIN, version=53
    )
    assert error_of(reply) == (400, code)
    assert len(shop.query("SELECT Id FROM Order")) == before


def test_flaw_07_one_bad_item_leaves_no_order(shop: Shop) -> None:
    """An entry of another price book, or none at all, takes the whole order back."""
    before = len(shop.query("SELECT Id FROM Order"))
    foreign = shop.query("SELECT Id FROM PricebookEntry WHERE Pricebook2.IsStandard = true LIMIT 1")[0]["Id"]
    for entry, code in ((foreign, "FIELD_INTEGRITY_EXCEPTION"), ("01u000000000001AAA", "INVALID_CROSS_REFERENCE_KEY")):
        body = _sale(shop, [*_entries(shop), entry])
        reply = shop.call("POST", "/commerce/sale/order", json=body, user=ADMIN, version=53)
        assert error_of(reply) == (400, code)
    assert len(shop.query("SELECT Id FROM Order")) == before


def test_place_order_makes_a_contract_with_orders(shop: Shop) -> None:
    """The contract, its order and the order's items come from one call."""
    order = _sale(shop, _entries(shop), accountId=shop.account("ACC-110"))["order"][0]
    contract = {
        "attributes": {"type": "Contract"},
        "AccountId": shop.account("ACC-110"),
        "StartDate": "2026-01-01",
        "ContractTerm": 12,
        "Status": "Draft",
        "Orders": {"records": [order]},
    }
    reply = shop.call("POST", "/commerce/sale", json={"contract": [contract]}, user=ADMIN, version=53)
    assert reply.status_code == 201, reply.text
    record = reply.json()["records"][0]
    contract_id = shop.query(f"SELECT ContractId FROM Order WHERE Id = '{record['Orders']['records'][0]['Id']}'")
    assert contract_id[0]["ContractId"] == record["Id"]
    shown = shop.call("GET", f"/commerce/sale/{record['Id']}", user=ADMIN, version=53).json()
    assert shown["records"][0]["Orders"]["records"][0]["OrderItems"]["totalSize"] == 2


def test_flaw_18_versions_that_are_gone_answer_410(shop: Shop) -> None:
    """The seed service reads orders by v30.0, which Salesforce has retired."""
    assert shop.call("GET", "/commerce/sale/order/801000000000001", user=ADMIN, version=30).status_code == 410
