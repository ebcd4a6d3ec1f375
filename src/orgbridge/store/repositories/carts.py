"""The carts' mirror in the database. Nothing here commits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from orgbridge.store.cart_records import CartLineRecord, CartRecord
from orgbridge.store.cart_tables import cart_mirror_lines, cart_mirrors
from orgbridge.store.chunks import by_ids
from orgbridge.store.tables import users

_HEAD = (
    *("cart_id", "user_id", "account_id", "webstore_id", "status", "currency", "pricing_pending"),
    *("seen_at", "changed_at"),
)


class CartRepository:
    """Reads and writes the mirror within the unit's transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, cart_id: str) -> CartRecord | None:
        """Return what is known of a cart, or None."""
        found = await self._records(sa.select(cart_mirrors).where(cart_mirrors.c.cart_id == cart_id))
        return found[0] if found else None

    async def accounts_of(self, cart_ids: Sequence[str]) -> dict[str, str]:
        """Return the accounts of some carts, by the carts' ids; unknown ones are left out."""
        columns = cart_mirrors.c
        return await by_ids(self._connection, columns.cart_id, columns.account_id, cart_ids)

    async def of_user(self, user_id: str) -> list[CartRecord]:
        """Return what is known of a user's carts, last seen first."""
        query = sa.select(cart_mirrors).where(cart_mirrors.c.user_id == user_id)
        return await self._records(query.order_by(cart_mirrors.c.seen_at.desc()))

    async def keep(self, record: CartRecord) -> bool:
        """Write what Salesforce said. False when it said something later already, which then stays.

        A machine and a note that only we know stay with their line.
        """
        columns = cart_mirrors.c
        query = sa.select(cart_mirrors).where(columns.cart_id == record.cart_id).with_for_update()
        found = await self._records(query)
        known = found[0] if found else None
        if known is not None and known.seen_at > record.seen_at:
            return False
        if known is not None:
            record = _with_ours(record, known)
            if record.says_the_same(known):
                record = replace(record, changed_at=known.changed_at)
            await self._connection.execute(
                sa.update(cart_mirrors).where(columns.cart_id == record.cart_id).values(_head(record))
            )
            if record.lines == known.lines:
                return True
            await self._connection.execute(
                sa.delete(cart_mirror_lines).where(cart_mirror_lines.c.cart_id == record.cart_id)
            )
        else:
            await self._connection.execute(sa.insert(cart_mirrors).values(_head(record)))
        if record.lines:
            values = [_line_values(record.cart_id, line) for line in record.lines]
            await self._connection.execute(sa.insert(cart_mirror_lines), values)
        return True

    async def drop(self, cart_ids: Sequence[str]) -> None:
        """Forget carts with their lines."""
        await self._connection.execute(sa.delete(cart_mirrors).where(cart_mirrors.c.cart_id.in_(cart_ids)))

    async def drop_user(self, user_id: str) -> int:
        """Forget all carts of a user; return how many."""
        done = await self._connection.execute(sa.delete(cart_mirrors).where(cart_mirrors.c.user_id == user_id))
        return done.rowcount

    async def drop_strangers(self) -> int:
        """Forget the carts of users who are no longer here; return how many. Users of an external issuer stay."""
        here = sa.select(users.c.id)
        done = await self._connection.execute(
            sa.delete(cart_mirrors).where(
                cart_mirrors.c.user_id.not_in(here), cart_mirrors.c.user_id.not_like("oidc:%")
            )
        )
        return done.rowcount

    async def drop_older(self, before: datetime) -> int:
        """Forget carts that Salesforce was not asked about since an instant; return how many."""
        done = await self._connection.execute(sa.delete(cart_mirrors).where(cart_mirrors.c.seen_at < before))
        return done.rowcount

    async def stale(self, before: datetime, limit: int) -> list[CartRecord]:
        """Return carts that Salesforce was not asked about since an instant, those longest ago first."""
        columns = cart_mirrors.c
        query = sa.select(cart_mirrors).where(columns.seen_at < before).order_by(columns.seen_at).limit(limit)
        return await self._records(query)

    async def _records(self, query: sa.Select[tuple[object, ...]]) -> list[CartRecord]:
        heads = list((await self._connection.execute(query)).mappings())
        if not heads:
            return []
        ids = [head["cart_id"] for head in heads]
        lines: defaultdict[str, list[CartLineRecord]] = defaultdict(list)
        asked = sa.select(cart_mirror_lines).where(cart_mirror_lines.c.cart_id.in_(ids))
        for row in (await self._connection.execute(asked.order_by(cart_mirror_lines.c.item_id))).mappings():
            lines[row["cart_id"]].append(
                CartLineRecord(
                    item_id=row["item_id"],
                    product_id=row["product_id"],
                    sku=row["sku"],
                    quantity=Decimal(row["quantity"]),
                    total_price=_decimal(row["total_price"]),
                    machine_id=row["machine_id"],
                    note=row["note"],
                )
            )
        return [
            CartRecord(
                **{name: head[name] for name in _HEAD},
                grand_total=_decimal(head["grand_total"]),
                lines=tuple(lines[head["cart_id"]]),
            )
            for head in heads
        ]


def _with_ours(record: CartRecord, known: CartRecord) -> CartRecord:
    ours = {line.item_id: line for line in known.lines}
    lines = tuple(
        replace(
            line,
            machine_id=line.machine_id or (ours[line.item_id].machine_id if line.item_id in ours else None),
            note=line.note or (ours[line.item_id].note if line.item_id in ours else None),
        )
        for line in sorted(record.lines, key=lambda line: line.item_id)
    )
    return replace(record, lines=lines)


def _head(record: CartRecord) -> dict[str, object]:
    grand_total = str(record.grand_total) if record.grand_total is not None else None
    return {**{name: getattr(record, name) for name in _HEAD}, "grand_total": grand_total}


def _line_values(cart_id: str, line: CartLineRecord) -> dict[str, object]:
    return {
        "cart_id": cart_id,
        "item_id": line.item_id,
        "product_id": line.product_id,
        "sku": line.sku[:255] if line.sku is not None else None,
        "quantity": str(line.quantity),
        "total_price": str(line.total_price) if line.total_price is not None else None,
        "machine_id": line.machine_id,
        "note": line.note[:255] if line.note is not None else None,
    }


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
