"""The outbox of mails. Nothing here commits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from orgbridge.store.mail_records import MailKind, MailRecord, MailState
from orgbridge.store.purchase_order_tables import mails

_FIELDS = tuple(field.name for field in fields(MailRecord))


class MailRepository:
    """Reads and writes mails within the unit's transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, records: Sequence[MailRecord]) -> None:
        """Write mails into the outbox."""
        if records:
            rows = [{name: getattr(one, name) for name in _FIELDS} for one in records]
            await self._connection.execute(sa.insert(mails), rows)

    async def get(self, mail_id: str) -> MailRecord | None:
        """Return a mail, or None when there is none."""
        row = (await self._connection.execute(sa.select(mails).where(mails.c.id == mail_id))).mappings().first()
        return _record(row) if row is not None else None

    async def of_order(self, order_id: str, limit: int) -> list[MailRecord]:
        """Return mails about an order, newest first."""
        query = sa.select(mails).where(mails.c.order_id == order_id).order_by(mails.c.id.desc()).limit(limit)
        return [_record(row) for row in (await self._connection.execute(query)).mappings()]

    async def due(self, now: datetime, limit: int) -> list[MailRecord]:
        """Return mails that are to be sent now and that no worker has in hand, the longest waiting first."""
        columns = mails.c
        query = (
            sa.select(mails)
            .where(
                columns.state == MailState.PENDING,
                columns.next_at <= now,
                sa.or_(columns.claimed_until.is_(None), columns.claimed_until <= now),
            )
            .order_by(columns.next_at)
            .limit(limit)
        )
        return [_record(row) for row in (await self._connection.execute(query)).mappings()]

    async def claim(self, mail: MailRecord, now: datetime, until: datetime) -> bool:
        """Take a mail in hand and count the attempt. False when another worker has it."""
        columns = mails.c
        done = await self._connection.execute(
            sa.update(mails)
            .where(
                columns.id == mail.id,
                columns.state == MailState.PENDING,
                columns.attempts == mail.attempts,
                sa.or_(columns.claimed_until.is_(None), columns.claimed_until <= now),
            )
            .values(claimed_until=until, attempts=columns.attempts + 1)
        )
        return bool(done.rowcount)

    async def settle(self, mail_id: str, **changes: Any) -> None:
        """Let go of a mail and set columns of it, by their names in `MailRecord`."""
        await self._connection.execute(
            sa.update(mails).where(mails.c.id == mail_id).values(claimed_until=None, **changes)
        )

    async def again(self, mail_id: str, now: datetime) -> bool:
        """Put an ended mail back into the outbox. False when it is on its way."""
        columns = mails.c
        done = await self._connection.execute(
            sa.update(mails)
            .where(columns.id == mail_id, columns.state != MailState.PENDING)
            .values(state=MailState.PENDING, attempts=0, next_at=now, ended_at=None, claimed_until=None)
        )
        return bool(done.rowcount)


def _record(row: sa.RowMapping) -> MailRecord:
    values = {name: row[name] for name in _FIELDS}
    values["state"], values["kind"] = MailState(values["state"]), MailKind(values["kind"])
    return MailRecord(**values)
