"""Many ids in a few conditions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

#: Ids of one condition; both databases take far more parameters.
CHUNK: Final = 500


async def by_ids(
    connection: AsyncConnection, key: sa.Column[str], value: sa.Column[str], ids: Sequence[str]
) -> dict[str, str]:
    """Return one column of the rows whose key is among some ids, by key; ids without a row are left out."""
    found: dict[str, str] = {}
    for start in range(0, len(ids), CHUNK):
        query = sa.select(key, value).where(key.in_(list(ids[start : start + CHUNK])))
        found |= {str(row[0]): str(row[1]) for row in await connection.execute(query)}
    return found
