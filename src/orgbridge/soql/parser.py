"""SOQL text to tree, by recursive descent over the whole grammar of REST's SOQL.

Whether the names mean anything is not asked here; nor whether the clauses may be combined, as that needs a schema.

Source: facts/salesforce/soql.md section 2 (SOQL and SOSL Reference v65).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from orgbridge.soql import tree
from orgbridge.soql.conditions import ConditionReader
from orgbridge.soql.errors import MalformedQuery
from orgbridge.soql.reader import RESERVED
from orgbridge.soql.tokens import TokenKind
from orgbridge.wire.limits import SOQL_CHARS

_T = TypeVar("_T")

#: Words that begin a clause and therefore are no alias after FROM.
_CLAUSES = RESERVED | {"OFFSET", "ORDER", "FOR", "UPDATE", "ALL", "AS"}
_SELECTORS = ("AT", "ABOVE", "BELOW", "ABOVE_OR_BELOW")
_MODES = ("SECURITY_ENFORCED", "USER_MODE", "SYSTEM_MODE")


def parse(soql: str, *, allow_binds: bool = False) -> tree.Query:
    """Return the tree of a query.

    Args:
        soql: The text, at most 100,000 characters.
        allow_binds: Whether `:name` may stand where a value may.

    Raises:
        MalformedQuery: The text is not SOQL; the message points at the place.
        QueryTooComplicated: It nests too deeply.
    """
    if len(soql) > SOQL_CHARS:
        raise MalformedQuery(f"SOQL statements cannot be longer than {SOQL_CHARS} characters.")
    return QueryReader(soql, allow_binds=allow_binds).whole()


class QueryReader(ConditionReader):
    """Reads queries."""

    def whole(self) -> tree.Query:
        """Read a query and the end of the text."""
        query = self.query()
        if self.peek().kind is not TokenKind.END:
            raise self.unexpected()
        return query

    def query(self) -> tree.Query:
        """Read a query, perhaps inside another one."""
        start = self.expect("SELECT").start
        select = self.items(self.select_item)
        self.expect("FROM")
        sources = self.items(self._source)
        scope = self.word().text if self.accept("USING") and self.expect("SCOPE") else None
        where = self.condition() if self.accept("WHERE") else None
        with_ = self._with() if self.accept("WITH") else None
        group_by, having = self._group_by()
        order_by = self.items(self.order_item) if self.accept("ORDER") and self.expect("BY") else ()
        limit_position = self.peek(1).start
        limit = self.count() if self.accept("LIMIT") else None
        offset_position = self.peek(1).start
        offset = self.count() if self.accept("OFFSET") else None
        return tree.Query(
            select=select,
            sources=sources,
            scope=scope,
            where=where,
            with_=with_,
            group_by=group_by,
            having=having,
            order_by=order_by,
            limit=limit,
            offset=offset,
            for_=self._for(),
            update=self._update(),
            all_rows=bool(self.accept("ALL") and self.expect("ROWS")),
            position=start,
            limit_position=limit_position if limit is not None else 0,
            offset_position=offset_position if offset is not None else 0,
        )

    def items(self, read: Callable[[], _T]) -> tuple[_T, ...]:
        """Read what `read` reads, once and again after each comma."""
        items = [read()]
        while self.accept(","):
            items.append(read())
        return tuple(items)

    def count(self) -> int | tree.Bind:
        """Read the number after LIMIT or OFFSET."""
        return self.bind() if self.at(":") else self.integer()

    def select_item(self) -> tree.SelectItem:
        """Read one item of SELECT."""
        token = self.peek()
        if self.accept("("):
            with self.deeper():
                query = self.query()
            self.expect(")")
            return tree.SelectQuery(query=query, position=token.start)
        if self.at("TYPEOF") and self.peek(1).kind is TokenKind.WORD and self.peek(1).upper != "FROM":
            return self._typeof()
        if self.at("FIELDS", "("):
            return self._fields()
        expression = self.expression()
        return tree.SelectExpression(expression=expression, alias=self._select_alias(), position=token.start)

    def _select_alias(self) -> str | None:
        """Take a word as alias only where a comma or FROM follows it, so that `Id FORM X` is blamed on FORM."""
        token, following = self.peek(), self.peek(1)
        if token.kind is not TokenKind.WORD or token.upper in RESERVED or following.upper not in (",", "FROM"):
            return None
        return self.take().text

    def _fields(self) -> tree.SelectFields:
        start = self.take().start
        self.expect("(")
        group = self.peek()
        if group.upper not in tree.FieldGroup.__members__:
            raise self.unexpected()
        self.take()
        self.expect(")")
        return tree.SelectFields(group=tree.FieldGroup[group.upper], position=start)

    def _typeof(self) -> tree.SelectTypeOf:
        start = self.take().start
        relationship, whens = self.path(), list[tree.When]()
        while self.at("WHEN"):
            place = self.take().start
            name = self.word().text
            self.expect("THEN")
            whens.append(tree.When(sobject=name, fields=self.items(self.path), position=place))
        if not whens:
            raise self.unexpected()
        otherwise = self.items(self.path) if self.accept("ELSE") else ()
        self.expect("END")
        return tree.SelectTypeOf(relationship=relationship, whens=tuple(whens), otherwise=otherwise, position=start)

    def _source(self) -> tree.FromItem:
        start = self.peek().start
        parts = [self.word().text]
        while self.accept("."):
            parts.append(self.word().text)
        alias = None
        if self.accept("AS"):
            if self.peek().upper in _CLAUSES:
                raise self.unexpected()
            alias = self.word().text
        elif self.peek().kind is TokenKind.WORD and self.peek().upper not in _CLAUSES:
            alias = self.take().text
        return tree.FromItem(path=tuple(parts), alias=alias, position=start)

    def _with(self) -> tree.With:
        token = self.peek()
        if token.upper in _MODES:
            return tree.WithMode(mode=self.take().upper, position=token.start)
        if self.accept("DATA", "CATEGORY"):
            filters = [self._category()]
            while self.accept("AND"):
                filters.append(self._category())
            return tree.WithDataCategory(filters=tuple(filters), position=token.start)
        if self.accept("RECORDVISIBILITYCONTEXT", "("):
            settings = self.items(self._setting)
            self.expect(")")
            return tree.WithRecordVisibility(settings=settings, position=token.start)
        condition = self.simple()
        if not isinstance(condition, tree.Comparison):
            raise self.unexpected(token)
        return tree.WithCondition(condition=condition, position=token.start)

    def _category(self) -> tree.DataCategory:
        group = self.word()
        selector = self.peek()
        if selector.upper not in _SELECTORS:
            raise self.unexpected()
        self.take()
        if self.accept("("):
            categories = self.items(lambda: self.word().text)
            self.expect(")")
        else:
            categories = (self.word().text,)
        return tree.DataCategory(group=group.text, selector=selector.upper, categories=categories, position=group.start)

    def _setting(self) -> tuple[str, tree.Value]:
        name = self.word().text
        self.expect("=")
        return name, self.value()

    def _group_by(self) -> tuple[tree.GroupBy | None, tree.Condition | None]:
        start = self.peek().start
        if not self.accept("GROUP"):
            return None, None
        self.expect("BY")
        grouping = tree.Grouping.PLAIN
        for kind in (tree.Grouping.ROLLUP, tree.Grouping.CUBE):
            if self.at(kind.value, "("):
                grouping = kind
                self.accept(kind.value, "(")
        items = self.items(self.expression)
        if grouping is not tree.Grouping.PLAIN:
            self.expect(")")
        group_by = tree.GroupBy(items=items, grouping=grouping, position=start)
        return group_by, self.condition() if self.accept("HAVING") else None

    def order_item(self) -> tree.OrderItem:
        """Read one key of ORDER BY."""
        expression = self.expression()
        direction = nulls = None
        if self.peek().upper in tree.Direction.__members__:
            direction = tree.Direction[self.take().upper]
        if self.accept("NULLS"):
            if self.peek().upper not in tree.Nulls.__members__:
                raise self.unexpected()
            nulls = tree.Nulls[self.take().upper]
        return tree.OrderItem(expression=expression, direction=direction, nulls=nulls, position=expression.position)

    def _for(self) -> tuple[str, ...]:
        words: list[str] = []
        while self.accept("FOR"):
            if self.peek().upper not in ("VIEW", "REFERENCE", "UPDATE"):
                raise self.unexpected()
            words.append(self.take().upper)
        return tuple(words)

    def _update(self) -> tuple[str, ...]:
        return self.items(self._tracking) if self.accept("UPDATE") else ()

    def _tracking(self) -> str:
        if self.peek().upper not in ("TRACKING", "VIEWSTAT"):
            raise self.unexpected()
        return self.take().upper
