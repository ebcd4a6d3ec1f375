"""Trouble on demand: programmed failures of requests, sessions, rows and jobs, seeded and repeatable.

Holds the orders and decides; `http` and `jobs` carry them out. Orders live in memory: a restart forgets them.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

_T = TypeVar("_T")


class FaultError(ValueError):
    """The order for a fault does not make sense; nothing was programmed."""


class Cut(StrEnum):
    """When a connection is cut: before the request has an effect, or after it had one but before the reply."""

    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFault:
    """What happens to requests that match."""

    #: HTTP method in upper case, or `*`.
    method: str
    #: Searched for in the path, without regard to case.
    path: re.Pattern[str]
    #: Matching requests that pass unharmed before the first one is hit.
    skip: int = 0
    #: Requests still to be hit; None goes on for ever.
    times: int | None = 1
    #: Status of the reply sent in place of the real one.
    status: int | None = None
    #: Salesforce error code of that reply.
    error_code: str = "SERVER_UNAVAILABLE"
    #: Message of that reply.
    message: str = "Server Unavailable"
    #: Whether and when the connection is cut.
    cut: Cut | None = None
    #: Pause before the request is looked at.
    delay_seconds: float = 0.0
    #: Whether the request takes effect before its reply is replaced.
    effect: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LockStorm:
    """A share of bulk rows that cannot be locked."""

    #: 0.0 to 1.0 of all rows.
    share: float
    #: Chooses the rows.
    seed: int = 0
    #: Rows of the first so many jobs after the order; None means all jobs to come.
    jobs: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFailure:
    """A bulk job that fails as a whole."""

    #: Text of `errorMessage`.
    message: str = "InternalServerError : The job failed on demand"
    #: Batches that are processed before.
    after_batches: int = 0


class Faults:
    """The orders in force. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: list[RequestFault] = []
        self._locks: LockStorm | None = None
        self._stormed: set[str] = set()
        self._job_failures: list[JobFailure] = []
        self._failing: dict[str, JobFailure] = {}
        self._batch_delay_seconds = 0.0

    def program(self, order: Mapping[str, Any]) -> None:
        """Put one order in force.

        Args:
            order: `kind` is `request` (method, path, skip, times, status, errorCode, message, cut, delay_ms, effect),
                `locks` (share, seed, jobs), `job_failure` (message, after_batches), `slow_jobs` (delay_ms per
                batch) or `clear`.

        Raises:
            FaultError: Unknown kind or key, or a value out of range. Nothing was programmed.
        """
        values = {key: value for key, value in order.items() if key != "kind"}
        match order.get("kind", "request"):
            case "request":
                fault = _request_fault(values)
                with self._lock:
                    self._requests.append(fault)
            case "locks":
                storm = _built(LockStorm, values)
                if not 0.0 <= storm.share <= 1.0:
                    raise FaultError("share must lie between 0 and 1")
                with self._lock:
                    self._locks, self._stormed = storm, set()
            case "job_failure":
                failure = _built(JobFailure, values)
                with self._lock:
                    self._job_failures.append(failure)
            case "slow_jobs":
                delay = _number(values, "delay_ms")
                with self._lock:
                    self._batch_delay_seconds = delay / 1000
            case "clear":
                self.clear()
            case other:
                raise FaultError(f"unknown kind of fault: {other!r}")

    def clear(self) -> None:
        """Forget every order."""
        with self._lock:
            self._requests.clear()
            self._job_failures.clear()
            self._failing.clear()
            self._locks, self._batch_delay_seconds = None, 0.0

    def take(self, method: str, path: str) -> RequestFault | None:
        """Return the order that this request falls under, and count it as carried out."""
        with self._lock:
            for place, fault in enumerate(self._requests):
                if fault.method not in ("*", method) or not fault.path.search(path):
                    continue
                if fault.skip > 0:
                    self._requests[place] = _changed(fault, skip=fault.skip - 1)
                    continue
                if fault.times is not None:
                    if fault.times <= 1:
                        del self._requests[place]
                    else:
                        self._requests[place] = _changed(fault, times=fault.times - 1)
                return fault
        return None

    def locked_rows(self, job_id: str, first_row: int, count: int) -> frozenset[int]:
        """Return which of the `count` rows from `first_row` on cannot be locked, as places within the batch.

        The same job, row and seed always give the same answer, so a batch that is done again meets the same rows.
        """
        with self._lock:
            storm = self._locks
            if storm is None:
                return frozenset()
            if storm.jobs is not None and job_id not in self._stormed:
                if len(self._stormed) >= storm.jobs:
                    return frozenset()
                self._stormed.add(job_id)
        limit = int(storm.share * 2**32)
        return frozenset(
            place for place in range(count) if _chance(f"{storm.seed}:{job_id}:{first_row + place}") < limit
        )

    def job_failure(self, job_id: str, batches_done: int) -> str | None:
        """Return the text with which the job must fail now, or None."""
        with self._lock:
            if job_id not in self._failing and self._job_failures and batches_done == 0:
                self._failing[job_id] = self._job_failures.pop(0)
            failure = self._failing.get(job_id)
            if failure is None or batches_done < failure.after_batches:
                return None
            del self._failing[job_id]
            return failure.message

    @property
    def batch_delay_seconds(self) -> float:
        """Pause before each batch of a bulk job."""
        with self._lock:
            return self._batch_delay_seconds


def _chance(key: str) -> int:
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=4).digest(), "big")


def _changed(fault: RequestFault, **changes: int) -> RequestFault:
    values = {name: getattr(fault, name) for name in RequestFault.__slots__}
    return RequestFault(**{**values, **changes})


def _built(kind: type[_T], values: Mapping[str, Any]) -> _T:
    try:
        return kind(**values)
    except TypeError as error:
        raise FaultError(str(error)) from error


def _number(values: Mapping[str, Any], key: str, default: float = 0.0) -> float:
    value = values.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise FaultError(f"{key} must be a number, 0 or more")
    return float(value)


def _request_fault(values: Mapping[str, Any]) -> RequestFault:
    known = {"method", "path", "skip", "times", "status", "errorCode", "message", "cut", "delay_ms", "effect"}
    if unknown := sorted(set(values) - known):
        raise FaultError(f"unknown keys: {', '.join(unknown)}")
    try:
        path = re.compile(str(values.get("path", "")), re.IGNORECASE)
        cut = Cut(values["cut"]) if values.get("cut") is not None else None
    except (re.error, ValueError) as error:
        raise FaultError(str(error)) from error
    status = values.get("status")
    if status is not None and (not isinstance(status, int) or not 100 <= status <= 599):
        raise FaultError("status must be an HTTP status")
    times = values.get("times", 1)
    return RequestFault(
        method=str(values.get("method", "*")).upper(),
        path=path,
        skip=int(_number(values, "skip")),
        times=None if times is None else int(_number(values, "times", 1)),
        status=status,
        error_code=str(values.get("errorCode", "SERVER_UNAVAILABLE")),
        message=str(values.get("message", "Server Unavailable")),
        cut=cut,
        delay_seconds=_number(values, "delay_ms") / 1000,
        effect=bool(values.get("effect", False)),
    )
