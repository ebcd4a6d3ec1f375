"""One query batch under way: read in one snapshot, kept in pieces of result files.

A run that was interrupted begins anew: it only reads, and its half result is thrown away first.

Source: facts/salesforce/bulk1.md. Assumed: how many records a result file holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from itertools import islice
from typing import Any

from orgbridge.emulator.jobs.classic.chunking import chunk_queries, is_chunked
from orgbridge.emulator.jobs.classic.faults import BatchFault
from orgbridge.emulator.jobs.classic.ingest import begin_batch, fail_batch
from orgbridge.emulator.jobs.classic.results import QueryForm
from orgbridge.emulator.jobs.classic.rows import (
    BatchState,
    ClassicBatch,
    ClassicJob,
    ContentType,
    add_batch,
    add_result,
    find_batch,
    remove_results,
    request_of,
    save_batch,
)
from orgbridge.emulator.jobs.ingest import IngestTools
from orgbridge.emulator.jobs.queries import plan_bulk
from orgbridge.emulator.query.csvrows import query_csv
from orgbridge.emulator.query.plans import QueryPlan
from orgbridge.emulator.query.results import records
from orgbridge.emulator.schema.errors import SFError
from orgbridge.emulator.storage.database import Connection
from orgbridge.wire.dates import bulk_datetime

#: Records kept in one transaction.
_PIECE_RECORDS = 5_000
#: Records of a result file: a multiple of those of a piece.
FILE_RECORDS = 250_000


class QueryBatchRun:
    """Carries one query batch on, a few thousand records per step."""

    def __init__(self, tools: IngestTools, batch_id: str, file_records: int = FILE_RECORDS) -> None:
        self.job_id = batch_id
        self._tools = tools
        self._file_records = file_records
        self._piece_records = min(_PIECE_RECORDS, file_records)
        self._open = ExitStack()
        self._found: Iterator[Any] | None = None
        self._form: QueryForm | None = None

    def step(self) -> bool:
        """Do the next durable step: begin, some records, or the end. True when the batch needs no more."""
        if self._found is None or self._form is None:
            return self._begin()
        started = self._tools.clock.monotonic()
        found = list(islice(self._found, self._piece_records))
        with self._tools.org.storage.write() as connection:
            named = find_batch(connection, self.job_id)
            if named is None or named[1].ended:
                return True
            changed = self._keep(connection, named[1], self._form, found)
            spent = int((self._tools.clock.monotonic() - started) * 1000)
            stamp = bulk_datetime(self._tools.clock.now())
            save_batch(connection, replace(changed, processing_ms=changed.processing_ms + spent, modified_at=stamp))
        return not found

    def fail(self, message: str) -> None:
        """Make the batch `Failed`."""
        fail_batch(self._tools, self.job_id, message)

    def close(self) -> None:
        """End the snapshot."""
        self._found = None
        self._open.close()

    def _begin(self) -> bool:
        """Open the snapshot and throw away what an interrupted run left; True when the batch ended."""
        begun = begin_batch(self._tools, self.job_id)
        if begun is None:
            return True
        job, batch = begun
        if (message := self._tools.faults.job_failure(job.id, 0)) is not None:
            self.fail(message)
            return True
        storage = self._tools.org.storage
        with storage.read() as connection:
            body = request_of(connection, batch)
        try:
            plan = self._plan(job, body)
        except BatchFault as fault:
            self.fail(str(fault))
            return True
        if is_chunked(job, plan) and not batch.is_chunk:
            return self._cut_up(job, plan)
        snapshot = self._open.enter_context(storage.read())
        header: list[str] = []
        if job.content_type is ContentType.CSV:
            header, self._found = query_csv(plan, snapshot)
        else:
            self._found = records(plan, snapshot, version=f"v{job.api_version}.0")
        self._form = QueryForm(job, header, plan.shape)
        with storage.write() as connection:
            remove_results(connection, batch)
            save_batch(connection, replace(batch, processed=0, processing_ms=0))
        return False

    def _cut_up(self, job: ClassicJob, plan: QueryPlan) -> bool:
        """Put one batch for each range of ids in the place of this one, all in one transaction."""
        with self._tools.org.storage.write() as connection:
            found = find_batch(connection, self.job_id)
            if found is None or found[1].ended:
                return True
            stamp = bulk_datetime(self._tools.clock.now())
            save_batch(connection, replace(found[1], state=BatchState.NOT_PROCESSED, modified_at=stamp))
            for soql in chunk_queries(connection, job, plan):
                chunk = ClassicBatch(
                    job=job.number, created_at=stamp, modified_at=stamp, state=BatchState.QUEUED, is_chunk=True
                )
                add_batch(connection, chunk, soql.encode())
        return True

    def _plan(self, job: ClassicJob, body: bytes) -> QueryPlan:
        try:
            soql = body.decode()
            plan = plan_bulk(
                self._tools.org, soql.strip(), job.operation.value, job.created_by, self._tools.clock.now()
            )
        except UnicodeDecodeError as error:
            raise BatchFault("InvalidBatch : Failed to process query: the query is not UTF-8") from error
        except SFError as error:
            text = f"InvalidBatch : Failed to process query: {error.code}: {error.message}"
            raise BatchFault(text) from error
        if plan.sobject.name != job.object:
            raise BatchFault(
                "InvalidBatch : Failed to process query: INVALID_TYPE_FOR_OPERATION: The root entity of the requested "
                f"query ({plan.sobject.name}) does not match the entity of the requested Bulk API Job ({job.object})."
            )
        return plan

    def _keep(self, connection: Connection, batch: ClassicBatch, form: QueryForm, found: list[Any]) -> ClassicBatch:
        """Write a piece of the file that is being filled, or the end of the last one."""
        before = batch.processed
        file, place = divmod(before, self._file_records)
        if not found:
            if before == 0:
                add_result(connection, batch, 0, 0, form.start(is_empty=True) + form.end())
            elif place:
                add_result(connection, batch, file, place, form.end())
            return replace(batch, state=BatchState.COMPLETED)
        body = form.piece(found, is_first=place == 0)
        if place == 0:
            body = form.start(is_empty=False) + body
        full = place + len(found) >= self._file_records
        add_result(connection, batch, file, place, body + (form.end() if full else b""))
        return replace(batch, processed=before + len(found))
