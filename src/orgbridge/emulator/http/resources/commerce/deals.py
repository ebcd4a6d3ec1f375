"""What all resources of carts, checkouts and orders begin with: one deal in one transaction."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from starlette.responses import Response

from orgbridge.emulator.commerce.carts import check_currency
from orgbridge.emulator.commerce.contexts import BuyerContext
from orgbridge.emulator.commerce.deals import Deal
from orgbridge.emulator.commerce.settling import State, Work
from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.resources.commerce.buyers import buyer_of
from orgbridge.emulator.storage.database import Connection
from orgbridge.kit.json import JSON

_T = TypeVar("_T")


def deal_of(call: Call, connection: Connection, buyer: BuyerContext) -> Deal:
    """Return the deal of a call in an open write transaction."""
    return Deal(
        org=call.parts.org,
        connection=connection,
        buyer=buyer,
        version=call.version,
        policy=call.parts.commerce.policy,
        faults=call.parts.faults,
    )


async def dealing(call: Call, work: Callable[[Deal], _T], effective_account_id: str | None = None) -> _T:
    """Do a buyer's business in one write transaction, in a thread; nothing is kept when it raises.

    Reading is business too: it brings what is computed in the background one step nearer to its end.

    Args:
        call: The call.
        work: What to do.
        effective_account_id: The account that the body names.

    Raises:
        SFError: The store or the account is not there, or the user may not buy for it; or as `work`.
    """

    def run() -> _T:
        with call.parts.storage.write() as connection:
            deal = deal_of(call, connection, buyer_of(call, connection, effective_account_id))
            check_currency(deal, call.query("currencyIsoCode"))
            return work(deal)

    return await call.thread(run)


def settling_reply(call: Call, body: JSON, work: Work | None) -> Response:
    """Return a body with 200, or with 202, `Location` and `Retry-After` while it is still being computed."""
    if work is None or work.state is not State.PROCESSING:
        return call.json(body)
    location = call.request.url.path
    return call.json(body, 202, **{"Location": location, "Retry-After": str(call.parts.commerce.policy.retry_after)})
