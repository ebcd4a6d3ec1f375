"""Locks on the parents of rows that bulk jobs write.

A real org locks the parents of the rows it saves; two jobs that write below one parent at the same time wait for each
other, and the one that waits too long gives up with UNABLE_TO_LOCK_ROW. Here writes follow each other and nobody
waits, so that the conflicts are made up from what would have run side by side:

* Jobs that have their turns in the same rounds of the worker run side by side. One that writes many rows below a
  parent in a batch keeps that parent until the next round has ended; rows of other jobs below it are refused. A job
  never meets itself nor one that began after its end, and single calls, which would wait, are not refused. No clock
  has a part in it.
* An org that is told to hold locks for some seconds keeps every parent so long, for single calls too.

Source: facts/salesforce/errors.md section 2. Assumed: which references lock (those whose rows go with their parent),
and how many rows of a batch keep a parent locked long enough: a whole chunk of 200.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable

from orgbridge.emulator.org.batches import Batch
from orgbridge.emulator.org.values import add_fault
from orgbridge.emulator.schema.errors import Fault
from orgbridge.emulator.schema.model import SObject
from orgbridge.kit.clock import Clock


class RowLocks:
    """Who holds which rows.

    Args:
        clock: The time.
        hold_seconds: How long the parents of rows that a job wrote stay locked for everybody; 0 for never.
        hold_rows: Rows of a batch below one parent that keep it until the next round has ended; 0 for never.
    """

    def __init__(self, clock: Clock, hold_seconds: float = 0.0, hold_rows: int = 0) -> None:
        self._clock = clock
        self.hold_seconds = hold_seconds
        self.hold_rows = hold_rows
        self._held: dict[str, tuple[str, float]] = {}
        #: Writer of each row that is kept for rounds, and the worker whose first round since has ended.
        self._round: dict[str, tuple[str, str | None]] = {}
        self._lock = threading.Lock()

    def hold(self, writer: str, ids: Iterable[str], seconds: float | None = None) -> None:
        """Lock rows for a writer; those that another one holds stay with that one."""
        until = self._clock.monotonic() + (self.hold_seconds if seconds is None else seconds)
        with self._lock:
            for record_id in ids:
                if self._holder(record_id) in (None, writer):
                    self._held[record_id] = (writer, until)

    def hold_for_round(self, writer: str, ids: Iterable[str]) -> None:
        """Lock rows for a job until the next round has ended; those that another one keeps stay with that one."""
        with self._lock:
            for record_id in ids:
                if self._round.get(record_id, (writer,))[0] == writer:
                    self._round[record_id] = (writer, None)

    def end_round(self, worker: str, writers: Iterable[str]) -> None:
        """Say that a round of a worker has ended in which these jobs had their turns; older locks of it are gone."""
        present = set(writers)
        with self._lock:
            if self._round:
                self._round = {
                    record_id: (writer, worker if writer in present else ended)
                    for record_id, (writer, ended) in self._round.items()
                    if ended != worker
                }

    def release(self, writer: str) -> None:
        """Unlock all rows of a writer."""
        with self._lock:
            self._held = {key: held for key, held in self._held.items() if held[0] != writer}

    def blocked(self, writer: str | None, ids: Iterable[str]) -> set[str]:
        """Return those of the rows that somebody else holds."""
        with self._lock:
            if not self._held and not self._round:
                return set()
            beside = {} if writer is None else self._round
            return {
                record_id
                for record_id in ids
                if self._holder(record_id) not in (None, writer) or beside.get(record_id, (writer,))[0] != writer
            }

    def _holder(self, record_id: str) -> str | None:
        held = self._held.get(record_id)
        if held is None:
            return None
        if held[1] <= self._clock.monotonic():
            del self._held[record_id]
            return None
        return held[0]


def lock_parents(locks: RowLocks, writer: str | None, sobject: SObject, batch: Batch) -> None:
    """Refuse records below rows that another writer holds; hold the parents of the others for a job."""
    names = [f.name for f in sobject.stored_fields if f.cascade_delete and f.name in batch.values]
    columns = [batch.values[name] for name in names]
    parents = {value for column in columns for value in column if isinstance(value, str)}
    if not parents:
        return
    blocked = locks.blocked(writer, parents)
    if blocked:
        for place, row in enumerate(zip(*columns, strict=True)):
            held = next((value for value in row if isinstance(value, str) and value in blocked), None)
            if held is not None:
                message = f"unable to obtain exclusive access to this record or 1 records: {held}"
                add_fault(batch.faults, place, Fault("UNABLE_TO_LOCK_ROW", message))
    if writer is None:
        return
    if locks.hold_seconds > 0:
        locks.hold(writer, parents - blocked)
    if 0 < locks.hold_rows <= batch.size:
        counts = Counter(value for column in columns for value in column if isinstance(value, str))
        many = [record_id for record_id, count in counts.items() if count >= locks.hold_rows]
        locks.hold_for_round(writer, [record_id for record_id in many if record_id not in blocked])
