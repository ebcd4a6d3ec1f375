"""aiosalesforce's composite calls: batches and composites, halted, rolled back, raised, with references."""

from __future__ import annotations

import pytest
from aiosalesforce import Salesforce
from aiosalesforce.composite.exceptions import InvalidStateError
from aiosalesforce.exceptions import NotFoundError, SalesforceError

KEY = "External_Id__c"


async def names(aio: Salesforce, like: str) -> list[str]:
    """Return the names of accounts that are in the org."""
    soql = f"SELECT Name FROM Account WHERE Name LIKE '{like}' ORDER BY Name"
    return [row["Name"] async for row in aio.query(soql)]


async def test_a_batch_does_everything_that_single_calls_do(aio: Salesforce) -> None:
    """Create, get by id and key, update, upsert, delete and both queries in batches, each with its own answer."""
    async with aio.composite.batch() as batch:
        one = batch.sobject.create("Account", {"Name": "Batch 1 & <Söhne>", KEY: "cb-1"})
        two = batch.sobject.upsert("Account", "cb-2", KEY, {"Name": "Batch 2", KEY: "cb-2"})
    assert [one.status_code, two.status_code, two.created] == [201, 201, True]
    async with aio.composite.batch() as batch:
        by_id = batch.sobject.get("Account", one.id)
        by_key = batch.sobject.get("Account", "cb-2", KEY, fields=["Id", "Name"])
        changed = batch.sobject.update("Account", one.id, {"Site": "x"})
        again = batch.sobject.upsert("Account", "cb-2", KEY, '{"Name": "Batch 2b"}')
        gone = batch.sobject.delete("Account", "cb-2", external_id_field=KEY)
        live = batch.query("SELECT Name FROM Account WHERE Name LIKE 'Batch %' ORDER BY Name")
        every = batch.query("SELECT Name FROM Account WHERE Name LIKE 'Batch %'", include_all_records=True)
    assert by_id.record["Name"] == "Batch 1 & <Söhne>"
    assert (by_key.record["Id"], by_key.record["Name"]) == (two.id, "Batch 2")
    assert [changed.status_code, changed.result, gone.status_code] == [204, None, 204]
    assert (again.id, again.created, again.done) == (two.id, False, True)
    assert [row["Name"] for row in live.records] == ["Batch 1 & <Söhne>"]
    assert len(every.records) == 2


async def test_a_batch_halts_or_goes_on_after_a_failure(aio: Salesforce) -> None:
    """With `halt_on_error` what follows is not done, without it is; errors are raised one or all as asked."""
    for halt, left in ((False, ["Halt False"]), (True, [])):
        batch = aio.composite.batch(halt_on_error=halt)
        bad = batch.sobject.create("Account", {})
        batch.sobject.create("Account", {"Name": f"Halt {halt}"})
        await batch.execute()
        assert (bad.is_success, bad.status_code) == (False, 400)
        with pytest.raises(SalesforceError, match="REQUIRED_FIELD_MISSING"):
            bad.raise_for_status()
        assert await names(aio, f"Halt {halt}") == left
    with pytest.raises(NotFoundError):
        async with aio.composite.batch(autoraise=True) as batch:
            batch.sobject.delete("Account", "001000000000001AAA")
    batch = aio.composite.batch(autoraise=True, group_errors=True)
    batch.sobject.create("Account", {})
    batch.sobject.create("Contact", {})
    batch.sobject.create("Account", {"Name": "Good one"})
    with pytest.raises(ExceptionGroup) as caught:
        await batch.execute()
    assert len(caught.value.exceptions) == 2
    assert await names(aio, "Good one") == ["Good one"]


async def test_a_composite_refers_to_what_came_before(aio: Salesforce) -> None:
    """Ids of new rows and fields of queried ones are used further on, in bodies and addresses."""
    async with aio.composite() as composite:
        account = composite.sobject.create("Account", {"Name": "Ref AG"})
        contact = composite.sobject.create("Contact", {"LastName": "Ref", "AccountId": str(account.reference.id)})
        read = composite.sobject.get("Contact", str(contact.reference.id), fields=["AccountId"])
        found = composite.query(f"SELECT Id, Name FROM Account WHERE Id = '{account.reference.id!s}'")
        changed = composite.sobject.update(
            "Contact", str(contact.reference.id), {"Department": str(found.reference.records[0].Name)}
        )
    assert read.record["AccountId"] == account.id
    assert [row["Name"] for row in found.records] == ["Ref AG"]
    assert (changed.status_code, changed.response_body) == (204, None)
    assert account.response_http_headers["Location"].endswith(account.id)
    assert (await aio.sobject.get("Contact", contact.id))["Department"] == "Ref AG"


async def test_a_composite_does_every_kind_of_call(aio: Salesforce) -> None:
    """Upsert, get by key, delete by id and key, and both queries, with their own answers."""
    async with aio.composite(collate_subrequests=True) as composite:
        made = composite.sobject.upsert("Account", "cc-1", KEY, {"Name": "Comp 1"})
        other = composite.sobject.create("Account", '{"Name": "Comp 2"}')
    assert (made.created, other.status_code) == (True, 201)
    async with aio.composite() as composite:
        again = composite.sobject.upsert("Account", "cc-1", KEY, {"Name": "Comp 1b", KEY: "cc-1"})
        read = composite.sobject.get("Account", "cc-1", external_id_field=KEY)
        composite.sobject.delete("Account", "cc-1", external_id_field=KEY)
        composite.sobject.delete("Account", other.id)
        live = composite.query("SELECT Id FROM Account WHERE Name LIKE 'Comp %'")
        every = composite.query("SELECT Id FROM Account WHERE Name LIKE 'Comp %'", include_all_records=True)
    assert (again.created, again.id, read.record["Name"]) == (False, made.id, "Comp 1b")
    assert (len(live.records), len(every.records)) == (0, 2)


async def test_all_or_none_leaves_nothing_behind(aio: Salesforce) -> None:
    """One bad row takes the good ones with it only where that was asked for."""
    for all_or_none, left in ((False, ["Aon False"]), (True, [])):
        composite = aio.composite(all_or_none=all_or_none)
        good = composite.sobject.create("Account", {"Name": f"Aon {all_or_none}"})
        with pytest.raises(InvalidStateError):
            _ = good.response
        bad = composite.sobject.create("Contact", {})
        await composite.execute()
        assert (good.is_success, bad.is_success) == (not all_or_none, False)
        assert await names(aio, f"Aon {all_or_none}") == left
    composite = aio.composite(all_or_none=True, autoraise=True)
    composite.sobject.create("Account", {"Name": "Aon raised"})
    composite.sobject.create("Contact", {})
    with pytest.raises(ExceptionGroup) as caught:
        await composite.execute()
    codes = {error.error_code for error in caught.value.exceptions if isinstance(error, SalesforceError)}
    assert codes == {"REQUIRED_FIELD_MISSING", "PROCESSING_HALTED"}


async def test_nothing_asked_is_nothing_sent(aio: Salesforce) -> None:
    """An empty batch and an empty composite need no call; a block that raises sends nothing."""
    async with aio.composite.batch(), aio.composite():
        pass
    with pytest.raises(TypeError):
        async with aio.composite() as composite:
            composite.sobject.upsert("Account", "x", KEY, b'[{"Name": "Never sent"}]')
    assert await names(aio, "Never sent") == []
