"""Tree to canonical SOSL. Parsing what is printed gives the same tree."""

from __future__ import annotations

from typing import assert_never

from orgbridge.soql import tree
from orgbridge.soql.printer import print_condition, print_expression, print_order_item, print_value
from orgbridge.soql.sosl_tree import AllOf, AnyOf, Search, SearchGroup, Setting, Term, Without, Words

_OPERATORS = frozenset({"AND", "OR", "NOT"})


def print_search(search: Search) -> str:
    """Return the text of a search."""
    parts = [f"FIND {{{print_term(search.term)}}}"]
    if search.group is not SearchGroup.ALL:
        parts.append(f"IN {search.group.value} FIELDS")
    if search.returning:
        parts.append("RETURNING " + ", ".join(_returned(query) for query in search.returning))
    parts += [_setting(setting) for setting in search.settings]
    if search.limit is not None:
        parts.append(f"LIMIT {search.limit}")
    return " ".join(parts)


def print_term(term: Term) -> str:
    """Return the text of a search term, as it stands in the braces."""
    match term:
        case Words(words=words):
            is_plain = len(words) == 1 and words[0].upper() not in _OPERATORS
            return words[0] if is_plain else '"' + " ".join(words) + '"'
        case AllOf(items=items):
            return " AND ".join(_operand(item) for item in items)
        case AnyOf(items=items):
            return " OR ".join(_operand(item) for item in items)
        case Without(item=item):
            return f"NOT {_operand(item)}"
        case _:
            assert_never(term)


def _operand(term: Term) -> str:
    text = print_term(term)
    return f"({text})" if isinstance(term, AllOf | AnyOf) else text


def _returned(query: tree.Query) -> str:
    items = [item.expression for item in query.select if isinstance(item, tree.SelectExpression)]
    inside = [", ".join(print_expression(item) for item in items)]
    if query.where is not None:
        inside.append(f"WHERE {print_condition(query.where)}")
    if query.order_by:
        inside.append("ORDER BY " + ", ".join(print_order_item(item) for item in query.order_by))
    if query.limit is not None:
        inside.append(f"LIMIT {query.limit}")
    if query.offset is not None:
        inside.append(f"OFFSET {query.offset}")
    return f"{query.sources[0].path[0]}({' '.join(inside)})"


def _setting(setting: Setting) -> str:
    value = "" if setting.value is None else f" = {print_value(setting.value)}"
    return f"WITH {setting.name}{value}"
