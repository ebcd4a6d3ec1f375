"""The client's records, queries and descriptions against the emulated org: two beliefs have to agree."""

from __future__ import annotations

import pytest

from orgbridge.client import (
    Salesforce,
    count_calls,
    errors,
)
from tests.support.client_org import emulator, external_id_of_account, salesforce

__all__ = ["emulator", "salesforce"]


async def test_record_lives_and_dies(salesforce: Salesforce) -> None:
    """A record is created, read, changed, cleared, deleted, and then missing."""
    records = salesforce.records
    record_id = await records.create("Account", {"Name": "Äcme / Söhne", "Phone": "1"})
    record = await records.retrieve("Account", record_id, ["Name", "Phone"])
    assert (record["Name"], record["Phone"], record["Id"]) == ("Äcme / Söhne", "1", record_id)
    await records.update("Account", record_id, {"Phone": None, "NumberOfEmployees": 7})
    record = await records.retrieve("account", record_id)
    assert (record["Phone"], record["NumberOfEmployees"]) == (None, 7)
    await records.delete("Account", record_id)
    with pytest.raises(errors.NotFound):
        await records.retrieve("Account", record_id)
    with pytest.raises(errors.NotFound):
        await records.delete("Account", record_id)


async def test_refused_values_name_their_fields(salesforce: Salesforce) -> None:
    """A missing required field, an unknown field, an unknown object and a long text are typed errors."""
    with pytest.raises(errors.InvalidRequest) as missing:
        await salesforce.records.create("Account", {"Phone": "1"})
    assert (missing.value.error_code, missing.value.fields) == ("REQUIRED_FIELD_MISSING", ("Name",))
    with pytest.raises(errors.InvalidRequest) as unknown:
        await salesforce.records.create("Account", {"Name": "a", "Nope__c": 1})
    assert unknown.value.error_code == "INVALID_FIELD"
    with pytest.raises(errors.InvalidRequest) as long:
        await salesforce.records.create("Account", {"Name": "a" * 300})
    assert long.value.error_code == "STRING_TOO_LONG"
    with pytest.raises(errors.NotFound):
        await salesforce.records.create("Nope__c", {"Name": "a"})


async def test_upsert_creates_then_updates(salesforce: Salesforce) -> None:
    """An upsert by external id creates once and updates from then on, also with a slash in the key."""
    key = await external_id_of_account(salesforce)
    first = await salesforce.records.upsert("Account", key, "A/1 ä", {"Name": "one"})
    second = await salesforce.records.upsert("Account", key, "A/1 ä", {"Name": "two"})
    assert (first.created, second.created, first.id == second.id) == (True, False, True)
    record = await salesforce.records.retrieve("Account", "A/1 ä", ["Name"], key)
    assert record["Name"] == "two"


async def test_collections_mix_success_and_failure(salesforce: Salesforce) -> None:
    """200 records are saved in one call; refused ones are values in their places."""
    key = await external_id_of_account(salesforce)
    batch = [{"Name": f"n{n}", key: f"k{n}"} if n % 50 else {key: f"k{n}"} for n in range(200)]
    with count_calls() as count:
        created = await salesforce.collections.create("Account", batch)
    assert count.calls == 1
    assert [n for n, result in enumerate(created) if not result.success] == [0, 50, 100, 150]
    assert created[0].errors[0].error_code == "REQUIRED_FIELD_MISSING"
    upserted = await salesforce.collections.upsert(
        "Account", key, [{key: "k1", "Name": "x"}, {key: "new", "Name": "y"}]
    )
    assert [result.created for result in upserted] == [False, True]
    updated = await salesforce.collections.update("Account", [{"Id": created[1].id, "Phone": "5"}])
    assert updated[0].success
    deleted = await salesforce.collections.delete([str(created[1].id), str(created[2].id), "001000000000000AAA"])
    assert [result.success for result in deleted] == [True, True, False]


async def test_query_pages_through_all_records(salesforce: Salesforce) -> None:
    """A query of 2,200 records comes in pages, each record once, in order."""
    for start in range(0, 2200, 200):
        await salesforce.collections.create("Account", [{"Name": f"q{start + n:05}"} for n in range(200)])
    soql = "SELECT Name FROM Account WHERE Name LIKE 'q%' ORDER BY Name"
    page = await salesforce.query.page(soql, batch_size=500)
    assert (page.total_size, page.done, len(page.records)) == (2200, False, 500)
    names = [record["Name"] async for record in salesforce.query.records(soql)]
    assert names == [f"q{n:05}" for n in range(2200)]
    assert (await salesforce.query.page("SELECT COUNT() FROM Account WHERE Name LIKE 'q%'")).total_size == 2200


async def test_refused_queries_are_typed(salesforce: Salesforce) -> None:
    """Bad SOQL, an unknown field and an unknown object are told as what they are."""
    with pytest.raises(errors.MalformedQuery):
        await salesforce.query.page("SELECT FROM Account")
    with pytest.raises(errors.InvalidRequest) as field:
        await salesforce.query.page("SELECT Nope__c FROM Account")
    assert field.value.error_code == "INVALID_FIELD"
    with pytest.raises(errors.InvalidRequest) as kind:
        await salesforce.query.page("SELECT Id FROM Nope__c")
    assert kind.value.error_code == "INVALID_TYPE"


async def test_describe_is_answered_with_304(salesforce: Salesforce) -> None:
    """A second client that knows the description pays for a 304, not for the whole."""
    described = await salesforce.describe.sobject("account")
    assert described["name"] == "Account"
    first = await salesforce.request("GET", "sobjects/Account/describe", idempotent=True)
    assert first.headers.get("Last-Modified") or first.headers.get("ETag")
    known = {"If-Modified-Since": first.headers["Last-Modified"]}
    again = await salesforce.request("GET", "sobjects/Account/describe", headers=known, idempotent=True)
    assert (again.status, again.body) == (304, b"")
    assert "Account" in {item["name"] for item in (await salesforce.describe.global_())["sobjects"]}


async def test_limit_header_counts_calls(salesforce: Salesforce) -> None:
    """The limit header moves with the calls that the client counts."""
    await salesforce.limits.get()
    before = salesforce.limits.last
    await salesforce.query.page("SELECT Id FROM Account LIMIT 1")
    after = salesforce.limits.last
    assert before is not None
    assert after is not None
    assert after.used == before.used + 1
    assert salesforce.calls == 2
