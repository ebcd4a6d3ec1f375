"""The folder that a demo works in: made, emptied and tidied without ever touching what is not its own."""

from __future__ import annotations

import shutil
from pathlib import Path

from orgbridge.cli.errors import UsageError

_MARK = ".orgbridge-demo"
#: What is worth keeping when nobody asked for everything.
_KEPT = frozenset({_MARK, "accounts.csv", "results.csv", "receipt.json", "service.log", "worker.log", "org.log"})


def prepare(folder: Path) -> Path:
    """Make the folder, or empty the one that an earlier demo left; return its absolute path.

    Raises:
        UsageError: The folder holds something that no demo made. Nothing was touched.
    """
    folder = folder.absolute()
    if folder.exists():
        if not folder.is_dir():
            raise UsageError(f"{folder} is a file; name a folder with --keep.")
        if any(folder.iterdir()) and not (folder / _MARK).exists():
            raise UsageError(f"{folder} is not empty and no demo made it; name another folder with --keep.")
        _empty(folder, keep=frozenset())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _MARK).write_text("An `orgbridge demo` may empty this folder.\n")
    except OSError as error:
        raise UsageError(f"{folder} cannot be written ({error.strerror}); name another folder with --keep.") from error
    return folder


def tidy(folder: Path) -> None:
    """Remove what only the run itself needed: databases, parts, copies."""
    _empty(folder, keep=_KEPT)


def _empty(folder: Path, keep: frozenset[str]) -> None:
    for entry in folder.iterdir():
        if entry.name in keep:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
