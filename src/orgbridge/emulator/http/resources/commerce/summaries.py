"""Order summaries.

Source: facts/commerce/orders.md section 2.
"""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from orgbridge.emulator.commerce import guests, inputs, shapes, summaries
from orgbridge.emulator.commerce.deals import Deal, bad_input, required
from orgbridge.emulator.commerce.versions import Shape
from orgbridge.emulator.commerce.versions import body as shaped
from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.resources.commerce.buyers import WS, flag, need_version
from orgbridge.emulator.http.resources.commerce.carts import optional_object
from orgbridge.emulator.http.resources.commerce.deals import dealing
from orgbridge.emulator.http.resources.commerce.guests import guest_dealing
from orgbridge.emulator.http.resources.commerce.summary_pages import (
    MOST_ITEM_FIELDS,
    asked_fields,
    id_descending,
    pages,
)
from orgbridge.emulator.http.routing import Route
from orgbridge.kit.json import JSON

_MOST_FIELDS = 35
_AGGREGATED: Shape = {"orderSummaryIds": 55}


async def show_all(call: Call) -> Response:
    """Answer GET order-summaries."""
    need_version(call, 51)
    sort = call.query("sortOrder") or "OrderedDateDesc"
    if sort.lower() not in summaries.SORTS:
        raise bad_input(f"The sort order {sort[:40]} isn't valid.")
    names, scoped = asked_fields(call, _MOST_FIELDS), flag(call, "ownerScoped", True)
    details, products = flag(call, "includeAdjustmentDetails"), flag(call, "includeProducts")
    wanted = summaries.Wanted(
        sort=sort.lower(),
        earliest=summaries.read_instant(call.query("earliestDate"), "earliestDate"),
        latest=summaries.read_instant(call.query("latestDate"), "latestDate"),
        owner_scoped=scoped,
    )
    effective = {"ownerScoped": str(scoped).lower(), "sortOrder": sort}
    for name in ("earliestDate", "effectiveAccountId", "fields", "latestDate"):
        if call.query(name):
            effective[name] = call.query(name) or ""

    def work(deal: Deal) -> dict[str, JSON]:
        rows = summaries.listed(deal, wanted)
        page, values = pages(call, len(rows), "pageToken", effective)
        shown = [summaries.summary_view(deal, row, names, details=details, products=products) for row in rows[page]]
        values |= {"count": len(shown), "orderSummaries": shown, "sortOrder": sort}
        return shaped(shapes.ORDER_SUMMARY_COLLECTION, deal.version, values)

    return call.json(await dealing(call, work))


async def show(call: Call) -> Response:
    """Answer GET order-summaries/{summary}."""
    need_version(call, 55)
    names, details = asked_fields(call, _MOST_FIELDS), flag(call, "includeAdjustmentDetails")

    def work(deal: Deal) -> dict[str, JSON]:
        return summaries.summary_view(deal, summaries.find(deal, call.args["summary"]), names, details=details)

    return call.json(await dealing(call, work))


async def items(call: Call) -> Response:
    """Answer GET order-summaries/{summary}/items."""
    need_version(call, 51)
    names, details = asked_fields(call, MOST_ITEM_FIELDS), flag(call, "includeAdjustmentDetails")
    descending = id_descending(call, "sort")

    def work(deal: Deal) -> dict[str, JSON]:
        summary = summaries.find(deal, call.args["summary"])
        group = call.query("orderDeliveryGroupSummaryId")
        rows = summaries.items_of(deal, summary, group, descending=descending)
        page, values = pages(call, len(rows), "page", _given(call))
        values["items"] = [summaries.item_view(deal, row, names, details=details) for row in rows[page]]
        return shaped(shapes.ORDER_ITEM_SUMMARY_COLLECTION, deal.version, values)

    return call.json(await dealing(call, work))


def _given(call: Call) -> dict[str, str]:
    names = ("effectiveAccountId", "fields", "includeAdjustmentDetails", "orderDeliveryGroupSummaryId", "sort")
    return {name: call.query(name) or "" for name in names if call.query(name)}


async def delivery_groups(call: Call) -> Response:
    """Answer GET order-summaries/{summary}/delivery-groups."""
    need_version(call, 51)
    names, descending = asked_fields(call, MOST_ITEM_FIELDS), id_descending(call, "sort")

    def work(deal: Deal) -> dict[str, JSON]:
        rows = summaries.groups_of(deal, summaries.find(deal, call.args["summary"]), descending=descending)
        page, values = pages(call, len(rows), "page", _given(call))
        values["orderDeliveryGroups"] = [summaries.group_view(deal, row, names) for row in rows[page]]
        return shaped(shapes.ORDER_DELIVERY_GROUP_SUMMARY_COLLECTION, deal.version, values)

    return call.json(await dealing(call, work))


async def adjustments(call: Call) -> Response:
    """Answer GET order-summaries/{summary}/adjustments."""
    need_version(call, 53)

    def work(deal: Deal) -> dict[str, JSON]:
        return {"adjustments": summaries.adjustments(deal, summaries.find(deal, call.args["summary"]))}

    return call.json(await dealing(call, work))


async def item_adjustments(call: Call) -> Response:
    """Answer POST order-summaries/{summary}/items/adjustments, which reads. Assumed: the body's form."""
    need_version(call, 53)
    given = (await call.json_object()).get("orderItemSummaries")
    if not isinstance(given, list) or not all(isinstance(one, Mapping) for one in given):
        raise bad_input("You must specify a value for the orderItemSummaries parameter.")
    ids = [required(one, "orderItemSummaryId") for one in given]

    def work(deal: Deal) -> dict[str, JSON]:
        summary = summaries.find(deal, call.args["summary"])
        shown = [{"adjustments": summaries.adjustments(deal, summary, [one]), "orderItemSummaryId": one} for one in ids]
        return {"orderItemSummaries": shown}

    return call.json(await dealing(call, work))


async def compute_aggregates(call: Call) -> Response:
    """Answer POST order-summaries/async-actions/adjustment-aggregates.

    Assumed: the status; that the address of the job's status is that of the summaries with their aggregates, where
    each tells its own; that the job is done at once, since aggregates are sums of rows.
    """
    need_version(call, 55)
    given = inputs.check(_AGGREGATED, await call.json_object(), call.version).get("orderSummaryIds")
    if not isinstance(given, list) or not given or not all(isinstance(one, str) for one in given):
        raise bad_input("You must specify a value for the orderSummaryIds parameter.")

    def work(deal: Deal) -> dict[str, JSON]:
        for one in given:
            summaries.find(deal, one)
        store, account = deal.buyer.store.id, deal.buyer.account_id
        query = f"effectiveAccountId={account}&includeAdjustmentDetails=true&ownerScoped=false"
        values: dict[str, JSON] = {"statusURL": f"{call.data_path}/commerce/webstores/{store}/order-summaries?{query}"}
        return shaped(shapes.ORDER_SUMMARY_ADJUSTMENT_AGGREGATES_ASYNC, deal.version, values)

    return call.json(await dealing(call, work), call.parts.commerce.policy.action_status)


async def add_to_cart(call: Call) -> Response:
    """Answer POST order-summaries/{summary}/actions/add-order-to-cart."""
    need_version(call, 57)
    body = await call.json_object()

    def work(deal: Deal) -> dict[str, JSON]:
        return summaries.to_cart(deal, summaries.find(deal, call.args["summary"]), body)

    return call.json(await dealing(call, work), 201)


async def add_any_to_cart(call: Call) -> Response:
    """Answer POST order-summaries/actions/add-order-to-cart: by id, order number or reference number."""
    need_version(call, 59)
    body = await call.json_object()

    def work(deal: Deal) -> dict[str, JSON]:
        return summaries.to_cart(deal, summaries.find_any(deal, required(body, "orderSummaryIdOrRefNumber")), body)

    return call.json(await dealing(call, work), 201)


_KEY = "orderSummaryIdOrRefNumber"
_EXCLUDED = {
    "excludeAdjustments": "adjustments",
    "excludeAdjustmentAggregates": "adjustments",
    "excludeDeliveryGroups": "groups",
    "excludeLineItems": "items",
    "excludeProducts": "products",
}


async def lookup(call: Call) -> Response:
    """Answer POST (GET from v64 on) order-summaries/actions/lookup, to buyers and to guests who prove themselves."""
    reads = call.request.method in ("GET", "HEAD")
    need_version(call, 64 if reads else 58)
    given: dict[str, JSON] = dict(call.request.query_params) | await optional_object(call)
    token = inputs.text(given, "accessToken") if call.version >= 64 else None
    proof = None if reads else given.get("verification")
    key = inputs.text(given, _KEY) if token else required(given, _KEY)
    left_out = _left_out(given)
    fields = given.get("fields") or []
    names = [name.strip() for name in fields.split(",")] if isinstance(fields, str) else [str(name) for name in fields]
    if len(names) > _MOST_FIELDS:
        raise bad_input(f"The fields parameter takes {_MOST_FIELDS} fields at most.")
    group = str(given.get("deliveryGroupId") or "") or None

    def work(deal: Deal) -> dict[str, JSON]:
        return summaries.lookup(deal, summaries.find_any(deal, str(key)), names, left_out, group)

    def guests_work(deal: Deal) -> JSON:
        by_token = guests.by_token(deal, token, key) if token else None
        summary = by_token or guests.by_verification(deal, proof, str(key))
        shown = summaries.lookup(guests.acting_for(deal, summary), summary, names, left_out, group)
        return guests.masked({**shown, "id": None})

    if token or proof is not None:
        return call.json(await guest_dealing(call, guests_work))
    return call.json(await dealing(call, work))


def _left_out(given: Mapping[str, JSON]) -> frozenset[str]:
    """Return what a look-up leaves out: POST has a flag for each, GET a list."""
    flags = {name for name in _EXCLUDED if str(given.get(name, "")).lower() == "true"}
    listed = {f"exclude{one.strip()}" for one in str(given.get("excludeParameters") or "").split(",")}
    return frozenset(part for name, part in _EXCLUDED.items() if name in flags | listed)


_ALL = f"{WS}/order-summaries"
_ONE = f"{_ALL}/{{summary}}"
ROUTES = (
    Route(pattern=_ALL, handlers={"GET": show_all}),
    Route(pattern=f"{_ALL}/actions/lookup", handlers={"GET": lookup, "POST": lookup}),
    Route(pattern=f"{_ALL}/actions/add-order-to-cart", handlers={"POST": add_any_to_cart}),
    Route(pattern=f"{_ALL}/async-actions/adjustment-aggregates", handlers={"POST": compute_aggregates}),
    Route(pattern=_ONE, handlers={"GET": show}),
    Route(pattern=f"{_ONE}/items", handlers={"GET": items}),
    Route(pattern=f"{_ONE}/items/adjustments", handlers={"POST": item_adjustments}),
    Route(pattern=f"{_ONE}/delivery-groups", handlers={"GET": delivery_groups}),
    Route(pattern=f"{_ONE}/adjustments", handlers={"GET": adjustments}),
    Route(pattern=f"{_ONE}/actions/add-order-to-cart", handlers={"POST": add_to_cart}),
)
