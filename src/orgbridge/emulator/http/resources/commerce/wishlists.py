"""Wishlists of a buyer: rows of Wishlist and WishlistItem that belong to the user and the effective account.

Source: facts/commerce/catalog.md section 4. Assumed: 500 products in a list, 100 lists; a product twice in a list is
one line; a name that is taken by another list of the buyer is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import Response

from orgbridge.emulator.commerce import versions
from orgbridge.emulator.commerce.catalog import field_texts, products_of, quantity_rules
from orgbridge.emulator.commerce.contexts import BuyerContext
from orgbridge.emulator.commerce.entitlements import product_id_of, rights_of
from orgbridge.emulator.commerce.pricing import prices_of
from orgbridge.emulator.commerce.versions import Shape
from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.resources.commerce import bodies, paging
from orgbridge.emulator.http.resources.commerce.buyers import WS, flag, need_version, reading, words, writing
from orgbridge.emulator.http.resources.commerce.products import seen_product
from orgbridge.emulator.http.resources.commerce.rowsaving import delete_rows, insert_row, update_row
from orgbridge.emulator.http.routing import Route
from orgbridge.emulator.storage.database import Connection
from orgbridge.kit.json import JSON
from orgbridge.wire.ids import to_18

_MOST_PRODUCTS, _MOST_LISTS = 500, 100
_SUMMARIES: Shape = {"displayedList": 49, "summaries": 49, "wishlistCount": 49}
_WISHLIST: Shape = {"page": 49, "summary": 49}
_SUMMARY: Shape = {"createdDate": 49, "id": 49, "modifiedDate": 49, "name": 49, "wishlistProductCount": 49}
_PAGE: Shape = {
    "currencyIsoCode": 49,
    "currentPageToken": 49,
    "currentPageUrl": 49,
    "hasErrors": 49,
    "items": 49,
    "nextPageToken": 49,
    "nextPageUrl": 49,
    "previousPageToken": 49,
    "previousPageUrl": 49,
}
_ITEM: Shape = {
    "currencyIsoCode": 49,
    "error": 49,
    "listPrice": 49,
    "productSummary": 49,
    "salesPrice": 49,
    "wishlistItemId": 49,
}
_ORDERS = {"CreatedDateAsc": "", "CreatedDateDesc": " DESC"}
_LISTS = (
    "SELECT Id, Name, CreatedDate, LastModifiedDate,"
    ' (SELECT count(*) FROM "WishlistItem" i WHERE i.WishlistId = w.Id AND i.IsDeleted = 0) FROM "Wishlist" w'
    " WHERE w.WebStoreId = ? AND w.AccountId = ? AND w.OwnerId = ? AND w.IsDeleted = 0"
)


def wishlist_rows(connection: Connection, buyer: BuyerContext, wishlist_id: str | None = None) -> list[tuple[Any, ...]]:
    """Return a buyer's lists, or the one of an id: id, name, created, changed, number of products."""
    values: tuple[str, ...] = (buyer.store.id, buyer.account_id, buyer.user_id)
    if wishlist_id is None:
        return connection.execute(f"{_LISTS} ORDER BY w.CreatedDate DESC, w.Id DESC", values).fetchall()
    return connection.execute(f"{_LISTS} AND w.Id = ?", (*values, to_18(wishlist_id) or "")).fetchall()


def find_wishlist(call: Call, connection: Connection, buyer: BuyerContext, wishlist_id: str) -> tuple[Any, ...]:
    """Return one of the buyer's lists.

    Raises:
        SFError: There is no such list, or it is somebody else's: nobody learns which of the two it is.
    """
    found = wishlist_rows(connection, buyer, wishlist_id)
    if not found:
        raise call.parts.commerce.policy.missing.error(f"The wishlist {wishlist_id} isn't available.")
    return found[0]


def wishlist_items(connection: Connection, wishlist_id: str, order: str = "CreatedDateDesc") -> list[tuple[str, str]]:
    """Return a list's lines: their ids and products."""
    sql = 'SELECT Id, Product2Id FROM "WishlistItem" WHERE WishlistId = ? AND IsDeleted = 0'
    way = _ORDERS[order]
    return connection.execute(f"{sql} ORDER BY CreatedDate{way}, Id{way}", (wishlist_id,)).fetchall()


def add_products(
    call: Call, connection: Connection, buyer: BuyerContext, wishlist_id: str, products: Sequence[str]
) -> list[str]:
    """Put products into a list, within a write transaction, and return their lines; one that is there keeps its line.

    Raises:
        SFError: A product is not to be seen, or the list would be too long. The caller's transaction undoes the rest.
    """
    policy = call.parts.commerce.policy
    wanted = [(text, product_id_of(text)) for text in products]
    seen = rights_of(connection, buyer, [product for _, product in wanted if product])
    there = {product: line for line, product in wishlist_items(connection, wishlist_id)}
    lines: list[str] = []
    for text, product in wanted:
        if product is None or product not in seen:
            raise bodies.missing_product(policy, text)
        if product not in there:
            if len(there) >= _MOST_PRODUCTS:
                raise policy.too_many.error(f"A wishlist has at most {_MOST_PRODUCTS} products.")
            name = products_of(connection, [product])[product].name
            row = {"WishlistId": wishlist_id, "Product2Id": product, "Name": name}
            there[product] = insert_row(call, connection, "WishlistItem", row)
        lines.append(there[product])
    if lines:
        update_row(call, connection, "Wishlist", {"Id": wishlist_id, "WishlistProductCount": len(there)})
    return lines


async def show_all(call: Call) -> Response:
    """Answer GET wishlists."""
    need_version(call, 49)
    shown_id = call.query("wishlistId")
    page = paging.page_of(call, default=25, most=200, token_name="page")  # noqa: S106 no secret
    order = _order(call)

    def work(connection: Connection, buyer: BuyerContext) -> dict[str, JSON]:
        lists = wishlist_rows(connection, buyer)
        displayed: JSON = None
        if flag(call, "includeDisplayedList") and (shown_id or lists):
            row = find_wishlist(call, connection, buyer, shown_id) if shown_id else lists[0]
            displayed = _wishlist(call, connection, buyer, row, page, order)
        values: dict[str, JSON] = {
            "displayedList": displayed,
            "summaries": [_summary(row, call.version) for row in lists],
            "wishlistCount": len(lists),
        }
        return versions.body(_SUMMARIES, call.version, values)

    return call.json(await reading(call, work))


async def create(call: Call) -> Response:
    """Answer POST wishlists."""
    need_version(call, 49)
    given = await bodies.read_body(call, {"name": str, "products": list})
    name = _name(call, given)
    products = [bodies.check_object(one, {"productId": str}).get("productId", "") for one in given.get("products", ())]
    page = paging.page_of(call, default=25, most=200, token_name="page")  # noqa: S106 no secret

    def work(connection: Connection, buyer: BuyerContext) -> dict[str, JSON]:
        lists = wishlist_rows(connection, buyer)
        if len(lists) >= _MOST_LISTS:
            raise call.parts.commerce.policy.too_many.error(f"You can have up to {_MOST_LISTS} wishlists.")
        _refuse_taken(call, lists, name)
        row = {
            "Name": name,
            "AccountId": buyer.account_id,
            "OwnerId": buyer.user_id,
            "WebStoreId": buyer.store.id,
            "WishlistProductCount": 0,
        }
        made = insert_row(call, connection, "Wishlist", row)
        add_products(call, connection, buyer, made, products)
        return _wishlist(call, connection, buyer, find_wishlist(call, connection, buyer, made), page, "CreatedDateDesc")

    return call.json(await writing(call, work), 201)


async def show(call: Call) -> Response:
    """Answer GET wishlists/{id}."""
    need_version(call, 49)
    page, order = paging.page_of(call, default=25, most=200, token_name="page"), _order(call)  # noqa: S106

    def work(connection: Connection, buyer: BuyerContext) -> dict[str, JSON]:
        row = find_wishlist(call, connection, buyer, call.args["id"])
        return _wishlist(call, connection, buyer, row, page, order)

    return call.json(await reading(call, work))


async def rename(call: Call) -> Response:
    """Answer PATCH wishlists/{id}."""
    need_version(call, 50)
    name = _name(call, await bodies.read_body(call, {"name": str}))

    def work(connection: Connection, buyer: BuyerContext) -> dict[str, JSON]:
        row = find_wishlist(call, connection, buyer, call.args["id"])
        _refuse_taken(call, [one for one in wishlist_rows(connection, buyer) if one[0] != row[0]], name)
        update_row(call, connection, "Wishlist", {"Id": row[0], "Name": name})
        return _summary(find_wishlist(call, connection, buyer, row[0]), call.version)

    return call.json(await writing(call, work))


async def delete(call: Call) -> Response:
    """Answer DELETE wishlists/{id}."""
    need_version(call, 49)

    def work(connection: Connection, buyer: BuyerContext) -> None:
        row = find_wishlist(call, connection, buyer, call.args["id"])
        lines = [line for line, _ in wishlist_items(connection, row[0])]
        delete_rows(call, connection, "WishlistItem", lines)
        delete_rows(call, connection, "Wishlist", [row[0]])

    await writing(call, work)
    return Response(status_code=204)


async def items(call: Call) -> Response:
    """Answer GET wishlists/{id}/wishlist-items."""
    need_version(call, 49)
    page, order = paging.page_of(call, default=25, most=200, token_name="page"), _order(call)  # noqa: S106

    def work(connection: Connection, buyer: BuyerContext) -> dict[str, JSON]:
        row = find_wishlist(call, connection, buyer, call.args["id"])
        return _page(call, connection, buyer, wishlist_items(connection, row[0], order), page)

    return call.json(await reading(call, work))


async def add_item(call: Call) -> Response:
    """Answer POST wishlists/{id}/wishlist-items."""
    need_version(call, 49)
    given = await bodies.read_body(call, {"productId": str})
    if not given.get("productId"):
        raise call.parts.commerce.policy.bad_input.error("You must specify a value for the productId parameter.")

    def work(connection: Connection, buyer: BuyerContext) -> JSON:
        row = find_wishlist(call, connection, buyer, call.args["id"])
        (line,) = add_products(call, connection, buyer, row[0], [given["productId"]])
        product = product_id_of(given["productId"]) or ""
        return _items(call, connection, buyer, [(line, product)])[0]

    return call.json(await writing(call, work), 201)


async def remove_item(call: Call) -> Response:
    """Answer DELETE wishlists/{id}/wishlist-items/{item}."""
    need_version(call, 49)

    def work(connection: Connection, buyer: BuyerContext) -> None:
        row = find_wishlist(call, connection, buyer, call.args["id"])
        lines = [line for line, _ in wishlist_items(connection, row[0])]
        wanted = to_18(call.args["item"])
        if wanted not in lines:
            message = f"The wishlist item {call.args['item']} isn't available."
            raise call.parts.commerce.policy.missing.error(message)
        delete_rows(call, connection, "WishlistItem", [wanted])
        update_row(call, connection, "Wishlist", {"Id": row[0], "WishlistProductCount": len(lines) - 1})

    await writing(call, work)
    return Response(status_code=204)


def _name(call: Call, given: Mapping[str, Any]) -> str:
    name = str(given.get("name", "")).strip()
    if not name or len(name) > 255:
        raise call.parts.commerce.policy.bad_input.error("You must specify a value for the name parameter.")
    return name


def _refuse_taken(call: Call, lists: Sequence[tuple[Any, ...]], name: str) -> None:
    if any(row[1].casefold() == name.casefold() for row in lists):
        raise call.parts.commerce.policy.bad_input.error(f"You already have a wishlist with the name {name}.")


def _order(call: Call) -> str:
    text = call.query("sortItemsBy") or "CreatedDateDesc"
    if text not in _ORDERS:
        raise call.parts.commerce.policy.bad_input.error(f"The value of the sortItemsBy parameter isn't valid: {text}")
    return text


def _summary(row: Sequence[Any], version: int) -> dict[str, JSON]:
    names = ("id", "name", "createdDate", "modifiedDate", "wishlistProductCount")
    return versions.body(_SUMMARY, version, dict(zip(names, row, strict=True)))


def _wishlist(
    call: Call, connection: Connection, buyer: BuyerContext, row: Sequence[Any], page: paging.Page, order: str
) -> dict[str, JSON]:
    lines = wishlist_items(connection, row[0], order)
    values: dict[str, JSON] = {
        "page": _page(call, connection, buyer, lines, page),
        "summary": _summary(row, call.version),
    }
    return versions.body(_WISHLIST, call.version, values)


def _page(
    call: Call, connection: Connection, buyer: BuyerContext, lines: Sequence[tuple[str, str]], page: paging.Page
) -> dict[str, JSON]:
    listed = _items(call, connection, buyer, page.cut(lines))
    values: dict[str, JSON] = {
        "currencyIsoCode": buyer.store.currency,
        "hasErrors": any(isinstance(one, dict) and one["error"] for one in listed),
        "items": listed,
    }
    return versions.body(_PAGE, call.version, values | page.links(len(lines)))


def _items(call: Call, connection: Connection, buyer: BuyerContext, lines: Sequence[tuple[str, str]]) -> list[JSON]:
    products = [product for _, product in lines]
    rights = rights_of(connection, buyer, products)
    prices = prices_of(connection, buyer, products, call.parts.clock.now())
    found = products_of(connection, rights)
    names = words(call, "productFields")
    texts = field_texts(connection, seen_product(call), rights, None if "*" in names else names)
    rules = quantity_rules(connection, rights)
    listed: list[JSON] = []
    for line, product in lines:
        values: dict[str, JSON] = {"currencyIsoCode": buyer.store.currency, "wishlistItemId": line}
        if product not in found:
            # A product that was taken away since: the line stays, and says so.
            values["error"] = bodies.error_body(bodies.missing_product(call.parts.commerce.policy, product))
        else:
            shown = bodies.cart_product(found[product], texts[product], rules.get(product), call.version)
            values["productSummary"] = shown
            if product in prices:
                listed_price, sales = prices[product].list_price, prices[product].unit_price
                values["listPrice"] = None if listed_price is None else float(listed_price)
                values["salesPrice"] = None if sales is None else float(sales)
        listed.append(versions.body(_ITEM, call.version, values))
    return listed


ROUTES = (
    Route(pattern=f"{WS}/wishlists", handlers={"GET": show_all, "POST": create}),
    Route(pattern=f"{WS}/wishlists/{{id}}", handlers={"GET": show, "PATCH": rename, "DELETE": delete}),
    Route(pattern=f"{WS}/wishlists/{{id}}/wishlist-items", handlers={"GET": items, "POST": add_item}),
    Route(pattern=f"{WS}/wishlists/{{id}}/wishlist-items/{{item}}", handlers={"DELETE": remove_item}),
)
