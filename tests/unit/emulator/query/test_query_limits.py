"""The documented bounds of a query, each just inside and just outside, and texts that are no queries at all."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orgbridge.emulator.query import results
from orgbridge.emulator.query.bulk import check_bulk
from orgbridge.emulator.query.planner import MAX_CHILDREN, plan_query
from orgbridge.emulator.query.plans import Feature
from orgbridge.emulator.query.scopes import MAX_PARENTS
from orgbridge.emulator.schema.errors import SFError
from orgbridge.emulator.schema.model import Catalogue, ChildRelationship, Field, SObject
from orgbridge.emulator.storage.database import Connection, Storage
from orgbridge.wire.fieldtypes import FieldType
from orgbridge.wire.limits import SOQL_CHARS

_NOW = datetime.fromisoformat("2025-05-14T12:00:00+00:00")
#: What queries are made of.
_WORDS = [
    "SELECT", "FROM", "Account", "Contact", "WHERE", "Name", "Id", "(", ")", ",", ".", "'", "''", "'a'", "=",
    "!=", "<", "IN", "NOT", "AND", "OR", "LIKE", ":", "NULL", "1", "1.5", "TODAY", "LIMIT", "OFFSET", "GROUP",
    "BY", "ORDER", "HAVING", "COUNT(Id)", "COUNT()", "FIELDS(ALL)", "WITH", "USING", "SCOPE", "FOR", "VIEW",
    "TYPEOF", "WHEN", "THEN", "END", "DISTANCE", "GEOLOCATION", "toLabel", "FORMAT", "2025-05-14",
    "08:30:00Z", "USD5", "\\", "\t", "\n", "€", "Owner.Name", "Contacts", "ROLLUP",
]  # fmt: skip


def _refusal(catalogue: Catalogue, soql: str) -> tuple[str, str]:
    with pytest.raises(SFError) as caught:
        plan_query(catalogue, soql, now=_NOW)
    return caught.value.code, caught.value.message.split("\n")[-1]


@pytest.mark.documented
def test_a_statement_has_one_hundred_thousand_characters(catalogue: Catalogue) -> None:
    """The last allowed character is taken, one more is MALFORMED_QUERY."""
    soql = "SELECT Id FROM Account"
    assert plan_query(catalogue, soql.ljust(SOQL_CHARS), now=_NOW)
    assert _refusal(catalogue, soql.ljust(SOQL_CHARS + 1))[0] == "MALFORMED_QUERY"


@pytest.mark.documented
def test_a_text_has_four_thousand_characters(catalogue: Catalogue) -> None:
    """Longer texts in WHERE are refused, in lists and patterns too."""
    assert plan_query(catalogue, f"SELECT Id FROM Account WHERE Name = '{'x' * 4000}'", now=_NOW)
    text = "x" * 4001
    for condition in (f"Name = '{text}'", f"Name IN ('a', '{text}')", f"Name LIKE '{text}'"):
        assert _refusal(catalogue, f"SELECT Id FROM Account WHERE {condition}")[0] == "MALFORMED_QUERY"


@pytest.mark.documented
def test_twenty_child_subqueries_stand_beside_each_other() -> None:
    """The twenty-first is refused."""
    parent = Field(
        name="Up__c", label="Up", type=FieldType.REFERENCE, reference_to=("A__c",), relationship_name="Up__r"
    )
    fields = (Field(name="Id", label="Id", type=FieldType.ID), parent)
    below = tuple(ChildRelationship(name=f"C{n}__r", child="A__c", field="Up__c") for n in range(MAX_CHILDREN + 1))
    one = SObject(name="A__c", label="A", label_plural="A", key_prefix="a00", fields=fields, child_relationships=below)
    queries = [f"(SELECT Id FROM C{n}__r)" for n in range(MAX_CHILDREN + 1)]
    assert plan_query(Catalogue([one]), f"SELECT {', '.join(queries[:-1])} FROM A__c", now=_NOW)
    assert _refusal(Catalogue([one]), f"SELECT {', '.join(queries)} FROM A__c")[0] == "MALFORMED_QUERY"


@pytest.mark.documented
def test_a_query_reaches_fifty_five_parents() -> None:
    """The fifty-sixth is refused."""
    references = tuple(
        Field(
            name=f"P{n}__c",
            label="P",
            type=FieldType.REFERENCE,
            reference_to=("A__c",),
            relationship_name=f"P{n}__r",
        )
        for n in range(MAX_PARENTS + 1)
    )
    one = SObject(
        name="A__c",
        label="A",
        label_plural="A",
        key_prefix="a00",
        fields=(Field(name="Id", label="Id", type=FieldType.ID), *references),
    )
    paths = [f"P{n}__r.Id" for n in range(MAX_PARENTS + 1)]
    assert plan_query(Catalogue([one]), f"SELECT {', '.join(paths[:-1])} FROM A__c", now=_NOW)
    refusal = _refusal(Catalogue([one]), f"SELECT {', '.join(paths)} FROM A__c")
    assert refusal == ("MALFORMED_QUERY", "Maximum 55 child to parent relationships are allowed in a query")


@pytest.mark.documented
def test_two_long_texts_make_small_pages_and_viewing_is_not_for_bulk(catalogue: Catalogue) -> None:
    """Two custom long texts are noticed, one is not; a query job takes no FOR VIEW."""
    many = plan_query(catalogue, "SELECT Story__c, Plan__c FROM Site__c", now=_NOW)
    few = plan_query(catalogue, "SELECT Story__c, Name FROM Site__c", now=_NOW)
    assert (Feature.LONG_TEXTS in many.features, Feature.LONG_TEXTS in few.features) == (True, False)
    with pytest.raises(SFError):
        check_bulk(plan_query(catalogue, "SELECT Id FROM Site__c FOR VIEW", now=_NOW))


def test_a_whole_number_of_any_length_is_a_number(catalogue: Catalogue, org: Connection) -> None:
    """Numbers beyond 64 bits and beyond every float are compared, not stumbled over."""
    for digits in (19, 20, 309, 9_000):
        plan = plan_query(catalogue, f"SELECT Id FROM Account WHERE Employees < {'9' * digits}", now=_NOW)
        assert results.total(plan, org) == 3


def test_large_sorts_go_to_a_file(accounts: Storage) -> None:
    """A reader keeps no sort in memory that is larger than its page cache."""
    with accounts.read() as connection:
        stores = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("temp_store", "cache_size")]
    assert stores == [1, -16_384]


@settings(max_examples=300, deadline=None)
@example("SELECT")
@example("SELECT Id FROM Account WHERE DISTANCE(")
@given(
    st.lists(
        st.sampled_from(_WORDS),
        max_size=25,
    ).map(" ".join)
    | st.text(max_size=60)
)
def test_any_text_is_planned_or_refused(soql: str) -> None:
    """Whatever is asked, the outcome is a plan or one of Salesforce's refusals."""
    try:
        plan_query(_CATALOGUE, soql, now=_NOW)
    except SFError as error:
        assert error.status == 400  # noqa: PT017 one of two right outcomes


_CATALOGUE = Catalogue(
    [
        SObject(
            name="Account",
            label="Account",
            label_plural="Accounts",
            key_prefix="001",
            fields=(
                Field(name="Id", label="Id", type=FieldType.ID),
                Field(name="Name", label="Name", type=FieldType.STRING, name_field=True),
                Field(
                    name="OwnerId",
                    label="Owner",
                    type=FieldType.REFERENCE,
                    reference_to=("Account",),
                    relationship_name="Owner",
                ),
            ),
            child_relationships=(ChildRelationship(name="Contacts", child="Account", field="OwnerId"),),
        )
    ]
)
