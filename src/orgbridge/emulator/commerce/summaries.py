"""Order summaries: what buyers see of their orders.

Source: facts/commerce/orders.md section 2. Assumed: labels and texts of fields (as the emulator's describe and REST
bodies have them); who may look a summary up: whoever acts for its account.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from orgbridge.emulator.commerce import carts, lines, shapes
from orgbridge.emulator.commerce.cartviews import NO_PICTURE
from orgbridge.emulator.commerce.deals import Deal, Row, bad_input, missing, required
from orgbridge.emulator.commerce.money import ZERO, money_text, of_row
from orgbridge.emulator.commerce.offers import entitled
from orgbridge.emulator.commerce.versions import body as shaped
from orgbridge.emulator.schema.errors import SFError
from orgbridge.emulator.schema.rendering import rest_value
from orgbridge.kit.json import JSON
from orgbridge.wire.dates import bulk_datetime, parse_datetime
from orgbridge.wire.ids import to_18

#: Orders of the list: column, and whether the last comes first.
SORTS = {
    "createddateasc": ("CreatedDate", False),
    "createddatedesc": ("CreatedDate", True),
    "ordereddateasc": ("OrderedDate", False),
    "ordereddatedesc": ("OrderedDate", True),
}
#: Status of aggregates that are there: the documented ones are of jobs that are not done. Source: a published sample.
_DONE = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which summaries a list shows."""

    #: One of `SORTS`.
    sort: str
    #: From this instant on; None for any.
    earliest: datetime | None
    #: Before this instant; None for any.
    latest: datetime | None
    #: Only what the caller owns; otherwise all of the account.
    owner_scoped: bool


def read_instant(text: str | None, name: str) -> datetime | None:
    """Return the instant of a parameter such as `2024-07-04T12:08:56.235-0700`; None for none.

    Raises:
        SFError: It is no instant.
    """
    if not text:
        return None
    # A plus sign in an address stands for a blank unless somebody took care.
    found = parse_datetime(text.strip().replace(" ", "+"))
    if found is None:
        raise bad_input(f"The value of the {name} parameter isn't valid: {text[:60]}")
    return found


def listed(deal: Deal, wanted: Wanted) -> list[Row]:
    """Return the summaries of the account, in order; those without the date that is sorted by come last."""
    where: dict[str, object] = {"AccountId": deal.buyer.account_id, "SalesStoreId": deal.buyer.store.id}
    if wanted.owner_scoped:
        where["OwnerId"] = deal.buyer.user_id
    column, descending = SORTS[wanted.sort]
    direction = "DESC" if descending else "ASC"
    rows = deal.rows("OrderSummary", where, f'"{column}" IS NULL, "{column}" {direction}, Id {direction}')
    if wanted.earliest is not None:
        first = bulk_datetime(wanted.earliest)
        rows = [row for row in rows if row[column] is not None and row[column] >= first]
    if wanted.latest is not None:
        last = bulk_datetime(wanted.latest)
        rows = [row for row in rows if row[column] is not None and row[column] < last]
    return rows


def belongs(deal: Deal, summary: Row) -> bool:
    """Tell whether a summary is one of the account and the store that the call is for."""
    return bool(summary["AccountId"] == deal.buyer.account_id and summary["SalesStoreId"] == deal.buyer.store.id)


def find(deal: Deal, summary_id: str) -> Row:
    """Return a summary of the account.

    Raises:
        SFError: There is none.
    """
    row = deal.find("OrderSummary", summary_id)
    if row is None or not belongs(deal, row):
        raise missing("order summary", summary_id[:40])
    return row


def find_any(deal: Deal, key: str) -> Row:
    """Return the summary that an id, an order number or an order reference number names.

    Raises:
        SFError: There is none for this account.
    """
    if to_18(key) is not None and key.startswith("1Os"):
        return find(deal, key)
    for name in ("OrderNumber", "ExternalReferenceIdentifier"):
        rows = deal.rows("OrderSummary", {name: key, "AccountId": deal.buyer.account_id})
        if rows:
            return find(deal, rows[0]["Id"])
    raise missing("order summary", key[:40])


def record_field(deal: Deal, sobject: str, name: str, row: Mapping[str, JSON]) -> dict[str, JSON] | None:
    """Return a field as a Record Field; None where the object has no such field."""
    field = deal.org.sobject(sobject).field(name)
    if field is None or not field.is_stored:
        return None
    value = rest_value(field, row.get(field.name))
    text = None if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return {"label": field.label, "text": text, "type": str(field.type)}


def fields_of(deal: Deal, names: Sequence[str], rows: Mapping[str, Mapping[str, JSON]], top: str) -> dict[str, JSON]:
    """Return the asked fields of an object, or of several where names are `Object.Field`.

    Raises:
        SFError: An object has no such field.
    """
    found: dict[str, JSON] = {}
    for name in names:
        sobject, _, own = name.rpartition(".")
        row = rows.get(sobject or top)
        shown = None if row is None else record_field(deal, sobject or top, own, row)
        if shown is None:
            raise SFError("INVALID_FIELD", f"No such column '{name[:80]}' on entity '{sobject or top}'.", 400)
        found[name] = shown
    return found


def summary_view(
    deal: Deal, row: Row, names: Sequence[str], *, details: bool, products: bool = False
) -> dict[str, JSON]:
    """Return a summary as a Connect body."""
    items = deal.rows("OrderItemSummary", {"OrderSummaryId": row["Id"]})
    own = [name.removeprefix("OrderSummary.") for name in names]
    values: dict[str, JSON] = {
        "adjustmentAggregates": aggregates(deal, items) if details else None,
        "createdDate": row["CreatedDate"],
        "currencyIsoCode": deal.buyer.store.currency,
        "fields": fields_of(deal, own, {"OrderSummary": row}, "OrderSummary"),
        "orderNumber": row["OrderNumber"],
        "orderProductTopLevelLineCount": row["OrderProductLineCount"],
        "orderSummaryId": row["Id"],
        "orderedDate": row["OrderedDate"],
        "ownerId": row["OwnerId"],
        "products": [_product_lookup(deal, item) for item in items if item["TypeCode"] != "Charge"] if products else [],
        "status": row["Status"],
        "totalAmount": money_text(row["GrandTotalAmount"]),
    }
    return shaped(shapes.ORDER_SUMMARY, deal.version, values)


def aggregates(deal: Deal, items: Sequence[Row]) -> dict[str, JSON]:
    """Return the sums of a summary's adjustments."""
    goods = [item for item in items if item["TypeCode"] != "Charge"]
    charges = [item for item in items if item["TypeCode"] == "Charge"]

    def total(rows: Sequence[Row], name: str) -> str | None:
        return money_text(sum((of_row(row[name]) for row in rows), ZERO))

    values: dict[str, JSON] = {
        "available": True,
        "status": _DONE,
        "totalDeliveryPromotionDistAmount": "0.00",
        "totalDeliveryPromotionLineAmount": total(charges, "TotalAdjustmentAmount"),
        "totalDeliveryPromotionTotalAmount": total(charges, "TotalAdjustmentAmount"),
        "totalProductPromotionDistAmount": total(goods, "TotalAdjustmentDistAmount"),
        "totalProductPromotionLineAmount": total(goods, "TotalLineAdjustmentAmount"),
        "totalProductPromotionTotalAmount": total(goods, "TotalAdjustmentAmount"),
    }
    return shaped(shapes.ORDER_SUMMARY_ADJUSTMENT_AGGREGATES, deal.version, values)


def _item_aggregates(deal: Deal, item: Row) -> dict[str, JSON]:
    values: dict[str, JSON] = {
        "available": True,
        "status": _DONE,
        "totalLinePromotionAmount": money_text(of_row(item["TotalLineAdjustmentAmount"])),
        "totalPromotionDistAmount": money_text(of_row(item["TotalAdjustmentDistAmount"])),
    }
    return shaped(shapes.ORDER_ITEM_SUMMARY_ADJUSTMENT_AGGREGATES, deal.version, values)


def _product_lookup(deal: Deal, item: Row) -> dict[str, JSON]:
    visible = item["Product2Id"] in entitled(deal, [item["Product2Id"]])
    values: dict[str, JSON] = {
        "canViewProduct": visible,
        "errorCode": None if visible else "INSUFFICIENT_ACCESS",
        "errorMessage": None if visible else "You don't have access to this product.",
        "fields": {},
        "id": item["Product2Id"],
        "media": shaped(shapes.PRODUCT_MEDIA, deal.version, NO_PICTURE),
        "variationAttributes": {},
    }
    return shaped(shapes.ORDER_SUMMARY_PRODUCT_LOOKUP, deal.version, values)


def items_of(deal: Deal, summary: Row, group_id: str | None, *, descending: bool) -> list[Row]:
    """Return the items of a summary, of one delivery group where one is named."""
    where: dict[str, object] = {"OrderSummaryId": summary["Id"]}
    if group_id:
        where["OrderDeliveryGroupSummaryId"] = to_18(group_id) or group_id
    return deal.rows("OrderItemSummary", where, "Id DESC" if descending else "Id")


def item_view(deal: Deal, item: Row, names: Sequence[str], *, details: bool) -> dict[str, JSON]:
    """Return an item as a Connect body."""
    own = [name for name in names if not name.startswith("Product2.")]
    values: dict[str, JSON] = {
        "adjustmentAggregates": _item_aggregates(deal, item) if details else None,
        "fields": fields_of(deal, own, {"OrderItemSummary": item}, "OrderItemSummary"),
        "orderItemSummaryId": item["Id"],
        "orderSummaryId": item["OrderSummaryId"],
        "product": product_view(deal, item["Product2Id"], names),
    }
    return shaped(shapes.ORDER_ITEM_SUMMARY, deal.version, values)


def product_view(deal: Deal, product_id: str | None, names: Sequence[str]) -> dict[str, JSON]:
    """Return the product of an item with those of the asked fields that are `Product2.Field`.

    Raises:
        SFError: A product has no such field.
    """
    product = deal.find("Product2", product_id) or {}
    visible = product_id is not None and product_id in entitled(deal, [product_id])
    asked = [name.removeprefix("Product2.") for name in names if name.startswith("Product2.")]
    shown: dict[str, JSON] = {
        "canViewProduct": visible,
        "errorCode": None if visible else "INSUFFICIENT_ACCESS",
        "errorMessage": None if visible else "You don't have access to this product.",
        "fields": fields_of(deal, asked, {"Product2": product}, "Product2") if visible else {},
        "media": shaped(shapes.PRODUCT_MEDIA, deal.version, NO_PICTURE),
        "productId": product_id,
    }
    return shaped(shapes.ORDER_ITEM_SUMMARY_PRODUCT, deal.version, shown)


def groups_of(deal: Deal, summary: Row, *, descending: bool) -> list[Row]:
    """Return the delivery groups of a summary."""
    return deal.rows("OrderDeliveryGroupSummary", {"OrderSummaryId": summary["Id"]}, "Id DESC" if descending else "Id")


def group_view(deal: Deal, group: Row, names: Sequence[str]) -> dict[str, JSON]:
    """Return a delivery group as a Connect body. Assumed: its properties beside `fields`."""
    own = [name for name in names if not name.startswith("OrderDeliveryMethod.")]
    rows = {"OrderDeliveryGroupSummary": group}
    return {
        "fields": fields_of(deal, own, rows, "OrderDeliveryGroupSummary"),
        "orderDeliveryGroupSummaryId": group["Id"],
        "orderSummaryId": group["OrderSummaryId"],
    }


# -- adjustments -------------------------------------------------------------------------------------------------


def adjustments(deal: Deal, summary: Row, item_ids: Sequence[str] | None = None) -> list[dict[str, JSON]]:
    """Return the adjustments of a summary, or of some of its items.

    Raises:
        SFError: It has no such item.
    """
    items = deal.rows("OrderItemSummary", {"OrderSummaryId": summary["Id"]})
    known = {item["Id"]: item for item in items}
    if item_ids is not None:
        for item_id in item_ids:
            if (to_18(item_id) or item_id) not in known:
                raise missing("order item summary", item_id[:40])
        items = [known[to_18(item_id) or item_id] for item_id in item_ids]
    goods = sum((of_row(item["TotalAdjustmentAmount"]) for item in items if item["TypeCode"] != "Charge"), ZERO)
    delivery = sum((of_row(item["TotalAdjustmentAmount"]) for item in items if item["TypeCode"] == "Charge"), ZERO)
    found = [("Promotion", "Cart", goods), ("Promotion", "Delivery", delivery)]
    return [_adjustment(deal, kind, target, amount) for kind, target, amount in found if amount]


def _adjustment(deal: Deal, kind: str, target: str, amount: Decimal) -> dict[str, JSON]:
    values: dict[str, JSON] = {
        "amount": money_text(amount),
        "currencyIsoCode": deal.buyer.store.currency,
        "displayName": kind,
        "targetType": target,
        "type": kind,
    }
    return shaped(shapes.ORDER_SUMMARY_ADJUSTMENT, deal.version, values)


# -- reordering --------------------------------------------------------------------------------------------------


def to_cart(deal: Deal, summary: Row, body: Mapping[str, JSON]) -> dict[str, JSON]:
    """Put the products of an order into a cart again, each by itself; return what became of them.

    Raises:
        SFError: The cart cannot be changed. Nothing was added.
    """
    cart = carts.to_change(deal, required(body, "cartStateOrId"), create=True)
    items = [item for item in items_of(deal, summary, None, descending=False) if item["TypeCode"] != "Charge"]
    wanted = [(str(item["Product2Id"]), of_row(item["Quantity"])) for item in items]
    refusals = lines.copy_lines(deal, cart, wanted)
    failed = [
        _failed_product(deal, item, refusal)
        for item, refusal in zip(items, refusals, strict=True)
        if refusal is not None
    ]
    values: dict[str, JSON] = {
        "cartId": cart["Id"],
        "totalFailedProductCount": len(failed),
        "totalSucceededProductCount": len(items) - len(failed),
        "unaddedProducts": failed,
    }
    return shaped(shapes.ORDER_TO_CART_RESULT, deal.version, values)


def _failed_product(deal: Deal, item: Row, refusal: SFError) -> dict[str, JSON]:
    full = refusal.code == deal.policy.too_many.code
    values: dict[str, JSON] = {
        # Documented: the codes of partial failures begin so.
        "errorCode": "ERROR_MAX_LIMIT_EXCEEDED" if full else "ERROR_SAVING_CARTITEM",
        "errorMessage": refusal.message,
        "media": shaped(shapes.PRODUCT_MEDIA, deal.version, NO_PICTURE),
        "productId": item["Product2Id"],
        "productName": item["Name"],
        "productSKU": item["StockKeepingUnit"],
    }
    return shaped(shapes.ORDER_TO_CART_FAILED_PRODUCT, deal.version, values)


# -- looking up --------------------------------------------------------------------------------------------------


def lookup(
    deal: Deal, summary: Row, names: Sequence[str], left_out: frozenset[str], group_id: str | None
) -> dict[str, JSON]:
    """Return a whole summary: groups, items, products, adjustments, as far as they are not left out.

    Args:
        deal: The business.
        summary: The summary.
        names: Fields of it to be shown.
        left_out: What is not wanted: `adjustments`, `products`, `items`, `groups`.
        group_id: Only this delivery group.

    Raises:
        SFError: It has no such field or group.
    """
    items = deal.rows("OrderItemSummary", {"OrderSummaryId": summary["Id"]})
    groups = groups_of(deal, summary, descending=False)
    if group_id:
        groups = [group for group in groups if group["Id"] == to_18(group_id)]
        if not groups:
            raise missing("delivery group", group_id[:40])
    shown = [_lookup_group(deal, group, items, left_out) for group in groups] if "groups" not in left_out else []
    own = [name.removeprefix("OrderSummary.") for name in names]
    values: dict[str, JSON] = {
        "adjustmentAggregates": None if "adjustments" in left_out else aggregates(deal, items),
        "adjustments": [] if "adjustments" in left_out else adjustments(deal, summary),
        "currencyIsoCode": deal.buyer.store.currency,
        "deliveryGroups": shown,
        "fields": fields_of(deal, own, {"OrderSummary": summary}, "OrderSummary"),
        "id": summary["Id"],
        "orderNumber": summary["OrderNumber"],
        "payments": [],
        "status": summary["Status"],
    }
    return shaped(shapes.ORDER_SUMMARY_LOOKUP_OUTPUT, deal.version, values)


def _lookup_group(deal: Deal, group: Row, items: Sequence[Row], left_out: frozenset[str]) -> dict[str, JSON]:
    own = [
        item for item in items if item["OrderDeliveryGroupSummaryId"] == group["Id"] and item["TypeCode"] != "Charge"
    ]
    names = ("DeliverToCity", "DeliverToCountry", "DeliverToName", "DeliverToPostalCode", "DeliverToStreet")
    values: dict[str, JSON] = {
        "currencyIsoCode": deal.buyer.store.currency,
        "fields": fields_of(deal, names, {"OrderDeliveryGroupSummary": group}, "OrderDeliveryGroupSummary"),
        "id": group["Id"],
        "lineItems": [] if "items" in left_out else [_lookup_item(deal, item, left_out) for item in own],
    }
    return shaped(shapes.ORDER_DELIVERY_GROUP_SUMMARY_LOOKUP_OUTPUT, deal.version, values)


def _lookup_item(deal: Deal, item: Row, left_out: frozenset[str]) -> dict[str, JSON]:
    names = ("Quantity", "TotalPrice", "UnitPrice", "StockKeepingUnit")
    values: dict[str, JSON] = {
        "adjustmentAggregates": None,
        "associatedLineItems": [],
        "currencyIsoCode": deal.buyer.store.currency,
        "fields": fields_of(deal, names, {"OrderItemSummary": item}, "OrderItemSummary"),
        "id": item["Id"],
        "itemClass": "Simple",
        "processExceptions": [],
        "product": None if "products" in left_out else _product_lookup(deal, item),
    }
    return shaped(shapes.ORDER_ITEM_SUMMARY_LOOKUP_OUTPUT, deal.version, values)
