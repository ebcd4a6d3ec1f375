"""Results and failed rows of an ended load, copied to where other programs look for them."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePath

from orgbridge.engine.resources import Resources
from orgbridge.kit.logs import get_logger
from orgbridge.store.files import StoredFile
from orgbridge.store.records import LoadRecord

#: Anything else in a caller's file name becomes a dash.
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_STEM_CHARS = 80
_log = get_logger(__name__)


def file_name(load: LoadRecord, kind: str) -> str:
    """Return a name that is safe on any file system, tells the input, and is this load's alone."""
    # A caller's name may be a path of another system; only its last part counts, and never a leading dot.
    last = PurePath(str(load.options.get("original_name") or "").replace("\\", "/")).name
    stem = _UNSAFE.sub("-", last.partition(".")[0]).strip(".-_")[:_STEM_CHARS]
    return f"{stem or load.object_name}-{load.id}-{kind}.csv"


def publish(
    resources: Resources, load: LoadRecord, results: StoredFile, failed: StoredFile
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Copy results into DATA_PATH_OUTPUT and failed rows into DATA_PATH_FAILED; blocking, for threads.

    A file is there whole or not at all. A folder that cannot be written is no reason for a load to fail: the files
    are in the store all the same. Failed rows are written only when there are any.

    Returns:
        Names of the files written, and one sentence for each that could not be.
    """
    names: list[str] = []
    troubles: list[str] = []
    header = (load.input_facts or {}).get("header_record", "")
    has_failed = failed.bytes > len(header.encode("utf-8"))
    wanted = [("results", resources.config.output_folder, results)]
    if has_failed:
        wanted.append(("failed", resources.config.failed_folder, failed))
    for kind, folder, stored in wanted:
        if folder is None:
            continue
        name = file_name(load, kind)
        try:
            _copy(resources, stored.key, folder, name)
            names.append(name)
        except OSError as error:
            variable = "DATA_PATH_OUTPUT" if kind == "results" else "DATA_PATH_FAILED"
            troubles.append(f"The {kind} file was not written to {variable}: {error.strerror or type(error).__name__}.")
            _log.warning("engine.not_published", load_id=load.id, kind=kind, folder=str(folder), cause=str(error))
    return tuple(names), tuple(troubles)


def _copy(resources: Resources, key: str, folder: Path, name: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{name}.part"
    try:
        with temporary.open("wb") as file:
            for block in resources.files.open_blocks(key):
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(folder / name)
    finally:
        temporary.unlink(missing_ok=True)
