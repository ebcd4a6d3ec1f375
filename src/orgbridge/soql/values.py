"""Literals, field paths and calls: the part of the grammar that conditions and clauses share."""

from __future__ import annotations

import re

from orgbridge.soql import tree
from orgbridge.soql.dateliterals import COUNTED_LITERALS, PLAIN_LITERALS
from orgbridge.soql.reader import RESERVED, TokenReader
from orgbridge.soql.tokens import Token, TokenKind
from orgbridge.wire.dates import parse_date, parse_datetime, parse_time

_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", '"': '"', "'": "'", "\\": "\\"}
_ESCAPES |= {"N": "\n", "R": "\r", "T": "\t", "B": "\b", "F": "\f"}
#: A code of four hex digits (two of them for a character beyond U+FFFF), another escape, or plain text.
_PIECE = re.compile(
    r"\\[uU]([dD][89abAB][0-9A-Fa-f]{2})\\[uU]([dD][c-fC-F][0-9A-Fa-f]{2})"
    r"|\\(?:[uU](?![dD][89a-fA-F])([0-9A-Fa-f]{4})|(.))|([^\\]+)",
    re.DOTALL,
)
_CURRENCY = re.compile(r"([A-Za-z]{3})(\d+)\Z")


class ValueReader(TokenReader):
    """Reads values and expressions."""

    def __init__(self, soql: str, *, allow_binds: bool) -> None:
        super().__init__(soql)
        self._allow_binds = allow_binds

    def value(self) -> tree.Value:
        """Read one value.

        Raises:
            MalformedQuery: What stands there is no value.
        """
        token = self.peek()
        match token.kind:
            case TokenKind.STRING:
                return self.string()
            case TokenKind.NUMBER:
                return tree.NumberValue(text=self.take().text, position=token.start)
            case TokenKind.DATE:
                day = parse_date(self.take().text)
                if day is None:
                    raise self.unexpected(token)
                return tree.DateValue(value=day, position=token.start)
            case TokenKind.DATETIME:
                instant = parse_datetime(self.take().text)
                if instant is None:
                    raise self.unexpected(token)
                return tree.DateTimeValue(value=instant, position=token.start)
            case TokenKind.TIME:
                moment = parse_time(self.take().text)
                if moment is None:
                    raise self.unexpected(token)
                return tree.TimeValue(value=moment, position=token.start)
            case TokenKind.WORD:
                return self._word_value(self.take())
            case _:
                return self.bind()

    def bind(self) -> tree.Bind:
        """Read `:name` or `:name.name`.

        Raises:
            MalformedQuery: It is none, or binds are not allowed here.
        """
        colon = self.peek()
        if colon.text != ":":
            raise self.unexpected()
        if not self._allow_binds:
            raise self.malformed("Bind variables only allowed in Apex code", colon.start)
        self.take()
        parts = [self.word().text]
        while self.accept("."):
            parts.append(self.word().text)
        return tree.Bind(name=".".join(parts), position=colon.start)

    def string(self) -> tree.StringValue:
        """Read a quoted text."""
        token = self.peek()
        if token.kind is not TokenKind.STRING:
            raise self.unexpected()
        parts = self._pieces(self.take(), wildcards=False)
        return tree.StringValue(value="".join(parts), position=token.start)

    def pattern(self) -> tree.LikePattern | tree.Bind | tree.Value:
        """Read what stands after LIKE; a value that is no text is given back as it is, for the schema to refuse."""
        token = self.peek()
        if token.kind is not TokenKind.STRING:
            return self.value()
        parts: list[str | tree.Wildcard] = []
        for piece in self._pieces(self.take(), wildcards=True):
            if parts and not isinstance(piece, tree.Wildcard) and not isinstance(parts[-1], tree.Wildcard):
                parts[-1] += piece
            else:
                parts.append(piece)
        return tree.LikePattern(parts=tuple(parts), position=token.start)

    def _pieces(self, token: Token, *, wildcards: bool) -> list[str | tree.Wildcard]:
        """Return the pieces of a string token with its escapes resolved."""
        body, pieces = token.text[1:-1], list[str | tree.Wildcard]()
        for found in _PIECE.finditer(body):
            high, low, code, escaped, plain = found.groups()
            if high is not None:
                pieces.append(chr(0x10000 + (int(high, 16) - 0xD800) * 0x400 + int(low, 16) - 0xDC00))
            elif code is not None:
                pieces.append(chr(int(code, 16)))
            elif plain is not None:
                pieces.extend(_split_wildcards(plain) if wildcards else [plain])
            elif escaped in _ESCAPES:
                pieces.append(_ESCAPES[escaped])
            elif wildcards and escaped in "%_":
                pieces.append(escaped)
            else:
                # Assumed: the sentence; that any other backslash is an error is documented.
                raise self.malformed(
                    f"Illegal character sequence '\\{escaped}' in string literal '{body}'",
                    token.start + 1 + found.start(),
                )
        return pieces

    def _word_value(self, word: Token) -> tree.Value:
        name, position = word.upper, word.start
        if name in ("TRUE", "FALSE"):
            return tree.BooleanValue(value=name == "TRUE", position=position)
        if name == "NULL":
            return tree.NullValue(position=position)
        if name in PLAIN_LITERALS:
            return tree.DateLiteral(name=name, position=position)
        if name in COUNTED_LITERALS:
            self.expect(":")
            return tree.DateLiteral(name=name, count=self.integer(), position=position)
        currency = _CURRENCY.match(word.text)
        if currency:
            amount, following = currency.group(2), self.peek()
            if following.start == word.end and following.kind is TokenKind.NUMBER and following.text.startswith("."):
                amount += self.take().text
            return tree.CurrencyValue(code=currency.group(1).upper(), amount=amount, position=position)
        raise self.unexpected(word)

    def integer(self) -> int:
        """Read a whole number without sign.

        Raises:
            MalformedQuery: It is none.
        """
        token = self.peek()
        if token.kind is not TokenKind.NUMBER or not token.text.isdigit() or len(token.text) > 18:
            raise self.unexpected()
        return int(self.take().text)

    def path(self) -> tree.FieldPath:
        """Read a field path.

        Raises:
            MalformedQuery: It is none, or a reserved word.
        """
        first = self.peek()
        if first.kind is TokenKind.WORD and first.upper in RESERVED and self.peek(1).text != ".":
            raise self.unexpected()
        parts = [self.word().text]
        while self.accept("."):
            parts.append(self.word().text)
        return tree.FieldPath(parts=tuple(parts), position=first.start)

    def expression(self) -> tree.Expression:
        """Read a field path or a call."""
        if self.peek().kind is not TokenKind.WORD or self.peek(1).text != "(":
            return self.path()
        name = self.take()
        self.expect("(")
        arguments: list[tree.Argument] = []
        with self.deeper():
            if not self.at(")"):
                arguments.append(self._argument())
                while self.accept(","):
                    arguments.append(self._argument())
        self.expect(")")
        return tree.FunctionCall(name=name.text, arguments=tuple(arguments), position=name.start)

    def _argument(self) -> tree.Argument:
        token = self.peek()
        is_name = token.kind is TokenKind.WORD and token.upper not in ("TRUE", "FALSE", "NULL")
        return self.expression() if is_name else self.value()


def _split_wildcards(text: str) -> list[str | tree.Wildcard]:
    return [tree.Wildcard(piece) if piece in ("%", "_") else piece for piece in re.split(r"([%_])", text) if piece]
