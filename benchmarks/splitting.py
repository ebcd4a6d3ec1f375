"""How fast inputs are split and checked, and results matched, on one core; and in how much memory.

Run `python benchmarks/splitting.py [--megabytes 200] [--rows 100000]`. Targets: splitting at least 800, 400 and 300
MB/s (plain, quoted newlines, all quoted) in at most 32 MiB; matching at least 150,000 rows/s in at most 40 MB. A load
needs the hash of every part too, so splitting is shown without it ("checked") and with it ("split").
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator

from orgbridge.loads.checks import RecordChecker
from orgbridge.loads.dialect import Encoding, read_header
from orgbridge.loads.matching import match_part
from orgbridge.loads.records import record_chunks
from orgbridge.loads.splitter import split_records
from orgbridge.wire.bulk import IngestOperation

COLUMNS = 10
BLOCK = 1 << 20
HEADER = (",".join(f"Field{n}__c" for n in range(COLUMNS)) + "\n").encode()


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


def measure_splitting(megabytes: int) -> None:
    """Print MB/s of checking, of splitting, and of hashing alone."""
    header = read_header(HEADER, Encoding(name="utf-8", has_bom=False))
    print(f"{'splitting, MB/s':<18}{'checked':>10}{'split':>10}{'sha256':>10}{'rows':>12}")
    for kind in ("plain", "non-ASCII", "quoted newlines", "all quoted"):
        piece = sample(kind)
        size = megabytes * 1_000_000
        total = sum(map(len, repeated(piece, size)))

        def check(piece: bytes = piece, size: int = size) -> int:
            checker = RecordChecker(header.dialect, COLUMNS, row=1, line=2, offset=0)
            for chunk in record_chunks(repeated(piece, size)):
                checker.check(chunk)
            return checker.row - 1

        def split(piece: bytes = piece, size: int = size) -> int:
            count = 0
            for _ in split_records(
                repeated(piece, size),
                header.dialect,
                header_record=HEADER,
                columns=COLUMNS,
                max_rows=100_000,
                max_bytes=100_000_000,
            ):
                count += 1
            return count

        def digest(piece: bytes = piece, size: int = size) -> int:
            value = hashlib.sha256()
            for block in repeated(piece, size):
                value.update(block)
            return 0

        checked, rows = best(check)
        parted, _ = best(split)
        hashed, _ = best(digest)
        rates = (total / 1e6 / seconds for seconds in (checked, parted, hashed))
        print(f"{kind:<18}" + "".join(f"{rate:>10.0f}" for rate in rates) + f"{rows:>12}")


def measure_matching(rows: int) -> None:
    """Print rows/s of joining a part with its results and writing its piece of the results file."""
    piece = sample("quoted newlines", rows)
    header = read_header(HEADER, Encoding(name="utf-8", has_bom=False))
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
                dialect=header.dialect,
                header=header.names,
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
        print(f"matching {name:<9}{rows / seconds:>12.0f} rows/s{peak / 1e6:>8.1f} MB for a part of {rows} rows")


def main() -> None:
    """Run both."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--megabytes", type=int, default=200)
    arguments.add_argument("--rows", type=int, default=100_000)
    chosen = arguments.parse_args()
    measure_splitting(chosen.megabytes)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory of the process after splitting: {peak:.0f} MiB")
    measure_matching(chosen.rows)


if __name__ == "__main__":
    main()
