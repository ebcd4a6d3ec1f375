"""What products cost the account of the context.

Source: facts/commerce/catalog.md section 3.
"""

from __future__ import annotations

from collections.abc import Sequence

from orgbridge.client.commerce.product_values import Price, parse_price
from orgbridge.client.commerce.resources import StoreResource
from orgbridge.client.commerce.values import items, text
from orgbridge.client.errors import MalformedReply
from orgbridge.client.transport.requests import segment

#: Most products of one call.
PRICED_PRODUCTS = 500


class Prices(StoreResource):
    """Prices."""

    async def get(self, product_id: str) -> Price:
        """Return the price of a product with its tiers.

        Raises:
            NotFound: There is no such product for this buyer.
            ClientError: Salesforce refused, or could not be reached.
        """
        found = parse_price(await self.read(f"pricing/products/{segment(product_id)}"), None, product_id)
        if found is None:
            raise MalformedReply("Salesforce's price names no product.")
        return found

    async def of(self, product_ids: Sequence[str]) -> dict[str, Price]:
        """Return the prices of up to 500 products, by product; a refused one has its `fault`.

        Raises:
            ValueError: There are none or more than 500. Nothing was sent.
            ClientError: Salesforce refused, or could not be reached.
        """
        if not 1 <= len(product_ids) <= PRICED_PRODUCTS:
            raise ValueError(f"1 to {PRICED_PRODUCTS} products are priced at once, not {len(product_ids)}")
        asked = {"pricingLineItems": [{"productId": product_id} for product_id in product_ids]}
        # It only reads, so that it may be repeated although it is a POST.
        body = await self.change("POST", "pricing/products", asked, repeatable=True)
        currency = text(body, "currencyIsoCode")
        prices = [parse_price(item, currency) for item in items(body, "pricingLineItemResults")]
        return {price.product_id: price for price in prices if price is not None}
