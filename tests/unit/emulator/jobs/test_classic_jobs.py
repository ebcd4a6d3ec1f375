"""Batches of Bulk API 1.0, carried on step by step and forgotten in between as after a kill."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from orgbridge.emulator.jobs.classic.faults import ClassicFault
from orgbridge.emulator.jobs.classic.ingest import IngestBatchRun
from orgbridge.emulator.jobs.classic.queries import QueryBatchRun
from orgbridge.emulator.jobs.classic.requests import read_job_request
from orgbridge.emulator.jobs.classic.rows import BatchState, ClassicJob, ClassicState, waiting_batches
from orgbridge.emulator.jobs.classic.service import ClassicJobs
from tests.unit.emulator.jobs.conftest import VERSION, Town


def classic(town: Town) -> ClassicJobs:
    """Return the jobs of Bulk API 1.0 of an org; their worker is not started."""
    return ClassicJobs(town.tools)


def make(jobs: ClassicJobs, town: Town, **info: str) -> ClassicJob:
    """Make a job."""
    body = {"operation": "insert", "object": "Account", "contentType": "CSV", **info}
    request = read_job_request(town.tools.org.catalogue, body)
    return jobs.create(request, user_id=town.tools.org.admin_id, version=VERSION, line_ending="LF")[0]


def waiting(town: Town) -> list[str]:
    """Return the batches that the worker would be offered."""
    with town.tools.org.storage.read() as connection:
        return waiting_batches(connection, 10)


def content(jobs: ClassicJobs, job: ClassicJob, batch_id: str, file: int = 0) -> bytes:
    """Return a whole result file."""
    _, batch, _ = jobs.results(job.id, batch_id)
    return b"".join(jobs.blocks(batch, file))


def test_a_batch_that_was_begun_before_a_kill_is_done_once(make_town: Callable[[], Town]) -> None:
    """Begun by one process and done by the next, its rows are in the org once and its results are whole."""
    town = make_town()
    jobs = classic(town)
    job = make(jobs, town)
    batch = jobs.add_batch(job.id, b"Name\none\n\xc3\xa4\n")
    assert IngestBatchRun(town.tools, batch.id).step() is False
    assert jobs.batch(job.id, batch.id)[1].state is BatchState.IN_PROGRESS
    later = make_town()
    jobs = classic(later)
    assert waiting(later) == [batch.id]
    run = IngestBatchRun(later.tools, batch.id)
    assert [run.step(), run.step()] == [False, True]
    assert IngestBatchRun(later.tools, batch.id).step() is True
    assert waiting(later) == []
    assert later.count() == 2
    assert len(content(jobs, job, batch.id).splitlines()) == 3


def test_a_query_that_was_interrupted_begins_anew_and_fills_files(make_town: Callable[[], Town]) -> None:
    """Whatever was kept before a kill goes away; files break where they must, each whole in itself."""
    town = make_town()
    town.run(town.ingest(b"Name\n" + b"".join(b"n%02d\n" % n for n in range(25))))
    jobs = classic(town)
    job = make(jobs, town, operation="query", contentType="JSON")
    batch = jobs.add_batch(job.id, b"SELECT Name FROM Account ORDER BY Name")
    first = QueryBatchRun(town.tools, batch.id, file_records=10)
    first.step()
    first.step()
    first.close()
    assert jobs.batch(job.id, batch.id)[1].processed == 10
    second = QueryBatchRun(town.tools, batch.id, file_records=10)
    while not second.step():
        pass
    second.close()
    _, done, files = jobs.results(job.id, batch.id)
    assert (done.processed, files) == (25, [0, 1, 2])
    names = [[row["Name"] for row in json.loads(content(jobs, job, batch.id, file))] for file in files]
    assert names == [[f"n{n:02d}" for n in range(start, min(start + 10, 25))] for start in (0, 10, 20)]


@pytest.mark.documented
def test_batches_of_a_serial_job_wait_for_each_other(make_town: Callable[[], Town]) -> None:
    """Of a Serial job the worker is offered the oldest batch only, of a Parallel one all."""
    town = make_town()
    jobs = classic(town)
    serial, parallel = make(jobs, town, concurrencyMode="Serial"), make(jobs, town)
    one, two = (jobs.add_batch(serial.id, b"Name\nx\n") for _ in range(2))
    three, four = (jobs.add_batch(parallel.id, b"Name\nx\n") for _ in range(2))
    assert waiting(town) == [one.id, three.id, four.id]
    run = IngestBatchRun(town.tools, one.id)
    while not run.step():
        pass
    assert waiting(town) == [two.id, three.id, four.id]


def test_an_aborted_job_keeps_what_is_done(make_town: Callable[[], Town]) -> None:
    """A batch under way when its job is aborted saves nothing; one that was done keeps its results."""
    town = make_town()
    jobs = classic(town)
    job = make(jobs, town)
    done, begun = (jobs.add_batch(job.id, b"Name\nx\n") for _ in range(2))
    run = IngestBatchRun(town.tools, done.id)
    while not run.step():
        pass
    half = IngestBatchRun(town.tools, begun.id)
    half.step()
    changed, totals = jobs.change(job.id, ClassicState.ABORTED)
    assert half.step() is True
    assert (changed.state, totals.batches) == (
        ClassicState.ABORTED,
        {BatchState.COMPLETED: 1, BatchState.NOT_PROCESSED: 1},
    )
    assert town.count() == 1
    assert content(jobs, job, done.id)
    with pytest.raises(ClassicFault, match="InvalidBatch: Records not processed"):
        jobs.results(job.id, begun.id)
    with pytest.raises(ClassicFault, match="InvalidJobState"):
        jobs.add_batch(job.id, b"Name\nx\n")


def test_the_batches_of_a_day_run_out(make_town: Callable[[], Town], monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the limit of a day a batch is refused with ExceededQuota and not kept."""
    monkeypatch.setattr("orgbridge.emulator.jobs.classic.service.DAILY_BULK_BATCHES", 1)
    town = make_town()
    jobs = classic(town)
    job = make(jobs, town)
    jobs.add_batch(job.id, b"Name\nx\n")
    with pytest.raises(ClassicFault, match="ExceededQuota"):
        jobs.add_batch(job.id, b"Name\nx\n")
    assert (len(waiting(town)), jobs.batches_left()) == (1, 0)
