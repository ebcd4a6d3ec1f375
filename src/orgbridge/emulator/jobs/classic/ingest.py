"""One ingest batch under way: its rows, its results and its state are saved in one transaction.

A kill before that transaction costs nothing: the batch is still there and is done again from its beginning.

Source: facts/salesforce/bulk1.md.
"""

from __future__ import annotations

from dataclasses import replace

from orgbridge.emulator.jobs.classic.faults import BatchFault
from orgbridge.emulator.jobs.classic.records import CellRecords, ObjectRecords, read_records
from orgbridge.emulator.jobs.classic.results import ingest_result
from orgbridge.emulator.jobs.classic.rows import (
    BatchState,
    ClassicBatch,
    ClassicJob,
    add_result,
    find_batch,
    request_of,
    save_batch,
    totals_of,
)
from orgbridge.emulator.jobs.ingest import IngestTools
from orgbridge.emulator.org.outcomes import SaveOutcome
from orgbridge.emulator.schema.errors import Fault
from orgbridge.emulator.storage.database import Connection
from orgbridge.wire.dates import bulk_datetime

_LOCKED = Fault("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record")


def begin_batch(tools: IngestTools, batch_id: str) -> tuple[ClassicJob, ClassicBatch] | None:
    """Make a queued batch `InProgress` and return it with its job; None when it has ended."""
    with tools.org.storage.write() as connection:
        found = find_batch(connection, batch_id)
        if found is None or found[1].ended:
            return None
        job, batch = found
        stamp = bulk_datetime(tools.clock.now())
        changed = replace(batch, state=BatchState.IN_PROGRESS, modified_at=stamp)
        if batch.state is BatchState.QUEUED:
            save_batch(connection, changed)
        return job, changed


def fail_batch(tools: IngestTools, batch_id: str, message: str) -> None:
    """Make a batch `Failed` unless it has ended."""
    with tools.org.storage.write() as connection:
        found = find_batch(connection, batch_id)
        if found is not None and not found[1].ended:
            stamp = bulk_datetime(tools.clock.now())
            state = BatchState.FAILED
            save_batch(connection, replace(found[1], state=state, state_message=message, modified_at=stamp))


class IngestBatchRun:
    """Carries one ingest batch out, in one step after it was begun."""

    def __init__(self, tools: IngestTools, batch_id: str) -> None:
        self.job_id = batch_id
        self._tools = tools
        self._begun = False

    def step(self) -> bool:
        """Begin the batch, or do it. True when it needs no more."""
        if not self._begun:
            self._begun = True
            return begin_batch(self._tools, self.job_id) is None
        tools, started = self._tools, self._tools.clock.monotonic()
        with tools.org.storage.read() as connection:
            found = find_batch(connection, self.job_id)
            if found is None or found[1].ended:
                return True
            job, batch = found
            body = request_of(connection, batch)
            done = totals_of(connection, job).batches.get(BatchState.COMPLETED, 0)
        if (message := tools.faults.job_failure(job.id, done)) is not None:
            self.fail(message)
            return True
        try:
            records = read_records(tools.org, job, body)
        except BatchFault as fault:
            self.fail(str(fault))
            return True
        with tools.org.storage.write() as connection:
            found = find_batch(connection, self.job_id)
            if found is None or found[1].ended:
                return True
            outcomes = self._save(connection, job, batch, records)
            add_result(connection, batch, 0, 0, ingest_result(job, outcomes))
            save_batch(
                connection,
                replace(
                    found[1],
                    state=BatchState.COMPLETED,
                    processed=len(outcomes),
                    failed=sum(not outcome.success for outcome in outcomes),
                    processing_ms=int((tools.clock.monotonic() - started) * 1000),
                    modified_at=bulk_datetime(tools.clock.now()),
                ),
            )
        return True

    def fail(self, message: str) -> None:
        """Make the batch `Failed`."""
        fail_batch(self._tools, self.job_id, message)

    def close(self) -> None:
        """Nothing is held between steps."""

    def _save(
        self, connection: Connection, job: ClassicJob, batch: ClassicBatch, records: CellRecords | ObjectRecords
    ) -> list[SaveOutcome]:
        """Save the records, leaving out those that a lock storm holds."""
        tools = self._tools
        locked = tools.faults.locked_rows(job.id, batch.number * len(records), len(records))
        if not locked:
            return records.save(tools.org, connection, job, None, batch.id)
        free = [place for place in range(len(records)) if place not in locked]
        done = iter(records.save(tools.org, connection, job, free, batch.id) if free else ())
        refused = SaveOutcome(id=None, created=False, success=False, errors=(_LOCKED,))
        return [refused if place in locked else next(done) for place in range(len(records))]
