"""Text to tree and back: by example from `identity.soql`, and for any tree by property."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import orgbridge.soql
from orgbridge.soql import (
    MalformedQuery,
    QueryTooComplicated,
    SOQLError,
    children,
    parse,
    pointed,
    print_query,
    transform,
    tree,
    walk,
)
from orgbridge.soql.dateliterals import COUNTED_LITERALS, PLAIN_LITERALS
from orgbridge.soql.reader import RESERVED

_FILES = Path(__file__).parents[2] / "soql"
_IDENTITIES = [
    line for line in (_FILES / "identity.soql").read_text().splitlines() if line and not line.startswith("--")
]


@pytest.mark.parametrize("soql", _IDENTITIES)
def test_a_canonical_query_prints_back_unchanged(soql: str) -> None:
    """A query written canonically is printed as it was written."""
    assert print_query(parse(soql)) == soql


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("select  id\n from\taccount where name='a'", "SELECT id FROM account WHERE name = 'a'"),
        ("SELECT Id FROM A WHERE ((a = 1) AND ((b = 2)))", "SELECT Id FROM A WHERE a = 1 AND b = 2"),
        ("SELECT Id FROM A WHERE a <> null", "SELECT Id FROM A WHERE a != NULL"),
        ("SELECT Id FROM A AS x", "SELECT Id FROM A x"),
        ("SELECT Id FROM A WHERE NOT a = 1 AND b = 2", "SELECT Id FROM A WHERE (NOT a = 1) AND b = 2"),
        (r"SELECT Id FROM A WHERE a = '\u0041\uD83D\uDE00'", "SELECT Id FROM A WHERE a = 'A\N{GRINNING FACE}'"),
        ("SELECT Id FROM A WHERE a > 2020-01-01T01:00:00+01:00", "SELECT Id FROM A WHERE a > 2020-01-01T00:00:00.000Z"),
        ("SELECT Id FROM A WHERE a = last_n_days:3", "SELECT Id FROM A WHERE a = LAST_N_DAYS:3"),
        ("SELECT Id FROM A WHERE a not in ('x')", "SELECT Id FROM A WHERE a NOT IN ('x')"),
        ("SELECT Id FROM A order by x asc nulls last limit 1", "SELECT Id FROM A ORDER BY x ASC NULLS LAST LIMIT 1"),
    ],
)
def test_other_spellings_print_canonically(written: str, canonical: str) -> None:
    """Case of keywords, needless parentheses, spaces and escapes are normalised."""
    assert print_query(parse(written)) == canonical


@pytest.mark.parametrize(
    ("soql", "position"),
    [
        ("SELECT Id FORM Account", 10),
        ("SELECT Id, FROM Account", 11),
        ("SELECT FROM Account", 7),
        ("SELECT Id FROM Account WHERE a = 1 AND b = 2 OR c = 3", 45),
        ("SELECT Id FROM Account WHERE a = 1 OR b = 2 AND c = 3", 44),
        ("SELECT Id FROM Account WHERE a = foo", 33),
        ("SELECT Id FROM Account WHERE a = :foo", 33),
        ("SELECT Id FROM Account WHERE a LIKE 5", 31),
        ("SELECT Id FROM Account WHERE a IN ()", 35),
        ("SELECT Id FROM Account WHERE (a = 1", 35),
        ("SELECT Id FROM Account LIMIT -1", 29),
        ("SELECT Id FROM Account LIMIT x", 29),
        ("SELECT Id FROM Account WHERE a = 2020-13-45", 33),
        ("SELECT Id FROM Account WHERE a = 1600-01-01", 33),
        ("SELECT Id FROM Account WHERE a = '\\q'", 34),
        ("SELECT Id FROM Account WHERE a = '\\_'", 34),
        ("SELECT Id FROM Account WHERE a = '\\ud800'", 34),
        ("SELECT Id FROM Account WHERE a = THIS_N_DAYS:3", 33),
        ("SELECT Id FROM Account ORDER Name", 29),
        ("SELECT Id FROM Account; DROP", None),
        ("SELECT Id FROM Account WHERE", None),
        ("", None),
        ("SELECT Id FROM Account WHERE a = 'x", None),
        ("SELECT FIELDS(SOME) FROM Account", 14),
        ("SELECT Id FROM Account FOR FUN", 27),
        ("SELECT Id FROM Account WHERE a = 1 HAVING COUNT(Id) > 1", 35),
    ],
)
def test_what_is_no_soql_is_refused_at_its_place(soql: str, position: int | None) -> None:
    """The error points at the first token that cannot stand where it stands."""
    with pytest.raises(MalformedQuery) as caught:
        parse(soql)
    assert (caught.value.error_code, caught.value.position) == ("MALFORMED_QUERY", position)


def test_the_message_shows_row_caret_and_place() -> None:
    """The message is Salesforce's: line break, row, caret under the column, place, reason."""
    with pytest.raises(MalformedQuery) as caught:
        parse("SELECT Id\nFROM Account\nWHERE Name = 'a' Limt 5")
    expected = "\nWHERE Name = 'a' Limt 5\n                 ^\nERROR at Row:3:Column:18\nunexpected token: 'Limt'"
    assert caught.value.message == expected


def test_a_long_row_is_shown_as_a_window() -> None:
    """Of a long row only the surroundings of the fault are shown, with the caret still under it."""
    soql = "SELECT " + ", ".join(f"F{i}__c" for i in range(60)) + " FORM Account"
    position = soql.index("FORM")
    lines = pointed(soql, position, "x").split("\n")
    assert (lines[1][lines[2].index("^") :][:4], len(lines[1]) < 80) == ("FORM", True)
    assert lines[3] == f"ERROR at Row:1:Column:{position + 1}"


def test_deep_nesting_is_refused_and_not_run_into() -> None:
    """A thousand parentheses give QUERY_TOO_COMPLICATED, no recursion error."""
    soql = "SELECT Id FROM A WHERE " + "(" * 1000 + "a = 1" + ")" * 1000
    with pytest.raises(QueryTooComplicated):
        parse(soql)


def test_a_statement_longer_than_allowed_is_refused() -> None:
    """More than 100,000 characters are MALFORMED_QUERY."""
    with pytest.raises(MalformedQuery, match="100000 characters"):
        parse("SELECT Id FROM A WHERE a = '" + "x" * 100_000 + "'")


def test_binds_are_read_when_asked_for() -> None:
    """`:name` may stand for values, lists and counts when binds are allowed."""
    soql = "SELECT Id FROM A WHERE a = :x AND b IN :y AND c LIKE :z LIMIT :n"
    query = parse(soql, allow_binds=True)
    names = [node.name for node in walk(query) if isinstance(node, tree.Bind)]
    assert (names, print_query(query)) == (["x", "y", "z", "n"], soql)


def test_walk_meets_every_node_and_transform_changes_them() -> None:
    """A firewall sees paths inside subqueries, and may rewrite them everywhere."""
    query = parse("SELECT a, (SELECT b FROM C WHERE d = 1) FROM E WHERE f IN (SELECT g FROM H) ORDER BY i")
    paths = [node.text for node in walk(query) if isinstance(node, tree.FieldPath)]
    assert paths == ["a", "b", "d", "f", "g", "i"]

    def shout(node: tree.Node) -> tree.Node:
        return tree.FieldPath(parts=(node.text.upper(),)) if isinstance(node, tree.FieldPath) else node

    changed = transform(query, shout)
    assert isinstance(changed, tree.Query)
    assert print_query(changed) == (
        "SELECT A, (SELECT B FROM C WHERE D = 1) FROM E WHERE F IN (SELECT G FROM H) ORDER BY I"
    )
    assert transform(query, lambda node: node) is query
    assert len(list(children(query))) == 5


def test_the_room_exports_what_it_says() -> None:
    """Each public name is there."""
    assert all(hasattr(orgbridge.soql, name) for name in orgbridge.soql.__all__)
    assert sorted(orgbridge.soql.__all__, key=lambda name: (name != name.upper(), name)) == orgbridge.soql.__all__


_words = st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,6}(__c)?", fullmatch=True).filter(
    lambda word: word.upper() not in RESERVED | {"TRUE", "FALSE", "END", "WHEN", "ELSE", "TYPEOF", "ROLLUP", "CUBE"}
)
#: Aliases may moreover be no word that begins a clause.
_aliases = _words.filter(lambda word: word.upper() not in {"OFFSET", "ORDER", "FOR", "UPDATE", "ALL", "AS"})
_paths = st.builds(tree.FieldPath, parts=st.lists(_words, min_size=1, max_size=4).map(tuple))
_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_strings = st.builds(tree.StringValue, value=_texts)
_numbers = st.one_of(
    st.integers().map(str), st.decimals(allow_nan=False, allow_infinity=False, places=3).map(lambda d: format(d, "f"))
)
_instants = st.datetimes(min_value=datetime(1700, 1, 2), max_value=datetime(4000, 12, 30), timezones=st.just(UTC)).map(
    lambda instant: instant.replace(microsecond=instant.microsecond // 1000 * 1000)
)
_values: st.SearchStrategy[tree.Value] = st.one_of(
    _strings,
    st.builds(tree.NumberValue, text=_numbers),
    st.builds(tree.BooleanValue, value=st.booleans()),
    st.builds(tree.NullValue),
    st.builds(tree.DateValue, value=st.dates(date(1700, 1, 1), date(4000, 12, 31))),
    st.builds(tree.DateTimeValue, value=_instants),
    st.builds(tree.TimeValue, value=_instants.map(lambda instant: instant.time())),
    st.builds(tree.DateLiteral, name=st.sampled_from(sorted(PLAIN_LITERALS))),
    st.builds(tree.DateLiteral, name=st.sampled_from(sorted(COUNTED_LITERALS)), count=st.integers(0, 10**6)),
    st.builds(
        tree.CurrencyValue,
        code=st.from_regex(r"[A-Z]{3}", fullmatch=True),
        amount=st.from_regex(r"[0-9]{1,5}(\.[0-9]{1,2})?", fullmatch=True),
    ),
)
_calls = st.recursive(
    st.builds(tree.FunctionCall, name=_words.filter(lambda w: w.upper() != "FIELDS"), arguments=st.tuples(_paths)),
    lambda inner: st.builds(
        tree.FunctionCall,
        name=_words.filter(lambda w: w.upper() != "FIELDS"),
        arguments=st.lists(st.one_of(inner, _paths, _strings), max_size=3).map(tuple),
    ),
    max_leaves=3,
)
_expressions = st.one_of(_paths, _calls)


def _merged(parts: list[str | tree.Wildcard]) -> tuple[str | tree.Wildcard, ...]:
    out: list[str | tree.Wildcard] = []
    for part in parts:
        if out and not isinstance(part, tree.Wildcard) and not isinstance(out[-1], tree.Wildcard):
            out[-1] += part
        elif part:
            out.append(part)
    return tuple(out)


_patterns = st.builds(
    tree.LikePattern,
    parts=st.lists(st.one_of(st.sampled_from(list(tree.Wildcard)), _texts), max_size=5).map(_merged),
)


def _conditions(queries: st.SearchStrategy[tree.Query] | None) -> st.SearchStrategy[tree.Condition]:
    simple: list[st.SearchStrategy[tree.Condition]] = [
        st.builds(tree.Comparison, left=_expressions, operator=st.sampled_from(list(tree.Operator)), right=_values),
        st.builds(tree.Like, left=_expressions, pattern=_patterns),
        st.builds(
            tree.InList,
            left=_expressions,
            values=st.lists(_values, min_size=1, max_size=3).map(tuple),
            negated=st.booleans(),
        ),
        st.builds(
            tree.Includes,
            left=_expressions,
            values=st.lists(_strings, min_size=1, max_size=3).map(tuple),
            negated=st.booleans(),
        ),
    ]
    if queries is not None:
        simple.append(st.builds(tree.InQuery, left=_paths, query=queries, negated=st.booleans()))
    return st.recursive(
        st.one_of(simple),
        lambda inner: st.one_of(
            st.builds(tree.And, items=st.lists(inner, min_size=2, max_size=3).map(tuple)),
            st.builds(tree.Or, items=st.lists(inner, min_size=2, max_size=3).map(tuple)),
            st.builds(tree.Not, item=inner),
        ),
        max_leaves=5,
    )


def _queries(inner: st.SearchStrategy[tree.Query] | None) -> st.SearchStrategy[tree.Query]:
    items: list[st.SearchStrategy[tree.SelectItem]] = [
        st.builds(tree.SelectExpression, expression=_expressions, alias=st.none() | _aliases),
        st.builds(tree.SelectFields, group=st.sampled_from(list(tree.FieldGroup))),
        st.builds(
            tree.SelectTypeOf,
            relationship=_paths,
            whens=st.lists(
                st.builds(tree.When, sobject=_words, fields=st.lists(_paths, min_size=1, max_size=2).map(tuple)),
                min_size=1,
                max_size=2,
            ).map(tuple),
            otherwise=st.lists(_paths, max_size=2).map(tuple),
        ),
    ]
    if inner is not None:
        items.append(st.builds(tree.SelectQuery, query=inner))
    groups = st.builds(
        tree.GroupBy,
        items=st.lists(_expressions, min_size=1, max_size=3).map(tuple),
        grouping=st.sampled_from(list(tree.Grouping)),
    )
    withs = st.one_of(
        st.builds(tree.WithMode, mode=st.sampled_from(["SECURITY_ENFORCED", "USER_MODE", "SYSTEM_MODE"])),
        st.builds(
            tree.WithDataCategory,
            filters=st.lists(
                st.builds(
                    tree.DataCategory,
                    group=_words,
                    selector=st.sampled_from(["AT", "ABOVE", "BELOW", "ABOVE_OR_BELOW"]),
                    categories=st.lists(_words, min_size=1, max_size=2).map(tuple),
                ),
                min_size=1,
                max_size=2,
            ).map(tuple),
        ),
        st.builds(tree.WithRecordVisibility, settings=st.tuples(st.tuples(_words, _values))),
    )
    conditions = _conditions(inner)
    built = st.builds(
        tree.Query,
        select=st.lists(st.one_of(items), min_size=1, max_size=3).map(tuple),
        sources=st.lists(
            st.builds(
                tree.FromItem, path=st.lists(_words, min_size=1, max_size=2).map(tuple), alias=st.none() | _aliases
            ),
            min_size=1,
            max_size=2,
        ).map(tuple),
        scope=st.none() | _words,
        where=st.none() | conditions,
        with_=st.none() | withs,
        group_by=st.none() | groups,
        having=st.none() | conditions,
        order_by=st.lists(
            st.builds(
                tree.OrderItem,
                expression=_expressions,
                direction=st.none() | st.sampled_from(list(tree.Direction)),
                nulls=st.none() | st.sampled_from(list(tree.Nulls)),
            ),
            max_size=2,
        ).map(tuple),
        limit=st.none() | st.integers(0, 10**9),
        offset=st.none() | st.integers(0, 10**4),
        for_=st.lists(st.sampled_from(["VIEW", "REFERENCE"]), max_size=2).map(tuple),
        update=st.lists(st.sampled_from(["TRACKING", "VIEWSTAT"]), max_size=2, unique=True).map(tuple),
        all_rows=st.booleans(),
    )
    return built.filter(lambda query: query.having is None or query.group_by is not None)


@settings(max_examples=60, deadline=None)
@given(_queries(_queries(None)))
def test_printing_and_parsing_gives_the_same_tree(query: tree.Query) -> None:
    """Whatever tree there is, its text parses to that tree, and prints as that text again."""
    text = print_query(query)
    again = parse(text)
    assert again == query
    assert print_query(again) == text


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.sampled_from([*sorted(RESERVED), "(", ")", ",", "'", "\\", ".", ":", "COUNT()", "FIELDS(", "TYPEOF x"]),
            st.text(max_size=4),
            _words,
        ),
        max_size=20,
    ).map(" ".join)
)
def test_any_text_is_parsed_or_refused(text: str) -> None:
    """No text makes the parser raise anything but its own errors."""
    for soql in (text, f"SELECT Id FROM Account WHERE {text}"):
        message = ""
        try:
            parse(soql)
        except SOQLError as error:
            message = error.message
        assert message.encode().decode() == message


def test_offsets_of_instants_become_utc() -> None:
    """An instant with an offset is the same instant in UTC."""
    query = parse("SELECT Id FROM A WHERE a = 2020-01-01T00:30:00-0130")
    assert isinstance(query.where, tree.Comparison)
    assert isinstance(query.where.right, tree.DateTimeValue)
    assert query.where.right.value == datetime(2020, 1, 1, 0, 30, tzinfo=timezone(-timedelta(minutes=90)))
