"""Carts: made, shown, deleted, and what is done with a whole cart.

Source: facts/commerce/carts.md section 3, rows 1 to 5.
"""

from __future__ import annotations

from starlette.responses import Response

from orgbridge.emulator.commerce import carts, cartviews, inputs
from orgbridge.emulator.commerce.deals import Deal, bad_input
from orgbridge.emulator.commerce.settling import Work, work_of
from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.resources.commerce.buyers import WS, need_version
from orgbridge.emulator.http.resources.commerce.deals import dealing, settling_reply
from orgbridge.emulator.http.routing import Route
from orgbridge.emulator.schema.errors import SFError
from orgbridge.kit.json import JSON

CART = f"{WS}/carts/{{cart}}"


async def create(call: Call) -> Response:
    """Answer POST carts."""
    need_version(call, 49)
    body = await optional_object(call)
    account = inputs.text(body, "effectiveAccountId")

    def work(deal: Deal) -> dict[str, JSON]:
        row = deal.get("WebCart", carts.create_cart(deal, body))
        return cartviews.summary(deal, row, work_of(deal, row["Id"]))

    return call.json(await dealing(call, work, account), 201)


async def optional_object(call: Call) -> dict[str, JSON]:
    """Return the body as a JSON object; nothing for no body at all.

    Raises:
        SFError: The body is something else.
    """
    length = call.header("content-length")
    if (length is None and call.header("transfer-encoding") is None) or length == "0":
        return {}
    return await call.json_object()


async def show(call: Call) -> Response:
    """Answer GET carts/{cart}."""
    need_version(call, 49)

    def work(deal: Deal) -> tuple[dict[str, JSON], Work | None]:
        found = carts.to_read(deal, call.args["cart"])
        if found is None:
            return cartviews.summary(deal, None, None), None
        row, state = carts.settle(deal, found)
        return cartviews.summary(deal, row, state), state

    body, state = await dealing(call, work)
    return settling_reply(call, body, state)


async def ensure(call: Call) -> Response:
    """Answer PUT carts/active (or current): the buyer's open cart, which is made when there is none."""
    need_version(call, 49)
    if call.args["cart"].lower() not in ("active", "current"):
        raise SFError("METHOD_NOT_ALLOWED", "HTTP Method 'PUT' not allowed. Allowed are DELETE,GET,HEAD")

    def work(deal: Deal) -> tuple[dict[str, JSON], int]:
        found = carts.primary(deal, carts.OPEN)
        row = found or deal.get("WebCart", carts.create_cart(deal, {}))
        status = deal.policy.new_active_status if found is None else 200
        return cartviews.summary(deal, row, work_of(deal, row["Id"])), status

    body, status = await dealing(call, work)
    return call.json(body, status)


async def delete(call: Call) -> Response:
    """Answer DELETE carts/{cart}."""
    need_version(call, 49)

    def work(deal: Deal) -> None:
        found = carts.find(deal, call.args["cart"])
        if found is None:
            raise deal.policy.no_active_cart.error("There is no active cart.")
        carts.delete_cart(deal, found)

    await dealing(call, work)
    return Response(status_code=204)


async def compact_summary(call: Call) -> Response:
    """Answer GET carts/compact-summary: of the current cart, null where there is none. Assumed: the latter."""
    need_version(call, 64)

    def work(deal: Deal) -> dict[str, JSON]:
        return cartviews.compact_summary(deal, carts.primary(deal, carts.OPEN))

    return call.json(await dealing(call, work))


async def make_primary(call: Call) -> Response:
    """Answer POST carts/{cart}/actions/make-primary."""
    need_version(call, 53)

    def work(deal: Deal) -> None:
        found = carts.find(deal, call.args["cart"])
        if found is None:
            raise bad_input("The cart isn't valid.")
        carts.make_primary(deal, found)

    await dealing(call, work)
    return call.json({"isSuccess": True, "message": None}, call.parts.commerce.policy.action_status)


ROUTES = (
    Route(pattern=f"{WS}/carts", handlers={"POST": create}),
    Route(pattern=f"{WS}/carts/compact-summary", handlers={"GET": compact_summary}),
    Route(pattern=CART, handlers={"GET": show, "PUT": ensure, "DELETE": delete}),
    Route(pattern=f"{CART}/actions/make-primary", handlers={"POST": make_primary}),
)
