"""How fast inputs are split and checked, and results matched, on one core; and in how much memory.

"Checked" is what the targets are about: boundaries, UTF-8, quoting, columns, line ending and length of every record.
"Split and hashed" is what a load does: the same, dealt out to parts with the SHA-256 of each. Processor seconds of one
core are counted, the best of three runs. Run it alone as `python -m benchmarks.splitting [MEGABYTES [ROWS]]`.
"""

from __future__ import annotations

import hashlib
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from functools import partial

from benchmarks.figures import Figure
from orgbridge.loads.checks import RecordChecker
from orgbridge.loads.dialect import Encoding, read_header
from orgbridge.loads.matching import match_part
from orgbridge.loads.records import segmented_chunks
from orgbridge.loads.splitter import split_records
from orgbridge.wire.bulk import IngestOperation

COLUMNS = 10
BLOCK = 1 << 20
HEADER = (",".join(f"Field{n}__c" for n in range(COLUMNS)) + "\n").encode()
_FOUND = read_header(HEADER, Encoding(name="utf-8", has_bom=False))
_DIALECT, _NAMES = _FOUND.dialect, _FOUND.names
#: MB/s aimed at.
_KINDS = {"plain": 800, "non-ASCII": None, "quoted newlines": 400, "all quoted": 300}


def row(kind: str, number: int) -> str:
    """Return one record of about 130 bytes."""
    cells = [
        f"Acme Holdings {number}",
        f"{number:08d}",
        f"{number % 97} Main Street",
        "Berlin",
        "DE",
        "+49 30 1234567",
        "Technology",
        "https://example.com/x",
        "2024-01-01",
        "Long text with words",
    ]
    if kind == "quoted newlines":
        cells[2] = f'"{number % 97} Main Street\nSuite 4, left"'
        if not number % 10:
            cells[9] = '"He said ""hi"" twice"'
    if kind == "non-ASCII":
        cells[0] = f"Žižkov Bräu {number}"
        cells[3] = "München"
    if kind == "all quoted":
        if not number % 50:
            cells[0] = "Acme, Inc"
        cells = [f'"{cell}"' for cell in cells]
    return ",".join(cells)


def sample(kind: str, rows: int = 20_000) -> bytes:
    """Return the records of a table."""
    return ("\n".join(row(kind, number) for number in range(rows)) + "\n").encode()


def repeated(piece: bytes, size: int) -> Iterator[bytes]:
    """Yield a table's records again and again, in blocks of 1 MiB, up to a size."""
    for _ in range(size // len(piece)):
        for start in range(0, len(piece), BLOCK):
            yield piece[start : start + BLOCK]


def best(run: Callable[[], int], times: int = 3) -> tuple[float, int]:
    """Return the CPU seconds of the shortest of some runs, and what it returned; others hardly disturb these."""
    shortest, got = float("inf"), 0
    for _ in range(times):
        start = time.process_time()
        got = run()
        shortest = min(shortest, time.process_time() - start)
    return shortest, got


def check(piece: bytes, size: int) -> int:
    """Check a table of that size; return its rows."""
    checker = RecordChecker(_DIALECT, COLUMNS, row=1, line=2, offset=0)
    for chunk, segments in segmented_chunks(repeated(piece, size)):
        checker.check(chunk, segments)
    if checker.faults:
        sys.exit("The splitting benchmark found faults where none are.")
    return checker.row - 1


def split(piece: bytes, size: int) -> int:
    """Split a table of that size into parts with their hashes; return what came."""
    return sum(
        1
        for _ in split_records(
            repeated(piece, size),
            _DIALECT,
            header_record=HEADER,
            columns=COLUMNS,
            max_rows=100_000,
            max_bytes=100_000_000,
        )
    )


def digest(piece: bytes, size: int) -> int:
    """Hash a table of that size and do nothing else."""
    value = hashlib.sha256()
    for block in repeated(piece, size):
        value.update(block)
    return 0


def splitting_figures(megabytes: int) -> list[Figure]:
    """Return MB/s of checking, of splitting with the hash, and of hashing alone."""
    size = megabytes * 1_000_000
    found = []
    for kind, target in _KINDS.items():
        piece = sample(kind)
        total = sum(map(len, repeated(piece, size)))
        tracemalloc.start()
        split(piece, 10_000_000)
        peak = tracemalloc.get_traced_memory()[1] / (1 << 20)
        tracemalloc.stop()
        for name, work, wanted in (("checked", check, target), ("split and hashed", split, None)):
            seconds, _ = best(partial(work, piece, size))
            found.append(
                Figure(
                    name=f"{kind}, {name}", value=total / 1e6 / seconds, unit="MB/s", target=wanted, more_is_better=True
                )
            )
        found.append(Figure(name=f"{kind}, memory while splitting", value=peak, unit="MiB", target=32))
    piece = sample("plain")
    seconds, _ = best(partial(digest, piece, size))
    found.append(Figure(name="SHA-256 alone, to compare", value=size / 1e6 / seconds, unit="MB/s", more_is_better=True))
    return found


def matching_figures(rows: int) -> list[Figure]:
    """Return rows/s of joining a part with its results and writing its piece of the results file, and the memory."""
    found = []
    piece = sample("quoted newlines", rows)
    table = [row("plain", number).split(",") for number in range(rows)]
    for number, cells in enumerate(table):
        cells[2] = f"{number % 97} Main Street\nSuite 4, left"
        if not number % 10:
            cells[9] = 'He said "hi" twice'
    failing = {number for number in range(rows) if not number % 97}
    extra = ",".join(f'"Field{n}__c"' for n in range(COLUMNS)) + "\n"

    def line(cells: list[str]) -> str:
        return ",".join('"' + cell.replace('"', '""') + '"' for cell in cells) + "\n"

    good = [line([f"001Ob{n:013d}", "true", *table[n]]) for n in range(rows) if n not in failing]
    bad = [line(["", "STRING_TOO_LONG:Name too long:Name --", *table[n]]) for n in sorted(failing)]
    successful = ('"sf__Id","sf__Created",' + extra + "".join(reversed(good))).encode()
    failed = ('"sf__Id","sf__Error",' + extra + "".join(bad)).encode()
    del table, good, bad
    for name, operation, key in (
        ("insert", IngestOperation.INSERT, None),
        ("upsert", IngestOperation.UPSERT, "Field1__c"),
    ):

        def match(operation: IngestOperation = operation, key: str | None = key) -> int:
            joined = match_part(
                records=lambda: repeated(piece, len(piece)),
                dialect=_DIALECT,
                header=_NAMES,
                operation=operation,
                external_id_field=key,
                successful=lambda: repeated(successful, len(successful)),
                failed=lambda: repeated(failed, len(failed)),
                unprocessed=lambda: iter(()),
                first_row=1,
                first_line=2,
            )
            written = sum(map(len, joined.result_blocks()))
            if joined.succeeded + joined.failed != rows or joined.ambiguous or not written:
                sys.exit("The matching benchmark matched wrongly.")
            return written

        seconds, _ = best(match)
        tracemalloc.start()
        match()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        found += [
            Figure(name=f"matching {name}", value=rows / seconds, unit="rows/s", target=150_000, more_is_better=True),
            Figure(name=f"matching {name}, memory for {rows:,} rows", value=peak / 1e6, unit="MB", target=40),
        ]
    return found


def figures(megabytes: int = 100, rows: int = 100_000) -> list[Figure]:
    """Measure both."""
    return splitting_figures(megabytes) + matching_figures(rows)


if __name__ == "__main__":
    for figure in figures(*map(int, sys.argv[1:])):
        print(f"{figure.name:<50}{figure.value:>12.1f} {figure.unit}")
