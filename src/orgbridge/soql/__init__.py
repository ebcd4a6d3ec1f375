"""SOQL and SOSL as values: text to tree, tree to text, values to literals. Pure; knows no schema and no database."""

from __future__ import annotations

from orgbridge.soql.errors import (
    TOO_COMPLICATED,
    InvalidSearch,
    MalformedQuery,
    MalformedSearch,
    QueryTooComplicated,
    SOQLError,
    UnboundName,
    UnquotableValue,
    pointed,
)
from orgbridge.soql.parser import parse
from orgbridge.soql.printer import print_condition, print_expression, print_query, print_value
from orgbridge.soql.quoting import bind, quote, quote_like
from orgbridge.soql.sosl_parser import parse_search
from orgbridge.soql.sosl_printer import print_search
from orgbridge.soql.sosl_terms import parse_term
from orgbridge.soql.visitor import children, transform, walk

__all__ = [
    "TOO_COMPLICATED",
    "InvalidSearch",
    "MalformedQuery",
    "MalformedSearch",
    "QueryTooComplicated",
    "SOQLError",
    "UnboundName",
    "UnquotableValue",
    "bind",
    "children",
    "parse",
    "parse_search",
    "parse_term",
    "pointed",
    "print_condition",
    "print_expression",
    "print_query",
    "print_search",
    "print_value",
    "quote",
    "quote_like",
    "transform",
    "walk",
]
