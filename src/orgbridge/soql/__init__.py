"""SOQL as values: text to tree, tree to text, and values to literals. Pure; knows no schema and no database."""

from __future__ import annotations

from orgbridge.soql.errors import (
    TOO_COMPLICATED,
    MalformedQuery,
    QueryTooComplicated,
    SOQLError,
    UnboundName,
    UnquotableValue,
    pointed,
)
from orgbridge.soql.parser import parse
from orgbridge.soql.printer import print_condition, print_expression, print_query, print_value
from orgbridge.soql.quoting import bind, quote, quote_like
from orgbridge.soql.visitor import children, transform, walk

__all__ = [
    "TOO_COMPLICATED",
    "MalformedQuery",
    "QueryTooComplicated",
    "SOQLError",
    "UnboundName",
    "UnquotableValue",
    "bind",
    "children",
    "parse",
    "pointed",
    "print_condition",
    "print_expression",
    "print_query",
    "print_value",
    "quote",
    "quote_like",
    "transform",
    "walk",
]
