"""`search.sosl` (search, records or error), each block one test.

A block is a search, then lines that say what must come of it:

    = one record as JSON, its type under "@"     (none: no record is found)
    ! the error's code
    | one line of the error's message
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.soql_files import Block, bare, blocks

from orgbridge.emulator.query.searching import MAX_RESULTS, plan_search
from orgbridge.emulator.schema.errors import SFError
from orgbridge.emulator.schema.model import Catalogue
from orgbridge.emulator.storage.database import Connection, Storage
from orgbridge.emulator.storage.words import contains, word_pattern
from orgbridge.kit.json import loads
from orgbridge.soql import SOQLError, parse_search, parse_term

_FILE = Path(__file__).parents[3] / "soql" / "search.sosl"


def _found(sosl: str, catalogue: Catalogue, connection: Connection, now: datetime) -> list[object]:
    plan = plan_search(catalogue, parse_search(sosl), sosl, now=now, user_id="")
    records = plan.records(connection, "v62.0")
    return [{"@": record["attributes"]["type"], **bare(record)} for record in records]


@pytest.mark.parametrize("block", [pytest.param(block, id=block.text[:60]) for block in blocks(_FILE)])
def test_a_search_finds_its_records_or_is_refused(
    block: Block, catalogue: Catalogue, org: Connection, now: datetime
) -> None:
    """The search gives these records in this order, or this code and message to the letter."""
    if not block.marked["!"]:
        assert _found(block.text, catalogue, org, now) == [loads(line) for line in block.marked["="]]
        return
    with pytest.raises((SFError, SOQLError)) as caught:
        _found(block.text, catalogue, org, now)
    error = caught.value
    code = error.code if isinstance(error, SFError) else error.error_code
    assert (code, error.message) == (block.marked["!"][0], "\n".join(block.marked["|"]))


@settings(max_examples=200, deadline=None)
@given(term=st.text(alphabet="ab*?\"()\\ -{}&'é1_", max_size=12))
def test_any_term_is_read_or_refused(term: str) -> None:
    """Whatever stands in the braces, the outcome is a term or one of Salesforce's refusals."""
    for strict in (True, False):
        try:
            parse_term(term, strict=strict)
        except SOQLError as error:
            assert error.error_code in ("MALFORMED_SEARCH", "INVALID_SEARCH")  # noqa: PT017 one of two right outcomes


@settings(max_examples=200, deadline=None)
@given(tail=st.text(alphabet="abIN()RETURNING,.* '=\\WHERE1Ä\n", max_size=40))
def test_any_search_is_read_or_refused(tail: str) -> None:
    """Whatever follows the term, the outcome is a search or a refusal."""
    try:
        parse_search("FIND {acme} " + tail)
    except SOQLError as error:
        assert error.error_code in ("MALFORMED_SEARCH", "QUERY_TOO_COMPLICATED")  # noqa: PT017 one of two right outcomes


@pytest.mark.parametrize(
    ("words", "text", "is_there"),
    [
        (["acme"], "The ACME, Inc.", True),
        (["acme"], "Acmeville", False),
        (["acme*"], "Acmeville", True),
        (["ac*le"], "Acmeville", True),
        (["ac*i*le"], "Acmeville", True),
        (["ac?e"], "acme", True),
        (["ac?e"], "ace", False),
        (["old", "town"], "old  town", True),
        (["old", "town"], "old new town", False),
        (["straße"], "STRASSE 5", True),
    ],
)
def test_words_are_found_whole_and_without_case(words: list[str], text: str, is_there: bool) -> None:
    """A word is found as a whole, `*` and `?` stay inside one word, words of a phrase stand in a row."""
    assert bool(contains(word_pattern(words), None, text)) is is_there


def test_many_stars_take_no_long_time() -> None:
    """A pattern of many stars over one long word is answered at once."""
    assert contains(word_pattern(["aa" + "*a" * 40 + "*b"]), "a" * 100_000) == 0


def test_a_search_gives_two_thousand_records_at_most(accounts: Storage, catalogue: Catalogue, now: datetime) -> None:
    """More matches than 2,000 are cut, over all objects together and whatever LIMIT says."""
    with accounts.write() as connection:
        rows = ((f"003{number:015d}", "Acme") for number in range(MAX_RESULTS + 5))
        connection.executemany('INSERT INTO "Contact" ("Id", "Name") VALUES (?, ?)', rows)
        rows = ((f"001{number:015d}", "Acme") for number in range(5))
        connection.executemany('INSERT INTO "Account" ("Id", "Name") VALUES (?, ?)', rows)
    with accounts.read() as connection:
        found = _found("FIND {acme} RETURNING Contact(Id LIMIT 1998), Account LIMIT 5000", catalogue, connection, now)
    assert (len(found), found[-1]) == (MAX_RESULTS, {"@": "Account", "Id": "001000000000000001"})
