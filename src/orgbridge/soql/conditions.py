"""WHERE and HAVING: AND or OR without mixing, NOT, parentheses, and the simple conditions."""

from __future__ import annotations

from abc import ABC, abstractmethod

from orgbridge.soql import tree
from orgbridge.soql.tokens import TokenKind
from orgbridge.soql.values import ValueReader

_OPERATORS = {operator.value: operator for operator in tree.Operator} | {"<>": tree.Operator.NOT_EQUAL}


class ConditionReader(ValueReader, ABC):
    """Reads conditions."""

    @abstractmethod
    def query(self) -> tree.Query:
        """Read a whole query, for semi-joins."""

    def condition(self) -> tree.Condition:
        """Read conditions joined by AND alone or by OR alone.

        Raises:
            MalformedQuery: AND and OR are mixed without parentheses, or a condition is malformed.
        """
        first = self._term()
        word = self.peek().upper
        if word not in ("AND", "OR"):
            return first
        items = [first]
        while self.accept(word):
            items.append(self._term())
        if self.peek().upper in ("AND", "OR"):
            raise self.unexpected()
        joined = tree.And if word == "AND" else tree.Or
        return joined(items=tuple(items), position=first.position)

    def _term(self) -> tree.Condition:
        token = self.peek()
        with self.deeper():
            if self.accept("NOT"):
                # Assumed: NOT binds to the one condition after it, also in `NOT a AND b`.
                return tree.Not(item=self._term(), position=token.start)
            if self.accept("("):
                inner = self.condition()
                self.expect(")")
                return inner
        return self.simple()

    def simple(self) -> tree.Condition:
        """Read one comparison."""
        left = self.expression()
        place = left.position
        token = self.peek()
        if token.kind is TokenKind.OPERATOR:
            self.take()
            return tree.Comparison(left=left, operator=_OPERATORS[token.text], right=self.value(), position=place)
        if self.accept("LIKE"):
            right = self.pattern()
            if isinstance(right, tree.LikePattern | tree.Bind):
                return tree.Like(left=left, pattern=right, position=place)
            raise self.unexpected(token)
        if self.accept("INCLUDES") or self.accept("EXCLUDES"):
            return self._includes(left, negated=token.upper == "EXCLUDES")
        if self.accept("IN"):
            return self._in(left, negated=False)
        if self.accept("NOT", "IN"):
            return self._in(left, negated=True)
        raise self.unexpected()

    def _includes(self, left: tree.Expression, *, negated: bool) -> tree.Includes:
        self.expect("(")
        values = [self._choice()]
        while self.accept(","):
            values.append(self._choice())
        self.expect(")")
        return tree.Includes(left=left, values=tuple(values), negated=negated, position=left.position)

    def _choice(self) -> tree.StringValue | tree.Bind:
        return self.bind() if self.at(":") else self.string()

    def _in(self, left: tree.Expression, *, negated: bool) -> tree.InList | tree.InQuery:
        place = left.position
        if self.at(":"):
            return tree.InList(left=left, values=self.bind(), negated=negated, position=place)
        self.expect("(")
        if self.at("SELECT"):
            with self.deeper():
                query = self.query()
            self.expect(")")
            return tree.InQuery(left=left, query=query, negated=negated, position=place)
        values = [self.value()]
        while self.accept(","):
            values.append(self.value())
        self.expect(")")
        return tree.InList(left=left, values=tuple(values), negated=negated, position=place)
