"""What a worker of an earlier version left behind when it was killed amid loads: recorded once, kept, restored.

To record, with the source of that version unpacked in OLD (`git archive VERSION src tests | tar x -C OLD`):

    PYTHONPATH=OLD/src:OLD python tests/support/earlier_state.py sqlite tests/support/earlier/REVISION-sqlite.json

and the same for `postgresql`. The version's own programs make the tables, take the loads and die; what is kept is all
that there was then: both databases as SQL, the load files, and what Salesforce's stand-in had.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from tests.support.engine_bench import Bench, account_rows
from tests.support.postgres import find_binaries, running_postgres

_FOLDER = Path(__file__).parent / "earlier"
#: Lines of a dump that its own reader, or a server of another version, would not understand.
_FOREIGN = re.compile(r"^(\\.*|SET .*|SELECT pg_catalog\.set_config.*|--.*|)\n", re.MULTILINE)
#: Revisions of the tables of the versions that were recorded, each on both backends.
EARLIER = sorted({file.name.partition("-")[0] for file in _FOLDER.glob("*.json")})
_LOADS = ("first", "second", "third")
_ROWS = 130


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierState:
    """What was restored."""

    #: The input of each load, by the load's id.
    inputs: dict[str, bytes]
    #: How many parts stood in each state.
    states: dict[str, int]


def restore(name: str, url: str, folder: Path) -> EarlierState:
    """Put back what an earlier version left: into an empty database, and into the folder of a bench.

    Args:
        name: Revision of its tables.
        url: Address of the database.
        folder: Where load files, and on SQLite the databases, lie.
    """
    backend = url.partition(":")[0]
    kept: dict[str, Any] = json.loads((_FOLDER / f"{name}-{backend}.json").read_text())
    if backend == "sqlite":
        _run_sqlite(Path(url.removeprefix("sqlite:///")), kept["store"])
        _run_sqlite(folder / "engine.sqlite", kept["engine"])
    else:
        with psycopg.connect(url) as connection:
            connection.execute(kept["store"])
    _run_sqlite(folder / "double.db", kept["double"])
    for key, text in kept["files"].items():
        file = folder / "files" / key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode())
    inputs = {load_id: kept["files"][f"loads/{load_id}/input"].encode() for load_id in kept["loads"]}
    return EarlierState(inputs=inputs, states=kept["states"])


def _run_sqlite(file: Path, script: str) -> None:
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.executescript(script)


def _dump_sqlite(file: Path) -> str:
    with contextlib.closing(sqlite3.connect(file)) as connection:
        return "\n".join(connection.iterdump())


def _dump_postgres(url: str) -> str:
    words = [str(find_binaries() / "pg_dump"), "--inserts", "--no-owner", "--no-privileges", url]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
    return _FOREIGN.sub("", done.stdout)


async def _states(bench: Bench, loads: list[str]) -> Counter[str]:
    async with bench.database.unit(write=False) as unit:
        parts = [part for load in loads for part in await unit.parts.list(load)]
    return Counter(part.state.value for part in parts)


async def _record(url: str, folder: Path, file: Path) -> None:
    """Let a worker of the version that is imported begin loads, kill it, and write down what is left."""
    bench = Bench(url, folder)
    try:
        double = bench.start_double(seconds=1.0)
        worker = bench.start_worker()
        loads = [await bench.submit(account_rows(_ROWS, tag=f"{tag}-")) for tag in _LOADS]
        states: Counter[str] = Counter()
        # Some parts have ended, some are at Salesforce, some have not begun.
        while not {"matched", "committed", "planned"} <= set(states):
            states = await _states(bench, loads)
        worker.kill()
        worker.wait(timeout=10)
        double.kill()
        double.wait(timeout=10)
        states = await _states(bench, loads)
    finally:
        await bench.close()
    sqlite = url.startswith("sqlite")
    kept = {
        "loads": loads,
        "states": dict(sorted(states.items())),
        "store": _dump_sqlite(Path(url.removeprefix("sqlite:///"))) if sqlite else _dump_postgres(url),
        "engine": _dump_sqlite(folder / "engine.sqlite") if sqlite else "",
        "double": _dump_sqlite(folder / "double.db"),
        "files": {
            str(one.relative_to(folder / "files")): one.read_bytes().decode()
            for one in sorted((folder / "files").rglob("*"))
            if one.is_file()
        },
    }
    file.write_text(json.dumps(kept, ensure_ascii=False, indent=0) + "\n")


def main() -> None:
    """Record on the backend that is named, into the file that is named."""
    backend, file = sys.argv[1], Path(sys.argv[2])
    with tempfile.TemporaryDirectory() as name:
        if backend == "sqlite":
            asyncio.run(_record(f"sqlite:///{name}/orgbridge.sqlite", Path(name), file))
            return
        with running_postgres() as server:
            asyncio.run(_record(server.create_database(), Path(name), file))


if __name__ == "__main__":
    main()
