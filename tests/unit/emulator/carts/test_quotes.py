"""Quotes from carts, and carts from quotes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from httpx2 import Response

from tests.unit.emulator.carts.shops import BREMEN, Shop, check_out, error_of, money, place

_LINES = "SELECT Quantity, UnitPrice, TotalPrice, PricebookEntryId, Product2Id FROM QuoteLineItem ORDER BY SortOrder"


def _ask(shop: Shop, cart: str = "current", version: int = 66, **body: Any) -> Response:
    return shop.call("POST", f"WS/carts/{cart}/quotes", json={"additionalFields": {}, **body}, version=version)


def _quote(shop: Shop, **body: Any) -> str:
    reply = _ask(shop, **body)
    assert (reply.status_code, reply.json()["errors"]) == (201, []), reply.text
    return str(reply.json()["quoteId"])


def _buy(shop: Shop, quote: str, operation: str = "CONVERT_TO_CART", **rest: Any) -> Response:
    return shop.call("POST", f"WS/quotes/{quote}/cart", json={"operationType": operation}, **{"version": 67, **rest})


def _refused(reply: Response) -> list[str]:
    assert reply.status_code == 400, reply.text
    assert None in reply.json().values()
    return [error["code"] for error in reply.json()["errors"]]


def _empty(shop: Shop) -> None:
    assert shop.call("DELETE", "WS/carts/current").status_code == 204


def test_a_cart_becomes_a_quote_of_its_lines_and_prices(shop: Shop) -> None:
    """The quote is a row with a line for each of the cart's, at the buyer's prices, with what the buyer said."""
    shop.add(1, 3)
    shop.add(20, 60)
    cart = shop.cart()
    fields = {"Name": "Spare parts", "ExpirationDate": "2099-01-31", "Email": "karin@nordmuehle.example"}
    quote = _quote(shop, additionalFields=fields, comments="Ten percent, please")
    row = shop.query(
        "SELECT Name, Status, AccountId, ContactId, ExpirationDate, Email, TotalPrice, GrandTotal, LineItemCount,"
        f" Opportunity.StageName, Opportunity.CloseDate FROM Quote WHERE Id = '{quote}'"
    )[0]
    assert (row["Name"], row["Status"], row["ExpirationDate"]) == ("Spare parts", "Draft", "2099-01-31")
    assert (row["AccountId"], row["Email"]) == (shop.account("ACC-110"), "karin@nordmuehle.example")
    assert (row["LineItemCount"], row["Opportunity"]["CloseDate"]) == (2, "2099-01-31")
    assert money(row["TotalPrice"]) == money(cart["totalProductAmount"])
    assert money(row["GrandTotal"]) == money(cart["grandTotalAmount"])
    items = shop.query(
        "SELECT Quantity, SalesPrice, TotalPrice, PriceBookEntryId, Product2Id FROM CartItem ORDER BY Id"
    )
    lines = shop.query(_LINES)
    for name, other in (("UnitPrice", "SalesPrice"), ("PricebookEntryId", "PriceBookEntryId")):
        assert [line[name] for line in lines] == [item[other] for item in items]
    for name in ("Quantity", "TotalPrice", "Product2Id"):
        assert [line[name] for line in lines] == [item[name] for item in items]
    assert shop.query(f"SELECT Body FROM Note WHERE ParentId = '{quote}'")[0]["Body"] == "Ten percent, please"
    assert shop.cart()["totalProductCount"] == "63.0"
    seen = shop.call("GET", "/query", params={"q": "SELECT Id, (SELECT Id FROM QuoteLineItems) FROM Quote"}).json()
    assert [(one["Id"], one["QuoteLineItems"]["totalSize"]) for one in seen["records"]] == [(quote, 2)]
    others = shop.call("GET", "/query", user=BREMEN, params={"q": "SELECT Id FROM Quote"}).json()
    assert others["totalSize"] == 0


def test_a_cart_goes_with_its_quote_if_it_is_to(shop: Shop) -> None:
    """With deleteCart the cart is gone once the quote is there; the quote stays."""
    shop.add(1)
    quote = _quote(shop, deleteCart=True)
    assert shop.query("SELECT Id FROM WebCart") == []
    assert shop.query("SELECT Id FROM Quote")[0]["Id"] == quote


def test_what_cannot_be_quoted_is_told_in_the_reply(shop: Shop) -> None:
    """An empty cart, one with a coupon, and one with a bonus product become no quote, and nothing is made."""
    shop.call("PUT", "WS/carts/current")
    assert _refused(_ask(shop)) == ["EMPTY_CART"]
    shop.add(1)
    shop.call("POST", "WS/carts/current/cart-coupons", json={"couponCode": "SAVE10"})
    assert _refused(_ask(shop)) == ["UNSUPPORTED_PROMOTION"]
    _empty(shop)
    body = {"productId": shop.product(1), "quantity": 1, "type": "Product", "subType": "Bonus"}
    shop.call("POST", "WS/carts/current/cart-items", json=body, version=64)
    assert _refused(_ask(shop)) == ["UNSUPPORTED_PRODUCT"]
    for rows in ("Quote", "QuoteLineItem", "Opportunity WHERE Name LIKE 'Quote for%'"):
        assert shop.query(f"SELECT Id FROM {rows}") == []


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ({"additionalFields": None}, (400, "INVALID_API_INPUT")),
        ({"additionalFields": {"Nothing__c": "1"}}, (400, "INVALID_FIELD")),
        ({"additionalFields": {"Status": "Approved"}}, (400, "INVALID_FIELD")),
        ({"additionalFields": {"Subtotal": "0"}}, (400, "INVALID_FIELD")),
        ({"additionalFields": {"BillingLatitude": "north"}}, (400, "INVALID_API_INPUT")),
        ({"additionalFields": {"Name": 7}}, (400, "INVALID_API_INPUT")),
        ({"note": "x"}, (400, "JSON_PARSER_ERROR")),
        ({"deleteCart": "soon"}, (400, "INVALID_API_INPUT")),
    ],
)
def test_a_body_that_makes_no_sense_makes_nothing(shop: Shop, body: dict[str, Any], wanted: tuple[int, str]) -> None:
    """Fields that are unknown or not the buyer's to say are refused as the platform refuses."""
    shop.add(1)
    assert error_of(_ask(shop, **body)) == wanted
    assert shop.query("SELECT Id FROM Quote") == []


def test_older_versions_know_no_quotes(shop: Shop) -> None:
    """Quotes came with 66, carts from them with 67."""
    shop.add(1)
    assert _ask(shop, version=65).status_code == 404
    quote = _quote(shop)
    assert _buy(shop, quote, version=66).status_code == 404


def test_a_cart_that_is_computed_is_not_quoted(shop: Shop) -> None:
    """A fast store's cart has no prices yet: 422, and then a quote with them."""
    shop.fast_add()
    shop.add(1, 2)
    assert error_of(_ask(shop)) == (422, "ALREADY_IN_PROCESS")
    shop.cart()
    _quote(shop)
    assert shop.query(_LINES)[0]["UnitPrice"] > 0


def test_an_approved_quote_is_bought_at_its_prices(shop: Shop) -> None:
    """Discounted lines keep what was agreed through calculations and into the order, which names quote and lines."""
    shop.add(1, 3)
    shop.add(2)
    quote = _quote(shop, deleteCart=True)
    first = shop.query("SELECT Id FROM QuoteLineItem ORDER BY SortOrder")[0]["Id"]
    shop.change("QuoteLineItem", first, Discount=12.5)
    assert _refused(_buy(shop, quote)) == ["INVALID_QUOTE_STATUS"]
    shop.change("Quote", quote, Status="Approved")
    reply = _buy(shop, quote)
    assert (reply.status_code, reply.json()["errors"]) == (201, [])
    agreed = shop.query("SELECT TotalPrice FROM Quote")[0]["TotalPrice"]
    assert shop.cart()["cartId"] == reply.json()["cartId"]
    assert money(shop.cart()["totalProductAmount"]) == money(agreed)
    shop.call("POST", "WS/carts/current/actions/calculate")
    assert money(shop.cart()["totalProductAmount"]) == money(agreed)
    shop.add(1)
    assert len(shop.query("SELECT Id FROM CartItem")) == 3
    place(shop, check_out(shop))
    assert shop.query("SELECT QuoteId FROM Order WHERE QuoteId != null")[0]["QuoteId"] == quote
    items = shop.query(
        "SELECT QuoteLineItemId, TotalLineAmount FROM OrderItem WHERE QuoteLineItemId != null ORDER BY LineNumber"
    )
    lines = shop.query("SELECT Id, TotalPrice FROM QuoteLineItem ORDER BY SortOrder")
    assert [(one["QuoteLineItemId"], one["TotalLineAmount"]) for one in items] == [
        (one["Id"], one["TotalPrice"]) for one in lines
    ]
    assert _refused(_buy(shop, quote)) == ["QUOTE_ALREADY_ORDERED"]


def test_a_quote_is_in_one_cart_at_a_time(shop: Shop) -> None:
    """Converted twice is refused even beside another cart; once the cart is cleared it is converted again."""
    shop.add(1)
    quote = _quote(shop, deleteCart=True)
    shop.change("Quote", quote, Status="Accepted")
    assert _buy(shop, quote).status_code == 201
    assert _refused(_buy(shop, quote)) == ["QUOTE_ALREADY_CONVERTED"]
    shop.call("POST", "WS/carts", json={"name": "other"})
    assert _refused(_buy(shop, quote)) == ["QUOTE_ALREADY_CONVERTED"]
    for row in shop.query("SELECT Id FROM WebCart"):
        assert shop.call("DELETE", f"WS/carts/{row['Id']}").status_code == 204
    assert _buy(shop, quote).status_code == 201


def test_a_draft_is_duplicated_at_the_stores_prices(shop: Shop) -> None:
    """Duplicating is for quotes that nobody approved, and takes no agreed price along."""
    shop.add(1, 2)
    price = shop.cart()["totalProductAmount"]
    quote = _quote(shop, deleteCart=True)
    line = shop.query("SELECT Id FROM QuoteLineItem")[0]["Id"]
    shop.change("QuoteLineItem", line, UnitPrice=0.01)
    assert _buy(shop, quote, "DUPLICATE_TO_CART").status_code == 201
    assert shop.cart()["totalProductAmount"] == price
    _empty(shop)
    shop.change("Quote", quote, Status="Approved")
    assert _refused(_buy(shop, quote, "DUPLICATE_TO_CART")) == ["INVALID_QUOTE_STATUS"]


def test_products_that_are_in_the_cart_keep_a_quote_out(shop: Shop) -> None:
    """Nothing is converted in part: the matching product is named, and the cart is as it was."""
    shop.add(1)
    shop.add(2)
    quote = _quote(shop, deleteCart=True)
    shop.change("Quote", quote, Status="Approved")
    shop.add(2, 5)
    assert _refused(_buy(shop, quote)) == ["MATCHING_PRODUCT"]
    assert shop.cart()["totalProductCount"] == "5.0"


def test_a_product_that_is_no_longer_to_be_had_keeps_the_whole_quote_out(shop: Shop) -> None:
    """The reply tells which one; of the others nothing is in the cart."""
    shop.add(1)
    shop.add(2)
    quote = _quote(shop, deleteCart=True)
    shop.change("Quote", quote, Status="Approved")
    shop.change("Product2", shop.product(2), IsActive=False)
    assert _refused(_buy(shop, quote)) == ["INSUFFICIENT_ACCESS"]
    assert shop.query("SELECT Id FROM CartItem") == []


def test_an_expired_quote_is_not_converted(shop: Shop) -> None:
    """It is good through its last day by the org's clock."""
    shop.add(1)
    quote = _quote(shop, deleteCart=True, additionalFields={"ExpirationDate": "2001-01-01"})
    shop.change("Quote", quote, Status="Approved")
    assert _refused(_buy(shop, quote)) == ["QUOTE_EXPIRED"]


def test_another_accounts_quote_is_missing(shop: Shop) -> None:
    """Neither a buyer of another account nor the same buyer for another account finds it."""
    shop.add(1)
    quote = _quote(shop)
    assert error_of(_buy(shop, quote, user=BREMEN)) == (404, "MISSING_RECORD")
    wrong = shop.call("POST", "WS/quotes/0Q0000000000000AAA/cart", json={"operationType": "x"}, version=67)
    assert error_of(wrong) == (404, "MISSING_RECORD")


def test_pieces_of_a_quoted_line_keep_their_price_in_another_group(shop: Shop) -> None:
    """A line that is split costs what was agreed in both groups."""
    shop.add(1, 4)
    quote = _quote(shop, deleteCart=True)
    line = shop.query("SELECT Id FROM QuoteLineItem")[0]["Id"]
    shop.change("QuoteLineItem", line, UnitPrice=1.25)
    shop.change("Quote", quote, Status="Approved")
    _buy(shop, quote)
    item = shop.query("SELECT Id FROM CartItem")[0]["Id"]
    move = {"cartItemId": item, "deliveryGroupName": "P", "quantity": "1"}
    move["deliveryAddress"] = {"name": "Lager", "street": "Rue 1", "city": "Paris", "country": "FR"}
    path = "WS/carts/current/delivery-groups/actions/arrange-items"
    assert shop.call("POST", path, json={"arrangements": [move]}).status_code == 202
    rows = shop.query("SELECT Quantity, SalesPrice FROM CartItem ORDER BY Id")
    assert [(row["Quantity"], row["SalesPrice"]) for row in rows] == [(3.0, 1.25), (1.0, 1.25)]


def test_statuses_are_settings(make_shop: Callable[..., Shop]) -> None:
    """An org that answers otherwise can be had."""
    shop = make_shop(quote_status=200, quote_refusal_status=422)
    shop.call("PUT", "WS/carts/current")
    assert _ask(shop).status_code == 422
    shop.add(1)
    assert _ask(shop).status_code == 200
