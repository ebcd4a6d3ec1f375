"""Words of Bulk API 2.0 that both ends agree on: operations, job states, delimiters, line endings.

Source: facts/salesforce/bulk2.md sections 2 and 3.
"""

from __future__ import annotations

from enum import StrEnum


class IngestOperation(StrEnum):
    """What an ingest job does with each row."""

    INSERT = "insert"
    UPDATE = "update"
    UPSERT = "upsert"
    DELETE = "delete"
    HARD_DELETE = "hardDelete"


class QueryOperation(StrEnum):
    """What a query job reads: `queryAll` sees the recycle bin too."""

    QUERY = "query"
    QUERY_ALL = "queryAll"


class JobState(StrEnum):
    """State of a Bulk API 2.0 job. `JobComplete` says nothing about the success of single rows."""

    OPEN = "Open"
    UPLOAD_COMPLETE = "UploadComplete"
    IN_PROGRESS = "InProgress"
    JOB_COMPLETE = "JobComplete"
    FAILED = "Failed"
    ABORTED = "Aborted"


TERMINAL_JOB_STATES = frozenset({JobState.JOB_COMPLETE, JobState.FAILED, JobState.ABORTED})


class ColumnDelimiter(StrEnum):
    """Names of the six delimiters that a job may use."""

    BACKQUOTE = "BACKQUOTE"
    CARET = "CARET"
    COMMA = "COMMA"
    PIPE = "PIPE"
    SEMICOLON = "SEMICOLON"
    TAB = "TAB"

    @property
    def char(self) -> str:
        """The character itself."""
        return DELIMITER_CHARS[self]


DELIMITER_CHARS: dict[ColumnDelimiter, str] = {
    ColumnDelimiter.BACKQUOTE: "`",
    ColumnDelimiter.CARET: "^",
    ColumnDelimiter.COMMA: ",",
    ColumnDelimiter.PIPE: "|",
    ColumnDelimiter.SEMICOLON: ";",
    ColumnDelimiter.TAB: "\t",
}
DELIMITER_NAMES: dict[str, ColumnDelimiter] = {char: name for name, char in DELIMITER_CHARS.items()}


class LineEnding(StrEnum):
    """How the records of a job's CSV end."""

    LF = "LF"
    CRLF = "CRLF"

    @property
    def chars(self) -> str:
        """The characters themselves."""
        return "\n" if self is LineEnding.LF else "\r\n"


#: The cell that clears a field; an empty cell leaves it alone.
NULL_CELL = "#N/A"
#: Columns that results carry before the uploaded ones.
RESULT_ID, RESULT_CREATED, RESULT_ERROR = "sf__Id", "sf__Created", "sf__Error"
