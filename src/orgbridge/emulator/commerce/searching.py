"""Search over what a buyer may see: words, category, refinements, order, facets.

A product is found when it is in a category of the store, the buyer may see it, and the live index has it. Every word of
the term must stand somewhere in name, description, stock-keeping unit, code or family.

Source: facts/commerce/catalog.md section 2. Assumed: how words match; that an index has what was there when it was
built; which rules of order there are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from orgbridge.emulator.commerce.catalog import below, categories_of
from orgbridge.emulator.commerce.contexts import BuyerContext
from orgbridge.emulator.commerce.entitlements import visible
from orgbridge.emulator.commerce.pricing import prices_of
from orgbridge.emulator.storage.database import Connection

#: Rules of order: id, label, the key that is sorted by, and whether from the end.
SORT_RULES = (
    ("0sr000000000001AAA", "Best Match", "relevance", False),
    ("0sr000000000002AAA", "Name: A-Z", "name", False),
    ("0sr000000000003AAA", "Name: Z-A", "name", True),
    ("0sr000000000004AAA", "Price: Low to High", "price", False),
    ("0sr000000000005AAA", "Price: High to Low", "price", True),
)
#: Fields whose values can refine a search.
FACETS = ("Family", "ProductClass", "QuantityUnitOfMeasure")


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What is looked for."""

    #: Words, in lower case; all must be there.
    words: tuple[str, ...] = ()
    #: A category, with all below it; None for the whole store.
    category_id: str | None = None
    #: Values by field: one of each field's must be there.
    refinements: Mapping[str, Sequence[str]]
    #: What is sorted by: `relevance`, `name` or `price`.
    order: str = "relevance"
    #: Whether from the end.
    descending: bool = False
    #: What is newer is not found; None for everything.
    indexed_at: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a search finds."""

    #: Products in their order.
    ids: tuple[str, ...]
    #: Products of each category, itself and below.
    by_category: Mapping[str, int]
    #: Products of each value, by field.
    by_value: Mapping[str, Mapping[str, int]]


def find_products(connection: Connection, buyer: BuyerContext, search: Search, now: datetime) -> Found:
    """Return the products that a search finds, all pages of them.

    Args:
        connection: Open for reading.
        buyer: Who searches.
        search: What for.
        now: The instant at which prices hold, where they are sorted by.

    Raises:
        SFError: Prices are sorted by, and the buyer has more than 25 price books.
    """
    seen, values = visible(buyer)
    known = categories_of(connection, buyer.store.id)
    wanted = below(known, search.category_id) if search.category_id else list(known)
    text = "lower(coalesce(p.Name,'') || ' ' || coalesce(p.Description,'') || ' ' || coalesce(p.StockKeepingUnit,'')"
    text += " || ' ' || coalesce(p.ProductCode,'') || ' ' || coalesce(p.Family,''))"
    conditions, parameters = [f"p.Id IN ({seen})"], list(values)
    for word in search.words:
        conditions.append(f"instr({text}, ?) > 0")
        parameters.append(word)
    for field, options in search.refinements.items():
        # Names come from FACETS alone.
        conditions.append(f'p."{field}" IN ({", ".join("?" * len(options))})')
        parameters += options
    if search.indexed_at is not None:
        conditions.append("p.CreatedDate <= ?")
        parameters.append(search.indexed_at)
    columns = ", ".join(f'p."{name}"' for name in FACETS)
    sql = (
        f'SELECT p.Id, p.Name, p.StockKeepingUnit, x.ProductCategoryId, {columns} FROM "Product2" p'  # noqa: S608
        ' JOIN "ProductCategoryProduct" x ON x.ProductId = p.Id AND x.IsDeleted = 0'
        f" WHERE {' AND '.join(conditions)}"
    )
    allowed = set(wanted)
    rows: dict[str, tuple[str, str]] = {}
    places: dict[str, set[str]] = {}
    facets: dict[str, Counter[str]] = {name: Counter() for name in FACETS}
    for product, name, sku, category, *more in connection.execute(sql, parameters):
        if category not in allowed:
            continue
        if product not in rows:
            for field, value in zip(FACETS, more, strict=True):
                if value is not None:
                    facets[field][value] += 1
        rows[product] = (name, sku or "")
        places.setdefault(product, set()).add(category)
    by_category = {one: len([p for p in places.values() if not p.isdisjoint(below(known, one))]) for one in known}
    ids = _ordered(connection, buyer, search, rows, now)
    return Found(ids=tuple(ids), by_category=by_category, by_value=facets)


def _ordered(
    connection: Connection,
    buyer: BuyerContext,
    search: Search,
    rows: Mapping[str, tuple[str, str]],
    now: datetime,
) -> list[str]:
    if search.order == "price":
        prices = prices_of(connection, buyer, rows, now)
        cost = {one: price.unit_price for one, price in prices.items() if price.unit_price is not None}
        priced = sorted(
            (one for one in rows if one in cost), key=lambda one: (cost[one], one), reverse=search.descending
        )
        return priced + sorted(one for one in rows if one not in cost)
    if search.order == "name":
        return sorted(rows, key=lambda one: (rows[one][0].casefold(), one), reverse=search.descending)
    term = " ".join(search.words)
    # The product whose number was typed in comes first.
    return sorted(rows, key=lambda one: (rows[one][1].lower() != term, rows[one][1], one))
