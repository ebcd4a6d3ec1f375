"""Delete, hard delete, undelete and what goes along."""

from __future__ import annotations

import pytest

from orgbridge.emulator.schema.errors import Fault, SFError

DELETED = (Fault("ENTITY_IS_DELETED", "entity is deleted"),)


@pytest.fixture
def save(org):
    """Return a function that inserts one record and gives its id."""

    def run(sobject, **fields):
        (outcome,) = org.insert(sobject, [fields], user_id=org.admin_id)
        assert outcome.errors == ()
        return outcome.id

    return run


def state(org, sobject, record_id):
    """Return `live`, `deleted` or `gone`."""
    try:
        org.require(sobject, record_id)
    except SFError as error:
        return {"ENTITY_IS_DELETED": "deleted", "NOT_FOUND": "gone"}[error.code]
    return "live"


@pytest.mark.documented
def test_children_go_and_come_back_with_their_parent(org, save):
    """Cascaded children follow their parent into the bin and out of it; what was deleted before stays deleted."""
    account = save("Account", Name="a")
    contact, earlier = (save("Contact", LastName=n, AccountId=account) for n in "ab")
    case = save("Case", AccountId=account)
    task = save("Task", WhoId=contact)
    org.delete([earlier], user_id=org.admin_id)
    (outcome,) = org.delete([account[:15]], user_id=org.admin_id)
    assert (outcome.success, outcome.id) == (True, account)
    rows = [("Account", account), ("Contact", contact), ("Task", task), ("Case", case), ("Contact", earlier)]
    assert [state(org, *row) for row in rows] == ["deleted", "deleted", "deleted", "live", "deleted"]
    assert org.undelete([account], user_id=org.admin_id)[0].success
    assert [state(org, *row) for row in rows] == ["live", "live", "live", "live", "deleted"]


@pytest.mark.documented
def test_a_second_delete_says_that_the_row_is_deleted(org, save):
    """A row in the bin, also one named twice in a call, cannot be deleted again."""
    account = save("Account", Name="a")
    first, second = org.delete([account, account], user_id=org.admin_id)
    (third,) = org.delete([account], user_id=org.admin_id)
    assert (first.errors, second.errors, third.errors) == ((), DELETED, DELETED)


@pytest.mark.documented
def test_what_is_no_id_is_malformed(org, save):
    """Text that is no id, and the id of another object than the job's, are refused; the rest is deleted."""
    account = save("Account", Name="a")
    malformed = Fault("MALFORMED_ID", "malformed id nonsense", ("Id",))
    bad, foreign, good = org.delete(["nonsense", org.admin_id, account], user_id=org.admin_id, sobject="Account")
    assert (bad.errors, foreign.errors[0].code, good.success) == ((malformed,), "MALFORMED_ID", True)


@pytest.mark.documented
def test_a_hard_delete_leaves_nothing(org, save):
    """A hard delete removes the row and its children at once and clears the references to it."""
    account = save("Account", Name="a")
    contact, case = save("Contact", LastName="l", AccountId=account), save("Case", AccountId=account)
    assert org.delete([account], user_id=org.admin_id, hard=True)[0].success
    assert [state(org, *row) for row in (("Account", account), ("Contact", contact))] == ["gone", "gone"]
    assert org.get("Case", case, ["AccountId"])["AccountId"] is None
    assert not org.undelete([account], user_id=org.admin_id)[0].success


@pytest.mark.assumed
def test_a_row_in_use_cannot_be_deleted(org, save):
    """A price that an order uses keeps itself and the product above it; other rows of the call go."""
    product, other = save("Product2", Name="p"), save("Product2", Name="q")
    entry = save("PricebookEntry", Pricebook2Id=org.standard_pricebook_id, Product2Id=product, UnitPrice=1)
    order = save("Order", EffectiveDate="2025-01-01", Status="Draft")
    save("OrderItem", OrderId=order, PricebookEntryId=entry, Quantity=1)
    kept, gone = org.delete([product, other], user_id=org.admin_id)
    message = (
        "Your attempt to delete Price Book Entry could not be completed because it is associated with Order Products"
    )
    assert kept.errors == (Fault("DELETE_FAILED", message),)
    assert [state(org, "Product2", product), state(org, "PricebookEntry", entry)] == ["live", "live"]
    assert (gone.success, state(org, "Product2", other)) == (True, "deleted")


@pytest.mark.assumed
def test_users_are_never_deleted(org):
    """Rows of an object that cannot be deleted stay."""
    (outcome,) = org.delete([org.admin_id], user_id=org.admin_id)
    assert outcome.errors[0].code == "INSUFFICIENT_ACCESS_OR_READONLY"
    assert state(org, "User", org.admin_id) == "live"


@pytest.mark.documented
def test_deleted_rows_carry_the_instant_of_deletion(org, save, clock):
    """Incremental readers see a deletion by SystemModstamp."""
    account = save("Account", Name="a")
    clock.instant = clock.instant.replace(year=2027)
    org.delete([account], user_id=org.admin_id)
    with org.storage.read() as connection:
        row = connection.execute('SELECT IsDeleted, SystemModstamp FROM "Account" WHERE Id = ?', (account,)).fetchone()
    assert row == (1, "2027-03-04T05:06:07.000Z")
