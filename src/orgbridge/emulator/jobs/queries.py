"""Query jobs: checked when they are made, evaluated in one snapshot, kept row by row so that any page can be read.

A run that was interrupted begins anew: it only reads, and its half result is thrown away first.

Source: facts/salesforce/bulk2.md section 9.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime

from orgbridge.emulator.faults import Faults
from orgbridge.emulator.jobs.results import csv_bytes, query_chunk
from orgbridge.emulator.jobs.rows import (
    Job,
    JobKind,
    ResultKind,
    add_chunk,
    find_job,
    remove_results,
    save_job,
)
from orgbridge.emulator.jobs.tables import quoted
from orgbridge.emulator.org.org import Org
from orgbridge.emulator.query.bulk import check_bulk
from orgbridge.emulator.query.csvrows import query_blocks
from orgbridge.emulator.query.planner import plan_query
from orgbridge.emulator.query.plans import QueryPlan
from orgbridge.emulator.schema.errors import SFError
from orgbridge.kit.clock import Clock
from orgbridge.wire.bulk import JobState, QueryOperation
from orgbridge.wire.dates import bulk_datetime

#: Rows kept in one transaction, and characters after which it is enough: wide rows must not fill the memory.
_CHUNK_ROWS, _CHUNK_CHARACTERS = 5_000, 2 << 20
#: Rows fetched at a time.
_FETCH_ROWS = 500
#: First version whose columns stand in SELECT's order; earlier ones are alphabetical. Source: bulk2.md section 9.
_SELECT_ORDER_SINCE = 50


def plan_bulk(org: Org, soql: str, operation: str, user_id: str, now: datetime) -> QueryPlan:
    """Return the plan of a query that a job may run.

    Raises:
        SFError: The SOQL is wrong, or not allowed in a query job.
    """
    plan = plan_query(
        org.view(user_id),
        soql,
        include_deleted=operation == QueryOperation.QUERY_ALL,
        now=now,
        user_id=user_id,
    )
    check_bulk(plan)
    return plan


class QueryRun:
    """Carries one query job on, a few thousand rows per step."""

    def __init__(self, org: Org, clock: Clock, faults: Faults, job_id: str) -> None:
        self.job_id = job_id
        self._faults = faults
        self._org = org
        self._clock = clock
        self._open = ExitStack()
        self._blocks: Iterator[list[tuple[str, ...]]] | None = None

    def step(self) -> bool:
        """Do the next durable step: begin, some rows, or the end. True when the job needs no more."""
        started = self._clock.monotonic()
        with self._org.storage.read() as connection:
            job = find_job(connection, JobKind.QUERY, self.job_id)
        if job is None or job.terminal:
            return True
        end = self._faults.job_end(job.id, job.batches, sobject=job.object, operation=job.operation)
        if end is not None:
            self._end(JobState.ABORTED if end.message is None else JobState.FAILED, end.message)
            return True
        if self._blocks is None:
            try:
                return self._begin(job)
            except SFError as error:
                self.fail(f"{error.code} : {error.message}")
                return True
        lines: list[str] = []
        size = 0
        while len(lines) < _CHUNK_ROWS and size < _CHUNK_CHARACTERS and (rows := next(self._blocks, None)):
            more = quoted(rows, job.delimiter)
            size += sum(map(len, more))
            lines += more
        with self._org.storage.write() as connection:
            job = find_job(connection, JobKind.QUERY, self.job_id)
            if job is None or job.terminal:
                return True
            if lines:
                chunk = query_chunk(lines, job, number=job.batches, first_row=job.processed)
                add_chunk(connection, job, ResultKind.QUERY, chunk)
            save_job(
                connection,
                replace(
                    job,
                    state=job.state if lines else JobState.JOB_COMPLETE,
                    batches=job.batches + 1,
                    processed=job.processed + len(lines),
                    processing_ms=job.processing_ms + int((self._clock.monotonic() - started) * 1000),
                    modified_at=bulk_datetime(self._clock.now()),
                ),
            )
        return not lines

    def fail(self, message: str) -> None:
        """Make the job `Failed`."""
        self._end(JobState.FAILED, message)

    def _end(self, state: JobState, message: str | None) -> None:
        with self._org.storage.write() as connection:
            job = find_job(connection, JobKind.QUERY, self.job_id)
            if job is not None and not job.terminal:
                stamp = bulk_datetime(self._clock.now())
                changed = replace(job, state=state, error_message=message, modified_at=stamp)
                save_job(connection, changed)

    def close(self) -> None:
        """End the snapshot."""
        self._blocks = None
        self._open.close()

    def _begin(self, job: Job) -> bool:
        """Open the snapshot and throw away what an interrupted run left; True when the job was ended meanwhile."""
        plan = plan_bulk(self._org, job.query or "", job.operation, job.created_by, self._clock.now())
        snapshot = self._open.enter_context(self._org.storage.read())
        header, blocks = query_blocks(plan, snapshot, _FETCH_ROWS)
        if job.api_version < _SELECT_ORDER_SINCE:
            header, blocks = _alphabetical(header, blocks)
        with self._org.storage.write() as connection:
            now = find_job(connection, JobKind.QUERY, self.job_id)
            if now is None or now.terminal:
                return True
            remove_results(connection, now)
            save_job(
                connection,
                replace(
                    now,
                    state=JobState.IN_PROGRESS,
                    batches=0,
                    processed=0,
                    header=csv_bytes((header,), now.delimiter, now.line_ending),
                    modified_at=bulk_datetime(self._clock.now()),
                ),
            )
        self._blocks = blocks
        return False


def _alphabetical(
    header: list[str], blocks: Iterator[list[tuple[str, ...]]]
) -> tuple[list[str], Iterator[list[tuple[str, ...]]]]:
    places = sorted(range(len(header)), key=lambda place: header[place])
    ordered = ([tuple(row[place] for place in places) for row in rows] for rows in blocks)
    return [header[place] for place in places], ordered
