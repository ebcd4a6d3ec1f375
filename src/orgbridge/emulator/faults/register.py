"""The orders in force, and what they decide.

The same orders and the same requests, jobs and rows in the same sequence always lead to the same decisions.
"""

from __future__ import annotations

import hashlib
import itertools
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from orgbridge.emulator.faults.orders import (
    CommerceTrouble,
    Frequency,
    ItemStorm,
    JobEnd,
    LockStorm,
    Order,
    RequestFault,
    Slowness,
    Trouble,
    read_order,
)
from orgbridge.kit.json import JSON

#: Jobs whose fate is remembered.
_JOBS = 10_000


@dataclass(slots=True, kw_only=True)
class _Standing:
    """An order in force, with what it has done so far."""

    id: str
    order: Order
    seen: int = 0
    hits: int = 0
    #: Jobs that a lock storm has come over.
    stormed: set[str] = field(default_factory=set)

    @property
    def spent(self) -> bool:
        times = self.order.frequency.times
        return times is not None and self.hits >= times

    def strikes(self) -> bool:
        """Tell whether this chance is struck, and count it."""
        frequency: Frequency = self.order.frequency
        place = self.seen
        self.seen += 1
        if self.spent or place < frequency.skip:
            return False
        if frequency.rate < 1.0 and _chance(f"{frequency.seed}:{place}") >= frequency.rate * 2**32:
            return False
        self.hits += 1
        return True

    def told(self) -> dict[str, JSON]:
        """Return the order as JSON for people and for keeping."""
        return {"id": self.id, "seen": self.seen, "hits": self.hits, "spent": self.spent, "order": self.order.given}


class Faults:
    """The orders in force. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._standing: list[_Standing] = []
        self._fates: OrderedDict[str, JobEnd | None] = OrderedDict()

    def program(self, given: Mapping[str, JSON]) -> str:
        """Put one order in force and return its id; `{"kind": "clear"}` forgets them all and returns nothing.

        A second order for slow jobs or for locks takes the place of the first.

        Args:
            given: See `orders.read_order`.

        Raises:
            FaultError: The order does not make sense. Nothing was programmed.
        """
        if given.get("kind") == "clear":
            self.clear()
            return ""
        order = read_order(given)
        with self._lock:
            if isinstance(order.effect, LockStorm | Slowness):
                self._standing = [one for one in self._standing if one.order.kind is not order.kind]
            # Orders that did their work are kept for the list, but not for ever.
            self._standing = [one for one in self._standing if not one.spent][-_JOBS:]
            standing = _Standing(id=f"f{next(self._numbers)}", order=order)
            self._standing.append(standing)
            return standing.id

    def clear(self, order_id: str | None = None) -> bool:
        """Forget one order, or all of them; tell whether there was any."""
        with self._lock:
            kept = [one for one in self._standing if order_id is not None and one.id != order_id]
            found = len(kept) < len(self._standing)
            self._standing = kept
            if order_id is None:
                self._fates.clear()
            return found

    def told(self) -> list[dict[str, JSON]]:
        """Return the orders with their counts, oldest first."""
        with self._lock:
            return [one.told() for one in self._standing]

    def kept(self) -> list[dict[str, JSON]]:
        """Return the durable orders that are not spent, in the form that `restore` takes."""
        with self._lock:
            return [one.told() for one in self._standing if one.order.durable and not one.spent]

    def restore(self, kept: Iterable[Mapping[str, JSON]]) -> None:
        """Put the orders of an earlier process in force again, with their counts.

        Raises:
            FaultError: One of them does not make sense.
        """
        for told in kept:
            order_id = self.program(told["order"])
            with self._lock:
                standing = next(one for one in self._standing if one.id == order_id)
                standing.seen, standing.hits = int(told["seen"]), int(told["hits"])

    @property
    def quiet(self) -> bool:
        """True while there is no order at all."""
        return not self._standing

    def take(self, method: str, path: str) -> RequestFault | None:
        """Return the first order that strikes this request, and count it as carried out."""
        if not self._standing:
            return None
        with self._lock:
            for standing in self._standing:
                fault = standing.order.effect
                if not isinstance(fault, RequestFault) or standing.spent:
                    continue
                if (fault.methods and method not in fault.methods) or not fault.path.search(path):
                    continue
                if standing.strikes():
                    return fault
        return None

    def locked_rows(self, job_id: str, first_row: int, count: int) -> frozenset[int]:
        """Return which of the `count` rows from `first_row` on cannot be locked, as places within the batch.

        The same job, row and seed always give the same answer, so a batch that is done again meets the same rows.
        """
        with self._lock:
            for standing in self._standing:
                storm = standing.order.effect
                if isinstance(storm, LockStorm):
                    break
            else:
                return frozenset()
            if job_id not in standing.stormed:
                standing.seen += 1
                if storm.jobs is not None and len(standing.stormed) >= storm.jobs:
                    return frozenset()
                standing.stormed.add(job_id)
                standing.hits += 1
        limit = int(storm.share * 2**32)
        return frozenset(
            place for place in range(count) if _chance(f"{storm.seed}:{job_id}:{first_row + place}") < limit
        )

    def locked_items(self, count: int) -> frozenset[int]:
        """Return which of the `count` items of a collection call cannot be locked; every call is one chance.

        The same order and the same calls always give the same answer.
        """
        if not self._standing:
            return frozenset()
        with self._lock:
            for standing in self._standing:
                storm = standing.order.effect
                if isinstance(storm, ItemStorm) and not standing.spent and standing.strikes():
                    limit, key = int(storm.share * 2**32), f"{storm.seed}:{standing.seen}"
                    return frozenset(place for place in range(count) if _chance(f"{key}:{place}") < limit)
        return frozenset()

    def commerce(self, trouble: Trouble) -> bool:
        """Tell whether this trouble comes over a cart or checkout now; every asking is one chance."""
        if not self._standing:
            return False
        with self._lock:
            for standing in self._standing:
                effect = standing.order.effect
                if not isinstance(effect, CommerceTrouble) or effect.trouble is not trouble or standing.spent:
                    continue
                if standing.strikes():
                    return True
        return False

    def job_end(
        self, job_id: str, batches_done: int, *, sobject: str | None = None, operation: str | None = None
    ) -> JobEnd | None:
        """Return the end that comes over the job now, or None.

        Whether a job is struck is decided when it is first asked about, so before its first batch.

        Args:
            job_id: The job.
            batches_done: Batches of it that are processed.
            sobject: API name of its object.
            operation: What it does.
        """
        if not self._standing and not self._fates:
            return None
        with self._lock:
            if job_id not in self._fates and batches_done == 0:
                self._fates[job_id] = self._fate(sobject, operation)
                while len(self._fates) > _JOBS:
                    self._fates.popitem(last=False)
            fate = self._fates.get(job_id)
            if fate is None or batches_done < fate.after_batches:
                return None
            self._fates[job_id] = None
            return fate

    def job_failure(self, job_id: str, batches_done: int) -> str | None:
        """Return the text with which the job must fail now, or None; for jobs that nobody aborts. As `job_end` else."""
        with self._lock:
            if not any(isinstance(one.order.effect, JobEnd) and one.order.effect.message for one in self._standing):
                return None
        end = self.job_end(job_id, batches_done)
        return None if end is None else end.message

    def _fate(self, sobject: str | None, operation: str | None) -> JobEnd | None:
        for standing in self._standing:
            end = standing.order.effect
            if not isinstance(end, JobEnd) or standing.spent:
                continue
            if end.sobject is not None and end.sobject.lower() != (sobject or "").lower():
                continue
            if end.operation is not None and end.operation.lower() != (operation or "").lower():
                continue
            if standing.strikes():
                return end
        return None

    @property
    def batch_delay_seconds(self) -> float:
        """Pause before each batch of a bulk job."""
        with self._lock:
            for standing in self._standing:
                if isinstance(standing.order.effect, Slowness):
                    return standing.order.effect.delay_seconds
        return 0.0


def _chance(key: str) -> int:
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=4).digest(), "big")
