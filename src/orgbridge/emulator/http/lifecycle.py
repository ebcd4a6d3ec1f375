"""The org as a whole, kept and brought back: snapshots, branches, and the state it had when it was new.

A snapshot is a copy of the org's file and of the uploads that its open jobs need. A branch is a snapshot that the org
returns to: leaving a branch keeps it as it is then. Jobs rest while the org is exchanged; calls under way finish on
what they began with. Methods block: call them in threads.
"""

from __future__ import annotations

import os
import re
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from orgbridge.emulator.faults import Faults
from orgbridge.emulator.http.requestlog import RequestLog
from orgbridge.emulator.http.sessions import Sessions
from orgbridge.emulator.http.usage import Usage
from orgbridge.emulator.jobs.spool import Spool
from orgbridge.emulator.org.clocks import OrgClock
from orgbridge.emulator.org.org import Org
from orgbridge.emulator.org.schemas import Schemas
from orgbridge.emulator.storage.counters import get_meta, set_meta
from orgbridge.kit.json import dumps, loads

#: Branch that a new org is on.
MAIN = "main"
_BRANCH, _FAULTS = "branch", "faults"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_SUFFIX = ".db"


class LifecycleError(ValueError):
    """The org cannot be kept or brought back that way; it stays as it was."""


class NoSuchSnapshot(LifecycleError):
    """There is no snapshot or branch of that name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A snapshot or branch on disk."""

    #: What it is called.
    name: str
    #: Bytes of its database.
    bytes: int


class Rests(Protocol):
    """Work in the background that can pause."""

    def start(self) -> None:
        """Go on."""
        ...

    def stop(self) -> None:
        """Come to rest; returns when nothing runs any more."""
        ...


class Lifecycle:
    """Keeps states of the org and brings them back.

    Args:
        org: The org.
        jobs: Its bulk jobs of every API, which rest meanwhile.
        spool: Uploaded files.
        sessions: Kept over every exchange, so that callers need not sign in anew.
        usage: API calls of the day.
        faults: Orders for trouble.
        clock: The org's time.
        log: Requests so far.
        new: Writes the file of a new org to a path.
    """

    def __init__(
        self,
        *,
        org: Org,
        schemas: Schemas,
        jobs: Sequence[Rests],
        spool: Spool,
        sessions: Sessions,
        usage: Usage,
        faults: Faults,
        clock: OrgClock,
        log: RequestLog,
        new: Callable[[Path], None],
    ) -> None:
        self.clock = clock
        self._schemas = schemas
        self._storage = org.storage
        self._jobs = jobs
        self._spool = spool
        self._sessions = sessions
        self._usage = usage
        self._faults = faults
        self._log = log
        self._new = new
        self._lock = threading.RLock()
        self._kept_faults: list[object] = []
        base = str(self._storage.path)
        self._snapshots = Path(base + ".snapshots")
        self._branches = Path(base + ".branches")

    # -- state that the rows do not hold -------------------------------------------------------------------------

    def load(self) -> None:
        """Take up what an earlier process kept beside the rows: the clock and the durable faults."""
        self.clock.load(self._storage)
        with self._storage.read() as connection:
            text = get_meta(connection, _FAULTS)
        self._kept_faults = loads(text) if text else []
        self._faults.restore(loads(text) if text else [])

    def save(self) -> None:
        """Keep what changed of it."""
        self._sessions.save()
        self._usage.save()
        kept = self._faults.kept()
        if kept != self._kept_faults:
            with self._storage.write() as connection:
                set_meta(connection, _FAULTS, dumps(kept).decode())
            self._kept_faults = list(kept)

    # -- snapshots -----------------------------------------------------------------------------------------------

    def snapshot(self, name: str) -> Kept:
        """Keep the org as it is now under a name, over a snapshot of that name.

        Raises:
            LifecycleError: The name is none.
        """
        with self._lock:
            return self._keep(self._snapshots, name)

    def restore(self, name: str) -> None:
        """Make the org what it was when the snapshot was taken.

        Raises:
            NoSuchSnapshot: There is none of that name. The org stays as it is.
        """
        with self._lock:
            file = self._file(self._snapshots, name)
            if not file.exists():
                raise NoSuchSnapshot(f"there is no snapshot {name!r}")
            branch = self.branch
            self._exchange(file)
            self._remember(branch)

    def snapshots(self) -> list[Kept]:
        """Return the snapshots by name."""
        return _listed(self._snapshots)

    def drop(self, name: str) -> None:
        """Delete a snapshot.

        Raises:
            NoSuchSnapshot: There is none of that name.
        """
        with self._lock:
            file = self._file(self._snapshots, name)
            if not file.exists():
                raise NoSuchSnapshot(f"there is no snapshot {name!r}")
            file.unlink()
            shutil.rmtree(_uploads(file), ignore_errors=True)

    # -- branches ------------------------------------------------------------------------------------------------

    @property
    def branch(self) -> str:
        """Name of the branch that the org is on."""
        with self._storage.read() as connection:
            return get_meta(connection, _BRANCH) or MAIN

    def branches(self) -> list[Kept]:
        """Return the branches by name; the present one with the size of the org's own file."""
        here = Kept(name=self.branch, bytes=self._storage.path.stat().st_size)
        return sorted([here, *(k for k in _listed(self._branches) if k.name != here.name)], key=lambda kept: kept.name)

    def switch(self, name: str) -> bool:
        """Go to a branch, which is made from the org as it is when there is none; tell whether it was made.

        Raises:
            LifecycleError: The name is none, or the org is on it already.
        """
        with self._lock:
            target, before = self._file(self._branches, name), self.branch
            if name == before:
                raise LifecycleError(f"the org is on branch {name!r} already")
            self._keep(self._branches, before)
            if made := not target.exists():
                self._remember(name)
            else:
                self._exchange(target)
                self._remember(name)
            return made

    # -- the new org ---------------------------------------------------------------------------------------------

    def reset(self) -> None:
        """Make the org what it was when it was new; faults, request log, counts and clock as well.

        Snapshots and branches stay.
        """
        with self._lock:
            branch = self.branch
            fresh = Path(str(self._storage.path) + ".new")
            try:
                self._new(fresh)
                self._exchange(fresh)
            finally:
                fresh.unlink(missing_ok=True)
            self._remember(branch)
            self._faults.clear()
            self._log.clear()
            self._usage.clear()

    # -- how -----------------------------------------------------------------------------------------------------

    def _keep(self, folder: Path, name: str) -> Kept:
        file = self._file(folder, name)
        folder.mkdir(parents=True, exist_ok=True)
        self.save()
        with self._resting():
            self._storage.copy_to(file)
            shutil.rmtree(_uploads(file), ignore_errors=True)
            _link_all(self._spool.folder, _uploads(file))
        return Kept(name=name, bytes=file.stat().st_size)

    def _exchange(self, file: Path) -> None:
        sessions = self._sessions.rows()
        with self._resting():
            with self._storage.alone():
                self._storage.replace_with(file)
                # A file has objects of its own, and one of an earlier version lacks columns.
                self._schemas.reload()
            _link_all(_uploads(file), self._spool.folder)
        self._sessions.adopt(sessions)
        self._usage.load()
        self.clock.load(self._storage)

    @contextmanager
    def _resting(self) -> Iterator[None]:
        for jobs in self._jobs:
            jobs.stop()
        try:
            yield
        finally:
            for jobs in self._jobs:
                jobs.start()

    def _remember(self, branch: str) -> None:
        with self._storage.write() as connection:
            set_meta(connection, _BRANCH, branch)

    @staticmethod
    def _file(folder: Path, name: str) -> Path:
        if not _NAME.match(name):
            raise LifecycleError("a name has up to 64 letters, digits, dots, dashes and underscores")
        return folder / (name + _SUFFIX)


def _uploads(file: Path) -> Path:
    return file.with_name(file.name + ".uploads")


def _listed(folder: Path) -> list[Kept]:
    files = sorted(folder.glob(f"*{_SUFFIX}")) if folder.is_dir() else []
    return [Kept(name=file.name.removesuffix(_SUFFIX), bytes=file.stat().st_size) for file in files]


def _link_all(source: Path, target: Path) -> None:
    """Give the files of a folder a second name in another one. Uploads never change once they are kept."""
    if not source.is_dir():
        return
    target.mkdir(parents=True, exist_ok=True)
    for file in source.iterdir():
        if file.suffix == ".part" or (target / file.name).exists():
            continue
        try:
            os.link(file, target / file.name)
        except OSError:
            # Folders on two file systems, or one without links.
            shutil.copy2(file, target / file.name)
