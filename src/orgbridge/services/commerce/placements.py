"""Carts ordered: the wish is one row, a worker carries it out, and the caller waits for a while.

Laws:
1. What is asked for is in the store before anybody is told so; from then on it ends, whatever dies.
2. The same Idempotency-Key of a caller is the same placement, however often, whenever and wherever it is sent: the
   store's unique key decides. It outlives the service, unlike a reply that is being waited for.
3. A cart has one placement that may come to an order: the store's unique claim decides. Whoever repeats an order
   without a key is told what became of the first.
4. A caller orders as the caller's own Salesforce user, for an account that the caller is granted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from orgbridge.client import Store
from orgbridge.client.errors import NotFound, UnknownWebstore
from orgbridge.kit.clock import Clock
from orgbridge.kit.identifiers import new_identifier
from orgbridge.kit.json import JSON, dumps_sorted
from orgbridge.kit.notes import note
from orgbridge.services.commerce.accounts import AccountService
from orgbridge.services.commerce.cards import card_place
from orgbridge.services.commerce.order_errors import (
    CardRefused,
    CartClaimed,
    CartMissing,
    KeyNeeded,
    NotUndecided,
    PaymentMissing,
    PlacementMissing,
    TooLate,
    failure_of,
)
from orgbridge.services.commerce.order_rights import OrderRights
from orgbridge.services.commerce.refusals import refusals_told
from orgbridge.services.commerce.shops import Shops
from orgbridge.services.errors import InvalidRequest
from orgbridge.services.idempotency import KeyReused, check_key
from orgbridge.services.scopes import Caller
from orgbridge.store.database import Database
from orgbridge.store.errors import NameTaken
from orgbridge.store.order_records import PlacementRecord, PlacementState, PlacementWay
from orgbridge.wire.ids import to_18

_CART_PREFIX, _ORDER_PREFIX = "0a6", "801"
#: Pauses between two looks at a placement that is waited for.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 0.4
_LISTED = 100
#: Facts that are told as warnings.
_WARNINGS = ("cart_left_open", "cart_not_given_back", "taken_back")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacementConfig:
    """How placements are waited for."""

    #: Seconds that a caller waits for the outcome who does not say.
    wait_seconds: float = 10.0
    #: Most seconds that a caller may wait.
    longest_wait_seconds: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a caller wants ordered."""

    #: The cart; None for the buyer's own current one.
    cart_id: str | None = None
    #: Our organization; None to tell it.
    organization_id: str | None = None
    #: The account that is bought for; None to tell it.
    account_id: str | None = None
    #: The store; None to tell it.
    webstore_id: str | None = None
    #: A number of the caller's own purchase order, on the order.
    po_number: str | None = None
    #: A gateway's reference of an authorised payment.
    payment_token: str | None = field(default=None, repr=False)
    #: What the gateway adds to it.
    payment_data: Mapping[str, JSON] | None = field(default=None, repr=False)
    #: Street, city, postalCode, region, country, name; or `id` of an address book's entry.
    delivery_address: Mapping[str, JSON] | None = None
    #: The same, without `id`.
    billing_address: Mapping[str, JSON] | None = None
    #: Id or name of a way of delivery.
    delivery_method: str | None = None
    #: Day or instant.
    desired_delivery_date: str | None = None
    #: For the carrier.
    shipping_instructions: str | None = None
    #: Whom to ask: email, firstName, lastName, phoneNumber.
    contact: Mapping[str, JSON] | None = None
    #: Seconds to wait for the outcome; None as configured.
    wait_seconds: float | None = None
    #: Id of the request, for the audit of what comes of it. No part of what is wanted.
    request_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A placement as its caller sees it."""

    #: JSON-ready; see `portrait`.
    portrait: dict[str, JSON]
    #: Its id.
    placement_id: str
    #: True when the order is there.
    is_placed: bool
    #: True when it was asked for before.
    is_replay: bool


class PlacementService:
    """Takes in what is to be ordered and tells what became of it."""

    def __init__(
        self,
        database: Database,
        accounts: AccountService,
        shops: Shops,
        rights: OrderRights,
        clock: Clock,
        config: PlacementConfig | None = None,
    ) -> None:
        self._database = database
        self._accounts = accounts
        self._shops = shops
        self._rights = rights
        self._clock = clock
        self._config = config or PlacementConfig()

    async def checkout(self, caller: Caller, wish: Wish, keys: list[str]) -> Placed:
        """Order a cart through a checkout of the store.

        Args:
            caller: Who orders.
            wish: What.
            keys: Values of the header Idempotency-Key.

        Raises:
            KeyNeeded: There is no key.
            PaymentMissing: There is no payment, or there are two.
            OrderError: It is refused, or came to no order; see `_ask`.
        """
        if not keys:
            raise KeyNeeded
        if (wish.po_number is None) == (wish.payment_token is None):
            raise PaymentMissing("A checkout takes one payment: po_number, or payment_token of a gateway.")
        return await self._ask(caller, PlacementWay.CHECKOUT, wish, check_key(keys))

    async def place_order(self, caller: Caller, wish: Wish, keys: list[str]) -> Placed:
        """Order a cart by the Place Order API: one order per price book, and the cart closed.

        Args:
            caller: Who orders.
            wish: What; payment and way of delivery belong to a checkout.
            keys: Values of the header Idempotency-Key; without one the cart itself is the key.

        Raises:
            OrderError: It is refused, or came to no order; see `_ask`.
        """
        if wish.payment_token is not None:
            raise InvalidRequest("payment_token belongs to a checkout: POST /carts/me/checkout.")
        return await self._ask(caller, PlacementWay.PLACE_ORDER, wish, check_key(keys) if keys else None)

    async def status(self, caller: Caller, placement_id: str) -> Placed:
        """Return a placement as it stands.

        Raises:
            PlacementMissing: There is none, or it is somebody else's.
        """
        return _told(await self._own(caller, placement_id), is_replay=False)

    async def listed(self, caller: Caller) -> list[dict[str, JSON]]:
        """Return the caller's placements, the newest hundred of them."""
        async with self._database.unit(write=False) as unit:
            return [portrait(one) for one in await unit.placements.of_caller(caller.user_id, limit=_LISTED)]

    async def cancel(self, caller: Caller, placement_id: str) -> Placed:
        """Ask to call a placement off, and return it as it stands; a worker gives the cart back.

        Raises:
            PlacementMissing: There is none, or it is somebody else's.
            TooLate: What makes the order may have been sent, or it has ended.
        """
        record = await self._own(caller, placement_id)
        if record.state is PlacementState.CANCELLED:
            return _told(record, is_replay=True)
        async with self._database.unit() as unit:
            asked = await unit.placements.ask_to_cancel(placement_id)
        if not asked:
            now = await self._own(caller, placement_id)
            raise TooLate(f"It is {now.state.value}: it can no longer be called off.")
        return _told(await self._own(caller, placement_id), is_replay=False)

    async def look(self, caller: Caller, placement_id: str) -> Placed:
        """Have a placement looked at whose outcome is unknown, and return what is known after that. Nothing is sent.

        Raises:
            PlacementMissing: There is none, or it is somebody else's.
        """
        record = await self._own(caller, placement_id)
        seen = record.facts.get("looks", 0)
        if record.state is not PlacementState.UNKNOWN:
            return _told(record, is_replay=False)
        async with self._database.unit() as unit:
            await unit.placements.ask_to_look(placement_id, self._clock.now())
        until, pause = self._clock.monotonic() + self._config.wait_seconds, _FIRST_PAUSE
        while self._clock.monotonic() < until:
            record = await self._own(caller, placement_id)
            decided = record.state.ended and record.state is not PlacementState.UNKNOWN
            if decided or (record.state is PlacementState.UNKNOWN and record.facts.get("looks", 0) != seen):
                break
            await self._clock.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE)
        return _told(record, is_replay=False)

    async def settle(self, caller: Caller, placement_id: str, *, is_placed: bool, order_id: str | None) -> Placed:
        """Decide by an operator's word what nobody else can: whether an order is there. The cart is free if it is not.

        Args:
            caller: An administrator, who has looked into Salesforce.
            placement_id: Which; it must be unknown, or partly placed.
            is_placed: Whether there is an order, or orders, that stay.
            order_id: The order that is there.

        Raises:
            PlacementMissing: There is none.
            NotUndecided: Its outcome is known, or is being found now.
        """
        record = await self._own(caller, placement_id)
        if order_id is not None and (not is_placed or (to_18(order_id) or "")[:3] != _ORDER_PREFIX):
            raise InvalidRequest("order_id is the id (801…) of the order that is there; it goes with `placed` only.")
        now = self._clock.now()
        step = {"event": "settled", "from": record.state.value, "at": now.isoformat(), "by": caller.username}
        changes: dict[str, Any] = {
            "steps": (*record.steps, step),
            "facts": {**record.facts, "settled_by": caller.username},
            "look_at": None,
            "waiting": None,
            "audited_at": None,
            "ended_at": now,
        }
        if is_placed:
            found = to_18(order_id) if order_id else None
            changes |= {"state": PlacementState.PLACED, "error": None, "order_id": found or record.order_id}
        else:
            error = {"code": "order.refused", "message": "An operator has looked: no order came of it.", "details": []}
            changes |= {"state": PlacementState.FAILED, "error": error, "claim": None}
            changes |= {"order_id": None, "order_reference": None}
        written = False
        if record.state in (PlacementState.UNKNOWN, PlacementState.PARTIAL):
            async with self._database.unit() as unit:
                written = await unit.placements.move(record.id, record.revision, now=now, **changes)
        if not written:
            raise NotUndecided(
                f"It is {(await self._own(caller, placement_id)).state.value}: nothing is left to decide."
            )
        note(ids=[record.id, record.cart_id], settled_as="placed" if is_placed else "not_placed")
        return _told(await self._own(caller, placement_id), is_replay=False)

    async def _ask(self, caller: Caller, way: PlacementWay, wish: Wish, key: str | None) -> Placed:
        """Write a placement down, unless it is there, and wait for its outcome.

        Raises:
            CardRefused: The request holds a card's number. Nothing was kept.
            KeyReused: The key came with another request before.
            CartMissing: There is no such cart.
            CartClaimed: The cart is being ordered by another call, or was.
            PlacementFailed: It ended without an order, or nobody can tell.
            PolicyError: The caller's roles do not let it order.
        """
        request = _request(wish)
        place = card_place(request)
        if place is not None:
            raise CardRefused(details=[{"field": place, "message": "looks like a payment card's number or code"}])
        print_ = _fingerprint(way, wish, request)
        key_id = hashlib.sha256(f"{caller.user_id}\n{key}".encode()).hexdigest() if key else None
        if key_id is not None and (held := await self._by_key(key_id)) is not None:
            return await self._again(held, print_, wish)
        buyer = await self._accounts.resolve(caller, wish.organization_id, wish.account_id)
        await self._rights.place(caller)
        store = await self._shops.store(caller, buyer.account_id, wish.webstore_id)
        cart_id = await self._named(store, _cart_id(wish.cart_id)) if wish.cart_id else await self._current(store)
        now = self._clock.now()
        record = PlacementRecord(
            id=new_identifier("chk", now),
            caller_id=caller.user_id,
            caller_name=caller.username,
            organization_id=buyer.organization_id,
            account_id=buyer.account_id,
            sf_username=caller.sf_username,
            webstore_id=store.context.webstore_id,
            cart_id=cart_id,
            claim=cart_id,
            way=way,
            marker=str(uuid4()),
            key_id=key_id,
            fingerprint=print_,
            request_id=wish.request_id,
            request={**request, "effective_on": now.date().isoformat()},
            created_at=now,
            updated_at=now,
        )
        note(ids=[record.id, cart_id])
        try:
            async with self._database.unit() as unit:
                await unit.placements.add(record)
        except NameTaken:
            return await self._taken(caller, record, print_, wish)
        return await self._outcome(record.id, wish, is_replay=False)

    async def _taken(self, caller: Caller, record: PlacementRecord, print_: str, wish: Wish) -> Placed:
        if record.key_id is not None and (held := await self._by_key(record.key_id)) is not None:
            return await self._again(held, print_, wish)
        async with self._database.unit(write=False) as unit:
            other = await unit.placements.by_claim(record.cart_id)
        if other is None or other.caller_id != caller.user_id:
            raise CartClaimed
        if record.key_id is None and other.way is record.way:
            return await self._outcome(other.id, wish, is_replay=True)
        raise CartClaimed(
            f"The cart {record.cart_id} is {other.state.value}, by {other.id}: a cart becomes one order.",
            details=[{"checkout_id": other.id, "state": other.state.value}],
        )

    async def _again(self, held: PlacementRecord, print_: str, wish: Wish) -> Placed:
        if held.fingerprint != print_:
            raise KeyReused
        return await self._outcome(held.id, wish, is_replay=True)

    async def awaited(self, placement_id: str, wait_seconds: float | None = None) -> PlacementRecord:
        """Return a placement once it has ended, or as it stands when it was waited for long enough.

        Args:
            placement_id: Which; it exists.
            wait_seconds: How long; None as configured.

        Raises:
            StoreUnavailable: The database does not answer.
        """
        config = self._config
        wanted = config.wait_seconds if wait_seconds is None else wait_seconds
        until = self._clock.monotonic() + min(max(wanted, 0.0), config.longest_wait_seconds)
        pause = _FIRST_PAUSE
        while True:
            async with self._database.unit(write=False) as unit:
                record = await unit.placements.get(placement_id)
            assert record is not None, "placements are never deleted while they are waited for"
            left = until - self._clock.monotonic()
            if record.state.ended or left <= 0:
                return record
            await self._clock.sleep(min(pause, left))
            pause = min(pause * 1.5, _LONGEST_PAUSE)

    async def _outcome(self, placement_id: str, wish: Wish, *, is_replay: bool) -> Placed:
        record = await self.awaited(placement_id, wish.wait_seconds)
        if record.state.ended and record.state is not PlacementState.PLACED:
            raise failure_of(record.id, record.error)
        return _told(record, is_replay=is_replay)

    async def _current(self, store: Store) -> str:
        with refusals_told():
            cart = await store.carts.find()
        if cart is None:
            raise CartMissing("You have no active cart in this store for this account.")
        return _cart_id(cart.cart_id)

    async def _named(self, store: Store, cart_id: str) -> str:
        """See that a cart is the buyer's, so that nobody claims another's; one that is claimed is told by its claim."""
        async with self._database.unit(write=False) as unit:
            if await unit.placements.by_claim(cart_id) is not None:
                return cart_id
        with refusals_told():
            try:
                cart = await store.carts.find(cart_id)
            except UnknownWebstore:
                raise
            except NotFound:
                cart = None
        if cart is None:
            raise CartMissing
        return cart_id

    async def _by_key(self, key_id: str) -> PlacementRecord | None:
        async with self._database.unit(write=False) as unit:
            return await unit.placements.by_key(key_id)

    async def _own(self, caller: Caller, placement_id: str) -> PlacementRecord:
        async with self._database.unit(write=False) as unit:
            record = await unit.placements.get(placement_id)
        if record is None or not (caller.is_admin or record.caller_id == caller.user_id):
            raise PlacementMissing
        return record


def portrait(record: PlacementRecord) -> dict[str, JSON]:
    """Return a placement as callers see it; never a payment's reference."""
    orders: list[dict[str, JSON]] = [
        {
            "order_id": one.get("order_id"),
            "pricebook_id": one["pricebook_id"],
            "marker": one["marker"],
            "lines": len(one["lines"]),
            "taken_back": bool(one.get("undone")),
        }
        for one in record.facts.get("orders") or ()
    ]
    if not orders and record.order_id is not None:
        orders = [{"order_id": record.order_id, "order_reference_number": record.order_reference}]
    warnings = [str(record.facts[name]) for name in _WARNINGS if name in record.facts]
    return {
        "id": record.id,
        "way": record.way.value,
        "state": record.state.value,
        "status": _status(record.state),
        "cart_id": record.cart_id,
        "account_id": record.account_id,
        "organization_id": record.organization_id,
        "webstore_id": record.webstore_id,
        "order_id": record.order_id,
        "order_reference_number": record.order_reference,
        "orders": list(orders),
        "po_number": record.request.get("po_number"),
        "delivery_method_id": record.facts.get("delivery_method_id"),
        "cart_total": record.facts.get("cart_total"),
        "currency": record.facts.get("currency"),
        "error": record.error,
        "waiting": record.waiting if not record.state.ended or record.state is PlacementState.UNKNOWN else None,
        "warnings": list(warnings),
        "can_cancel": record.state.cancellable and not record.cancel_requested,
        "cancel_requested": record.cancel_requested,
        "looks": int(record.facts.get("looks", 0)),
        "next_look_at": record.look_at.isoformat() if record.look_at is not None else None,
        "steps": [{"event": one["event"], "at": one["at"]} for one in record.steps],
        "created_at": record.created_at.isoformat(),
        "updated_at": record.updated_at.isoformat(),
        "ended_at": record.ended_at.isoformat() if record.ended_at is not None else None,
    }


def _status(state: PlacementState) -> str:
    return state.value if state.ended else "processing"


def _told(record: PlacementRecord, *, is_replay: bool) -> Placed:
    return Placed(
        portrait=portrait(record),
        placement_id=record.id,
        is_placed=record.state is PlacementState.PLACED,
        is_replay=is_replay,
    )


def _request(wish: Wish) -> dict[str, Any]:
    payment: dict[str, JSON] | None = None
    if wish.payment_token is not None:
        payment = {"kind": "PostAuth", "token": wish.payment_token, "data": dict(wish.payment_data or {})}
    elif wish.po_number is not None:
        payment = {"kind": "SimplePurchaseOrder", "token": wish.po_number}
    request: dict[str, Any] = {
        "payment": payment,
        "po_number": wish.po_number,
        "delivery_address": dict(wish.delivery_address) if wish.delivery_address else None,
        "billing_address": dict(wish.billing_address) if wish.billing_address else None,
        "delivery_method": wish.delivery_method,
        "desired_delivery_date": wish.desired_delivery_date,
        "shipping_instructions": wish.shipping_instructions,
        "contact": dict(wish.contact) if wish.contact else None,
    }
    return {name: value for name, value in request.items() if value is not None}


def _fingerprint(way: PlacementWay, wish: Wish, request: Mapping[str, Any]) -> str:
    asked = [way.value, wish.cart_id, wish.organization_id, wish.account_id, wish.webstore_id, dict(request)]
    return hashlib.sha256(dumps_sorted(asked).encode()).hexdigest()


def _cart_id(text: str) -> str:
    found = to_18(text)
    if found is None or not found.startswith(_CART_PREFIX):
        raise InvalidRequest("cart_id is no Salesforce id of a WebCart: they have 15 or 18 characters from 0a6 on.")
    return found
