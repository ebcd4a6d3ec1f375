"""Results for spreadsheets, as a stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from orgbridge.loads.formulas import FormulaEscaper


async def safe_for_spreadsheets(blocks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield a CSV with its formulas made harmless, each block escaped in a thread."""
    escaper = FormulaEscaper()
    async for block in blocks:
        if ready := await asyncio.to_thread(escaper.feed, block):
            yield ready
    if rest := await asyncio.to_thread(escaper.finish):
        yield rest
