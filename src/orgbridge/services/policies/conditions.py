"""Forced conditions: the caller's values put in, moved to where a parent is read, decided for rows to be written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Any

from orgbridge.soql import transform, tree, walk
from orgbridge.wire.ids import to_18

#: What a bind may stand for.
BindValue = str | tuple[str, ...] | None


class NotApplicable(Exception):
    """The caller lacks what a condition asks of it, so that the condition can hold for no row."""


def bound(condition: tree.Condition, values: Mapping[str, BindValue]) -> tree.Condition:
    """Return the condition with every bind replaced by literals.

    Raises:
        NotApplicable: The caller has no value for a bind, or an empty list. To compare with null instead would let
            rows without a value through, and `NOT IN` an empty list every row.
    """

    def value_of(bind: tree.Bind) -> BindValue:
        value = values.get(bind.name.lower())
        if not value:
            raise NotApplicable(bind.name)
        return value

    def one(bind: tree.Bind) -> tree.StringValue:
        value = value_of(bind)
        if not isinstance(value, str):
            raise NotApplicable(bind.name)
        return tree.StringValue(value=value)

    def change(node: tree.Node) -> tree.Node:
        if isinstance(node, tree.InList) and isinstance(node.values, tree.Bind):
            value = value_of(node.values)
            many = (value,) if isinstance(value, str) else value or ()
            return replace(node, values=tuple(tree.StringValue(value=item) for item in many))
        if isinstance(node, tree.Like) and isinstance(node.pattern, tree.Bind):
            return replace(node, pattern=tree.LikePattern(parts=(one(node.pattern).value,)))
        if isinstance(node, tree.Comparison) and isinstance(node.right, tree.Bind):
            return replace(node, right=one(node.right))
        if isinstance(node, tree.Includes):
            return replace(node, values=tuple(one(v) if isinstance(v, tree.Bind) else v for v in node.values))
        if isinstance(node, tree.InList) and isinstance(node.values, tuple):
            return replace(node, values=tuple(one(v) if isinstance(v, tree.Bind) else v for v in node.values))
        if isinstance(node, tree.FunctionCall) and any(isinstance(item, tree.Bind) for item in node.arguments):
            arguments = tuple(one(item) if isinstance(item, tree.Bind) else item for item in node.arguments)
            return replace(node, arguments=arguments)
        return node

    return transform(condition, change)  # type: ignore[return-value]  # conditions stay conditions


def has_subquery(condition: tree.Condition) -> bool:
    """Tell whether a semi-join stands in the condition."""
    return any(isinstance(node, tree.InQuery) for node in walk(condition))


def fields_of(condition: tree.Condition) -> list[tuple[str, ...]]:
    """Return the paths that a condition compares, those of its subqueries left out."""
    found: list[tuple[str, ...]] = []

    def visit(node: tree.Node) -> None:
        match node:
            case tree.FieldPath(parts=parts):
                found.append(parts)
            case tree.InQuery(left=left):
                visit(left)
            case tree.FunctionCall(arguments=arguments):
                for argument in arguments:
                    visit(argument)
            case tree.And(items=items) | tree.Or(items=items):
                for item in items:
                    visit(item)
            case tree.Not(item=item):
                visit(item)
            case tree.Comparison() | tree.Like() | tree.InList() | tree.Includes():
                visit(node.left)
            case _:
                pass

    visit(condition)
    return found


def moved(condition: tree.Condition, path: tuple[str, ...], sobject: str) -> tree.Condition:
    """Return a condition about an object as it reads where the object is reached over relationships.

    Args:
        condition: Without subqueries.
        path: Relationship names from the query's object.
        sobject: The condition's object, whose own name may stand in front of its paths.
    """

    def change(node: tree.Node) -> tree.Node:
        if not isinstance(node, tree.FieldPath):
            return node
        parts = node.parts
        if len(parts) > 1 and parts[0].lower() == sobject.lower():
            parts = parts[1:]
        return replace(node, parts=path + parts)

    return transform(condition, change)  # type: ignore[return-value]  # conditions stay conditions


def joined(conditions: Sequence[tree.Condition | None]) -> tree.Condition | None:
    """Return the condition that one of several holds; None when one of them is always met.

    Salesforce knows no semi-join inside OR: where others are there, such a condition is left out, which shows less.
    """
    known = [condition for condition in conditions if condition is not None]
    if len(known) < len(conditions):
        return None
    plain = [condition for condition in known if not has_subquery(condition)]
    kept = list(dict.fromkeys(plain or known[:1]))
    return kept[0] if len(kept) == 1 else tree.Or(items=tuple(kept))


def both(first: tree.Condition | None, rest: Sequence[tree.Condition]) -> tree.Condition | None:
    """Return the condition that all hold, AND not nested, so that semi-joins stay at the top."""
    items: list[tree.Condition] = []
    for condition in (first, *rest):
        if condition is None or condition in items:
            continue
        items.extend(condition.items if isinstance(condition, tree.And) else [condition])
    if not items:
        return None
    return items[0] if len(items) == 1 else tree.And(items=tuple(items))


def decide(condition: tree.Condition, values: Mapping[str, Any]) -> bool | None:
    """Tell whether a condition will hold for a row, None when that cannot be told for certain.

    Args:
        condition: Binds replaced.
        values: JSON values by field name in lower case; a field that is not there has an unknown value.
    """
    match condition:
        case tree.And(items=items):
            told = [decide(item, values) for item in items]
            return False if False in told else None if None in told else True
        case tree.Or(items=items):
            told = [decide(item, values) for item in items]
            return True if True in told else None if None in told else False
        case tree.Not(item=item):
            inner = decide(item, values)
            return None if inner is None else not inner
        case tree.Comparison(left=tree.FieldPath(parts=(name,)), operator=operator, right=right):
            if name.lower() not in values or operator not in (tree.Operator.EQUAL, tree.Operator.NOT_EQUAL):
                return None
            same = _same(values[name.lower()], right)
            return same if same is None or operator is tree.Operator.EQUAL else not same
        case tree.InList(left=tree.FieldPath(parts=(name,)), values=tuple() as listed, negated=negated):
            if name.lower() not in values:
                return None
            told = [_same(values[name.lower()], item) for item in listed]
            found = True if True in told else None if None in told else False
            return None if found is None else found != negated
        case _:
            return None


def _same(value: Any, literal: tree.Value) -> bool | None:
    """Compare where every org would agree: what depends on case or on a type is not decided."""
    match literal:
        case tree.NullValue():
            return value is None or value == ""
        case tree.StringValue(value=text):
            if value is None or value == "":
                return text == ""
            if not isinstance(value, str):
                return None
            if value == text or (to_18(value) is not None and to_18(value) == to_18(text)):
                return True
            # Spaces at the ends are cut by Salesforce, letters may or may not differ by case.
            return None if value.strip().casefold() == text.strip().casefold() else False
        case tree.BooleanValue(value=truth):
            return value is truth if isinstance(value, bool) else None
        case tree.NumberValue(text=text):
            if value is None:
                return False
            if isinstance(value, bool) or not isinstance(value, int | float):
                return None
            try:
                if Decimal(str(value)) == Decimal(text):
                    return True
            except InvalidOperation:
                return None
            # A fraction may be rounded to the field's scale when it is saved.
            return False if float(value).is_integer() else None
        case tree.DateValue(value=day):
            return None if not isinstance(value, str) else value == day.isoformat() or None
        case _:
            return None
