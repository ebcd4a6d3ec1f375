"""How a process ends when it is told to, from its first moment to its last, also as the first process of a container.

The kernel drops every signal to process 1 for which it has no handler. Without one of ours a container that is stopped
while it starts, or whose server hands the signal on at its end, would run until it is killed.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn

_FIRST_PROCESS = 1


def end_process(status: int) -> NoReturn:
    """End this process at once, with everything written that was said."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def end_when_told() -> None:
    """As the first process of a container, end on SIGTERM as any other process does; elsewhere change nothing.

    Commands that stop in an orderly way put their own handler in its place once they have something to put in order.
    """
    if os.getpid() == _FIRST_PROCESS:
        signal.signal(signal.SIGTERM, _end_unfinished)


@contextlib.contextmanager
def termination_is_an_end() -> Iterator[None]:
    """Within this, SIGTERM ends the process with status 0: before the server takes signals, and raised again after."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _end_in_order)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _end_unfinished(number: int, _frame: FrameType | None) -> None:
    # What a shell shows for a process that the signal has ended: a migration Job cut short is not taken for done.
    os._exit(128 + number)


def _end_in_order(_number: int, _frame: FrameType | None) -> None:
    end_process(0)
