"""What comes before anything of a part is sent: before-images are taken, and some rows may be kept back."""

from __future__ import annotations

from typing import Any

from orgbridge.engine import matches
from orgbridge.engine.resources import Resources
from orgbridge.store.records import LoadRecord, PartRecord


async def begin(resources: Resources, load: LoadRecord, part: PartRecord) -> dict[str, Any]:
    """Prepare a part.

    Returns:
        `round`: 0 when all rows are to be sent, else the round that sends the rest; `send`: rows of that round; and
        what `matches.totals` tells.
    """
    return {"round": 0, "send": part.rows, **matches.totals(part)}
