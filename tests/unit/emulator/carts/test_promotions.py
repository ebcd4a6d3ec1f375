"""Promotions of a cart in its items, and their sums in the order."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from tests.unit.emulator.carts.shops import APPROVER, BREMEN, Shop, check_out, error_of, money, place

_PATH = "WS/order-summaries/async-actions/adjustment-aggregates"


def _discounted(shop: Shop) -> None:
    shop.add(1, 10)
    reply = shop.call("POST", "WS/carts/active/cart-coupons", json={"couponCode": "SAVE10"})
    assert reply.status_code == 201, reply.text
    shop.cart()


def _summary(shop: Shop) -> str:
    """Place an order with ten percent off and return its summary."""
    _discounted(shop)
    place(shop, check_out(shop))
    return str(shop.query("SELECT Id FROM OrderSummary WHERE PoNumber = 'PO-7'")[0]["Id"])


@pytest.mark.parametrize("wrapped", [True, False])
def test_items_show_the_promotions_of_their_cart(make_shop: Callable[..., Shop], wrapped: bool) -> None:
    """`includePromotions` tells code and amount as the promotions' own resource does; without it nothing is told."""
    shop = make_shop(wrapped_promotions=wrapped)
    _discounted(shop)
    body = shop.call("GET", "WS/carts/active/cart-items?includePromotions=true").json()
    told = body["cartPromotions"]
    assert told == shop.call("GET", "WS/carts/active/promotions").json()
    (promotion,) = told["promotions"]["promotions"] if wrapped else told["promotions"]
    assert (promotion["couponCode"], promotion["targetType"]) == ("SAVE10", "Cart")
    line = shop.query("SELECT TotalLineAmount FROM CartItem WHERE Type = 'Product'")[0]
    assert money(promotion["adjustmentAmount"]) == money(line["TotalLineAmount"]) * Decimal("-0.1")
    assert shop.call("GET", "WS/carts/active/cart-items").json()["cartPromotions"] is None


def test_aggregates_are_computed_on_demand(shop: Shop) -> None:
    """The job's address tells the sums of the summaries that were named."""
    summary = _summary(shop)
    reply = shop.call("POST", _PATH, json={"orderSummaryIds": [summary]})
    assert (reply.status_code, list(reply.json())) == (200, ["statusURL"])
    told = shop.call("GET", reply.json()["statusURL"].partition("/v62.0")[2]).json()
    (own,) = [one["adjustmentAggregates"] for one in told["orderSummaries"] if one["orderSummaryId"] == summary]
    assert (own["available"], own["status"]) == (True, "")
    sums = shop.query(f"SELECT TotalAdjDistAmount FROM OrderSummary WHERE Id = '{summary}'")[0]
    assert money(own["totalProductPromotionTotalAmount"]) == money(sums["TotalAdjDistAmount"]) < 0


def test_aggregates_refuse_what_makes_no_sense(shop: Shop) -> None:
    """A list of the account's summaries is needed, and version 55."""
    summary = _summary(shop)
    bodies: list[dict[str, object]] = [
        {},
        {"orderSummaryIds": []},
        {"orderSummaryIds": summary},
        {"orderSummaryIds": [1]},
    ]
    for body in bodies:
        assert error_of(shop.call("POST", _PATH, json=body)) == (400, "INVALID_API_INPUT")
    ids = {"orderSummaryIds": [summary]}
    assert error_of(shop.call("POST", _PATH, json={**ids, "more": 1})) == (400, "JSON_PARSER_ERROR")
    assert error_of(shop.call("POST", _PATH, json=ids, user=BREMEN)) == (404, "MISSING_RECORD")
    assert error_of(shop.call("POST", _PATH, json=ids, version=54)) == (404, "NOT_FOUND")
    kiel = shop.account("ACC-110")
    shared = shop.call("POST", f"{_PATH}?effectiveAccountId={kiel}", json=ids, user=APPROVER, version=55)
    assert kiel in shared.json()["statusURL"]
