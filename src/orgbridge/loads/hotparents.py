"""Which parents the rows that could not be locked have in common. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from orgbridge.loads.records import parse_chunk
from orgbridge.loads.remedies import LOCK_WORD
from orgbridge.loads.rounds import ResultRow
from orgbridge.wire.ids import to_18

#: Ids that Salesforce's words name: `... exclusive access to this record or 1 records: 001…`.
_NAMED: Final = re.compile(r"\b[A-Za-z0-9]{18}\b|\b[A-Za-z0-9]{15}\b")
_BY_SALESFORCE: Final = "named by Salesforce"
#: Parents that are counted, so that a part with ever other ones costs no memory.
_COUNTED: Final = 20_000
_LINES: Final = 5
#: Parents that a part, and a receipt, tells of.
TOLD: Final = 20


@dataclass(slots=True, kw_only=True)
class HotParents:
    """Counts, over the rows that could not be locked, what they point at."""

    #: Names of the input's columns.
    header: tuple[str, ...]
    #: The input's delimiter.
    delimiter: str
    #: The column that names the record itself, which is no parent.
    key: str | None = None
    _rows: dict[tuple[str, str], int] = field(default_factory=dict)
    _lines: dict[tuple[str, str], list[int]] = field(default_factory=dict)

    def see(self, row: ResultRow) -> None:
        """Take in a row; one that failed for another reason is passed over."""
        if LOCK_WORD not in row.code and LOCK_WORD not in row.message:
            return
        for identifier in set(_NAMED.findall(row.message)):
            if _is_id(identifier):
                self._count((_BY_SALESFORCE, to_18(identifier) or identifier), row.line)
        cells = next(iter(parse_chunk(row.record.decode(), self.delimiter)), [])
        for name, cell in zip(self.header, cells, strict=False):
            if cell and self._is_lookup(name, cell):
                self._count((name, cell), row.line)

    def _is_lookup(self, name: str, cell: str) -> bool:
        folded = name.casefold()
        if folded == "id" or (self.key is not None and folded == self.key.casefold()):
            return False
        # A relationship by external id, or a cell that is an id.
        return "." in name or _is_id(cell)

    def _count(self, parent: tuple[str, str], line: int) -> None:
        if parent not in self._rows and len(self._rows) >= _COUNTED:
            return
        self._rows[parent] = self._rows.get(parent, 0) + 1
        lines = self._lines.setdefault(parent, [])
        if len(lines) < _LINES:
            lines.append(line)

    def to_json(self) -> list[dict[str, Any]]:
        """Return those that two rows or more share, or that Salesforce named, most rows first."""
        told = [
            {"field": name, "value": value, "rows": count, "lines": self._lines[name, value]}
            for (name, value), count in self._rows.items()
            if count > 1 or name == _BY_SALESFORCE
        ]
        return sorted(told, key=_rank)[:TOLD]


def _rank(item: Mapping[str, Any]) -> tuple[int, bool, str]:
    # Of one parent the column comes before what Salesforce says: it is what the file's owner knows.
    return -int(item["rows"]), item["field"] == _BY_SALESFORCE, str(item["value"])


def _is_id(text: str) -> bool:
    # Any word of fifteen letters has the shape of an id; ids of records have digits.
    return any(char.isdigit() for char in text) and to_18(text) is not None


def merged(parts: Iterable[Iterable[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Return the hot parents of a load from those of its parts, most rows first."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for items in parts:
        for item in items:
            known = found.setdefault((item["field"], item["value"]), {**item, "rows": 0, "lines": []})
            known["rows"] += item["rows"]
            known["lines"] = [*known["lines"], *item["lines"]][:_LINES]
    return sorted(found.values(), key=_rank)[:TOLD]
