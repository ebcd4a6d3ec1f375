"""Wishlists and addresses of buyers: their whole life, and that nobody reaches another's."""

from __future__ import annotations

from typing import Any

from orgbridge.emulator.commerce import world
from tests.support.commerce_org import ADMIN, APPROVER, BREMEN, KIEL, LYON
from tests.unit.emulator.commerce.conftest import Shop, code_of


def _make(shop: Shop, user: str, name: str = "Spares", *numbers: int, **rest: Any) -> dict[str, Any]:
    products = [{"productId": shop.product(number)} for number in numbers]
    reply = shop.store(user, "POST", "/wishlists", json={"name": name, "products": products}, **rest)
    assert reply.status_code == 201, reply.text
    return dict(reply.json())


def test_the_life_of_a_list(shop: Shop) -> None:
    """Made with products, shown, renamed, filled, emptied, deleted; prices are numbers here."""
    made = _make(shop, KIEL, "Spares", 1, 10)
    path = f"/wishlists/{made['summary']['id']}"
    assert made["summary"]["wishlistProductCount"] == 2
    first = made["page"]["items"][-1]
    assert first["productSummary"]["sku"] == "MP-0001"
    assert first["salesPrice"] == world.agreed_price(1, world.GROUPS[0])
    assert first["listPrice"] == world.list_price(1, "Machine Parts EU")
    assert shop.store(KIEL, "PATCH", path, json={"name": "Line 1"}).json()["name"] == "Line 1"
    assert code_of(shop.store(KIEL, "PATCH", path, json={"name": "x"}, version=49)) == (404, "NOT_FOUND")
    added = shop.store(KIEL, "POST", f"{path}/wishlist-items", json={"productId": shop.product(2)})
    assert added.status_code == 201
    again = shop.store(KIEL, "POST", f"{path}/wishlist-items", json={"productId": shop.product(2)})
    assert again.json()["wishlistItemId"] == added.json()["wishlistItemId"]
    item = f"{path}/wishlist-items/{added.json()['wishlistItemId']}"
    assert shop.store(KIEL, "DELETE", item).status_code == 204
    assert code_of(shop.store(KIEL, "DELETE", item)) == (404, "MISSING_RECORD")
    body = shop.store(KIEL, "GET", "/wishlists?includeDisplayedList=true&productFields=Family").json()
    assert body["wishlistCount"] == 1
    assert body["displayedList"]["page"]["items"][0]["productSummary"]["fields"] == {"Family": "Spare Parts"}
    assert shop.store(KIEL, "DELETE", path).status_code == 204
    assert code_of(shop.store(KIEL, "GET", path)) == (404, "MISSING_RECORD")


def test_lists_come_in_pages(shop: Shop) -> None:
    """Tokens lead from one page to the next and back; sizes and tokens out of bounds are refused."""
    made = _make(shop, KIEL, "Long", *range(1, 6))
    path = f"/wishlists/{made['summary']['id']}/wishlist-items"
    seen: list[str] = []
    url = f"{path}?pageSize=2&sortItemsBy=CreatedDateAsc"
    page = shop.store(KIEL, "GET", url).json()
    while True:
        seen += [one["productSummary"]["sku"] for one in page["items"]]
        if page["nextPageUrl"] is None:
            break
        page = shop.http.get(page["nextPageUrl"], headers={"Authorization": f"Bearer {shop.token(KIEL)}"}).json()
    assert seen == ["MP-0001", "MP-0002", "MP-0003", "MP-0004", "MP-0005"]
    assert page["previousPageToken"] is not None
    for query in ("pageSize=0", "pageSize=201", "page=x", "page=cC0x", "sortItemsBy=Name"):
        assert code_of(shop.store(KIEL, "GET", f"{path}?{query}")) == (400, "INVALID_API_INPUT"), query


def test_a_list_is_its_owners_for_one_account(shop: Shop) -> None:
    """Not a colleague's, not the administrator's, and not the same user's for another account."""
    path = f"/wishlists/{_make(shop, KIEL)['summary']['id']}"
    for user, query in ((BREMEN, ""), (LYON, ""), (ADMIN, f"?effectiveAccountId={shop.account('ACC-110')}")):
        for method in ("GET", "DELETE"):
            assert code_of(shop.store(user, method, path + query)) == (404, "MISSING_RECORD"), user
    one, other = (f"?effectiveAccountId={shop.account(key)}" for key in ("ACC-110", "ACC-120"))
    body = shop.store(APPROVER, "POST", f"/wishlists{one}", json={"name": "For Kiel"})
    assert body.status_code == 201
    assert shop.store(APPROVER, "GET", f"/wishlists{one}").json()["wishlistCount"] == 1
    assert shop.store(APPROVER, "GET", f"/wishlists{other}").json()["wishlistCount"] == 0


def test_what_cannot_be_seen_cannot_be_wished(shop: Shop) -> None:
    """One product that is not to be seen refuses the whole list; names must be there and differ."""
    products = [{"productId": shop.product(1)}, {"productId": shop.product(1900)}]
    reply = shop.store(KIEL, "POST", "/wishlists", json={"name": "Bad", "products": products})
    assert code_of(reply) == (404, "MISSING_RECORD")
    assert shop.store(KIEL, "GET", "/wishlists").json()["wishlistCount"] == 0
    _make(shop, KIEL, "Spares")
    for body in ({"name": "spares"}, {"name": " "}, {}):
        assert code_of(shop.store(KIEL, "POST", "/wishlists", json=body)) == (400, "INVALID_API_INPUT")


def test_a_product_that_went_away_keeps_its_line(shop: Shop) -> None:
    """The line says so, and the list has errors."""
    made = _make(shop, KIEL, "Spares", 1)
    retired = shop.call(ADMIN, "PATCH", f"/sobjects/Product2/{shop.product(1)}", json={"IsActive": False})
    assert retired.status_code == 204
    page = shop.store(KIEL, "GET", f"/wishlists/{made['summary']['id']}").json()["page"]
    assert page["hasErrors"] is True
    assert page["items"][0]["error"]["errorCode"] == "MISSING_RECORD"
    assert page["items"][0]["productSummary"] is None
    assert page["items"][0]["salesPrice"] is None


def test_a_list_goes_into_a_cart_and_back(shop: Shop) -> None:
    """What can be had goes in, with the least quantity; the rest is told beside it."""
    made = _make(shop, KIEL, "Spares", 1, 2, 10)
    path = f"/wishlists/{made['summary']['id']}"
    retired = shop.call(ADMIN, "PATCH", f"/sobjects/Product2/{shop.product(2)}", json={"IsActive": False})
    assert retired.status_code == 204
    body = shop.store(KIEL, "POST", f"{path}/actions/add-wishlist-to-cart").json()
    counts = tuple(body[f"products{name}Count"] for name in ("Requested", "Succeeded", "Failed"))
    assert counts == (3, 2, 1)
    assert body["failedWishlistToCartItems"][0]["cartItem"]["productId"] == shop.product(2)
    quantities = {
        one["cartItem"]["productId"]: float(one["cartItem"]["quantity"]) for one in body["succeededWishlistToCartItems"]
    }
    assert quantities == {shop.product(1): 1.0, shop.product(10): 10.0}
    other = _make(shop, KIEL, "Copy", 1)["summary"]["id"]
    back = shop.store(
        KIEL, "POST", f"/carts/{body['cartId']}/actions/add-cart-to-wishlist", json={"wishlistId": other}
    ).json()
    assert back == {"productsAddedCount": 1, "wishlistId": other}


def _addresses(shop: Shop, user: str, key: str, query: str = "", **rest: Any) -> Any:
    return shop.store(user, "GET", f"/accounts/{shop.account(key)}/addresses{query}", **rest)


def test_the_life_of_an_address(shop: Shop) -> None:
    """A new default takes the place of the former one of its type."""
    path = f"/accounts/{shop.account('ACC-110')}/addresses"
    given = {"name": "Dock 2", "addressType": "Shipping", "street": "Kai 2\nTor 4", "city": "Kiel", "country": "DE"}
    made = shop.store(KIEL, "POST", path, json={**given, "postalCode": "24103", "isDefault": True})
    assert made.status_code == 201
    address = made.json()["addressId"]
    defaults = _addresses(shop, KIEL, "ACC-110", "?defaultOnly=true&addressType=Shipping").json()["items"]
    assert [one["addressId"] for one in defaults] == [address]
    changed = shop.store(KIEL, "PATCH", f"{path}/{address}", json={"name": "Dock 3"}).json()
    assert (changed["name"], changed["street"]) == ("Dock 3", "Kai 2\nTor 4")
    names = [one["name"] for one in _addresses(shop, KIEL, "ACC-110", "?sortOrder=NameAsc").json()["items"]]
    assert names == ["Dock 3", "Nordmühle Werk Kiel (Billing)", "Nordmühle Werk Kiel (Shipping)"]
    assert shop.store(KIEL, "DELETE", f"{path}/{address}").status_code == 204
    assert code_of(shop.store(KIEL, "DELETE", f"{path}/{address}")) == (404, "MISSING_RECORD")


def test_addresses_know_their_versions(shop: Shop) -> None:
    """Codes of country and region were apart until v58 and go before the names."""
    path = f"/accounts/{shop.account('ACC-110')}/addresses"
    old = shop.store(KIEL, "POST", path, json={"name": "x", "countryCode": "DE"}, version=56).json()
    assert (old["country"], old["countryCode"]) == ("DE", "DE")
    assert "companyName" not in old
    assert "countryCode" not in _addresses(shop, KIEL, "ACC-110", version=59).json()["items"][0]
    assert code_of(_addresses(shop, KIEL, "ACC-110", version=53)) == (404, "NOT_FOUND")


def test_nobody_reaches_anothers_addresses(shop: Shop) -> None:
    """Neither by the account of the path nor by the id of an address below the own account."""
    (one, _) = _addresses(shop, LYON, "ACC-210").json()["items"]
    assert code_of(_addresses(shop, KIEL, "ACC-210")) == (403, "INSUFFICIENT_ACCESS")
    own = f"/accounts/{shop.account('ACC-110')}/addresses/{one['addressId']}"
    for method, body in (("PATCH", {"json": {"name": "mine"}}), ("DELETE", {})):
        assert code_of(shop.store(KIEL, method, own, **body)) == (404, "MISSING_RECORD")
    assert _addresses(shop, KIEL, "ACC-110", f"?addressId={one['addressId']}").json()["items"] == []


def test_bad_addresses_are_refused(shop: Shop) -> None:
    """A name is needed, types and orders are known words, unknown properties are none."""
    path = f"/accounts/{shop.account('ACC-110')}/addresses"
    for body in ({"city": "Kiel"}, {"name": "x", "addressType": "Home"}):
        assert code_of(shop.store(KIEL, "POST", path, json=body)) == (400, "INVALID_API_INPUT")
    assert code_of(shop.store(KIEL, "POST", path, json={"nam": "x"})) == (400, "JSON_PARSER_ERROR")
    for query in ("?addressType=Home", "?sortOrder=CityAsc", "?pageSize=101"):
        assert code_of(_addresses(shop, KIEL, "ACC-110", query)) == (400, "INVALID_API_INPUT")
