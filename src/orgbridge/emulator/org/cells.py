"""Columns of values as they come in become columns of stored values.

A column is converted as a whole because a load has ten thousand rows and a few columns: what is said again and again
is checked once, and plain texts and numbers are told from the column.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from orgbridge.emulator.org.fullcolumns import FullColumn, repeated
from orgbridge.emulator.org.outcomes import MISSING, ValueMode
from orgbridge.emulator.org.values import Check, Faults, Value, add_fault, convert_json, number_limit, too_long
from orgbridge.emulator.schema.errors import Fault
from orgbridge.emulator.schema.model import Field
from orgbridge.wire.bulk import NULL_CELL
from orgbridge.wire.fieldtypes import DECIMAL_TYPES, FieldType

#: Columns of numbers without sign and exponent, a line each.
_PLAIN_WHOLES = re.compile(r"(?:\d{1,9}\n)+\Z", re.ASCII)
_PLAIN_NUMBERS = re.compile(r"(?:\d{1,9}(?:\.\d{1,9})?\n)+\Z", re.ASCII)
#: A column of which fewer than one value in so many differs is converted value by value.
_FEW = 8


def _is_plain_text(field: Field) -> bool:
    return field.is_text and field.type is not FieldType.EMAIL and not field.restricted_picklist


def convert_cells(field: Field, check: Check, cells: Sequence[str], faults: Faults) -> list[Value]:
    """Return the stored values of a CSV column; what is wrong goes to `faults`."""
    if not cells:
        return []
    if cells[0] == cells[-1] and cells.count(cells[0]) == len(cells):
        return _convert_alike(field, check, cells[0], len(cells), faults)
    if _is_plain_text(field):
        return _convert_texts(field, cells, faults)
    cleared: Value = 0 if field.type is FieldType.BOOLEAN else None
    known: dict[str, Value | Fault] = {"": MISSING, NULL_CELL: cleared}
    distinct = set(cells)
    full = distinct.isdisjoint(known)
    if full and len(distinct) > len(cells) // _FEW and (numbers := _plain_numbers(field, cells)) is not None:
        return numbers
    for cell in distinct - known.keys():
        # A load says the same thing again and again: what is said is looked at once, and then only looked up.
        known[cell] = check(cell)
    if not any(isinstance(value, Fault) for value in known.values()):
        values: Iterable[Any] = map(known.__getitem__, cells)
        return FullColumn(values) if full else list(values)
    out: list[Value] = []
    for position, cell in enumerate(cells):
        value = known[cell]
        if isinstance(value, Fault):
            add_fault(faults, position, value)
            value = None
        out.append(value)
    return out


def _convert_alike(field: Field, check: Check, cell: str, size: int, faults: Faults) -> list[Value]:
    """Do `convert_cells` with cells that all say the same."""
    if cell == "":
        return [MISSING] * size
    if cell == NULL_CELL:
        return repeated(0, size) if field.type is FieldType.BOOLEAN else [None] * size
    value = check(cell)
    if not isinstance(value, Fault):
        return repeated(value, size)
    for position in range(size):
        add_fault(faults, position, value)
    return [None] * size


def _convert_texts(field: Field, cells: Sequence[str], faults: Faults) -> list[Value]:
    """Do `convert_cells` for a field that takes any text that is not too long."""
    sizes = set(map(len, cells))
    if 0 < field.length < max(sizes):
        for position, cell in enumerate(cells):
            if len(cell) > field.length and cell != NULL_CELL:
                add_fault(faults, position, too_long(field, cell))
    if len(NULL_CELL) in sizes and NULL_CELL in cells:
        return [MISSING if cell == "" else None if cell == NULL_CELL else cell for cell in cells]
    return [cell or MISSING for cell in cells] if 0 in sizes else FullColumn(cells)


def _plain_numbers(field: Field, cells: Sequence[str]) -> FullColumn | None:
    """Return the stored values of cells that are all plain numbers in range; None says nothing."""
    whole = field.type is FieldType.INT
    if not whole and field.type not in DECIMAL_TYPES:
        return None
    if not (_PLAIN_WHOLES if whole else _PLAIN_NUMBERS).match("\n".join(cells) + "\n"):
        return None
    try:
        numbers: list[Any] = list(map(int if whole else float, cells))
    except ValueError:
        # A line end within a cell.
        return None
    return FullColumn(numbers) if max(numbers) < number_limit(field) else None


def convert(field: Field, check: Check, mode: ValueMode, values: Sequence[Any], faults: Faults) -> list[Value]:
    """Return the stored values of a column in the given mode; what is wrong goes to `faults`."""
    if mode is ValueMode.CSV:
        return convert_cells(field, check, values, faults)
    return convert_json(field, check, values, faults)
