"""Saved configurations of products, and applying one to a line of a cart.

Source: facts/commerce/carts.md section 3, row 27; the reference of Saved Configuration (63) for its bodies and the form
of its errors. Assumed: the codes of errors but the documented one; the statuses 201, 204 and 400; that somebody else's
configuration is told as one that is not there; what applying takes and answers, which no page tells.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from starlette.responses import Response

from orgbridge.emulator.commerce import carts, cartviews, configuring, inputs
from orgbridge.emulator.commerce import savedconfigurations as kept
from orgbridge.emulator.commerce.deals import Deal
from orgbridge.emulator.commerce.savedconfigurations import Saved
from orgbridge.emulator.commerce.settling import State, Work, work_of
from orgbridge.emulator.commerce.versions import Shape
from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.errors import not_found
from orgbridge.emulator.http.resources.commerce.buyers import need_version
from orgbridge.emulator.http.resources.commerce.carts import CART
from orgbridge.emulator.http.resources.commerce.deals import dealing
from orgbridge.emulator.http.routing import Route
from orgbridge.emulator.storage.database import Connection
from orgbridge.emulator.storage.tables import quote
from orgbridge.kit.json import JSON
from orgbridge.wire.ids import to_18

_T = TypeVar("_T")
_SINCE = 63
_NEW: Shape = {"data": 63, "description": 63, "name": 63, "referenceRecordId": 63}
_CHANGED: Shape = {"data": 63, "description": 63, "name": 63}
#: The only error of the reference.
_UNKNOWN_RECORD = "INVALID_REFERENCEOBJECTID"


async def apply(call: Call) -> Response:
    """Answer POST cart-items/actions/apply-configuration: the line; 202 while the cart is computed.

    Assumed: body and reply.
    """
    need_version(call, 66)
    body = await call.json_object()

    def work(deal: Deal) -> tuple[dict[str, JSON], Work]:
        cart = carts.to_change(deal, call.args["cart"])
        row = deal.get("CartItem", configuring.apply(deal, cart, body))
        return cartviews.ItemViews(deal, [row], ()).item(row), work_of(deal, cart["Id"])

    reply, state = await dealing(call, work)
    policy = call.parts.commerce.policy
    if state.state is not State.PROCESSING:
        return call.json(reply, policy.action_status)
    items = call.request.url.path.removesuffix("/actions/apply-configuration")
    return call.json(reply, 202, **{"Location": items, "Retry-After": str(policy.retry_after)})


async def show(call: Call) -> Response:
    """Answer GET saved-configuration."""
    _check(call)
    reference = to_18(call.query("referenceRecordId") or "")
    if reference is None:
        return _refused(call, {"savedConfigurations": [], "success": False})
    found = await _on(call, lambda connection: kept.listed(connection, call.user_id, reference))
    return call.json({"errors": [], "savedConfigurations": [_view(one) for one in found], "success": True})


async def save(call: Call) -> Response:
    """Answer POST saved-configuration."""
    _check(call)
    body = inputs.check(_NEW, await call.json_object(), call.version)
    reference = to_18(inputs.text(body, "referenceRecordId") or "")
    if reference is None or not await _on(call, lambda connection: _is_there(call, connection, reference)):
        return _refused(call, {})
    if (saved := _read(body, "", reference)) is None:
        return _refused(call, {}, "INVALID_DATA")
    return call.json({"errors": [], "id": await _on(call, lambda c: kept.save(c, call.user_id, saved))}, 201)


async def change(call: Call) -> Response:
    """Answer PUT saved-configuration/{id}."""
    _check(call)
    body = inputs.check(_CHANGED, await call.json_object(), call.version)
    saved = _read(body, to_18(call.args["id"]) or "", "")
    if saved is None or None in (saved.data, saved.description, saved.name):
        return _refused(call, {"success": False}, "INVALID_DATA")
    if not await _on(call, lambda connection: kept.change(connection, call.user_id, saved)):
        raise not_found()
    return call.json({"errors": [], "success": True})


async def remove(call: Call) -> Response:
    """Answer DELETE saved-configuration/{id}."""
    _check(call)
    if not await _on(call, lambda connection: kept.remove(connection, call.user_id, call.args["id"])):
        raise not_found()
    return Response(status_code=204)


def _check(call: Call) -> None:
    need_version(call, _SINCE)
    if not call.parts.commerce.policy.revenue_cloud:
        raise not_found()


def _is_there(call: Call, connection: Connection, record_id: str) -> bool:
    sobject = call.parts.org.catalogue.by_prefix(record_id)
    if sobject is None:
        return False
    sql = f"SELECT 1 FROM {quote(sobject.name)} WHERE Id = ? AND IsDeleted = 0"  # noqa: S608 a name of the catalogue
    return connection.execute(sql, (record_id,)).fetchone() is not None


def _read(body: Mapping[str, JSON], key: str, reference: str) -> Saved | None:
    """Return what a body says; None when its data are no JSON object."""
    data = inputs.text(body, "data")
    if data is not None and (len(data) > kept.DATA or kept.object_of(data) is None):
        return None
    name, description = inputs.text(body, "name"), inputs.text(body, "description")
    return Saved(id=key, reference=reference, name=name, description=description, data=data)


def _view(saved: Saved) -> dict[str, JSON]:
    return {
        "data": saved.data,
        "description": saved.description,
        "id": saved.id,
        "name": saved.name,
        "referenceRecordId": saved.reference,
    }


def _refused(call: Call, rest: Mapping[str, JSON], message: str = _UNKNOWN_RECORD) -> Response:
    return call.json({"errors": [{"code": "INTERNAL_SERVER_ERROR", "message": message}], **rest}, 400)


async def _on(call: Call, work: Callable[[Connection], _T]) -> _T:
    """Do work in one write transaction, in a thread."""

    def run() -> _T:
        with call.parts.storage.write() as connection:
            return work(connection)

    return await call.thread(run)


_SAVED = "/services/data/{version}/connect/cpq/configurator/saved-configuration"
ROUTES = (
    Route(pattern=f"{CART}/cart-items/actions/apply-configuration", handlers={"POST": apply}),
    Route(pattern=_SAVED, handlers={"GET": show, "POST": save}),
    Route(pattern=f"{_SAVED}/{{id}}", handlers={"PUT": change, "DELETE": remove}),
)
