"""Pages of exports in the database. Nothing here commits."""

from __future__ import annotations

from dataclasses import asdict

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from orgbridge.store.export_records import PageRecord
from orgbridge.store.export_tables import export_pages


class PageRepository:
    """Reads and writes pages within the unit's transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def put(self, page: PageRecord) -> None:
        """Write a page down in place of what stood under its number."""
        await self.drop(page.load_id, page.number)
        await self._connection.execute(sa.insert(export_pages).values(asdict(page)))

    async def list(self, load_id: str) -> list[PageRecord]:
        """Return an export's pages in their order."""
        columns = export_pages.c
        query = sa.select(export_pages).where(columns.load_id == load_id).order_by(columns.number)
        return [PageRecord(**row) for row in (await self._connection.execute(query)).mappings()]

    async def drop(self, load_id: str, number: int) -> None:
        """Forget one page."""
        columns = export_pages.c
        await self._connection.execute(
            sa.delete(export_pages).where(columns.load_id == load_id, columns.number == number)
        )

    async def drop_all(self, load_id: str) -> None:
        """Forget all pages of an export."""
        await self._connection.execute(sa.delete(export_pages).where(export_pages.c.load_id == load_id))
