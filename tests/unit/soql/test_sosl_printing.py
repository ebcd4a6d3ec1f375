"""SOSL printed and read again is the same search."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orgbridge.soql import parse_search, print_search
from orgbridge.soql.sosl_printer import print_term
from orgbridge.soql.sosl_terms import parse_term
from orgbridge.soql.sosl_tree import AllOf, AnyOf, Term, Without, Words

_WORDS = st.lists(st.sampled_from(["acme", "and", "NOT", "über", "ab*", "a_b", "co?t"]), min_size=1, max_size=3).map(
    lambda words: Words(words=tuple(words))
)


def _joined(inner: st.SearchStrategy[Term]) -> st.SearchStrategy[Term]:
    later = st.lists(inner | inner.map(lambda item: Without(item=item)), min_size=1, max_size=2)
    return st.one_of(
        st.builds(lambda first, rest: AllOf(items=(first, *rest)), inner, later),
        st.lists(inner, min_size=2, max_size=3).map(lambda items: AnyOf(items=tuple(items))),
    )


@given(st.recursive(_WORDS, _joined, max_leaves=6))
def test_a_printed_term_is_read_as_it_was(term: Term) -> None:
    """Whatever stands in the braces: words, phrases, operators as words, and nesting."""
    assert parse_term(print_term(term)) == term


@pytest.mark.parametrize(
    "sosl",
    [
        "FIND {acme} RETURNING Account",
        "FIND {a\\-b} IN EMAIL FIELDS RETURNING Contact(Id, Name WHERE Name = 'x' ORDER BY Name DESC LIMIT 3 OFFSET 1)",
        "FIND {x1 OR (y1 AND NOT z1)} RETURNING Lead(Id), Account(toLabel(Industry)) WITH NETWORK = 'x' LIMIT 5",
        "FIND {acme} WITH METADATA = 'LABELS'",
    ],
)
def test_a_printed_search_is_read_as_it_was(sosl: str) -> None:
    """Every clause comes back."""
    search = parse_search(sosl)
    assert parse_search(print_search(search)) == search
