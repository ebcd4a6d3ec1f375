"""Rows of an input as they are sent: under the mapped columns, one by one and in their order. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from orgbridge.loads.mapped import Refusal, mapped_columns
from orgbridge.loads.mapping import Mapping

#: Rows that are converted at a time.
_AT_ONCE: Final = 1_000


def as_sent(rows: Iterable[Sequence[str]], mapping: Mapping | None) -> Iterator[tuple[Sequence[str], Refusal | None]]:
    """Yield each row's cells as they are sent, and why it is not sent if it is not; its refused cells are blank then.

    Args:
        rows: Cells as the input has them.
        mapping: What is sent of them; None: the rows as they are.
    """
    if mapping is None:
        for row in rows:
            yield row, None
        return
    convert = mapped_columns(mapping)
    rest = iter(rows)
    while some := list(itertools.islice(rest, _AT_ONCE)):
        by_column, refusals = convert(list(zip(*some, strict=True)), len(some))
        refused = {refusal.place: refusal for refusal in refusals}
        for place, cells in enumerate(zip(*by_column, strict=True)):
            yield cells, refused.get(place)
