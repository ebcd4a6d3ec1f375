"""XLSX as rows of texts, streamed: cell values, formulas' results, dates as dates. Nothing is evaluated.

The sheet and the shared texts go through expat piece by piece. A document type declaration, which no XLSX has and every
entity bomb needs, is refused.
"""

from __future__ import annotations

import posixpath
import weakref
import zipfile
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final
from xml.parsers import expat

from openpyxl.styles.numbers import BUILTIN_FORMATS, is_date_format

from orgbridge.loads.archives import UnpackLimits, check_directory, unzip_member
from orgbridge.loads.dialect import check_names
from orgbridge.loads.errors import (
    ArchiveTooLarge,
    BadTable,
    EmptyInput,
    FaultKind,
    FaultyRecords,
    HeaderOnly,
    RecordFault,
    UnknownSheet,
)
from orgbridge.loads.tables import Table, cell_text, sheet_instant, sheet_number

WORKBOOK_MEMBER: Final = "xl/workbook.xml"
_RELATIONS: Final = "xl/_rels/workbook.xml.rels"
#: Bytes of workbook, relations and styles, each held in memory.
_SMALL_BYTES: Final = 8 << 20
#: Characters of shared texts that are held in memory; the others are looked up in a file.
_HELD_CHARS: Final = 4 << 20
_MOST_COLUMNS: Final = 16_384

Handler = Callable[[str, Mapping[str, str]], None]
#: Opens an empty file that goes away by itself.
Spool = Callable[[], BinaryIO]


def is_workbook(open_file: Callable[[], BinaryIO]) -> bool:
    """Tell whether a zip is an XLSX workbook.

    Raises:
        BadArchive: It is no zip.
        ArchiveTooLarge: It names too many members.
    """
    check_directory(open_file)
    try:
        with open_file() as file, zipfile.ZipFile(file) as archive:
            return WORKBOOK_MEMBER in archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError):
        return False


def sheet_table(
    open_file: Callable[[], BinaryIO], limits: UnpackLimits, open_spool: Spool, *, sheet: str | None = None
) -> Table:
    """Return a sheet of an XLSX workbook as a table: its first row that is not blank names the columns.

    Args:
        open_file: Opens the workbook, seekable.
        limits: What its members may grow to.
        open_spool: Opens an empty temporary file, in which the texts that cells share are kept.
        sheet: Name of the sheet, in any letter case; the first one if None.

    Raises:
        BadTable: It is no workbook, or damaged.
        BadArchive: A member cannot be unpacked.
        ArchiveTooLarge: It passed the limits.
        UnknownSheet: There is no such sheet; the message names those there are.
        EmptyInput: The sheet is blank.
        HeaderOnly: It has one row only.
        BadHeader: The names cannot head columns.
    """
    book = _Workbook(open_file, limits, open_spool)
    member = book.member(sheet)
    texts = book.texts()
    rows = book.rows(member, texts)
    first, header = next(((number, row) for number, row in rows if any(row)), (0, []))
    if not header:
        raise EmptyInput("The sheet is blank.")
    while header and not header[-1]:
        header.pop()
    columns = tuple(name.strip() for name in header)
    check_names(columns)
    if not any(any(row) for _, row in rows):
        raise HeaderOnly
    rows.close()
    return Table(
        columns=columns,
        first_line=first + 1,
        rows=None,
        open_rows=lambda: _below(book.rows(member, texts), first, len(columns)),
    )


def _below(rows: Iterator[tuple[int, list[str]]], header_line: int, width: int) -> Iterator[Sequence[str]]:
    """Yield the rows below the header, as wide as it. Blank rows at the end do not count; others are faults."""
    line = header_line
    for number, row in rows:
        if number <= header_line or not any(row):
            continue
        if number != line + 1:
            raise _fault(line + 1, line + 1 - header_line, "The row is blank.")
        line = number
        if len(row) > width and any(row[width:]):
            message = f"The row has a value in column {len(row)}, and the header {width} columns."
            raise _fault(line, line - header_line, message)
        yield row[:width] if len(row) >= width else row + [""] * (width - len(row))


def _fault(line: int, row: int, message: str) -> FaultyRecords:
    return FaultyRecords.of([RecordFault(kind=FaultKind.RAGGED, line=line, row=row, message=message)])


class _Texts(Sequence[str]):
    """The texts that cells share, in a temporary file: a workbook may hold more of them than memory should."""

    def __init__(self, spool: BinaryIO) -> None:
        self._spool = spool
        weakref.finalize(self, spool.close)
        self._ends = array("Q", [0])
        self._seen: dict[int, str] = {}
        self._seen_chars = 0

    def add(self, text: str) -> None:
        data = text.encode("utf-8", "surrogatepass")
        self._spool.write(data)
        self._ends.append(self._ends[-1] + len(data))

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, place: Any) -> Any:
        found = self._seen.get(place)
        if found is None:
            start, end = self._ends[place], self._ends[place + 1]
            self._spool.seek(start)
            found = self._spool.read(end - start).decode("utf-8", "surrogatepass")
            self._seen_chars += len(found) + 32
            if self._seen_chars > _HELD_CHARS:
                self._seen.clear()
                self._seen_chars = len(found)
            self._seen[place] = found
        return found


@dataclass(frozen=True, slots=True)
class _Workbook:
    open_file: Callable[[], BinaryIO]
    limits: UnpackLimits
    open_spool: Spool

    def member(self, sheet: str | None) -> str:
        """Return the member that holds a sheet."""
        sheets: list[tuple[str, str]] = []

        def see_sheet(tag: str, attributes: Mapping[str, str]) -> None:
            if tag == "sheet":
                key = next((value for name, value in attributes.items() if name.rpartition(":")[2] == "id"), "")
                sheets.append((attributes.get("name", ""), key))

        self._read(WORKBOOK_MEMBER, see_sheet)
        targets = self._targets("worksheet")
        found = [(name, targets[key]) for name, key in sheets if key in targets]
        for name, target in found:
            if sheet is None or name.casefold() == sheet.casefold():
                return target
        names = ", ".join(repr(name) for name, _ in found[:20])
        raise UnknownSheet(f"The workbook has no sheet {sheet!r}; it has {names or 'none'}.")

    def _targets(self, kind: str) -> dict[str, str]:
        """Return the members of a kind that the workbook names, by the names of the relations."""
        targets: dict[str, str] = {}

        def see(tag: str, attributes: Mapping[str, str]) -> None:
            if tag == "Relationship" and attributes.get("Type", "").endswith(f"/{kind}"):
                # A target is relative to the folder xl, or absolute.
                path = posixpath.normpath(posixpath.join("/xl", attributes.get("Target", "")))
                targets[attributes.get("Id", "")] = path.lstrip("/")

        self._read(_RELATIONS, see)
        return targets

    def texts(self) -> _Texts:
        """Read the texts that cells share."""
        texts = _Texts(self.open_spool())
        member = next(iter(self._targets("sharedStrings").values()), None)
        if member is None:
            return texts
        parts: list[str] = []
        state = {"phonetic": 0, "text": 0}

        def start(tag: str, _: Mapping[str, str]) -> None:
            if tag == "si":
                parts.clear()
            elif tag == "rPh":
                state["phonetic"] += 1
            elif tag == "t":
                state["text"] += 1

        def end(tag: str) -> None:
            if tag == "si":
                texts.add(_unescaped("".join(parts)))
            elif tag == "rPh":
                state["phonetic"] -= 1
            elif tag == "t":
                state["text"] -= 1

        def data(text: str) -> None:
            if state["text"] and not state["phonetic"]:
                parts.append(text)

        for _ in self._stream(member, start, end, data):
            pass
        return texts

    def rows(self, member: str, texts: _Texts) -> _Rows:
        """Return the rows of a sheet."""
        return _Rows(self, member, texts)

    def date_styles(self) -> tuple[frozenset[int], bool]:
        """Return which cell styles show dates, and whether the workbook counts days from 1904."""
        formats: dict[int, str] = {}
        styles: list[int] = []
        state = {"cells": False, "1904": False}

        def see_style(tag: str, attributes: Mapping[str, str]) -> None:
            if tag == "numFmt":
                formats[int(attributes["numFmtId"])] = attributes.get("formatCode", "")
            elif tag in ("cellXfs", "cellStyleXfs", "cellStyles", "dxfs"):
                state["cells"] = tag == "cellXfs"
            elif tag == "xf" and state["cells"]:
                styles.append(int(attributes.get("numFmtId", "0")))

        def see_epoch(tag: str, attributes: Mapping[str, str]) -> None:
            if tag == "workbookPr":
                state["1904"] = attributes.get("date1904", "0") in ("1", "true")

        for member in self._targets("styles").values():
            self._read(member, see_style)
        self._read(WORKBOOK_MEMBER, see_epoch)
        dates = (
            place
            for place, number in enumerate(styles)
            if is_date_format(formats.get(number) or BUILTIN_FORMATS.get(number))
        )
        return frozenset(dates), state["1904"]

    def _read(self, member: str, see: Handler) -> None:
        size = 0
        for block in self._stream(member, see, None, None):
            size += block
            if size > _SMALL_BYTES:
                raise ArchiveTooLarge(f"{member} of the workbook has more than {_SMALL_BYTES} bytes.")

    def _stream(
        self, member: str, start: Handler, end: Callable[[str], None] | None, data: Callable[[str], None] | None
    ) -> Iterator[int]:
        """Parse a member piece by piece and yield the bytes of each piece."""
        parser = expat.ParserCreate(namespace_separator=None)
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = _refuse_doctype
        parser.StartElementHandler = lambda name, attributes: start(name.rpartition(":")[2], attributes)
        if end is not None:
            parser.EndElementHandler = lambda name: end(name.rpartition(":")[2])
        if data is not None:
            parser.CharacterDataHandler = data
        try:
            for block in unzip_member(self.open_file, member, self.limits):
                parser.Parse(block, False)
                yield len(block)
            parser.Parse(b"", True)
        except (expat.ExpatError, ValueError, KeyError, IndexError) as error:
            raise BadTable(f"{member} of the workbook cannot be read: {error}.") from error


def _refuse_doctype(*_: Any) -> None:
    raise BadTable("The workbook declares a document type, as entity bombs do and workbooks do not; it is not read.")


@dataclass(slots=True)
class _Cell:
    column: int = 0
    kind: str = "n"
    style: int = 0
    parts: list[str] = field(default_factory=list)


class _Rows:
    """The rows of a sheet with their numbers, read as they are asked for."""

    def __init__(self, book: _Workbook, member: str, texts: _Texts) -> None:
        self._texts = texts
        self._dates, self._epoch_1904 = book.date_styles()
        self._ready: list[tuple[int, list[str]]] = []
        self._row: list[str] = []
        self._number = 0
        self._cell = _Cell()
        self._listens = False
        self._phonetic = 0
        self._pieces = book._stream(member, self._start, self._end, self._data)

    def __iter__(self) -> _Rows:
        return self

    def __next__(self) -> tuple[int, list[str]]:
        while not self._ready:
            next(self._pieces)
            self._ready.reverse()
        return self._ready.pop()

    def close(self) -> None:
        """Close the workbook."""
        self._pieces.close()  # type: ignore[attr-defined]  # it is a generator

    def _start(self, tag: str, attributes: Mapping[str, str]) -> None:
        match tag:
            case "row":
                given = attributes.get("r")
                self._number = int(given) if given else self._number + 1
                self._row = []
            case "c":
                place = attributes.get("r")
                column = _column_of(place) if place else len(self._row)
                self._cell = _Cell(column=column, kind=attributes.get("t", "n"), style=int(attributes.get("s", "0")))
            case "v" | "t":
                self._listens = not self._phonetic
            case "rPh":
                self._phonetic += 1
            case _:
                pass

    def _data(self, text: str) -> None:
        if self._listens:
            self._cell.parts.append(text)

    def _end(self, tag: str) -> None:
        match tag:
            case "v" | "t":
                self._listens = False
            case "rPh":
                self._phonetic -= 1
            case "c":
                text = self._text(self._cell)
                row = self._row
                if text:
                    row.extend([""] * (self._cell.column - len(row)))
                    row[self._cell.column : self._cell.column + 1] = [text]
            case "row":
                self._ready.append((self._number, self._row))
            case _:
                pass

    def _text(self, cell: _Cell) -> str:
        raw = "".join(cell.parts)
        try:
            match cell.kind:
                case "s":
                    return str(self._texts[int(raw)]) if raw else ""
                case "b":
                    return cell_text(raw == "1") if raw else ""
                case "str" | "inlineStr":
                    return _unescaped(raw)
                case "d":
                    return raw
                case "e":
                    message = f"A formula of column {cell.column + 1} gives {raw}."
                    raise _fault(self._number, self._number, message)
                case _:
                    if not raw:
                        return ""
                    if cell.style in self._dates:
                        return cell_text(sheet_instant(float(raw), epoch_1904=self._epoch_1904))
                    return sheet_number(raw)
        except (ValueError, IndexError, ArithmeticError) as error:
            message = f"The cell in column {cell.column + 1} cannot be read: {raw[:40]!r}."
            raise _fault(self._number, self._number, message) from error


def _column_of(place: str) -> int:
    """Return the number, from 0, of the column in a place such as `AB12`."""
    number = 0
    for char in place.rstrip("0123456789"):
        number = number * 26 + ord(char) - 64
    if not 1 <= number <= _MOST_COLUMNS:
        raise ValueError(f"{place} is no cell")
    return number - 1


def _unescaped(text: str) -> str:
    """Return a text with `_x000D_` and its like made the characters that they stand for.

    Source: ECMA-376 part 1, 22.9.2.19, ST_Xstring.
    """
    if "_x" not in text:
        return text
    pieces = text.split("_x")
    out = [pieces[0]]
    for piece in pieces[1:]:
        code = piece[:4]
        if len(piece) > 4 and piece[4] == "_" and all(char in "0123456789abcdefABCDEF" for char in code):
            out.append(chr(int(code, 16)) + piece[5:])
        else:
            out.append("_x" + piece)
    return "".join(out)
