"""Checkouts, payments and the placing of orders.

Source: facts/commerce/checkout.md section 1, rows 1 to 10.
"""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from orgbridge.emulator.commerce import checkouts, payments, promotions, shapes
from orgbridge.emulator.commerce.deals import Deal, Row, bad_input
from orgbridge.emulator.commerce.settling import State, work_of
from orgbridge.emulator.commerce.versions import body as shaped
from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.resources.commerce.buyers import WS, need_version
from orgbridge.emulator.http.resources.commerce.deals import dealing
from orgbridge.emulator.http.routing import Route
from orgbridge.emulator.schema.errors import SFError
from orgbridge.kit.json import JSON

#: What a step of a checkout becomes: status and body; None for a conflict that was ordered.
_Answer = tuple[int, JSON] | None


def _reply(call: Call, answer: _Answer) -> Response:
    if answer is None:
        raise checkouts.conflict()
    status, body = answer
    if status == 204:
        return Response(status_code=204)
    if status != 202:
        return call.json(body, status)
    retry = str(call.parts.commerce.policy.retry_after)
    return call.json(body, 202, **{"Location": call.request.url.path, "Retry-After": retry})


async def start(call: Call) -> Response:
    """Answer POST checkouts: the id alone, unless checkouts compute at once."""
    need_version(call, 55)
    body = await call.json_object()

    def work(deal: Deal) -> _Answer:
        session = checkouts.start(deal, body, ensure=False)
        if checkouts.meets_conflict(deal, session["WebCartId"]):
            return None
        if deal.policy.synchronous_checkout:
            return _shown(deal, session)
        return 202, {"checkoutId": session["Id"]}

    return _reply(call, await dealing(call, work))


def _shown(deal: Deal, session: Row) -> tuple[int, JSON]:
    cart = deal.get("WebCart", session["WebCartId"])
    state = work_of(deal, cart["Id"])
    return checkouts.status_of(state), checkouts.view(deal, session, cart, state)


async def ensure(call: Call) -> Response:
    """Answer PUT checkouts: the checkout of the cart, which is started when there is none."""
    need_version(call, 57)
    body = await call.json_object()

    def work(deal: Deal) -> _Answer:
        session = checkouts.start(deal, body, ensure=True)
        if checkouts.meets_conflict(deal, session["WebCartId"]):
            return None
        return _shown(deal, session)

    return _reply(call, await dealing(call, work))


async def show(call: Call) -> Response:
    """Answer GET checkouts/{checkout}: 202 while it computes, 422 with a body when an integration failed."""
    need_version(call, 55)

    def work(deal: Deal) -> _Answer:
        session, cart = checkouts.find(deal, call.args["checkout"])
        cart, state = checkouts.ask(deal, session, cart)
        return checkouts.status_of(state), checkouts.view(deal, session, cart, state)

    return _reply(call, await dealing(call, work))


async def change(call: Call) -> Response:
    """Answer PATCH checkouts/{checkout}."""
    need_version(call, 55)
    body = await call.json_object()

    def work(deal: Deal) -> _Answer:
        session, cart = checkouts.find(deal, call.args["checkout"])
        if checkouts.meets_conflict(deal, cart["Id"]):
            return None
        checkouts.change(deal, cart, body)
        status, view = _shown(deal, session)
        return (200 if work_of(deal, cart["Id"]).state is State.COMPLETED else status), view

    return _reply(call, await dealing(call, work))


async def remove(call: Call) -> Response:
    """Answer DELETE checkouts/{checkout}."""
    need_version(call, 55)

    def work(deal: Deal) -> _Answer:
        _, cart = checkouts.find(deal, call.args["checkout"])
        if checkouts.meets_conflict(deal, cart["Id"]):
            return None
        checkouts.cancel(deal, cart)
        return 204, None

    return _reply(call, await dealing(call, work))


async def tokenize(call: Call) -> Response:
    """Answer POST payments/token."""
    need_version(call, 55)
    body = await call.json_object()

    def work(deal: Deal) -> dict[str, JSON]:
        return shaped(shapes.PAYMENT_TOKEN, deal.version, {"token": payments.tokenize(deal, body), "errors": []})

    return call.json(await dealing(call, work), 201)


async def pay(call: Call) -> Response:
    """Answer POST checkouts/{checkout}/payments."""
    need_version(call, 55)
    body = await call.json_object()

    def work(deal: Deal) -> dict[str, JSON]:
        _, cart = checkouts.find(deal, call.args["checkout"])
        checkouts.check_ready(deal, cart)
        return payments.pay(deal, cart, body)

    return call.json(await dealing(call, work), 201)


async def place(call: Call) -> Response:
    """Answer POST checkouts/{checkout}/orders."""
    need_version(call, 55)
    return _reply(call, await dealing(call, lambda deal: _place(deal, call.args["checkout"])))


def _place(deal: Deal, key: str) -> _Answer:
    session, cart = checkouts.find(deal, key)
    checkouts.check_ready(deal, cart)
    status, problems = checkouts.obstacles(deal, cart)
    if problems:
        number = session["OrderReferenceNumber"] or cart["InitialOrderReferenceNumber"]
        return status, checkouts.order_view(deal, number, problems)
    return 201, checkouts.order_view(deal, checkouts.order(deal, session, cart), [])


async def act(call: Call) -> Response:
    """Answer POST checkouts/{checkout}/orders/actions: `prepare` checks, `submit` places the order."""
    need_version(call, 64)
    actions = (await call.json_object()).get("actions")
    if not isinstance(actions, list) or len(actions) != 1 or not isinstance(actions[0], Mapping):
        raise bad_input("You must specify one action.")
    action = actions[0].get("action")
    if action not in ("prepare", "submit"):
        raise bad_input(f"The action {str(action)[:40]} isn't valid.")
    if not call.parts.commerce.policy.place_order_actions:
        # Seen: plain buyers are refused where `placeOrderV2Enabled` is off.
        raise SFError("INSUFFICIENT_ACCESS", "You don't have access to this resource.", 403)

    def work(deal: Deal) -> _Answer:
        session, cart = checkouts.find(deal, call.args["checkout"])
        checkouts.check_ready(deal, cart)
        status, errors = checkouts.obstacles(deal, cart)
        number = session["OrderReferenceNumber"] or cart["InitialOrderReferenceNumber"]
        if not errors:
            status = 200
            if action == "submit":
                number = checkouts.order(deal, session, cart)
        done = shaped(shapes.CHECKOUT_ORDER_ACTION, deal.version, {"action": action, "orderReferenceNumber": number})
        values: dict[str, JSON] = {"actions": [done], "errors": errors}
        return status, shaped(shapes.CHECKOUT_ORDER_ACTION_COLLECTION, deal.version, values)

    return _reply(call, await dealing(call, work))


async def add_coupon(call: Call) -> Response:
    """Answer POST checkouts/{checkout}/coupons."""
    need_version(call, 61, 62)
    codes = (await call.json_object()).get("couponCodes")
    if not isinstance(codes, list) or len(codes) != 1:
        raise bad_input("You must specify one coupon code.")

    def work(deal: Deal) -> _Answer:
        session, cart = checkouts.find(deal, call.args["checkout"])
        checkouts.check_ready(deal, cart)
        promotions.take_coupon(deal, cart, {"couponCode": codes[0]})
        checkouts.compute(deal, cart["Id"])
        return _shown(deal, session)

    return _reply(call, await dealing(call, work))


async def drop_coupon(call: Call) -> Response:
    """Answer DELETE checkouts/{checkout}/coupons/{coupon}."""
    need_version(call, 61, 62)

    def work(deal: Deal) -> _Answer:
        session, cart = checkouts.find(deal, call.args["checkout"])
        checkouts.check_ready(deal, cart)
        promotions.drop_coupon(deal, cart, call.args["coupon"])
        checkouts.compute(deal, cart["Id"])
        return 202, _shown(deal, session)[1]

    return _reply(call, await dealing(call, work))


_CHECKOUT = f"{WS}/checkouts/{{checkout}}"
ROUTES = (
    Route(pattern=f"{WS}/checkouts", handlers={"POST": start, "PUT": ensure}),
    Route(pattern=_CHECKOUT, handlers={"GET": show, "PATCH": change, "DELETE": remove}),
    Route(pattern=f"{_CHECKOUT}/coupons", handlers={"POST": add_coupon}),
    Route(pattern=f"{_CHECKOUT}/coupons/{{coupon}}", handlers={"DELETE": drop_coupon}),
    Route(pattern=f"{_CHECKOUT}/payments", handlers={"POST": pay}),
    Route(pattern=f"{_CHECKOUT}/orders", handlers={"POST": place}),
    Route(pattern=f"{_CHECKOUT}/orders/actions", handlers={"POST": act}),
    Route(pattern=f"{WS}/payments/token", handlers={"POST": tokenize}),
)
