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
from orgbridge.engine.facts import InputFacts, sent_key
from orgbridge.engine.mappings import sent_cells
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
        yield Resources(
            config=WorkerConfig(),
            database=Database(f"sqlite:///{name}/orgbridge.sqlite"),
            files=LocalFiles(Path(name)),
            orgs=Orgs([], clock),
            clock=clock,
            matchers=threads,
            splitters=threads,
        )


def _cut(resources: Resources, content: bytes, options: dict[str, Any], *, part_rows: int, piece: int | None) -> Any:
    """Return the parts, and the bytes of their own records and of what is sent of each."""
    source = open_input(lambda: iter([content]), name="a.csv")
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
    files = resources.files
    sent = [b"".join(files.open_blocks(key)) if (key := sent_key(part)) else b"" for part in parts]
    own = [b"".join(files.open_blocks(part.input_key)) for part in parts]
    for part, data in zip(parts, sent, strict=True):
        cells = [list(row) for row, refusal in sent_cells(resources, facts, part) if refusal is None]
        delimiter = facts.sent_dialect.delimiter
        assert list(csv.reader(io.StringIO(data.decode(), newline=""), delimiter=delimiter)) == cells
        refused = part.upload.get("refused_key")
        places = [refusal.place for refusal in read_refusals(files.open_blocks(refused))] if refused else []
        assert places == [place for place, (_, why) in enumerate(sent_cells(resources, facts, part)) if why is not None]
    described = [
        (part.number, part.first_row, part.first_line, part.rows, part.bytes, part.sha256,
         {name: value for name, value in part.upload.items() if not name.endswith("_key")})
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
    parts, own, _ = whole
    assert b"".join(own) == content.partition(b"\n")[2]
    sizes = [part[3] for part in parts]
    first = min(canary or part_rows, part_rows)
    assert sizes[0] == min(first, len(rows))
    assert sum(sizes) == len(rows)
    assert all(size == part_rows for size in sizes[1:-1])
