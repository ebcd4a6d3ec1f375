"""A clean file is cut into the same parts at once, as a strict load is, and in pieces, by many hands."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orgbridge.engine.config import WorkerConfig
from orgbridge.engine.cutting import Cutter
from orgbridge.engine.errors import StepRefused
from orgbridge.engine.facts import InputFacts, sends_rows
from orgbridge.engine.mappings import sent_cells
from orgbridge.engine.places import LoadTraces
from orgbridge.engine.ranges import RANGE, own_records, sent_records
from orgbridge.engine.resources import Resources
from orgbridge.kit.clock import SystemClock
from orgbridge.loads.inputs import open_input
from orgbridge.loads.mapped import read_refusals
from orgbridge.loads.mapping import compile_mapping
from orgbridge.loads.mapping_files import spec_from_json
from orgbridge.loads.positions import Position
from orgbridge.loads.states import LoadState
from orgbridge.orgs.connections import Orgs
from orgbridge.store.database import Database
from orgbridge.store.files import LocalFiles
from orgbridge.store.records import LoadKind, LoadRecord, PartRecord

_CELLS = st.text(alphabet='ab,;"\n ü', max_size=6)
_ROWS = st.lists(st.tuples(st.sampled_from(["1", "2.5", "many", ""]), _CELLS, _CELLS), min_size=1, max_size=40)
_DESCRIBE = {
    "name": "Account",
    "fields": [{"name": name, "type": kind} for name, kind in (("A", "double"), ("B", "string"), ("C__c", "string"))],
}


@pytest.fixture(scope="module")
def resources() -> Iterator[Resources]:
    """Give a worker's resources over a folder of their own."""
    clock = SystemClock()
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(1) as threads:
        database = Database(f"sqlite:///{name}/orgbridge.sqlite")
        yield Resources(
            config=WorkerConfig(),
            database=database,
            files=LocalFiles(Path(name)),
            orgs=Orgs([], clock),
            clock=clock,
            matchers=threads,
            splitters=threads,
            traces=LoadTraces(database),
        )


def _cut(
    resources: Resources,
    content: bytes,
    options: dict[str, Any],
    *,
    part_rows: int,
    piece: int | None,
    in_place: bool = True,
) -> Any:
    """Return the parts, and the bytes of their own records and of what is sent of each."""
    key = f"loads/load_{piece}/input"
    files = resources.files
    files.write_blocks(key, [content])
    blocks_at = (lambda start: files.open_blocks(key, start)) if in_place else None
    source = open_input(lambda: files.open_blocks(key), name="a.csv", blocks_at=blocks_at)
    mapping = None
    if options.get("mapped"):
        spec = spec_from_json({"columns": {"B": "C__c", "C": None}, "constants": {"B": "x"}, "decimal_mark": "."})
        mapping = compile_mapping(spec, source.header, _DESCRIBE)
    facts = InputFacts.of_source(source, mapping)
    load = LoadRecord(
        id=f"load_{piece}",
        kind=LoadKind.INGEST,
        object_name="Account",
        operation="insert",
        state=LoadState.IN_PROGRESS,
        created_by="tester",
        created_at=resources.clock.now(),
        options=options,
        input_key=key,
        input_bytes=len(content),
    )
    resources = replace(resources, config=WorkerConfig(piece_bytes=piece))
    plan = {"max_rows": part_rows, "max_bytes": 1 << 20, "whole": piece is None}
    at: Position | None = Position.first(source.first_line)
    parts: list[PartRecord] = []
    while at is not None:
        # Another worker goes on from the place that the step log has.
        cutter = Cutter(resources, load, source, facts, plan, Position.from_json(at.to_json()))
        found = cutter.cut()
        assert found.fault is None
        parts += found.parts
        at = found.end
    sent = [b"".join(sent_records(files, part)) if sends_rows(part) else b"" for part in parts]
    own = [b"".join(own_records(files, part)) for part in parts]
    assert all((RANGE in part.upload) == in_place and (part.input_key == key) == in_place for part in parts)
    for part, data in zip(parts, sent, strict=True):
        cells = [list(row) for row, refusal in sent_cells(resources, facts, part) if refusal is None]
        delimiter = facts.sent_dialect.delimiter
        assert list(csv.reader(io.StringIO(data.decode(), newline=""), delimiter=delimiter)) == cells
        refused = part.upload.get("refused_key")
        places = [refusal.place for refusal in read_refusals(files.open_blocks(refused))] if refused else []
        assert places == [place for place, (_, why) in enumerate(sent_cells(resources, facts, part)) if why is not None]
    described = [
        (part.number, part.first_row, part.first_line, part.rows, part.bytes, part.sha256,
         {name: value for name, value in part.upload.items() if name != RANGE and not name.endswith("_key")})
        for part in parts
    ]  # fmt: skip
    return described, own, sent


@settings(max_examples=40, deadline=None)
@given(
    rows=_ROWS,
    part_rows=st.integers(1, 12),
    piece=st.integers(1, 200),
    canary=st.none() | st.integers(1, 8),
    mapped=st.booleans(),
    delimiter=st.sampled_from(",;\t"),
)
def test_pieces_make_the_parts_that_a_strict_load_makes(
    resources: Resources,
    rows: list[tuple[str, str, str]],
    part_rows: int,
    piece: int,
    canary: int | None,
    mapped: bool,
    delimiter: str,
) -> None:
    """Numbers, lines, bytes and what is sent are the same; the parts are the file; the canary has exactly its rows."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(["A", "B", "C"])
    writer.writerows(rows)
    content = text.getvalue().encode()
    options: dict[str, Any] = {"canary": canary, "mapped": mapped}
    whole = _cut(resources, content, options, part_rows=part_rows, piece=None)
    assert _cut(resources, content, options, part_rows=part_rows, piece=piece) == whole
    assert _cut(resources, content, options, part_rows=part_rows, piece=piece, in_place=False) == whole
    parts, own, _ = whole
    assert b"".join(own) == content.partition(b"\n")[2]
    sizes = [part[3] for part in parts]
    first = min(canary or part_rows, part_rows)
    assert sizes[0] == min(first, len(rows))
    assert sum(sizes) == len(rows)
    assert all(size == part_rows for size in sizes[1:-1])


def _ranged(resources: Resources, content: bytes, *, part_rows: int = 2) -> tuple[LoadRecord, list[PartRecord]]:
    """Store an input and cut it in place."""
    key = "loads/load_ranged/input"
    files = resources.files
    files.write_blocks(key, [content])
    source = open_input(
        lambda: files.open_blocks(key), name="a.csv", blocks_at=lambda start: files.open_blocks(key, start)
    )
    load = LoadRecord(
        id="load_ranged",
        kind=LoadKind.INGEST,
        object_name="Account",
        operation="insert",
        state=LoadState.IN_PROGRESS,
        created_by="tester",
        created_at=resources.clock.now(),
        input_key=key,
        input_bytes=len(content),
    )
    plan = {"max_rows": part_rows, "max_bytes": 1 << 20, "whole": True}
    start = Position.first(source.first_line)
    found = Cutter(resources, load, source, InputFacts.of_source(source), plan, start).cut()
    assert found.fault is None
    return load, found.parts


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.tuples(_CELLS, st.sampled_from(["", "x", "two\nlines", "two\r\nlines", 'a "word"'])), min_size=1),
    ending=st.sampled_from(["\n", "\r\n"]),
    ends=st.booleans(),
    marked=st.booleans(),
    part_rows=st.integers(1, 9),
)
def test_ranges_are_the_input_with_every_byte_of_every_row_once(
    resources: Resources, rows: list[tuple[str, str]], ending: str, ends: bool, marked: bool, part_rows: int
) -> None:
    """With quotes, newlines in cells, CRLF, a mark or no last newline: ranges adjoin, from the header to the end."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=ending, quoting=csv.QUOTE_ALL)
    writer.writerow(["A", "B"])
    header = len(text.getvalue().encode())
    writer.writerows(rows)
    body = text.getvalue() if ends else text.getvalue().removesuffix(ending)
    content = (b"\xef\xbb\xbf" if marked else b"") + body.encode()
    load, parts = _ranged(resources, content, part_rows=part_rows)
    places = [part.upload[RANGE] for part in parts]
    assert [place["start"] for place in places] == [header + 3 * marked, *(place["stop"] for place in places[:-1])]
    assert places[-1]["stop"] == len(content)
    assert [place["then"] for place in places] == [""] * (len(places) - 1) + ["" if ends else ending]
    own = [b"".join(own_records(resources.files, part)) for part in parts]
    assert b"".join(own) == content[header + 3 * marked :] + (b"" if ends else ending.encode())
    assert sum(part.rows for part in parts) == len(rows)
    folder = resources.files.path(f"loads/{load.id}")
    assert [path.name for path in folder.iterdir()] == ["input"], "nothing was written beside the input"


@pytest.mark.parametrize("change", ["one byte", "shorter", "all new"])
def test_of_a_changed_input_nobody_gets_the_end_of_a_range(resources: Resources, change: str) -> None:
    """The hash of the cutting decides: parts whose bytes are the same are read, others are refused by name."""
    lines = [b"A,B\n", *(b"a%d,%b\n" % (number, b"x" * 300_000) for number in range(4))]
    load, parts = _ranged(resources, b"".join(lines))
    changed = {
        "one byte": b"".join(lines)[:-2] + b"y\n",
        "shorter": b"".join(lines)[:-2],
        "all new": b"".join(lines[:3]) + lines[3].upper() + lines[4],
    }[change]
    assert load.input_key is not None
    resources.files.write_blocks(load.input_key, [changed])
    assert b"".join(own_records(resources.files, parts[0])) == b"".join(lines[1:3])
    got = []
    with pytest.raises(StepRefused) as refused:
        got += list(own_records(resources.files, parts[1]))
    assert refused.value.fault.code == "load.input_changed"
    assert len(b"".join(got)) < parts[1].bytes
    assert len(b"".join(own_records(resources.files, parts[1], whatever=True))) >= parts[1].bytes - 2


def test_an_input_that_is_shorter_or_longer_than_what_was_taken_in_is_not_cut(resources: Resources) -> None:
    """The record of the load says how long its input is; what is not so is refused."""
    content = b"A,B\n1,2\n3,4\n5,6\n"
    load, _ = _ranged(resources, content)
    files = resources.files
    for size in (len(content) - 3, len(content) + 4):
        source = open_input(
            lambda: files.open_blocks("loads/load_ranged/input"),
            name="a.csv",
            blocks_at=lambda start: files.open_blocks("loads/load_ranged/input", start),
        )
        plan = {"max_rows": 2, "max_bytes": 1 << 20, "whole": True}
        start = Position.first(source.first_line)
        told = replace(load, input_bytes=size)
        with pytest.raises(StepRefused) as refused:
            Cutter(resources, told, source, InputFacts.of_source(source), plan, start).cut()
        assert refused.value.fault.code == "load.input_changed"
