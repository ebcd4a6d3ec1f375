"""A small org for the tests of policies: four objects with every shape that could tell a secret, rows made at random,
and which of their cells a caller may see, worked out cell by cell and from the policy's own words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from orgbridge.emulator.query import results
from orgbridge.emulator.query.planner import plan_query
from orgbridge.emulator.query.searching import plan_search
from orgbridge.emulator.schema.describe import describe_sobject
from orgbridge.emulator.schema.model import Catalogue, ChildRelationship, Field, SObject
from orgbridge.emulator.storage.database import Connection, Storage
from orgbridge.services.policies.facts import ObjectFacts, facts_of
from orgbridge.soql import parse_search
from orgbridge.wire.fieldtypes import FieldType as T
from orgbridge.wire.ids import make_id

Row = dict[str, Any]
Rows = dict[str, list[Row]]

NOW = datetime(2025, 5, 14, 12, tzinfo=UTC)
#: Stands in every cell that may not be seen, in the second of two worlds.
MARKER = "zzsecret"


def _field(name: str, kind: T = T.STRING, **rest: Any) -> Field:
    rest.setdefault("length", 255 if kind in (T.STRING, T.PHONE, T.EMAIL) else 0)
    return Field(name=name, label=name, type=kind, custom=name.endswith("__c"), **rest)


def _reference(name: str, *targets: str, relationship: str = "") -> Field:
    return _field(name, T.REFERENCE, reference_to=targets, relationship_name=relationship or name.removesuffix("Id"))


_SYSTEM = (_field("Id", T.ID, nillable=False), _field("IsDeleted", T.BOOLEAN), _field("CreatedDate", T.DATETIME))
CATALOGUE = Catalogue(
    [
        SObject(
            name="Account", label="Account", label_plural="Accounts", key_prefix="001",
            fields=(
                *_SYSTEM, _field("Name", name_field=True), _field("Region__c"), _field("Secret__c"),
                _field("Phone", T.PHONE), _field("Revenue", T.CURRENCY, precision=18),
                _field("Copy__c", calculated=True), _reference("ParentId", "Account"), _reference("OwnerId", "User"),
            ),
            child_relationships=(
                ChildRelationship(name="Contacts", child="Contact", field="AccountId"),
                ChildRelationship(name="ChildAccounts", child="Account", field="ParentId"),
                ChildRelationship(name="Tasks", child="Task", field="WhatId"),
            ),
        ),
        SObject(
            name="Contact", label="Contact", label_plural="Contacts", key_prefix="003",
            fields=(
                *_SYSTEM, _field("Name", name_field=True), _field("FirstName", compound_field_name="Name"),
                _field("LastName", compound_field_name="Name"), _field("Email", T.EMAIL), _field("Region__c"),
                _field("Score", T.DOUBLE, precision=18, scale=2), _reference("AccountId", "Account"),
            ),
            child_relationships=(ChildRelationship(name="Tasks", child="Task", field="WhoId"),),
        ),
        SObject(
            name="User", label="User", label_plural="Users", key_prefix="005",
            fields=(*_SYSTEM, _field("Name", name_field=True), _field("Email", T.EMAIL), _field("Region__c")),
        ),
        SObject(
            name="Task", label="Task", label_plural="Tasks", key_prefix="00T",
            fields=(
                *_SYSTEM, _field("Subject", name_field=True), _field("Region__c"),
                _reference("WhoId", "Contact", "User"), _reference("WhatId", "Account"),
            ),
        ),
    ]
)  # fmt: skip
IDS = {
    name: [make_id(prefix, n) for n in range(count)]
    for name, prefix, count in [("Account", "001", 5), ("Contact", "003", 6), ("User", "005", 3), ("Task", "00T", 4)]
}
#: Fields that follow from others and so are never changed by themselves.
DERIVED = {("Account", "Copy__c"), ("Contact", "Name")}
_FACTS = {
    sobject.name.lower(): facts_of(describe_sobject(sobject, "/services/data/v62.0"))
    for sobject in CATALOGUE.sobjects()
}


def lookup(name: str) -> ObjectFacts | None:
    """Return the facts of an object of the small org."""
    return _FACTS.get(name.lower())


def derive(rows: Rows) -> Rows:
    """Return the rows with what the org works out itself."""
    for row in rows["Account"]:
        row["Copy__c"] = row["Secret__c"]
    for row in rows["Contact"]:
        row["Name"] = " ".join(part for part in (row["FirstName"], row["LastName"]) if part) or None
    return rows


@contextmanager
def small_org() -> Iterator[Storage]:
    """Give an org without rows."""
    storage = Storage(":memory:")
    storage.migrate(CATALOGUE)
    try:
        yield storage
    finally:
        storage.close()


def fill(storage: Storage, rows: Rows) -> None:
    """Put rows in place of all that are there."""
    with storage.write() as connection:
        for name, items in rows.items():
            sobject = CATALOGUE.sobject(name)
            assert sobject is not None
            connection.execute(f'DELETE FROM "{name}"')
            for row in items:
                values = {key: int(value) if isinstance(value, bool) else value for key, value in row.items()}
                keyed = [field for field in sobject.fields if field.has_key and values.get(field.name) is not None]
                values |= {field.key_column: field.key_of(values[field.name]) for field in keyed}
                names = ", ".join(f'"{key}"' for key in values)
                marks = ", ".join("?" * len(values))
                connection.execute(f'INSERT INTO "{name}" ({names}) VALUES ({marks})', tuple(values.values()))


def answer(connection: Connection, soql: str) -> Any:
    """Return the reply of the small org to a query.

    Raises:
        SFError: The org refuses it.
    """
    plan = plan_query(CATALOGUE, soql, now=NOW)
    return results.query_json(plan, connection, version="v62.0")


def found(connection: Connection, sosl: str) -> Any:
    """Return what a search finds in the small org.

    Raises:
        SFError: The org refuses it.
    """
    return list(plan_search(CATALOGUE, parse_search(sosl), sosl, now=NOW, user_id="").records(connection, "v62.0"))


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleDraft:
    """What a generated role says of each object; an object that is not there is denied."""

    hidden: Mapping[str, frozenset[str]]
    masked: Mapping[str, Mapping[str, str]]
    #: Name of a condition of `WHERES` per object, or None.
    wheres: Mapping[str, str | None]

    def json(self, operations: Sequence[str] = ("query",)) -> dict[str, Any]:
        """Return the role's policy."""
        objects = {}
        for name, where in self.wheres.items():
            rule: dict[str, Any] = {"operations": list(operations), "hidden": sorted(self.hidden[name])}
            rule["masked"] = dict(self.masked[name])
            if where is not None:
                rule["where"] = where
            objects[name] = rule
        return {"objects": objects}


def admits(role: RoleDraft, name: str, row: Row, rows: Rows) -> bool:
    """Tell whether a role's condition on rows lets one of an object through, worked out by hand."""
    if name not in role.wheres:
        return False
    match role.wheres[name]:
        case None:
            return True
        case "Region__c = 'West'":
            return bool(row["Region__c"] == "West")
        case "Region__c != 'West'":
            return bool(row["Region__c"] != "West")
        case "Account.Region__c = 'West'":
            return _region(rows, "Account", row["AccountId"]) == "West"
        case "(Region__c = 'West' OR Region__c = NULL)":
            return row["Region__c"] in ("West", None)
        case "OwnerId IN (SELECT Id FROM User WHERE Region__c = 'West')":
            return _region(rows, "User", row["OwnerId"]) == "West"
        case other:
            raise AssertionError(other)


def _region(rows: Rows, name: str, record_id: str | None) -> str | None:
    return next((row["Region__c"] for row in rows[name] if row["Id"] == record_id), None)


def is_visible(roles: Sequence[RoleDraft], name: str, row: Row, field: str, rows: Rows) -> bool:
    """Tell whether some role shows the very cell."""
    return any(
        admits(role, name, row, rows)
        and field not in role.hidden[name]
        and field not in role.masked[name]
        and not ("Name" in role.hidden[name] and (name, field) in {("Contact", "FirstName"), ("Contact", "LastName")})
        and not ("Name" in role.masked[name] and (name, field) in {("Contact", "FirstName"), ("Contact", "LastName")})
        for role in roles
    )


def other_world(roles: Sequence[RoleDraft], rows: Rows) -> Rows:
    """Return rows that differ in every cell that no role shows, and only there.

    What conditions on rows compare keeps its side: West stays West, and everything else stays elsewhere.
    """
    changed: Rows = {}
    for name, items in rows.items():
        changed[name] = []
        for row in items:
            new = dict(row)
            for field, value in row.items():
                if is_visible(roles, name, row, field, rows) or (name, field) in DERIVED:
                    continue
                new[field] = _other(field, value)
            changed[name].append(new)
    return derive(changed)


def _other(field: str, value: Any) -> Any:
    if field in ("Id", "IsDeleted") or field.endswith("Id") or value is None:
        # Ids tell rows apart and references lead conditions: what must differ is what is said of a row.
        return value
    if field == "Region__c":
        return value if value == "West" else f"{MARKER} region"
    if field == "CreatedDate":
        return "2001-02-03T04:05:06.000Z"
    if isinstance(value, int | float):
        return -987654
    return f"{MARKER} {field}@x.example"
