"""Looking whether an order is there: by the cart, by its reference number, by our marker. Nothing is changed here."""

from __future__ import annotations

from typing import Any

from orgbridge.client.errors import NotFound
from orgbridge.engine.orders.desks import Desk
from orgbridge.engine.orders.machine import Findings
from orgbridge.soql import bind

#: Fields of Order that may carry our marker, the best first: custom ones that are meant for it, then the standard one.
MARKER_FIELDS = ("Orgbridge_Marker__c", "OrderReferenceNumber")


async def look_for_order(desk: Desk) -> Findings:
    """Look at a cart that was to become an order, and for that order.

    Which of these may be asked differs by org: what is refused is left out.

    Raises:
        ClientError: Salesforce could not be reached, or fails for now: nothing is known then.
    """
    cart = {"cart": desk.record.cart_id}
    status: str | None = None
    # Numbers of sessions that were lost count too: one of them may have become the order.
    references: list[str] = [str(one) for one in desk.facts.get("references", ())]
    if desk.record.order_reference:
        references.insert(0, desk.record.order_reference)
    ids: list[str] = []
    for fields in ("Id, Status, InitialOrderReferenceNumber", "Id, Status"):
        carts = await desk.rows(bind(f"SELECT {fields} FROM WebCart WHERE Id = :cart", cart))  # noqa: S608 - our words
        if carts is not None:
            for one in carts:
                status = str(one["Status"])
                references += [one[name] for name in ("InitialOrderReferenceNumber",) if one.get(name)]
            break
    if status is None:
        status = await _status_by_connect(desk)
    sessions = await desk.rows(
        bind(
            "SELECT Id, OrderReferenceNumber, OrderId FROM CartCheckoutSession "
            "WHERE WebCartId = :cart ORDER BY CreatedDate DESC LIMIT 200",
            cart,
        )
    )
    for session in sessions or ():
        references += [session["OrderReferenceNumber"]] if session.get("OrderReferenceNumber") else []
        ids += [str(session["OrderId"])] if session.get("OrderId") else []
    known = list(dict.fromkeys(references))
    asked, reference = bool(known), known[0] if known else None
    if known:
        soql = "SELECT Id, OrderReferenceNumber FROM Order WHERE OrderReferenceNumber IN :numbers ORDER BY CreatedDate"
        found = await desk.rows(bind(soql, {"numbers": tuple(known)}))
        asked = found is not None
        for one in found or ():
            ids.append(str(one["Id"]))
            reference = str(one["OrderReferenceNumber"])
    return Findings(cart_status=status, reference=reference, order_ids=tuple(dict.fromkeys(ids)), orders_asked=asked)


async def look_for_marker(desk: Desk, field: str, marker: str) -> tuple[str, ...] | None:
    """Return the orders that carry a marker; None when that cannot be asked.

    Raises:
        ClientError: Salesforce could not be reached, or fails for now: nothing is known then.
    """
    soql = f"SELECT Id FROM Order WHERE {field} = :marker ORDER BY CreatedDate"  # noqa: S608 - a described field's name
    found = await desk.rows(bind(soql, {"marker": marker}))
    return None if found is None else tuple(str(one["Id"]) for one in found)


async def marker_field(desk: Desk) -> str | None:
    """Return the field of Order that can carry our marker and be asked for; None when the buyer has none.

    Raises:
        ClientError: Salesforce refuses to describe, or could not be reached.
    """
    described: dict[str, Any] = await desk.salesforce.describe.sobject("Order")
    fields = {str(one["name"]).lower(): one for one in described.get("fields", ())}
    wished = desk.config.order_marker_field
    for name in (wished,) if wished else MARKER_FIELDS:
        one = fields.get(name.lower())
        if one is not None and one.get("createable") and one.get("filterable"):
            return str(one["name"])
    return None


async def _status_by_connect(desk: Desk) -> str | None:
    async def look() -> str | None:
        try:
            cart = await desk.store.carts.find(desk.record.cart_id)
        except NotFound:
            return None
        return None if cart is None else cart.status

    return await desk.asked(look)
