"""The mirror of carts: what Salesforce last said, kept beside it. Never the truth, and never in the way of a call.

It tells which machine a line is for where the org has no field for that, what changed since somebody looked, and what a
sweep finds different. A mirror that cannot be written is logged; the next reading mends it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from orgbridge.client.commerce.cart_values import Cart, CartLine
from orgbridge.kit.clock import Clock
from orgbridge.kit.logs import get_logger
from orgbridge.orgs.connections import Orgs
from orgbridge.soql import bind
from orgbridge.store.cart_records import CartLineRecord, CartRecord
from orgbridge.store.database import Database
from orgbridge.store.errors import StoreError
from orgbridge.wire.ids import to_18

#: Carts of one query of the sweep, and of one sweep.
_AT_ONCE, _PER_SWEEP = 50, 1000
#: States in which nothing changes any more.
_OVER = frozenset({"closed", "pendingdelete"})
_CARTS = "SELECT Id, Status, GrandTotalAmount, LastModifiedDate FROM WebCart WHERE Id IN :carts"
_ITEMS = (
    "SELECT Id, CartId, Product2Id, Sku, Quantity, TotalPrice FROM CartItem WHERE CartId IN :carts "
    "AND Type = 'Product' ORDER BY CartId, Id"
)
log = get_logger(__name__)


class CartMirror:
    """Keeps the mirror."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def now(self) -> datetime:
        """Return the instant that a reading begins at."""
        return self._clock.now()

    async def keep(
        self,
        user_id: str,
        account_id: str,
        webstore_id: str,
        cart: Cart,
        lines: Sequence[CartLine],
        *,
        seen_at: datetime,
        pending: bool,
        ours: Mapping[str, tuple[str | None, str | None]] | None = None,
    ) -> None:
        """Write what Salesforce said about a cart, unless it said something later already.

        Args:
            user_id: Ours.
            account_id: For which account.
            webstore_id: In which store.
            cart: Its head.
            lines: All its lines; those that have no id yet are left to the next reading.
            seen_at: When the reading began.
            pending: Salesforce still computed.
            ours: By line: the machine and the note that the caller gave.
        """
        given = ours or {}
        record = CartRecord(
            cart_id=_id(cart.cart_id),
            user_id=user_id,
            account_id=_id(account_id),
            webstore_id=_id(webstore_id),
            status=cart.status[:40],
            currency=cart.currency,
            grand_total=None if pending else cart.grand_total,
            pricing_pending=pending,
            seen_at=seen_at,
            changed_at=seen_at,
            lines=tuple(
                CartLineRecord(
                    item_id=_id(line.item_id),
                    product_id=line.product_id,
                    sku=line.sku,
                    quantity=line.quantity,
                    total_price=None if pending else line.total_price,
                    machine_id=given.get(line.item_id, (None, None))[0],
                    note=given.get(line.item_id, (None, None))[1],
                )
                for line in lines
                if line.item_id is not None and line.is_product
            ),
        )
        await self._write(record)

    async def known(self, cart_id: str) -> CartRecord | None:
        """Return what is known of a cart; None for nothing, and while the store does not answer."""
        try:
            async with self._database.unit(write=False) as unit:
                return await unit.carts.get(_id(cart_id))
        except StoreError as error:
            log.warning("cart_mirror_unread", code=error.code)
            return None

    async def drop(self, cart_id: str) -> None:
        """Forget a cart that is no more."""
        try:
            async with self._database.unit() as unit:
                await unit.carts.drop([_id(cart_id)])
        except StoreError as error:
            log.warning("cart_mirror_behind", code=error.code, cart_id=cart_id)

    async def forget(self, user_id: str) -> int:
        """Forget all that is kept about the carts of a user; return how many they were. Salesforce keeps its own.

        Raises:
            StoreError: The store did not answer; it may be kept still.
        """
        async with self._database.unit() as unit:
            return await unit.carts.drop_user(user_id)

    async def _write(self, record: CartRecord) -> None:
        try:
            async with self._database.unit() as unit:
                if record.status.lower() in _OVER:
                    await unit.carts.drop([record.cart_id])
                else:
                    await unit.carts.keep(record)
        except StoreError as error:
            log.warning("cart_mirror_behind", code=error.code, cart_id=record.cart_id)


class MirrorSweep:
    """Compares what is mirrored and was not looked at for a while with Salesforce, as the integration user."""

    def __init__(
        self,
        database: Database,
        orgs: Orgs,
        clock: Clock,
        *,
        older_than: timedelta = timedelta(minutes=15),
        kept: timedelta = timedelta(days=90),
        org: str = "default",
    ) -> None:
        self._database = database
        self._orgs = orgs
        self._clock = clock
        self._older_than = older_than
        self._kept = kept
        self._org = org

    async def run(self) -> int:
        """Mend the mirror once; return how many carts differed or were gone.

        Carts of users who are no longer here, and those that nobody looked at for months, are forgotten.

        Raises:
            ClientError: Salesforce could not be asked; what was mended before stays so.
            StoreError: The store did not answer.
        """
        async with self._database.unit() as unit:
            await unit.carts.drop_strangers()
            await unit.carts.drop_older(self._clock.now() - self._kept)
        mended = 0
        began = self._clock.now()
        for _ in range(_PER_SWEEP // _AT_ONCE):
            async with self._database.unit(write=False) as unit:
                stale = await unit.carts.stale(began - self._older_than, _AT_ONCE)
            if not stale:
                break
            mended += await self._compare(stale)
        if mended:
            log.info("cart_mirror_mended", carts=mended)
        return mended

    async def _compare(self, stale: Sequence[CartRecord]) -> int:
        seen_at = self._clock.now()
        ids = [record.cart_id for record in stale]
        query = self._orgs.get(self._org).salesforce.query
        heads = {str(row["Id"]): row async for row in query.records(bind(_CARTS, {"carts": tuple(ids)}))}
        items: dict[str, list[CartLineRecord]] = {}
        async for row in query.records(bind(_ITEMS, {"carts": tuple(ids)})):
            items.setdefault(str(row["CartId"]), []).append(_line(row))
        mended = 0
        async with self._database.unit() as unit:
            for record in stale:
                head = heads.get(record.cart_id)
                if head is None or str(head["Status"]).lower() in _OVER:
                    await unit.carts.drop([record.cart_id])
                    mended += 1
                    continue
                fresh = replace(
                    record,
                    status=str(head["Status"]),
                    grand_total=_number(head.get("GrandTotalAmount")),
                    pricing_pending=str(head["Status"]).lower() == "processing",
                    seen_at=seen_at,
                    changed_at=seen_at,
                    lines=tuple(items.get(record.cart_id, ())),
                )
                mended += _differs(fresh, record)
                await unit.carts.keep(fresh)
        return mended


def _differs(fresh: CartRecord, known: CartRecord) -> bool:
    def said(record: CartRecord) -> Any:
        return record.status, {line.item_id: (line.product_id, line.quantity) for line in record.lines}

    return bool(said(fresh) != said(known))


def _line(row: Mapping[str, Any]) -> CartLineRecord:
    return CartLineRecord(
        item_id=str(row["Id"]),
        product_id=row.get("Product2Id"),
        sku=row.get("Sku"),
        quantity=_number(row.get("Quantity")) or Decimal(0),
        total_price=_number(row.get("TotalPrice")),
    )


def _number(value: Any) -> Decimal | None:
    return None if value is None else Decimal(str(value))


def _id(text: str | None) -> str:
    return to_18(text or "") or str(text)
