"""SOSL text to tree. What stands inside RETURNING is SOQL and is read by SOQL's own reader.

Source: facts/salesforce/soql.md section 5. The sentence about the braces is seen in a fixture; Assumed: the others.
"""

from __future__ import annotations

import re

from orgbridge.soql import tree
from orgbridge.soql.errors import MalformedQuery, MalformedSearch
from orgbridge.soql.parser import QueryReader
from orgbridge.soql.sosl_terms import parse_term
from orgbridge.soql.sosl_tree import Search, SearchGroup, Setting
from orgbridge.soql.tokens import TokenKind
from orgbridge.wire.limits import SOQL_CHARS

_NO_TERM = "No search term found. The search term must be enclosed in braces."
_FIND = re.compile(r"\s*FIND\b\s*", re.IGNORECASE)
_TERM = re.compile(r"\{((?:[^{}\\]|\\.)*)\}", re.DOTALL)


def parse_search(sosl: str) -> Search:
    """Return the tree of a search.

    Args:
        sosl: The text, at most 100,000 characters.

    Raises:
        MalformedSearch: The text is not SOSL; the message points at the place where there is one.
        InvalidSearch: The term is too short.
        QueryTooComplicated: It nests too deeply.
    """
    if len(sosl) > SOQL_CHARS:
        raise MalformedSearch(f"SOSL statements cannot be longer than {SOQL_CHARS} characters.")
    find = _FIND.match(sosl)
    if find is None:
        raise MalformedSearch("unexpected token: '" + (sosl.split() or ["<EOF>"])[0] + "'", soql=sosl, position=0)
    term = _TERM.match(sosl, find.end())
    if term is None:
        raise MalformedSearch(_NO_TERM)
    found = parse_term(term.group(1), soql=sosl, start=term.start(1))
    blanked = re.sub(r"[^\n]", " ", sosl[: term.end()]) + sosl[term.end() :]
    try:
        reader = _SearchReader(blanked, allow_binds=False)
        reader.soql = sosl
        group, returning, settings, limit = reader.clauses()
    except MalformedQuery as error:
        raise MalformedSearch(error.reason, soql=sosl, position=error.position) from error
    return Search(term=found, group=group, returning=returning, settings=settings, limit=limit)


class _SearchReader(QueryReader):
    def clauses(self) -> tuple[SearchGroup, tuple[tree.Query, ...], tuple[Setting, ...], int | None]:
        group = self._group() if self.accept("IN") else SearchGroup.ALL
        returning = self.items(self._returned) if self.accept("RETURNING") else ()
        settings = []
        while self.accept("WITH"):
            settings.append(self._search_setting())
        limit = self.integer() if self.accept("LIMIT") else None
        if self.peek().kind is not TokenKind.END:
            raise self.unexpected()
        return group, returning, tuple(settings), limit

    def _group(self) -> SearchGroup:
        word = self.peek()
        if word.upper not in SearchGroup.__members__:
            raise self.unexpected()
        self.take()
        self.expect("FIELDS")
        return SearchGroup[word.upper]

    def _returned(self) -> tree.Query:
        name = self.word()
        source = tree.FromItem(path=(name.text,), position=name.start)
        if not self.accept("("):
            return tree.Query(select=(_id(name.start),), sources=(source,), position=name.start)
        select = self.items(self._field)
        where = self.condition() if self.accept("WHERE") else None
        order_by = self.items(self.order_item) if self.accept("ORDER") and self.expect("BY") else ()
        limit = self.integer() if self.accept("LIMIT") else None
        offset_position = self.peek(1).start
        offset = self.integer() if self.accept("OFFSET") else None
        self.expect(")")
        return tree.Query(
            select=select,
            sources=(source,),
            where=where,
            order_by=order_by,
            limit=limit,
            offset=offset,
            position=name.start,
            offset_position=offset_position,
        )

    def _field(self) -> tree.SelectExpression:
        expression = self.expression()
        return tree.SelectExpression(expression=expression, position=expression.position)

    def _search_setting(self) -> Setting:
        name = self.word()
        value = self.value() if self.accept("=") else None
        return Setting(name=name.text, value=value, position=name.start)


def _id(position: int) -> tree.SelectExpression:
    path = tree.FieldPath(parts=("Id",), position=position)
    return tree.SelectExpression(expression=path, position=position)
