"""Approved purchase orders placed by the Place Order API, each as a placement of its own.

Laws:
1. The placement's key is made of the purchase order's `uuid` and the number of the try, so that whoever goes on, as
   whichever caller, finds what was begun: the store's unique key decides. A further try is begun only after the one
   before it ended, and ended without an order.
2. What was approved goes with the placement, and the worker compares it with the cart right before it orders: products,
   quantities, prices, currency.
3. One made of a cart is that cart ordered, by the person whose cart it is. One made of lines is put into a cart of its
   own, which is the orderer's further one and named after it; nothing else is ever in it.
4. Orders name their `Purchase_Order__c`: an org that has none is told so, and nothing is ordered.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any, Final

from orgbridge.kit.clock import Clock
from orgbridge.kit.errors import OrgbridgeError
from orgbridge.kit.identifiers import new_identifier
from orgbridge.kit.notes import note
from orgbridge.orgs.connections import Orgs
from orgbridge.services.commerce.cart_batches import CartBatchService
from orgbridge.services.commerce.cart_desks import CartDesks, Desk, Whose
from orgbridge.services.commerce.cart_rights import CartSight, FieldSight
from orgbridge.services.commerce.order_errors import CartChanged, CartClaimed, failure_of
from orgbridge.services.commerce.order_rights import ORDER, OrderRights
from orgbridge.services.commerce.placements import PlacementService
from orgbridge.services.commerce.purchase_errors import NotTheRequester, OrderUnderWay
from orgbridge.services.commerce.purchase_mirror import PURCHASE_ORDER, PurchaseMirror
from orgbridge.services.commerce.purchase_ports import Placed, PlacementRefused
from orgbridge.services.commerce.purchase_tries import NOTHING_ORDERED, key_of, latest_try, made_by, marker_of
from orgbridge.services.commerce.quick_orders import QuickLine
from orgbridge.services.commerce.refusals import refusals_told
from orgbridge.services.scopes import Caller
from orgbridge.soql import bind
from orgbridge.store.database import Database
from orgbridge.store.errors import NameTaken
from orgbridge.store.order_records import PlacementRecord, PlacementState, PlacementWay
from orgbridge.store.purchase_order_records import PurchaseLine, PurchaseOrderRecord

#: Seconds after which is asked again what came of a placement.
_AGAIN_SECONDS: Final = 2.0
_EVERYTHING: Final = CartSight(cart=FieldSight(), line=FieldSight())


class PurchasePlacements:
    """Orders what was approved."""

    def __init__(
        self,
        database: Database,
        orgs: Orgs,
        clock: Clock,
        *,
        placements: PlacementService,
        rights: OrderRights,
        desks: CartDesks,
        batches: CartBatchService,
        mirror: PurchaseMirror,
    ) -> None:
        self._database = database
        self._orgs = orgs
        self._clock = clock
        self._placements = placements
        self._rights = rights
        self._desks = desks
        self._batches = batches
        self._mirror = mirror

    async def place(self, caller: Caller, purchase: PurchaseOrderRecord) -> Placed:
        """Order what was approved, once, and wait for it.

        Raises:
            PlacementRefused: Nothing was ordered.
            OrderUnderWay: The worker is at it: the same call later tells what came of it.
            PlacementFailed: Some orders of several are there, or nobody can tell whether there is one.
            StoreUnavailable: The database does not answer: the same call goes on from there.
        """
        async with self._database.unit(write=False) as unit:
            last = await latest_try(unit, purchase)
        record = last.record
        if record is None or last.is_over:
            record = await self._begun(caller, purchase, last.number if record is None else last.number + 1)
        record = await self._placements.awaited(record.id)
        if not record.state.ended:
            raise OrderUnderWay(_AGAIN_SECONDS)
        if record.state is PlacementState.PLACED:
            return Placed(order_ids=made_by(record))
        failure = failure_of(record.id, record.error)
        if record.state not in NOTHING_ORDERED:
            raise failure
        if purchase.cart_id is None:
            with contextlib.suppress(OrgbridgeError):
                await self._cleared(await self._desk(caller, purchase), purchase)
        if isinstance(failure, CartChanged):
            places = {line.sku: place for place, line in reversed(list(enumerate(purchase.lines))) if line.sku}
            findings = [dict(one) for one in failure.details if "checkout_id" not in one]
            raise PlacementRefused([{"line": places.get(one.get("sku", "")), **one} for one in findings])
        raise PlacementRefused([], failure)

    async def _begun(self, caller: Caller, purchase: PurchaseOrderRecord, number: int) -> PlacementRecord:
        try:
            record = await self._prepared(caller, purchase, number)
        except OrgbridgeError as error:
            # No placement was written, and those before it ended without an order.
            raise PlacementRefused([], error) from error
        try:
            async with self._database.unit() as unit:
                # A process that stood still until somebody else took the purchase order over begins nothing any more.
                if not await unit.purchase_orders.hold(purchase.id, purchase.version):
                    raise OrderUnderWay(_AGAIN_SECONDS)
                await unit.placements.add(record)
        except OrderUnderWay:
            await self._dropped(caller, purchase, record)
            raise
        except NameTaken:
            async with self._database.unit(write=False) as unit:
                other = await unit.placements.by_key(str(record.key_id))
            if other is None:
                raise PlacementRefused([], CartClaimed()) from None
            # Whoever had this order in hand before began the same try.
            await self._dropped(caller, purchase, record)
            return other
        return record

    async def _dropped(self, caller: Caller, purchase: PurchaseOrderRecord, record: PlacementRecord) -> None:
        """Delete the cart that was filled for a placement that is not begun."""
        if purchase.cart_id is None:
            with contextlib.suppress(OrgbridgeError):
                await (await self._desk(caller, purchase)).store.carts.delete(record.cart_id)

    async def _prepared(self, caller: Caller, purchase: PurchaseOrderRecord, number: int) -> PlacementRecord:
        """Return the placement to be begun, its cart filled."""
        if purchase.cart_id is not None and purchase.requester_id != caller.user_id:
            raise NotTheRequester(
                "The purchase order is made of its requester's cart, which nobody else can order. Nothing was ordered."
            )
        await self._rights.place(caller)
        desk = await self._desk(caller, purchase)
        mirrored = await self._mirror.record_id(purchase)
        fields = await self._fields(caller, purchase, mirrored)
        if purchase.cart_id is not None:
            cart_id, products = purchase.cart_id, [line.product_id for line in purchase.lines]
        else:
            cart_id, products = await self._filled(desk, purchase)
        now = self._clock.now()
        record_id = new_identifier("chk", now)
        note(ids=[record_id, cart_id])
        return PlacementRecord(
            id=record_id,
            caller_id=caller.user_id,
            caller_name=caller.username,
            organization_id=purchase.organization_id,
            account_id=purchase.account_id,
            sf_username=caller.sf_username,
            webstore_id=desk.store.context.webstore_id,
            cart_id=cart_id,
            claim=cart_id,
            way=PlacementWay.PLACE_ORDER,
            marker=marker_of(purchase, number),
            key_id=key_of(purchase, number),
            request={
                "po_number": purchase.number,
                "purchase_order_id": purchase.id,
                "fields": fields,
                "approved": _approved(purchase, products),
                "effective_on": now.date().isoformat(),
            },
            created_at=now,
            updated_at=now,
        )

    async def _desk(self, caller: Caller, purchase: PurchaseOrderRecord) -> Desk:
        whose = Whose(account_id=purchase.account_id, organization_id=purchase.organization_id)
        return await self._desks.open(caller, whose)

    async def _fields(self, caller: Caller, purchase: PurchaseOrderRecord, mirrored: str) -> dict[str, Any]:
        """Return what our orders say besides, as far as the buyer may write it."""
        salesforce = await self._orgs.buyer(caller.sf_username)
        described: Mapping[str, Any] = await salesforce.describe.sobject(ORDER)
        writable = {str(one["name"]) for one in described.get("fields", ()) if one.get("createable")}
        wanted = {PURCHASE_ORDER: mirrored, "Urgent__c": purchase.urgent}
        return {name: value for name, value in wanted.items() if name in writable}

    async def _filled(self, desk: Desk, purchase: PurchaseOrderRecord) -> tuple[str, list[str]]:
        """Make the cart of a purchase order's lines anew, and return it with the lines' products.

        Raises:
            PlacementRefused: A line cannot be bought; there is no such cart any more.
        """
        await self._cleared(desk, purchase)
        with refusals_told():
            cart = await desk.store.carts.create(name=_name(purchase), is_secondary=True)
        lines = [_quick(number, line) for number, line in enumerate(purchase.lines, 1)]
        told = await self._batches.add_at(desk, lines, _EVERYTHING, cart=cart)
        results: Any = told["results"]
        findings = [
            {"line": one["line"] - 1, "sku": one["sku"], "code": one["outcome"], "message": one["message"]}
            for one in results
            if not one["success"]
        ]
        if findings:
            await self._cleared(desk, purchase)
            raise PlacementRefused(findings)
        return cart.cart_id, [str(one["productId"]) for one in results]

    async def _cleared(self, desk: Desk, purchase: PurchaseOrderRecord) -> None:
        """Delete carts of earlier tries. One that stays is no order, and is tried again with the next."""
        soql = bind(
            "SELECT Id FROM WebCart WHERE Name = :name AND AccountId = :account AND Status = 'Active' LIMIT 50",
            {"name": _name(purchase), "account": purchase.account_id},
        )
        with contextlib.suppress(OrgbridgeError):
            for row in (await self._orgs.get().salesforce.query.page(soql)).records:
                with contextlib.suppress(OrgbridgeError):
                    await desk.store.carts.delete(str(row["Id"]))


def _approved(purchase: PurchaseOrderRecord, products: list[str]) -> dict[str, Any]:
    return {
        "currency": purchase.currency,
        # Lines are approved at their prices, before taxes and delivery; a cart with all that it costs.
        "total": str(purchase.total) if purchase.cart_id is not None else None,
        "lines": [
            [product, line.sku, str(line.quantity), str(line.unit_price)]
            for product, line in zip(products, purchase.lines, strict=True)
        ],
    }


def _quick(number: int, line: PurchaseLine) -> QuickLine:
    named = {"product_id": line.product_id} if line.product_id else {"sku": line.sku}
    return QuickLine(number=number, quantity=f"{line.quantity:f}", **named)


def _name(purchase: PurchaseOrderRecord) -> str:
    return f"Purchase order {purchase.uuid}"
