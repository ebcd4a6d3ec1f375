"""What became of each row of a part, kept small: about 75 bytes for a row that succeeded.

A *verdict* is what one row of Salesforce's results says, packed into bytes: a letter for its kind, the record's id, and
for a failed row `sf__Error` after a NUL. Verdicts become `Outcome`s only when somebody looks at single rows.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Final

from orgbridge.loads.receipt import LINES_NAMED, ErrorGroup

#: A row that a finished job gave no result for.
NO_RESULT: Final = "NO_RESULT"
#: A row that Salesforce gave back untouched.
UNPROCESSED: Final = "UNPROCESSED"
#: An `sf__Error` that does not follow its grammar; the whole text is the message.
UNPARSED_ERROR: Final = "UNPARSED_ERROR"

CREATED, UPDATED, FAILED, GIVEN_BACK = b"C", b"U", b"F", b"N"
_WRITTEN: Final = CREATED + UPDATED
_ERROR: Final = re.compile(r"([A-Z][A-Z0-9_]*):(.*)", re.DOTALL)
_FIELDS: Final = re.compile(r"[\w.: ,]*")


class RowStatus(StrEnum):
    """What became of a row."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNPROCESSED = "unprocessed"
    #: Kept back on purpose: nothing in it had changed since it was last loaded.
    SKIPPED = "skipped"


class Match(StrEnum):
    """How surely a result belongs to its row."""

    EXACT = "exact"
    #: Identical rows had different outcomes: which had which cannot be known.
    AMBIGUOUS = "ambiguous"


@dataclass(frozen=True, slots=True, kw_only=True)
class RowError:
    """Why a row failed."""

    #: Salesforce's status code, or one of ours.
    code: str
    #: Salesforce's own words.
    message: str
    #: Names of the fields at fault, separated by spaces.
    fields: str = ""


def parse_error(text: str) -> RowError:
    """Return the parts of an `sf__Error` cell, `CODE:message:field1 field2 --`.

    The message may hold colons itself: the code ends at the first one, the fields begin after the last one.

    Source: facts/salesforce/bulk2.md section 7.
    """
    match = _ERROR.match(text)
    if match is None:
        return RowError(code=UNPARSED_ERROR, message=text)
    code, rest = match.groups()
    head = rest.rstrip()
    if not head.endswith("--"):
        return RowError(code=code, message=rest)
    message, colon, fields = head[:-2].rpartition(":")
    if not colon or not _FIELDS.fullmatch(fields):
        return RowError(code=code, message=head[:-2].rstrip())
    return RowError(code=code, message=message, fields=" ".join(fields.replace(",", " ").split()))


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
    #: Salesforce's code, or ours: `NO_RESULT`, `UNPROCESSED`, `UNPARSED_ERROR`; empty for a row that succeeded.
    error_code: str = ""
    #: Salesforce's own words.
    error_message: str = ""
    #: Names of the fields at fault, separated by spaces.
    error_fields: str = ""
    #: Which try this was, from 1.
    attempt: int = 1
    #: How surely this belongs to the row.
    match: Match = Match.EXACT


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The verdicts of a part's rows, in input order."""

    #: Number of the first row in the input, from 1.
    first_row: int
    #: Line on which each row begins, from 1.
    lines: array[int] = field(repr=False)
    #: One verdict per row; None where no results file names the row.
    verdicts: list[bytes | None] = field(repr=False)
    #: One byte per row, 1 where the verdict may belong to an identical row.
    ambiguous: bytearray = field(repr=False)
    #: Why a row without a verdict was not processed.
    without_verdict: RowError
    #: Why a row that Salesforce gave back was not processed.
    given_back: RowError
    #: Which try this was, from 1.
    attempt: int

    def outcome(self, place: int) -> Outcome:
        """Return what became of one row.

        Args:
            place: Its place in the part, from 0.
        """
        verdict = self.verdicts[place]
        error = self.error_of(verdict)
        return Outcome(
            line=self.lines[place],
            row=self.first_row + place,
            status=status_of(verdict),
            id=id_of(verdict),
            created=verdict.startswith(CREATED) if verdict is not None and error is None else None,
            error_code=error.code if error else "",
            error_message=error.message if error else "",
            error_fields=error.fields if error else "",
            attempt=self.attempt,
            match=Match.AMBIGUOUS if self.ambiguous[place] else Match.EXACT,
        )

    def outcomes(self) -> Iterator[Outcome]:
        """Yield what became of each row, in input order."""
        return map(self.outcome, range(len(self.verdicts)))

    def error_of(self, verdict: bytes | None) -> RowError | None:
        """Return why a row was not written; None if it was."""
        if verdict is None:
            return self.without_verdict
        if verdict.startswith(GIVEN_BACK):
            return self.given_back
        if verdict.startswith(FAILED):
            return _parsed(verdict.partition(b"\0")[2])
        return None

    def places_not_written(self) -> list[int]:
        """Return the places of the rows that failed or were not processed."""
        return [place for place, verdict in enumerate(self.verdicts) if verdict is None or verdict[0] not in _WRITTEN]

    def errors(self, places: Sequence[int] | None = None) -> tuple[ErrorGroup, ...]:
        """Return failed and unprocessed rows by code, most frequent first.

        Args:
            places: What `places_not_written` gives, where it was asked already.
        """
        counts: dict[str, int] = {}
        lines: dict[str, list[int]] = {}
        messages: dict[str, str] = {}
        for place in self.places_not_written() if places is None else places:
            error = self.error_of(self.verdicts[place])
            assert error is not None, "the row was not written"
            code = error.code
            counts[code] = counts.get(code, 0) + 1
            if counts[code] <= LINES_NAMED:
                lines.setdefault(code, []).append(self.lines[place])
                messages.setdefault(code, error.message)
        groups = (
            ErrorGroup(code=code, count=count, lines=tuple(lines[code]), message=messages[code])
            for code, count in counts.items()
        )
        return tuple(sorted(groups, key=lambda group: -group.count))


_parsed = lru_cache(maxsize=512)(lambda error: parse_error(error.decode()))


def status_of(verdict: bytes | None) -> RowStatus:
    """Return what a verdict means for its row."""
    if verdict is None or verdict.startswith(GIVEN_BACK):
        return RowStatus.UNPROCESSED
    return RowStatus.FAILED if verdict.startswith(FAILED) else RowStatus.SUCCEEDED


def id_of(verdict: bytes | None) -> str:
    """Return the record's id, empty if Salesforce gave none."""
    return "" if verdict is None else verdict[1:].partition(b"\0")[0].decode()
