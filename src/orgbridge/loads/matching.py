"""Join what Salesforce says about rows to the rows themselves, by content and never by position.

Salesforce gives results in any order, in three files, with the uploaded columns echoed. A result belongs to the row
with the same key (the id of an update or delete, the external id of an upsert) where that key is unique in the part,
else to the row with the same cells. Rows that are identical share their results: as long as these do not differ, it
does not matter which is whose; when they differ, they are given out in order and marked ambiguous.

Nothing is dropped: a row without a result and a result without a row are both counted and reported.

Memory for a part of 100,000 rows is about 30 MB while joining (see benchmarks/splitting.py), 8 MB afterwards. Rows of a
small part are compared by all their bytes, which are kept meanwhile: that is twice as fast as hashing them. Of a large
part they would take too much, so 128 bits stand for each of its rows.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from orgbridge.loads.dialect import Dialect
from orgbridge.loads.digests import digest_of, joined_texts
from orgbridge.loads.errors import UnreadableResults
from orgbridge.loads.joinedrows import SEPARATOR, joined_cells
from orgbridge.loads.outcomes import (
    CREATED,
    FAILED,
    GIVEN_BACK,
    NO_RESULT,
    UNPROCESSED,
    UPDATED,
    Ledger,
    Outcome,
    RowError,
    RowStatus,
    status_of,
)
from orgbridge.loads.partrows import KEPT_BYTES, Blocks, PartRows, line_numbers, picker
from orgbridge.loads.receipt import ErrorGroup
from orgbridge.loads.resultfiles import ResultFile
from orgbridge.loads.results import result_records
from orgbridge.loads.splitter import LineCount
from orgbridge.wire.bulk import RESULT_CREATED, RESULT_ERROR, RESULT_ID, IngestOperation

#: Verdicts shared between rows that failed alike.
_SHARED: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PartMatch:
    """The outcomes of one part. The rows themselves are read again when they are written."""

    #: Records of the part.
    rows: int
    #: Rows that Salesforce wrote.
    succeeded: int
    #: Rows that Salesforce refused.
    failed: int
    #: Rows that were not processed, those without a result included.
    unprocessed: int
    #: Rows whose result could belong to an identical row as well.
    ambiguous: int
    #: Result rows that belong to no row of the part.
    stray_results: int
    #: Rows that no results file names although the job finished; they are unprocessed with code `NO_RESULT`.
    missing_results: int
    #: Failed and unprocessed rows by code, most frequent first.
    errors: tuple[ErrorGroup, ...]
    #: What became of each row.
    ledger: Ledger = field(repr=False)
    #: Opens the part's records anew.
    records: Blocks = field(repr=False)
    #: How they are written.
    dialect: Dialect

    def outcomes(self) -> Iterator[Outcome]:
        """Yield what became of each row, in input order."""
        return self.ledger.outcomes()

    def result_blocks(self) -> Iterator[bytes]:
        """Yield the part's piece of the results file (no header), in input order."""
        return result_records(self.records(), self.ledger, self.dialect)


def match_part(
    *,
    records: Blocks,
    dialect: Dialect,
    header: tuple[str, ...],
    operation: IngestOperation,
    external_id_field: str | None,
    successful: Blocks,
    failed: Blocks,
    unprocessed: Blocks,
    first_row: int,
    first_line: int,
    line_count: LineCount = LineCount.PHYSICAL,
    attempt: int = 1,
    job_complete: bool = True,
    job_error: str | None = None,
    kept_bytes: int = KEPT_BYTES,
) -> PartMatch:
    """Join the three results files of a job to the records of its part.

    Cells are compared with all newlines inside them taken as line feeds, for the platform may give them back otherwise.
    Assumed: apart from that Salesforce echoes cells as they were uploaded.

    Args:
        records: Opens the part's record bytes without header, as the splitter yielded them; opened up to three times.
        dialect: How they are written.
        header: Names of the columns, in order.
        operation: What the job did.
        external_id_field: Field that an upsert matched by.
        successful: Opens the job's `successfulResults`; no bytes at all where there are none.
        failed: Opens `failedResults`.
        unprocessed: Opens `unprocessedrecords`.
        first_row: Number of the first record in the input, from 1.
        first_line: Line on which it begins.
        line_count: What line numbers count.
        attempt: Which try this was, from 1.
        job_complete: Whether the job ended in `JobComplete`. Then a row without a result is a mismatch; after
            `Failed` or `Aborted` it was simply not processed.
        job_error: The job-level failure, which unprocessed rows are given as their message.
        kept_bytes: Bytes of records up to which these are compared themselves.

    Raises:
        UnreadableResults: A results file is not CSV, lacks a column it must have, or echoes no column of the input.

    Source: facts/salesforce/bulk2.md section 7.
    """
    files = [
        ResultFile(successful(), "successfulResults", (RESULT_ID, RESULT_CREATED), dialect, header),
        ResultFile(failed(), "failedResults", (RESULT_ID, RESULT_ERROR), dialect, header),
        ResultFile(unprocessed(), "unprocessedrecords", (), dialect, header),
    ]
    echoed = [file.columns for file in files if file.columns]
    common = sorted(set(range(len(header))).intersection(*echoed))
    if not common:
        raise UnreadableResults("The results files have no column of the input in common.")
    key = _key_column(header, operation, external_id_field)
    covers_all = len(common) == len(header)
    rows = PartRows(
        records,
        dialect,
        common,
        key if key in common else None,
        first_line,
        line_count,
        compares_all=covers_all,
        kept_bytes=kept_bytes,
    )
    rows.read(fold=_id_prefix if operation in _BY_ID else None)
    verdicts = _Verdicts(rows, covers_all=covers_all)
    for file in files:
        verdicts.read(file)
    verdicts.settle_groups()
    why = job_error or "Salesforce did not process the row."
    ledger = Ledger(
        first_row=first_row,
        lines=rows.lines,
        verdicts=verdicts.of_row,
        ambiguous=verdicts.ambiguous,
        without_verdict=RowError(code=NO_RESULT, message="Salesforce gave no result for the row.")
        if job_complete
        else RowError(code=UNPROCESSED, message=why),
        given_back=RowError(code=UNPROCESSED, message=why),
        attempt=attempt,
    )
    return _part_match(ledger, records, dialect, stray=verdicts.stray, job_complete=job_complete)


def unprocessed_part(
    *,
    records: Blocks,
    dialect: Dialect,
    first_row: int,
    first_line: int,
    error_code: str,
    error_message: str,
    line_count: LineCount = LineCount.PHYSICAL,
    attempt: int = 1,
) -> PartMatch:
    """Account for the rows of a part that was never committed: all of them are unprocessed.

    Args:
        records: Opens the part's record bytes without header.
        dialect: How they are written.
        first_row: Number of the first record in the input, from 1.
        first_line: Line on which it begins.
        error_code: Code that every row is given, e.g. `ABORTED`.
        error_message: One sentence for people.
        line_count: What line numbers count.
        attempt: Which try this was, from 1.
    """
    lines = line_numbers(records, first_line, line_count)
    error = RowError(code=error_code, message=error_message)
    ledger = Ledger(
        first_row=first_row,
        lines=lines,
        verdicts=[None] * len(lines),
        ambiguous=bytearray(len(lines)),
        without_verdict=error,
        given_back=error,
        attempt=attempt,
    )
    return _part_match(ledger, records, dialect, stray=0, job_complete=False)


def _part_match(ledger: Ledger, records: Blocks, dialect: Dialect, *, stray: int, job_complete: bool) -> PartMatch:
    not_written = ledger.places_not_written()
    statuses = Counter(status_of(ledger.verdicts[place]) for place in not_written)
    return PartMatch(
        rows=len(ledger.verdicts),
        succeeded=len(ledger.verdicts) - statuses.total(),
        failed=statuses[RowStatus.FAILED],
        unprocessed=statuses[RowStatus.UNPROCESSED],
        ambiguous=sum(ledger.ambiguous),
        stray_results=stray,
        missing_results=ledger.verdicts.count(None) if job_complete else 0,
        errors=ledger.errors(not_written),
        ledger=ledger,
        records=records,
        dialect=dialect,
    )


_BY_ID: Final = frozenset({IngestOperation.UPDATE, IngestOperation.DELETE, IngestOperation.HARD_DELETE})


def _key_column(header: tuple[str, ...], operation: IngestOperation, external_id_field: str | None) -> int | None:
    name = "Id" if operation in _BY_ID else external_id_field if operation is IngestOperation.UPSERT else None
    if name is None:
        return None
    names = [column.casefold() for column in header]
    return names.index(name.casefold()) if name.casefold() in names else None


def _id_prefix(cell: str) -> str:
    """Return what ids of 15 and of 18 characters have in common."""
    return cell[:15]


class _Verdicts:
    """What the results files say, row by row."""

    def __init__(self, rows: PartRows, *, covers_all: bool) -> None:
        count = len(rows.lines)
        self._rows = rows
        self._covers_all = covers_all
        self.of_row: list[bytes | None] = [None] * count
        self.ambiguous = bytearray(count)
        self.stray = 0
        self._groups: dict[bytes, list[bytes]] = {}
        self._shared: dict[bytes, bytes] = {}

    def read(self, file: ResultFile) -> None:
        """Take in one results file."""
        if not file.columns:
            return
        compared = [file.columns[column] for column in self._rows.columns]
        pick = picker(compared)
        count = len(compared)
        key = None if self._rows.key is None else file.columns[self._rows.key]
        is_regular = self._covers_all and file.is_regular
        for chunk in file.chunks():
            joined = file.joined(chunk) if is_regular else None
            names: Iterable[str | bytes]
            if joined is not None:
                added = [row.split(SEPARATOR, len(file.extra)) for row in joined]
                names = self._joined_names(added)
                verdicts = self._joined_verdicts(file, added)
            else:
                text, rows = file.rows(chunk)
                verdicts = self._verdicts(file, rows)
                if key is None:
                    names = self._names(map(pick, rows), count, text)
                else:
                    names = self._keys(rows, key, lambda cells, text=text: self._names([pick(cells)], count, text)[0])  # type: ignore[misc] # bound per turn
            self._settle(list(names), verdicts)

    def _settle(self, names: list[str | bytes], verdicts: Iterable[bytes]) -> None:
        """Give rows what was said of them."""
        of_row = self.of_row
        places = list(map(self._rows.places.get, names))
        if set(map(type, places)) == {int}:
            # Nearly always: each belongs to one row.
            for place, verdict in zip(places, verdicts, strict=True):
                if of_row[place] is None:  # type: ignore[index] # an int, all of them
                    of_row[place] = verdict  # type: ignore[index]
                else:
                    self.stray += 1
            return
        for name, place, verdict in zip(names, places, verdicts, strict=True):
            if isinstance(place, int) and of_row[place] is None:
                of_row[place] = verdict
            elif isinstance(place, list) and isinstance(name, bytes):
                self._groups.setdefault(name, []).append(verdict)
            else:
                self.stray += 1

    def _names(self, rows: Iterable[Sequence[str]], count: int, text: str) -> list[bytes]:
        return self._rows.joined_names(joined_texts(rows, count, text))

    def _keys(self, rows: list[list[str]], key: int, digest: Callable[[list[str]], bytes]) -> Iterator[str | bytes]:
        """Yield the key of each row, for rows with a key that others have too what stands for all their cells."""
        fold, repeated = self._rows.fold, self._rows.repeated
        for cells in rows:
            name = cells[key] if fold is None else fold(cells[key])
            yield digest(cells) if name in repeated else name

    def _joined_names(self, added: list[list[bytes]]) -> Iterable[str | bytes]:
        """Return the key of each row, or what stands for its cells; what Salesforce adds is split off each row."""
        rows = [parts[-1] for parts in added]
        key = self._rows.key
        if key is None:
            return self._rows.joined_names(rows)
        fold, repeated = self._rows.fold, self._rows.repeated
        names = joined_cells(rows, key)
        if fold is not None:
            names = list(map(fold, names))
        if not repeated:
            return names
        return [digest_of(row) if name in repeated else name for name, row in zip(names, rows, strict=True)]

    def _joined_verdicts(self, file: ResultFile, added: list[list[bytes]]) -> Iterable[bytes]:
        if not file.extra:
            return itertools.repeat(GIVEN_BACK, len(added))
        if file.is_failed:
            return [self._failed(record_id.decode(), told.decode()) for record_id, told, _ in added]
        return [
            (CREATED if told == b"true" or told.lower() == b"true" else UPDATED) + record_id
            for record_id, told, _ in added
        ]

    def _verdicts(self, file: ResultFile, rows: list[list[str]]) -> Iterator[bytes]:
        if not file.extra:
            return itertools.repeat(GIVEN_BACK, len(rows))
        record_id, told = file.extra
        if file.is_failed:
            return (self._failed(cells[record_id], cells[told]) for cells in rows)
        return (
            (CREATED if cells[told].casefold() == "true" else UPDATED) + cells[record_id].encode() for cells in rows
        )

    def _failed(self, record_id: str, error: str) -> bytes:
        verdict = FAILED + f"{record_id}\0{error}".encode()
        if len(self._shared) < _SHARED:
            return self._shared.setdefault(verdict, verdict)
        return self._shared.get(verdict, verdict)

    def settle_groups(self) -> None:
        """Give identical rows their results, in order, and mark them where it matters whose is whose."""
        for name, places in self._rows.places.items():
            if not isinstance(places, list) or not isinstance(name, bytes):
                continue
            verdicts = self._groups.get(name, [])
            doubtful = bool(verdicts) and self._is_doubtful(verdicts, len(places))
            for place, verdict in zip(places, verdicts, strict=False):
                self.of_row[place] = verdict
            for place in places:
                self.ambiguous[place] = doubtful
            self.stray += max(0, len(verdicts) - len(places))

    def _is_doubtful(self, verdicts: list[bytes], rows: int) -> bool:
        if len(verdicts) != rows:
            return True
        if self._covers_all:
            # The rows are the same in every cell, so two records made of them are interchangeable.
            return len({v if v.startswith(FAILED) else v[:1] for v in verdicts}) > 1
        return len(set(verdicts)) > 1
