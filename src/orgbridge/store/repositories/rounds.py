"""Rounds of rows sent again, links, intents and baselines in the database. Nothing here commits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from orgbridge.store import round_tables, tables
from orgbridge.store.errors import LinkExists
from orgbridge.store.records import PartRecord
from orgbridge.store.repositories.parts import PartRepository, part_record
from orgbridge.store.round_records import BaselineRecord, IntentRecord, LinkKind, LinkRecord, RoundRecord

_FIELDS = tuple(field.name for field in fields(PartRecord))


class RoundRepository(PartRepository):
    """Reads and writes one round of parts, as if it were the parts themselves."""

    def __init__(self, connection: AsyncConnection, round_number: int) -> None:
        super().__init__(connection)
        self._table = round_tables.part_rounds
        self._round = round_number

    def _at(self, load_id: str, number: int) -> sa.ColumnElement[bool]:
        return sa.and_(super()._at(load_id, number), round_tables.part_rounds.c.round == self._round)

    async def add(self, parts: Sequence[PartRecord]) -> None:
        """Write new sendings, those left out that are there already."""
        for sending in parts:
            if await self.get(sending.load_id, sending.number) is None:
                values = {name: getattr(sending, name) for name in _FIELDS}
                await self._connection.execute(sa.insert(round_tables.part_rounds).values(round=self._round, **values))


class SequelRepository:
    """Reads and writes what ties loads, jobs and sources together."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def rounds(self, load_id: str) -> list[RoundRecord]:
        """Return all rounds of a load, by part and round."""
        columns = round_tables.part_rounds.c
        query = (
            sa.select(round_tables.part_rounds)
            .where(columns.load_id == load_id)
            .order_by(columns.number, columns.round)
        )
        rows = (await self._connection.execute(query)).mappings()
        return [RoundRecord(round=row["round"], sending=part_record(row)) for row in rows]

    async def add_link(self, link: LinkRecord) -> None:
        """Tie a load to the one that it came out of.

        Raises:
            LinkExists: Another load came out of it in this way before; nothing was written.
        """
        try:
            async with self._connection.begin_nested():
                await self._connection.execute(sa.insert(round_tables.load_links).values(**asdict(link)))
        except IntegrityError as error:
            raise LinkExists from error

    async def drop_link(self, parent_id: str, kind: LinkKind) -> None:
        """Forget a tie."""
        columns = round_tables.load_links.c
        await self._connection.execute(
            sa.delete(round_tables.load_links).where(columns.parent_id == parent_id, columns.kind == kind)
        )

    async def links(self, load_id: str) -> list[LinkRecord]:
        """Return the ties of a load, to those before it and those after it."""
        columns = round_tables.load_links.c
        query = (
            sa.select(round_tables.load_links)
            .where(sa.or_(columns.parent_id == load_id, columns.child_id == load_id))
            .order_by(columns.created_at, columns.kind)
        )
        rows = (await self._connection.execute(query)).mappings()
        return [LinkRecord(**{**row, "kind": LinkKind(row["kind"])}) for row in rows]

    async def add_intent(self, intent: IntentRecord) -> None:
        """Say that a job is about to be created."""
        await self._connection.execute(sa.insert(round_tables.job_intents).values(**asdict(intent)))

    async def answer_intent(self, intent_id: str, job_id: str) -> None:
        """Say which job came of it."""
        columns = round_tables.job_intents.c
        await self._connection.execute(
            sa.update(round_tables.job_intents).where(columns.id == intent_id).values(job_id=job_id)
        )

    async def drop_intent(self, intent_id: str) -> None:
        """Forget a job that was certainly not created, or that is settled."""
        columns = round_tables.job_intents.c
        await self._connection.execute(sa.delete(round_tables.job_intents).where(columns.id == intent_id))

    async def unanswered_before(self, instant: datetime, limit: int) -> Sequence[IntentRecord]:
        """Return the jobs whose creation was begun before an instant and never answered, oldest first."""
        columns = round_tables.job_intents.c
        query = (
            sa.select(round_tables.job_intents)
            .where(columns.begun_at < instant, columns.job_id.is_(None))
            .order_by(columns.begun_at)
            .limit(limit)
        )
        return [IntentRecord(**row) for row in (await self._connection.execute(query)).mappings()]

    async def known_jobs(self, job_ids: Sequence[str]) -> set[str]:
        """Return which of these Salesforce jobs we have on record."""
        columns = tables.jobs.c
        found = await self._connection.execute(sa.select(columns.job_id).where(columns.job_id.in_(list(job_ids))))
        return {str(row[0]) for row in found}

    async def baseline(self, source: str) -> BaselineRecord | None:
        """Return where the hashes of a source lie."""
        columns = round_tables.delta_baselines.c
        found = await self._connection.execute(sa.select(round_tables.delta_baselines).where(columns.source == source))
        row = found.mappings().first()
        return BaselineRecord(**row) if row is not None else None

    async def set_baseline(self, baseline: BaselineRecord, now: datetime) -> None:
        """Say where the hashes of a source lie from now on."""
        columns = round_tables.delta_baselines.c
        values = {**asdict(baseline), "updated_at": now}
        done = await self._connection.execute(
            sa.update(round_tables.delta_baselines).where(columns.source == baseline.source).values(**values)
        )
        if not done.rowcount:
            await self._connection.execute(sa.insert(round_tables.delta_baselines).values(**values))
