"""The results file of an export that grows page by page: the same bytes as of all pages at once, or nothing."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orgbridge.engine.exportfiles import GrowingCSV, PageDamaged, Pages
from orgbridge.store.export_records import PageRecord
from orgbridge.store.files import LocalFiles

_KEY = "loads/load_x/results.csv"
#: Records of pages; the last record of a page may lack its line feed.
_PAGES = st.lists(
    st.tuples(st.lists(st.sampled_from(['"a"', '"b\nc"', '"d""\n"'])), st.booleans()), min_size=1, max_size=5
)


def keep(files: LocalFiles, number: int, content: bytes, rows: int) -> PageRecord:
    """Store a page and return what is recorded of it."""
    stored = files.write_blocks(f"loads/load_x/pages/{number:05d}.csv", [content] if content else [])
    return PageRecord(
        load_id="load_x",
        number=number,
        locator=None,
        following=None,
        key=stored.key,
        rows=rows,
        bytes=stored.bytes,
        sha256=stored.sha256,
    )


@given(_PAGES)
def test_page_by_page_is_the_same_file_as_all_at_once(pages: list[tuple[list[str], bool]]) -> None:
    """Bytes, size and hash do not depend on when the pages were taken; the header stands there once."""
    with tempfile.TemporaryDirectory() as name:
        files = LocalFiles(Path(name))
        kept = []
        for number, (records, is_open) in enumerate(pages):
            text = "".join(f"{record}\n" for record in ['"Name"', *records])
            kept.append(keep(files, number, text.removesuffix("\n" * is_open).encode(), len(records)))
        growing = GrowingCSV(files, _KEY)
        for page in kept:
            growing.add(page)
        stored = growing.finish()
        whole = b"".join(Pages(files=files, pages=kept).csv())
        assert stored is not None
        assert (stored.bytes, stored.sha256) == (len(whole), hashlib.sha256(whole).hexdigest())
        assert b"".join(files.open_blocks(_KEY)) == whole
        assert whole.decode() == "".join(f"{record}\n" for record in ['"Name"', *(r for rs, _ in pages for r in rs)])


def test_a_damaged_page_leaves_nothing_behind(tmp_path: Path) -> None:
    """What was there under the key stays, and no half-written file lies beside it."""
    files = LocalFiles(tmp_path)
    files.write_blocks(_KEY, [b"before"])
    good, bad = keep(files, 0, b'"Name"\n"a"\n', 1), keep(files, 1, b'"Name"\n"b"\n', 1)
    files.path(bad.key).write_bytes(b'"Name"\n"c"\n')
    growing = GrowingCSV(files, _KEY)
    growing.add(good)
    with pytest.raises(PageDamaged) as caught:
        growing.add(bad)
    growing.give_up()
    assert caught.value.number == 1
    assert growing.finish() is None
    assert b"".join(files.open_blocks(_KEY)) == b"before"
    assert [path.name for path in files.path(_KEY).parent.iterdir() if path.is_file()] == ["results.csv"]
