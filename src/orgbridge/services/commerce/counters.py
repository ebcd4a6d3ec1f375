"""The counter of the real store: what it shows and asks for, as the caller's own Salesforce user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orgbridge.client.commerce.product_values import Price, Product, QuantityRule
from orgbridge.services.commerce.parts import Offer
from orgbridge.services.commerce.refusals import refusals_told
from orgbridge.services.commerce.shops import Shops
from orgbridge.services.scopes import Caller


class StoreCounter:
    """Asks the webstore through the Connect API: one call for products, one for prices."""

    def __init__(self, shops: Shops) -> None:
        self._shops = shops

    async def offers(self, caller: Caller, account_id: str, product_ids: Sequence[str]) -> Mapping[str, Offer]:
        """Return what the caller's Salesforce user is offered for an account, by product.

        Args:
            caller: Has an `sf_username`.
            account_id: Whom it is bought for.
            product_ids: At most a hundred, of 18 characters.

        Raises:
            NoBuyer: The caller has no Salesforce user.
            StoreUnknown: It cannot be told which store is meant.
            SalesforceRefusal: The store refuses the buyer.
            ClientError: Salesforce could not be asked.
        """
        store = await self._shops.store(caller, account_id)
        with refusals_told():
            found = await store.products.by_ids(product_ids)
            shown = {one.product.product_id: one.product for one in found if one.product is not None and not one.fault}
            # Prices are asked for what is shown only: a price would tell of a product that the buyer may not see.
            prices = await store.prices.of(sorted(shown)) if shown else {}
        return {identifier: _offer(product, prices.get(identifier)) for identifier, product in shown.items()}


def _offer(product: Product, price: Price | None) -> Offer:
    told = price if price is not None and price.fault is None else None
    rule = product.rule or QuantityRule()
    return Offer(
        unit_price=told.unit_price if told is not None else None,
        list_price=told.list_price if told is not None else None,
        currency=told.currency if told is not None else None,
        minimum=rule.minimum,
        maximum=rule.maximum,
        increment=rule.increment,
    )
