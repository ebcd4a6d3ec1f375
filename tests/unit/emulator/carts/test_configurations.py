"""Saved configurations, and lines of carts that are configured by them."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from httpx2 import Response

from tests.unit.emulator.carts.shops import ADMIN, BREMEN, Shop, check_out, error_of, money, place

_SAVED = "/connect/cpq/configurator/saved-configuration"
_MACHINE, _BLADE, _BELT = 30, 31, 32
_ROWS = "SELECT Id, Product2Id, Quantity, SalesPrice, ParentCartItemId FROM CartItem WHERE Type = 'Product' ORDER BY Id"


@pytest.fixture
def bundle(shop: Shop) -> Shop:
    """A shop with a configurable product: a blade in its price, and belts that cost."""
    return _with_bundle(shop)


def _with_bundle(shop: Shop) -> Shop:
    shop.change("Product2", shop.product(_MACHINE), ConfigureDuringSale="Allowed")
    kind = {"Name": "Bundle", "MainProductRoleCat": "Bundle", "AssociatedProductRoleCat": "BundleComponent"}
    kind_id = shop.call("POST", "/sobjects/ProductRelationshipType", json=kind, user=ADMIN).json()["id"]
    shared = {"ParentProductId": shop.product(_MACHINE), "ProductRelationshipTypeId": kind_id}
    blade = {"IsComponentRequired": True, "DoesBundlePriceIncludeChild": True, "Quantity": 2}
    belt = {"IsQuantityEditable": True, "MinQuantity": 1, "MaxQuantity": 4, "QuantityScaleMethod": "Constant"}
    for number, fields in ((_BLADE, blade), (_BELT, belt)):
        row = {**shared, **fields, "ChildProductId": shop.product(number)}
        assert shop.call("POST", "/sobjects/ProductRelatedComponent", json=row, user=ADMIN).status_code == 201
    return shop


def _data(shop: Shop, *parts: tuple[int, object], quantity: object = None, **attributes: object) -> dict[str, Any]:
    return {
        "Product": shop.product(_MACHINE),
        "Quantity": quantity,
        "SalesTransactionItemAttribute": [
            {"AttributeName": name, "AttributeValue": value} for name, value in attributes.items()
        ],
        "SalesTransactionItem": [{"Product": shop.product(number), "Quantity": many} for number, many in parts],
    }


def _save(shop: Shop, data: object, **rest: Any) -> str:
    body = {"name": "Mine", "referenceRecordId": shop.product(_MACHINE), "data": json.dumps(data)}
    reply = shop.call("POST", _SAVED, json=body, **{"version": 66, **rest})
    assert (reply.status_code, reply.json()["errors"]) == (201, []), reply.text
    return str(reply.json()["id"])


def _apply(shop: Shop, line: str, configuration: str, **rest: Any) -> Response:
    body = {"cartItemId": line, "configurationId": configuration}
    path = "WS/carts/current/cart-items/actions/apply-configuration"
    return shop.call("POST", path, json=body, **{"version": 66, **rest})


def _configured(shop: Shop, quantity: int = 3) -> str:
    line = shop.add(_MACHINE, quantity)["cartItemId"]
    reply = _apply(shop, line, _save(shop, _data(shop, (_BLADE, None), (_BELT, 3), Colour="Blue")))
    assert reply.status_code == 200, reply.text
    return str(line)


def test_a_configuration_makes_the_line_what_it_says(bundle: Shop) -> None:
    """Parts are lines below it, scaled and priced as their components say; attributes are rows of their own."""
    plain = bundle.add(_MACHINE, 3)
    belt = money(bundle.add(_BELT)["salesPrice"])
    bundle.call("DELETE", "WS/carts/current")
    line = _configured(bundle)
    own, blade, belts = bundle.query(_ROWS)
    assert (own["Id"], own["Quantity"], own["ParentCartItemId"]) == (line, 3.0, None)
    assert (blade["Quantity"], blade["SalesPrice"], blade["ParentCartItemId"]) == (6.0, 0.0, line)
    assert (belts["Quantity"], money(belts["SalesPrice"]), belts["ParentCartItemId"]) == (3.0, belt, line)
    found = bundle.query("SELECT AttributeName, AttributeValue, CartItemId FROM CartItemAttribute")
    assert [(one["AttributeName"], one["AttributeValue"], one["CartItemId"]) for one in found] == [
        ("Colour", "Blue", line)
    ]
    cart = bundle.cart()
    assert money(cart["totalProductAmount"]) == money(plain["totalPrice"]) + 3 * belt
    assert (cart["totalProductCount"], cart["uniqueProductCount"]) == ("3.0", 1)
    items = bundle.call("GET", "WS/carts/current/cart-items", version=66).json()["cartItems"]
    shown = {one["cartItem"]["cartItemId"]: one["cartItem"] for one in items}
    assert (shown[line]["childProductCount"], shown[line]["productClass"]) == (2, "Bundle")
    assert shown[line]["productDetails"]["isConfigurationAllowed"] is True
    assert shown[blade["Id"]]["parentCartItemId"] == line


def test_another_configuration_takes_the_place_of_the_first(bundle: Shop) -> None:
    """Former parts and attributes are gone, and a quantity that the configuration names is the line's."""
    line = _configured(bundle)
    again = _save(bundle, _data(bundle, (_BLADE, 2), quantity=5, Speed=7))
    assert _apply(bundle, line, again).json()["quantity"] == "5.0"
    rows = bundle.query(_ROWS)
    assert [(row["Product2Id"], row["Quantity"]) for row in rows] == [
        (bundle.product(_MACHINE), 5.0),
        (bundle.product(_BLADE), 10.0),
    ]
    found = bundle.query("SELECT AttributeName, AttributeValue FROM CartItemAttribute")
    assert [(one["AttributeName"], one["AttributeValue"]) for one in found] == [("Speed", "7")]


def test_parts_follow_their_line(bundle: Shop) -> None:
    """More pieces of the line are more of its proportional parts; without the line there are none of its parts."""
    line = _configured(bundle)
    changed = bundle.call("PATCH", f"WS/carts/current/cart-items/{line}", json={"quantity": 4})
    assert changed.status_code == 200
    assert [row["Quantity"] for row in bundle.query(_ROWS)] == [4.0, 8.0, 3.0]
    bundle.add(_MACHINE)
    assert len(bundle.query(_ROWS)) == 4
    assert bundle.call("DELETE", f"WS/carts/current/cart-items/{line}").status_code == 204
    assert [row["Quantity"] for row in bundle.query(_ROWS)] == [1.0]
    assert bundle.query("SELECT Id FROM CartItemAttribute") == []


def test_a_part_is_changed_by_configuring_alone(bundle: Shop) -> None:
    """It is neither changed nor removed nor configured by itself, and the bundle is not split between groups."""
    line = _configured(bundle)
    part = bundle.query(_ROWS)[1]["Id"]
    path = f"WS/carts/current/cart-items/{part}"
    assert error_of(bundle.call("PATCH", path, json={"quantity": 1})) == (400, "INVALID_API_INPUT")
    assert error_of(bundle.call("DELETE", path)) == (400, "INVALID_API_INPUT")
    saved = _save(bundle, _data(bundle, (_BLADE, 2)))
    assert error_of(_apply(bundle, part, saved)) == (400, "INVALID_API_INPUT")
    address = {"name": "Lager", "street": "Rue 1", "city": "Paris", "country": "FR"}
    move = {"cartItemId": line, "deliveryGroupName": "P", "deliveryAddress": address, "quantity": "1"}
    groups = "WS/carts/current/delivery-groups/actions/arrange-items"
    assert bundle.call("POST", groups, json={"arrangements": [move]}).status_code == 400
    move["quantity"] = "3"
    assert bundle.call("POST", groups, json={"arrangements": [move]}).status_code == 202
    assert len({one["CartDeliveryGroupId"] for one in bundle.query("SELECT CartDeliveryGroupId FROM CartItem")}) == 1
    assert [row["Quantity"] for row in bundle.query(_ROWS)] == [3.0, 6.0, 3.0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"parts": ()},
        {"parts": ((_BLADE, 3),)},
        {"parts": ((_BLADE, 2), (_BELT, 5))},
        {"parts": ((_BLADE, 2), (_BELT, 0.5))},
        {"parts": ((_BLADE, 2), (33, 1))},
        {"parts": ((_BLADE, 2), (_BLADE, 2))},
        {"parts": ((_BLADE, 2),), "quantity": 0},
        {"parts": ((_BLADE, 2),), "quantity": 1.5},
        {"parts": ((_BLADE, 2),), "product": 31},
        {"parts": ((_BLADE, 2),), "attribute": {"AttributeValue": "x"}},
        {"parts": ((_BLADE, 2),), "attribute": {"AttributeName": "x", "AttributeValue": "y" * 151}},
    ],
)
def test_what_does_not_fit_changes_nothing(bundle: Shop, wrong: dict[str, Any]) -> None:
    """A part that is missing, unknown, twice or too many, a wrong product or quantity: the line stays as it was."""
    line = _configured(bundle)
    before = bundle.query(_ROWS)
    data = _data(bundle, *wrong["parts"], quantity=wrong.get("quantity"))
    if "product" in wrong:
        data["Product"] = bundle.product(wrong["product"])
    if "attribute" in wrong:
        data["SalesTransactionItemAttribute"] = [wrong["attribute"]]
    assert error_of(_apply(bundle, line, _save(bundle, data))) == (400, "INVALID_API_INPUT")
    assert bundle.query(_ROWS) == before


def test_who_may_configure_what(bundle: Shop) -> None:
    """Only a configurable product, only with a configuration that the buyer sees, from 66 on, and parts to be had."""
    line = bundle.add(_MACHINE)["cartItemId"]
    data = _data(bundle, (_BLADE, 2))
    assert error_of(_apply(bundle, line, _save(bundle, data, user=BREMEN))) == (404, "MISSING_RECORD")
    saved = _save(bundle, data, user=ADMIN)
    assert _apply(bundle, line, saved, version=65).status_code == 404
    assert _apply(bundle, line, saved).status_code == 200
    bundle.change("Product2", bundle.product(_BLADE), IsActive=False)
    assert error_of(_apply(bundle, line, saved)) == (403, "INSUFFICIENT_ACCESS")
    other = bundle.add(1)["cartItemId"]
    wrong = _save(bundle, {"Product": bundle.product(1)})
    assert error_of(_apply(bundle, other, wrong)) == (400, "INVALID_API_INPUT")
    assert error_of(_apply(bundle, "0a9000000000000AAA", wrong)) == (404, "ITEM_NOT_FOUND")


def test_a_fast_store_works_it_out_later(bundle: Shop) -> None:
    """202 with Retry-After, and the prices once the cart is settled."""
    line = bundle.add(_MACHINE)["cartItemId"]
    saved = _save(bundle, _data(bundle, (_BLADE, 2), (_BELT, 1)))
    bundle.fast_add()
    reply = _apply(bundle, line, saved)
    assert (reply.status_code, reply.headers["Retry-After"]) == (202, "1")
    assert reply.headers["Location"].endswith("/cart-items")
    before = money(reply.json()["totalPrice"])
    assert money(bundle.cart()["totalProductAmount"]) > before


def test_attributes_and_parts_go_into_the_order(bundle: Shop) -> None:
    """The order has an item for each part, and the line's attributes."""
    _configured(bundle)
    place(bundle, check_out(bundle))
    found = bundle.query("SELECT AttributeName, AttributeValue, OrderItem.Quantity FROM OrderItemAttribute")
    assert [(one["AttributeValue"], one["OrderItem"]["Quantity"]) for one in found] == [("Blue", 3.0)]
    order = bundle.query("SELECT Id FROM Order ORDER BY Id DESC LIMIT 1")[0]["Id"]
    items = bundle.query(f"SELECT Quantity FROM OrderItem WHERE OrderId = '{order}' AND Type = 'Order Product'")
    assert sorted(one["Quantity"] for one in items) == [3.0, 3.0, 6.0]


def test_a_bundle_is_quoted_and_bought_with_its_parts(bundle: Shop) -> None:
    """Its quote says which lines are parts and keeps the attributes; bought, the cart is as it was."""
    _configured(bundle)
    total = bundle.cart()["totalProductAmount"]
    body = {"additionalFields": {}, "deleteCart": True}
    quote = bundle.call("POST", "WS/carts/current/quotes", json=body, version=66).json()["quoteId"]
    relations = bundle.query("SELECT AssociatedQuoteLinePricing FROM QuoteLineRelationship ORDER BY Id")
    assert [one["AssociatedQuoteLinePricing"] for one in relations] == [
        "IncludedInBundlePrice",
        "NotIncludedInBundlePrice",
    ]
    assert bundle.query("SELECT AttributeValue FROM QuoteLineItemAttribute")[0]["AttributeValue"] == "Blue"
    for operation, status in (("DUPLICATE_TO_CART", "Draft"), ("CONVERT_TO_CART", "Approved")):
        bundle.change("Quote", quote, Status=status)
        reply = bundle.call("POST", f"WS/quotes/{quote}/cart", json={"operationType": operation}, version=67)
        assert reply.status_code == 201, reply.text
        assert bundle.cart()["totalProductAmount"] == total
        own, *parts = bundle.query(_ROWS)
        assert [part["ParentCartItemId"] for part in parts] == [own["Id"]] * 2
        assert bundle.query("SELECT AttributeValue FROM CartItemAttribute")[0]["AttributeValue"] == "Blue"
        assert bundle.call("DELETE", "WS/carts/current").status_code == 204


def test_configurations_are_kept_for_a_record(shop: Shop) -> None:
    """A user lists, changes and removes what the same user saved; what the org's own users saved everybody sees."""
    product = shop.product(_MACHINE)
    mine, shared = _save(shop, {"Product": product}), _save(shop, {"Product": product, "Quantity": 2}, user=ADMIN)
    query = {"referenceRecordId": product}
    listed = shop.call("GET", _SAVED, params=query, version=63).json()
    assert [one["id"] for one in listed["savedConfigurations"]] == [mine, shared]
    assert shared.startswith("1Ny")
    others = shop.call("GET", _SAVED, params=query, user=BREMEN, version=63).json()
    assert [one["id"] for one in others["savedConfigurations"]] == [shared]
    body = {"name": "New", "description": "Text", "data": json.dumps({"Quantity": 9})}
    assert shop.call("PUT", f"{_SAVED}/{mine}", json=body, version=63).json() == {"errors": [], "success": True}
    first = shop.call("GET", _SAVED, params=query, version=63).json()["savedConfigurations"][0]
    assert (first["name"], json.loads(first["data"])) == ("New", {"Quantity": 9})
    assert shop.call("PUT", f"{_SAVED}/{shared}", json=body, version=63).status_code == 404
    assert shop.call("DELETE", f"{_SAVED}/{shared}", version=63).status_code == 404
    assert shop.call("DELETE", f"{_SAVED}/{mine}", version=63).status_code == 204
    assert shop.call("DELETE", f"{_SAVED}/{mine}", version=63).status_code == 404
    assert shop.call("GET", _SAVED, params=query, version=62).status_code == 404


def test_a_configuration_needs_a_record_and_an_object(shop: Shop) -> None:
    """What is saved for no record, or is no JSON object, is told in `errors` and not kept."""
    for body in ({"referenceRecordId": "x"}, {"referenceRecordId": "01t000000000000AAA"}, {}):
        reply = shop.call("POST", _SAVED, json=body, version=63)
        assert (reply.status_code, reply.json()["errors"][0]["message"]) == (400, "INVALID_REFERENCEOBJECTID")
    body = {"referenceRecordId": shop.product(1), "data": "[1]"}
    reply = shop.call("POST", _SAVED, json=body, version=63)
    assert (reply.status_code, reply.json()["errors"][0]["message"]) == (400, "INVALID_DATA")
    query = {"referenceRecordId": shop.product(1)}
    assert shop.call("GET", _SAVED, params=query, version=63).json()["savedConfigurations"] == []


def test_an_org_without_revenue_cloud(make_shop: Callable[..., Shop]) -> None:
    """Nothing is configured there, and nothing saved."""
    shop = make_shop(revenue_cloud=False, stock={"MP-0002": Decimal(1)})
    line = shop.add(1)["cartItemId"]
    assert error_of(_apply(shop, line, "1Ny000000000001AAA")) == (403, "API_DISABLED_FOR_ORG")
    assert shop.call("POST", _SAVED, json={"referenceRecordId": shop.product(1)}, version=66).status_code == 404
