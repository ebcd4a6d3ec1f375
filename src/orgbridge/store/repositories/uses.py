"""Calls that several processes count together. Nothing here commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from orgbridge.store.use_tables import shared_uses

#: Rows of one statement: a database takes some ten thousand values in one.
_ROWS = 500


class UseRepository:
    """Reads and writes them within the unit's transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, calls: Mapping[tuple[str, str, int], int]) -> None:
        """Add calls to what all processes together have counted.

        Args:
            calls: By counter, who made them, and window.
        """
        insert = postgresql.insert if self._connection.dialect.name == "postgresql" else sqlite.insert
        # In one order everywhere, so that two processes never wait for each other in a circle.
        rows = [
            {"counter": counter, "who": who, "slot": slot, "calls": count}
            for (counter, who, slot), count in sorted(calls.items())
        ]
        for start in range(0, len(rows), _ROWS):
            statement = insert(shared_uses).values(rows[start : start + _ROWS])
            total = shared_uses.c.calls + statement.excluded.calls
            await self._connection.execute(
                statement.on_conflict_do_update(index_elements=["counter", "who", "slot"], set_={"calls": total})
            )

    async def since(self, counter: str, who: Sequence[str], slot: int) -> dict[tuple[str, int], int]:
        """Return the calls of some by who made them and window, from a window on."""
        found: dict[tuple[str, int], int] = {}
        columns = shared_uses.c
        for start in range(0, len(who), _ROWS):
            query = sa.select(columns.who, columns.slot, columns.calls).where(
                columns.counter == counter, columns.slot >= slot, columns.who.in_(list(who[start : start + _ROWS]))
            )
            found |= {(row.who, row.slot): int(row.calls) for row in await self._connection.execute(query)}
        return found

    async def forget(self, counter: str, before: int) -> None:
        """Delete what was counted in windows before one."""
        columns = shared_uses.c
        await self._connection.execute(sa.delete(shared_uses).where(columns.counter == counter, columns.slot < before))
