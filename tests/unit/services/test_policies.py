"""Policies from their JSON form, what several roles add up to, and what the firewall makes of a query."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orgbridge.services.policies.conditions import decide
from orgbridge.services.policies.errors import OperationRefused, PolicyInvalid, QueryRefused, UnknownName
from orgbridge.services.policies.facts import facts_of
from orgbridge.services.policies.firewall import secure
from orgbridge.services.policies.masking import mask_records, masked
from orgbridge.services.policies.model import Mask, Operation
from orgbridge.services.policies.parsing import parse_policy
from orgbridge.services.policies.policy import may_see_job, policy_of
from orgbridge.services.policies.visibility import field_rights
from orgbridge.soql import parse
from tests.support.callers import UNRESTRICTED, restricted
from tests.support.policy_world import lookup

_QUERY = frozenset({Operation.QUERY})
_WEST = "Region__c = 'West'"


def _role(name: str = "Account", **rule: Any) -> dict[str, Any]:
    return {"objects": {name: {"operations": ["query"], **rule}}}


def _run(soql: str, *policies: Any, **rest: Any) -> str:
    return secure(soql, policy_of(restricted(*policies)), lookup, _QUERY, **rest).text


@pytest.mark.parametrize(
    ("policy", "path", "mend"),
    [
        ({"object": {}}, "object", "did you mean objects"),
        ({"objects": {"Account": {}}}, "objects.Account.operations", '["read", "query"]'),
        ({"objects": {"Acc ount": {"operations": []}}}, "objects.Acc ount", "no API name"),
        ({"objects": {"A": {"operations": ["reed"]}}}, "objects.A.operations[0]", "must be one of read"),
        ({"objects": {"A": {"operations": ["read"]}, "a": {"operations": []}}}, "objects.a", "named twice"),
        (_role(hidden=["Id"]), "objects.Account.hidden", "Id cannot"),
        (_role(hidden="Name"), "objects.Account.hidden", "list of texts"),
        (_role(masked={"Phone": "last5"}), "objects.Account.masked.Phone", "last4"),
        (_role(masked={"Phone": "hash"}), "hash_key", "16 or more"),
        (_role(where="Name = = 3"), "objects.Account.where", "character 8"),
        (_role(where="Name = 'x' LIMIT 5"), "objects.Account.where", "condition alone"),
        (_role(where="Name = :caller.secret"), "objects.Account.where", "there are :caller.user_id"),
        (_role("*", where=_WEST), "objects.*.where", "belongs to one object"),
        ({"objects": {}, "max_rows": 0}, "max_rows", "1 or more"),
        ({"objects": {}, "jobs": "some"}, "jobs", '"own" or "all"'),
        ({"objects": []}, "objects", "JSON object"),
    ],
)
def test_a_wrong_policy_is_refused_with_its_path(policy: dict[str, Any], path: str, mend: str) -> None:
    """The author learns where and what to write instead."""
    with pytest.raises(PolicyInvalid) as refused:
        parse_policy(policy)
    assert refused.value.path == path
    assert mend in refused.value.message


@pytest.mark.parametrize("soql", ["SELECT Id FROM Nope", "no query at all (", "select x.Name from Account x"])
def test_without_a_policy_nothing_is_changed(soql: str) -> None:
    """A role without a policy beside one with a policy takes the restriction away; so does having no role."""
    for caller in (UNRESTRICTED, restricted(), restricted(_role(), None)):
        assert policy_of(caller).is_unrestricted
    if "(" not in soql:
        assert secure(soql, policy_of(UNRESTRICTED), lookup, _QUERY).text == soql


def test_equal_policies_are_made_ready_once() -> None:
    """Two callers with the same roles share one policy, callers with values of their own do not."""
    assert policy_of(restricted(_role())) is policy_of(restricted(_role()))
    bound = _role(where="Name = :caller.username")
    assert policy_of(restricted(bound, username="a")) is not policy_of(restricted(bound, username="b"))


@pytest.mark.parametrize(
    ("soql", "expected"),
    [
        ("SELECT Name FROM Account", "SELECT Name FROM Account WHERE Region__c = 'West'"),
        (
            "select a.name from account a where a.phone = '1' or a.phone = '2'",
            "SELECT Name FROM Account WHERE (Phone = '1' OR Phone = '2') AND Region__c = 'West'",
        ),
        ("SELECT COUNT() FROM Account", "SELECT COUNT() FROM Account WHERE Region__c = 'West'"),
        (
            "SELECT Account.Name FROM Contact",
            "SELECT Account.Name FROM Contact WHERE AccountId = NULL OR Account.Region__c = 'West'",
        ),
        (
            "SELECT Id FROM Contact WHERE AccountId NOT IN (SELECT Id FROM Account)",
            "SELECT Id FROM Contact WHERE AccountId NOT IN (SELECT Id FROM Account WHERE Region__c = 'West')",
        ),
        (
            "SELECT Id, (SELECT Name FROM ChildAccounts) FROM Account",
            "SELECT Id, (SELECT Name FROM ChildAccounts WHERE Region__c = 'West') FROM Account "
            "WHERE Region__c = 'West'",
        ),
        (
            "SELECT Parent.Parent.Name FROM Account",
            "SELECT Parent.Parent.Name FROM Account WHERE Region__c = 'West' AND "
            "(ParentId = NULL OR Parent.Region__c = 'West') AND "
            "(Parent.ParentId = NULL OR Parent.Parent.Region__c = 'West')",
        ),
        (
            "SELECT FIELDS(CUSTOM) FROM Account LIMIT 200",
            "SELECT Region__c FROM Account WHERE Region__c = 'West' LIMIT 200",
        ),
    ],
)
def test_the_condition_stands_wherever_the_object_is_read(soql: str, expected: str) -> None:
    """In the query, its children, its subqueries and along its parents."""
    role = _role(where=_WEST, hidden=["Secret__c"])
    role["objects"]["Contact"] = {"operations": ["query"]}
    assert _run(soql, role) == expected


def test_roles_stand_side_by_side() -> None:
    """A query sees the rows of those roles that show every field which it uses, and never rows of one by another."""
    wide, deep = _role(hidden=["Secret__c"]), _role(where=_WEST)
    assert _run("SELECT Name FROM Account", wide, deep) == "SELECT Name FROM Account"
    assert _run("SELECT Secret__c FROM Account", wide, deep) == "SELECT Secret__c FROM Account WHERE Region__c = 'West'"
    east = _role(where="Region__c = 'East'", hidden=["Phone"])
    assert _run("SELECT Name FROM Account", deep, east).endswith("WHERE Region__c = 'West' OR Region__c = 'East'")
    with pytest.raises(QueryRefused, match="No single role"):
        _run("SELECT Phone, Secret__c FROM Account", wide, east | _role(where=_WEST, hidden=["Phone"]))


def test_a_field_is_masked_where_no_role_shows_it() -> None:
    """A role that shows it wins, with its own rows; otherwise the strictest mask is taken."""
    full, last = _role(masked={"Phone": "full"}), _role(masked={"Phone": "last4"})
    facts = lookup("Account")
    assert facts is not None
    assert policy_of(restricted(full, last)).view(facts, _QUERY).masks["phone"][0] is Mask.FULL
    shown = policy_of(restricted(full, _role(where=_WEST)))
    assert "phone" not in shown.view(facts, _QUERY).masks
    assert secure("SELECT Phone FROM Account", shown, lookup, _QUERY).text.endswith(_WEST)


def test_a_condition_that_asks_what_the_caller_lacks_grants_nothing() -> None:
    """To compare with null instead would show the rows without a value."""
    role = _role(where="Name = :caller.sf_username")
    with pytest.raises(UnknownName):
        _run("SELECT Id FROM Account", role)
    named = _role(where="Name = :caller.username AND Region__c IN (:caller.user_id, 'x')")
    text = _run("SELECT Id FROM Account", named)
    assert text.endswith("WHERE Name = 'bob' AND Region__c IN ('user_2', 'x')")


@pytest.mark.parametrize(
    ("soql", "refusal"),
    [
        ("SELECT Secret__c FROM Account", UnknownName),
        ("SELECT Copy__c FROM Account", UnknownName),
        ("SELECT Id FROM User", UnknownName),
        ("SELECT Owner.Name FROM Account", UnknownName),
        ("SELECT Id, (SELECT Id FROM Tasks) FROM Account", UnknownName),
        ("SELECT Id FROM Account ALL ROWS", OperationRefused),
        ("SELECT Id FROM Account FOR VIEW", QueryRefused),
        ("SELECT Id FROM Account WITH UserId = 'x'", QueryRefused),
        ("SELECT Id FROM Account Parent WHERE Parent.Name = 'x'", QueryRefused),
        ("SELECT Id FROM Account WHERE Parent.Phone = 'x'", QueryRefused),
    ],
)
def test_what_is_not_granted_is_refused(soql: str, refusal: type[Exception]) -> None:
    """Hidden, derived from hidden, not granted at all, not analysable, or telling a masked value."""
    with pytest.raises(refusal):
        _run(soql, _role(hidden=["Secret__c"], masked={"Phone": "full"}))


def test_a_refusal_points_at_its_place() -> None:
    """Row and column are told, and the position for machines."""
    with pytest.raises(UnknownName) as refused:
        _run("SELECT Id,\n  Secret__c FROM Account", _role(hidden=["Secret__c"]))
    assert "ERROR at Row:2:Column:3" in refused.value.message
    assert refused.value.details[0]["position"] == 13


def test_what_repeats_an_object_goes_with_it() -> None:
    """`*` does not grant the history, feed or shares of an object of which something is kept back."""
    policy = policy_of(restricted({"objects": {"*": {"operations": ["query"]}, **_role(hidden=["Phone"])["objects"]}}))
    for name in ("AccountHistory", "AccountShare", "FieldDefinition"):
        assert not policy.grants(name)
    assert policy.grants("ContactHistory")
    assert policy_of(restricted({"objects": {"*": {"operations": ["query"]}}})).grants("AccountHistory")


def test_compounds_and_formulas_follow_their_parts() -> None:
    """A compound tells its parts and a formula what it names; parts of a masked compound are masked."""
    fields = [
        {"name": "Name", "type": "string"},
        {"name": "FirstName", "type": "string", "compoundFieldName": "Name"},
        {"name": "Pay__c", "type": "double"},
        {"name": "Bonus__c", "type": "double", "calculated": True, "calculatedFormula": "Pay__c * 2"},
        {"name": "Size__c", "type": "double", "calculated": True, "calculatedFormula": "LEN('Pay__c')"},
        {"name": "Sum__c", "type": "double", "calculated": True},
    ]
    facts = facts_of({"name": "X__c", "keyPrefix": "a01", "fields": fields})

    def plain(**rule: Any) -> set[str]:
        role = parse_policy(_role("X__c", **rule))
        return set(field_rights(role, role.objects["x__c"], facts).plain)

    assert plain(hidden=["FirstName"]) == {"pay__c", "bonus__c", "size__c"}
    assert plain(hidden=["Pay__c"]) == {"name", "firstname", "size__c"}
    assert plain(masked={"Name": "full"}) == {"pay__c", "bonus__c", "size__c"}
    assert plain(visible=["Name"]) == {"name", "firstname"}
    assert "sum__c" in plain(derived=["Sum__c"])


def test_masks_keep_what_they_promise() -> None:
    """Equal values hash alike and under one key only, short texts are not shown, null stays null."""
    assert masked("031 555 1234", Mask.LAST4, "") == "********1234"
    assert masked("12345", Mask.LAST4, "") == "********"
    assert masked(12345678, Mask.LAST4, "") is None
    assert masked("a", Mask.FULL, "") == masked("abcdefgh", Mask.FULL, "")
    assert masked("a", Mask.HASH, "k1") == masked("a", Mask.HASH, "k1") != masked("a", Mask.HASH, "k2")
    assert all(masked(None, mask, "k") is None for mask in Mask)
    record = {"attributes": {"type": "Contact"}, "Account": {"attributes": {"type": "Account"}, "Phone": "12345678"}}
    shown = mask_records([record], lambda kind: {"phone": (Mask.NULL, "")} if kind == "Account" else {})
    assert shown[0]["Account"]["Phone"] is None


@pytest.mark.parametrize(
    ("condition", "values", "expected"),
    [
        ("A = 'x'", {"a": "x"}, True),
        ("A = 'x'", {"a": "X"}, None),
        ("A = 'x'", {"a": "y"}, False),
        ("A = 'x'", {}, None),
        ("A = 'x' OR B = 1", {"b": 1}, True),
        ("A = 'x' AND B = 1", {"b": 2}, False),
        ("NOT (A = 'x')", {"a": "y"}, True),
        ("A != null", {"a": ""}, False),
        ("A IN ('x', 'y')", {"a": "y"}, True),
        ("A NOT IN ('x', 'y')", {"a": "Y"}, None),
        ("A = 1", {"a": 0.9999}, None),
        ("A = TRUE", {"a": "true"}, None),
        ("A > 1", {"a": 2}, None),
        ("A.B = 'x'", {"a": "x"}, None),
        ("A = '001000000000001'", {"a": "001000000000001AAA"}, True),
        ("A = TODAY", {"a": "2025-01-01"}, None),
    ],
)
def test_only_what_every_org_agrees_on_is_decided(
    condition: str, values: dict[str, Any], expected: bool | None
) -> None:
    """Case, rounding, relative dates and parents are left undecided, and so are refused."""
    where = parse(f"SELECT Id FROM X WHERE {condition}").where
    assert where is not None
    assert decide(where, values) is expected


@given(st.booleans(), st.booleans(), st.sampled_from(["bob", "eve", None]))
def test_jobs_are_seen_by_their_owners(is_admin: bool, sees_all: bool, owner: str | None) -> None:
    """Others see them as an admin, or where the policy says so."""
    caller = UNRESTRICTED if is_admin else restricted({"objects": {}, "jobs": "all" if sees_all else "own"})
    assert may_see_job(caller, owner) == (is_admin or sees_all or owner == "bob")
