"""The second way: orders made from the cart's lines by the Place Order API, one per price book, and the cart closed.

Each order carries a marker of its own; it is looked for before anything is sent again. What was made before an order
was refused is taken back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from orgbridge.client import Salesforce
from orgbridge.client.commerce.cart_values import CartLine
from orgbridge.client.commerce.orders import MOST_RECORDS, Sale, SaleItem
from orgbridge.client.commerce.resources import Patience
from orgbridge.client.commerce.values import wire
from orgbridge.client.errors import AccessRefused, ClientError, NotFound, SendingWithheld
from orgbridge.engine.faults import nothing_sent
from orgbridge.engine.orders.approvals import differences
from orgbridge.engine.orders.books import BookOrder, Entry, Line, deal_out
from orgbridge.engine.orders.desks import Desk, Done, is_refusal
from orgbridge.engine.orders.looks import look_for_marker, marker_field
from orgbridge.engine.orders.machine import Event, Verdict, judge_marked
from orgbridge.engine.orders.refusals import Refusal, refusal_of, refuse
from orgbridge.kit.logs import get_logger
from orgbridge.soql import bind

_SETTLE_SECONDS = 20.0
#: Rank of a store's own price book, behind all of buyer groups.
_STORE_RANK = 1_000_000
_log = get_logger(__name__)


async def plan(desk: Desk) -> Done:
    """Read all lines of the cart and deal them out to price books, by one query for all entries.

    Raises:
        PlacementRefused: A line cannot be ordered this way, or orders can carry no marker. Nothing was sent.
        ClientError: Salesforce refused, or could not be reached.
    """
    field = await marker_field(desk)
    if field is None:
        raise refuse(
            "order.no_marker_field",
            "Orders of this org have no field that this buyer may write and search by, so that a lost order could not "
            "be found again: set ORGBRIDGE_ORDER_MARKER_FIELD, or order through a checkout.",
        )
    asked = await desk.store.carts.lines(desk.record.cart_id, Patience(seconds=_SETTLE_SECONDS))
    if asked.value is None or asked.pending:
        raise refuse(
            "order.cart_processing", "Salesforce did not finish computing the cart in time: order again later."
        )
    lines = [_line(line) for line in asked.value.lines]
    different = differences(desk.request.get("approved"), lines, desk.facts)
    if different:
        raise refuse(
            "order.changed",
            f"What the cart holds is not what was approved: {different[0]['message']} Nothing was ordered.",
            *different,
        )
    products = list(dict.fromkeys(line.product_id for line in lines if line.product_id))
    ranks = await _ranks(desk)
    entries = await _entries(desk, products, list(ranks)) if products and ranks else []
    orders, unorderable = deal_out(lines, entries, ranks)
    if unorderable or not orders:
        details = ({"item_id": one.item_id, "name": one.name, "message": one.reason} for one in unorderable)
        first = f"{unorderable[0].name}: {unorderable[0].reason}." if unorderable else "The cart has no lines."
        raise refuse("order.line_unorderable", f"The cart cannot be ordered as it stands. {first}", *details)
    for order in orders:
        if len(order.lines) >= MOST_RECORDS:
            raise refuse("order.too_many_lines", f"An order takes {MOST_RECORDS - 1} lines at most.")
    many = len(orders) > 1
    marker = desk.record.marker
    plans = [_plan(order, f"{marker}-{place}" if many else marker) for place, order in enumerate(orders, 1)]
    return Done(event=Event.DEALT_OUT, facts={"orders": plans, "marker_field": field})


async def place(desk: Desk) -> Done | None:
    """Note that the next order is about to be made, and have it made.

    Returns:
        None when its outcome must be looked for; what is known of it is noted.
    """
    tries = int(desk.facts.get("tries", 0)) + 1
    if not await desk.note(Event.SENDING, {"tries": tries, "refusal": None, "answered": False}):
        return None
    at, order = next_order(desk)
    request = desk.request
    sale = Sale(
        account_id=desk.record.account_id,
        pricebook_id=order["pricebook_id"],
        effective_on=date.fromisoformat(request["effective_on"]),
        items=[
            SaleItem(entry_id=entry, quantity=Decimal(quantity), unit_price=Decimal(price))
            for entry, quantity, price in order["lines"]
        ],
        fields={**_fields(desk), str(desk.facts["marker_field"]): order["marker"]},
    )
    try:
        placed = await desk.salesforce.commerce.sales.place(
            sale, seconds=desk.sending_seconds, guard=desk.may_still_send
        )
    except ClientError as error:
        if nothing_sent(error):
            # A sending that was withheld is no try.
            made = tries - 1 if isinstance(error, SendingWithheld) else tries
            return Done(event=Event.SENDING, facts={"answered": True, "tries": made})
        if not is_refusal(error):
            _log.warning("engine.order_outcome_unknown", cause=error.message)
            return Done(event=Event.SENDING)
        # The look that follows tells whether an earlier sending made it after all.
        refusal = None if error.retryable else refusal_of(error).to_json()
        return Done(event=Event.SENDING, facts={"answered": True, "refusal": refusal})
    return made_as(desk, at, placed.order_id)


async def find(desk: Desk) -> Done | None:
    """Look whether the order that was sent last is there.

    Returns:
        None when that cannot be told yet.

    Raises:
        ClientError: Salesforce could not be asked: nothing is known.
    """
    at, order = next_order(desk)
    config, facts = desk.config, desk.facts
    found = await look_for_marker(desk, str(facts["marker_field"]), order["marker"])
    settled = bool(facts.get("answered")) or desk.sent_longer_ago_than(config.order_settle_seconds)
    patient = not desk.sent_longer_ago_than(config.order_settle_seconds + config.order_find_seconds)
    match judge_marked(found, settled=settled, patient=patient):
        case Verdict.FOUND:
            assert found, "a verdict of found has orders"
            return made_as(desk, at, found[0])
        case Verdict.ABSENT if facts.get("refusal"):
            return Done(event=Event.REFUSED, columns={"error": facts["refusal"]})
        case Verdict.ABSENT:
            return Done(event=Event.ABSENT)
        case Verdict.UNDECIDABLE:
            refusal = Refusal(
                code="order.outcome_unknown",
                message=f"Whether an order marked {order['marker']} was made cannot be told: orders cannot be "
                "searched. Nothing was or will be sent again: look for it in Salesforce before ordering anew.",
            )
            return Done(event=Event.UNDECIDABLE, columns={"error": refusal.to_json()})
        case _:
            return None


async def close(desk: Desk) -> Done:
    """Close the cart, if it is not closed. A cart that cannot be closed is said so: the order is there all the same.

    Raises:
        ClientError: Salesforce could not be reached, or fails for now.
    """
    cart_id = desk.record.cart_id
    rows = await desk.rows(bind("SELECT Id, Status FROM WebCart WHERE Id = :cart", {"cart": cart_id}))
    if rows and rows[0]["Status"] == "Closed":
        return Done(event=Event.CLOSED)
    try:
        await desk.salesforce.records.update("WebCart", cart_id, {"Status": "Closed"})
    except ClientError as error:
        if not is_refusal(error) or error.retryable:
            raise
        note = f"The order is placed, but its cart could not be closed: {error.message}"
        return Done(event=Event.CLOSED, facts={"cart_left_open": note})
    return Done(event=Event.CLOSED)


async def undo(desk: Desk) -> Done:
    """Take back the orders that were made before one was refused, the last one first.

    Raises:
        ClientError: Salesforce could not be reached, or fails for now.
    """
    plans: list[dict[str, Any]] = [dict(one) for one in desk.facts.get("orders", ())]
    facts: dict[str, Any] = {"orders": plans}
    for one in reversed(plans):
        if not one.get("order_id") or one.get("undone"):
            continue
        try:
            try:
                await _take_back(desk.salesforce, one["order_id"])
            except AccessRefused:
                # Buyers seldom may delete orders, not even those that they just placed.
                await _take_back(desk.reader, one["order_id"])
                facts["taken_back"] = (
                    f"The order {one['order_id']} was taken back by the integration user: the buyer may not delete it."
                )
        except ClientError as error:
            if not is_refusal(error) or error.retryable:
                raise
            left = [plan["order_id"] for plan in plans if plan.get("order_id") and not plan.get("undone")]
            refusal = _left(dict(desk.record.error or {}), error, left)
            return Done(event=Event.LEFT, facts=facts, columns={"error": refusal.to_json()})
        one["undone"] = True
    return Done(event=Event.UNDONE, facts=facts, columns={"order_id": None, "order_reference": None})


async def _take_back(salesforce: Salesforce, order_id: str) -> None:
    try:
        await salesforce.records.delete("Order", order_id)
    except NotFound:
        return


def _left(cause: Mapping[str, Any], error: ClientError, left: Sequence[str]) -> Refusal:
    message = (
        f"One of several orders was refused ({cause.get('message', 'it was called off')}), and those made "
        f"before it could not be taken back: {error.message} See to {', '.join(left)} in Salesforce."
    )
    details = tuple({"order_id": order_id} for order_id in left)
    return Refusal(code="order.partly_placed", message=message, details=details)


def _line(line: CartLine) -> Line:
    price = line.adjusted_price if line.adjusted_price is not None else line.sales_price
    return Line(
        item_id=line.item_id or "",
        product_id=line.product_id,
        name=line.name or line.sku or line.item_id or "a line",
        quantity=line.quantity,
        unit_price=price,
    )


def _plan(order: BookOrder, marker: str) -> dict[str, Any]:
    return {
        "pricebook_id": order.pricebook_id,
        "marker": marker,
        "lines": [[line.entry_id, wire(line.quantity), wire(line.unit_price)] for line in order.lines],
        "order_id": None,
    }


def next_order(desk: Desk) -> tuple[int, Mapping[str, Any]]:
    """Return the order that is to be made next, or was sent last, and its place."""
    orders: Sequence[Mapping[str, Any]] = desk.facts["orders"]
    return next((place, one) for place, one in enumerate(orders) if not one.get("order_id"))


def made_as(desk: Desk, at: int, order_id: str) -> Done:
    """Return that one order is there, and whether it was the last one."""
    orders: list[dict[str, Any]] = [dict(one) for one in desk.facts["orders"]]
    orders[at]["order_id"] = order_id
    complete = all(one.get("order_id") for one in orders)
    columns = {"order_id": orders[0]["order_id"], "order_reference": _reference(desk, orders)}
    event = Event.ORDERS_MADE if complete else Event.ORDER_MADE
    return Done(event=event, facts={"orders": orders, "tries": 0}, columns=columns)


def _reference(desk: Desk, orders: Sequence[Mapping[str, Any]]) -> str | None:
    return orders[0]["marker"] if desk.facts.get("marker_field") == "OrderReferenceNumber" else None


def _fields(desk: Desk) -> dict[str, Any]:
    request = desk.request
    fields: dict[str, Any] = {"SalesStoreId": desk.record.webstore_id, **(request.get("fields") or {})}
    if request.get("po_number"):
        fields["PoNumber"] = request["po_number"]
    for prefix, name in (("Shipping", "delivery_address"), ("Billing", "billing_address")):
        # Compound address fields are read-only: their parts are sent.
        for part, suffix in _ADDRESS_FIELDS.items():
            value = (request.get(name) or {}).get(part)
            if value:
                fields[f"{prefix}{suffix}"] = value
    return fields


_ADDRESS_FIELDS: Mapping[str, str] = {
    "street": "Street",
    "city": "City",
    "region": "State",
    "postalCode": "PostalCode",
    "country": "Country",
}


async def _ranks(desk: Desk) -> dict[str, int]:
    """Return the price books that the account buys from, the smaller the number the better."""
    ranks: dict[str, int] = {}
    groups = await desk.configured(
        bind(
            "SELECT Pricebook2Id, Priority FROM BuyerGroupPricebook WHERE IsActive = true "
            "AND Pricebook2.IsActive = true AND BuyerGroupId IN "
            "(SELECT BuyerGroupId FROM BuyerGroupMember WHERE BuyerId = :account)",
            {"account": desk.record.account_id},
        )
    )
    for row in groups or ():
        rank = int(row["Priority"]) if row.get("Priority") is not None else _STORE_RANK - 1
        ranks[row["Pricebook2Id"]] = min(rank, ranks.get(row["Pricebook2Id"], rank))
    stores = await desk.configured(
        bind(
            "SELECT Pricebook2Id FROM WebStorePricebook WHERE IsActive = true AND Pricebook2.IsActive = true "
            "AND WebStoreId = :store",
            {"store": desk.record.webstore_id},
        )
    )
    for row in stores or ():
        ranks.setdefault(row["Pricebook2Id"], _STORE_RANK)
    if not ranks:
        raise refuse(
            "order.no_pricebook",
            "The account and the store have no active price book, or the integration user may not see which: see to it "
            "in Salesforce, or order through a checkout.",
        )
    return ranks


async def _entries(desk: Desk, products: Sequence[str], books: Sequence[str]) -> list[Entry]:
    rows = await desk.configured(
        bind(
            "SELECT Id, Pricebook2Id, Product2Id, UnitPrice FROM PricebookEntry WHERE IsActive = true "
            "AND Product2Id IN :products AND Pricebook2Id IN :books",
            {"products": list(products), "books": list(books)},
        )
    )
    return [
        Entry(
            entry_id=row["Id"],
            pricebook_id=row["Pricebook2Id"],
            product_id=row["Product2Id"],
            unit_price=Decimal(str(row["UnitPrice"])),
        )
        for row in rows or ()
    ]
