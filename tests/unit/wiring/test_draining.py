"""How the signal to end is taken, and given back."""

from __future__ import annotations

import asyncio
import os
import signal

from orgbridge.wiring.draining import Drain


async def test_the_signal_waits_for_requests_and_its_handler_comes_back() -> None:
    """SIGTERM is told at once, reaches the server once nobody waits for an answer, and is the server's again after."""
    ended, told = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def server(_number: int, _frame: object) -> None:
        loop.call_soon_threadsafe(ended.set)

    usual = signal.signal(signal.SIGTERM, server)
    try:
        drain = Drain()
        async with asyncio.timeout(10), drain.before_the_end(told.set):
            drain.entered()
            os.kill(os.getpid(), signal.SIGTERM)
            await told.wait()
            assert drain.begun
            assert not ended.is_set()
            drain.left()
            await ended.wait()
        assert signal.getsignal(signal.SIGTERM) is server
    finally:
        signal.signal(signal.SIGTERM, usual)
