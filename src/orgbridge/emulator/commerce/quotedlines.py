"""Lines of carts that came from a quote: they keep the price that was agreed, through every calculation.

Source: the Apex reference of `createCartFromQuote` (67): items of a converted quote have the negotiated and discounted
prices, and the order that the cart becomes has `QuoteId`. Assumed: that the price of a piece holds for any number of
pieces; that such a line takes no further pieces of its product when one is added.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from orgbridge.emulator.commerce.amounts import cents
from orgbridge.emulator.commerce.deals import Deal, Row
from orgbridge.emulator.commerce.money import of_row
from orgbridge.emulator.org.lookups import json_list

#: The room's own table; amounts are texts so that they stay exact.
TABLES = """
CREATE TABLE IF NOT EXISTS ob_quoted_lines (
    cart_item_id TEXT PRIMARY KEY,
    quote_id TEXT NOT NULL,
    quote_line_id TEXT NOT NULL,
    entry_id TEXT NOT NULL,
    amount TEXT NOT NULL,
    quantity TEXT NOT NULL
)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What was agreed of one line."""

    #: The quote.
    quote_id: str
    #: Its line.
    quote_line_id: str
    #: Its price book entry.
    entry_id: str
    #: What the line costs there.
    amount: Decimal
    #: How many pieces it has there.
    quantity: Decimal

    @property
    def unit_price(self) -> Decimal:
        """Price of a piece, to the cent."""
        return cents(self.amount / self.quantity)

    def total(self, quantity: Decimal) -> Decimal:
        """Return what so many pieces cost: exactly what was agreed for as many as the quote has."""
        return cents(self.amount * quantity / self.quantity)


def note(deal: Deal, cart_item_id: str, terms: Terms) -> None:
    """Note what was agreed of a line."""
    ids = (cart_item_id, terms.quote_id, terms.quote_line_id, terms.entry_id)
    values = (*ids, str(terms.amount), str(terms.quantity))
    deal.connection.execute("INSERT OR REPLACE INTO ob_quoted_lines VALUES (?, ?, ?, ?, ?, ?)", values)


def terms_of(deal: Deal, lines: Sequence[Row]) -> dict[str, Terms]:
    """Return what was agreed of these lines, by line; lines without an agreement are left out."""
    sql = (
        "SELECT cart_item_id, quote_id, quote_line_id, entry_id, amount, quantity FROM ob_quoted_lines"
        " WHERE cart_item_id IN (SELECT value FROM json_each(?))"
    )
    found = deal.connection.execute(sql, (json_list([line["Id"] for line in lines]),))
    return {
        row[0]: Terms(
            quote_id=row[1],
            quote_line_id=row[2],
            entry_id=row[3],
            amount=Decimal(row[4]),
            quantity=Decimal(row[5]),
        )
        for row in found
    }


def carts_of(deal: Deal, quote_id: str) -> list[str]:
    """Return the carts that hold lines of a quote and can still become an order."""
    sql = (
        'SELECT DISTINCT c.Id FROM ob_quoted_lines q JOIN "CartItem" i ON i.Id = q.cart_item_id AND i.IsDeleted = 0'
        ' JOIN "WebCart" c ON c.Id = i.CartId AND c.IsDeleted = 0'
        " WHERE q.quote_id = ? AND c.Status NOT IN ('Closed', 'PendingDelete') ORDER BY c.Id"
    )
    return [str(row[0]) for row in deal.connection.execute(sql, (quote_id,))]


def quote_of(terms: Mapping[str, Terms]) -> str | None:
    """Return the quote that lines came from; None for none, or for lines of several quotes. Assumed: the latter."""
    quotes = {one.quote_id for one in terms.values()}
    return quotes.pop() if len(quotes) == 1 else None


def agreed(line: Row) -> Terms:
    """Return what a row of QuoteLineItem agrees."""
    return Terms(
        quote_id=str(line["QuoteId"]),
        quote_line_id=str(line["Id"]),
        entry_id=str(line["PricebookEntryId"]),
        amount=of_row(line["TotalPrice"]),
        quantity=of_row(line["Quantity"]),
    )


def forget(deal: Deal, line_ids: Sequence[str]) -> None:
    """Forget what was agreed of lines that are gone."""
    sql = "DELETE FROM ob_quoted_lines WHERE cart_item_id IN (SELECT value FROM json_each(?))"
    deal.connection.execute(sql, (json_list(list(line_ids)),))
