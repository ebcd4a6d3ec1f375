"""Text to tokens with positions. Knows no keyword: every word is a word, the parser says what it means."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from orgbridge.soql.errors import MalformedQuery, locate


class TokenKind(StrEnum):
    """What a token is."""

    WORD = "word"
    STRING = "string"
    NUMBER = "number"
    DATE = "date"
    DATETIME = "datetime"
    TIME = "time"
    OPERATOR = "operator"
    PUNCTUATION = "punctuation"
    END = "end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One token and where it stands."""

    #: What it is.
    kind: TokenKind
    #: The characters as written; a string with its quotes and escapes.
    text: str
    #: First character, from 0.
    start: int
    #: One past the last character.
    end: int

    @property
    def upper(self) -> str:
        """The text in upper case if it is a word, else the text: what keywords are compared with."""
        return self.text.upper() if self.kind is TokenKind.WORD else self.text


_TOKEN = re.compile(
    r"""
      (?P<space>[ \t\r\n\f\v]+)
    | (?P<datetime>\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:[Zz]|[+-]\d{2}:?\d{2}))
    | (?P<time>\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?[Zz])
    | (?P<date>\d{4}-\d{2}-\d{2}(?![A-Za-z0-9_]))
    | (?P<number>[+-]?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?)
    | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<string>'(?:[^'\\]|\\.)*')
    | (?P<operator><=|>=|!=|<>|=|<|>)
    | (?P<punctuation>[(),.:])
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)


#: Half a character: cannot be written as UTF-8, so it can be no part of a query.
_SURROGATE = re.compile("[\ud800-\udfff]")


def tokenize(soql: str) -> list[Token]:
    """Return the tokens of a query, the last of kind `END`.

    Raises:
        MalformedQuery: A character begins no token, or a string has no end.
    """
    broken = _SURROGATE.search(soql)
    if broken:
        raise _strange_character(soql, broken.start())
    tokens: list[Token] = []
    position = 0
    while position < len(soql):
        found = _TOKEN.match(soql, position)
        if found is None:
            raise _strange_character(soql, position)
        kind = found.lastgroup or ""
        if kind != "space":
            tokens.append(Token(kind=TokenKind(kind), text=found.group(), start=position, end=found.end()))
        position = found.end()
    tokens.append(Token(kind=TokenKind.END, text="", start=position, end=position))
    return tokens


def _strange_character(soql: str, position: int) -> MalformedQuery:
    # Assumed: the platform's lexer speaks ANTLR's sentences, whose columns count from 0.
    if soql[position] == "'":
        end = locate(soql, len(soql))
        return MalformedQuery(f"line {end.row}:{end.column - 1} mismatched character '<EOF>' expecting '''")
    place = locate(soql, position)
    return MalformedQuery(f"line {place.row}:{place.column - 1} no viable alternative at character '{soql[position]}'")
