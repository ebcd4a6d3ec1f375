"""Lines of a cart: listed in pages, added one by one or in batches, changed and removed.

Source: facts/commerce/carts.md section 3, rows 6 to 10, and section 4.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from urllib.parse import quote

from starlette.responses import Response

from orgbridge.emulator.commerce import carts, cartviews, discounts, inputs, lines, shapes
from orgbridge.emulator.commerce.deals import Deal, Row, bad_input
from orgbridge.emulator.commerce.settling import State, Work, work_of
from orgbridge.emulator.commerce.versions import body as shaped
from orgbridge.emulator.faults import Trouble
from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.resources.commerce.buyers import flag, need_version, number, words
from orgbridge.emulator.http.resources.commerce.carts import CART
from orgbridge.emulator.http.resources.commerce.deals import dealing, settling_reply
from orgbridge.emulator.http.routing import Route
from orgbridge.emulator.schema.errors import SFError
from orgbridge.kit.json import JSON

_PAGE, _MOST = 25, 100
_SORTS = {
    "createddateasc": '"CreatedDate", Id',
    "createddatedesc": '"CreatedDate" DESC, Id DESC',
    "nameasc": '"Name" COLLATE NOCASE, Id',
    "namedesc": '"Name" COLLATE NOCASE DESC, Id DESC',
    "salespriceasc": '"SalesPrice", Id',
    "salespricedesc": '"SalesPrice" DESC, Id DESC',
}
#: Parameters that page addresses repeat.
_REPEATED = (
    "currencyIsoCode",
    "effectiveAccountId",
    "includeCoupons",
    "includePromotions",
    "pageSize",
    "productFields",
    "sort",
)


def product_fields(call: Call) -> tuple[str, ...]:
    """Return the product fields that a call asks for.

    Raises:
        SFError: There are more than the version takes.
    """
    names = words(call, "productFields")
    most = cartviews.MANY_FIELDS if call.version >= cartviews.MANY_SINCE else cartviews.FEW_FIELDS
    if len(names) > most:
        raise bad_input(f"The productFields parameter takes {most} fields at most.")
    return names


def token_of(page: int) -> str:
    """Return the opaque token of a page."""
    return base64.urlsafe_b64encode(f"page:{page}".encode()).decode().rstrip("=")


def page_of(token: str) -> int:
    """Return the page that a token stands for.

    Raises:
        SFError: It is no token of ours.
    """
    try:
        text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
    except (binascii.Error, ValueError):
        text = ""
    if not text.startswith("page:") or not text[5:].isdigit() or len(text) > 14:
        raise bad_input(f"The page token {token[:80]} isn't valid.")
    return max(int(text[5:]), 1)


class Paging:
    """Which page of a collection is shown, and how the others are reached.

    Args:
        call: The call, with `pageSize`, `page` and `pageNumber`.
        total: Elements there are.
    """

    def __init__(self, call: Call, total: int) -> None:
        self.size = number(call, "pageSize", _PAGE, 1, _MOST)
        self.pages = max(-(-total // self.size), 1)
        token = call.query("page")
        wanted = page_of(token) if token else 1
        if not token and call.version >= 60:
            wanted = number(call, "pageNumber", 1, 1, 10**8)
        # Documented: a page past the end is the last page.
        self.page = min(wanted, self.pages)
        self.total = total
        self._call = call

    @property
    def start(self) -> int:
        """Elements before the page."""
        return (self.page - 1) * self.size

    def values(self, path: str) -> dict[str, JSON]:
        """Return the properties of a collection that are about its pages."""
        around = {"current": self.page, "previous": self.page - 1, "next": self.page + 1}
        values: dict[str, JSON] = {
            "currentPage": self.page,
            "totalItemCount": self.total,
            "totalNumberOfPages": self.pages,
        }
        for name, page in around.items():
            there = 1 <= page <= self.pages
            values[f"{name}PageToken"] = token_of(page) if there else None
            values[f"{name}PageUrl"] = f"{path}?{self._parameters(page)}" if there else None
        return values

    def _parameters(self, page: int) -> str:
        pairs = {name: self._call.query(name) for name in _REPEATED} | {"page": token_of(page)}
        return "&".join(f"{name}={quote(value)}" for name, value in sorted(pairs.items()) if value)


async def show_all(call: Call) -> Response:
    """Answer GET cart-items."""
    need_version(call, 49)
    fields = product_fields(call)
    sort = _SORTS.get((call.query("sort") or "CreatedDateDesc").lower())
    if sort is None:
        raise bad_input(f"The sort order {(call.query('sort') or '')[:40]} isn't valid.")
    order = sort

    def work(deal: Deal) -> tuple[dict[str, JSON], Work | None]:
        found = carts.to_read(deal, call.args["cart"])
        if found is None:
            return collection(call, deal, None, None, order, fields), None
        cart, state = carts.settle(deal, found)
        return collection(call, deal, cart, state, order, fields), state

    body, state = await dealing(call, work)
    if state is not None and state.state is State.PROCESSING and call.parts.faults.commerce(Trouble.RECALCULATING):
        raise SFError("ALREADY_IN_PROCESS", "The cart is being recalculated. Try again later.", 422)
    return settling_reply(call, body, state)


def collection(
    call: Call, deal: Deal, cart: Row | None, state: Work | None, order: str, fields: tuple[str, ...]
) -> dict[str, JSON]:
    """Return one page of a cart's lines."""
    where = {"CartId": cart["Id"], "Type": "Product"} if cart is not None else {}
    rows = deal.rows("CartItem", where, order) if cart is not None else []
    paging = Paging(call, len(rows))
    shown = rows[paging.start : paging.start + paging.size]
    views = cartviews.ItemViews(deal, shown, fields)
    short = "/".join(part[:15] for part in (deal.buyer.store.id, "carts"))
    key = cart["Id"][:15] if cart is not None else "current"
    path = f"{call.data_path}/commerce/webstores/{short}/{key}/cart-items"
    return shaped(
        shapes.CART_ITEM_COLLECTION,
        deal.version,
        {
            "approachingDiscounts": [],
            "cartCoupons": discounts.coupon_collection(deal, cart) if cart and flag(call, "includeCoupons") else None,
            "cartPromotions": (
                discounts.promotion_collection(deal, cart) if cart and flag(call, "includePromotions") else None
            ),
            "cartItems": [views.result(row) for row in shown],
            "cartSummary": cartviews.summary(deal, cart, state),
            "hasErrors": bool(cart is not None and cart["TotalLineItemsWithErrors"]),
            **paging.values(path),
        },
    )


async def add(call: Call) -> Response:
    """Answer POST cart-items."""
    need_version(call, 49)
    fields = product_fields(call)
    if flag(call, "includeCartData"):
        # Documented: D2C stores only, and the emulated ones are B2B.
        raise bad_input("The includeCartData parameter isn't supported in this web store.")
    body = await call.json_object()

    def work(deal: Deal) -> dict[str, JSON]:
        cart = carts.to_change(deal, call.args["cart"], create=True)
        line_id = lines.add_line(deal, cart, body)
        lines.finish(deal, cart["Id"])
        return _changed_line(deal, line_id, fields)

    return call.json(await dealing(call, work), 201)


def _changed_line(deal: Deal, line_id: str, fields: tuple[str, ...]) -> dict[str, JSON]:
    row = deal.get("CartItem", line_id)
    pending = work_of(deal, row["CartId"]).state is State.PROCESSING
    return cartviews.ItemViews(deal, [row], fields).item(row, named=not pending)


async def add_batch(call: Call) -> Response:
    """Answer POST cart-items/batch: every line by itself, results in the order given."""
    need_version(call, 49)
    body = await call.json_object()

    def work(deal: Deal) -> list[dict[str, JSON]]:
        cart = carts.to_change(deal, call.args["cart"], create=True)
        outcomes = lines.add_lines(deal, cart, body)
        return [_batch_result(deal, outcome) for outcome in outcomes]

    results = await dealing(call, work)
    return call.json({"hasErrors": any(one["statusCode"] >= 400 for one in results), "results": results}, 201)


def _batch_result(deal: Deal, outcome: str | SFError) -> dict[str, JSON]:
    if isinstance(outcome, SFError):
        error = {"errorCode": outcome.code, "message": outcome.message}
        return {"result": [error], "statusCode": outcome.status}
    return {"result": _changed_line(deal, outcome, ()), "statusCode": 201}


async def change(call: Call) -> Response:
    """Answer PATCH cart-items/{item}."""
    need_version(call, 49)
    fields = product_fields(call)
    body: Mapping[str, JSON] = await call.json_object()
    inputs.check(inputs.CART_ITEM, body, call.version)

    def work(deal: Deal) -> dict[str, JSON]:
        cart = carts.to_change(deal, call.args["cart"])
        lines.change_line(deal, cart, lines.line_of(deal, cart, call.args["item"]), body)
        row = deal.get("CartItem", call.args["item"])
        return cartviews.ItemViews(deal, [row], fields).item(row)

    return call.json(await dealing(call, work))


async def remove(call: Call) -> Response:
    """Answer DELETE cart-items/{item}."""
    need_version(call, 49)

    def work(deal: Deal) -> None:
        cart = carts.to_change(deal, call.args["cart"])
        lines.remove_lines(deal, cart, [lines.line_of(deal, cart, call.args["item"])])

    await dealing(call, work)
    return Response(status_code=204)


_ITEMS = f"{CART}/cart-items"
ROUTES = (
    Route(pattern=_ITEMS, handlers={"GET": show_all, "POST": add}),
    Route(pattern=f"{_ITEMS}/batch", handlers={"POST": add_batch}),
    Route(pattern=f"{_ITEMS}/{{item}}", handlers={"PATCH": change, "DELETE": remove}),
)
