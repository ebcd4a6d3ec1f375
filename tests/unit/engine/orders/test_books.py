"""Lines dealt out to price books."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from orgbridge.engine.orders.books import Entry, Line, deal_out


def _line(number: int, product: str | None = "P", price: str | None = "10", quantity: str = "2") -> Line:
    return Line(
        item_id=f"L{number}",
        product_id=product,
        name=f"line {number}",
        quantity=Decimal(quantity),
        unit_price=None if price is None else Decimal(price),
    )


def _entry(book: str, product: str, price: str = "10", number: int = 0) -> Entry:
    return Entry(
        entry_id=f"{book}-{product}-{number}", pricebook_id=book, product_id=product, unit_price=Decimal(price)
    )


def test_flaw_5_an_entry_is_found_by_product_and_price_book_never_by_price() -> None:
    """Flaw 5: two products of one price and name are told apart, and no float is compared."""
    orders, left = deal_out(
        [_line(1, "A", "0.30"), _line(2, "B", "0.30")], [_entry("X", "B", "0.3"), _entry("X", "A", "0.1")], {"X": 0}
    )
    assert left == ()
    assert [line.entry_id for line in orders[0].lines] == ["X-A-0", "X-B-0"]
    assert [line.unit_price for line in orders[0].lines] == [Decimal("0.30"), Decimal("0.30")]


def test_flaw_5_a_line_without_an_entry_is_named_and_nothing_is_ordered() -> None:
    """Flaw 5: where the public service broke with an index error, the line is told with its reason."""
    orders, left = deal_out([_line(1, "A"), _line(2, "B")], [_entry("X", "A")], {"X": 0})
    assert orders == ()
    assert [(one.item_id, "no active price book" in one.reason) for one in left] == [("L2", True)]


def test_flaw_6_charges_and_lines_without_a_price_are_refused_in_words() -> None:
    """Flaw 6: a charge without a product and a line without a price crash nothing."""
    lines = [_line(1, None), _line(2, "A", None), _line(3, "A", "1", "0")]
    orders, left = deal_out(lines, [_entry("X", "A")], {"X": 0})
    assert orders == ()
    assert [one.item_id for one in left] == ["L1", "L2", "L3"]


def test_one_book_that_holds_all_is_one_order() -> None:
    """Fewer orders come before a better rank."""
    entries = [_entry("good", "A"), _entry("wide", "A"), _entry("wide", "B")]
    orders, _ = deal_out([_line(1, "A"), _line(2, "B")], entries, {"good": 0, "wide": 9})
    assert [order.pricebook_id for order in orders] == ["wide"]


def test_of_books_alike_the_one_with_the_carts_own_price_goes_first() -> None:
    """The cart's price tells which book it was priced from; the rank decides only after that."""
    entries = [_entry("list", "A", "12"), _entry("negotiated", "A", "10")]
    orders, _ = deal_out([_line(1, "A", "10")], entries, {"list": 0, "negotiated": 5})
    assert orders[0].pricebook_id == "negotiated"


def test_books_that_the_account_may_not_buy_from_are_never_used() -> None:
    """An entry of a book without a rank counts for nothing."""
    orders, left = deal_out([_line(1, "A")], [_entry("secret", "A")], {"open": 0})
    assert orders == ()
    assert len(left) == 1


_PRODUCTS, _BOOKS = ["A", "B", "C", "D"], ["x", "y", "z"]


@given(
    st.lists(st.sampled_from(_PRODUCTS), min_size=1, max_size=12),
    st.sets(st.tuples(st.sampled_from(_BOOKS), st.sampled_from(_PRODUCTS))),
    st.permutations(range(3)),
)
def test_every_line_is_ordered_once_in_a_book_that_has_it(
    products: list[str], offered: set[tuple[str, str]], ranks: list[int]
) -> None:
    """All lines or none; each once, by an entry of its own product in the book of its order."""
    lines = [_line(number, product) for number, product in enumerate(products)]
    entries = [_entry(book, product) for book, product in sorted(offered)]
    by_rank = dict(zip(_BOOKS, ranks, strict=True))
    orders, left = deal_out(lines, entries, by_rank)
    assert (orders, left) == deal_out(lines, entries[::-1], by_rank)
    sellable = {product for _, product in offered}
    assert bool(left) == bool(set(products) - sellable)
    if left:
        assert orders == ()
        return
    made = [(order.pricebook_id, line.entry_id) for order in orders for line in order.lines]
    assert len(made) == len(lines)
    assert sorted(entry.split("-")[1] for _, entry in made) == sorted(products)
    assert all(entry.startswith(f"{book}-") for book, entry in made)
    assert len({order.pricebook_id for order in orders}) == len(orders)
