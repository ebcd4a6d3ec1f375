"""What a worker tells those who probe it."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from orgbridge.wiring.pulse import Pulse
from tests.support.clocks import HandClock


async def test_a_worker_whose_loop_stands_still_is_not_alive() -> None:
    """Alive while it beats and for a minute after, ready from the moment at which it takes work."""
    clock = HandClock()
    pulse = Pulse(clock)
    probes = pulse.probes
    assert [name for name, holds in probes.items() if holds()] == ["/health/live"]
    clock.move(59)
    assert probes["/health/live"]()
    clock.move(2)
    assert not probes["/health/live"]()
    beating = asyncio.create_task(pulse.beat())
    await asyncio.sleep(0)
    assert probes["/health/live"]()
    beating.cancel()
    with suppress(asyncio.CancelledError):
        await beating
    pulse.take_work()
    assert all(holds() for holds in probes.values())
