"""The Connect API: what is sent, how its many spellings are read, and how long what is computed is waited for."""

from __future__ import annotations

import json
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import pytest

from orgbridge.client import Patience, Salesforce, Store, StoreContext, errors
from orgbridge.client.commerce.cart_values import NewLine
from tests.support.clocks import HandClock
from tests.support.salesforce_double import Answer, Drop, SalesforceDouble

STORE, ACCOUNT, CART, ITEM = "0ZE000000000001AAA", "001000000000001AAA", "0a6000000000001AAA", "0a9000000000001AAA"
PRODUCT = "01t000000000001AAA"
BASE = f"/services/data/v67.0/commerce/webstores/{STORE}"
HEAD = {"cartId": CART, "status": "Active", "grandTotalAmount": "12.50", "totalProductCount": "2.0"}


def _item(number: int, quantity: str = "1.0") -> dict[str, object]:
    return {
        "cartItem": {
            "cartItemId": f"0a9{number:012d}AAA",
            "productId": PRODUCT,
            "quantity": quantity,
            "salesPrice": "6.25",
            "type": "Product",
        },
        "message": None,
        "status": "Success",
    }


@pytest.fixture
def store(salesforce: Salesforce) -> Store:
    """A webstore for one account."""
    return salesforce.commerce.store(StoreContext(webstore_id=STORE, account_id=ACCOUNT, currency="EUR", language="de"))


async def test_flaw_01_the_account_goes_with_every_call(store: Store, double: SalesforceDouble) -> None:
    """Reads, changes and deletions carry `effectiveAccountId` as a parameter with its `=`."""
    double.script("GET", f"{BASE}/carts/current", Answer(json=HEAD))
    double.script(
        "GET",
        f"{BASE}/carts/current/cart-items",
        Answer(json={"cartItems": [], "cartSummary": HEAD | {"totalProductCount": "0"}}),
    )
    double.script("POST", f"{BASE}/carts/{CART}/cart-items", Answer(status=201, json=_item(1)["cartItem"]))
    double.script("DELETE", f"{BASE}/carts/{CART}", Answer(status=204))
    double.script("PUT", f"{BASE}/carts/active", Answer(json=HEAD))
    await store.carts.find()
    await store.carts.lines("current")
    await store.carts.add(CART, NewLine(product_id=PRODUCT, quantity=Decimal("2.50")))
    await store.carts.delete(CART)
    await store.carts.ensure()
    assert len(double.requests) == 5
    for request in double.requests:
        sent = parse_qs(urlsplit(request.target).query)
        assert sent["effectiveAccountId"] == [ACCOUNT]
        assert (sent["currencyIsoCode"], sent["language"]) == (["EUR"], ["de"])
    assert json.loads(double.requests[2].body) == {"productId": PRODUCT, "quantity": "2.5", "type": "Product"}


async def test_flaw_02_all_pages_are_read(store: Store, double: SalesforceDouble) -> None:
    """Lines are asked for by the hundred, and the next page by its token, until there is none."""
    path = f"{BASE}/carts/{CART}/cart-items"
    page = {"cartSummary": HEAD, "totalItemCount": 3}
    double.script(
        "GET",
        path,
        Answer(json={**page, "cartItems": [_item(1), _item(2)], "nextPageToken": "a b="}),
        Answer(json={**page, "cartItems": [_item(3)], "nextPageToken": None}),
    )
    asked = await store.carts.lines(CART)
    assert asked.value is not None
    assert [line.item_id for line in asked.value.lines] == [f"0a9{number:012d}AAA" for number in (1, 2, 3)]
    first, second = (parse_qs(urlsplit(request.target).query) for request in double.seen("GET", path))
    assert (first["pageSize"], second["page"]) == (["100"], ["a b="])


async def test_lines_that_salesforce_counts_and_does_not_tell_are_no_cart(
    store: Store, double: SalesforceDouble
) -> None:
    """A page with fewer lines than its total is not taken for the whole cart, nor is a page that points to itself."""
    path = f"{BASE}/carts/{CART}/cart-items"
    double.script("GET", path, Answer(json={"cartSummary": HEAD, "cartItems": [_item(1)], "totalItemCount": 2}))
    with pytest.raises(errors.MalformedReply, match="1 more"):
        await store.carts.lines(CART)
    other = f"{BASE}/carts/0a6000000000002AAA/cart-items"
    double.script("GET", other, Answer(json={"cartItems": [_item(1)], "nextPageToken": "x"}))
    with pytest.raises(errors.MalformedReply, match="already"):
        await store.carts.lines("0a6000000000002AAA")


async def test_what_is_computed_is_waited_for(store: Store, double: SalesforceDouble, clock: HandClock) -> None:
    """202 with Retry-After, 422, Processing and an empty page for a full cart all mean: ask again."""
    path = f"{BASE}/carts/{CART}/cart-items"
    double.script(
        "GET",
        path,
        Answer(status=202, json={"cartSummary": HEAD, "cartItems": []}, headers={"Retry-After": "3"}),
        Answer(status=422, json=[{"errorCode": "X", "message": "recalculating"}]),
        Answer(json={"cartSummary": HEAD | {"asyncOperationStatus": "Processing"}, "cartItems": [_item(1)]}),
        Answer(json={"cartSummary": HEAD, "cartItems": []}),
        Answer(json={"cartSummary": HEAD | {"asyncOperationStatus": "Completed"}, "cartItems": [_item(1, "2.0")]}),
    )
    began = clock.monotonic()
    asked = await store.carts.lines(CART, Patience(seconds=60))
    assert asked.value is not None
    assert asked.value.cart is not None
    assert (asked.pending, asked.value.cart.grand_total) == (False, Decimal("12.50"))
    assert len(double.requests) == 5
    assert clock.monotonic() - began >= 3


async def test_waiting_has_an_end(store: Store, double: SalesforceDouble) -> None:
    """When the time is over the cart is told as pending, and a 422 as a refusal."""
    double.script("GET", f"{BASE}/carts/{CART}", Answer(status=202, json=HEAD))
    cart = await store.carts.settled(CART, Patience(seconds=2))
    assert cart is not None
    assert cart.processing
    path = f"{BASE}/carts/{CART}/cart-items"
    double.script("GET", path, Answer(status=422, json=[{"errorCode": "X", "message": "recalculating"}]))
    with pytest.raises(errors.InvalidRequest):
        await store.carts.lines(CART, Patience(seconds=2))


@pytest.mark.parametrize(
    "none",
    [
        Answer(json={"cartId": None, "cartItems": [], "cartSummary": {"cartId": None}}),
        Answer(status=404, json=[{"errorCode": "MISSING_RECORD", "message": "no cart"}]),
        Answer(status=400, json=[{"errorCode": "MISSING_RECORD", "message": "no cart"}]),
    ],
)
async def test_there_may_be_no_cart(store: Store, double: SalesforceDouble, none: Answer) -> None:
    """An empty cart without id and either refusal mean the same, for the word `current` only."""
    for path in ("carts/current", "carts/current/cart-items"):
        double.script("GET", f"{BASE}/{path}", none)
    assert await store.carts.find() is None
    asked = await store.carts.lines("current")
    assert asked.value is not None
    assert (asked.value.cart, asked.value.lines, asked.pending) == (None, (), False)


async def test_a_store_that_is_not_there_is_not_an_empty_cart(store: Store, double: SalesforceDouble) -> None:
    """An unknown webstore or account is told as such."""
    gone = [{"errorCode": "WEBSTORE_NOT_FOUND", "message": "no store"}]
    double.script("GET", f"{BASE}/carts/current", Answer(status=404, json=gone))
    with pytest.raises(errors.UnknownWebstore):
        await store.carts.find()


async def test_an_addition_is_not_repeated_when_its_reply_is_lost(store: Store, double: SalesforceDouble) -> None:
    """A POST that may have been carried out is left to whoever can look; a PATCH and a DELETE are repeated."""
    items = f"{BASE}/carts/{CART}/cart-items"
    double.script("POST", items, Drop())
    with pytest.raises(errors.ConnectionFailed) as caught:
        await store.carts.add(CART, NewLine(product_id=PRODUCT, quantity=Decimal(1)))
    assert caught.value.sent
    assert len(double.seen("POST", items)) == 1
    double.script("PATCH", f"{items}/{ITEM}", Drop(), Answer(json=_item(1)["cartItem"]))
    await store.carts.change_line(CART, ITEM, Decimal(3))
    gone = [{"errorCode": "ITEM_NOT_FOUND", "message": "gone"}]
    double.script("DELETE", f"{items}/{ITEM}", Drop(), Answer(status=404, json=gone))
    await store.carts.remove_line(CART, ITEM)


async def test_a_batch_tells_each_line(store: Store, double: SalesforceDouble) -> None:
    """Lines are wrapped as `richInput`; refused ones carry their faults; another number of outcomes is an error."""
    path = f"{BASE}/carts/{CART}/cart-items/batch"
    refused = [{"errorCode": "INSUFFICIENT_ACCESS", "message": "no"}]
    results = [{"result": _item(1)["cartItem"], "statusCode": 201}, {"result": refused, "statusCode": 403}]
    double.script("POST", path, Answer(status=201, json={"hasErrors": True, "results": results}))
    lines = [NewLine(product_id=PRODUCT, quantity=Decimal(1), custom_fields={"Asset_Id__c": "02i"})] * 2
    good, bad = await store.carts.add_many(CART, lines)
    assert (good.succeeded, bad.succeeded, bad.faults[0].error_code) == (True, False, "INSUFFICIENT_ACCESS")
    sent = json.loads(double.requests[0].body)["inputs"][0]["richInput"]
    assert sent["customFields"] == [{"attributes": {"type": "CartItem"}, "Asset_Id__c": "02i"}]
    with pytest.raises(errors.MalformedReply):
        await store.carts.add_many(CART, lines[:1])
    with pytest.raises(ValueError, match="1 to 100"):
        await store.carts.add_many(CART, lines * 51)


@pytest.mark.parametrize(
    "body",
    [
        {"cartCoupons": {"cartCoupons": {"coupons": [{"cartCouponId": "4r0", "couponCode": "SAVE10"}]}}},
        {"cartCoupons": [{"cartCouponId": "4r0", "couponCode": "SAVE10"}]},
        {"cartCoupons": {"coupons": [{"cartCouponId": "4r0", "couponCode": "SAVE10"}]}},
    ],
)
async def test_lists_are_read_however_often_they_are_wrapped(
    store: Store, double: SalesforceDouble, body: dict[str, object]
) -> None:
    """The reference and what was seen differ: all of them are the same coupon."""
    double.script("GET", f"{BASE}/carts/{CART}/cart-coupons", Answer(json=body))
    assert [one.code for one in await store.carts.coupons(CART)] == ["SAVE10"]


async def test_errors_of_three_forms_are_typed(store: Store, double: SalesforceDouble) -> None:
    """A platform array, a checkout's `errors` and an OAuth object give code, words and class."""
    forms: list[tuple[int, object, type[errors.SalesforceError], str]] = [
        (400, [{"errorCode": "MAX_LIMIT_EXCEEDED", "message": "500"}], errors.CartLimitExceeded, "MAX_LIMIT_EXCEEDED"),
        (409, [{"errorCode": "CONFLICT", "message": "CHECKOUT_CONFLICT: x"}], errors.CheckoutConflict, "CONFLICT"),
        (
            400,
            {"errors": [{"type": "/commerce/errors/shipping-failure", "title": "t", "detail": "no carrier"}]},
            errors.InvalidRequest,
            "shipping-failure",
        ),
        (400, {"error": "invalid_grant", "error_description": "no"}, errors.InvalidRequest, "invalid_grant"),
    ]
    for number, (status, body, kind, code) in enumerate(forms):
        double.script("GET", f"{BASE}/carts/0a{number}", Answer(status=status, json=body))
        with pytest.raises(kind) as caught:
            await store.carts.find(f"0a{number}")
        assert (caught.value.error_code, bool(caught.value.sf_message)) == (code, True)


async def test_products_and_prices_of_every_shape_are_alike(store: Store, double: SalesforceDouble) -> None:
    """`{"value": ...}`, a name that is a field only, strings and numbers for money, and refused products."""
    double.script(
        "GET",
        f"{BASE}/products",
        Answer(
            json={
                "products": [
                    {
                        "id": PRODUCT,
                        "success": True,
                        "fields": {"Name": {"value": "Seal"}, "StockKeepingUnit": "MP-1"},
                        "purchaseQuantityRule": {"minimum": "10.0", "maximum": None, "increment": "5"},
                    },
                    {"id": "01t000000000002AAA", "success": False, "error": {"errorCode": "NOT_FOUND", "message": "x"}},
                ],
                "total": 2,
            }
        ),
    )
    seal, refused = await store.products.by_skus(["MP-1", "MP-2"])
    assert seal.product is not None
    assert (seal.product.name, seal.sku) == ("Seal", "MP-1")
    assert seal.product.rule is not None
    assert (seal.product.rule.minimum, seal.product.rule.maximum) == (Decimal(10), None)
    assert refused.product is None
    assert refused.fault is not None
    double.script(
        "POST",
        f"{BASE}/pricing/products",
        Answer(
            json={
                "currencyIsoCode": "EUR",
                "pricingLineItemResults": [
                    {"productId": PRODUCT, "unitPrice": 7.35, "listPrice": "8.65", "success": True},
                    {"productId": "x", "success": False, "unitPrice": "0", "error": {"errorCode": "NO", "message": ""}},
                ],
            }
        ),
    )
    prices = await store.prices.of([PRODUCT, "x"])
    assert (prices[PRODUCT].unit_price, prices[PRODUCT].list_price) == (Decimal("7.35"), Decimal("8.65"))
    assert (prices["x"].unit_price, prices["x"].currency) == (None, "EUR")
