"""Whatever is written under whatever policy: no row is made, changed, moved or deleted that no role allows.

The emulated org is looked at before and after every write, by somebody whom nothing restricts, and what has changed is
judged by hand from the words of the policy. The services that do the writing are the real ones.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, Phase, event, example, given, settings
from hypothesis import strategies as st

from orgbridge.client import ClientCredentials, Secret
from orgbridge.kit.clock import SystemClock
from orgbridge.kit.errors import OrgbridgeError
from orgbridge.kit.json import loads
from orgbridge.orgs.connections import OrgConfig, Orgs
from orgbridge.services.batches import BatchService
from orgbridge.services.composite import CompositeService
from orgbridge.services.cursors import Cursors
from orgbridge.services.policies.errors import PolicyError
from orgbridge.services.queries import QueryService, QueryText
from orgbridge.services.records import RecordService
from orgbridge.services.scopes import Caller
from orgbridge.wiring.hosting import HostedOrg
from tests.support.callers import UNRESTRICTED, restricted

Row = dict[str, Any]
World = dict[str, dict[str, Row]]

_FIELDS = {
    "Account": ("Name", "Industry", "Rating", "Phone", "External_Id__c"),
    "Contact": ("LastName", "Department", "Phone", "AccountId"),
}
_WHERES: dict[str, list[str | None]] = {
    "Account": [
        None,
        "Industry = 'Banking'",
        "Industry != 'Banking'",
        "Rating = 'Hot' AND Industry IN ('Banking', 'Retail')",
        "(Industry = 'Banking' OR Industry = NULL)",
    ],
    "Contact": [
        None,
        "Department = 'Sales'",
        "Account.Industry = 'Banking'",
        "AccountId IN (SELECT Id FROM Account WHERE Industry = 'Banking')",
    ],
}
_OPERATIONS = ["create", "update", "upsert", "delete"]
_WORDS = {
    "Name": ["One", "Two"],
    "Industry": ["Banking", "banking", "Retail", None, ""],
    "Rating": ["Hot", "Cold", None],
    "Phone": ["031 555 1234", None],
    "LastName": ["Ada", "Bob"],
    "Department": ["Sales", "sales", "Stores", None],
}
_KEYS = ["K-1", "K-1", "k-1", "K-2", "K-9"]
_WAYS = ["record", "batch", "composite", "collection"]
_mostly = st.sampled_from([True, True, True, False])


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a role says of an object."""

    operations: tuple[str, ...]
    where: str | None
    hidden: frozenset[str]
    masked: frozenset[str]
    read_only: frozenset[str]

    def json(self) -> Row:
        """Return it as a policy has it."""
        rule: Row = {
            "operations": ["read", "query", *self.operations],
            "hidden": sorted(self.hidden),
            "masked": dict.fromkeys(sorted(self.masked), "full"),
            "read_only": sorted(self.read_only),
        }
        return rule if self.where is None else {**rule, "where": self.where}

    def writes(self, field: str) -> bool:
        """Tell whether it lets a field be written."""
        return field not in self.hidden | self.masked | self.read_only


_NOTHING: frozenset[str] = frozenset()
_OPEN = Rule(operations=tuple(_OPERATIONS), where=None, hidden=_NOTHING, masked=_NOTHING, read_only=_NOTHING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One write: what is done, by which way, and with what. Rows are numbers of those that are there."""

    way: str
    operation: str
    sobject: str
    row: int
    key: str
    values: Mapping[str, Any]


@st.composite
def _rule(draw: st.DrawFn, name: str) -> Rule:
    none: st.SearchStrategy[frozenset[str]] = st.just(frozenset())
    one = st.sampled_from([f for f in _FIELDS[name] if f != "AccountId"]).map(lambda field: frozenset([field]))
    some = st.one_of(none, none, none, one)
    few = st.lists(st.sampled_from(_OPERATIONS), min_size=1, max_size=4, unique=True).map(tuple)
    return Rule(
        operations=draw(st.one_of(st.just(tuple(_OPERATIONS)), few)),
        where=draw(st.sampled_from(_WHERES[name])),
        hidden=draw(some),
        masked=draw(st.one_of(none, none, st.just(frozenset(["Phone"])))),
        read_only=draw(some),
    )


_rules = {name: _rule(name) for name in _FIELDS}
_roles = st.one_of(st.fixed_dictionaries(_rules), st.fixed_dictionaries({}, optional=_rules))


@st.composite
def _writes(draw: st.DrawFn) -> Write:
    sobject = draw(st.sampled_from(["Account", "Account", "Contact"]))
    words = {name: st.sampled_from(_WORDS[name]) for name in _FIELDS[sobject] if name in _WORDS}
    # Most writes say what conditions compare, so that some get through.
    head = {"Account": {"Name", "Industry"}, "Contact": {"LastName", "Department"}}[sobject] if draw(_mostly) else set()
    values: Row = draw(
        st.fixed_dictionaries(
            {name: word for name, word in words.items() if name in head},
            optional={name: word for name, word in words.items() if name not in head and name != "Phone"},
        )
    )
    if sobject == "Contact":
        parent = draw(st.sampled_from(["", "id", "id", "key"]))
        if parent == "id":
            values["AccountId"] = draw(st.integers(0, 5))
        elif parent == "key":
            values["Account"] = {"External_Id__c": draw(st.sampled_from(_KEYS))}
    elif not draw(_mostly):
        values["External_Id__c"] = draw(st.sampled_from(_KEYS))
    operation = draw(st.sampled_from([*_OPERATIONS, "delete by key"] if sobject == "Account" else _OPERATIONS))
    return Write(
        way=draw(st.sampled_from(_WAYS)),
        operation=operation,
        sobject=sobject,
        row=draw(st.sampled_from([0, 0, 0, 1, 2, 3, 5])),
        key=draw(st.sampled_from(_KEYS)),
        values=values,
    )


class _Org:
    """The emulated org and the services over it."""

    def __init__(self, orgs: Orgs) -> None:
        cursors = Cursors(b"the secret of these tests")
        self.records = RecordService(orgs)
        self.batches = BatchService(orgs, SystemClock())
        self.composite = CompositeService(orgs, cursors)
        self.queries = QueryService(orgs, cursors)

    async def fill(self) -> None:
        """Make three accounts and two people at each."""
        accounts = [
            {"Name": "Bank", "Industry": "Banking", "Rating": "Hot", "External_Id__c": "K-1", "Phone": "031 1"},
            {"Name": "Shop", "Industry": "Retail", "Rating": "Hot", "External_Id__c": "K-2", "Phone": "031 2"},
            {"Name": "None", "Rating": "Cold"},
        ]
        made = await self.batches.run("Account", "create", accounts, caller=UNRESTRICTED)
        people = [
            {"LastName": f"P{number}", "Department": department, "AccountId": result.id}
            for number, result in enumerate(made.results)
            for department in ("Sales", "Stores")
        ]
        await self.batches.run("Contact", "create", people, caller=UNRESTRICTED)

    async def world(self) -> World:
        """Return all rows by id."""
        found: World = {}
        for name, fields in _FIELDS.items():
            query = QueryText(soql=f"SELECT Id, {', '.join(fields)} FROM {name} ORDER BY Id")
            page = await self.queries.page(query, caller=UNRESTRICTED)
            found[name] = {row["Id"]: {field: row[field] for field in fields} for row in loads(page.records)}
        return found

    async def write(self, write: Write, world: World, caller: Caller) -> None:
        """Do it.

        Raises:
            OrgbridgeError: It was refused, here or by Salesforce.
        """
        identifier = _nth(world[write.sobject], write.row)
        values = dict(write.values)
        if "AccountId" in values:
            values["AccountId"] = _nth(world["Account"], values["AccountId"])
        match write.way:
            case "record":
                await self._single(write, identifier, values, caller)
            case "batch" if write.operation != "delete by key":
                await self._batch(write, identifier, values, caller)
            case "composite":
                await self._composite(write, identifier, values, caller)
            case _:
                await self._collection(write, identifier, values, caller)

    async def _single(self, write: Write, identifier: str, values: Row, caller: Caller) -> None:
        match write.operation:
            case "create":
                await self.records.create(write.sobject, values, caller=caller)
            case "update":
                await self.records.update(write.sobject, identifier, values, caller=caller)
            case "upsert":
                key = "External_Id__c" if write.sobject == "Account" else "Id"
                value = write.key if key != "Id" else identifier
                await self.records.upsert(write.sobject, key, value, values, caller=caller)
            case "delete":
                await self.records.delete(write.sobject, identifier, caller=caller)
            case _:
                await self.records.delete(write.sobject, write.key, external_id_field="External_Id__c", caller=caller)

    async def _batch(self, write: Write, identifier: str, values: Row, caller: Caller) -> None:
        key = None
        match write.operation:
            case "create":
                records = [values, {**values, "Phone": "031 9"}]
            case "upsert" if write.sobject == "Account":
                key, records = "External_Id__c", [{**values, "External_Id__c": write.key}]
            case "upsert":
                key, records = "Id", [{**values, "Id": identifier}, values]
            case "update":
                records = [{**values, "Id": identifier}]
            case _:
                records = [{"Id": identifier}]
        await self.batches.run(write.sobject, write.operation, records, caller=caller, external_id_field=key)

    async def _composite(self, write: Write, identifier: str, values: Row, caller: Caller) -> None:
        base = f"sobjects/{write.sobject}"
        match write.operation:
            case "create":
                item = {"method": "POST", "url": base, "body": values}
            case "update":
                item = {"method": "PATCH", "url": f"{base}/{identifier}", "body": values}
            case "upsert":
                item = {"method": "PATCH", "url": f"{base}/External_Id__c/{write.key}", "body": values}
            case "delete":
                item = {"method": "DELETE", "url": f"{base}/{identifier}"}
            case _:
                item = {"method": "DELETE", "url": f"{base}/External_Id__c/{write.key}"}
        await self.composite.send([{**item, "referenceId": "one"}], caller=caller)

    async def _collection(self, write: Write, identifier: str, values: Row, caller: Caller) -> None:
        record = {"attributes": {"type": write.sobject}, **values}
        url = "composite/sobjects"
        match write.operation:
            case "create":
                method = "POST"
            case "update":
                method, record = "PATCH", {**record, "Id": identifier}
            case _:
                method, url = "PATCH", f"{url}/{write.sobject}/External_Id__c"
                record["External_Id__c"] = write.key
        item = {"method": method, "url": url, "body": {"records": [record]}, "referenceId": "one"}
        await self.composite.send([item], caller=caller)


def _nth(rows: Mapping[str, Row], number: int) -> str:
    # One number too many stands for a record that is not there.
    return list(rows)[number] if number < len(rows) else "001000000000009AAA"


def _admits(where: str | None, row: Row, world: World) -> bool:
    """Tell whether a condition holds for a row, worked out by hand; Salesforce's texts know no case."""

    def is_(value: Any, *words: str) -> bool:
        return value is not None and str(value).lower() in [word.lower() for word in words]

    match where:
        case None:
            return True
        case "Industry = 'Banking'":
            return is_(row["Industry"], "Banking")
        case "Industry != 'Banking'":
            return not is_(row["Industry"], "Banking")
        case "Rating = 'Hot' AND Industry IN ('Banking', 'Retail')":
            return is_(row["Rating"], "Hot") and is_(row["Industry"], "Banking", "Retail")
        case "(Industry = 'Banking' OR Industry = NULL)":
            return row["Industry"] is None or is_(row["Industry"], "Banking")
        case "Department = 'Sales'":
            return is_(row["Department"], "Sales")
        case _:
            parent = world["Account"].get(row["AccountId"])
            return parent is not None and is_(parent["Industry"], "Banking")


def _misdeeds(roles: Sequence[Mapping[str, Rule]], before: World, after: World) -> list[str]:
    """Return what happened to rows that no role allows."""
    found = []
    for name in _FIELDS:
        rules = [role[name] for role in roles if name in role]
        for identifier in sorted(before[name].keys() | after[name].keys()):
            old, new = before[name].get(identifier), after[name].get(identifier)
            if old == new:
                continue
            if new is None and name == "Contact" and old is not None and old["AccountId"] not in after["Account"]:
                # Gone with its account, as Salesforce does it.
                continue
            if not any(_allows(rule, old, new, before, after) for rule in rules):
                found.append(f"{name} {identifier}: {old} became {new}")
    return found


def _allows(rule: Rule, old: Row | None, new: Row | None, before: World, after: World) -> bool:
    if new is None:
        return "delete" in rule.operations and old is not None and _admits(rule.where, old, before)
    needed = {"create", "upsert"} if old is None else {"update", "upsert"}
    if not needed & set(rule.operations) or not _admits(rule.where, new, after):
        return False
    if old is not None and not _admits(rule.where, old, before):
        return False
    was = old or dict.fromkeys(new)
    # The key of an upsert is shown and not written: it may stay where it is read-only.
    return all(
        was[field] == new[field] or rule.writes(field) or (old is None and field == "External_Id__c") for field in new
    )


def test_no_write_leaves_what_the_roles_allow(orgbridge_org: HostedOrg) -> None:
    """Records, batches, composite calls and collections under generated policies; some of them do write."""
    seen: Counter[str] = Counter()
    config = OrgConfig(
        credentials=ClientCredentials(
            client_id=orgbridge_org.client_id, client_secret=Secret(orgbridge_org.client_secret)
        ),
        token_url=orgbridge_org.token_url,
    )
    with asyncio.Runner() as runner:
        orgs = Orgs([config], SystemClock())
        org = _Org(orgs)
        runner.run(org.fill())
        orgbridge_org.control.snapshot("start")

        async def story(roles: Sequence[Mapping[str, Rule]], writes: Sequence[Write]) -> None:
            policies = [{"objects": {name: rule.json() for name, rule in role.items()}} for role in roles]
            caller = restricted(*policies)
            before = await org.world()
            for write in writes:
                try:
                    await org.write(write, before, caller)
                    outcome = "sent"
                except PolicyError:
                    outcome = "refused by the policy"
                except OrgbridgeError:
                    outcome = "refused otherwise"
                after = await org.world()
                if after != before:
                    outcome = f"written by {write.way}"
                seen[outcome] += 1
                event(outcome)
                assert not _misdeeds(roles, before, after), f"{policies}\n{write}\n{_misdeeds(roles, before, after)}"
                assert outcome != "refused by the policy" or after == before
                before = after

        @settings(
            max_examples=60,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
            phases=[Phase.explicit, Phase.reuse, Phase.generate],
        )
        @given(
            roles=st.lists(_roles, min_size=1, max_size=2),
            writes=st.lists(_writes(), min_size=3, max_size=8),
        )
        # Where all is allowed, every way writes: else the property would hold of services that do nothing.
        @example(
            roles=[{"Account": _OPEN}],
            writes=[
                Write(way=way, operation="update", sobject="Account", row=0, key="", values={"Name": f"By {way}"})
                for way in _WAYS
            ],
        )
        def told(roles: list[dict[str, Rule]], writes: list[Write]) -> None:
            orgbridge_org.control.restore("start")
            runner.run(story(roles, writes))

        try:
            told()
        finally:
            runner.run(orgs.close())
    assert seen["refused by the policy"]
    assert all(seen[f"written by {way}"] for way in _WAYS), seen
