"""Wishlists of a buyer.

Source: facts/commerce/catalog.md section 4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from orgbridge.client.commerce.cart_values import CartLine, parse_line
from orgbridge.client.commerce.product_values import Product, parse_cart_product
from orgbridge.client.commerce.resources import StoreResource
from orgbridge.client.commerce.values import count, decimal, items, needed, part, text
from orgbridge.client.errors import MalformedReply, NotFound, SalesforceFault
from orgbridge.client.replies import parse_fault
from orgbridge.client.transport.requests import segment

_PAGE, _MAX_PAGES = 200, 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishlist:
    """A wishlist without its products."""

    #: Its id.
    wishlist_id: str
    #: Its name.
    name: str | None
    #: How many products.
    products: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WishlistItem:
    """A product on a wishlist."""

    #: Its id on the list.
    item_id: str
    #: The product; None when the buyer may not see it any more.
    product: Product | None
    #: Price of one piece for this account.
    sales_price: Decimal | None
    #: The price to compare with.
    list_price: Decimal | None
    #: Why there is no product or no price.
    fault: SalesforceFault | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WishlistToCart:
    """What a cart took from a wishlist."""

    #: The cart.
    cart_id: str | None
    #: How many products were asked for.
    requested: int
    #: Lines that it took.
    succeeded: tuple[CartLine, ...]
    #: What it did not take: the product and Salesforce's words.
    failed: tuple[tuple[str | None, str], ...]


class Wishlists(StoreResource):
    """Wishlists."""

    async def all(self) -> list[Wishlist]:
        """Return the buyer's wishlists.

        Raises:
            ClientError: Salesforce refused, or could not be reached.
        """
        return [_summary(item) for item in items(await self.read("wishlists"), "summaries")]

    async def create(self, name: str, product_ids: Sequence[str] = ()) -> Wishlist:
        """Make a wishlist. Not repeated when the reply was lost.

        Raises:
            ConnectionFailed: With `sent` true there may be such a list.
            ClientError: Salesforce refused, or could not be reached.
        """
        body = {"name": name, "products": [{"productId": product_id} for product_id in product_ids]}
        return _summary(part(await self.change("POST", "wishlists", body), "summary"))

    async def rename(self, wishlist_id: str, name: str) -> None:
        """Give a wishlist another name (v50).

        Raises:
            NotFound: There is no such list.
            ClientError: Salesforce refused, or could not be reached.
        """
        await self.change("PATCH", f"wishlists/{segment(wishlist_id)}", {"name": name}, repeatable=True)

    async def delete(self, wishlist_id: str) -> None:
        """Delete a wishlist.

        Raises:
            NotFound: There is no such list.
            ClientError: Salesforce refused, or could not be reached.
        """
        await self._delete(f"wishlists/{segment(wishlist_id)}")

    async def items(self, wishlist_id: str) -> list[WishlistItem]:
        """Return the products of a wishlist, every page of them.

        Raises:
            NotFound: There is no such list.
            ClientError: Salesforce refused, or could not be reached.
        """
        found: list[WishlistItem] = []
        token: str | None = None
        for _ in range(_MAX_PAGES):
            path = f"wishlists/{segment(wishlist_id)}/wishlist-items"
            body = await self.read(path, {"page": token, "pageSize": _PAGE})
            found += [_item(item) for item in items(body, "items")]
            token = text(body, "nextPageToken")
            if token is None:
                return found
        raise MalformedReply(f"Salesforce's wishlist has more than {_MAX_PAGES} pages.")

    async def add(self, wishlist_id: str, product_id: str) -> WishlistItem:
        """Put a product on a wishlist. Not repeated when the reply was lost.

        Raises:
            ConnectionFailed: With `sent` true it may be on it.
            ClientError: Salesforce refused, or could not be reached.
        """
        path = f"wishlists/{segment(wishlist_id)}/wishlist-items"
        return _item(await self.change("POST", path, {"productId": product_id}))

    async def remove(self, wishlist_id: str, item_id: str) -> None:
        """Take a product off a wishlist.

        Raises:
            NotFound: It is not on it.
            ClientError: Salesforce refused, or could not be reached.
        """
        await self._delete(f"wishlists/{segment(wishlist_id)}/wishlist-items/{segment(item_id)}")

    async def to_cart(self, wishlist_id: str, cart_id: str | None = None) -> WishlistToCart:
        """Put all products of a wishlist into a cart. Not repeated when the reply was lost.

        Args:
            wishlist_id: The list.
            cart_id: The cart; None takes the active one.

        Raises:
            ConnectionFailed: With `sent` true they may be in it.
            ClientError: Salesforce refused, or could not be reached.
        """
        path = f"wishlists/{segment(wishlist_id)}/actions/add-wishlist-to-cart"
        body = await self.change("POST", path, params={"cartId": cart_id})
        return WishlistToCart(
            cart_id=text(body, "cartId"),
            requested=count(body, "productsRequestedCount") or 0,
            succeeded=tuple(parse_line(item) for item in items(body, "succeededWishlistToCartItems")),
            failed=tuple(
                (text(part(item, "cartItem"), "productId"), text(item, "message") or text(item, "status") or "")
                for item in items(body, "failedWishlistToCartItems")
            ),
        )

    async def _delete(self, path: str) -> None:
        try:
            await self.send("DELETE", path, repeatable=True)
        except NotFound as error:
            if not error.repeated:
                raise


def _summary(body: Mapping[str, Any]) -> Wishlist:
    return Wishlist(
        wishlist_id=needed(body, "id", "wishlists"),
        name=text(body, "name"),
        products=count(body, "wishlistProductCount") or 0,
    )


def _item(body: Mapping[str, Any]) -> WishlistItem:
    fault = body.get("error")
    return WishlistItem(
        item_id=needed(body, "wishlistItemId", "wishlist items"),
        product=parse_cart_product(part(body, "productSummary")),
        sales_price=decimal(body, "salesPrice"),
        list_price=decimal(body, "listPrice"),
        fault=parse_fault(fault) if isinstance(fault, dict) else None,
    )
