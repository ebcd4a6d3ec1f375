"""CSV that a spreadsheet shows and does not run: cells that begin like a formula get an apostrophe in front.

Source: OWASP, "CSV Injection": a cell beginning with = + - @, tab or carriage return may be evaluated. A plain number
with a sign is none and stays as it is.
"""

from __future__ import annotations

import re
from functools import lru_cache

from orgbridge.loads.records import cut_at_record

_OURS = b"ob__line"


class FormulaEscaper:
    """Makes the formulas of a well quoted UTF-8 CSV harmless as it goes by; all other bytes stay as they are.

    The delimiter is taken from the header: what follows our own first column, else a comma.
    """

    def __init__(self) -> None:
        self._carry = b""
        self._cells: re.Pattern[bytes] | None = None

    def feed(self, block: bytes) -> bytes:
        """Return what is ready of the CSV so far, up to the end of a record."""
        data = self._carry + block
        end, _ = cut_at_record(data)
        self._carry = data[end:]
        return self._escape(data[:end])

    def finish(self) -> bytes:
        """Return the rest."""
        data, self._carry = self._carry, b""
        return self._escape(data)

    def _escape(self, data: bytes) -> bytes:
        if not data:
            return data
        if self._cells is None:
            start = len(_OURS)
            self._cells = _cells(data[start : start + 1] if data.startswith(_OURS) else b",")
        return self._cells.sub(_escaped, data)


@lru_cache(maxsize=16)
def _cells(delimiter: bytes) -> re.Pattern[bytes]:
    d = re.escape(delimiter)
    # Whole cells are matched, so that what stands inside of quotes never looks like a cell of its own.
    return re.compile(rb"(^|[" + d + rb'\r\n])(?:"((?:[^"]|"")*)"|([^"' + d + rb"\r\n][^" + d + rb"\r\n]*))", re.DOTALL)


_NUMBER = re.compile(rb"[+-][0-9]+([.,][0-9]+)?([eE][+-]?[0-9]+)?\Z")
_STARTS = (b"=", b"+", b"-", b"@", b"\t", b"\r", "＝".encode(), "＋".encode(), "－".encode(), "＠".encode())


def _escaped(found: re.Match[bytes]) -> bytes:
    before, quoted, plain = found.groups()
    text = quoted if quoted is not None else plain
    if not text.startswith(_STARTS) or _NUMBER.match(text):
        return found.group(0)
    return before + (b"\"'" + text + b'"' if quoted is not None else b"'" + text)
