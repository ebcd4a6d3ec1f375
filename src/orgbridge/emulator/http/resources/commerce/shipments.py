"""Shipments of order summaries, and what is in them.

Source: facts/commerce/orders.md section 2, rows 5 and 6; the number of shipments is the default order, as the
reference has it.
"""

from __future__ import annotations

from starlette.responses import Response

from orgbridge.emulator.commerce import shapes, shipments, summaries
from orgbridge.emulator.commerce.deals import Deal, bad_input
from orgbridge.emulator.commerce.versions import body as shaped
from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.resources.commerce.buyers import WS, need_version
from orgbridge.emulator.http.resources.commerce.deals import dealing
from orgbridge.emulator.http.resources.commerce.summary_pages import (
    MOST_ITEM_FIELDS,
    asked_fields,
    id_descending,
    pages,
)
from orgbridge.emulator.http.routing import Route
from orgbridge.kit.json import JSON

_SINCE = 52


def _effective(call: Call, sort: str) -> dict[str, str]:
    """Return the parameters that addresses of pages repeat."""
    given = {name: call.query(name) or "" for name in ("effectiveAccountId", "fields") if call.query(name)}
    return {**given, "sortOrder": sort}


async def show(call: Call) -> Response:
    """Answer GET order-summaries/{summary}/shipments."""
    need_version(call, _SINCE)
    sort = call.query("sortOrder") or "ShipmentNumberAsc"
    if sort.lower() not in shipments.SORTS:
        raise bad_input(f"The sort order {sort[:40]} isn't valid.")
    names = asked_fields(call, MOST_ITEM_FIELDS)

    def work(deal: Deal) -> dict[str, JSON]:
        rows = shipments.listed(deal, summaries.find(deal, call.args["summary"]), sort.lower())
        page, values = pages(call, len(rows), "pageToken", _effective(call, sort))
        shown = [shipments.view(deal, row, names) for row in rows[page]]
        values |= {"count": len(shown), "shipments": shown, "sortOrder": sort}
        return shaped(shapes.ORDER_SHIPMENT_COLLECTION, deal.version, values)

    return call.json(await dealing(call, work))


async def items(call: Call) -> Response:
    """Answer GET shipments/{shipment}/items."""
    need_version(call, _SINCE)
    descending, names = id_descending(call, "sortOrder"), asked_fields(call, MOST_ITEM_FIELDS)
    sort = "IdDesc" if descending else "IdAsc"

    def work(deal: Deal) -> dict[str, JSON]:
        rows = shipments.items_of(deal, shipments.find(deal, call.args["shipment"]), descending=descending)
        page, values = pages(call, len(rows), "pageToken", _effective(call, sort))
        shown = [shipments.item_view(deal, row, names) for row in rows[page]]
        values |= {"count": len(shown), "items": shown, "sortOrder": sort}
        return shaped(shapes.ORDER_SHIPMENT_ITEM_COLLECTION, deal.version, values)

    return call.json(await dealing(call, work))


ROUTES = (
    Route(pattern=f"{WS}/order-summaries/{{summary}}/shipments", handlers={"GET": show}),
    Route(pattern=f"{WS}/shipments/{{shipment}}/items", handlers={"GET": items}),
)
