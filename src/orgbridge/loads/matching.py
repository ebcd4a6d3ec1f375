"""Join what Salesforce says about rows to the rows themselves, by content and never by position."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from orgbridge.loads.dialect import Dialect
from orgbridge.loads.receipt import ErrorGroup
from orgbridge.loads.splitter import LineCount
from orgbridge.wire.bulk import IngestOperation

Blocks = Callable[[], Iterator[bytes]]


class RowStatus(StrEnum):
    """What became of a row."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNPROCESSED = "unprocessed"


class Match(StrEnum):
    """How surely a result belongs to its row."""

    EXACT = "exact"
    #: Identical rows had different outcomes: which had which cannot be known.
    AMBIGUOUS = "ambiguous"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one row."""

    #: Line of the input on which the row begins, from 1.
    line: int
    #: Number of the row in the input, from 1.
    row: int
    #: What became of it.
    status: RowStatus
    #: Id of the record, where Salesforce gave one.
    id: str = ""
    #: Whether the record is new; None unless it succeeded.
    created: bool | None = None
    #: Salesforce's code, or ours: `NO_RESULT`, `UNPROCESSED`.
    error_code: str = ""
    error_message: str = ""
    #: Names of the fields at fault, separated by spaces.
    error_fields: str = ""
    #: Which try this was, from 1.
    attempt: int = 1
    #: How surely this belongs to the row.
    match: Match = Match.EXACT


@dataclass(frozen=True, slots=True, kw_only=True)
class PartMatch:
    """The outcomes of one part. Holds about 100 bytes per row; the rows themselves are read again when written."""

    rows: int
    succeeded: int
    failed: int
    unprocessed: int
    ambiguous: int
    #: Result rows that belong to no row of the part.
    stray_results: int
    #: Rows that no results file names although the job finished; they count as unprocessed with code `NO_RESULT`.
    missing_results: int
    #: Failed and unprocessed rows by code, most frequent first.
    errors: tuple[ErrorGroup, ...]

    def outcomes(self) -> Iterator[Outcome]:
        """Yield what became of each row, in input order."""
        raise KeyError

    def result_blocks(self) -> Iterator[bytes]:
        """Yield the part's piece of the results file (no header), in input order, for `results.results_header`."""
        raise KeyError


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
) -> PartMatch:
    """Join the three results files of a job to the records of its part. All four are opened once or more.

    `records` = the part's record bytes without header (as the splitter yielded them). A results file that does not exist is an
    empty iterator.
    """
    raise KeyError


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
    """Account for the rows of a part that was never committed (aborted or failed): all are unprocessed."""
    raise KeyError
