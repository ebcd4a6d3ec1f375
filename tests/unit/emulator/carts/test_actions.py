"""Delivery groups, and what is done with whole carts."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from tests.unit.emulator.carts.shops import ADMIN, KIEL, Shop, check_out, error_of, money

_PARIS = {"name": "Lager", "street": "Rue 1", "city": "Paris", "country": "FR"}


def test_pieces_of_a_line_go_to_another_group(shop: Shop) -> None:
    """Part of a line becomes a line of the other group, taxed where it goes; nothing is lost on the way."""
    line = shop.add(1, 5)["cartItemId"]
    group = shop.call("POST", "WS/carts/active/delivery-groups", json={"name": "Paris", "deliveryAddress": _PARIS})
    assert group.status_code == 201
    move = {"cartItemId": line, "deliveryGroupId": group.json()["id"], "quantity": "2"}
    path = "WS/carts/active/delivery-groups/actions/arrange-items"
    assert shop.call("POST", path, json={"arrangements": [move]}).status_code == 202
    rows = shop.query("SELECT Quantity, CartDeliveryGroupId, TotalTaxAmount, TotalPrice FROM CartItem ORDER BY Id")
    assert [row["Quantity"] for row in rows] == [3.0, 2.0]
    assert money(rows[1]["TotalTaxAmount"]) == (money(rows[1]["TotalPrice"]) / 5).quantize(Decimal("0.01"))
    assert shop.cart()["totalProductCount"] == "5.0"
    assert shop.call("DELETE", f"WS/carts/active/delivery-groups/{group.json()['id']}").status_code == 204
    assert shop.call("GET", "WS/carts/active/delivery-groups").json()["count"] == 1
    assert shop.cart()["totalProductCount"] == "5.0"


def test_more_pieces_than_there_are_do_not_move(shop: Shop) -> None:
    """The whole arrangement is refused and nothing of it is kept."""
    line = shop.add(1, 2)["cartItemId"]
    moves = [{"cartItemId": line, "deliveryGroupName": "Other", "deliveryAddress": _PARIS, "quantity": "3"}]
    path = "WS/carts/active/delivery-groups/actions/arrange-items"
    assert shop.call("POST", path, json={"arrangements": moves}).status_code == 400
    assert shop.call("GET", "WS/carts/active/delivery-groups").json()["count"] == 1


def test_a_cart_goes_on_a_wishlist_once(shop: Shop) -> None:
    """Products that are on the list already are not added again; another's list is missing."""
    shop.add(1)
    shop.add(2)
    row = {"Name": "L", "AccountId": shop.account("ACC-110"), "WebStoreId": shop.store()}
    owner = shop.query(f"SELECT Id FROM User WHERE Username = '{KIEL}'")[0]["Id"]
    own = shop.call("POST", "/sobjects/Wishlist", json={**row, "OwnerId": owner}, user=ADMIN).json()["id"]
    foreign = shop.call("POST", "/sobjects/Wishlist", json=row, user=ADMIN).json()["id"]
    path = "WS/carts/active/actions/add-cart-to-wishlist"
    counts = [shop.call("POST", path, json={"wishlistId": own}).json()["productsAddedCount"] for _ in range(2)]
    assert counts == [2, 0]
    assert error_of(shop.call("POST", path, json={"wishlistId": foreign})) == (404, "MISSING_RECORD")


def test_evaluating_taxes_changes_nothing(shop: Shop) -> None:
    """The reply tells the tax of the address; the cart is as it was."""
    shop.add(1, 3)
    before = shop.cart(version=63)
    body = {"shippingAddress": _PARIS}
    reply = shop.call("POST", "WS/carts/active/actions/evaluate-taxes", json=body, version=63).json()
    assert money(reply["data"]["totalTaxAmount"]) > 0
    assert shop.cart(version=63) == before


def test_calculating_takes_a_while_in_a_fast_store(shop: Shop) -> None:
    """202 with Processing, then the settled cart."""
    shop.add(1)
    shop.fast_add()
    reply = shop.call("POST", "WS/carts/active/actions/calculate")
    assert (reply.status_code, reply.json()["status"]) == (202, "Processing")
    assert shop.cart()["asyncOperationStatus"] == "Completed"


def test_a_reservation_is_for_all_or_none(make_shop: Callable[..., Shop]) -> None:
    """Where one product is short nothing is reserved, and that product is named."""
    shop = make_shop(stock={"MP-0002": Decimal(1)})
    shop.add(1)
    path, body = "WS/carts/active/inventory-reservations", {"durationInSeconds": 100}
    assert shop.call("PUT", path, json=body).json()["success"] is True
    shop.add(2, 5)
    reply = shop.call("PUT", path, json=body).json()
    assert reply["success"] is False
    assert [one["errorCode"] for one in reply["inventoryItemReservations"]] == [None, "INSUFFICIENT_INVENTORY"]
    assert shop.query("SELECT InventoryReservationIdentifier FROM WebCart")[0]["InventoryReservationIdentifier"] is None
    assert shop.call("PUT", path, json=body, version=64).status_code == 404


def test_messages_can_be_hidden(shop: Shop) -> None:
    """They stay in the cart, and say that they are not visible."""
    shop.fast_add()
    shop.add(10, 3)
    shop.cart()
    reply = shop.call("POST", "WS/carts/active/messages/actions/set-visibility", json={"visibility": "false"})
    assert reply.json() == {"visibility": False}
    items = shop.call("GET", "WS/carts/active/cart-items").json()["cartItems"]
    assert items[0]["cartItem"]["messagesSummary"]["limitedMessages"][0]["visible"] is False


def test_products_of_a_cart_come_with_their_lines(shop: Shop) -> None:
    """One product in two groups is one product with two lines."""
    line = shop.add(1, 5)["cartItemId"]
    shop.add(2)
    move = {"cartItemId": line, "deliveryGroupName": "Paris", "deliveryAddress": _PARIS, "quantity": "2"}
    shop.call("POST", "WS/carts/active/delivery-groups/actions/arrange-items", json={"arrangements": [move]})
    body = shop.call("GET", "WS/carts/active/products").json()
    assert (body["totalItemCount"], len(body["products"][0]["cartItems"])) == (2, 2)
    one = shop.call("GET", f"WS/carts/active/products/{shop.product(2)}").json()
    assert one["product"]["sku"] == "MP-0002"
    assert shop.call("GET", f"WS/carts/active/products/{shop.product(3)}").status_code == 404


def test_a_guests_cart_is_taken_over(shop: Shop) -> None:
    """The lines and coupons of a guest's cart go into a new primary cart; the guest's is deleted, the old one kept."""
    old = shop.add(3)["cartId"]
    guest = shop.add(1, 4)["cartId"]
    shop.change("WebCart", old, IsSecondary=False)
    made = shop.call("POST", "WS/carts", json={"name": "guest"}).json()["cartId"]
    shop.add(2, 4)
    shop.change("WebCart", made, AccountId=None)
    store = shop.store()
    cookie = {"Cookie": f"GuestCartSessionId_{store}={made}"}
    token = {"Authorization": f"Bearer {shop.token(KIEL)}"}
    url = f"/services/data/v62.0/commerce/webstores/{store}/carts/current/actions/preserve"
    reply = shop.http.post(url, headers={**cookie, **token})
    assert reply.status_code == 201, reply.text
    assert reply.json()["numberOfProductsWithSuccess"] == 1
    cart = shop.cart("current")
    assert (cart["cartId"], cart["totalProductCount"]) == (reply.json()["cartId"], "4.0")
    assert shop.query(f"SELECT Id FROM WebCart WHERE Id = '{made}'") == []
    assert shop.cart(guest)["isSecondary"] is True
    again = shop.http.post(url, headers={**cookie, **token})
    assert (again.status_code, again.content) == (200, b"")


def test_a_template_is_copied_to_be_paid(shop: Shop) -> None:
    """The copy has the lines at the buyer's prices, and nobody can change it."""
    kiel = shop.account("ACC-110")
    body = {"type": "Template", "name": "Kit"}
    template = shop.call("POST", f"WS/carts?effectiveAccountId={kiel}", json=body, user=ADMIN).json()
    line = {"productId": shop.product(1), "quantity": 3, "type": "Product"}
    path = f"WS/carts/{template['cartId']}/cart-items?effectiveAccountId={kiel}"
    assert shop.call("POST", path, json=line, user=ADMIN).status_code == 201
    copy = shop.call("POST", f"WS/carts/{template['cartId']}/actions/clone?targetType=PayNowReadOnly")
    assert copy.status_code == 201, copy.text
    assert (copy.json()["type"], copy.json()["totalProductCount"]) == ("PayNowReadOnly", "3.0")
    assert money(copy.json()["grandTotalAmount"]) > 0
    reply = shop.call("POST", f"WS/carts/{copy.json()['cartId']}/cart-items", json=line)
    assert error_of(reply) == (400, "INVALID_CART_STATUS")


def test_with_cart_cleanup_a_checkout_outlives_edits(make_shop: Callable[..., Shop]) -> None:
    """The cart stays in Checkout when a line is added, and the checkout can still be found."""
    shop = make_shop(cart_cleanup=True)
    shop.add(1)
    checkout = check_out(shop)
    shop.add(2, cart="current")
    assert shop.cart("current")["status"] == "Checkout"
    assert shop.call("GET", f"WS/checkouts/{checkout}").status_code in (200, 202)
