"""Figures of the machine and of this service's processes."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import Any

import psutil

from orgbridge.kit.metrics import Kind, Metric, Values, reading

_CPU = reading("process_cpu_seconds_total", "Processor time of this service's processes that live.", kind=Kind.COUNTER)
_RESIDENT = reading("process_resident_memory_bytes", "Resident memory of this service's processes.")
_VIRTUAL = reading("process_virtual_memory_bytes", "Virtual memory of this service's processes.")
_FILES = reading("process_open_fds", "Files that this service's processes have open.")
_MOST_FILES = reading("process_max_fds", "Files that the answering process may have open.")
_STARTED = reading("process_start_time_seconds", "When the oldest of this service's processes began, as Unix time.")
_THREADS = reading("orgbridge_process_threads", "Threads of this service's processes.")
_PROCESSES = reading("orgbridge_processes", "Processes of this service that the figures are of.")
_DISK_FREE = reading("orgbridge_data_free_bytes", "Room left on the disk of the data folder.")
_DISK_SIZE = reading("orgbridge_data_size_bytes", "Size of the disk of the data folder.")


class Machine:
    """Reads what the system tells. Blocks for some milliseconds."""

    def __init__(self, data_folder: Path, *, siblings: bool) -> None:
        """Prepare.

        Args:
            data_folder: Whose disk matters.
            siblings: Whether the children of our parent are this service's processes.
        """
        self._folder = data_folder
        self._own = psutil.Process(os.getpid())
        self._siblings = siblings

    def readings(self) -> dict[Metric, Values]:
        """Return the figures of the processes and of the disk."""
        sums = dict.fromkeys((_CPU, _RESIDENT, _VIRTUAL, _FILES, _THREADS, _PROCESSES), 0.0)
        started = self._own.create_time()
        for process in self._processes():
            # One that ends while it is looked at is not counted.
            with contextlib.suppress(psutil.Error), process.oneshot():
                times, memory = process.cpu_times(), process.memory_info()
                told = {_CPU: times.user + times.system, _RESIDENT: memory.rss, _VIRTUAL: memory.vms, _PROCESSES: 1}
                told |= {_FILES: process.num_fds(), _THREADS: process.num_threads()}
                started = min(started, process.create_time())
                for metric, value in told.items():
                    sums[metric] += value
        disk = self.disk()
        sums |= {_STARTED: started, _DISK_FREE: disk[0], _DISK_SIZE: disk[1]}
        with contextlib.suppress(psutil.Error, AttributeError):
            sums[_MOST_FILES] = self._own.rlimit(psutil.RLIMIT_NOFILE)[0]
        return {metric: {(): value} for metric, value in sums.items()}

    def disk(self) -> tuple[int, int]:
        """Return the bytes free and in all of the data folder's disk."""
        usage = shutil.disk_usage(self._folder if self._folder.exists() else Path("/"))
        return usage.free, usage.total

    def system(self) -> dict[str, Any]:
        """Return the figures of the machine, for people."""
        memory = psutil.virtual_memory()
        free, size = self.disk()
        return {
            "cpu_count": psutil.cpu_count(),
            "cpu_percent": psutil.cpu_percent(interval=None),
            "load_average": list(psutil.getloadavg()),
            "memory_total_bytes": memory.total,
            "memory_available_bytes": memory.available,
            "memory_percent": memory.percent,
            "disk_total_bytes": size,
            "disk_free_bytes": free,
            "disk_percent": round(100 * (1 - free / size), 1) if size else 0.0,
        }

    def process(self) -> dict[str, Any]:
        """Return the figures of the answering process, for people."""
        times = self._own.cpu_times()
        return {
            "pid": self._own.pid,
            "resident_memory_bytes": self._own.memory_info().rss,
            "cpu_seconds": round(times.user + times.system, 2),
            "threads": self._own.num_threads(),
            "open_files": self._own.num_fds(),
        }

    def _processes(self) -> list[psutil.Process]:
        if not self._siblings:
            return [self._own]
        with contextlib.suppress(psutil.Error):
            parent = self._own.parent()
            # Its resource tracker is a child too, and none of ours.
            found = parent.children() if parent is not None else []
            return [child for child in found if "resource_tracker" not in " ".join(_words(child))] or [self._own]
        return [self._own]


def _words(process: psutil.Process) -> list[str]:
    with contextlib.suppress(psutil.Error):
        return process.cmdline()
    return []
