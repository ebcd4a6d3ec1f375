"""Several processes behind one socket: watched over, and ended as promptly as one process ends."""

from __future__ import annotations

import os
import select
import signal
import socket
import threading

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

#: More signals than ever come between two looks.
_SIGNALS_AT_ONCE = 4096


class _Alarm(threading.Event):
    """An event for which nobody waits on when a signal comes, whatever the signal is about."""

    def __init__(self) -> None:
        super().__init__()
        self._reader, writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(writer, False)
        # The interpreter writes a byte for each signal: unlike a lock this may be done at any moment.
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the event is set, a signal comes or the time is over; return whether the event is set."""
        if not self.is_set() and select.select([self._reader], [], [], timeout)[0]:
            os.read(self._reader, _SIGNALS_AT_ONCE)
        return self.is_set()


class Supervisor(Multiprocess):
    """Watches over the processes of a service: one that dies is replaced, and a signal reaches all of them at once.

    Args:
        config: What each of them runs.
        sock: Where all of them listen.
    """

    def __init__(self, config: uvicorn.Config, sock: socket.socket) -> None:
        super().__init__(config, sockets=[sock])
        # The server's own looks at its signals twice a second only, which is half of the time that there is.
        self.should_exit = _Alarm()

    def watch(self) -> int:
        """Run until told to stop; return the status for this process to end with."""
        self.run()
        broken = any(process.exitcode == STARTUP_FAILURE for process in self.processes)
        return STARTUP_FAILURE if broken else 0
