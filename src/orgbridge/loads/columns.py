"""What the columns of an export hold, by describe, and rows in the one shape that REST and Bulk share. Pure.

The Bulk API writes every value as text and null as the empty text; the REST API writes JSON. An NDJSON export says
what the REST API would have said: numbers with the digits that Salesforce gave, booleans, null, parents as objects,
instants with `+0000`.

Source: facts/salesforce/bulk2.md section 9; rest.md and ids-and-types.md for the REST forms.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from json.encoder import encode_basestring
from typing import Any, Final

from orgbridge.loads.records import OVERLONG_BYTES, parse_chunk, record_chunks
from orgbridge.wire.fieldtypes import DECIMAL_TYPES, FieldType

_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?\Z")
_INSTANT: Final = re.compile(r"[0-9-]{10}T[0-9:.]{8,}Z\Z")
_BLOCK_ROWS: Final = 2_000


class ExportFormat(StrEnum):
    """How an export's results are written."""

    CSV = "csv"
    NDJSON = "ndjson"
    PARQUET = "parquet"


class ColumnKind(StrEnum):
    """What a column's values are."""

    TEXT = "text"
    BOOLEAN = "boolean"
    INTEGER = "integer"
    DECIMAL = "decimal"
    DATE = "date"
    DATETIME = "datetime"
    TIME = "time"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of an export."""

    #: As it stands in the results' header, e.g. `Account.Name`.
    name: str
    #: API names as describe spells them, parents first.
    path: tuple[str, ...]
    #: What the values are.
    kind: ColumnKind = ColumnKind.TEXT
    #: Digits in all, for decimals.
    precision: int = 0
    #: Digits behind the point, for decimals.
    scale: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the form that the store keeps."""
        return {
            "name": self.name,
            "path": list(self.path),
            "kind": self.kind.value,
            "precision": self.precision,
            "scale": self.scale,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Column:
        """Return the column that the store keeps."""
        return cls(
            name=value["name"],
            path=tuple(value["path"]),
            kind=ColumnKind(value["kind"]),
            precision=value["precision"],
            scale=value["scale"],
        )


def column_of(name: str, path: Sequence[str], field: Mapping[str, Any] | None) -> Column:
    """Return the column of a field of a describe; text when nothing is known of the field."""
    if field is None:
        return Column(name=name, path=tuple(path))
    kind, precision, scale = ColumnKind.TEXT, 0, 0
    match field.get("type"):
        case FieldType.BOOLEAN.value:
            kind = ColumnKind.BOOLEAN
        case FieldType.INT.value:
            kind = ColumnKind.INTEGER
        case FieldType.DATE.value:
            kind = ColumnKind.DATE
        case FieldType.DATETIME.value:
            kind = ColumnKind.DATETIME
        case FieldType.TIME.value:
            kind = ColumnKind.TIME
        case str(word) if word in DECIMAL_TYPES:
            kind = ColumnKind.DECIMAL
            precision, scale = int(field.get("precision") or 18), int(field.get("scale") or 0)
        case _:
            pass
    return Column(name=name, path=tuple(path), kind=kind, precision=precision, scale=scale)


def ndjson_rows(blocks: Iterable[bytes], columns: Sequence[Column]) -> Iterator[bytes]:
    """Yield a results CSV, header included, as lines of JSON in blocks of some thousand rows.

    Args:
        blocks: UTF-8 CSV with commas, as Salesforce writes results.
        columns: One per column of the CSV, in its order.
    """
    encode = _row_encoder(columns)
    first = True
    lines: list[str] = []
    for chunk in record_chunks(blocks, overlong=OVERLONG_BYTES * 2):
        for row in parse_chunk(chunk.decode(), ","):
            if not row:
                continue
            if first:
                first = False
                continue
            lines.append(encode(row))
        if len(lines) >= _BLOCK_ROWS:
            yield "".join(lines).encode()
            lines = []
    if lines:
        yield "".join(lines).encode()


class _Group:
    """The members of one object of a row: columns and parents, in the order in which they were selected."""

    def __init__(self) -> None:
        self.members: dict[str, int | _Group] = {}

    def place(self, path: Sequence[str], index: int) -> None:
        head = path[0]
        if len(path) == 1:
            self.members[head] = index
            return
        member = self.members.get(head)
        if not isinstance(member, _Group):
            member = self.members[head] = _Group()
        member.place(path[1:], index)


def _row_encoder(columns: Sequence[Column]) -> Callable[[Sequence[str]], str]:
    codecs = [_CODECS[column.kind] for column in columns]
    root = _Group()
    for index, column in enumerate(columns):
        root.place(column.path, index)
    nested = any(isinstance(member, _Group) for member in root.members.values())
    if not nested and len(root.members) == len(columns):
        names = (encode_basestring(name).replace("%", "%%") for name in root.members)
        template = "{" + ",".join(f"{name}:%s" for name in names) + "}\n"
        return lambda row: template % tuple([codec(cell) for codec, cell in zip(codecs, row, strict=True)])

    def write(row: Sequence[str]) -> str:
        cells = [codec(cell) for codec, cell in zip(codecs, row, strict=True)]
        return _object(root, cells) + "\n"

    return write


def _object(group: _Group, cells: Sequence[str]) -> str:
    members = []
    for name, member in group.members.items():
        text = cells[member] if isinstance(member, int) else _parent(member, cells)
        members.append(f"{encode_basestring(name)}:{text}")
    return "{" + ",".join(members) + "}"


def _parent(group: _Group, cells: Sequence[str]) -> str:
    # Assumed: a parent of which nothing is known is no parent; the Bulk API does not tell the two apart.
    return _object(group, cells) if _known(group, cells) else "null"


def _known(group: _Group, cells: Sequence[str]) -> bool:
    return any(
        cells[member] != "null" if isinstance(member, int) else _known(member, cells)
        for member in group.members.values()
    )


def _text(cell: str) -> str:
    return encode_basestring(cell) if cell else "null"


def _boolean(cell: str) -> str:
    return cell if cell in ("true", "false") else _text(cell)


def _number(cell: str) -> str:
    # The digits as they came: neither a float's rounding nor a float's form. What is no number stays the text it is.
    return cell if _NUMBER.match(cell) else _text(cell)


def _instant(cell: str) -> str:
    return f'"{cell[:-1]}+0000"' if _INSTANT.match(cell) else _text(cell)


_CODECS: Final[dict[ColumnKind, Callable[[str], str]]] = {
    ColumnKind.TEXT: _text,
    ColumnKind.BOOLEAN: _boolean,
    ColumnKind.INTEGER: _number,
    ColumnKind.DECIMAL: _number,
    ColumnKind.DATE: _text,
    ColumnKind.DATETIME: _instant,
    ColumnKind.TIME: _text,
}
