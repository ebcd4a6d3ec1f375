"""The records of one call as columns, with what is wrong with each, until they are written.

Knows how records become columns; the rules of saving are in `saving`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orgbridge.emulator.org.fullcolumns import pick
from orgbridge.emulator.org.outcomes import MISSING
from orgbridge.emulator.org.values import Faults, Value


@dataclass(slots=True)
class Batch:
    """Records of one object, by column. Every column has `size` values; positions are those in the call."""

    #: How many records.
    size: int
    #: Values by field name, in stored form; `MISSING` where a record says nothing.
    values: dict[str, list[Value]]
    #: What is wrong, by position.
    faults: Faults = field(default_factory=dict)

    def column(self, name: str) -> list[Value]:
        """Return the values of a field; all `MISSING` where no record names it."""
        found = self.values.get(name)
        return [MISSING] * self.size if found is None else found

    def sound(self) -> list[int]:
        """Return the positions of the records that nothing is wrong with so far."""
        if not self.faults:
            return list(range(self.size))
        return [position for position in range(self.size) if position not in self.faults]

    def take(self, positions: Sequence[int]) -> Batch:
        """Return the records at these positions, which have no faults, as a batch of their own."""
        if len(positions) == self.size and not self.faults:
            return Batch(self.size, dict(self.values))
        values = {name: pick(column, positions) for name, column in self.values.items()}
        return Batch(len(positions), values)

    def part(self, positions: Sequence[int]) -> Batch:
        """Return the records at these positions, with their faults, as a batch of their own."""
        if len(positions) == self.size:
            return self
        faults = {place: list(self.faults[p]) for place, p in enumerate(positions) if p in self.faults}
        values = {name: pick(column, positions) for name, column in self.values.items()}
        return Batch(len(positions), values, faults)


def table_of(records: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, ...], list[list[Any]]]:
    """Return the names that JSON records use and one column for each.

    A relationship object becomes the name that a CSV column would have: `{"Account": {"External_Id__c": "x"}}` is
    `Account.External_Id__c`, with `attributes.type` it is `Lead:Who.Email`. `attributes` of the record is left out.
    """
    names: dict[str, None] = {}
    flat: list[dict[str, Any]] = []
    for record in records:
        row: dict[str, Any] = {}
        for name, value in record.items():
            if name == "attributes":
                continue
            if isinstance(value, Mapping):
                row.update(_relationship(name, value))
            else:
                row[name] = value
        names.update(dict.fromkeys(row))
        flat.append(row)
    return tuple(names), [[row.get(name, MISSING) for row in flat] for name in names]


def _relationship(name: str, value: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    keys = [key for key in value if key != "attributes"]
    attributes = value.get("attributes")
    kind = attributes.get("type") if isinstance(attributes, Mapping) else None
    if len(keys) != 1 or isinstance(value[keys[0]], Mapping | list):
        return [(name, value)]
    return [(f"{kind}:{name}.{keys[0]}" if kind else f"{name}.{keys[0]}", value[keys[0]])]
