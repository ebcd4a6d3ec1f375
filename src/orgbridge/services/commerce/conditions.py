"""Conditions and queries as values of the SOQL tree, so that no text of a caller is ever read as grammar."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from orgbridge.soql import tree

#: Names of a path's relationships are separated by it.
_DOT = "."


def path(name: str) -> tree.FieldPath:
    """Return a field, `Parent.Name` for one of a parent."""
    return tree.FieldPath(parts=tuple(name.split(_DOT)))


def value(item: str | int | date | bool | None) -> tree.Value:
    """Return a value of the tree."""
    match item:
        case None:
            return tree.NullValue()
        case bool():
            return tree.BooleanValue(value=item)
        case str():
            return tree.StringValue(value=item)
        case int():
            return tree.NumberValue(text=str(item))
        case date():
            return tree.DateValue(value=item)


def compare(name: str, operator: tree.Operator, item: str | int | date | bool | None) -> tree.Condition:
    """Return a comparison of a field with a value."""
    return tree.Comparison(left=path(name), operator=operator, right=value(item))


def equal(name: str, item: str | int | date | bool | None) -> tree.Condition:
    """Return the condition that a field has a value; None asks for the empty one."""
    return compare(name, tree.Operator.EQUAL, item)


def among(name: str, items: Sequence[str]) -> tree.Condition:
    """Return the condition that a field has one of some values.

    Args:
        name: The field.
        items: Not empty: SOQL has no empty list.
    """
    if len(items) == 1:
        return equal(name, items[0])
    return tree.InList(left=path(name), values=tuple(tree.StringValue(value=item) for item in items))


def contains(name: str, text: str) -> tree.Condition:
    """Return the condition that a text is a part of a field, in any case; `%` and `_` stand for themselves."""
    pattern = tree.LikePattern(parts=(tree.Wildcard.MANY, text, tree.Wildcard.MANY))
    return tree.Like(left=path(name), pattern=pattern)


def within(name: str, query: tree.Query, *, negated: bool = False) -> tree.Condition:
    """Return the condition that a field is, or is not, among what a query finds."""
    return tree.InQuery(left=path(name), query=query, negated=negated)


def both(*conditions: tree.Condition | None) -> tree.Condition | None:
    """Return the conjunction of those conditions that there are."""
    items: list[tree.Condition] = []
    for one in conditions:
        # SOQL takes AND inside AND only with parentheses, which say nothing more.
        items.extend(one.items if isinstance(one, tree.And) else [one] if one is not None else [])
    if not items:
        return None
    return items[0] if len(items) == 1 else tree.And(items=tuple(items))


def either(conditions: Iterable[tree.Condition]) -> tree.Condition:
    """Return the disjunction of conditions, of which there is one at least."""
    items: list[tree.Condition] = []
    for one in conditions:
        items.extend(one.items if isinstance(one, tree.Or) else [one])
    return items[0] if len(items) == 1 else tree.Or(items=tuple(items))


def select(
    sobject: str,
    names: Sequence[str],
    *,
    where: tree.Condition | None = None,
    order: Sequence[tuple[str, bool]] = (),
    limit: int | None = None,
) -> tree.Query:
    """Return a query.

    Args:
        sobject: From which object.
        names: Fields, each once.
        where: Which rows.
        order: Fields with whether they descend; empty values come last.
        limit: Most rows.
    """
    items = tuple(
        tree.OrderItem(
            expression=path(name),
            direction=tree.Direction.DESC if descends else tree.Direction.ASC,
            nulls=tree.Nulls.LAST,
        )
        for name, descends in order
    )
    return tree.Query(
        select=tuple(tree.SelectExpression(expression=path(name)) for name in dict.fromkeys(names)),
        sources=(tree.FromItem(path=(sobject,)),),
        where=where,
        order_by=items,
        limit=limit,
    )
