"""What comes before anything of a part is sent: before-images are taken, and some rows may be kept back."""

from __future__ import annotations

from typing import Any

from orgbridge.engine import holds, images, matches
from orgbridge.engine.resources import Resources
from orgbridge.store.records import LoadRecord, PartRecord


async def begin(resources: Resources, load: LoadRecord, part: PartRecord) -> dict[str, Any]:
    """Prepare a part. Nothing of it was sent before; a load that is to be stopped is left as it is.

    Returns:
        `round`: 0 when all rows are to be sent, else the round that sends the rest; `send`: rows of that round; and
        what `matches.totals` tells.

    Raises:
        StepRefused: The load insists on something that Salesforce does not give.
    """
    if not load.cancel_requested:
        if images.wanted(load, part, most_rows=resources.config.image_rows):
            await images.take(resources, load, part)
        if holds.wanted(load):
            return await holds.hold(resources, load, part)
    return {"round": 0, "send": part.rows, **matches.totals(part)}
