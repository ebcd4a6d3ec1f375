"""The rows of a part, found again by their key or by all of their cells: which place in the part has this row?"""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import add, itemgetter, methodcaller
from typing import Final

from orgbridge.loads.dialect import Dialect
from orgbridge.loads.digests import digest_of, joined_texts
from orgbridge.loads.joinedrows import joined_cells, joined_rows
from orgbridge.loads.records import MASKED_LF, masked_records, parse_chunk, record_chunks
from orgbridge.loads.splitter import LineCount

Blocks = Callable[[], Iterator[bytes]]
#: Bytes of a part whose rows are kept to be compared; of a larger one digests are.
KEPT_BYTES: Final = 24 << 20
_COUNT_MASKED: Final = methodcaller("count", MASKED_LF)


def line_numbers(records: Blocks, first_line: int, line_count: LineCount) -> array[int]:
    """Return the line on which each record of a part begins."""
    lines = array("Q")
    line = first_line
    for chunk in record_chunks(records()):
        line = _append_lines(lines, chunk, line, line_count)
    return lines


def _append_lines(lines: array[int], chunk: bytes, line: int, line_count: LineCount) -> int:
    """Append the line of each record of a chunk; return the line after the last."""
    newlines = chunk.count(b"\n")
    if b'"' not in chunk and chunk.endswith(b"\n") and _has_no_lone_return(chunk):
        lines.extend(range(line, line + newlines))
        return line + newlines
    records = masked_records(chunk)
    plain = range(line, line + len(records))
    if line_count is LineCount.RECORD or newlines == len(records):
        lines.extend(plain)
        return line + len(records)
    lines.extend(map(add, itertools.accumulate(map(_COUNT_MASKED, records), initial=0), plain))
    return line + newlines


def _has_no_lone_return(chunk: bytes) -> bool:
    return b"\r" not in chunk or chunk.count(b"\r") == chunk.count(b"\r\n")


def picker(places: list[int]) -> Callable[[list[str]], Sequence[str]]:
    """Return what takes the cells at some places out of a row; slices where it can, for they are faster."""
    start = places[0]
    if places == list(range(start, start + len(places))):
        return itemgetter(slice(start, start + len(places)))
    return itemgetter(*places)


class PartRows:
    """The rows of a part by key: where each one stands."""

    def __init__(
        self,
        records: Blocks,
        dialect: Dialect,
        columns: list[int],
        key: int | None,
        first_line: int,
        line_count: LineCount,
        *,
        compares_all: bool,
        kept_bytes: int,
    ) -> None:
        self._compares_all = compares_all
        self._kept_bytes = kept_bytes
        #: Cells of a row; only where all of them are compared.
        self._width = len(columns)
        self._records = records
        self._dialect = dialect
        self.columns = columns
        self.key = key
        self.fold: Callable[[str], str] | None = None
        self._line = first_line
        self._line_count = line_count
        self.lines = array("Q")
        #: Whether digests stand for rows. Where they have a key, only rows whose key is repeated need any.
        self._digested = key is not None
        self._bytes = 0
        #: Key, or the row or its digest -> place of the row, or places of the rows that share it.
        self.places: dict[str | bytes, int | list[int]] = {}
        #: Keys that more than one row has; these rows are told apart by all their cells.
        self.repeated: set[str] = set()

    def read(self, fold: Callable[[str], str] | None) -> None:
        """Read the part and index its rows."""
        self.fold = fold
        place = 0
        key = self.key
        places = self.places
        for chunk in record_chunks(self._records()):
            self._line = _append_lines(self.lines, chunk, self._line, self._line_count)
            joined = joined_rows(chunk, self._dialect.delimiter, self._width) if self._compares_all else None
            if key is None:
                place = self._add(self._chunk_names(chunk, joined), place)
                self._bytes += len(chunk)
                if self._bytes > self._kept_bytes and not self._digested:
                    self._digest()
                continue
            names: Iterable[str]
            if joined is not None:
                names = joined_cells(joined, key)
            else:
                names = [cells[key] for cells in parse_chunk(chunk.decode(), self._dialect.delimiter)]
            for name in names if fold is None else map(fold, names):
                if places.setdefault(name, place) != place:
                    self.repeated.add(name)
                place += 1
        if self.repeated and key is not None:
            self._tell_apart(key)

    def _add(self, names: list[bytes], place: int) -> int:
        """Take in the names of the next rows; return the place after the last."""
        places, end = self.places, place + len(names)
        fresh: dict[str | bytes, int | list[int]] = dict(zip(names, range(place, end), strict=True))
        if len(fresh) == len(names) and places.keys().isdisjoint(fresh):
            # Nearly always: no two rows are the same.
            places.update(fresh)
            return end
        for name in names:
            # A list of places, of rows met before, is no place either.
            if places.setdefault(name, place) != place:
                self._put(name, place)
            place += 1
        return end

    def _digest(self) -> None:
        """Let digests stand for rows from here on, those read already too."""
        self._digested = True
        self.places = {
            digest_of(name) if isinstance(name, bytes) else name: place for name, place in self.places.items()
        }

    def _chunk_names(self, chunk: bytes, joined: list[bytes] | None) -> list[bytes]:
        if joined is not None:
            return self.joined_names(joined)
        text = chunk.decode()
        return self.names(parse_chunk(text, self._dialect.delimiter), text)

    def _tell_apart(self, key: int) -> None:
        for name in self.repeated:
            del self.places[name]
        place = 0
        for chunk in record_chunks(self._records()):
            text = chunk.decode()
            for cells in parse_chunk(text, self._dialect.delimiter):
                name = cells[key] if self.fold is None else self.fold(cells[key])
                if name in self.repeated:
                    self._put(self.names([cells], text)[0], place)
                place += 1

    def _put(self, name: bytes, place: int) -> None:
        there = self.places.setdefault(name, place)
        if isinstance(there, list):
            there.append(place)
        elif there != place:
            self.places[name] = [there, place]

    def names(self, rows: Iterable[list[str]], text: str) -> list[bytes]:
        """Return what stands for the compared cells of each row, read from a text."""
        picked = rows if self._compares_all else map(picker(self.columns), rows)
        return self.joined_names(joined_texts(picked, len(self.columns), text))

    def joined_names(self, joined: list[bytes]) -> list[bytes]:
        """Return what stands for rows, given as `joined_rows` does."""
        return list(map(digest_of, joined)) if self._digested else joined
