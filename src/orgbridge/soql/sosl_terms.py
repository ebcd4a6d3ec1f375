r"""What stands in the braces of FIND: words, phrases, wildcards, AND, OR, AND NOT, parentheses.

Words side by side must all be found. Assumed: that, and that AND NOT takes out the one item after it.

Source: facts/salesforce/soql.md section 5 (reserved characters, wildcards, least lengths). Assumed: the sentences.
"""

from __future__ import annotations

import re

from orgbridge.soql.errors import InvalidSearch, MalformedSearch
from orgbridge.soql.sosl_tree import AllOf, AnyOf, Term, Without, Words

#: Letters a term must have, and those that must stand before a wildcard.
MIN_TERM_CHARS, MIN_LEADING_CHARS = 2, 2
#: Parentheses inside each other.
MAX_DEPTH = 30
#: Words and phrases of one term. Assumed: the platform has such a bound; its number is not known.
MAX_WORDS = 100
#: Signs that must be escaped to be text. Source: facts/salesforce/soql.md section 5.
RESERVED_SIGNS = frozenset("&|!{}[]^~:'+-")
_PIECE = re.compile(
    r"(?P<space>\s+)|(?P<phrase>\"(?:[^\"\\]|\\.)*\")|(?P<side>[()])|(?P<bare>(?:[^\s\"()\\]|\\.)+)", re.DOTALL
)
_WORD = re.compile(r"[\w*?]+")


def parse_term(text: str, *, strict: bool = True, soql: str = "", start: int = 0) -> Term:
    """Return what a search term asks for.

    Args:
        text: The term, without its braces.
        strict: Whether reserved signs without a backslash are refused; if not, they part words.
        soql: The whole statement, for messages.
        start: Where the term begins in it.

    Raises:
        MalformedSearch: It is no term.
        InvalidSearch: It is too short, or a wildcard stands too near to the start of a word.
    """
    return _TermReader(text, strict=strict, soql=soql, start=start).whole()


class _TermReader:
    def __init__(self, text: str, *, strict: bool, soql: str, start: int) -> None:
        self._text = text
        self._strict = strict
        self._soql = soql or text
        self._start = start
        self._tokens = self._tokenize()
        self._index = 0
        self._depth = 0

    def whole(self) -> Term:
        if not self._tokens:
            raise self._short()
        term = self._any()
        if self._index < len(self._tokens):
            raise self._unexpected()
        if sum(char.isalnum() for char in self._text) < MIN_TERM_CHARS:
            raise self._short()
        return term

    def _tokenize(self) -> list[tuple[str, str, int]]:
        tokens: list[tuple[str, str, int]] = []
        position = 0
        while position < len(self._text):
            found = _PIECE.match(self._text, position)
            if found is None:
                raise self._malformed(f"unexpected token: '{self._text[position]}'", position)
            if found.lastgroup != "space":
                tokens.append((found.lastgroup or "", found.group(), position))
            position = found.end()
        if sum(kind in ("bare", "phrase") for kind, _, _ in tokens) > MAX_WORDS:
            raise InvalidSearch(f"search term must not have more than {MAX_WORDS} words")
        return tokens

    def _peek(self) -> str:
        """Return the next operator or parenthesis in upper case; nothing for a word, and at the end."""
        if self._index >= len(self._tokens):
            return ""
        kind, text, _ = self._tokens[self._index]
        return text.upper() if kind == "side" or text.upper() in ("AND", "OR", "NOT") else ""

    def _any(self) -> Term:
        items = [self._all()]
        while self._peek() == "OR":
            self._index += 1
            items.append(self._all())
        return items[0] if len(items) == 1 else AnyOf(items=tuple(items))

    def _all(self) -> Term:
        items = [self._one()]
        while self._index < len(self._tokens) and self._peek() not in ("OR", ")"):
            if self._peek() == "AND":
                self._index += 1
                if self._peek() == "NOT":
                    self._index += 1
                    items.append(Without(item=self._one()))
                    continue
            items.append(self._one())
        return items[0] if len(items) == 1 else AllOf(items=tuple(items))

    def _one(self) -> Term:
        if self._index >= len(self._tokens):
            raise self._malformed("unexpected end of search term", len(self._text))
        kind, text, position = self._tokens[self._index]
        sign = self._peek()
        if sign == "(":
            self._index += 1
            self._depth += 1
            if self._depth > MAX_DEPTH:
                raise InvalidSearch("search term is too complicated")
            inner = self._any()
            if self._peek() != ")":
                raise self._malformed("expecting a right parentheses", position)
            self._index += 1
            self._depth -= 1
            return inner
        if sign:
            raise self._unexpected()
        self._index += 1
        return self._words(text[1:-1] if kind == "phrase" else text, position, is_phrase=kind == "phrase")

    def _words(self, text: str, position: int, *, is_phrase: bool) -> Words:
        plain = re.sub(
            r"\\(.)", lambda found: found.group(1) if found.group(1).isalnum() else " ", text, flags=re.DOTALL
        )
        unescaped = re.sub(r"\\.", "", text, flags=re.DOTALL)
        wrong = next((char for char in unescaped if char in RESERVED_SIGNS), None)
        if wrong and self._strict and not is_phrase:
            raise self._malformed(f"unexpected token: '{wrong}'", position)
        words = tuple(_WORD.findall(plain))
        if not words or all(set(word) <= {"*", "?"} for word in words):
            raise self._short()
        for word in words:
            leading = len(re.split(r"[*?]", word, maxsplit=1)[0])
            if leading < MIN_LEADING_CHARS and leading < len(word):
                raise self._short(word)
        return Words(words=words)

    def _short(self, word: str = "") -> InvalidSearch:
        return InvalidSearch(f"search term must be longer than one character: {word or self._text}")

    def _unexpected(self) -> MalformedSearch:
        _, text, position = self._tokens[self._index]
        return self._malformed(f"unexpected token: '{text}'", position)

    def _malformed(self, reason: str, position: int) -> MalformedSearch:
        return MalformedSearch(reason, soql=self._soql, position=self._start + position)
