"""The thread that carries bulk jobs on, one small step of each in turn, and picks them up again after a crash.

When each has had its turn, one of them may go ahead for some steps more. Of jobs that begin together the first is then
done while the last has hardly begun, and whoever waits for results has something to do; in strict turns all of them
would end together.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection
from typing import Protocol

_log = logging.getLogger(__name__)
#: Seconds after which an idle worker looks for jobs unasked; `wake` makes it look at once.
_IDLE_SECONDS = 1.0
#: Jobs that hold a file or a cursor open at the same time.
_AT_ONCE = 8
#: Steps that a job may go ahead in a round, unless a new job comes in between.
_AHEAD = 32


class Run(Protocol):
    """One job under way."""

    job_id: str

    def step(self) -> bool:
        """Do one durable step. True when the job needs no more."""
        ...

    def fail(self, message: str) -> None:
        """Make the job `Failed`."""
        ...

    def close(self) -> None:
        """Let go of files and cursors; the job can be taken up again."""
        ...


class JobWorker:
    """Runs jobs until stopped.

    Args:
        name: Of the thread.
        waiting: Returns the ids of all jobs that are to be carried on, oldest first.
        start: Makes the run of a job id.
        delay_seconds: Pause in front of each step, asked for every time.
        end_round: Told the worker's name and the ids of the jobs that had their turn, after each of them had one.
        ahead: Returns which of several runs goes ahead when each has had its turn, None for none of them. None does.
    """

    def __init__(
        self,
        name: str,
        waiting: Callable[[], list[str]],
        start: Callable[[str], Run],
        delay_seconds: Callable[[], float],
        end_round: Callable[[str, list[str]], None] | None = None,
        ahead: Callable[[Collection[Run]], Run | None] | None = None,
    ) -> None:
        self._waiting = waiting
        self._start = start
        self._delay_seconds = delay_seconds
        self._end_round = end_round
        self._ahead = ahead
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._name = name
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, for the first time or after `stop`; jobs that were interrupted go on."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Say that there may be a new job."""
        self._wake.set()

    def stop(self) -> None:
        """End after the step that is being done. The jobs stay where they are and go on at the next `start`."""
        self._stop.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _work(self) -> None:
        runs: dict[str, Run] = {}
        try:
            while not self._stop.is_set():
                try:
                    self._round(runs)
                except Exception:  # noqa: BLE001 the worker's edge: storage that is away must not end the thread
                    _log.exception("a round of bulk jobs broke off; they go on from what is stored")
                    self._stop.wait(_IDLE_SECONDS)
        finally:
            for run in runs.values():
                run.close()

    def _round(self, runs: dict[str, Run]) -> None:
        """Give each of the runs a turn, or wait for a job."""
        self._wake.clear()
        for job_id in self._waiting():
            if len(runs) < _AT_ONCE and job_id not in runs:
                runs[job_id] = self._start(job_id)
        if not runs:
            self._tell_end([])
            self._wake.wait(_IDLE_SECONDS)
            return
        turns = list(runs.items())
        for _, run in turns:
            if self._stop.is_set():
                break
            self._turn(runs, run)
        self._go_ahead(runs)
        self._tell_end([job_id for job_id, _ in turns])

    def _turn(self, runs: dict[str, Run], run: Run) -> bool:
        """Do one step of a run; True when it is over. One that breaks is let go: its job is taken up anew."""
        over = True
        try:
            over = self._step(run)
        finally:
            if over:
                del runs[run.job_id]
                run.close()
        return over

    def _go_ahead(self, runs: dict[str, Run]) -> None:
        """Carry one of several runs on until it is done, a new job comes, or it has been let ahead long enough.

        Jobs that are made to last are meant to be seen side by side: of these none goes ahead.
        """
        if self._ahead is None or len(runs) < 2 or self._delay_seconds():
            return
        run = self._ahead(runs.values())
        if run is None:
            return
        for _ in range(_AHEAD):
            if self._stop.is_set() or self._wake.is_set():
                return
            if self._turn(runs, run):
                return

    def _tell_end(self, job_ids: list[str]) -> None:
        if self._end_round is not None:
            self._end_round(self._name, job_ids)

    def _step(self, run: Run) -> bool:
        delay = self._delay_seconds()
        if delay and self._stop.wait(delay):
            return False
        try:
            return run.step()
        except Exception:  # noqa: BLE001 the worker's edge: one job's trouble must not end the others
            _log.exception("bulk job %s could not be carried on", run.job_id)
            run.fail("InternalServerError : The emulator could not carry this job on; see its log")
            return True
