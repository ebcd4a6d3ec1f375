"""Quotes from carts, and carts from quotes.

Source: facts/commerce/carts.md section 3, row 28; the release notes of the Commerce Quotes API (67) for
`quotes/{quoteId}/cart`; the Apex reference for both bodies. Assumed: the address `carts/{cart}/quotes`, by the one of
`products/{productId}/quotes`; `effectiveAccountId` in the query; the statuses (`quote_status`, `quote_refusal_status`).
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.responses import Response

from orgbridge.emulator.commerce import carts, quotedcarts, quotes
from orgbridge.emulator.commerce.deals import Deal
from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.resources.commerce.buyers import WS, need_version
from orgbridge.emulator.http.resources.commerce.carts import CART
from orgbridge.emulator.http.resources.commerce.deals import dealing
from orgbridge.emulator.http.routing import Route


async def create(call: Call) -> Response:
    """Answer POST carts/{cart}/quotes: 201 with the quote's id, or `errors` and nothing made. Assumed: the address."""
    need_version(call, 66)
    body = await call.json_object()
    return await _told(call, "quoteId", lambda d: quotes.from_cart(d, carts.to_change(d, call.args["cart"]), body))


async def to_cart(call: Call) -> Response:
    """Answer POST quotes/{quote}/cart: 201 with the cart's id, or `errors` and nothing changed."""
    need_version(call, 67)
    body = await call.json_object()
    return await _told(call, "cartId", lambda d: quotedcarts.to_cart(d, quotedcarts.find(d, call.args["quote"]), body))


async def _told(call: Call, name: str, work: Callable[[Deal], str]) -> Response:
    policy = call.parts.commerce.policy
    try:
        return call.json({"errors": [], name: await dealing(call, work)}, policy.quote_status)
    except quotes.QuoteRefused as refused:
        errors = [{"code": error.code, "message": error.message} for error in refused.errors]
        return call.json({"errors": errors, name: None}, policy.quote_refusal_status)


ROUTES = (
    Route(pattern=f"{CART}/quotes", handlers={"POST": create}),
    Route(pattern=f"{WS}/quotes/{{quote}}/cart", handlers={"POST": to_cart}),
)
