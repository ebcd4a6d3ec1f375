"""The org's first rows and the sample."""

from __future__ import annotations

import pytest

from orgbridge.emulator.org.org import Org
from orgbridge.emulator.org.seed import Seed, seed_org
from orgbridge.emulator.schema.errors import SFError
from orgbridge.emulator.schema.loading import standard_catalogue


def count(org, sobject):
    """Return how many rows an object has."""
    with org.storage.read() as connection:
        return connection.execute(f'SELECT COUNT(*) FROM "{sobject}"').fetchone()[0]


def test_an_empty_org_has_itself_an_administrator_and_a_price_book(org):
    """A new org knows its id, its administrator by name in any case, and the standard price book."""
    seed_org(org, Seed.EMPTY)
    admin = org.find_user("ADMIN@local.org")
    assert (org.org_id[:3], admin.id, admin.is_active, admin.name) == ("00D", org.admin_id, True, "Ada Admin")
    assert org.user(org.admin_id) == admin
    assert org.get("Pricebook2", org.standard_pricebook_id, ["IsStandard"])["IsStandard"] is True
    assert (count(org, "Account"), org.find_user("nobody")) == (0, None)


def test_an_org_is_founded_once(org, clock):
    """A second start on the same storage finds the same org."""
    again = Org(org.storage, standard_catalogue(), clock)
    assert (again.org_id, again.admin_id) == (org.org_id, org.admin_id)
    assert count(org, "User") == 1


def test_the_sample_is_there_once_and_keeps_the_rules(org):
    """Seeding twice gives the sample once, the same in every org."""
    seed_org(org, Seed.SAMPLE)
    seed_org(org, Seed.SAMPLE)
    assert [count(org, name) for name in ("Account", "Contact", "OrderItem", "Machine_Reading__c")] == [20, 40, 10, 10]
    assert (
        org.get("Account", org.find_by_key("Account", "External_Id__c", "ACME-0003")[0])["Name"]
        == "Cascade Cutting Systems"
    )


def test_unknown_objects_and_fields_are_told_apart(org):
    """An object that is not there is 404 NOT_FOUND, a field 400 INVALID_FIELD."""
    with pytest.raises(SFError) as no_object:
        org.get("Nope", org.admin_id)
    with pytest.raises(SFError) as no_field:
        org.get("User", org.admin_id, ["Nope"])
    assert [(e.value.code, e.value.status) for e in (no_object, no_field)] == [
        ("NOT_FOUND", 404),
        ("INVALID_FIELD", 400),
    ]


@pytest.mark.recorded
def test_an_address_is_read_as_one_object(org):
    """A compound address has eight keys, or is null when all its parts are."""
    (new,) = org.insert("Account", [{"Name": "a", "BillingCity": "Zürich"}], user_id=org.admin_id)
    row = org.get("Account", new.id, ["billingaddress", "ShippingAddress"])
    keys = ["city", "country", "geocodeAccuracy", "latitude", "longitude", "postalCode", "state", "street"]
    assert row["BillingAddress"] == dict.fromkeys(keys) | {"city": "Zürich"}
    assert (list(row["BillingAddress"]), row["ShippingAddress"]) == (keys, None)
