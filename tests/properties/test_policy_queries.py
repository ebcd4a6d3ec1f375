"""No generated query of a generated policy reads a hidden field or a row outside the policy, by whatever detour."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from orgbridge.emulator.schema.errors import SFError
from orgbridge.emulator.storage.database import Storage
from orgbridge.kit.json import dumps
from orgbridge.services.policies.errors import PolicyError
from orgbridge.services.policies.firewall import secure
from orgbridge.services.policies.masking import mask_records
from orgbridge.services.policies.model import Operation
from orgbridge.services.policies.policy import Policy, policy_of
from orgbridge.services.policies.searches import secure_search
from orgbridge.soql import SOQLError, parse
from tests.support import policy_world as world
from tests.support.callers import restricted
from tests.support.policy_world import IDS, MARKER, RoleDraft, Rows

_QUERY, _SEARCH = frozenset({Operation.QUERY}), frozenset({Operation.SEARCH})
_FIELDS = {
    "Account": ["Name", "Region__c", "Secret__c", "Phone", "Revenue", "ParentId", "OwnerId", "CreatedDate", "Copy__c"],
    "Contact": ["Name", "FirstName", "LastName", "Email", "Region__c", "Score", "AccountId", "CreatedDate"],
    "User": ["Name", "Email", "Region__c"],
    "Task": ["Subject", "Region__c", "WhoId", "WhatId"],
}
_PARENTS = {
    "Account": ["Owner.Name", "Owner.Email", "Owner.Region__c", "Parent.Name", "Parent.Secret__c", "Parent.Owner.Name",
                "Parent.Region__c", "Parent.Copy__c"],
    "Contact": ["Account.Name", "Account.Secret__c", "Account.Region__c", "Account.Owner.Email", "Account.Parent.Phone",
                "Account.Revenue", "Account.Id"],
    "User": [],
    "Task": ["Who.Name", "Who.Email", "Who.Type", "What.Name", "What.Secret__c", "What.Owner.Name", "Who.FirstName"],
}  # fmt: skip
_CHILDREN = {
    "Account": [("Contacts", "Contact"), ("ChildAccounts", "Account"), ("Tasks", "Task")],
    "Contact": [("Tasks", "Task")],
    "User": [],
    "Task": [],
}
_SEMI = {
    "Account": ["Id {} (SELECT AccountId FROM Contact{})", "OwnerId {} (SELECT Id FROM User{})",
                "Id {} (SELECT ParentId FROM Account{})"],
    "Contact": ["AccountId {} (SELECT Id FROM Account{})", "Account.OwnerId {} (SELECT Id FROM User{})",
                "Id {} (SELECT WhoId FROM Task{})"],
    "User": ["Id {} (SELECT OwnerId FROM Account{})"],
    "Task": ["WhatId {} (SELECT Id FROM Account{})"],
}  # fmt: skip
_INNER = {"Contact": "Contact", "User": "User", "Account": "Account", "Task": "Task"}
_NUMBERS = ("Revenue", "Score", "Account.Revenue")
_TEXTS = ["'West'", "'East'", f"'{MARKER}'", "'a'", "null", "''"]

# Policies ----------------------------------------------------------------------------------------------------------

_WHERES = {
    "Account": [None, None, "Region__c = 'West'", "Region__c != 'West'", "(Region__c = 'West' OR Region__c = NULL)",
                "OwnerId IN (SELECT Id FROM User WHERE Region__c = 'West')"],
    "Contact": [None, None, "Region__c = 'West'", "Account.Region__c = 'West'", "Region__c != 'West'"],
    "User": [None, None, None, "Region__c = 'West'"],
    "Task": [None, None, "Region__c = 'West'"],
}  # fmt: skip


@st.composite
def _roles(draw: st.DrawFn) -> RoleDraft:
    hidden, masked, wheres = {}, {}, {}
    for name, fields in _FIELDS.items():
        if draw(st.integers(0, 7)) == 0:
            continue
        kept = draw(st.lists(st.sampled_from(fields), max_size=2, unique=True))
        veiled = draw(st.lists(st.sampled_from(fields), max_size=1))
        hidden[name] = frozenset(kept)
        masked[name] = {field: draw(st.sampled_from(["null", "full"])) for field in veiled}
        wheres[name] = draw(st.sampled_from(_WHERES[name]))
    return RoleDraft(hidden=hidden, masked=masked, wheres=wheres)


# Rows --------------------------------------------------------------------------------------------------------------

_TEXT = st.sampled_from([None, "a", "b", "West"])
_REGION = st.sampled_from([None, "West", "West", "East"])
_DATE = st.sampled_from(["2025-01-02T03:04:05.000Z", "2024-06-07T08:09:10.000Z"])
_NUMBER = st.sampled_from([None, 0.0, 1.0, 2.5])


def _row(name: str) -> dict[str, st.SearchStrategy[Any]]:
    some = {
        "Account": {
            "Name": _TEXT, "Secret__c": _TEXT, "Phone": _TEXT, "Revenue": _NUMBER,
            "ParentId": st.sampled_from([None, *IDS["Account"]]), "OwnerId": st.sampled_from(IDS["User"]),
        },
        "Contact": {
            "FirstName": _TEXT, "LastName": _TEXT, "Email": _TEXT, "Score": _NUMBER,
            "AccountId": st.sampled_from([None, *IDS["Account"]]),
        },
        "User": {"Name": _TEXT, "Email": _TEXT},
        "Task": {
            "Subject": _TEXT, "WhoId": st.sampled_from([None, *IDS["Contact"], *IDS["User"]]),
            "WhatId": st.sampled_from([None, *IDS["Account"]]),
        },
    }[name]  # fmt: skip
    return {"Region__c": _REGION, "CreatedDate": _DATE, "IsDeleted": st.just(False), **some}


_rows = st.fixed_dictionaries(
    {
        name: st.tuples(*(st.fixed_dictionaries({"Id": st.just(one), **_row(name)}) for one in ids)).map(list)
        for name, ids in IDS.items()
    }
).map(world.derive)

# Queries -----------------------------------------------------------------------------------------------------------


def _paths(name: str) -> list[str]:
    return ["Id", *_FIELDS[name], *_FIELDS[name], *_PARENTS[name]]


@st.composite
def _simple(draw: st.DrawFn, name: str) -> str:
    path = draw(st.sampled_from(_paths(name)))
    last = path.split(".")[-1]
    if last in _NUMBERS:
        return f"{path} {draw(st.sampled_from(['=', '!=', '<', '>=']))} {draw(st.sampled_from(['0', '1', '-987654']))}"
    if last == "CreatedDate":
        return draw(st.sampled_from([f"{path} > 2020-01-01T00:00:00Z", f"CALENDAR_YEAR({path}) = 2025"]))
    if last.endswith("Id"):
        return f"{path} {draw(st.sampled_from(['=', '!=']))} {draw(st.sampled_from([repr(IDS['Account'][0]), 'null']))}"
    match draw(st.sampled_from(["equal", "in", "like", "range"])):
        case "in":
            values = ", ".join(draw(st.lists(st.sampled_from(_TEXTS), min_size=1, max_size=2)))
            return f"{path} {draw(st.sampled_from(['IN', 'NOT IN']))} ({values})"
        case "like":
            return f"{path} LIKE '{draw(st.sampled_from(['a%', MARKER[:3] + '%', '%']))}'"
        case "range":
            return f"{path} {draw(st.sampled_from(['<', '>=']))} 'b'"
        case _:
            return f"{path} {draw(st.sampled_from(['=', '!=']))} {draw(st.sampled_from(_TEXTS))}"


@st.composite
def _where(draw: st.DrawFn, name: str, *, semi: bool = True) -> str:
    shape = draw(st.integers(0, 5))
    if shape < 2:
        return ""
    if shape == 2 and semi:
        inner = draw(st.sampled_from(_SEMI[name]))
        target = _INNER[inner.split("FROM ")[1].split("{")[0]]
        tail = draw(_where(target, semi=False))
        return " WHERE " + inner.format(draw(st.sampled_from(["IN", "NOT IN"])), tail)
    items = draw(st.lists(_simple(name), min_size=1, max_size=2))
    word = draw(st.sampled_from([" AND ", " OR "]))
    text = word.join(items)
    return f" WHERE {text}" if draw(st.booleans()) else f" WHERE NOT ({text})"


@st.composite
def _order(draw: st.DrawFn, name: str) -> str:
    if draw(st.integers(0, 2)):
        return ""
    return f" ORDER BY {draw(st.sampled_from(_paths(name)))}{draw(st.sampled_from(['', ' DESC NULLS LAST']))}"


_LIMITS = st.sampled_from(["", "", "", " LIMIT 1", " LIMIT 2 OFFSET 1"])


@st.composite
def _select(draw: st.DrawFn, name: str, *, depth: int = 0) -> str:
    items: list[str] = draw(st.lists(st.sampled_from(_paths(name)), min_size=1, max_size=3, unique=True))
    if draw(st.integers(0, 6)) == 0:
        items = [draw(st.sampled_from(["FIELDS(ALL)", "FIELDS(STANDARD)", "FIELDS(CUSTOM)"]))]
    extra = draw(st.integers(0, 9))
    if extra == 0:
        path = draw(st.sampled_from(_paths(name)))
        items.append(draw(st.sampled_from([f"toLabel({path})", f"FORMAT({path})"])))
    if name == "Task" and extra in (1, 2, 3):
        otherwise = draw(st.sampled_from(["", " ELSE Name", " ELSE Id, Email"]))
        inner = draw(st.sampled_from(["FirstName", "Email", "Id, Region__c", "Account.Name"]))
        items.append(f"TYPEOF Who WHEN Contact THEN {inner} WHEN User THEN Email{otherwise} END")
    if depth == 0 and _CHILDREN[name] and extra in (4, 5, 6):
        relationship, child = draw(st.sampled_from(_CHILDREN[name]))
        items.append(f"({draw(_records(child, relationship, depth=1))})")
    return ", ".join(items)


@st.composite
def _records(draw: st.DrawFn, name: str, source: str, *, depth: int = 0) -> str:
    limit = draw(_LIMITS) if depth == 0 else ""
    select = draw(_select(name, depth=depth))
    if "FIELDS(" in select and not limit:
        limit = " LIMIT 200"
    return f"SELECT {select} FROM {source}{draw(_where(name, semi=depth == 0))}{draw(_order(name))}{limit}"


@st.composite
def _aliased(draw: st.DrawFn, name: str) -> str:
    fields = draw(st.lists(st.sampled_from(_FIELDS[name]), min_size=1, max_size=2, unique=True))
    condition = draw(st.sampled_from(_FIELDS[name]))
    prefix = draw(st.sampled_from(["x", name]))
    alias = " x" if prefix == "x" else ""
    tail = f" WHERE {prefix}.{condition} != null" if draw(st.booleans()) else ""
    if name == "Contact" and alias and draw(st.booleans()):
        field = draw(st.sampled_from(_FIELDS["Account"]))
        return f"SELECT x.Id, a.{field} FROM Contact x, x.Account a{tail}"
    return f"SELECT {', '.join(f'{prefix}.{field}' for field in fields)} FROM {name}{alias}{tail}"


@st.composite
def _groups(draw: st.DrawFn, name: str) -> str:
    path = draw(st.sampled_from([path for path in _paths(name) if path != "Id"]))
    other = draw(st.sampled_from(_paths(name)))
    function = draw(st.sampled_from(["COUNT", "COUNT_DISTINCT", "MIN", "MAX"]))
    if draw(st.integers(0, 3)) == 0:
        return f"SELECT COUNT() FROM {name}{draw(_where(name))}"
    if draw(st.booleans()):
        return f"SELECT {function}({other}) FROM {name}{draw(_where(name))}"
    group = f"CALENDAR_YEAR({path})" if path == "CreatedDate" else path
    having = draw(st.sampled_from(["", "", " HAVING COUNT(Id) > 1", f" HAVING MIN({other}) != null"]))
    word = draw(st.sampled_from(["{}", "{}", "ROLLUP({})"])).format(group)
    where = draw(_where(name))
    order = f" ORDER BY {group}"
    return f"SELECT {group}, {function}({other}) n FROM {name}{where} GROUP BY {word}{having}{order}"


_queries = st.sampled_from(list(_FIELDS)).flatmap(
    lambda name: st.one_of(_records(name, name), _records(name, name), _aliased(name), _groups(name))
)


# Properties --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def org() -> Iterator[Storage]:
    """The small org."""
    with world.small_org() as storage:
        yield storage


def _reply(storage: Storage, policy: Policy, text: str, operations: frozenset[Operation] = _QUERY) -> Any:
    try:
        with storage.read() as connection:
            reply = (world.answer if operations == _QUERY else world.found)(connection, text)
    except SFError as error:
        return str(error)

    def masks_of(kind: str) -> Any:
        facts = world.lookup(kind)
        return policy.view(facts, operations).masks if facts is not None else {}

    return mask_records(reply, masks_of)


_HEALTH = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]


@settings(
    max_examples=160,
    deadline=None,
    suppress_health_check=_HEALTH,
    # Shrinking whole orgs takes minutes; the message names the one query.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(
    roles=st.lists(_roles(), min_size=1, max_size=2), rows=_rows, queries=st.lists(_queries, min_size=4, max_size=10)
)
def test_what_a_policy_hides_changes_no_answer(
    roles: list[RoleDraft], rows: Rows, queries: list[str], org: Storage
) -> None:
    """Two orgs that differ in hidden cells and rows only answer every query alike, and never show what is hidden."""
    policy = policy_of(restricted(*(role.json() for role in roles)))
    secured = []
    for soql in queries:
        try:
            done = secure(soql, policy, world.lookup, _QUERY)
        except PolicyError:
            event("refused")
            continue
        event("allowed")
        assert parse(done.text) == done.query
        secured.append((soql, done.text))
    answers = []
    for version in (rows, world.other_world(roles, rows)):
        world.fill(org, version)
        answers.append([_reply(org, policy, text) for _, text in secured])
    for (soql, text), one, other in zip(secured, *answers, strict=True):
        assert one == other, f"{soql}\nwas run as\n{text}"
        assert isinstance(other, str) or MARKER not in dumps(other).decode(), f"{soql}\nwas run as\n{text}"
        event("answered" if isinstance(one, dict) else "org refused")


@st.composite
def _searches(draw: st.DrawFn) -> str:
    word = draw(st.sampled_from(["West", "East", MARKER, f"{MARKER[:4]}*", "aa OR West", "West AND NOT aa"]))
    group = draw(st.sampled_from(["", " IN NAME FIELDS", " IN EMAIL FIELDS", " IN PHONE FIELDS", " IN ALL FIELDS"]))
    name = draw(st.sampled_from(list(_FIELDS)))
    items = ", ".join(draw(st.lists(st.sampled_from(_paths(name)), min_size=1, max_size=2, unique=True)))
    where = draw(_where(name, semi=False))
    return f"FIND {{{word}}}{group} RETURNING {name}({items}{where}{draw(_order(name))})"


@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=_HEALTH,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(
    roles=st.lists(_roles(), min_size=1, max_size=2), rows=_rows, searches=st.lists(_searches(), min_size=4, max_size=8)
)
def test_what_a_policy_hides_changes_no_search(
    roles: list[RoleDraft], rows: Rows, searches: list[str], org: Storage
) -> None:
    """Whether a record is found tells nothing of what stands in its hidden fields."""
    policy = policy_of(restricted(*(role.json(["search"]) for role in roles)))
    secured = []
    for sosl in searches:
        try:
            secured.append((sosl, secure_search(sosl, policy, world.lookup).text))
        except (PolicyError, SOQLError):
            event("refused")
            continue
        event("allowed")
    answers = []
    for version in (rows, world.other_world(roles, rows)):
        world.fill(org, version)
        answers.append([_reply(org, policy, text, _SEARCH) for _, text in secured])
    for (sosl, text), one, other in zip(secured, *answers, strict=True):
        assert one == other, f"{sosl}\nwas run as\n{text}"
        assert isinstance(other, str) or MARKER not in dumps(other).decode(), f"{sosl}\nwas run as\n{text}"
        event("found" if one and isinstance(one, list) else "nothing found or org refused")
