"""Ingest jobs: states, failures, results, and batches that are done once whatever is killed when."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import replace

import pytest

from orgbridge.emulator.jobs.ingest import IngestRun
from orgbridge.emulator.jobs.requests import read_ingest_request
from orgbridge.emulator.jobs.rows import JobKind, ResultKind
from orgbridge.emulator.schema.errors import SFError
from orgbridge.wire.bulk import JobState
from tests.unit.emulator.jobs.conftest import VERSION, Town

GOOD, BAD = ResultKind.SUCCESSFUL, ResultKind.FAILED


def accounts(count: int, *, bad_every: int = 0) -> bytes:
    """Return a CSV of accounts; every `bad_every`-th has no name."""
    rows = [f"{'' if bad_every and n % bad_every == 0 else f'Firma {n}'},key-{n}" for n in range(count)]
    return ("Name,External_Id__c\n" + "\n".join(rows) + "\n").encode()


def table(data: bytes, delimiter: str = ",") -> list[dict[str, str]]:
    """Return a result file as rows by column."""
    return list(csv.DictReader(io.StringIO(data.decode(), newline=""), delimiter=delimiter))


def test_every_row_ends_in_exactly_one_result_file(town: Town) -> None:
    """Successes and failures together are the upload, and counters agree with them."""
    job = town.run(town.ingest(accounts(250, bad_every=10)), batch_rows=40)
    assert (job.state, job.processed, job.failed) == (JobState.JOB_COMPLETE, 250, 25)
    good, bad = table(town.results(job, GOOD)), table(town.results(job, BAD))
    assert {row["External_Id__c"] for row in good + bad} == {f"key-{n}" for n in range(250)}
    assert (len(good), len(bad)) == (225, 25)
    assert {row["sf__Error"] for row in bad} == {"REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --"}
    assert table(town.results(job, None)) == []
    assert town.count() == 225


def test_results_do_not_keep_the_order_of_upload(town: Town) -> None:
    """A client that joins results by position must fail here, as it would at Salesforce; twice the same disorder."""
    job = town.run(town.ingest(accounts(200)), batch_rows=50)
    keys = [row["External_Id__c"] for row in table(town.results(job, GOOD))]
    assert keys != [f"key-{n}" for n in range(200)]
    assert sorted(keys) == sorted(f"key-{n}" for n in range(200))
    assert town.results(job, GOOD) == town.results(job, GOOD)


def test_a_kill_after_any_step_doubles_and_loses_nothing(make_town: Callable[[], Town]) -> None:
    """A new process takes over after every single step, and the org holds each row once."""
    town = make_town()
    job = town.ingest(accounts(95, bad_every=7))
    done = town.run(job, batch_rows=10, forget=True)
    assert (done.state, done.processed, done.failed, done.batches) == (JobState.JOB_COMPLETE, 95, 14, 10)
    again = make_town()
    assert again.count() == 81
    assert len(table(again.results(done, GOOD))) == 81
    assert len(table(again.results(done, BAD))) == 14


def test_the_state_is_seen_to_go_through_in_progress(town: Town) -> None:
    """Closing answers UploadComplete, and the first step only makes it InProgress."""
    job = town.ingest(accounts(3))
    assert job.state is JobState.UPLOAD_COMPLETE
    run = IngestRun(town.tools, job.id)
    assert run.step() is False
    assert town.jobs.get(JobKind.INGEST, job.id).state is JobState.IN_PROGRESS
    assert town.count() == 0
    run.close()


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "InvalidBatch : Records not found"),
        (None, "InvalidBatch : Records not found"),
        (b"Name\n", "InvalidBatch : Records not found"),
        (b"Name,Nope__c\nx,y\n", "InvalidBatch : InvalidBatch : Field name not found : Nope__c"),
        (b"\xef\xbb\xbfName\nx\n", "InvalidBatch : InvalidBatch : Field name not found : \ufeffName"),
        (b"Name;Phone\nx;y\n", "InvalidBatch : InvalidBatch : Field name not found : Name;Phone"),
        (
            b"Name\r\nx\r\n",
            "ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is LF",
        ),
    ],
    ids=["empty", "no-data", "header-only", "field", "bom", "delimiter", "line-ending"],
)
def test_a_file_that_cannot_be_loaded_fails_the_job(town: Town, data: bytes | None, text: str) -> None:
    """The job fails with the platform's text, and no row was saved."""
    job = town.run(town.ingest(data))
    assert (job.state, job.error_message, job.processed) == (JobState.FAILED, text, 0)
    assert town.count() == 0


def test_rows_behind_a_parse_error_stay_unprocessed(town: Town) -> None:
    """Batches in front of it stay saved, readable rows behind them are told as unprocessed."""
    data = accounts(25) + b'x"y,key-bad\n'
    job = town.run(town.ingest(data), batch_rows=10)
    assert (job.state, job.processed) == (JobState.FAILED, 20)
    assert town.count() == 20
    assert [row["External_Id__c"] for row in table(town.results(job, None))] == [f"key-{n}" for n in range(20, 25)]


def test_abort_in_the_middle_keeps_what_was_done(town: Town) -> None:
    """Successful and unprocessed rows of an aborted job together are the upload."""
    job = town.ingest(accounts(30))
    run = IngestRun(replace(town.tools, batch_rows=10), job.id)
    for _ in range(2):
        assert run.step() is False
    town.jobs.abort(JobKind.INGEST, job.id)
    assert run.step() is True
    run.close()
    done = town.jobs.get(JobKind.INGEST, job.id)
    assert (done.state, done.processed) == (JobState.ABORTED, 10)
    keys = [row["External_Id__c"] for row in table(town.results(done, GOOD)) + table(town.results(done, None))]
    assert sorted(keys) == sorted(f"key-{n}" for n in range(30))


def test_another_delimiter_and_line_ending_are_kept_in_the_results(town: Town) -> None:
    """A job with semicolons and CRLF gets its results in the same form."""
    data = b'Name;External_Id__c\r\n"A;B";k1\r\n'
    job = town.run(town.ingest(data, columnDelimiter="SEMICOLON", lineEnding="CRLF"))
    result = town.results(job, GOOD)
    assert result.startswith(b'"sf__Id";"sf__Created";"Name";"External_Id__c"\r\n')
    assert result.endswith(b'"true";"A;B";"k1"\r\n')


def test_upsert_update_delete_and_hard_delete(town: Town) -> None:
    """Each operation does to the rows what its name says."""
    first = town.run(town.ingest(accounts(4)))
    ids = {row["External_Id__c"]: row["sf__Id"] for row in table(town.results(first, GOOD))}
    upsert = town.run(
        town.ingest(
            b"External_Id__c,Name\nkey-0,Changed\nkey-9,New\n", operation="upsert", externalIdFieldName="External_Id__c"
        )
    )
    created = {row["External_Id__c"]: row["sf__Created"] for row in table(town.results(upsert, GOOD))}
    assert created == {"key-0": "false", "key-9": "true"}
    update = town.run(town.ingest(f"Id,Phone\n{ids['key-1']},123\n{'001' + 'x' * 12},1\n".encode(), operation="update"))
    assert (update.processed, update.failed) == (2, 1)
    assert town.count("Phone = '123'") == 1
    town.run(town.ingest(f"Id\n{ids['key-2']}\n".encode(), operation="delete"))
    town.run(town.ingest(f"Id\n{ids['key-3']}\n".encode(), operation="hardDelete"))
    assert (town.count("IsDeleted = 1"), town.count()) == (1, 4)


def test_a_lock_storm_fails_rows_and_saves_the_others(town: Town) -> None:
    """Locked rows fail with UNABLE_TO_LOCK_ROW; nothing else is touched by the storm."""
    town.tools.faults.program({"kind": "locks", "share": 0.5, "seed": 3})
    job = town.run(town.ingest(accounts(100)), batch_rows=30)
    bad = table(town.results(job, BAD))
    assert 30 < len(bad) < 70
    assert {row["sf__Error"].partition(":")[0] for row in bad} == {"UNABLE_TO_LOCK_ROW"}
    assert town.count() == 100 - len(bad) == job.processed - job.failed


def test_a_job_can_be_made_to_fail_after_some_batches(town: Town) -> None:
    """Batches before the failure stay, the others are unprocessed."""
    town.tools.faults.program({"kind": "job_failure", "after_batches": 2})
    job = town.run(town.ingest(accounts(50)), batch_rows=10)
    assert (job.state, job.processed) == (JobState.FAILED, 20)
    assert len(table(town.results(job, None))) == 30


def test_a_second_upload_and_a_late_one_are_refused(town: Town) -> None:
    """One PUT per job, and only while it is open; the refused data leaves no file behind."""
    request = read_ingest_request(town.tools.org.catalogue, {"object": "Account", "operation": "insert"})
    job = town.jobs.create_ingest(request, town.tools.org.admin_id, VERSION)
    first, second = town.jobs.begin_upload(job.id), town.jobs.begin_upload(job.id)
    first.write(accounts(1))
    second.write(accounts(2))
    town.jobs.finish_upload(job.id, first)
    with pytest.raises(SFError, match="Found multiple contents for job: <750"):
        town.jobs.finish_upload(job.id, second)
    with pytest.raises(SFError, match="Found multiple contents"):
        town.jobs.begin_upload(job.id)
    assert len(list(town.tools.spool.folder.iterdir())) == 1
    town.jobs.close(JobKind.INGEST, job.id)
    with pytest.raises(SFError, match="cannot be uploaded"):
        town.jobs.begin_upload(job.id)


def test_states_refuse_what_does_not_follow(town: Town) -> None:
    """Closing twice, aborting an ended job, deleting a running one and early results are refused."""
    job = town.ingest(accounts(5))
    with pytest.raises(SFError) as closed:
        town.jobs.close(JobKind.INGEST, job.id)
    assert closed.value.code == "INVALIDJOBSTATE"
    with pytest.raises(SFError) as early:
        town.results(job, GOOD)
    assert early.value.code == "INVALIDJOBSTATE"
    done = town.run(job)
    with pytest.raises(SFError, match="Aborting already Completed Job not allowed"):
        town.jobs.abort(JobKind.INGEST, done.id)
    town.jobs.delete(JobKind.INGEST, done.id)
    assert list(town.tools.spool.folder.iterdir()) == []
    with pytest.raises(SFError) as gone:
        town.jobs.get(JobKind.INGEST, done.id)
    assert gone.value.code == "NOT_FOUND"
    assert town.count() == 5
    assert town.jobs.commits() == {}


def test_a_start_sweeps_files_that_no_job_owns(make_town: Callable[[], Town]) -> None:
    """What a kill in the middle of an upload left behind is gone after the next start, and kept files stay."""
    town = make_town()
    town.ingest(accounts(1))
    (town.tools.spool.folder / "750x.csv.part").write_bytes(b"half")
    assert len(list(make_town().tools.spool.folder.iterdir())) == 1
