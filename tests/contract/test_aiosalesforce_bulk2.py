"""aiosalesforce's Bulk API 2.0: every operation whole and step by step, split, with events."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiosalesforce import Salesforce
from aiosalesforce.bulk.v2 import client as bulk_client
from aiosalesforce.bulk.v2.ingest import BulkIngestClient, JobInfo
from aiosalesforce.events import BulkApiBatchConsumptionEvent, Event
from aiosalesforce.exceptions import NotFoundError, SalesforceError

KEY = "External_Id__c"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole-operation calls ask again after moments: their pause of five seconds cannot be set."""
    perform = BulkIngestClient.perform_operation

    def soon(self: BulkIngestClient, *words: Any, **named: Any) -> Any:
        return perform(self, *words, **{**named, "polling_interval": 0.05})

    monkeypatch.setattr(bulk_client.BulkIngestClient, "perform_operation", soon)


def rows(mark: str, count: int) -> list[dict[str, Any]]:
    """Return accounts with values of every kind that CSV has a form for."""
    return [
        {"Name": f'{mark} {n}, "Süd"', KEY: f"{mark}-{n}", "NumberOfEmployees": n, "Site": None} for n in range(count)
    ]


async def keys(aio: Salesforce, mark: str, *, every: bool = False) -> list[str]:
    """Return the keys of accounts in the org, deleted ones included if they are asked for."""
    soql = f"SELECT {KEY} FROM Account WHERE {KEY} LIKE '{mark}-%' ORDER BY {KEY}"
    return [row[KEY] async for row in aio.query(soql, include_all_records=every)]


@pytest.mark.usefixtures("quick")
async def test_whole_operations_return_jobs_and_every_row(aio: Salesforce) -> None:
    """Insert, update, upsert and delete end with each row among the successful or failed ones."""
    bulk = aio.bulk_v2
    done = await bulk.insert("Account", [*rows("aw", 3), {"Name": "", KEY: "aw-bad"}])
    assert (len(done.jobs), len(done.successful_results), len(done.failed_results)) == (1, 3, 1)
    assert done.failed_results[0]["sf__Error"].startswith("REQUIRED_FIELD_MISSING")
    assert done.unprocessed_records == []
    ids = {row[KEY]: row["sf__Id"] for row in done.successful_results}
    done = await bulk.update("Account", [{"Id": record_id, "Site": "moved"} for record_id in ids.values()])
    assert {row["sf__Id"] for row in done.successful_results} == set(ids.values())
    done = await bulk.upsert("Account", rows("aw", 4), KEY)
    assert sorted(row["sf__Created"] for row in done.successful_results) == ["false", "false", "false", "true"]
    done = await bulk.delete("Account", [{"Id": record_id} for record_id in ids.values()])
    assert len(done.successful_results) == 3
    assert await keys(aio, "aw") == ["aw-3"]
    assert len(await keys(aio, "aw", every=True)) == 4


async def test_rows_are_split_into_jobs(aio: Salesforce) -> None:
    """By number and by bytes, rows are spread over jobs, and each comes back once."""
    for mark, limit in (("an", {"max_records": 4}), ("ay", {"max_size_bytes": 150})):
        operation = aio.bulk_v2.ingest.perform_operation(
            "insert",
            "Account",
            rows(mark, 10),
            fieldnames=["Name", KEY, "NumberOfEmployees", "Site"],
            polling_interval=0.05,
            **limit,
        )
        results = [result async for result in operation]
        assert len(results) > 1
        told = [row[KEY] for result in results for row in result.successful_results]
        assert sorted(told) == await keys(aio, mark)
        assert len(told) == 10


async def test_rows_are_deleted_for_good(aio: Salesforce) -> None:
    """hardDelete leaves nothing in the bin."""
    ingest = aio.bulk_v2.ingest
    made = [r async for r in ingest.perform_operation("insert", "Account", rows("ah", 2), polling_interval=0.05)]
    gone = [{"Id": row["sf__Id"]} for row in made[0].successful_results]
    done = [r async for r in ingest.perform_operation("hardDelete", "Account", gone, polling_interval=0.05)]
    assert len(done[0].successful_results) == 2
    assert await keys(aio, "ah", every=True) == []


async def ended(ingest: BulkIngestClient, job_id: str) -> JobInfo:
    """Return the job once it has ended."""
    async with asyncio.timeout(30):
        while (job := await ingest.get_job(job_id)).state not in ("JobComplete", "Failed", "Aborted"):
            await asyncio.sleep(0.02)
    return job


async def test_single_steps_and_the_list_of_jobs(aio: Salesforce) -> None:
    """A job is made, filled, found in the list, aborted or deleted; hooks learn of the batch it consumed."""
    seen: list[Event] = []
    aio.event_bus.subscribe_callback(seen.append)
    ingest = aio.bulk_v2.ingest
    job = await ingest.create_job("upsert", "Account", external_id_field=KEY)
    assert (job.state, job.operation, job.object, job.external_id_field_name) == ("Open", "upsert", "Account", KEY)
    assert (job.column_delimiter, job.line_ending, job.content_type) == ("COMMA", "LF", "CSV")
    closed = await ingest.upload_job_data(job.id, f"{KEY},Name\nas-1,Step\n".encode())
    assert closed.state == "UploadComplete"
    assert [event.count for event in seen if isinstance(event, BulkApiBatchConsumptionEvent)] == [1]
    job = await ended(ingest, job.id)
    assert (job.state, await keys(aio, "as")) == ("JobComplete", ["as-1"])
    assert job.id in [one.id async for one in ingest.list_jobs()]
    assert job.id in [one.id async for one in ingest.list_jobs(is_pk_chunking_enabled=False)]
    assert [one.id async for one in ingest.list_jobs(is_pk_chunking_enabled=True)] == []
    await ingest.delete_job(job.id)
    with pytest.raises(NotFoundError):
        await ingest.get_job(job.id)
    job = await ingest.create_job("insert", "Account")
    assert (await ingest.abort_job(job.id)).state == "Aborted"
    with pytest.raises(SalesforceError):
        await ingest.upload_job_data(job.id, b"Name\nlate\n")


async def test_assignment_rules_are_taken_or_refused(aio: Salesforce) -> None:
    """A job for leads may name an assignment rule; the org says what it makes of it."""
    with pytest.raises(SalesforceError) as caught:
        await aio.bulk_v2.ingest.create_job("insert", "Lead", assignment_rule_id="nonsense")
    assert caught.value.error_code is not None
