"""Carts and their lines."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from tests.unit.emulator.carts.shops import ADMIN, APPROVER, BREMEN, KIEL, Shop, error_of, money


def test_the_cart_comes_with_its_first_line(shop: Shop) -> None:
    """A line added to `active` makes the cart, its default group and right totals, in rows and bodies alike."""
    assert error_of(shop.call("GET", "WS/carts/active")) == (404, "MISSING_RECORD")
    line = shop.add(1, "3")
    cart = shop.cart()
    assert line["cartId"] == cart["cartId"]
    assert money(line["totalPrice"]) == 3 * money(line["salesPrice"]) == money(cart["grandTotalAmount"])
    assert cart["status"] == "Active"
    assert cart["isSecondary"] is False
    rows = shop.query(
        "SELECT GrandTotalAmount, TotalProductCount, (SELECT CartDeliveryGroupId FROM CartItems) FROM WebCart"
    )
    assert money(rows[0]["GrandTotalAmount"]) == money(cart["grandTotalAmount"])
    assert rows[0]["CartItems"]["records"][0]["CartDeliveryGroupId"].startswith("0a7")


def test_put_active_makes_one_cart_and_then_returns_it(shop: Shop) -> None:
    """PUT answers 201 for a new cart and 200 for the one that is there."""
    first, second = shop.call("PUT", "WS/carts/active"), shop.call("PUT", "WS/carts/current")
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["cartId"] == second.json()["cartId"]


def test_money_is_text_and_counts_are_numbers(shop: Shop) -> None:
    """Connect writes amounts and quantities as strings, line counts as integers."""
    shop.add(1, 2)
    cart = shop.cart()
    assert isinstance(cart["grandTotalAmount"], str)
    assert isinstance(cart["totalProductCount"], str)
    assert cart["uniqueProductCount"] == 1
    assert cart["totalProductLineItemCount"] == 1


def test_the_same_product_is_one_line(shop: Shop) -> None:
    """A product that is in the cart already increases its line, unless the store keeps duplicates."""
    first = shop.add(1, 2)
    assert shop.add(1, 3)["cartItemId"] == first["cartItemId"]
    assert shop.cart()["totalProductCount"] == "5.0"
    shop.change("WebStore", shop.store(), OptionsDuplicateCartItemsEnabled=True)
    assert shop.add(1, 1)["cartItemId"] != first["cartItemId"]


def test_tiers_lower_the_price_by_quantity(shop: Shop) -> None:
    """Ten pieces of a product with price tiers cost less each than one."""
    one = money(shop.add(20, 1)["salesPrice"])
    ten = money(shop.add(20, 9)["salesPrice"])
    assert ten == (one * Decimal("0.95")).quantize(Decimal("0.01"))


@pytest.mark.parametrize("quantity", ["0", -1, "x", "1.5", True, "NaN", "1e400"])
def test_a_quantity_is_a_whole_number_above_zero(shop: Shop, quantity: object) -> None:
    """Other quantities are refused and leave no line."""
    body = {"productId": shop.product(1), "quantity": quantity, "type": "Product"}
    assert error_of(shop.call("POST", "WS/carts/active/cart-items", json=body)) == (400, "INVALID_API_INPUT")
    assert shop.query("SELECT Id FROM CartItem") == []


def test_quantity_rules_hold_where_prices_are_known_at_once(shop: Shop) -> None:
    """MP-0010 goes in steps of five from ten on; a PATCH is held to it as well."""
    body = {"productId": shop.product(10), "quantity": "7", "type": "Product"}
    assert error_of(shop.call("POST", "WS/carts/active/cart-items", json=body)) == (400, "INVALID_API_INPUT")
    line = shop.add(10, 15)
    path = f"WS/carts/active/cart-items/{line['cartItemId']}"
    assert shop.call("PATCH", path, json={"quantity": "12"}).status_code == 400
    assert shop.call("PATCH", path, json={"quantity": "20"}).json()["quantity"] == "20.0"
    assert line["productDetails"]["purchaseQuantityRule"] == {"increment": "5.0", "maximum": None, "minimum": "10.0"}


@pytest.mark.parametrize("number", [11, 1600])
def test_what_the_buyer_may_not_see_is_not_added(shop: Shop, number: int) -> None:
    """Inactive products and those outside the group's entitlements are refused."""
    body = {"productId": shop.product(number), "quantity": 1, "type": "Product"}
    assert error_of(shop.call("POST", "WS/carts/active/cart-items", json=body)) == (403, "INSUFFICIENT_ACCESS")


def test_a_batch_tells_of_every_line(shop: Shop) -> None:
    """Good lines are kept, bad ones answer with a list of errors at their place."""
    given = [(1, "2"), (11, "1"), (10, "3"), (2, "x"), (3, "4")]
    inputs = [{"richInput": {"productId": shop.product(n), "quantity": q, "type": "product"}} for n, q in given]
    reply = shop.call("POST", "WS/carts/active/cart-items/batch", json={"inputs": inputs}).json()
    assert [one["statusCode"] for one in reply["results"]] == [201, 403, 400, 400, 201]
    assert reply["hasErrors"] is True
    assert reply["results"][1]["result"][0]["errorCode"] == "INSUFFICIENT_ACCESS"
    assert {row["Sku"] for row in shop.query("SELECT Sku FROM CartItem")} == {"MP-0001", "MP-0003"}


@pytest.mark.parametrize("count", [0, 101])
def test_a_batch_has_its_bounds(shop: Shop, count: int) -> None:
    """No line at all, and more than a hundred, are refused as a whole."""
    inputs = [{"richInput": {"productId": shop.product(1), "quantity": 1, "type": "Product"}}] * count
    reply = shop.call("POST", "WS/carts/active/cart-items/batch", json={"inputs": inputs})
    assert error_of(reply) == (400, "INVALID_BATCH_SIZE")


def test_lines_come_in_pages_and_orders(shop: Shop) -> None:
    """Every line is on exactly one page, tokens lead on and back, and a page past the end is the last."""
    inputs = [{"richInput": {"productId": shop.product(n), "quantity": 1, "type": "Product"}} for n in range(21, 61)]
    shop.call("POST", "WS/carts/active/cart-items/batch", json={"inputs": inputs})
    first = shop.call("GET", "WS/carts/active/cart-items?sort=NameAsc").json()
    assert len(first["cartItems"]) == 25
    assert first["previousPageToken"] is None
    assert first["totalItemCount"] == 40
    assert first["nextPageUrl"].startswith("/services/data/v62.0/commerce/webstores/")
    second = shop.call("GET", f"WS/carts/active/cart-items?sort=NameAsc&page={first['nextPageToken']}").json()
    names = [one["cartItem"]["name"] for one in first["cartItems"] + second["cartItems"]]
    assert len(names) == 40
    assert names == sorted(names, key=str.lower)
    assert second["nextPageToken"] is None
    last = shop.call("GET", "WS/carts/active/cart-items?pageNumber=99").json()
    assert last["currentPage"] == 2
    prices = [
        money(one["cartItem"]["salesPrice"])
        for one in shop.call("GET", "WS/carts/active/cart-items?sort=SalesPriceDesc&pageSize=100").json()["cartItems"]
    ]
    assert prices == sorted(prices, reverse=True)
    assert error_of(shop.call("GET", "WS/carts/active/cart-items?page=nonsense"))[0] == 400


def test_versions_see_what_they_know(shop: Shop) -> None:
    """Version 53 has no asyncOperationStatus, no page counts and no currency of a line; 62 has."""
    shop.add(1)
    old, new = shop.cart(version=53), shop.cart(version=62)
    assert "asyncOperationStatus" not in old
    assert new["asyncOperationStatus"] == "Completed"
    lines = shop.call("GET", "WS/carts/active/cart-items", version=53).json()
    assert "totalItemCount" not in lines
    assert "currencyIsoCode" not in lines["cartItems"][0]["cartItem"]
    assert shop.call("GET", "WS/carts/compact-summary", version=63).status_code == 404
    assert shop.call("GET", "WS/carts/compact-summary", version=64).json()["totalProductCount"] == "1.0"
    assert shop.call("POST", "WS/checkouts", json={"cartId": new["cartId"]}, version=54).status_code == 404


def test_current_shows_an_empty_cart_from_version_63(shop: Shop) -> None:
    """Where there is no cart, `current` of v63 is an empty one with id null; before it is an error."""
    assert shop.call("GET", "WS/carts/current", version=62).status_code == 404
    empty = shop.call("GET", "WS/carts/current", version=63)
    assert (empty.status_code, empty.json()["cartId"]) == (200, None)
    assert shop.call("GET", "WS/carts/current/cart-items", version=63).json()["cartItems"] == []


def test_a_buyer_sees_no_cart_of_another(shop: Shop) -> None:
    """Neither another account's buyer nor a manager of the parent account gets at a cart by its id."""
    cart = shop.add(1)["cartId"]
    assert error_of(shop.call("GET", f"WS/carts/{cart}", user=BREMEN)) == (404, "MISSING_RECORD")
    kiel = shop.account("ACC-110")
    assert shop.call("GET", f"WS/carts/{cart}?effectiveAccountId={kiel}", user=APPROVER).status_code == 404
    assert shop.call("DELETE", f"WS/carts/{cart}", user=BREMEN).status_code == 404


def test_flaw_01_a_parameter_without_its_sign_is_passed_over(shop: Shop) -> None:
    """`?effectiveAccountId001…` names nothing: the call is for the caller's own account."""
    kiel, bremen = shop.account("ACC-110"), shop.account("ACC-120")
    assert shop.call("GET", f"WS/carts/active?effectiveAccountId={bremen}").status_code == 403
    shop.add(1)
    body = shop.call("GET", f"WS/carts/active/cart-items?effectiveAccountId{bremen}").json()
    assert body["cartSummary"]["accountId"] == kiel


def test_one_account_can_be_bought_for_by_another(shop: Shop) -> None:
    """A manager who names an account of the group has a cart of that account, beside the own one."""
    kiel = shop.account("ACC-110")
    mine = shop.call("PUT", "WS/carts/active", user=APPROVER).json()
    theirs = shop.call("PUT", f"WS/carts/active?effectiveAccountId={kiel}", user=APPROVER).json()
    assert theirs["accountId"] == kiel != mine["accountId"]
    assert theirs["cartId"] != mine["cartId"]


def test_another_currency_is_refused(shop: Shop) -> None:
    """A cart has its store's currency."""
    assert error_of(shop.call("PUT", "WS/carts/active?currencyIsoCode=USD")) == (400, "INVALID_API_INPUT")
    assert shop.call("PUT", "WS/carts/active?currencyIsoCode=EUR").json()["currencyIsoCode"] == "EUR"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"quantity": 1, "type": "Product"}, "INVALID_API_INPUT"),
        ({"productId": "001000000000001", "quantity": 1, "type": "Product"}, "MISSING_RECORD"),
        ({"productId": "?", "quantity": 1, "type": "Charge"}, "INVALID_API_INPUT"),
        ({"productId": "?", "quantity": 1, "type": "Product", "foo": 1}, "JSON_PARSER_ERROR"),
    ],
)
def test_bodies_that_make_no_sense(shop: Shop, body: dict[str, Any], code: str) -> None:
    """What is missing, foreign or unknown is named by its code."""
    given = {key: shop.product(1) if value == "?" else value for key, value in body.items()}
    assert error_of(shop.call("POST", "WS/carts/active/cart-items", json=given))[1] == code


def test_patch_takes_no_product(shop: Shop) -> None:
    """Product and type of a line are settled; an unknown line is ITEM_NOT_FOUND."""
    line = shop.add(1)["cartItemId"]
    path = f"WS/carts/active/cart-items/{line}"
    assert shop.call("PATCH", path, json={"quantity": 1, "productId": shop.product(2)}).status_code == 400
    assert error_of(shop.call("DELETE", path[:-18] + "0a9000000000000AAA")) == (404, "ITEM_NOT_FOUND")
    assert shop.call("DELETE", path).status_code == 204
    assert shop.cart()["grandTotalAmount"] == "0.00"


def test_a_closed_cart_takes_no_change(make_shop: Callable[..., Shop]) -> None:
    """A cart that was closed through its row, as the seed service does, is refused with what the settings say."""
    shop = make_shop()
    line = shop.add(1)
    shop.change("WebCart", line["cartId"], Status="Closed")
    reply = shop.call("PATCH", f"WS/carts/{line['cartId']}/cart-items/{line['cartItemId']}", json={"quantity": 9})
    assert error_of(reply) == (400, "INVALID_CART_STATUS")
    assert shop.call("DELETE", f"WS/carts/{line['cartId']}").status_code == 400
    assert shop.add(2)["cartId"] != line["cartId"]


def test_flaw_08_rows_changed_directly_are_not_priced_anew(shop: Shop) -> None:
    """A quantity that is written to the CartItem row changes no total until something is changed through the cart."""
    line = shop.add(1, 2)
    total = shop.cart()["grandTotalAmount"]
    shop.change("CartItem", line["cartItemId"], Quantity=50)
    assert shop.cart()["grandTotalAmount"] == total
    shop.add(2, 1)
    assert money(shop.cart()["grandTotalAmount"]) > 50 * money(line["salesPrice"])


def test_a_deleted_cart_is_gone_with_its_rows(shop: Shop) -> None:
    """DELETE leaves no line, group or coupon of the cart behind."""
    shop.add(1)
    shop.call("POST", "WS/carts/active/cart-coupons", json={"couponCode": "SAVE10"})
    assert shop.call("DELETE", "WS/carts/active").status_code == 204
    for sobject in ("WebCart", "CartItem", "CartDeliveryGroup", "WebCartAdjustmentBasis", "CartItemPriceAdjustment"):
        assert shop.query(f"SELECT Id FROM {sobject}") == [], sobject


def test_a_second_primary_cart_demotes_the_first(shop: Shop) -> None:
    """Of an owner's carts for an account one is primary; make-primary turns it round."""
    first = shop.add(1)["cartId"]
    second = shop.call("POST", "WS/carts", json={"name": "Winter"}).json()
    assert second["isSecondary"] is False
    assert shop.cart(first)["isSecondary"] is True
    assert shop.call("POST", f"WS/carts/{first}/actions/make-primary").json()["isSuccess"] is True
    assert shop.cart()["cartId"] == first
    rows = shop.query("SELECT Id FROM WebCart WHERE IsSecondary = false AND Status = 'Active'")
    assert [row["Id"] for row in rows] == [first]


def test_product_fields_are_told_as_text(shop: Shop) -> None:
    """Asked fields of the product come as strings; more than the version takes are refused."""
    shop.add(1)
    body = shop.call("GET", "WS/carts/active/cart-items?productFields=StockKeepingUnit,IsActive").json()
    assert body["cartItems"][0]["cartItem"]["productDetails"]["fields"] == {
        "StockKeepingUnit": "MP-0001",
        "IsActive": "true",
    }
    six = "productFields=Name,Family,StockKeepingUnit,IsActive,ProductCode,Description"
    assert shop.call("GET", f"WS/carts/active/cart-items?{six}", version=53).status_code == 400
    assert shop.call("GET", f"WS/carts/active/cart-items?{six}").status_code == 200


def test_who_is_nobodys_contact_names_the_account(shop: Shop) -> None:
    """The administrator has no default account; with one named, the cart is made for it."""
    assert shop.call("PUT", "WS/carts/active", user=ADMIN).status_code == 403
    kiel = shop.account("ACC-110")
    reply = shop.call("PUT", f"WS/carts/active?effectiveAccountId={kiel}", user=ADMIN)
    assert reply.json()["accountId"] == kiel
    assert shop.call("GET", "WS/carts/active", user=KIEL).status_code == 404


def test_a_cart_has_so_many_lines(make_shop: Callable[..., Shop]) -> None:
    """Past its lines a cart refuses with MAX_LIMIT_EXCEEDED, and keeps what it had."""
    shop = make_shop(cart_lines=2)
    shop.add(1)
    shop.add(2)
    body = {"productId": shop.product(3), "quantity": 1, "type": "Product"}
    assert error_of(shop.call("POST", "WS/carts/active/cart-items", json=body)) == (400, "MAX_LIMIT_EXCEEDED")
    assert shop.cart()["uniqueProductCount"] == 2
