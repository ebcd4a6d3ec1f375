"""Peak memory of child processes, as the operating system counts it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import psutil


def resident_bytes(pid: int) -> int:
    """Return the resident memory of a process now; 0 when it is gone."""
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def peak_bytes(pid: int) -> int:
    """Return the highest resident memory that a process ever had; 0 when it is gone.

    Linux keeps this mark itself (VmHWM). Elsewhere it is the present value, so the caller's sampling decides.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return resident_bytes(pid)
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return resident_bytes(pid)


@dataclass(slots=True)
class Gauge:
    """Memory of one role (service or worker) over all the processes that played it."""

    #: Resident bytes of the first process before it had work.
    idle: int = 0
    #: Highest resident bytes seen in any of them.
    peak: int = 0
    _pids: set[int] = field(default_factory=set)

    def watch(self, pid: int) -> None:
        """Include a process from now on."""
        self._pids.add(pid)

    def mark_idle(self) -> None:
        """Take the present memory as the idle one."""
        self.idle = max((resident_bytes(pid) for pid in self._pids), default=0)

    def sample(self) -> None:
        """Look at the processes once."""
        for pid in tuple(self._pids):
            self.peak = max(self.peak, peak_bytes(pid))

    @property
    def above_idle(self) -> int:
        """Bytes that the work took beyond the idle process."""
        return max(0, self.peak - self.idle)
