"""What can be wrong with a SOQL text, said in Salesforce's words and pointing at the place.

    SOQLError
    +-- MalformedQuery        the text is not SOQL
    +-- MalformedSearch       the text is not SOSL
    +-- InvalidSearch         the text is SOSL, but its term is too short to be looked for
    +-- QueryTooComplicated   the text is SOQL, but nests too deeply to be read
    +-- UnquotableValue       a value has no SOQL literal (`quote`, `bind`)
    +-- UnboundName           `bind` met a `:name` it was given no value for, or a value no `:name` asks for

Source: facts/salesforce/soql.md section 3. Texts marked there as memory are `Assumed:` here as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from orgbridge.kit.errors import ErrorKind, OrgbridgeError

#: A row of the query longer than this is shown only around the fault.
#: Assumed: the platform shows a window in long queries; its exact width is not known.
WINDOW_CHARS = 120
#: Characters shown before and after the fault when the row is too long.
WINDOW_BEFORE, WINDOW_AFTER = 30, 30

#: Assumed: the text, from memory.
TOO_COMPLICATED = "Query is either selecting too many fields or the filter conditions are too complicated."


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A place in a query as people count it."""

    #: Line of the query, from 1.
    row: int
    #: Character in that line, from 1.
    column: int


def locate(soql: str, position: int) -> Location:
    """Return row and column of the character at `position` (from 0); a position past the end is the end."""
    before = soql[: max(0, position)]
    start = before.rfind("\n") + 1
    return Location(row=before.count("\n") + 1, column=len(before) - start + 1)


def pointed(soql: str, position: int, text: str) -> str:
    """Return Salesforce's message form: the row (or a window of it), a caret under the place, where, and what.

    The message starts with a line break, as the platform's does.
    """
    place = locate(soql, position)
    row = soql.split("\n")[place.row - 1].rstrip("\r").replace("\t", " ")
    offset = place.column - 1
    if len(row) > WINDOW_CHARS:
        start = max(0, offset - WINDOW_BEFORE)
        row, offset = row[start : offset + WINDOW_AFTER], offset - start
    return f"\n{row}\n{' ' * offset}^\nERROR at Row:{place.row}:Column:{place.column}\n{text}"


class SOQLError(OrgbridgeError):
    """The SOQL is not usable.

    Attributes:
        error_code: Salesforce's own code.
        reason: Salesforce's own sentence, without the window.
        position: Character of the query it is about, from 0; None when it is about the whole.
    """

    code: ClassVar[str] = "soql.invalid"
    kind: ClassVar[ErrorKind] = ErrorKind.INVALID
    error_code: ClassVar[str] = "MALFORMED_QUERY"

    def __init__(self, reason: str, *, soql: str = "", position: int | None = None) -> None:
        self.reason = reason
        self.position = position
        super().__init__(reason if position is None else pointed(soql, position, reason))


class MalformedQuery(SOQLError):
    """The text is not SOQL."""

    code: ClassVar[str] = "soql.malformed"


class MalformedSearch(SOQLError):
    """The text is not SOSL."""

    code: ClassVar[str] = "sosl.malformed"
    error_code: ClassVar[str] = "MALFORMED_SEARCH"


class InvalidSearch(SOQLError):
    """The search term cannot be looked for."""

    code: ClassVar[str] = "sosl.invalid"
    error_code: ClassVar[str] = "INVALID_SEARCH"


class QueryTooComplicated(SOQLError):
    """The query nests too deeply."""

    code: ClassVar[str] = "soql.too_complicated"
    error_code: ClassVar[str] = "QUERY_TOO_COMPLICATED"


class UnquotableValue(SOQLError):
    """The value has no SOQL literal."""

    code: ClassVar[str] = "soql.unquotable"


class UnboundName(SOQLError):
    """The names in the query and the values given for them do not match."""

    code: ClassVar[str] = "soql.unbound"
