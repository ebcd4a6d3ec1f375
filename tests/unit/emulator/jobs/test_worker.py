"""The thread that carries jobs on outlives whatever a job, or the storage under it, does."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from orgbridge.emulator.jobs.worker import JobWorker
from tests.support.engine_bench import wait_for


class _Desk:
    """Jobs by id, each with what stands in its way."""

    def __init__(self) -> None:
        self.waiting = ["bad", "good"]
        self.refusals = 1
        self.outages = 1
        self.failed: list[str] = []
        self.closed: list[str] = []
        self.started = threading.Semaphore(0)

    def ids(self) -> list[str]:
        """Return what waits; the storage is away the first time."""
        if self.outages:
            self.outages -= 1
            raise OSError("disk I/O error")
        return list(self.waiting)

    def run(self, job_id: str) -> _Run:
        """Open a job."""
        self.started.release()
        return _Run(self, job_id)


class _Run:
    def __init__(self, desk: _Desk, job_id: str) -> None:
        self._desk = desk
        self.job_id = job_id

    def step(self) -> bool:
        """End the good one; the bad one breaks."""
        if self.job_id == "bad":
            raise RuntimeError("a step that breaks")
        self._desk.waiting.remove(self.job_id)
        return True

    def fail(self, message: str) -> None:
        """Note the failure, which the storage refuses the first time."""
        if self._desk.refusals:
            self._desk.refusals -= 1
            raise OSError("disk I/O error")
        self._desk.waiting.remove(self.job_id)
        self._desk.failed.append(message)

    def close(self) -> None:
        """Note it."""
        self._desk.closed.append(self.job_id)


@pytest.fixture
def desk() -> Iterator[_Desk]:
    """A worker at work on two jobs."""
    desk = _Desk()
    worker = JobWorker("test-jobs", desk.ids, desk.run, lambda: 0.0)
    worker.start()
    yield desk
    worker.stop()


def test_one_jobs_trouble_ends_neither_the_others_nor_the_thread(desk: _Desk) -> None:
    """A job that breaks while the storage refuses even its failure is taken up anew; the other ends; all are closed."""
    wait_for(lambda: not desk.waiting, "the jobs did not end", seconds=10)
    assert len(desk.failed) == 1
    wait_for(lambda: sorted(desk.closed) == ["bad", "bad", "good"], "not every run was closed", seconds=10)
