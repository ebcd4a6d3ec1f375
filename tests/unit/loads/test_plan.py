"""Parts are whole platform batches, several per load, and never too large."""

from __future__ import annotations

import pytest

from orgbridge.loads.errors import PartLimitTooSmall
from orgbridge.loads.plan import plan_parts


@pytest.mark.parametrize(
    ("rows", "max_rows", "parts"),
    [
        (1, 10_000, 1),
        (100_000, 10_000, 10),
        (150_000, 10_000, 15),
        (250_000, 20_000, 13),
        (1_000_000, 100_000, 10),
        (20_000_000, 100_000, 200),
    ],
)
def test_rows_of_a_part_follow_the_size_of_the_load(rows: int, max_rows: int, parts: int) -> None:
    """Up to 100,000 rows a part is one batch; above that there are at least ten parts of whole batches."""
    plan = plan_parts(input_bytes=rows * 100, record_bytes=100)
    assert (plan.max_rows, plan.estimated_rows, plan.estimated_parts) == (max_rows, rows, parts)


def test_large_records_make_parts_of_fewer_batches() -> None:
    """Bytes bound a part before rows do; what fits is still whole batches."""
    plan = plan_parts(input_bytes=1_000_000 * 3_000, record_bytes=3_000)
    assert (plan.max_rows, plan.max_bytes, plan.estimated_parts) == (30_000, 100_000_000, 34)


def test_records_so_large_that_no_batch_fits_are_cut_by_bytes() -> None:
    """Then the rows are left to the bytes."""
    plan = plan_parts(input_bytes=1_000_000_000, record_bytes=100_000)
    assert (plan.max_rows, plan.estimated_parts) == (10_000, 10)


def test_the_caller_may_choose() -> None:
    """An override is taken as it is."""
    assert plan_parts(input_bytes=1_000, record_bytes=10, part_rows=7).max_rows == 7


@pytest.mark.parametrize("choice", [{"part_rows": 0}, {"part_bytes": 0}])
def test_an_empty_part_is_refused(choice: dict[str, int]) -> None:
    """A part holds at least one row."""
    with pytest.raises(PartLimitTooSmall):
        plan_parts(input_bytes=1_000, record_bytes=10, **choice)  # type: ignore[arg-type]
