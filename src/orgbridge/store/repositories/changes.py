"""How far changes of an org were followed. Nothing here commits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from orgbridge.store.change_records import ChangeRecord, FeedRecord
from orgbridge.store.change_tables import change_feeds, change_seen
from orgbridge.store.chunks import CHUNK

_FEED = tuple(field.name for field in fields(FeedRecord))
_SEEN = tuple(field.name for field in fields(ChangeRecord))


class ChangeRepository:
    """Reads and writes watermarks and known states within the unit's transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def feeds(self, org: str) -> dict[str, FeedRecord]:
        """Return the feeds of an org by object."""
        query = sa.select(change_feeds).where(change_feeds.c.org == org)
        rows = (await self._connection.execute(query)).mappings()
        return {row["sobject"]: FeedRecord(**{name: row[name] for name in _FEED}) for row in rows}

    async def begin(self, feed: FeedRecord) -> bool:
        """Write a new feed. False when another worker did so first; nothing was written then."""
        try:
            async with self._connection.begin_nested():
                await self._connection.execute(
                    sa.insert(change_feeds).values({name: getattr(feed, name) for name in _FEED})
                )
        except sa.exc.IntegrityError:
            return False
        return True

    async def advance(self, feed: FeedRecord, **changes: Any) -> bool:
        """Set columns of a feed and raise its version: the one compare-and-set of every look.

        Returns:
            False when another worker has written since; nothing was changed then.
        """
        columns = change_feeds.c
        done = await self._connection.execute(
            sa.update(change_feeds)
            .where(columns.org == feed.org, columns.sobject == feed.sobject, columns.version == feed.version)
            .values(version=feed.version + 1, **changes)
        )
        return bool(done.rowcount)

    async def end(self, org: str, sobject: str) -> None:
        """Forget a feed with all that it knew."""
        for table in (change_seen, change_feeds):
            columns = table.c
            await self._connection.execute(sa.delete(table).where(columns.org == org, columns.sobject == sobject))

    async def seen(self, org: str, sobject: str, record_ids: Sequence[str]) -> dict[str, ChangeRecord]:
        """Return what is known of some records, by id."""
        columns = change_seen.c
        found: dict[str, ChangeRecord] = {}
        for start in range(0, len(record_ids), CHUNK):
            query = sa.select(change_seen).where(
                columns.org == org,
                columns.sobject == sobject,
                columns.record_id.in_(list(record_ids[start : start + CHUNK])),
            )
            for row in (await self._connection.execute(query)).mappings():
                found[row["record_id"]] = ChangeRecord(**{name: row[name] for name in _SEEN})
        return found

    async def note(self, states: Sequence[ChangeRecord]) -> None:
        """Write what is known of some records now, each of them once, all of one object."""
        if not states:
            return
        columns, org, sobject = change_seen.c, states[0].org, states[0].sobject
        ids = [state.record_id for state in states]
        for start in range(0, len(ids), CHUNK):
            await self._connection.execute(
                sa.delete(change_seen).where(
                    columns.org == org,
                    columns.sobject == sobject,
                    columns.record_id.in_(ids[start : start + CHUNK]),
                )
            )
        await self._connection.execute(
            sa.insert(change_seen), [{name: getattr(state, name) for name in _SEEN} for state in states]
        )

    async def forget(self, org: str, sobject: str, before: datetime) -> int:
        """Delete what is known of records that have not changed for long; return of how many."""
        columns = change_seen.c
        done = await self._connection.execute(
            sa.delete(change_seen).where(columns.org == org, columns.sobject == sobject, columns.modstamp < before)
        )
        return int(done.rowcount)
