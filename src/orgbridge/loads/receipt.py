"""The proof of a load: what was read, sent and answered, part by part, and whether it adds up.

JSON shape (`Receipt.to_json`):

    {"load_id", "object", "operation", "external_id_field", "state",
     "input": {"name", "bytes", "sha256", "format", "encoding", "delimiter", "line_ending", "has_bom", "columns": []},
     "rows": {"read", "sent", "succeeded", "failed", "unprocessed", "ambiguous"},
     "balanced": true, "mismatches": [],
     "warnings": [],
     "parts": [{"number", "job_id", "job_state", "state", "first_row", "first_line", "rows", "sent", "bytes", "sha256",
                "succeeded", "failed", "unprocessed", "ambiguous", "stray_results", "missing_results",
                "results_sha256", "api_calls", "attempt", "error_message", "warnings": []}],
     "errors": [{"code", "count", "lines": [], "message", "cause", "remedy", "retry"}],
     "results": {"name", "bytes", "sha256"},
     "api_calls", "seconds", "started_at", "finished_at"}

Counts are of rows. `sent` counts the rows of parts whose job was committed; rows of parts that never were are
unprocessed. Instants are ISO 8601 text in UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorGroup:
    """The failed and unprocessed rows of one error code."""

    #: Salesforce's code, or one of ours (`NO_RESULT`, `UNPROCESSED`, ...).
    code: str
    #: Rows that have it.
    count: int
    #: Lines of the first five.
    lines: tuple[int, ...]
    #: Message of the first.
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PartReceipt:
    """What happened to one part."""

    #: Number of the part, from 0.
    number: int
    #: The Salesforce job that was committed; None when none was.
    job_id: str | None
    #: The job's last state at Salesforce.
    job_state: str | None
    #: Our own state of the part (`states.PartState`).
    state: str
    #: Number of its first record in the input, from 1.
    first_row: int
    #: Line on which that record begins, from 1.
    first_line: int
    #: Records in the part.
    rows: int
    #: Records sent for processing: all of them once the job was committed, else 0.
    sent: int
    #: Bytes of the part's records, header not counted.
    bytes: int
    #: SHA-256 of these bytes, hexadecimal.
    sha256: str
    #: Rows that Salesforce wrote.
    succeeded: int
    #: Rows that Salesforce refused.
    failed: int
    #: Rows that were not processed, those without any result included.
    unprocessed: int
    #: Rows whose result could belong to an identical row as well.
    ambiguous: int = 0
    #: Result rows of Salesforce that belong to no row of the part.
    stray_results: int = 0
    #: Rows that a finished job gave no result for; they count as unprocessed.
    missing_results: int = 0
    #: SHA-256 of the part's results file, hexadecimal.
    results_sha256: str | None = None
    #: Calls to Salesforce.
    api_calls: int = 0
    #: How often the part was tried, from 1.
    attempt: int = 1
    #: The job-level failure, if there was one.
    error_message: str | None = None
    #: Things worth knowing that lost no row, one sentence each.
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class InputReceipt:
    """What was read."""

    #: Name of the file as the caller gave it.
    name: str
    #: Bytes as received, before unpacking.
    bytes: int
    #: SHA-256 of these bytes, hexadecimal.
    sha256: str
    #: `CSV`, `JSON` or `NDJSON` (`inputs.InputFormat`).
    format: str
    #: Encoding by Python's name.
    encoding: str
    #: The delimiter itself.
    delimiter: str
    #: `LF` or `CRLF`.
    line_ending: str
    #: Whether it began with a byte order mark.
    has_bom: bool
    #: Names of the columns, in order.
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReceipt:
    """A file that the load wrote."""

    #: Key or path under which it lies.
    name: str
    #: Its size.
    bytes: int
    #: SHA-256 of its bytes, hexadecimal.
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What happened to a load."""

    #: Our id of the load.
    load_id: str
    #: API name of the object.
    object_name: str
    #: `insert`, `update`, `upsert`, `delete` or `hardDelete`.
    operation: str
    #: Field that an upsert matches by.
    external_id_field: str | None
    #: State of the load (`states.LoadState`).
    state: str
    #: What was read.
    input: InputReceipt
    #: Records in the input, as the splitter counted them.
    rows_read: int
    #: One per part, in order.
    parts: tuple[PartReceipt, ...]
    #: Failed and unprocessed rows by code, most frequent first.
    errors: tuple[ErrorGroup, ...] = ()
    #: The results file, once written.
    results: FileReceipt | None = None
    #: Calls to Salesforce of the whole load, those outside parts included.
    api_calls: int = 0
    #: Seconds from start to end.
    seconds: float | None = None
    #: ISO 8601 instants.
    started_at: str | None = None
    finished_at: str | None = None
    #: Things worth knowing that lost no row, one sentence each.
    warnings: tuple[str, ...] = ()

    def check(self) -> list[str]:
        """Return one sentence for each sum that does not come out; an empty list is the proof."""
        raise KeyError

    def to_json(self) -> dict[str, Any]:
        """Return the receipt in the shape that the module describes."""
        raise KeyError
