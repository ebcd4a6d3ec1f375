"""A cursor over tokens: look, take, insist, and complain in Salesforce's words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from orgbridge.soql.errors import TOO_COMPLICATED, MalformedQuery, QueryTooComplicated
from orgbridge.soql.tokens import Token, TokenKind, tokenize

#: Parentheses, NOTs, calls and subqueries inside each other.
#: Assumed: the platform has such a bound; its number is not known.
MAX_DEPTH = 60

#: Words that cannot be an alias, nor a field that stands alone. Source: facts/salesforce/soql.md section 2.
RESERVED = frozenset(
    {
        "AND",
        "ASC",
        "DESC",
        "EXCLUDES",
        "FIRST",
        "FROM",
        "GROUP",
        "HAVING",
        "IN",
        "INCLUDES",
        "LAST",
        "LIKE",
        "LIMIT",
        "NOT",
        "NULL",
        "NULLS",
        "OR",
        "SELECT",
        "USING",
        "WHERE",
        "WITH",
    }
)


class TokenReader:
    """The tokens of one query and how far they were read."""

    def __init__(self, soql: str) -> None:
        self.soql = soql
        self._tokens = tokenize(soql)
        self._index = 0
        self._depth = 0

    def peek(self, ahead: int = 0) -> Token:
        """Return a token without taking it; past the end it is the end."""
        return self._tokens[min(self._index + ahead, len(self._tokens) - 1)]

    def take(self) -> Token:
        """Return the next token and go past it."""
        token = self.peek()
        if token.kind is not TokenKind.END:
            self._index += 1
        return token

    def at(self, *words: str) -> bool:
        """Tell whether the next tokens are these keywords or signs."""
        return all(self.peek(index).upper == word for index, word in enumerate(words))

    def accept(self, *words: str) -> bool:
        """Go past these keywords or signs if all of them are next."""
        if not self.at(*words):
            return False
        self._index += len(words)
        return True

    def expect(self, word: str) -> Token:
        """Return the next token, which must be this keyword or sign.

        Raises:
            MalformedQuery: It is another one.
        """
        if not self.at(word):
            raise self.unexpected(missing=word)
        return self.take()

    def word(self) -> Token:
        """Return the next token, which must be a word of any kind.

        Raises:
            MalformedQuery: It is no word.
        """
        if self.peek().kind is not TokenKind.WORD:
            raise self.unexpected()
        return self.take()

    def unexpected(self, token: Token | None = None, *, missing: str = "") -> MalformedQuery:
        """Return the error for a token that cannot stand where it stands."""
        token = token or self.peek()
        # Assumed: which of the platform's sentences comes when; the sentences themselves are the platform's.
        if missing in ("(", ")"):
            side = "left" if missing == "(" else "right"
            found = token.text if token.kind is not TokenKind.END else "<EOF>"
            return self.malformed(f"expecting a {side} parentheses, found '{found}'", token.start)
        if token.kind is TokenKind.END:
            return MalformedQuery("unexpected end of file")
        return self.malformed(f"unexpected token: '{token.text}'", token.start)

    def malformed(self, reason: str, position: int) -> MalformedQuery:
        """Return an error about a place in this query."""
        return MalformedQuery(reason, soql=self.soql, position=position)

    @contextmanager
    def deeper(self) -> Iterator[None]:
        """Count one more level of nesting while the block runs.

        Raises:
            QueryTooComplicated: The query nests deeper than `MAX_DEPTH`.
        """
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise QueryTooComplicated(TOO_COMPLICATED)
        yield
        self._depth -= 1
