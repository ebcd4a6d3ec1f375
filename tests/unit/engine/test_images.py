"""Which loads keep what they overwrite."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from orgbridge.engine.config import WorkerConfig
from orgbridge.engine.images import wanted
from orgbridge.loads.states import LoadState, PartState
from orgbridge.store.records import LoadKind, LoadRecord, PartRecord

_NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
_MOST = WorkerConfig().image_rows


def _wanted(operation: str = "update", *, last_row: int = 100, **given: Any) -> bool:
    load = LoadRecord(
        id="load_1",
        kind=LoadKind.INGEST,
        object_name="Account",
        operation=operation,
        state=LoadState.IN_PROGRESS,
        created_by="ada",
        created_at=_NOW,
        **given,
    )
    part = PartRecord(
        load_id=load.id,
        number=0,
        state=PartState.PLANNED,
        rows=100,
        bytes=1_000,
        sha256="",
        first_line=2,
        first_row=last_row - 99,
        input_key="loads/load_1/input",
    )
    return wanted(load, part, most_rows=_MOST)


@pytest.mark.parametrize("operation", ["update", "upsert"])
def test_they_are_kept_up_to_ten_thousand_rows(operation: str) -> None:
    """A load of 10,000 rows has before-images unasked, one of a row more has not, and asking settles it."""
    assert _MOST == 10_000
    assert _wanted(operation, rows_read=_MOST)
    assert not _wanted(operation, rows_read=_MOST + 1)
    assert _wanted(operation, rows_read=_MOST + 1, options={"before_images": True})
    assert not _wanted(operation, rows_read=1, options={"before_images": False})


@pytest.mark.parametrize("operation", ["insert", "delete", "hardDelete"])
def test_nothing_is_overwritten_by_the_other_operations(operation: str) -> None:
    """What writes over no field has no before-images, asked for or not."""
    assert not _wanted(operation, rows_read=1, options={"before_images": True})


def test_an_input_that_is_being_cut_is_as_long_as_is_known() -> None:
    """While rows are still cut, the part's last row and the expected number of rows stand for the length."""
    assert _wanted(last_row=_MOST)
    assert not _wanted(last_row=_MOST + 1)
    assert _wanted(last_row=100, input_facts={"expected_rows": _MOST})
    assert not _wanted(last_row=100, input_facts={"expected_rows": _MOST + 1})
