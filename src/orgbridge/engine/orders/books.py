"""Lines of a cart dealt out to price books: an order has one price book, and every line an entry of it. Pure.

The public implementation that this service takes the place of looked entries up by price and product code, one query
per line, took the first that came, and broke where there was none. Here a line's entry is found by product and price
book, the price is the one that the cart agreed on, and a line without an entry is refused by name before anything is
sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a cart."""

    #: Its id.
    item_id: str
    #: The product; None for a charge that is none.
    product_id: str | None
    #: What it is called.
    name: str
    #: How many.
    quantity: Decimal
    #: Price of one, promotions taken off; None when the cart has none.
    unit_price: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One active price book entry."""

    #: Its id.
    entry_id: str
    #: Its price book.
    pricebook_id: str
    #: Its product.
    product_id: str
    #: Its price.
    unit_price: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLine:
    """One line of an order to be made."""

    #: The price book entry.
    entry_id: str
    #: How many.
    quantity: Decimal
    #: Price of one.
    unit_price: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class BookOrder:
    """The lines of one price book."""

    #: The price book.
    pricebook_id: str
    #: Its lines, in the cart's order.
    lines: tuple[OrderLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unorderable:
    """A line that no order can hold."""

    #: Its id.
    item_id: str
    #: What it is called.
    name: str
    #: Why.
    reason: str


def deal_out(
    lines: Sequence[Line], entries: Iterable[Entry], ranks: Mapping[str, int]
) -> tuple[tuple[BookOrder, ...], tuple[Unorderable, ...]]:
    """Deal lines out to as few price books as a greedy choice finds.

    Args:
        lines: The cart's.
        entries: Of the products of these lines, in the price books that the buyer's account may buy from.
        ranks: By price book, the smaller the better. Of books that hold equally many lines the one in which more lines
            have the cart's own price goes first, then the better rank, then the smaller id: the same cart is always
            dealt out alike.

    Returns:
        The orders, and the lines that none can hold. When there are such lines nothing must be sent.
    """
    offers: dict[str, dict[str, Entry]] = {}
    for entry in entries:
        if entry.pricebook_id in ranks:
            held = offers.setdefault(entry.product_id, {})
            known = held.get(entry.pricebook_id)
            if known is None or entry.entry_id < known.entry_id:
                held[entry.pricebook_id] = entry
    unorderable = tuple(filter(None, (_unorderable(line, offers) for line in lines)))
    if unorderable:
        return (), unorderable
    left = list(range(len(lines)))
    chosen: list[tuple[str, list[int]]] = []
    while left:
        book = min(ranks, key=lambda one: _merit(one, [lines[place] for place in left], offers, ranks))
        taken = [place for place in left if book in offers[str(lines[place].product_id)]]
        chosen.append((book, taken))
        left = [place for place in left if place not in set(taken)]
    return tuple(
        BookOrder(pricebook_id=book, lines=tuple(_order_line(lines[place], offers, book) for place in places))
        for book, places in chosen
    ), ()


def _unorderable(line: Line, offers: Mapping[str, Mapping[str, Entry]]) -> Unorderable | None:
    if line.product_id is None:
        reason = "it is a charge without a product, which only a checkout carries over"
    elif line.unit_price is None:
        reason = "the cart has no price for it"
    elif line.quantity <= 0:
        reason = "its quantity is not above zero"
    elif not offers.get(line.product_id):
        reason = "no active price book of this account has an active entry of its product"
    else:
        return None
    return Unorderable(item_id=line.item_id, name=line.name, reason=reason)


def _merit(
    book: str, lines: Sequence[Line], offers: Mapping[str, Mapping[str, Entry]], ranks: Mapping[str, int]
) -> tuple[int, int, int, str]:
    held = [(line, offers[str(line.product_id)].get(book)) for line in lines]
    agreeing = sum(1 for line, entry in held if entry is not None and entry.unit_price == line.unit_price)
    return -sum(1 for _, entry in held if entry is not None), -agreeing, ranks[book], book


def _order_line(line: Line, offers: Mapping[str, Mapping[str, Entry]], book: str) -> OrderLine:
    assert line.product_id is not None, "lines without a product were refused"
    assert line.unit_price is not None, "lines without a price were refused"
    return OrderLine(
        entry_id=offers[line.product_id][book].entry_id, quantity=line.quantity, unit_price=line.unit_price
    )
