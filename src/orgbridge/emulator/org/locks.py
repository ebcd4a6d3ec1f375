"""Locks on the parents of rows that a bulk job writes, for as long as a chunk of its rows would hold them.

A real org locks the parents of the rows it saves; two jobs that write below one parent at the same time wait for each
other and give up with UNABLE_TO_LOCK_ROW. Here writes follow each other, so that nobody waits and, unless the org is
told to hold locks for a while, nobody is refused. Source: facts/salesforce/errors.md section 2; which references lock
is Assumed: those whose rows go with their parent.
"""

from __future__ import annotations

import threading
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
        hold_seconds: How long the parents of rows that a job wrote stay locked; 0 for no longer than the write.
    """

    def __init__(self, clock: Clock, hold_seconds: float = 0.0) -> None:
        self._clock = clock
        self.hold_seconds = hold_seconds
        self._held: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()

    def hold(self, writer: str, ids: Iterable[str], seconds: float | None = None) -> None:
        """Lock rows for a writer; those that another one holds stay with that one."""
        until = self._clock.monotonic() + (self.hold_seconds if seconds is None else seconds)
        with self._lock:
            for record_id in ids:
                if self._holder(record_id) in (None, writer):
                    self._held[record_id] = (writer, until)

    def release(self, writer: str) -> None:
        """Unlock all rows of a writer."""
        with self._lock:
            self._held = {key: held for key, held in self._held.items() if held[0] != writer}

    def blocked(self, writer: str | None, ids: Iterable[str]) -> set[str]:
        """Return those of the rows that somebody else holds."""
        with self._lock:
            if not self._held:
                return set()
            return {record_id for record_id in ids if self._holder(record_id) not in (None, writer)}

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
    if writer is not None and locks.hold_seconds > 0:
        locks.hold(writer, parents - blocked)
