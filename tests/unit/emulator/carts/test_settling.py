"""Calculation in the background, and the trouble that can be ordered for it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from tests.unit.emulator.carts.shops import Shop, check_out, error_of, money, place, settled


def test_a_fast_store_answers_before_prices_are_known(shop: Shop) -> None:
    """The line has neither id nor price at first; the cart answers 202 with Location and Retry-After, then 200."""
    shop.fast_add()
    line = shop.add(1, 2)
    assert line["cartItemId"] is None
    assert line["salesPrice"] is None
    pending = shop.call("GET", "WS/carts/active")
    assert pending.status_code == 202
    assert pending.headers["retry-after"] == "1"
    assert pending.headers["location"].endswith("/carts/active")
    assert pending.json()["asyncOperationStatus"] == "Processing"
    assert pending.json()["grandTotalAmount"] == "0.00"
    done = shop.call("GET", "WS/carts/active/cart-items")
    assert done.status_code == 200
    item = done.json()["cartItems"][0]["cartItem"]
    assert item["cartItemId"]
    assert money(item["totalPrice"]) == 2 * money(item["salesPrice"]) > 0


def test_a_calculation_takes_as_long_as_was_asked(make_shop: Callable[..., Shop]) -> None:
    """It is done after that many reads, and not before the org's clock says so."""
    shop = make_shop(calculation_reads=2, calculation_seconds=60.0)
    shop.fast_add()
    shop.add(1)
    assert [shop.call("GET", "WS/carts/active").status_code for _ in range(4)] == [202] * 4
    shop.clock.ahead += timedelta(seconds=61)
    assert shop.call("GET", "WS/carts/active").status_code == 200


def test_rules_are_told_afterwards_by_a_fast_store(shop: Shop) -> None:
    """A quantity against the rules is taken at first, and is an error of the settled cart."""
    shop.fast_add()
    shop.add(10, 3)
    shop.cart()
    items = shop.call("GET", "WS/carts/active/cart-items").json()
    assert items["hasErrors"] is True
    told = items["cartItems"][0]["cartItem"]["messagesSummary"]
    assert told["errorCount"] == 1
    assert "minimum" in told["limitedMessages"][0]["message"]


def test_a_cart_may_be_locked_while_it_is_computed(make_shop: Callable[..., Shop]) -> None:
    """With that setting its status is Processing and changes are refused until it is done."""
    shop = make_shop(processing_locks=True)
    shop.fast_add()
    shop.add(1)
    assert shop.query("SELECT Status FROM WebCart")[0]["Status"] == "Processing"
    body = {"productId": shop.product(2), "quantity": 1, "type": "Product"}
    assert error_of(shop.call("POST", "WS/carts/active/cart-items", json=body)) == (400, "INVALID_CART_STATUS")
    assert shop.cart()["status"] == "Active"
    shop.add(2)


def test_processing_without_end(shop: Shop) -> None:
    """The trouble of one calculation lasts until the cart is computed anew."""
    shop.fast_add()
    shop.fault(kind="endless_processing")
    shop.add(1)
    assert {shop.call("GET", "WS/carts/active").status_code for _ in range(8)} == {202}
    shop.add(2)
    assert money(shop.cart()["grandTotalAmount"]) > 0


def test_reading_items_while_they_are_computed_may_be_refused(shop: Shop) -> None:
    """422 comes instead of 202, once."""
    shop.fast_add()
    shop.add(1)
    shop.fault(kind="cart_recalculating")
    assert error_of(shop.call("GET", "WS/carts/active/cart-items")) == (422, "ALREADY_IN_PROCESS")
    assert shop.call("GET", "WS/carts/active/cart-items").status_code == 200


def test_an_integration_may_fail(shop: Shop) -> None:
    """The cart is Errored with a message; the next change computes it, and the message is gone."""
    shop.fault(kind="integration_error")
    shop.add(1)
    assert shop.cart()["asyncOperationStatus"] == "Errored"
    assert [row["Type"] for row in shop.query("SELECT Type FROM CartValidationOutput")] == ["SystemError"]
    shop.add(2)
    assert shop.cart()["asyncOperationStatus"] == "Completed"
    assert shop.query("SELECT Id FROM CartValidationOutput") == []


def test_a_conflict_lasts_until_somebody_reads(shop: Shop) -> None:
    """A blind repeat meets 409 again; after a GET the same PATCH goes through."""
    shop.add(1)
    checkout = shop.call("POST", "WS/checkouts", json={"cartId": shop.cart()["cartId"]}).json()["checkoutId"]
    settled(shop, checkout)
    shop.fault(kind="checkout_conflict")
    change = {"contactInfo": {"email": "k@x.example"}}
    for _ in range(2):
        assert error_of(shop.call("PATCH", f"WS/checkouts/{checkout}", json=change)) == (409, "CHECKOUT_CONFLICT")
    settled(shop, checkout)
    assert shop.call("PATCH", f"WS/checkouts/{checkout}", json=change).status_code == 202


def test_a_failed_integration_of_a_checkout_is_run_again_by_the_same_change(shop: Shop) -> None:
    """GET answers 422 with errors and the status Errored; the repeated PATCH settles."""
    shop.add(1)
    checkout = shop.call("POST", "WS/checkouts", json={"cartId": shop.cart()["cartId"]}).json()["checkoutId"]
    settled(shop, checkout)
    shop.fault(kind="integration_error")
    change = {"deliveryAddress": {"name": "K", "street": "S 1", "country": "DE"}}
    shop.call("PATCH", f"WS/checkouts/{checkout}", json=change)
    shop.call("GET", f"WS/checkouts/{checkout}")
    failed = shop.call("GET", f"WS/checkouts/{checkout}")
    assert failed.status_code == 422
    assert failed.json()["errors"][0]["type"].startswith("/commerce/errors/")
    assert failed.json()["cartSummary"]["asyncOperationStatus"] == "Errored"
    shop.call("PATCH", f"WS/checkouts/{checkout}", json=change)
    assert settled(shop, checkout)["errors"] == []


def test_a_declined_payment_pays_nothing(shop: Shop) -> None:
    """The result code says Decline, and the order is refused until a payment succeeds."""
    shop.add(1)
    checkout = check_out(shop)
    shop.fault(kind="payment_declined")
    payment = {"requestType": "SimplePurchaseOrder", "paymentToken": "PO-8"}
    assert (
        shop.call("POST", f"WS/checkouts/{checkout}/payments", json=payment).json()["salesforceResultCode"] == "Decline"
    )
    assert shop.query("SELECT PoNumber FROM WebCart")[0]["PoNumber"] == "PO-7"
    place(shop, checkout)


def test_commerce_may_be_unavailable(shop: Shop) -> None:
    """503 with Retry-After comes before anything was done."""
    shop.store()
    shop.fault(kind="commerce_unavailable")
    reply = shop.call("PUT", "WS/carts/active")
    assert reply.status_code == 503
    assert reply.headers["retry-after"] == "1"
    assert shop.query("SELECT Id FROM WebCart") == []


def test_the_compact_summary_may_break(shop: Shop) -> None:
    """500, as some orgs answer; the cart itself can be read."""
    shop.add(1)
    shop.fault(kind="summary_broken")
    assert shop.call("GET", "WS/carts/compact-summary", version=64).status_code == 500
    assert shop.cart("current")["totalProductCount"] == "1.0"
