"""Carts of one buyer in one webstore.

A cart is named by its id, by `active`, or by `current`: the one that is neither closed nor being deleted, which is the
only one of the two words that still finds it while Salesforce computes or a checkout is under way.

Source: facts/commerce/carts.md sections 1 to 6, orders.md section 2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from orgbridge.client.commerce.cart_values import (
    BatchOutcome,
    Cart,
    CartCoupon,
    CartLine,
    CartLines,
    CartPromotion,
    KeptCart,
    NewLine,
    OrderToCart,
    needed_cart,
    parse_batch,
    parse_cart,
    parse_coupons,
    parse_kept,
    parse_line,
    parse_order_to_cart,
    parse_promotions,
)
from orgbridge.client.commerce.resources import (
    ACCEPTED,
    Asked,
    Patience,
    StoreResource,
    custom_fields,
    retry_after_of,
)
from orgbridge.client.commerce.values import count, flag, items, joined, part, text, wire
from orgbridge.client.errors import InvalidRequest, MalformedReply, NotFound, SalesforceError, UnknownWebstore
from orgbridge.client.replies import parse_object
from orgbridge.client.transport.requests import segment
from orgbridge.kit.json import JSON

CURRENT, ACTIVE = "current", "active"
#: Most lines of one batch. Source: carts.md section 3.
BATCH_LINES = 100
_PAGE, _OLDEST = 100, "CreatedDateAsc"
#: Pages of one cart that are read at most: far beyond what a cart may hold.
_MAX_PAGES = 1000
#: Codes of a 400 that says no more than that there is no cart. Source: carts.md sections 3 and 6, [U].
_NO_CART = frozenset({"MISSING_RECORD", "NOT_FOUND", "ITEM_NOT_FOUND", "RESOURCE_NOT_FOUND", "INVALID_ID_FIELD"})


class Carts(StoreResource):
    """Carts."""

    async def find(self, cart: str = CURRENT) -> Cart | None:
        """Return a cart as it is at this moment; None when there is none.

        Raises:
            UnknownWebstore: There is no such webstore or account for this buyer.
            ClientError: Salesforce refused, or could not be reached.
        """
        return (await self._asked(cart)).value

    async def settled(self, cart: str, patience: Patience) -> Cart | None:
        """Return a cart after what Salesforce computes; with `processing` still true when the time was over before.

        Raises:
            The same as `find`.
        """
        return (await self.settle(lambda: self._asked(cart), patience)).value

    async def ensure(self) -> Cart:
        """Return the active cart, made when there is none.

        Raises:
            ClientError: Salesforce refused, or could not be reached.
        """
        reply = await self.send("PUT", f"carts/{ACTIVE}", repeatable=True)
        return needed_cart(parse_object(reply.body, "a cart"), "a cart", accepted=reply.status == ACCEPTED)

    async def create(
        self, *, name: str | None = None, is_secondary: bool = False, values: Mapping[str, JSON] | None = None
    ) -> Cart:
        """Make a further cart. Not repeated when its reply was lost.

        Args:
            name: Its name.
            is_secondary: True for one that does not become the buyer's first.
            values: Custom fields of WebCart.

        Raises:
            ConnectionFailed: With `sent` true there may be such a cart.
            ClientError: Salesforce refused, or could not be reached.
        """
        body: dict[str, JSON] = {"type": "Cart", "isSecondary": is_secondary}
        if self.context.account_id is not None:
            body["effectiveAccountId"] = self.context.account_id
        if name is not None:
            body["name"] = name
        if values:
            body["customFields"] = custom_fields("WebCart", values)
        return needed_cart(await self.change("POST", "carts", body), "a new cart")

    async def delete(self, cart: str) -> None:
        """Delete a cart with all lines; one that is gone already counts as deleted when an earlier try was lost.

        Raises:
            NotFound: There is no such cart.
            ClientError: Salesforce refused, or could not be reached.
        """
        await self._delete(f"carts/{segment(cart)}")

    async def lines(
        self, cart: str, patience: Patience | None = None, *, product_fields: Sequence[str] = (), extras: bool = False
    ) -> Asked[CartLines]:
        """Return all lines of a cart, every page of them; none, and no `cart`, when `current` or `active` is none.

        Args:
            cart: Id or word.
            patience: How long is waited until they can be told; None asks once.
            product_fields: Fields of products to see, at most 15.
            extras: Bring coupons and promotions along.

        Raises:
            NotFound: There is no such cart.
            MalformedReply: Salesforce does not tell all lines that it counts.
            ClientError: Salesforce refused, or could not be reached.
        """

        async def ask() -> Asked[CartLines]:
            return await self._lines(cart, product_fields, extras)

        asked = await self.settle(ask, patience or Patience(seconds=0))
        told = asked.value
        if told is not None and told.missing and not (told.cart is not None and told.cart.processing):
            raise MalformedReply(f"Salesforce counts {told.missing} more cart lines than it tells.")
        return asked

    async def add(self, cart: str, line: NewLine) -> CartLine:
        """Put a product into a cart; one that is in it already grows. Not repeated when the reply was lost.

        Returns:
            The line; without an id where Salesforce finishes it later.

        Raises:
            ConnectionFailed: With `sent` true it may be in the cart: look before adding again.
            NotFound: There is no such cart, or no such product for this buyer.
            ClientError: Salesforce refused, or could not be reached.
        """
        return parse_line(await self.change("POST", f"carts/{segment(cart)}/cart-items", line.to_json()))

    async def add_many(self, cart: str, lines: Sequence[NewLine]) -> list[BatchOutcome]:
        """Put up to 100 products into a cart and return what became of each, in order.

        Raises:
            ValueError: There are no lines or more than 100. Nothing was sent.
            ConnectionFailed: With `sent` true they may be in the cart: look before adding again.
            ClientError: Salesforce refused all of them, or could not be reached.
        """
        if not 1 <= len(lines) <= BATCH_LINES:
            raise ValueError(f"a batch has 1 to {BATCH_LINES} lines, not {len(lines)}")
        body = {"inputs": [{"richInput": line.to_json()} for line in lines]}
        return parse_batch(await self.change("POST", f"carts/{segment(cart)}/cart-items/batch", body), len(lines))

    async def change_line(
        self, cart: str, item_id: str, quantity: Decimal, values: Mapping[str, JSON] | None = None
    ) -> CartLine:
        """Set the quantity of a line, and custom fields of it.

        Raises:
            NotFound: There is no such line in the cart.
            ClientError: Salesforce refused, or could not be reached.
        """
        body: dict[str, JSON] = {"quantity": wire(quantity)}
        if values:
            body["customFields"] = custom_fields("CartItem", values)
        path = f"carts/{segment(cart)}/cart-items/{segment(item_id)}"
        return parse_line(await self.change("PATCH", path, body, repeatable=True))

    async def remove_line(self, cart: str, item_id: str) -> None:
        """Take a line out of a cart; one that is gone already counts as taken out when an earlier try was lost.

        Raises:
            NotFound: There is no such line in the cart.
            ClientError: Salesforce refused, or could not be reached.
        """
        await self._delete(f"carts/{segment(cart)}/cart-items/{segment(item_id)}")

    async def coupons(self, cart: str) -> tuple[CartCoupon, ...]:
        """Return the coupons of a cart.

        Raises:
            ClientError: Salesforce refused, or could not be reached.
        """
        return parse_coupons(await self.read(f"carts/{segment(cart)}/cart-coupons"))

    async def add_coupon(self, cart: str, code: str) -> tuple[CartCoupon, ...]:
        """Put a coupon on a cart and return all coupons of it. Not repeated when the reply was lost.

        Raises:
            ConnectionFailed: With `sent` true it may be on the cart.
            ClientError: Salesforce refused (e.g. it is there already), or could not be reached.
        """
        body = {"couponCode": code}
        return parse_coupons(await self.change("POST", f"carts/{segment(cart)}/cart-coupons", body))

    async def remove_coupon(self, cart: str, coupon_id: str) -> None:
        """Take a coupon off a cart.

        Raises:
            NotFound: There is no such coupon on the cart.
            ClientError: Salesforce refused, or could not be reached.
        """
        await self._delete(f"carts/{segment(cart)}/cart-coupons/{segment(coupon_id)}")

    async def promotions(self, cart: str) -> tuple[CartPromotion, ...]:
        """Return the promotions that a cart got as a whole.

        Raises:
            ClientError: Salesforce refused, or could not be reached.
        """
        return parse_promotions(await self.read(f"carts/{segment(cart)}/promotions"))

    async def line_promotions(self, cart: str, item_ids: Sequence[str]) -> dict[str, tuple[CartPromotion, ...]]:
        """Return the promotions that lines got, by line.

        Raises:
            ClientError: Salesforce refused, or could not be reached.
        """
        asked = {"items": [{"cartItemId": item_id} for item_id in item_ids]}
        path = f"carts/{segment(cart)}/cart-items/promotions"
        # It only reads, so that it may be repeated although it is a POST.
        body = await self.change("POST", path, asked, repeatable=True)
        found = part(body, "items")
        return {str(item_id): parse_promotions({"promotions": found[item_id]}) for item_id in found}

    async def calculate(self, cart: str) -> Cart | None:
        """Have prices, promotions and taxes computed anew; None when the reply does not tell the cart (v62).

        Raises:
            ClientError: Salesforce refused, or could not be reached.
        """
        reply = await self.send("POST", f"carts/{segment(cart)}/actions/calculate", repeatable=True)
        if not reply.body.strip():
            return None
        body = parse_object(reply.body, "a calculation")
        return parse_cart(part(body, "data") or body, accepted=reply.status == ACCEPTED)

    async def make_primary(self, cart: str) -> None:
        """Make a cart the buyer's first (v53).

        Raises:
            MalformedReply: Salesforce says that it did not.
            ClientError: Salesforce refused, or could not be reached.
        """
        body = await self.change("POST", f"carts/{segment(cart)}/actions/make-primary", repeatable=True)
        if body and not flag(body, "isSuccess"):
            raise MalformedReply(f"Salesforce did not make the cart the first one: {text(body, 'message') or ''}")

    async def clone(self, cart: str, target_account_id: str) -> Cart:
        """Make a cart that a buyer only pays out of a template (v60). Not repeated when the reply was lost.

        Raises:
            ConnectionFailed: With `sent` true there may be a copy.
            ClientError: Salesforce refused, or could not be reached.
        """
        params = {"targetEffectiveAccountId": target_account_id, "targetType": "PayNowReadOnly"}
        return needed_cart(await self.change("POST", f"carts/{segment(cart)}/actions/clone", params=params), "a clone")

    async def preserve(self, cart: str = CURRENT, *, guest_cart_id: str) -> KeptCart:
        """Take over the cart that the buyer had as a guest (v60). Not repeated when the reply was lost.

        Args:
            cart: The buyer's.
            guest_cart_id: The guest's, as the store's cookie had it.

        Raises:
            ConnectionFailed: With `sent` true it may have been taken over.
            ClientError: Salesforce refused, or could not be reached.
        """
        cookie = {"Cookie": f"GuestCartSessionId_{self.context.webstore_id}={segment(guest_cart_id)}"}
        return parse_kept(await self.change("POST", f"carts/{segment(cart)}/actions/preserve", headers=cookie))

    async def add_order(self, order_summary_id: str, cart: str = CURRENT) -> OrderToCart:
        """Put the products of an order into a cart (v57). Not repeated when the reply was lost.

        Raises:
            ConnectionFailed: With `sent` true they may be in it.
            NotFound: There is no such order for this buyer.
            ClientError: Salesforce refused, or could not be reached.
        """
        path = f"order-summaries/{segment(order_summary_id)}/actions/add-order-to-cart"
        return parse_order_to_cart(await self.change("POST", path, {"cartStateOrId": cart}))

    async def copy_to_wishlist(self, cart: str, wishlist_id: str) -> int:
        """Put all products of a cart on a wishlist and return how many it took.

        Raises:
            ConnectionFailed: With `sent` true they may be on it.
            ClientError: Salesforce refused, or could not be reached.
        """
        path = f"carts/{segment(cart)}/actions/add-cart-to-wishlist"
        return count(await self.change("POST", path, {"wishlistId": wishlist_id}), "productsAddedCount") or 0

    async def _asked(self, cart: str) -> Asked[Cart]:
        try:
            reply = await self.ask(f"carts/{segment(cart)}")
        except (NotFound, InvalidRequest) as error:
            if not _says_none(cart, error):
                raise
            return Asked(value=None, pending=False)
        found = parse_cart(parse_object(reply.body, "a cart"), accepted=reply.status == ACCEPTED)
        pending = found is not None and found.processing
        return Asked(value=found, pending=pending, retry_after=retry_after_of(reply))

    async def _lines(self, cart: str, product_fields: Sequence[str], extras: bool) -> Asked[CartLines]:
        path, token = f"carts/{segment(cart)}/cart-items", None
        lines: dict[str, CartLine] = {}
        seen: set[str] = set()
        head: Cart | None = None
        coupons: tuple[CartCoupon, ...] = ()
        promotions: tuple[CartPromotion, ...] = ()
        pending, wait, total = False, None, None
        flagged = "true" if extras and self.version >= 59 else None
        params = {"productFields": joined(product_fields) or None, "includeCoupons": flagged}
        for _ in range(_MAX_PAGES):
            try:
                reply = await self.ask(
                    path,
                    {
                        **params,
                        "includePromotions": flagged,
                        "pageSize": _PAGE,
                        "page": token,
                        "sort": "CreatedDateAsc",
                    },
                )
            except (NotFound, InvalidRequest) as error:
                if seen or not _says_none(cart, error):
                    raise
                return Asked(value=CartLines(lines=(), cart=None), pending=False)
            body = parse_object(reply.body, "cart lines")
            told = parse_cart(part(body, "cartSummary"), accepted=reply.status == ACCEPTED)
            head = told or head
            pending = pending or reply.status == ACCEPTED or (told is not None and told.processing)
            wait, total = retry_after_of(reply) or wait, count(body, "totalItemCount")
            for item in items(body, "cartItems"):
                line = parse_line(item)
                lines[line.item_id or f"?{len(lines)}"] = line
            coupons, promotions = (
                coupons or parse_coupons(_only(body, "cartCoupons")),
                promotions or parse_promotions(_only(body, "cartPromotions")),
            )
            token = text(body, "nextPageToken")
            if token is None:
                break
            if token in seen:
                raise MalformedReply("Salesforce named a page of cart lines that was read already.")
            seen.add(token)
        else:
            raise MalformedReply(f"Salesforce's cart has more than {_MAX_PAGES} pages of lines.")
        hidden = not lines and head is not None and bool(head.total_quantity)
        value = CartLines(
            lines=tuple(lines.values()),
            cart=head,
            coupons=coupons,
            promotions=promotions,
            missing=_missing(total, lines),
        )
        return Asked(value=value, pending=pending or hidden or value.missing > 0, retry_after=wait)

    async def _delete(self, path: str) -> None:
        try:
            await self.send("DELETE", path, repeatable=True)
        except NotFound as error:
            if not error.repeated:
                raise


def _says_none(cart: str, error: SalesforceError) -> bool:
    """Tell whether a refusal says no more than that there is no current cart."""
    if cart not in (CURRENT, ACTIVE) or isinstance(error, UnknownWebstore):
        return False
    return error.status == 404 or error.error_code in _NO_CART


def _missing(total: int | None, lines: Mapping[str, CartLine]) -> int:
    return 0 if total is None else max(0, total - len(lines))


def _only(body: Mapping[str, JSON], name: str) -> Mapping[str, JSON]:
    return {name: body[name]} if body.get(name) is not None else {}
