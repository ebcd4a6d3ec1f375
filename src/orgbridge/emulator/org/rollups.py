"""Totals of parents that follow the rows below them: the platform's own, and roll-up summary fields.

Sources: facts/commerce/orders.md (totals of orders). Assumed: that the amount of an opportunity, once it had
products, is the sum of what is left of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orgbridge.emulator.org.contexts import Context
from orgbridge.emulator.org.lookups import json_list, rows_by_id
from orgbridge.emulator.schema.model import Catalogue, SObject
from orgbridge.emulator.storage.database import Connection
from orgbridge.emulator.storage.tables import quote


@dataclass(frozen=True, slots=True)
class Rollup:
    """A field of the parent that sums up its live children."""

    #: Reference field of the child.
    reference: str
    #: The parent's object.
    parent: str
    #: The parent's field.
    total: str
    #: The child's field; None where rows are counted.
    summed: str | None
    #: `sum`, `count`, `min` or `max`.
    operation: str = "sum"


_PRODUCTS = ("OpportunityId", "Opportunity")
_LINES = ("QuoteId", "Quote")
STANDARD: dict[str, tuple[Rollup, ...]] = {
    "OrderItem": (Rollup("OrderId", "Order", "TotalAmount", "TotalPrice"),),
    "OpportunityLineItem": (
        Rollup(*_PRODUCTS, "Amount", "TotalPrice"),
        Rollup(*_PRODUCTS, "TotalOpportunityQuantity", "Quantity"),
        Rollup(*_PRODUCTS, "HasOpportunityLineItem", None, "any"),
    ),
    "QuoteLineItem": (
        Rollup(*_LINES, "Subtotal", "Subtotal"),
        Rollup(*_LINES, "TotalPrice", "TotalPrice"),
        Rollup(*_LINES, "LineItemCount", None, "count"),
    ),
}
#: Fields of a parent that follow from its totals, as SQL.
_FOLLOWING = {
    "Opportunity": ('"ExpectedRevenue" = ROUND("Amount" * COALESCE("Probability", 0) / 100, 2)',),
    "Quote": ('"GrandTotal" = "TotalPrice" + COALESCE("Tax", 0) + COALESCE("ShippingHandling", 0)',),
}


def rollups(catalogue: Catalogue, child: str) -> tuple[Rollup, ...]:
    """Return what follows the rows of an object."""
    own = tuple(r for r in STANDARD.get(child, ()) if catalogue.sobject(r.parent) is not None)
    declared = tuple(
        Rollup(f.summary.reference, parent, f.name, f.summary.field, f.summary.operation)
        for parent, f in catalogue.summaries.get(child, ())
        if f.summary is not None
    )
    return own + declared


def follow(
    catalogue: Catalogue, context: Context, sobject: SObject, ids: list[str], before: Mapping[str, object]
) -> None:
    """Bring the totals above written rows up to date; `before` holds the rows' former references by field name."""
    found = rollups(catalogue, sobject.name)
    if not found:
        return
    references = sorted({rollup.reference for rollup in found})
    rows = rows_by_id(context.connection, sobject, ids, references)
    for place, reference in enumerate(references):
        parents = {str(row[place + 1]) for row in rows.values() if row[place + 1]}
        former = before.get(reference)
        if isinstance(former, list):
            parents |= {str(value) for value in former if value}
        sum_up(context.connection, sobject.name, [r for r in found if r.reference == reference], parents)


def sum_up(connection: Connection, child: str, found: list[Rollup], parents: set[str]) -> None:
    """Recompute these totals of these parents."""
    if not found or not parents:
        return
    parent = quote(found[0].parent)
    pairs = ", ".join(f"{quote(r.total)} = ({_total(child, r)})" for r in found)
    listed = (json_list(parents),)
    some = "WHERE Id IN (SELECT value FROM json_each(?))"
    connection.execute(f"UPDATE {parent} SET {pairs} {some}", listed)  # noqa: S608 names come from the catalogue
    for expression in _FOLLOWING.get(found[0].parent, ()):
        connection.execute(f"UPDATE {parent} SET {expression} {some}", listed)  # noqa: S608 fixed texts


def _total(child: str, rollup: Rollup) -> str:
    summed = quote(rollup.summed) if rollup.summed else "*"
    value = {
        "sum": f"COALESCE(SUM({summed}), 0.0)",
        "count": "COUNT(*)",
        "any": "COUNT(*) > 0",
        "min": f"MIN({summed})",
        "max": f"MAX({summed})",
    }[rollup.operation]
    return (
        f"SELECT {value} FROM {quote(child)}"  # noqa: S608 names come from the catalogue
        f" WHERE {quote(rollup.reference)} = {quote(rollup.parent)}.Id AND IsDeleted = 0"
    )
