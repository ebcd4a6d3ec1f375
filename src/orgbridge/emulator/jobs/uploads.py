"""Read an uploaded CSV the way Bulk API 2.0 does: strictly, record by record, with the byte each record begins at.

Source: facts/salesforce/bulk2.md sections 4 and 5. Faults carry the text that the job's `errorMessage` shows.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from itertools import repeat
from pathlib import Path
from typing import BinaryIO

from orgbridge.emulator.jobs.tables import Table
from orgbridge.wire.bulk import ColumnDelimiter, LineEnding
from orgbridge.wire.limits import INGEST_HEADER_CHARS, INGEST_RECORD_CHARS, INGEST_RECORD_FIELDS

_BLOCK = 1 << 20
#: Records at once below which reading plain ones at once does not pay, and most records read one by one before it is
#: tried again: where quotes stand thick, trying costs more than it saves.
_WORTH, _LONGEST_RUN = 64, 2_048
_UNESCAPED = "InvalidBatch : Failed to parse CSV. Found unescaped quote. A value with quote should be within a quote"
RECORDS_NOT_FOUND = "InvalidBatch : Records not found"


class UploadFault(Exception):
    """The uploaded file cannot be read on; the message is the job's `errorMessage`."""


def _line_ending_fault(ending: LineEnding) -> UploadFault:
    return UploadFault(
        f"ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is {ending.value}"
    )


def check_line_endings(path: Path, ending: LineEnding) -> None:
    """Read the file once and compare every line end, those inside quoted cells too, with the job's setting.

    Raises:
        UploadFault: A line ends otherwise.

    Source: bulk2.md section 4, "line ending": byte for byte, also inside quoted cells. For an embedded LF in a CRLF
    job this is Assumed by symmetry; the recorded case is CRLF in an LF job.
    """
    last = b""
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            if ending is LineEnding.LF and not last and b"\r" not in block:
                continue
            window = last + block  # So that a CRLF across two blocks is seen as one.
            match ending:
                case LineEnding.LF:
                    wrong = b"\r\n" in window
                case LineEnding.CRLF:
                    wrong = window.count(b"\n") != window.count(b"\r\n")
            if wrong:
                raise _line_ending_fault(ending)
            last = block[-1:] if block.endswith(b"\r") else b""


class UploadReader:
    """Reads records from a byte on.

    Args:
        file: The uploaded file: its path, or what is in it; `close` closes it.
        delimiter: Between cells.
        ending: Named in faults only.
        offset: Byte at which a record begins.
        columns: Cells that each record must have; None before the header was read.
    """

    def __init__(
        self,
        file: Path | BinaryIO,
        delimiter: ColumnDelimiter,
        ending: LineEnding,
        offset: int = 0,
        columns: int | None = None,
    ) -> None:
        self.offset = offset
        self._columns = columns
        self._ending = ending
        self._file = file.open("rb") if isinstance(file, Path) else file
        self._file.seek(offset)
        self._fed = offset
        self._raw: list[str] = []
        self._reader = csv.reader(self._lines(), delimiter=delimiter.char, strict=True)
        cell = f'(?:"[^"]*(?:""[^"]*)*"|[^"{re.escape(delimiter.char)}\r\n]*)'
        self._delimiter = delimiter
        self._guess = _BLOCK >> 4
        #: Records to be read one by one before plain ones are tried again, and how many there were last time.
        self._singly = self._run = 0
        self._shape = re.compile(f"{cell}(?:{re.escape(delimiter.char)}{cell})*\r?\n?")

    def header(self) -> list[str]:
        """Return the first record.

        Raises:
            UploadFault: There is none, or it cannot be parsed or is too long.
        """
        names = self._next()
        if names is None:
            raise UploadFault(RECORDS_NOT_FOUND)
        # Assumed: texts of these two; the limits are documented (bulk2.md sections 4 and 11).
        if sum(map(len, names)) + len(names) - 1 > INGEST_HEADER_CHARS:
            raise UploadFault(f"InvalidBatch : The header has more than {INGEST_HEADER_CHARS} characters")
        if len(names) > INGEST_RECORD_FIELDS:
            raise UploadFault(f"InvalidBatch : A record has more than {INGEST_RECORD_FIELDS} fields")
        self._columns = len(names)
        return names

    def table(self, rows: int, chars: int) -> Table:
        """Return the next records: up to `rows`, and no more once `chars` characters are reached. Empty at the end.

        Raises:
            UploadFault: A record of this batch cannot be parsed. `offset` is that of the batch's first record.
            ValueError: How many columns there are is not known yet.
        """
        if self._columns is None:
            raise ValueError("table() before the header was read")
        table = Table([[] for _ in range(self._columns)], [])
        start, limit = self.offset, self.offset + chars
        try:
            while len(table) < rows and self.offset < limit:
                wanted = rows - len(table)
                if not self._singly:
                    plain = self._plain(self._columns, wanted, limit - self.offset)
                    if plain is not None:
                        table.add(plain)
                    if plain is not None and len(plain) >= min(_WORTH, wanted):
                        self._run = 0
                        continue
                    self._guess = min(self._guess, _BLOCK >> 6)
                    self._run = self._singly = min(max(_WORTH, 2 * self._run), _LONGEST_RUN)
                if not self._one_by_one(table, rows, limit):
                    break
        except UploadFault:
            self.offset = start
            raise
        return table

    def _one_by_one(self, table: Table, rows: int, limit: int) -> bool:
        """Read a run of records of any form into a table; return False at the end of the file."""
        self._file.seek(self.offset)
        records: list[list[str]] = []
        wanted, record = min(self._singly, rows - len(table)), None
        while len(records) < wanted and self.offset < limit:
            record = self._next()
            if record is None:
                break
            records.append(record)
        self._singly -= len(records)
        table.add_records(records, self._delimiter)
        return record is not None or self.offset >= limit or not wanted

    def batch(self, rows: int, chars: int) -> list[list[str]]:
        """Return the same records as `table`, as rows of cells."""
        return self.table(rows, chars).records()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _plain(self, columns: int, rows: int, chars: int) -> Table | None:
        """Return the next records at once, up to the first that is quoted; None leaves them to `_next`.

        Ten times as fast as record by record. What may be wrong with a block is not decided here.
        """
        self._file.seek(self.offset)
        block = self._file.read(min(self._guess, chars))
        quote = block.find(b'"')
        block = block[: block.rfind(b"\n", 0, quote if quote >= 0 else len(block)) + 1]
        returns = block.count(b"\r")
        # Returns that end no line, and quotes, are left to whoever reads record by record.
        if not block or (returns and not returns == block.count(b"\r\n") == block.count(b"\n")):
            return None
        try:
            text = block.decode()
        except UnicodeDecodeError:
            return None
        if returns:
            text = text.replace("\r\n", "\n")
        delimiter = self._delimiter.char
        # No cell has a quote: the quotes of a line tell how many cells it has.
        lines = text.replace(delimiter, f'"{delimiter}"').split("\n")
        lines.pop()
        if len(lines) > rows:
            del lines[rows:]
            text = text[: sum(map(len, lines)) - 2 * (columns - 1) * rows + rows]
        widths = set(map(str.count, lines, repeat('"')))
        # An empty line is no record; with more than one column its width tells.
        blank = columns == 1 and "" in lines
        if widths != {2 * columns - 2} or blank or max(map(len, lines)) > csv.field_size_limit():
            return None
        text = text[:-1]
        used = (len(text) if text.isascii() else len(text.encode())) + (1 + len(lines) if returns else 1)
        cells = text.replace("\n", delimiter).split(delimiter)
        self.offset += used
        self._fed = self.offset
        self._file.seek(self.offset)
        # The next block is read as large as these rows were, and a little more; as large as this one before a quote.
        if quote < 0:
            self._guess = min(4 * self._guess, max(_BLOCK >> 4, used * rows // len(lines) + _BLOCK // 16))
        else:
            self._guess = max(_BLOCK >> 6, 2 * used)
        return Table([cells[place::columns] for place in range(columns)], lines)

    def _lines(self) -> Iterator[str]:
        longest = INGEST_RECORD_CHARS * 4
        while raw := self._file.readline(longest):
            if len(raw) == longest:
                raise UploadFault(f"InvalidBatch : A record has more than {INGEST_RECORD_CHARS} characters")
            self._fed += len(raw)
            try:
                text = raw.decode()
            except UnicodeDecodeError as error:
                # Assumed: the platform asks for UTF-8 and does not say how it refuses other bytes.
                at = self._fed - len(raw) + error.start
                raise UploadFault(f"InvalidBatch : Failed to parse CSV. The data is not UTF-8 at byte {at}") from error
            self._raw.append(text)
            yield text

    def _next(self) -> list[str] | None:
        while True:
            self._raw.clear()
            try:
                record = next(self._reader, None)
            except csv.Error as error:
                raise self._fault(error) from error
            self.offset = self._fed
            if record is None:
                return None
            if record:
                break
        raw = "".join(self._raw)
        if '"' in raw and any('"' in cell for cell in record) and not self._shape.fullmatch(raw):
            raise UploadFault(_UNESCAPED)
        if self._columns is not None and len(record) != self._columns:
            # Assumed: text; a record of another width cannot be told apart from a wrong delimiter.
            raise UploadFault(
                f"InvalidBatch : Failed to parse CSV. Expected {self._columns} fields but found {len(record)}"
            )
        return record

    def _fault(self, error: csv.Error) -> UploadFault:
        text = str(error)
        if text.startswith("new-line character"):
            return _line_ending_fault(self._ending)
        if text.startswith("field larger"):
            # Assumed: text. Source of the limit: bulk2.md section 11.
            return UploadFault("InvalidBatch : Failed to parse CSV. A field has more than 131072 characters")
        return UploadFault(_UNESCAPED)
