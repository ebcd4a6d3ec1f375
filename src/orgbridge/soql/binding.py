r"""Binds put into a query's tree as values, so that no text of a caller is ever read as grammar.

A bind stands where a value may: on the right of a comparison, in IN and INCLUDES lists (a list is spread), after LIKE
(as a whole pattern, whose `%` and `_` are wildcards unless a backslash stands before them), as an argument, after LIMIT
and OFFSET.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, TypeAlias

from orgbridge.soql import tree
from orgbridge.soql.dateliterals import COUNTED_LITERALS, PLAIN_LITERALS
from orgbridge.soql.errors import UnboundName, UnquotableValue
from orgbridge.soql.quoting import Bindable, Scalar, quote
from orgbridge.soql.visitor import transform, walk

#: What may be bound: what `quote` takes, a relative date, or many of these.
BindValue: TypeAlias = "Scalar | tree.DateLiteral"
_LITERAL = re.compile(r"([A-Za-z_0-9]+?)(?::(\d{1,9}))?\Z")
_PATTERN_PIECE = re.compile(r"\\([%_\\])|([%_])|([^%_\\]+|\\)", re.DOTALL)


def date_literal(text: str) -> tree.DateLiteral:
    """Return the relative date that a text such as `TODAY` or `LAST_N_DAYS:30` names.

    Raises:
        UnquotableValue: It names none.
    """
    found = _LITERAL.match(text)
    name, count = (found[1].upper(), found[2]) if found else ("", None)
    if name in PLAIN_LITERALS and count is None:
        return tree.DateLiteral(name=name)
    if name in COUNTED_LITERALS and count is not None:
        return tree.DateLiteral(name=name, count=int(count))
    raise UnquotableValue(f"{text[:60]!r} is no date literal such as TODAY or LAST_N_DAYS:30.")


def bind_names(query: tree.Query) -> tuple[str, ...]:
    """Return the names of the binds in a query, each once, in order."""
    return tuple(dict.fromkeys(node.name for node in walk(query) if isinstance(node, tree.Bind)))


def bind_query(
    query: tree.Query, values: Mapping[str, Bindable | tree.DateLiteral | list[Any]], *, soql: str = ""
) -> tree.Query:
    """Return the query with every bind replaced by its value.

    Args:
        query: Read with `allow_binds`.
        values: By name. A list may stand only for the items of IN and INCLUDES, and is not empty.
        soql: The text, for messages that point at the place.

    Raises:
        UnboundName: A bind has no value, a value has no bind, or a value cannot stand at its place.
        UnquotableValue: A value has no literal.
    """
    names = bind_names(query)
    if unused := [name for name in values if name not in names]:
        there = ", ".join(f":{name}" for name in names) or "none"
        raise UnboundName(f"The query has no :{unused[0]}; its binds are: {there}.")
    bound = transform(query, _Binder(values, soql).change)
    assert isinstance(bound, tree.Query), "a query's place is taken by a query only"
    return bound


class _Binder:
    """Replaces binds where they stand, because what may stand there differs."""

    def __init__(self, values: Mapping[str, Any], soql: str) -> None:
        self._values = values
        self._soql = soql

    def change(self, node: tree.Node) -> tree.Node:
        match node:
            case tree.Comparison(right=tree.Bind() as bind):
                return replace(node, right=self._one(bind))
            case tree.InList(values=tree.Bind() as bind):
                return replace(node, values=self._many(bind))
            case tree.InList(values=tuple() as items):
                return replace(node, values=self._spread(items))
            case tree.Includes(values=items):
                return replace(node, values=tuple(self._choices(items)))
            case tree.Like(pattern=tree.Bind() as bind):
                return replace(node, pattern=self._pattern(bind))
            case tree.FunctionCall(arguments=arguments) if any(isinstance(item, tree.Bind) for item in arguments):
                return replace(
                    node, arguments=tuple(self._one(a) if isinstance(a, tree.Bind) else a for a in arguments)
                )
            case tree.WithRecordVisibility(settings=settings):
                return replace(
                    node,
                    settings=tuple((n, self._one(v) if isinstance(v, tree.Bind) else v) for n, v in settings),
                )
            case tree.Query(limit=limit, offset=offset):
                return replace(node, limit=self._count(limit), offset=self._count(offset))
            case _:
                return node

    def _value(self, bind: tree.Bind) -> Any:
        if bind.name not in self._values:
            raise self._fault(bind, f"No value was given for :{bind.name}.")
        return self._values[bind.name]

    def _one(self, bind: tree.Bind) -> tree.Value:
        value = self._value(bind)
        if isinstance(value, list | tuple):
            raise self._fault(bind, f"A list was given for :{bind.name}; one value stands here. Lists go with IN.")
        return self._node(bind, value)

    def _many(self, bind: tree.Bind) -> tuple[tree.Value, ...]:
        value = self._value(bind)
        items = value if isinstance(value, list | tuple) else [value]
        if not items:
            raise self._fault(bind, f"The list for :{bind.name} is empty; SOQL has no empty list.")
        return tuple(self._node(bind, item) for item in items)

    def _spread(self, items: tuple[tree.Value, ...]) -> tuple[tree.Value, ...]:
        return tuple(
            value for item in items for value in (self._many(item) if isinstance(item, tree.Bind) else (item,))
        )

    def _choices(self, items: tuple[tree.StringValue | tree.Bind, ...]) -> list[tree.StringValue | tree.Bind]:
        choices: list[tree.StringValue | tree.Bind] = []
        for item in items:
            for value in self._many(item) if isinstance(item, tree.Bind) else (item,):
                if not isinstance(value, tree.StringValue):
                    assert isinstance(item, tree.Bind), "the grammar takes texts and binds here"
                    raise self._fault(item, f"INCLUDES and EXCLUDES take texts; :{item.name} is none.")
                choices.append(value)
        return choices

    def _pattern(self, bind: tree.Bind) -> tree.LikePattern:
        value = self._value(bind)
        if not isinstance(value, str):
            raise self._fault(bind, f"LIKE takes a text; :{bind.name} is none.")
        quote(value)  # Refuses what no literal can hold.
        parts: list[str | tree.Wildcard] = []
        for escaped, wildcard, plain in _PATTERN_PIECE.findall(value):
            if wildcard:
                parts.append(tree.Wildcard(wildcard))
            elif parts and not isinstance(parts[-1], tree.Wildcard):
                parts[-1] += escaped or plain
            else:
                parts.append(escaped or plain)
        return tree.LikePattern(parts=tuple(parts), position=bind.position)

    def _count(self, count: int | tree.Bind | None) -> int | None:
        if not isinstance(count, tree.Bind):
            return count
        value = self._value(count)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise self._fault(count, f"LIMIT and OFFSET take a whole number from 0; :{count.name} is none.")
        return value

    def _node(self, bind: tree.Bind, value: Any) -> tree.Value:
        place = bind.position
        match value:
            case tree.DateLiteral():
                return replace(value, position=place)
            case None:
                return tree.NullValue(position=place)
            case bool():
                return tree.BooleanValue(value=value, position=place)
            case str():
                self._quotable(bind, value)
                return tree.StringValue(value=value, position=place)
            case int() | float() | Decimal():
                if not math.isfinite(value):
                    raise UnquotableValue(
                        f"{value} has no SOQL literal: numbers must be finite.", soql=self._soql, position=place
                    )
                return tree.NumberValue(text=quote(value), position=place)
            case datetime():
                self._quotable(bind, value)
                cut = value.astimezone(UTC)
                return tree.DateTimeValue(value=cut.replace(microsecond=cut.microsecond // 1000 * 1000), position=place)
            case date():
                self._quotable(bind, value)
                return tree.DateValue(value=value, position=place)
            case time():
                self._quotable(bind, value)
                return tree.TimeValue(value=value.replace(microsecond=value.microsecond // 1000 * 1000), position=place)
            case _:
                raise self._fault(bind, f":{bind.name} has a {type(value).__name__}, which has no SOQL literal.")

    def _quotable(self, bind: tree.Bind, value: Scalar) -> None:
        try:
            quote(value)
        except UnquotableValue as error:
            raise UnquotableValue(
                f":{bind.name}: {error.reason}", soql=self._soql, position=bind.position if self._soql else None
            ) from None

    def _fault(self, bind: tree.Bind, reason: str) -> UnboundName:
        return UnboundName(reason, soql=self._soql, position=bind.position if self._soql else None)
