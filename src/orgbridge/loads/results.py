"""The results file: every row of the input with what became of it, in input order. Read back, filtered, loadable again."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from orgbridge.loads.dialect import Dialect

#: Columns that stand before the input's own.
RESULT_COLUMNS = (
    "ob__line",
    "ob__status",
    "sf__Id",
    "sf__Created",
    "ob__error_code",
    "ob__error_message",
    "ob__error_fields",
    "ob__attempt",
    "ob__match",
)


class ResultKind(StrEnum):
    """Which rows of a results file are asked for."""

    ALL = "all"
    SUCCESSFUL = "successful"
    FAILED = "failed"
    UNPROCESSED = "unprocessed"


def results_header(header_record: bytes, dialect: Dialect) -> bytes:
    """Return the header record of a results file: our columns, then the input's header record as it was."""
    raise KeyError


def select(blocks: Iterator[bytes], kind: ResultKind, dialect: Dialect) -> Iterator[bytes]:
    """Yield the results file (header included) with only the rows asked for; `blocks` = whole file incl. header."""
    raise KeyError


def failed_rows(blocks: Iterator[bytes], dialect: Dialect, *, unprocessed: bool = False) -> Iterator[bytes]:
    """Yield failed rows (and unprocessed ones, if asked) with the original columns only, header included: loadable again."""
    raise KeyError
