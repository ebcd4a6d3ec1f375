"""Webstores: the face of the commerce client.

store = salesforce.commerce.store(StoreContext(webstore_id="0ZE...", account_id="001..."))
cart = await store.carts.find()
"""

from __future__ import annotations

from orgbridge.client.commerce.addresses import Addresses
from orgbridge.client.commerce.carts import Carts
from orgbridge.client.commerce.checkouts import Checkouts
from orgbridge.client.commerce.order_summaries import OrderSummaries
from orgbridge.client.commerce.orders import Sales
from orgbridge.client.commerce.prices import Prices
from orgbridge.client.commerce.products import Products
from orgbridge.client.commerce.resources import StoreContext
from orgbridge.client.commerce.sessions import Sessions
from orgbridge.client.commerce.wishlists import Wishlists
from orgbridge.client.transport.exchange import Transport
from orgbridge.kit.clock import Clock


class Store:
    """One webstore, for one account, as the user whose token the calls carry.

    Attributes:
        context: Which webstore, for which account.
        carts: Carts.
        products: Products.
        prices: Prices.
        addresses: The account's addresses.
        sessions: Who the buyer is.
        wishlists: The buyer's wishlists.
        checkouts: Checkout sessions.
        order_summaries: Placed orders.
    """

    def __init__(self, transport: Transport, context: StoreContext, clock: Clock) -> None:
        self.context = context
        self.carts = Carts(transport, context, clock)
        self.products = Products(transport, context, clock)
        self.prices = Prices(transport, context, clock)
        self.addresses = Addresses(transport, context, clock)
        self.sessions = Sessions(transport, context, clock)
        self.wishlists = Wishlists(transport, context, clock)
        self.checkouts = Checkouts(transport, context, clock)
        self.order_summaries = OrderSummaries(transport, context, clock)


class Commerce:
    """The Connect API of B2B Commerce, and the Place Order API beside it.

    Attributes:
        sales: Orders made from lines.
    """

    def __init__(self, transport: Transport, clock: Clock) -> None:
        self._transport = transport
        self.sales = Sales(transport)
        self._clock = clock

    def store(self, context: StoreContext) -> Store:
        """Return a webstore; nothing is sent."""
        return Store(self._transport, context, self._clock)
