"""Quick orders: reading CSV, checking lines, and what is sent of them. No line is ever lost between."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orgbridge.client.commerce.product_values import Product, QuantityRule
from orgbridge.services.commerce.quick_orders import (
    FileRefused,
    LineState,
    Merging,
    QuickLine,
    TooManyLines,
    against_rule,
    parse_csv,
    plan,
    read_quantity,
)
from orgbridge.wire.ids import make_id

#: What a SKU may look like: printable, no comma, quote or space around.
_SKUS = st.text("ABCDEF-_/.0123456789äß", min_size=1, max_size=12).filter(lambda text: text.strip() == text)
_QUANTITIES = st.decimals(min_value=Decimal("0.001"), max_value=Decimal(10_000), places=3)
_NOTES = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=30).map(str.strip)
_HEADER_WORDS = {"sku", "qty", "quantity", "note", "notes", "comment"}


def _product(number: int, rule: QuantityRule | None = None) -> Product:
    return Product(product_id=f"01tOb{number:010d}AAA", sku=f"MP-{number}", rule=rule)


def _line(number: int, sku: str, quantity: str, **more: str) -> QuickLine:
    return QuickLine(number=number, sku=sku, quantity=quantity, **more)


@given(
    st.lists(st.tuples(_SKUS, _QUANTITIES, _NOTES), min_size=1, max_size=40),
    st.sampled_from([",", ";", "\t"]),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["\n", "\r\n"]),
)
def test_what_a_spreadsheet_writes_is_read_back(
    rows: list[tuple[str, Decimal, str]], delimiter: str, header: bool, mark: bool, ending: str
) -> None:
    """Any rows written by a CSV writer come back as the same lines in the same order, with or without a header."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator=ending)
    writer.writerow(["SKU", "Quantity", "Note"])
    for row in rows:
        writer.writerow(row)
    text = out.getvalue()
    if not header:
        first = text.index(ending) + len(ending)
        text = text[first:]
        if {cell.casefold() for cell in (rows[0][0], rows[0][2])} & _HEADER_WORDS:
            return
    # The delimiter is told from the first line: without a header a note full of another one could outvote it.
    if not header and any(rows[0][2].count(other) >= 2 for other in ",;\t"):
        return
    lines = parse_csv(("\ufeff" if mark else "") + text)
    assert [(line.sku, read_quantity(line.quantity), line.note or "") for line in lines] == [
        (sku, quantity, note) for sku, quantity, note in rows
    ]
    assert [line.number for line in lines] == list(range(1, len(rows) + 1))


@given(st.text(max_size=400))
def test_no_text_breaks_the_reader(text: str) -> None:
    """Whatever is uploaded is either lines or a refusal that says so."""
    try:
        lines = parse_csv(text)
    except (FileRefused, TooManyLines):
        return
    assert lines
    plan(lines, {}, {})


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["MP-1", "mp-1", "MP-2", "MP-3", "MP-9", "", "a,b"]), st.text("0123456789.x-", max_size=4)
        ),
        max_size=30,
    ),
    st.sampled_from(Merging),
    st.dictionaries(st.sampled_from([1, 2, 3]), st.integers(1, 30), max_size=3),
)
def test_every_line_is_planned_or_decided_and_never_both(
    rows: list[tuple[str, str]], merging: Merging, held: dict[int, int]
) -> None:
    """Each line is sent, merged into a line that is told, or refused; quantities that are sent are those asked for."""
    rule = QuantityRule(minimum=Decimal(2), maximum=Decimal(50), increment=Decimal(2))
    products: dict[str, Product | LineState] = {
        "sku:MP-1": _product(1),
        "sku:mp-1": _product(1),
        "sku:MP-2": _product(2, rule),
        "sku:MP-3": LineState.NOT_ENTITLED,
    }
    lines = [_line(number, sku, quantity) for number, (sku, quantity) in enumerate(rows, start=1)]
    in_cart = {_product(number).product_id: (Decimal(count), None) for number, count in held.items()}
    made = plan(lines, products, in_cart, merging)
    sent = {item.number for item in made.planned}
    assert sent | made.decided.keys() == {line.number for line in lines}
    assert not sent & made.decided.keys()
    assert len({item.product_id for item in made.planned}) == len(made.planned)
    for item in made.planned:
        into = [one for one in made.decided.values() if one.merged_into == item.number]
        asked = sum((one.quantity or Decimal(0) for one in into), read_quantity(lines[item.number - 1].quantity) or 0)
        before = in_cart.get(item.product_id, (Decimal(0), None))[0]
        assert item.quantity == (asked - before if merging is Merging.LARGER else asked)
        total = before + item.quantity
        assert item.product_id != _product(2).product_id or against_rule(total, rule) is None


def test_lines_of_one_product_are_checked_together() -> None:
    """Five and five are ten: alone they are below the minimum, merged they are not; the cart's own counts too."""
    rule = QuantityRule(minimum=Decimal(10), increment=Decimal(5))
    products: dict[str, Product | LineState] = {"sku:MP-10": _product(10, rule), "sku:mp-10": _product(10, rule)}
    both = plan([_line(1, "MP-10", "5"), _line(2, "mp-10", "5")], products, {})
    assert [(item.number, item.quantity) for item in both.planned] == [(1, Decimal(10))]
    assert (both.decided[2].state, both.decided[2].merged_into) == (LineState.MERGED, 1)
    one = plan([_line(1, "MP-10", "5")], products, {})
    assert one.decided[1].state is LineState.BELOW_MINIMUM
    more = plan([_line(1, "MP-10", "5")], products, {_product(10).product_id: (Decimal(10), None)})
    assert [item.quantity for item in more.planned] == [Decimal(5)]


def test_a_product_for_two_machines_is_told() -> None:
    """Salesforce keeps one line per product: the second machine is not silently given the first one's line."""
    one, two = make_id("02i", 1), make_id("02i", 2)
    products: dict[str, Product | LineState] = {"sku:MP-1": _product(1)}
    made = plan(
        [_line(1, "MP-1", "1", machine_id=one), _line(2, "MP-1", "1", machine_id=two), _line(3, "MP-1", "1")],
        products,
        {},
    )
    assert [item.machine_id for item in made.planned] == [one]
    assert [made.decided[number].state for number in (2, 3)] == [LineState.OTHER_MACHINE] * 2


@pytest.mark.parametrize(
    "text", ["0", "-1", "1e3", "NaN", "Infinity", "1_000", "٣", "", "1.2.3", "0.0000001", "1000000001", "+", "0x10"]
)
def test_what_is_no_quantity_is_none(text: str) -> None:
    """Python reads many texts as numbers that nobody means in an order."""
    assert read_quantity(text) is None


@pytest.mark.parametrize(("text", "value"), [("2", "2"), (" 2.50 ", "2.5"), ("+3", "3"), ("1000000000", "1000000000")])
def test_quantities_are_read_exactly(text: str, value: str) -> None:
    """What people write is read without rounding."""
    assert read_quantity(text) == Decimal(value)


def test_a_file_with_too_many_lines_is_refused_whole() -> None:
    """The bound is told before anything is sent."""
    with pytest.raises(TooManyLines):
        parse_csv("".join(f"MP-{number},1\n" for number in range(1001)))


@pytest.mark.parametrize("text", ["", "\n\n", "sku,quantity\n", "sku,colour\nA,red\n", 'A,"1\n'])
def test_a_file_that_says_nothing_usable_is_refused(text: str) -> None:
    """No lines, a header without the quantity, or a quote that never ends."""
    with pytest.raises(FileRefused):
        parse_csv(text)
