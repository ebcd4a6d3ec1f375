"""Order summaries: what a buyer sees of placed orders, and their products put into a cart again.

Source: facts/commerce/orders.md section 2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from orgbridge.client.commerce.resources import StoreResource
from orgbridge.client.commerce.values import count, decimal, items, joined, needed, text, texts
from orgbridge.client.transport.requests import segment

#: Most fields of a list. Source: orders.md section 2.
MOST_FIELDS = 35


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderSummary:
    """One placed order."""

    #: Id of the OrderSummary.
    summary_id: str
    #: Its number.
    number: str | None
    #: Its status, the org's own word.
    status: str | None
    #: When it was ordered.
    ordered_at: str | None
    #: Whose it is.
    owner_id: str | None
    #: What it comes to.
    total: Decimal | None
    #: ISO code.
    currency: str | None
    #: Further fields that were asked for, as texts.
    fields: Mapping[str, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryPage:
    """One page of orders."""

    #: The orders.
    summaries: tuple[OrderSummary, ...]
    #: Token of the next page; None at the end.
    next_token: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unadded:
    """A product of an order that a cart did not take."""

    #: Its id.
    product_id: str | None
    #: Its SKU.
    sku: str | None
    #: Its name.
    name: str | None
    #: Salesforce's code.
    code: str
    #: Salesforce's words.
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reordered:
    """What became of an order's products in a cart."""

    #: The cart.
    cart_id: str
    #: How many products it took.
    added: int
    #: Those that it did not take.
    unadded: tuple[Unadded, ...]


class OrderSummaries(StoreResource):
    """Placed orders of one buyer in one webstore (v51)."""

    async def page(
        self,
        *,
        token: str | None = None,
        size: int = 25,
        own_only: bool = True,
        earliest: str | None = None,
        latest: str | None = None,
        fields: Sequence[str] = (),
    ) -> SummaryPage:
        """Return a page of orders, the latest ordered first.

        Args:
            token: Of the page; None for the first.
            size: 1 to 100.
            own_only: False shows orders of colleagues too, where they are shared with the buyer.
            earliest: First instant, inclusive, as `yyyy-MM-dd'T'HH:mm:ss.SSSZ`.
            latest: Last instant, exclusive.
            fields: Further fields, 35 at most.

        Raises:
            ClientError: Salesforce refused, or could not be reached.
        """
        body = await self.read(
            "order-summaries",
            {
                "pageSize": size,
                "pageToken": token,
                "ownerScoped": "true" if own_only else "false",
                "earliestDate": earliest,
                "latestDate": latest,
                "fields": joined(fields[:MOST_FIELDS]) or None,
                "sortOrder": "OrderedDateDesc",
            },
        )
        found = tuple(_summary(one) for one in items(body, "orderSummaries"))
        return SummaryPage(summaries=found, next_token=text(body, "nextPageToken"))

    async def get(self, summary_id: str, fields: Sequence[str] = ()) -> OrderSummary:
        """Return one order (v55).

        Raises:
            NotFound: There is no such order for this buyer.
            ClientError: Salesforce refused, or could not be reached.
        """
        params = {"fields": joined(fields[:MOST_FIELDS]) or None}
        return _summary(await self.read(f"order-summaries/{segment(summary_id)}", params))

    async def add_to_cart(self, summary_id: str, cart: str = "active") -> Reordered:
        """Put an order's products into a cart (v57). Not repeated when the reply was lost: quantities would add up.

        Raises:
            ConnectionFailed: With `sent` true they may be in the cart: look before doing it again.
            NotFound: There is no such order for this buyer.
            ClientError: Salesforce refused, or could not be reached.
        """
        path = f"order-summaries/{segment(summary_id)}/actions/add-order-to-cart"
        body = await self.change("POST", path, {"cartStateOrId": cart})
        unadded = tuple(
            Unadded(
                product_id=text(one, "productId"),
                sku=text(one, "productSKU"),
                name=text(one, "productName"),
                code=text(one, "errorCode") or "",
                message=text(one, "errorMessage") or "",
            )
            for one in items(body, "unaddedProducts")
        )
        return Reordered(
            cart_id=needed(body, "cartId", "a reorder"),
            added=count(body, "totalSucceededProductCount") or 0,
            unadded=unadded,
        )


def _summary(body: Mapping[str, Any]) -> OrderSummary:
    fields = body.get("fields")
    return OrderSummary(
        summary_id=needed(body, "orderSummaryId", "order summaries"),
        number=text(body, "orderNumber"),
        status=text(body, "status"),
        ordered_at=text(body, "orderedDate"),
        owner_id=text(body, "ownerId"),
        total=decimal(body, "totalAmount"),
        currency=text(body, "currencyIsoCode"),
        fields=texts(fields) if isinstance(fields, dict) else {},
    )
