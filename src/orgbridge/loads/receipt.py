"""The proof of a load: what was read, sent and answered, part by part, and whether it adds up.

JSON shape (`Receipt.to_json`):

    {"load_id", "object", "operation", "external_id_field", "state",
     "input": {"name", "bytes", "sha256", "format", "encoding", "delimiter", "line_ending", "has_bom", "columns": [],
               "unread"},
     "rows": {"read", "sent", "refused", "skipped", "not_sent", "succeeded", "failed", "unprocessed", "ambiguous"},
     "balanced": true, "mismatches": [],
     "warnings": [],
     "parts": [{"number", "job_id", "job_state", "state", "first_row", "first_line", "rows", "sent", "bytes", "sha256",
                "succeeded", "failed", "unprocessed", "refused", "ambiguous", "stray_results", "missing_results",
                "results_sha256", "api_calls", "attempt", "error_message", "warnings": [], "skipped", "held",
                "rounds": [{"round", "job_id", "job_state", "state", "rows", "sent", "bytes", "sha256", "succeeded",
                            "failed", "unprocessed", "results_sha256", "attempt", "error_message"}]}],
     "errors": [{"code", "count", "lines": [], "message", "cause", "remedy", "retry"}],
     "results": {"name", "bytes", "sha256"}, "failed": {"name", "bytes", "sha256"}, "published": [],
     "hot_parents": [{"field", "value", "rows", "lines": []}], "links": {},
     "api_calls", "seconds", "started_at", "finished_at"}

The row equation holds for every part and for the whole (`RowCounts` defines and checks it):

    read = sent + refused + skipped + not_sent
    read = succeeded + failed + unprocessed + skipped

`held` counts the rows of a part that were kept back on purpose, the skipped ones among them. A row that was sent again
in a later round counts once, with the outcome of its last round. Instants are ISO 8601 text in UTC.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Final

from orgbridge.loads.remedies import remedy_for

#: Lines that an error group names.
LINES_NAMED: Final = 5


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

    def to_json(self) -> dict[str, Any]:
        """Return the group with its cause, its remedy and whether a retry can help."""
        remedy = remedy_for(self.code)
        return {
            "code": self.code,
            "count": self.count,
            "lines": list(self.lines),
            "message": self.message,
            "cause": remedy.cause,
            "remedy": remedy.remedy,
            "retry": remedy.retry.value,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RowCounts:
    """Rows by what was done with them, and by what became of them: the row equation."""

    #: Rows that were read.
    read: int
    #: Rows that were in a committed job.
    sent: int
    #: Rows that were not sent because a cell cannot become a value of its field; they are among the failed.
    refused: int
    #: Rows that were not sent because nothing in them had changed.
    skipped: int
    #: Rows that were not sent for any other reason; they are among the unprocessed.
    not_sent: int
    #: Rows that Salesforce wrote.
    succeeded: int
    #: Rows that Salesforce refused, and those that were refused before.
    failed: int
    #: Rows that Salesforce did not come to, or told nothing of, and those that were not sent.
    unprocessed: int

    def check(self, whose: str) -> list[str]:
        """Return one sentence for each side of the equation that does not come out.

        Args:
            whose: What the rows are of, to begin a sentence with.
        """
        wrong = []
        accounted = self.succeeded + self.failed + self.unprocessed + self.skipped
        if accounted != self.read:
            wrong.append(f"{whose} holds {self.read} rows, but {accounted} are accounted for.")
        handled = self.sent + self.refused + self.skipped + self.not_sent
        if handled != self.read or min(self.sent, self.refused, self.skipped, self.not_sent) < 0:
            wrong.append(
                f"{whose} holds {self.read} rows, but {self.sent} were sent, {self.refused} refused, {self.skipped} "
                f"skipped and {self.not_sent} not sent."
            )
        answered = self.succeeded + self.failed - self.refused
        if self.failed < self.refused or self.unprocessed < self.not_sent or answered > self.sent:
            wrong.append(
                f"{whose} has {self.sent} rows that were sent, {self.refused} refused and {self.not_sent} not sent, "
                f"but {self.succeeded} succeeded, {self.failed} failed and {self.unprocessed} unprocessed ones."
            )
        return wrong

    @classmethod
    def sum(cls, counts: Iterable[RowCounts]) -> RowCounts:
        """Return the counts of several parts as one."""
        rows = [asdict(one) for one in counts]
        return cls(**{item.name: sum(row[item.name] for row in rows) for item in fields(cls)})


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundReceipt:
    """Rows of a part that were sent in a job of their own: those that could not be locked, say."""

    #: 1 for the first.
    round: int
    #: The Salesforce job that was committed; None when none was.
    job_id: str | None
    #: The job's last state at Salesforce.
    job_state: str | None
    #: Our own state of the sending (`states.PartState`).
    state: str
    #: Records in it.
    rows: int
    #: Records sent for processing: all of them once the job was committed, else 0.
    sent: int
    #: Bytes of the records, header not counted.
    bytes: int
    #: SHA-256 of these bytes, hexadecimal.
    sha256: str
    #: Rows by outcome.
    succeeded: int
    failed: int
    unprocessed: int
    #: SHA-256 of the results of these rows, hexadecimal.
    results_sha256: str | None
    #: How often rows of the part were tried by then, from 1.
    attempt: int
    #: The job-level failure, if there was one.
    error_message: str | None = None

    def check(self, part: int, due: int) -> list[str]:
        """Return one sentence for each sum of this round that does not come out.

        Args:
            part: Number of the part.
            due: The round that should stand here.
        """
        wrong = []
        if self.round != due:
            wrong.append(f"Part {part} has round {self.round} where round {due} is due.")
        accounted = self.succeeded + self.failed + self.unprocessed
        if accounted != self.rows or self.sent not in (0, self.rows):
            wrong.append(
                f"Round {self.round} of part {part} holds {self.rows} rows, but {self.sent} were sent and {accounted} "
                "are accounted for."
            )
        return wrong


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
    #: Records sent for processing: all of them but the refused ones once the job was committed, else 0.
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
    #: Rows that were not sent because a cell cannot become a value of its field; they count as failed.
    refused: int = 0
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
    #: Rows not sent because nothing in them had changed.
    skipped: int = 0
    #: Rows kept back on purpose, skipped ones among them.
    held: int = 0
    #: Rows that were sent in jobs of their own, in order.
    rounds: tuple[RoundReceipt, ...] = ()
    #: Its rows share parents and need not follow each other in the input; the results were merged by line.
    grouped: bool = False
    #: The part that had to end before this one began, because both have rows of one parent.
    after: int | None = None

    @property
    def counts(self) -> RowCounts:
        """The rows of the part. A part is sent whole, but for the rows that were refused or kept back."""
        return RowCounts(
            read=self.rows,
            sent=self.sent,
            refused=self.refused,
            skipped=self.skipped,
            not_sent=self.held - self.skipped if self.sent else self.rows - self.refused - self.skipped,
            succeeded=self.succeeded,
            failed=self.failed,
            unprocessed=self.unprocessed,
        )

    def check_place(self, rows_read: int) -> list[str]:
        """Return one sentence for each way in which a part of a grouped load cannot lie in the input.

        Args:
            rows_read: Rows of the input.
        """
        wrong = []
        if not 1 <= self.first_row <= rows_read - self.rows + 1:
            wrong.append(f"Part {self.number} of {self.rows} rows cannot begin with row {self.first_row}.")
        if self.after is not None and self.after >= self.number:
            wrong.append(f"Part {self.number} stands before part {self.after}, after which it was to begin.")
        return wrong

    def check(self) -> list[str]:
        """Return one sentence for each sum of this part that does not come out."""
        wrong = self.counts.check(f"Part {self.number}")
        if self.skipped > self.held or self.unprocessed + self.skipped < self.held:
            idle = self.unprocessed + self.skipped
            wrong.append(f"Part {self.number} kept {self.held} rows back, but {idle} of its rows had no outcome.")
        for number, again in enumerate(self.rounds, 1):
            wrong += again.check(self.number, number)
        if self.stray_results:
            wrong.append(f"Salesforce gave {self.stray_results} results that belong to no row of part {self.number}.")
        if self.missing_results:
            wrong.append(f"Salesforce gave no result for {self.missing_results} rows of part {self.number}.")
        return wrong


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
    #: What of the input is not rows and was not read: `line`, `row`, `byte`, `code`, `message`; None: all was read.
    unread: dict[str, Any] | None = None


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
    #: The file of the failed and unprocessed rows, once written.
    failed: FileReceipt | None = None
    #: Names under which results and failed rows lie in DATA_PATH_OUTPUT and DATA_PATH_FAILED.
    published: tuple[str, ...] = ()
    #: Parents that rows which could not be locked have in common.
    hot_parents: tuple[dict[str, Any], ...] = ()
    #: Loads that this one came out of: `retry_of`, `undo_of`.
    links: dict[str, str] = field(default_factory=dict)

    def check(self) -> list[str]:
        """Return one sentence for each sum that does not come out; an empty list is the proof."""
        wrong: list[str] = []
        row = 1
        for place, part in enumerate(self.parts):
            wrong += part.check()
            if part.number != place:
                wrong.append(f"Part {part.number} stands in place {place}.")
            if part.grouped:
                wrong += part.check_place(self.rows_read)
            elif part.first_row != row:
                wrong.append(f"Part {part.number} begins with row {part.first_row} where row {row} is due.")
            row = part.first_row + part.rows
        totals = self.totals()
        in_parts = sum(part.rows for part in self.parts)
        if in_parts != self.rows_read:
            wrong.append(f"{self.rows_read} rows were read, but the parts hold {in_parts}.")
        wrong += replace(RowCounts.sum(part.counts for part in self.parts), read=self.rows_read).check("The load")
        grouped = sum(group.count for group in self.errors)
        if grouped != totals["failed"] + totals["unprocessed"]:
            ungood = totals["failed"] + totals["unprocessed"]
            wrong.append(f"{ungood} rows failed or were not processed, but {grouped} have an error code.")
        return wrong

    def totals(self) -> dict[str, int]:
        """Return the row counts of the whole load: those of the row equation, and `ambiguous`."""
        counts = replace(RowCounts.sum(part.counts for part in self.parts), read=self.rows_read)
        return {**asdict(counts), "ambiguous": sum(part.ambiguous for part in self.parts)}

    def to_json(self) -> dict[str, Any]:
        """Return the receipt in the shape that the module describes."""
        mismatches = self.check()
        return {
            "load_id": self.load_id,
            "object": self.object_name,
            "operation": self.operation,
            "external_id_field": self.external_id_field,
            "state": self.state,
            "input": asdict(self.input),
            "rows": self.totals(),
            "balanced": not mismatches,
            "mismatches": mismatches,
            "warnings": list(self.warnings),
            "parts": [asdict(part) for part in self.parts],
            "errors": [group.to_json() for group in self.errors],
            "results": None if self.results is None else asdict(self.results),
            "failed": None if self.failed is None else asdict(self.failed),
            "published": list(self.published),
            "hot_parents": list(self.hot_parents),
            "links": dict(self.links),
            "api_calls": self.api_calls,
            "seconds": self.seconds,
            "started_at": self.started_at,
            "finished_at": self.finished_at,
        }


def merge_groups(parts: Iterable[Iterable[ErrorGroup]]) -> tuple[ErrorGroup, ...]:
    """Return the error groups of a load from those of its parts, most frequent first.

    Args:
        parts: The groups of each part, parts in order.
    """
    merged: dict[str, ErrorGroup] = {}
    for group in itertools.chain.from_iterable(parts):
        before = merged.get(group.code)
        if before is not None:
            lines = (*before.lines, *group.lines)[:LINES_NAMED]
            group = replace(before, count=before.count + group.count, lines=lines)
        merged[group.code] = group
    return tuple(sorted(merged.values(), key=lambda group: -group.count))


def groups_to_json(groups: Iterable[ErrorGroup]) -> list[dict[str, Any]]:
    """Return error groups as they stand in a receipt; `groups_from_json` reads them back."""
    return [group.to_json() for group in groups]


def groups_from_json(items: Iterable[dict[str, Any]]) -> tuple[ErrorGroup, ...]:
    """Return the error groups that `groups_to_json` wrote."""
    return tuple(
        ErrorGroup(code=item["code"], count=item["count"], lines=tuple(item["lines"]), message=item["message"])
        for item in items
    )
