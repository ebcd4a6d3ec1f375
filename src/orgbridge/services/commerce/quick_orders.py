"""Many lines at once: read from CSV, checked all before any is sent, and what became of each. Pure: no I/O here.

A line names a product by SKU or id. Lines of one product for the same machine are one line of the cart: the later ones
are merged into the first, and told so. What is wrong with a line is said for that line; nothing is left out.

    line    what the caller gave          state at the end
    ----    --------------------          ----------------
    1       SK-1, 2                       added
    2       SK-1, 3                       merged (into line 1, which asks for 5)
    3       SK-9, 1                       unknown | not_entitled
    4       SK-2, 7                       below_minimum | above_maximum | not_a_multiple
    5       SK-3, x                       invalid
    6       SK-4, 1                       refused (Salesforce's words beside it) | not_sent | uncertain
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import ClassVar

from orgbridge.client.commerce.product_values import Product, QuantityRule
from orgbridge.kit.errors import ErrorKind
from orgbridge.services.errors import ServiceError
from orgbridge.wire.ids import to_18

#: Most lines of one file, however many calls they take; and of its longest cell.
MAX_LINES, MAX_CELL_CHARS = 1000, 255
#: Largest quantity of a line, and most digits behind the point. Assumed: CartItem.Quantity is number(18, 0 to 6).
MAX_QUANTITY, MAX_SCALE = Decimal(10) ** 9, 6
_HEADERS = {
    "sku": frozenset({"sku", "productcode", "product_code", "stockkeepingunit"}),
    "product_id": frozenset({"product_id", "productid"}),
    "quantity": frozenset({"quantity", "qty"}),
    "note": frozenset({"note", "notes", "comment"}),
    "machine_id": frozenset({"machine_id", "machineid", "asset_id", "assetid"}),
}
_DELIMITERS = (",", ";", "\t")
_PRODUCT = "01t"


class FileRefused(ServiceError):
    """The file cannot be read as lines of `sku,quantity[,note]`; nothing was sent."""

    code: ClassVar[str] = "cart.file_refused"
    kind: ClassVar[ErrorKind] = ErrorKind.INVALID


class TooManyLines(ServiceError):
    """The file has more lines than are taken at once; nothing was sent."""

    code: ClassVar[str] = "cart.too_many_lines"
    kind: ClassVar[ErrorKind] = ErrorKind.CONTRADICTION


class LineState(StrEnum):
    """What became of a line."""

    ADDED = "added"
    #: Its quantity went into an earlier line, whose state counts for it.
    MERGED = "merged"
    #: The line itself makes no sense.
    INVALID = "invalid"
    #: There is no such product for this buyer.
    UNKNOWN = "unknown"
    #: The product is not open to this buyer.
    NOT_ENTITLED = "not_entitled"
    BELOW_MINIMUM = "below_minimum"
    ABOVE_MAXIMUM = "above_maximum"
    NOT_A_MULTIPLE = "not_a_multiple"
    #: Salesforce keeps one line per product, and it is for another machine.
    OTHER_MACHINE = "other_machine"
    #: By Salesforce.
    REFUSED = "refused"
    #: Not sent, because of what happened before it.
    NOT_SENT = "not_sent"
    #: Nobody knows whether it is in the cart: look.
    UNCERTAIN = "uncertain"


@dataclass(frozen=True, slots=True, kw_only=True)
class QuickLine:
    """One line as the caller gave it."""

    #: Its number, from 1; of a file with header the first line after it.
    number: int
    #: SKU; None for a line that names the product by id.
    sku: str | None = None
    #: Id of the product.
    product_id: str | None = None
    #: As it was written.
    quantity: str = ""
    #: What the buyer noted.
    note: str | None = None
    #: Asset that the line is for.
    machine_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LineOutcome:
    """What became of one line."""

    line: QuickLine
    state: LineState
    #: Why, for people; empty for a line that was added.
    message: str = ""
    #: The quantity, once it was read.
    quantity: Decimal | None = None
    #: The product, once it was found.
    product_id: str | None = None
    #: Number of the line that this one was merged into.
    merged_into: int | None = None
    #: Salesforce's own code.
    upstream_code: str | None = None
    #: The CartItem, once it is known.
    item_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A line of the cart to be: one product, from one or more lines of the caller."""

    #: Number of the first of its lines.
    number: int
    product_id: str
    #: Of all its lines together.
    quantity: Decimal
    machine_id: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is sent, and what is already decided."""

    #: In the order of the lines.
    planned: tuple[Planned, ...]
    #: By number of the line; those that are sent are not among them, merged ones are.
    decided: Mapping[int, LineOutcome]


def parse_csv(text: str, *, max_lines: int = MAX_LINES) -> list[QuickLine]:
    """Return the lines of a file: `sku,quantity[,note]`, with or without a header that names its columns.

    Comma, semicolon and tab separate; a byte-order mark, blank lines and spaces around values do no harm. A line that
    makes no sense is returned all the same: what is wrong with it is said with the others'.

    Raises:
        FileRefused: There is no line, the header lacks a column, or the file is no CSV.
        TooManyLines: There are more lines than allowed.
    """
    body = text.removeprefix("\ufeff")
    first = next((row for row in body.splitlines() if row.strip()), "")
    delimiter = max(_DELIMITERS, key=first.count)
    lines: list[QuickLine] = []
    columns: dict[str, int] | None = None
    try:
        for row in csv.reader(io.StringIO(body, newline=""), delimiter=delimiter, strict=True):
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            if columns is None:
                columns = _columns(cells)
                if columns is not None:
                    continue
                columns = {"sku": 0, "quantity": 1, "note": 2}
            if len(lines) >= max_lines:
                raise TooManyLines(f"A file has at most {max_lines} lines; nothing was sent. Cut it into several.")
            lines.append(_line(len(lines) + 1, cells, columns))
    except csv.Error as error:
        raise FileRefused(f"The file is no CSV: {error}. Nothing was sent.") from error
    if not lines:
        raise FileRefused("The file has no lines. Nothing was sent.")
    return lines


def read_quantity(text: str) -> Decimal | None:
    """Return a quantity; None for a text that is none: not a number, not above 0, or beyond what a cart holds."""
    cleaned = text.strip()
    if not cleaned or not cleaned.isascii() or not set(cleaned) <= set("0123456789.+"):
        return None
    try:
        number = Decimal(cleaned)
    except InvalidOperation:
        return None
    exponent = number.normalize().as_tuple().exponent
    if not 0 < number <= MAX_QUANTITY or not isinstance(exponent, int) or -exponent > MAX_SCALE:
        return None
    return number


def against_rule(quantity: Decimal, rule: QuantityRule | None) -> tuple[LineState, str] | None:
    """Return what is wrong with a quantity in the cart; None when it may be bought."""
    if rule is None:
        return None
    if rule.minimum is not None and quantity < rule.minimum:
        return LineState.BELOW_MINIMUM, f"{plain(quantity)} is below the minimum of {plain(rule.minimum)}."
    if rule.maximum is not None and quantity > rule.maximum:
        return LineState.ABOVE_MAXIMUM, f"{plain(quantity)} is above the maximum of {plain(rule.maximum)}."
    if rule.increment and quantity % rule.increment:
        return LineState.NOT_A_MULTIPLE, f"{plain(quantity)} is no multiple of {plain(rule.increment)}."
    return None


def plain(number: Decimal) -> str:
    """Return a number as people write it: no exponent, no zeros behind the point."""
    return format(number.normalize(), "f") if number else "0"


def plan(
    lines: Sequence[QuickLine],
    products: Mapping[str, Product | LineState],
    in_cart: Mapping[str, tuple[Decimal, str | None]],
) -> Plan:
    """Check all lines and say what is to be sent.

    Args:
        lines: The caller's.
        products: By `key_of`: the product, or why there is none; one that is missing is unknown.
        in_cart: By product: what the cart holds of it already, and the machine that it is for.
    """
    decided: dict[int, LineOutcome] = {}
    first: dict[str, Planned] = {}
    parts: dict[str, list[LineOutcome]] = {}
    found_products: dict[str, Product] = {}
    for line in lines:
        outcome = _checked(line, products)
        if outcome.state is not LineState.ADDED:
            decided[line.number] = outcome
            continue
        product_id, quantity = str(outcome.product_id), outcome.quantity or Decimal(0)
        known = products[key_of(line) or ""]
        if isinstance(known, Product):
            found_products[product_id] = known
        machine = to_18(line.machine_id) if line.machine_id else None
        held = first[product_id].machine_id if product_id in first else in_cart.get(product_id, (Decimal(0), None))[1]
        if (
            (product_id in first or product_id in in_cart)
            and held != machine
            and (held is not None or machine is not None)
        ):
            decided[line.number] = replace(
                outcome,
                state=LineState.OTHER_MACHINE,
                message="The cart has one line per product, and this one's is for another machine or for none.",
            )
            continue
        if product_id in first:
            base = first[product_id]
            note = "; ".join(text for text in (base.note, line.note) if text) or None
            first[product_id] = replace(base, quantity=base.quantity + quantity, note=note)
            decided[line.number] = replace(outcome, state=LineState.MERGED, merged_into=base.number)
            parts[product_id].append(outcome)
            continue
        first[product_id] = Planned(
            number=line.number, product_id=product_id, quantity=quantity, machine_id=machine, note=line.note
        )
        parts[product_id] = [outcome]
    planned = []
    for product_id, item in first.items():
        held_quantity = in_cart.get(product_id, (Decimal(0), None))[0]
        total = item.quantity + held_quantity
        wrong = against_rule(total, found_products[product_id].rule)
        if wrong is None and total > MAX_QUANTITY:
            wrong = LineState.ABOVE_MAXIMUM, f"{plain(total)} is more than a cart line holds."
        if wrong is None:
            planned.append(item)
            continue
        state, message = wrong
        if held_quantity:
            message += f" The cart holds {plain(held_quantity)} of it already."
        for outcome in parts[product_id]:
            decided[outcome.line.number] = replace(outcome, state=state, message=message)
    return Plan(planned=tuple(planned), decided=decided)


def key_of(line: QuickLine) -> str | None:
    """Return what a line names its product by: `id:` and the id, or `sku:` and the SKU; None for neither."""
    if line.product_id:
        found = to_18(line.product_id)
        return f"id:{found}" if found is not None and found.startswith(_PRODUCT) else None
    return f"sku:{line.sku.casefold()}" if line.sku else None


def _checked(line: QuickLine, products: Mapping[str, Product | LineState]) -> LineOutcome:
    def bad(message: str) -> LineOutcome:
        return LineOutcome(line=line, state=LineState.INVALID, message=message)

    if not line.sku and not line.product_id:
        return bad("The line names no product.")
    if any(len(text or "") > MAX_CELL_CHARS for text in (line.sku, line.product_id, line.note)):
        return bad(f"A value is longer than {MAX_CELL_CHARS} characters.")
    if line.sku is not None and any(char in ',"' or not char.isprintable() for char in line.sku):
        return bad("A SKU has no commas, quotes or control characters.")
    if line.machine_id and to_18(line.machine_id) is None:
        return bad("The machine's id is no id of Salesforce.")
    quantity = read_quantity(line.quantity)
    if quantity is None:
        return bad(f"The quantity {line.quantity[:40]!r} is no number above 0.")
    key = key_of(line)
    if key is None:
        return bad("The product's id is no id of a Product2.")
    found = products.get(key, LineState.UNKNOWN)
    if isinstance(found, Product):
        return LineOutcome(line=line, state=LineState.ADDED, quantity=quantity, product_id=found.product_id)
    message = (
        "This store has no such product for you." if found is LineState.UNKNOWN else "You may not buy this product."
    )
    return LineOutcome(line=line, state=found, message=message, quantity=quantity)


def _columns(cells: Sequence[str]) -> dict[str, int] | None:
    """Return the columns that a header names; None for a line that is no header.

    Raises:
        FileRefused: It names the quantity's column and none of the product, or the other way round.
    """
    found: dict[str, int] = {}
    for place, cell in enumerate(cells):
        name = next((name for name, words in _HEADERS.items() if cell.casefold() in words), None)
        if name is not None:
            found.setdefault(name, place)
    if not found:
        return None
    if "quantity" not in found or not ({"sku", "product_id"} & found.keys()):
        if len(found) == 1 and "note" in found:
            return None
        raise FileRefused("The header names sku (or product_id) and quantity; nothing was sent.")
    return found


def _line(number: int, cells: Sequence[str], columns: Mapping[str, int]) -> QuickLine:
    def cell(name: str) -> str | None:
        place = columns.get(name)
        return (cells[place] or None) if place is not None and place < len(cells) else None

    return QuickLine(
        number=number,
        sku=cell("sku"),
        product_id=cell("product_id"),
        quantity=cell("quantity") or "",
        note=cell("note"),
        machine_id=cell("machine_id"),
    )
