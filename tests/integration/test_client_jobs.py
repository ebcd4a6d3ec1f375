"""The client's bulk jobs against the emulated org: two beliefs about Salesforce, written apart, have to agree."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from orgbridge.client import (
    IngestJobRequest,
    IngestResult,
    Salesforce,
    errors,
)
from orgbridge.wire.bulk import IngestOperation, JobState, LineEnding, QueryOperation
from tests.support.client_org import emulator, external_id_of_account, finished, load, rows, salesforce

__all__ = ["emulator", "salesforce"]


async def test_ingest_job_end_to_end(salesforce: Salesforce) -> None:
    """An insert job with good and bad rows ends complete, and its three files account for every row."""
    request = IngestJobRequest(object="Account", operation=IngestOperation.INSERT, line_ending=LineEnding.CRLF)
    text = 'Name,Phone\r\n"Äcme, ""X""\r\nLtd",1\r\n,2\r\nplain,3\r\n'
    job = await load(salesforce, request, text)
    assert job.state is JobState.JOB_COMPLETE
    assert (job.number_records_processed, job.number_records_failed) == (3, 1)
    succeeded = await rows(salesforce, job.id, IngestResult.SUCCESSFUL)
    failed = await rows(salesforce, job.id, IngestResult.FAILED)
    assert {row["Name"] for row in succeeded} == {'Äcme, "X"\r\nLtd', "plain"}
    assert {row["sf__Created"] for row in succeeded} == {"true"}
    assert [row["Phone"] for row in failed] == ["2"]
    assert failed[0]["sf__Error"].startswith("REQUIRED_FIELD_MISSING:")
    assert await rows(salesforce, job.id, IngestResult.UNPROCESSED) == []
    record = await salesforce.records.retrieve("Account", succeeded[0]["sf__Id"], ["Name"])
    assert record["Name"] == succeeded[0]["Name"]
    assert job.id in {item.id for item in (await salesforce.bulk.ingest.list()).jobs}
    await salesforce.bulk.ingest.delete(job.id)
    with pytest.raises(errors.NotFound):
        await salesforce.bulk.ingest.get(job.id)


async def test_ingest_upsert_and_delete(salesforce: Salesforce) -> None:
    """An upsert job creates and updates; a delete job empties the org again."""
    key = await external_id_of_account(salesforce)
    await salesforce.records.upsert("Account", key, "u1", {"Name": "old"})
    request = IngestJobRequest(object="Account", operation=IngestOperation.UPSERT, external_id_field=key)
    job = await load(salesforce, request, f"{key},Name\nu1,new\nu2,two\n")
    assert job.external_id_field == key
    done = await rows(salesforce, job.id, IngestResult.SUCCESSFUL)
    assert {row[key]: row["sf__Created"] for row in done} == {"u1": "false", "u2": "true"}
    ids = "".join(f"{row['sf__Id']}\n" for row in done)
    delete = IngestJobRequest(object="Account", operation=IngestOperation.DELETE)
    gone = await load(salesforce, delete, f"Id\n{ids}")
    assert (gone.number_records_processed, gone.number_records_failed) == (2, 0)
    assert (await salesforce.query.page(f"SELECT COUNT() FROM Account WHERE {key} IN ('u1','u2')")).total_size == 0


async def test_job_that_fails_as_a_whole_says_why(salesforce: Salesforce) -> None:
    """An unknown column and a wrong line ending fail the job with Salesforce's reason; no row is written."""
    request = IngestJobRequest(object="Account", operation=IngestOperation.INSERT)
    job = await load(salesforce, request, "Name,Nope__c\nwhole job,b\n")
    assert (job.state, "Nope__c" in (job.error_message or "")) == (JobState.FAILED, True)
    job = await load(salesforce, request, "Name\r\nwhole job\r\n")
    assert (job.state, "LineEnding" in (job.error_message or "")) == (JobState.FAILED, True)
    assert (await salesforce.query.page("SELECT COUNT() FROM Account WHERE Name = 'whole job'")).total_size == 0


async def test_job_states_are_guarded(salesforce: Salesforce) -> None:
    """A second upload, results before the end, and aborting an aborted job are refused; unknown jobs are missing."""

    async def chunks() -> AsyncIterator[bytes]:
        yield b"Name\na\n"

    ingest = salesforce.bulk.ingest
    job = await ingest.create(IngestJobRequest(object="Account", operation=IngestOperation.INSERT))
    await ingest.upload(job.id, chunks, 7)
    with pytest.raises(errors.SalesforceError) as second:
        await ingest.upload(job.id, chunks, 7)
    assert second.value.status == 400
    with pytest.raises(errors.SalesforceError) as early:
        async with ingest.results(job.id, IngestResult.SUCCESSFUL):
            pass
    assert early.value.status == 400
    assert (await ingest.abort(job.id)).state is JobState.ABORTED
    with pytest.raises(errors.JobStateError):
        await ingest.abort(job.id)
    with pytest.raises(errors.NotFound):
        await ingest.get("750000000000000AAA")
    with pytest.raises(errors.ClientError):
        await ingest.create(IngestJobRequest(object="Nope__c", operation=IngestOperation.INSERT))


async def test_query_job_pages(salesforce: Salesforce) -> None:
    """A query job's pages hold every record once, each page with its header row; `resultPages` names the same pages."""
    text = "Name\n" + "".join(f"b{n:04}\n" for n in range(1000))
    await load(salesforce, IngestJobRequest(object="Account", operation=IngestOperation.INSERT), text)
    query = salesforce.bulk.query
    job = await query.create("SELECT Id, Name FROM Account WHERE Name LIKE 'b%'", QueryOperation.QUERY)
    job = await finished(query.get, job.id)
    assert (job.state, job.number_records_processed) == (JobState.JOB_COMPLETE, 1000)
    names: list[str] = []
    counts: list[int] = []
    async with aclosing(query.pages(job.id, max_records=300)) as pages:
        async for page in pages:
            text = b"".join([chunk async for chunk in page.chunks]).decode()
            read = list(csv.DictReader(io.StringIO(text)))
            assert len(read) == page.number_of_records
            counts.append(page.number_of_records)
            names += [row["Name"] for row in read]
    assert counts == [300, 300, 300, 100]
    assert sorted(names) == [f"b{n:04}" for n in range(1000)]
    listed = await query.result_pages(job.id)
    total = 0
    for locator in listed.locators:
        async with query.results(job.id, locator) as page:
            total += page.number_of_records
    assert (total, listed.next_records_url) == (1000, None)
    await query.delete(job.id)


async def test_bad_query_job_is_refused_at_once(salesforce: Salesforce) -> None:
    """Bad SOQL is refused when the job is created."""
    with pytest.raises(errors.InvalidRequest):
        await salesforce.bulk.query.create("SELECT Nope__c FROM Account")
