"""Bulk API 2.0: jobs, uploads and downloads in constant memory, result pages, lists."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import aclosing

import psutil
import pytest

from orgbridge.client import IngestJobRequest, IngestResult, Salesforce, errors
from orgbridge.wire.bulk import ColumnDelimiter, IngestOperation, JobState, LineEnding, QueryOperation
from tests.support.salesforce_double import Answer, Drop, Flood, SalesforceDouble, blocks

JOB_ID = "7506g00000DhRA2AAN"
INGEST = "/services/data/v67.0/jobs/ingest"
QUERY = "/services/data/v67.0/jobs/query"
OPEN = {
    "id": JOB_ID,
    "operation": "insert",
    "object": "Account",
    "createdDate": "2018-12-18T22:51:36.000+0000",
    "state": "Open",
    "concurrencyMode": "Parallel",
    "contentType": "CSV",
    "apiVersion": 67.0,
    "contentUrl": f"services/data/v67.0/jobs/ingest/{JOB_ID}/batches",
    "lineEnding": "LF",
    "columnDelimiter": "COMMA",
}
MEGABYTE = 1024 * 1024


async def chunks_of(text: bytes) -> AsyncIterator[bytes]:
    """Give the text as one chunk."""
    yield text


async def test_ingest_job_is_created(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """A job is created with all that the guide names, and read with what it lacks left as None."""
    double.script("POST", INGEST, Answer(json=OPEN))
    job = await salesforce.bulk.ingest.create(
        IngestJobRequest(
            object="Account",
            operation=IngestOperation.UPSERT,
            external_id_field="Ext__c",
            line_ending=LineEnding.CRLF,
            column_delimiter=ColumnDelimiter.PIPE,
            assignment_rule_id="01Q000000000001AAA",
        )
    )
    assert (job.id, job.state, job.number_records_processed, job.error_message) == (JOB_ID, JobState.OPEN, None, None)
    assert job.raw == OPEN
    assert json.loads(double.requests[0].body) == {
        "object": "Account",
        "operation": "upsert",
        "contentType": "CSV",
        "lineEnding": "CRLF",
        "columnDelimiter": "PIPE",
        "externalIdFieldName": "Ext__c",
        "assignmentRuleId": "01Q000000000001AAA",
    }


@pytest.mark.parametrize(("packed", "asked"), [(None, "identity"), (True, "gzip"), (False, "identity")])
async def test_results_of_an_org_on_this_machine_come_unpacked_unless_asked_for(
    salesforce: Salesforce, double: SalesforceDouble, packed: bool | None, asked: str
) -> None:
    """Packing costs both sides time, and saves none where there is no network between them."""
    double.script("GET", f"{INGEST}/{JOB_ID}/failedResults", Answer(body=b"Id\n", gzipped=True))
    page = {"Sforce-Locator": "null", "Sforce-NumberOfRecords": "0"}
    double.script("GET", f"{QUERY}/{JOB_ID}/results", Answer(body=b"Id\n", headers=page, gzipped=True))
    async with salesforce.bulk.ingest.results(JOB_ID, IngestResult.FAILED, packed=packed) as chunks:
        assert b"".join([chunk async for chunk in chunks]) == b"Id\n"
    async with salesforce.bulk.query.results(JOB_ID, packed=packed) as results:
        assert b"".join([chunk async for chunk in results.chunks]) == b"Id\n"
    assert [request.headers["Accept-Encoding"] for request in double.requests] == [asked, asked]


async def test_lost_job_create_is_not_repeated(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """A job whose creation was lost is left to the caller: there may be one."""
    double.script("POST", INGEST, Drop())
    with pytest.raises(errors.ConnectionFailed) as caught:
        await salesforce.bulk.ingest.create(IngestJobRequest(object="Account", operation=IngestOperation.INSERT))
    assert caught.value.sent
    assert len(double.requests) == 1


async def test_upload_of_known_length(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """An upload of known length goes as CSV with a Content-Length, one of unknown length goes chunked."""
    double.script("PUT", f"{INGEST}/{JOB_ID}/batches", Answer(status=201))
    await salesforce.bulk.ingest.upload(JOB_ID, lambda: chunks_of(b"Name\nAcme\n"), 10)
    await salesforce.bulk.ingest.upload(JOB_ID, lambda: chunks_of(b"Name\nAcme\n"))
    known, unknown = double.requests
    assert known.body == unknown.body == b"Name\nAcme\n"
    assert known.headers["Content-Length"] == "10"
    assert known.headers["Content-Type"].startswith("text/csv")
    assert unknown.headers["Transfer-Encoding"] == "chunked"


async def test_upload_is_never_retried(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """A lost or refused upload is sent once: Salesforce takes one per job."""
    path = f"{INGEST}/{JOB_ID}/batches"
    double.script("PUT", path, Drop(), Answer(status=503))
    for expected in (errors.ConnectionFailed, errors.ServerUnavailable):
        with pytest.raises(expected):
            await salesforce.bulk.ingest.upload(JOB_ID, lambda: chunks_of(b"Name\nAcme\n"), 10)
    assert len(double.seen("PUT", path)) == 2


async def test_upload_wants_201(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """Any other success than 201 is not taken for an upload."""
    double.script("PUT", f"{INGEST}/{JOB_ID}/batches", Answer(status=200, json={}))
    with pytest.raises(errors.MalformedReply, match="201"):
        await salesforce.bulk.ingest.upload(JOB_ID, lambda: chunks_of(b"Name\n"), 5)


@pytest.mark.parametrize("announced", [9, 11])
async def test_upload_of_wrong_length_is_broken_off(
    salesforce: Salesforce, double: SalesforceDouble, announced: int
) -> None:
    """A body longer or shorter than announced never arrives as if it were whole."""
    double.script("PUT", f"{INGEST}/{JOB_ID}/batches", Answer(status=201))
    with pytest.raises(errors.BodyMismatch):
        await salesforce.bulk.ingest.upload(JOB_ID, lambda: chunks_of(b"Name\nAcme\n"), announced)


async def test_failure_of_the_source_is_its_own(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """What the source of the chunks raises comes out as it is, and the source is closed."""
    closed = False

    async def source() -> AsyncIterator[bytes]:
        nonlocal closed
        try:
            yield b"Name\n"
            raise OSError("disk gone")
        finally:
            closed = True

    double.script("PUT", f"{INGEST}/{JOB_ID}/batches", Answer(status=201))
    with pytest.raises(OSError, match="disk gone"):
        await salesforce.bulk.ingest.upload(JOB_ID, source, 100)
    assert closed


async def test_401_before_the_body_was_read_closes_and_reopens_the_source(
    salesforce: Salesforce, double: SalesforceDouble
) -> None:
    """Salesforce may refuse a large upload before reading it: its source is closed, opened anew and sent whole."""
    events: list[str] = []

    async def source() -> AsyncIterator[bytes]:
        events.append("open")
        try:
            async for block in blocks(20 * MEGABYTE):
                yield block
        finally:
            events.append("close")

    double.script("GET", "/services/data/v67.0/limits", Answer(json={}))
    double.script("PUT", f"{INGEST}/{JOB_ID}/batches", Answer(status=201))
    await salesforce.limits.get()
    double.expire()
    double.hasty = True
    # A server's reset can overtake its 401; then the caller is told that the outcome is unknown.
    with contextlib.suppress(errors.ConnectionFailed):
        await salesforce.bulk.ingest.upload(JOB_ID, source, 20 * MEGABYTE)
    arrived = [request.body_bytes for request in double.seen("PUT", f"{INGEST}/{JOB_ID}/batches")]
    assert (events, arrived) in (
        (["open", "close", "open", "close"], [20 * MEGABYTE]),
        (["open", "close"], []),
    )


async def test_upload_takes_constant_memory(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """200 MB go up byte for byte while the process, server included, grows by less than 40 MiB."""
    total = 200 * MEGABYTE
    double.script("PUT", f"{INGEST}/{JOB_ID}/batches", Answer(status=201))
    await salesforce.bulk.ingest.upload(JOB_ID, lambda: blocks(MEGABYTE), MEGABYTE)
    before, peak = psutil.Process().memory_info().rss, 0

    async def watched() -> AsyncIterator[bytes]:
        nonlocal peak
        async for block in blocks(total):
            peak = max(peak, psutil.Process().memory_info().rss)
            yield block

    await salesforce.bulk.ingest.upload(JOB_ID, watched, total)
    digest = hashlib.sha256()
    async for block in blocks(total):
        digest.update(block)
    assert double.requests[-1].body_sha256 == digest.hexdigest()
    assert peak - before < 40 * MEGABYTE


async def test_download_takes_constant_memory(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """200 MB of results come down in blocks while the process, server included, grows by less than 40 MiB."""
    total = 200 * MEGABYTE
    double.script("GET", f"{INGEST}/{JOB_ID}/successfulResults", Flood(total))
    before, peak, read = psutil.Process().memory_info().rss, 0, 0
    async with salesforce.bulk.ingest.results(JOB_ID, IngestResult.SUCCESSFUL) as chunks:
        async for chunk in chunks:
            read += len(chunk)
            peak = max(peak, psutil.Process().memory_info().rss)
    assert read == total
    assert peak - before < 40 * MEGABYTE


async def test_truncated_download_is_an_error(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """A download that breaks off raises; it never looks like its end."""
    double.script("GET", f"{INGEST}/{JOB_ID}/successfulResults", Drop(half=True))
    async with salesforce.bulk.ingest.results(JOB_ID, IngestResult.SUCCESSFUL) as chunks:
        with pytest.raises(errors.ConnectionFailed):
            [chunk async for chunk in chunks]


async def test_half_read_download_leaves_the_client_usable(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """A caller that stops reading half way does not spoil the next call."""
    double.script("GET", f"{INGEST}/{JOB_ID}/successfulResults", Flood(20 * MEGABYTE))
    double.script("GET", f"{INGEST}/{JOB_ID}", Answer(json={**OPEN, "state": "JobComplete"}))
    async with salesforce.bulk.ingest.results(JOB_ID, IngestResult.SUCCESSFUL) as chunks:
        async for _ in chunks:
            break
    assert (await salesforce.bulk.ingest.get(JOB_ID)).state is JobState.JOB_COMPLETE


async def test_job_is_closed_watched_and_deleted(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """Close and abort send the state; get reads the counts; delete passes."""
    done = {
        **OPEN,
        "state": "JobComplete",
        "numberRecordsProcessed": 3,
        "numberRecordsFailed": 1,
        "jobType": "V2Ingest",
    }
    path = f"{INGEST}/{JOB_ID}"
    double.script(
        "PATCH", path, Answer(json={**OPEN, "state": "UploadComplete"}), Answer(json={**OPEN, "state": "Aborted"})
    )
    double.script("GET", path, Answer(json=done))
    double.script("DELETE", path, Answer(status=204))
    ingest = salesforce.bulk.ingest
    assert (await ingest.close(JOB_ID)).state is JobState.UPLOAD_COMPLETE
    assert (await ingest.abort(JOB_ID)).state is JobState.ABORTED
    job = await ingest.get(JOB_ID)
    await ingest.delete(JOB_ID)
    assert (job.number_records_processed, job.number_records_failed, job.job_type) == (3, 1, "V2Ingest")
    assert [json.loads(r.body) for r in double.seen("PATCH", path)] == [
        {"state": "UploadComplete"},
        {"state": "Aborted"},
    ]


async def test_lost_close_is_not_repeated(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """The one irreversible act is not sent a second time before somebody asked for the job's state."""
    double.script("PATCH", f"{INGEST}/{JOB_ID}", Drop())
    with pytest.raises(errors.ConnectionFailed):
        await salesforce.bulk.ingest.close(JOB_ID)
    assert len(double.seen("PATCH", f"{INGEST}/{JOB_ID}")) == 1


async def test_lost_delete_of_a_job_is_a_success_when_it_is_gone(
    salesforce: Salesforce, double: SalesforceDouble
) -> None:
    """A delete whose reply was lost, and whose repetition finds nothing, has done its work."""
    gone = [{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}]
    double.script("DELETE", f"{INGEST}/{JOB_ID}", Drop(), Answer(status=404, json=gone))
    await salesforce.bulk.ingest.delete(JOB_ID)
    with pytest.raises(errors.NotFound):
        await salesforce.bulk.ingest.delete(JOB_ID)


async def test_wrong_state_is_typed(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """`INVALIDJOBSTATE` is a `JobStateError`."""
    late = [{"errorCode": "INVALIDJOBSTATE", "message": "Aborting already Completed Job not allowed"}]
    double.script("PATCH", f"{INGEST}/{JOB_ID}", Answer(status=400, json=late))
    with pytest.raises(errors.JobStateError):
        await salesforce.bulk.ingest.abort(JOB_ID)


async def test_jobs_are_listed_without_those_of_bulk_1(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """A list leaves out Bulk API 1.0 jobs, whose states are other words, and follows its next page verbatim."""
    first = {
        "done": False,
        "records": [
            {**OPEN, "jobType": "V2Ingest"},
            {"id": "750000000000009AAA", "jobType": "Classic", "state": "Closed"},
        ],
        "nextRecordsUrl": f"{INGEST}?queryLocator=01gRM000000NS1vYAG-1000",
    }
    last = {"done": True, "records": [], "nextRecordsUrl": None}
    double.script("GET", INGEST, Answer(json=first), Answer(json=last))
    page = await salesforce.bulk.ingest.list()
    assert [job.id for job in page.jobs] == [JOB_ID]
    page = await salesforce.bulk.ingest.list(page.next_records_url)
    assert (page.jobs, page.done) == ((), True)
    assert double.requests[-1].target == f"{INGEST}?queryLocator=01gRM000000NS1vYAG-1000"


async def test_query_job_pages_follow_their_locators(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """Result pages are read one after another until the locator is the word null."""
    path = f"{QUERY}/{JOB_ID}/results"
    double.script(
        "GET",
        path,
        Answer(body=b'"Id"\n"1"\n', headers={"Sforce-Locator": "MTAw", "Sforce-NumberOfRecords": "1"}, gzipped=True),
        Answer(body=b'"Id"\n"2"\n', headers={"Sforce-Locator": "null", "Sforce-NumberOfRecords": "1"}),
    )
    async with aclosing(salesforce.bulk.query.pages(JOB_ID, max_records=1)) as results:
        pages = [
            (page.locator, page.number_of_records, b"".join([chunk async for chunk in page.chunks]))
            async for page in results
        ]
    assert pages == [("MTAw", 1, b'"Id"\n"1"\n'), (None, 1, b'"Id"\n"2"\n')]
    assert [r.target for r in double.requests] == [f"{path}?maxRecords=1", f"{path}?locator=MTAw&maxRecords=1"]


async def test_query_page_that_hides_its_locator_is_an_error(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """A page without `Sforce-Locator` is refused: taking it for the last one could lose rows."""
    double.script("GET", f"{QUERY}/{JOB_ID}/results", Answer(body=b"Id\n", headers={"Sforce-NumberOfRecords": "0"}))
    with pytest.raises(errors.MalformedReply, match="Sforce-Locator"):
        async with salesforce.bulk.query.results(JOB_ID):
            pass


async def test_repeated_locator_is_an_error(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """A locator that comes twice ends the reading instead of going round for ever."""
    double.script(
        "GET",
        f"{QUERY}/{JOB_ID}/results",
        Answer(body=b"Id\n", headers={"Sforce-Locator": "MTAw", "Sforce-NumberOfRecords": "0"}),
    )
    with pytest.raises(errors.MalformedReply, match="already"):
        [page async for page in salesforce.bulk.query.pages(JOB_ID)]


async def test_query_job_is_created(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """A query job is created with its SOQL and form of CSV."""
    created = {"id": JOB_ID, "operation": "queryAll", "object": "Account", "state": "UploadComplete"}
    double.script("POST", QUERY, Answer(json=created))
    job = await salesforce.bulk.query.create("SELECT Id FROM Account", QueryOperation.QUERY_ALL)
    assert (job.state, job.operation) == (JobState.UPLOAD_COMPLETE, "queryAll")
    assert json.loads(double.requests[0].body) == {
        "operation": "queryAll",
        "query": "SELECT Id FROM Account",
        "contentType": "CSV",
        "columnDelimiter": "COMMA",
        "lineEnding": "LF",
    }


async def test_result_pages_give_their_locators(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """The list of result pages gives locators in order and follows its next part, however the path is spelt."""
    base = f"{QUERY}/{JOB_ID}"
    first = {
        "resultPages": [{"resultUrl": f"{base}/results"}, {"resultUrl": f"{base}/results?locator=MTAw"}],
        "nextRecordsUrl": f"{base}/resultpages?locator=MjAw",
        "done": False,
    }
    last = {"resultPages": [{"resultUrl": f"{base}/results?locator=MjAw"}], "nextRecordsUrl": None, "done": True}
    double.script("GET", f"{base}/resultPages", Answer(json=first))
    double.script("GET", f"{base}/resultpages", Answer(json=last))
    pages = await salesforce.bulk.query.result_pages(JOB_ID)
    assert pages.locators == (None, "MTAw")
    rest = await salesforce.bulk.query.result_pages(JOB_ID, pages.next_records_url)
    assert (rest.locators, rest.next_records_url) == (("MjAw",), None)


@pytest.mark.parametrize("reply", [{}, {"resultPages": [{}]}, {"records": ["x"]}], ids=repr)
async def test_lists_without_sense_are_malformed(
    salesforce: Salesforce, double: SalesforceDouble, reply: dict[str, object]
) -> None:
    """A list of jobs or of result pages of another shape is an error, not a crash."""
    double.script("GET", QUERY, Answer(json=reply))
    double.script("GET", f"{QUERY}/{JOB_ID}/resultPages", Answer(json=reply))
    with pytest.raises(errors.MalformedReply):
        await salesforce.bulk.query.list()
    with pytest.raises(errors.MalformedReply):
        await salesforce.bulk.query.result_pages(JOB_ID)


@pytest.mark.parametrize("change", [{"state": "Melted"}, {"id": ""}, {"numberRecordsFailed": "many"}])
async def test_job_without_sense_is_malformed(
    salesforce: Salesforce, double: SalesforceDouble, change: dict[str, str]
) -> None:
    """A job of unknown state, without id or with a count that is none, is an error and never guessed at."""
    double.script("GET", f"{INGEST}/{JOB_ID}", Answer(json={**OPEN, **change}))
    with pytest.raises(errors.MalformedReply):
        await salesforce.bulk.ingest.get(JOB_ID)


def test_job_request_is_frozen() -> None:
    """What a job is to do does not change after it was said."""
    request = IngestJobRequest(object="Account", operation=IngestOperation.INSERT)
    with pytest.raises(dataclasses.FrozenInstanceError):
        request.object = "Contact"  # type: ignore[misc]  # that is the point
