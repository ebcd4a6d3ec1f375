"""Guests: their way to an order summary, a token for what they know of it, and how they register as buyers.

Source: facts/commerce/orders.md section 2, rows 10 and 11, checkout.md section 1, row 11. Assumed: any session stands
for that of a guest, who has one of the site's in a real org; the reply's status is the setting `action_status`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from starlette.responses import Response

from orgbridge.emulator.commerce import guests, registrations
from orgbridge.emulator.commerce.contexts import find_store
from orgbridge.emulator.commerce.deals import Deal
from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.resources.commerce.buyers import WS, need_version
from orgbridge.emulator.http.resources.commerce.deals import deal_of
from orgbridge.emulator.http.routing import Route
from orgbridge.kit.json import JSON

_T = TypeVar("_T")


async def guest_dealing(call: Call, work: Callable[[Deal], _T]) -> _T:
    """Do a guest's business in one write transaction, in a thread; nothing is kept when it raises.

    Raises:
        SFError: The store is not there; or as `work`.
    """

    def run() -> _T:
        with call.parts.storage.write() as connection:
            store = find_store(connection, call.parts.commerce.policy, call.args["webstore"])
            return work(deal_of(call, connection, guests.nobody(store, call.user_id)))

    return await call.thread(run)


async def authorize(call: Call) -> Response:
    """Answer POST order-summaries/actions/authorize."""
    need_version(call, 64)
    body = await call.json_object()

    def work(deal: Deal) -> dict[str, JSON]:
        return {"accessToken": guests.authorize(deal, body)}

    return call.json(await guest_dealing(call, work), call.parts.commerce.policy.action_status)


async def register(call: Call) -> Response:
    """Answer POST buyers/registrations. Assumed: 201."""
    need_version(call, 61)
    body = await call.json_object()

    def work(deal: Deal) -> dict[str, JSON]:
        return {"accountId": registrations.register(deal, body)}

    return call.json(await guest_dealing(call, work), 201)


ROUTES = (
    Route(pattern=f"{WS}/order-summaries/actions/authorize", handlers={"POST": authorize}),
    Route(pattern=f"{WS}/buyers/registrations", handlers={"POST": register}),
)
