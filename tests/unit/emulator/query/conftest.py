"""A tiny org of its own: five objects, a handful of rows, so that the query room's tests depend on no data file."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from orgbridge.emulator.schema.model import Catalogue, ChildRelationship, Field, PicklistValue, SObject
from orgbridge.emulator.storage.database import Connection, Storage
from orgbridge.wire.fieldtypes import FieldType
from orgbridge.wire.ids import make_id

T = FieldType


def field(name: str, kind: FieldType, **rest: Any) -> Field:
    """Return a field whose label is its name."""
    return Field(name=name, label=name, type=kind, **rest)


def choices(*values: str) -> tuple[PicklistValue, ...]:
    """Return picklist values; `value|label` gives a label of its own."""
    pairs = [text.partition("|") for text in values]
    return tuple(PicklistValue(value=value, label=label or value) for value, _, label in pairs)


def reference(name: str, *targets: str, relationship: str = "") -> Field:
    """Return a lookup whose relationship is its name without `Id`."""
    return field(name, T.REFERENCE, reference_to=targets, relationship_name=relationship or name.removesuffix("Id"))


SYSTEM = (
    field("Id", T.ID, nillable=False),
    field("IsDeleted", T.BOOLEAN),
    field("CreatedDate", T.DATETIME),
)
ACCOUNT = SObject(
    name="Account",
    label="Account",
    label_plural="Accounts",
    key_prefix="001",
    fields=(
        *SYSTEM,
        field("Name", T.STRING, length=255, name_field=True),
        field("Industry", T.PICKLIST, length=40, picklist=choices("Tech|Technology", "Banking", "Apparel")),
        field("AnnualRevenue", T.CURRENCY, precision=18),
        field("Employees", T.INT, digits=8),
        field("Since", T.DATE),
        field("Active", T.BOOLEAN),
        field("Opens", T.TIME),
        field("Notes", T.TEXTAREA, length=32000, filterable=False, sortable=False, groupable=False),
        field("Key__c", T.STRING, length=40, custom=True, unique=True, external_id=True),
        field("Exact__c", T.STRING, length=40, custom=True, unique=True, external_id=True, case_sensitive=True),
        field("Tags__c", T.MULTIPICKLIST, length=400, custom=True, picklist=choices("a", "b", "c")),
        field("BillingCity", T.STRING, length=40, compound_field_name="BillingAddress"),
        field("BillingLatitude", T.DOUBLE, precision=18, scale=15, compound_field_name="BillingAddress"),
        field("BillingAddress", T.ADDRESS, filterable=False, sortable=False, groupable=False),
        reference("ParentId", "Account"),
        reference("OwnerId", "User"),
    ),
    child_relationships=(
        ChildRelationship(name="Contacts", child="Contact", field="AccountId"),
        ChildRelationship(name="ChildAccounts", child="Account", field="ParentId"),
    ),
)
CONTACT = SObject(
    name="Contact",
    label="Contact",
    label_plural="Contacts",
    key_prefix="003",
    fields=(
        *SYSTEM,
        field("Name", T.STRING, length=121, name_field=True),
        field("Email", T.EMAIL, length=80),
        field("Score", T.DOUBLE, precision=18, scale=6),
        reference("AccountId", "Account"),
    ),
    child_relationships=(ChildRelationship(name="Tasks", child="Task", field="WhoId"),),
)
USER = SObject(
    name="User",
    label="User",
    label_plural="Users",
    key_prefix="005",
    fields=(*SYSTEM, field("Name", T.STRING, length=121, name_field=True), field("IsActive", T.BOOLEAN)),
)
TASK = SObject(
    name="Task",
    label="Task",
    label_plural="Tasks",
    key_prefix="00T",
    fields=(
        *SYSTEM,
        field("Subject", T.COMBOBOX, length=255, name_field=True),
        field("Body", T.BASE64, filterable=False, sortable=False, groupable=False),
        reference("WhoId", "Contact", "User"),
        reference("OwnerId", "User"),
    ),
)
SITE = SObject(
    name="Site__c",
    label="Site",
    label_plural="Sites",
    key_prefix="a01",
    custom=True,
    fields=(
        *SYSTEM,
        field("Name", T.STRING, length=80, name_field=True),
        field("Location__c", T.LOCATION, custom=True, filterable=False, sortable=False, groupable=False),
        field("Location__Latitude__s", T.DOUBLE, custom=True, compound_field_name="Location__c"),
        field("Location__Longitude__s", T.DOUBLE, custom=True, compound_field_name="Location__c"),
        field("Opens__c", T.TIME, custom=True),
        field("Rent__c", T.CURRENCY, precision=18, scale=2, custom=True),
        field("Share__c", T.PERCENT, precision=5, scale=1, custom=True),
        field("Seats__c", T.INT, digits=8, custom=True),
        field("Phone__c", T.PHONE, length=40, custom=True),
        field("Story__c", T.TEXTAREA, length=32000, custom=True, filterable=False, sortable=False, groupable=False),
        field("Plan__c", T.TEXTAREA, length=32000, custom=True, filterable=False, sortable=False, groupable=False),
        field("LastViewedDate", T.DATETIME),
        field("LastReferencedDate", T.DATETIME),
        reference("Account__c", "Account", relationship="Account__r"),
    ),
)
CATALOGUE = Catalogue([ACCOUNT, CONTACT, USER, TASK, SITE])
#: A Wednesday.
NOW = datetime(2025, 5, 14, 12, tzinfo=UTC)


def insert(connection: Connection, sobject: SObject, **values: Any) -> None:
    """Write one row as the org would: shadow columns follow from their fields, the empty text is null."""
    row = {name: value for name, value in values.items() if value not in (None, "")}
    for name, value in list(row.items()):
        found = sobject.field(name)
        if found and found.has_key:
            row[found.key_column] = found.key_of(value)
    names = ", ".join(f'"{name}"' for name in row)
    marks = ", ".join("?" * len(row))
    connection.execute(f'INSERT INTO "{sobject.name}" ({names}) VALUES ({marks})', tuple(row.values()))


def day(number: int, hour: int = 10) -> str:
    """Return an instant of May 2025 as it is stored."""
    return f"2025-05-{number:02d}T{hour:02d}:00:00.000Z"


def fill(connection: Connection) -> None:
    """Write the rows that the plan files are about."""
    ann, bob = make_id("005", 1), make_id("005", 2)
    insert(connection, USER, Id=ann, Name="Ann", IsActive=1, CreatedDate=day(1))
    insert(connection, USER, Id=bob, Name="Bob", IsActive=0, CreatedDate=day(1))
    a1, a2, a3, a4, a5 = (make_id("001", n) for n in range(1, 6))
    insert(
        connection, ACCOUNT, Id=a1, Name="Acme", Industry="Banking", AnnualRevenue=1_000_000.0, Employees=10,
        Since="2025-05-14", Active=1, Key__c="K1", Exact__c="x", Tags__c="a;b", BillingCity="Bern",
        BillingLatitude=46.9480, OwnerId=ann, CreatedDate=day(14, 1),
    )  # fmt: skip
    insert(
        connection, ACCOUNT, Id=a2, Name="acme two", Industry="Tech", AnnualRevenue=0.1, Employees=20,
        Since="2025-05-13", Key__c="k2", Exact__c="X", Tags__c="b", OwnerId=ann, ParentId=a1, CreatedDate=day(13, 23),
    )  # fmt: skip
    insert(connection, ACCOUNT, Id=a3, Name="Über 100%", Employees=-3, OwnerId=bob, CreatedDate=day(10, 0))
    insert(
        connection, ACCOUNT, Id=a4, Name="x_y", Industry="apparel", AnnualRevenue=1e10, Active=1, Tags__c="c",
        Since="2024-02-29", OwnerId=bob, CreatedDate="2024-12-31T23:59:59.000Z",
    )  # fmt: skip
    insert(connection, ACCOUNT, Id=a5, Name="Gone", OwnerId=ann, IsDeleted=1, CreatedDate=day(2))
    rows = [(1, "Cy", a1, 1 / 3), (2, "Di", a1, None), (3, "Ed", a2, 2.0), (4, "Flo", None, 1e22), (5, "Gil", a5, 0.0)]
    for number, name, account, score in rows:
        email = f"{name}@X.example" if account else None
        insert(
            connection, CONTACT, Id=make_id("003", number), Name=name, Email=email, AccountId=account, Score=score,
            CreatedDate=day(number),
        )  # fmt: skip
    insert(connection, TASK, Id=make_id("00T", 1), Subject="Call", WhoId=make_id("003", 1), OwnerId=ann, Body=b"\x00")
    insert(connection, TASK, Id=make_id("00T", 2), Subject="Write", WhoId=bob, OwnerId=bob)
    insert(connection, TASK, Id=make_id("00T", 3), Subject="Rest", OwnerId=bob)
    insert(
        connection, SITE, Id=make_id("a01", 1), Name="Bern", Location__Latitude__s=46.948,
        Location__Longitude__s=7.4474, Opens__c="08:30:00.000Z", Rent__c=1234567.5,
        Share__c=12.5, Seats__c=12000, Phone__c="031 555-1234",
        Story__c="Old town, O'Brien's bear-pit", Account__c=a1, CreatedDate=day(14, 13),
    )  # fmt: skip
    insert(
        connection, SITE, Id=make_id("a01", 2), Name="Zurich West", Location__Latitude__s=47.3769,
        Location__Longitude__s=8.5417, Opens__c="09:00:00.000Z", Rent__c=-0.5, Share__c=0.04, Seats__c=7,
        Story__c="the old factory", Account__c=a2, CreatedDate=day(1, 0),
    )  # fmt: skip
    insert(connection, SITE, Id=make_id("a01", 3), Name="Nowhere", CreatedDate=day(2))


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    """The tiny org's objects."""
    return CATALOGUE


@pytest.fixture(scope="session")
def now() -> datetime:
    """Noon of Wednesday, 14 May 2025."""
    return NOW


@pytest.fixture(scope="session")
def org() -> Iterator[Connection]:
    """A connection to the filled org; nothing in it changes."""
    storage = Storage(":memory:")
    storage.migrate(CATALOGUE)
    with storage.write() as connection:
        fill(connection)
    with storage.read() as connection:
        yield connection
    storage.close()


@pytest.fixture
def accounts() -> Iterator[Storage]:
    """An org without rows, for tests that write their own."""
    storage = Storage(":memory:")
    storage.migrate(CATALOGUE)
    yield storage
    storage.close()
