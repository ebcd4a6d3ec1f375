"""Uploaded files on disk: written in pieces, synced, and never held in memory."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

_HALF = ".part"


class Spool:
    """The folder of uploaded files.

    Args:
        folder: Where they lie; None takes a temporary folder that `close` removes.
    """

    def __init__(self, folder: Path | None) -> None:
        self._temporary = folder is None
        self.folder = Path(tempfile.mkdtemp(prefix="orgbridge-emulator-")) if folder is None else folder
        self.folder.mkdir(parents=True, exist_ok=True)

    def begin(self, job_id: str) -> Upload:
        """Start a new file for a job; it counts for nothing until it is kept."""
        return Upload(self.folder, f"{job_id}-{secrets.token_hex(6)}.csv")

    def path(self, name: str) -> Path:
        """Return where a kept file lies."""
        return self.folder / name

    def remove(self, name: str) -> None:
        """Delete a kept file, if it is there."""
        self.path(name).unlink(missing_ok=True)

    def sweep(self, kept: Iterable[str]) -> None:
        """Delete files that no job refers to: what a crash left behind."""
        known = set(kept)
        for entry in self.folder.iterdir():
            if entry.name not in known:
                entry.unlink(missing_ok=True)

    def close(self) -> None:
        """Remove the folder if it is a temporary one."""
        if self._temporary:
            shutil.rmtree(self.folder, ignore_errors=True)


class Upload:
    """One file on its way in. Every method does file work: call it in a thread."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.bytes = 0
        self._folder = folder
        self._half = folder / (name + _HALF)
        self._file: BinaryIO = self._half.open("wb")

    def write(self, block: bytes) -> None:
        """Append bytes."""
        self._file.write(block)
        self.bytes += len(block)

    def keep(self) -> None:
        """Sync the file and give it its name. A crash before this leaves nothing but a half file, swept at start."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._half.rename(self._folder / self.name)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def discard(self) -> None:
        """Delete what was written."""
        self._file.close()
        self._half.unlink(missing_ok=True)
