"""Baselines: what was loaded is known again, whatever the order, and nothing else is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orgbridge.loads.deltas import (
    ENTRY_BYTES,
    entries,
    entry,
    key_digest,
    merged_entries,
    row_digest,
    source_of,
    unchanged_places,
)

_HEADER = ("Key__c", "Name")
_values = st.dictionaries(st.text(max_size=4), st.tuples(st.text(max_size=3), st.booleans()), max_size=30)


def _file(rows: dict[str, tuple[str, bool]]) -> list[bytes]:
    return sorted(
        entry(key_digest(key), row_digest(_HEADER, (key, value)), loaded=loaded)
        for key, (value, loaded) in rows.items()
    )


@given(_values, _values, _values)
def test_merged_baselines_hold_what_was_loaded_last(
    old: dict[str, tuple[str, bool]], new: dict[str, tuple[str, bool]], newest: dict[str, tuple[str, bool]]
) -> None:
    """Of each key the last file has the say; keys that are not known to be in the org are gone."""
    expected = {key: found for key, found in (old | new | newest).items() if found[1]}
    assert list(merged_entries(_file(old), _file(new), _file(newest))) == _file(expected)


@given(_values, st.lists(st.tuples(st.text(max_size=4), st.text(max_size=3)), max_size=30))
def test_only_rows_that_are_as_they_were_are_unchanged(
    known: dict[str, tuple[str, bool]], rows: list[tuple[str, str]]
) -> None:
    """Same key, same cells, loaded before, and the only row of its key."""
    keys = [key for key, _ in rows]
    expected = {
        place for place, (key, value) in enumerate(rows) if known.get(key) == (value, True) and keys.count(key) == 1
    }
    digests = [(key_digest(key), row_digest(_HEADER, (key, value))) for key, value in rows]
    assert unchanged_places(_file(known), digests) == expected


@given(_values, st.integers(1, 70))
def test_entries_survive_any_blocks(known: dict[str, tuple[str, bool]], size: int) -> None:
    """However a file is cut into blocks, the same entries come out."""
    data = b"".join(_file(known))
    blocks = [data[start : start + size] for start in range(0, len(data), size)]
    assert list(entries(blocks)) == _file(known)
    assert all(len(found) == ENTRY_BYTES for found in entries(blocks))


def test_cells_columns_and_sources_that_differ_have_other_digests() -> None:
    """Where one cell ends and the next begins counts, and so do the columns; kinds of newline do not."""
    assert row_digest(("A", "B"), ("1", "23")) != row_digest(("A", "B"), ("12", "3"))
    assert row_digest(("A", "B"), ("1", "2")) != row_digest(("A", "C"), ("1", "2"))
    assert row_digest(("A",), ("1\x1f2",)) != row_digest(("A",), ("1", "2"))
    names = {"org": "o", "object_name": "A", "operation": "upsert", "key_field": "K"}
    assert source_of(**names, name="x") != source_of(**names, name="y")
