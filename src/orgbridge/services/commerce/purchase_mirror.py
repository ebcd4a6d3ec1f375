"""Salesforce is told of purchase orders: one `Purchase_Order__c` each, upserted by `UUID__c`, so that telling it twice,
after a lost reply or a crash, changes nothing.

The rows are this service's own bookkeeping and written as its integration user, openly: a buyer may be unable to see
the object. `OwnerId` is not set, which would need rights that nobody has to have. Only fields that the org has, and
that may be written, are written.

Source: facts/commerce/orders.md section 5. Assumed: which words of `Approval_Status__c` stand for states that the
public implementation did not have; the org's own list of words decides.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from orgbridge.client.errors import NotFound, SalesforceError
from orgbridge.kit.clock import Clock
from orgbridge.kit.errors import OrgbridgeError
from orgbridge.kit.logs import get_logger
from orgbridge.orgs.connections import FieldMap, Orgs
from orgbridge.services.commerce.purchase_errors import NotInOrg
from orgbridge.store.database import Database
from orgbridge.store.purchase_order_records import MirrorState, PurchaseOrderRecord
from orgbridge.store.purchase_order_states import PurchaseState

PURCHASE_ORDER: Final = "Purchase_Order__c"
_KEY: Final = "UUID__c"
#: Words for each state, the first that the org knows is taken.
_WORDS: Final[Mapping[PurchaseState, tuple[str, ...]]] = {
    PurchaseState.DRAFT: ("Draft", "Approval Pending"),
    PurchaseState.PENDING: ("Approval Pending",),
    PurchaseState.APPROVED: ("Approved",),
    PurchaseState.ORDERING: ("Approved",),
    PurchaseState.ORDERED: ("Ordered", "Approved"),
    PurchaseState.REJECTED: ("Rejected",),
    PurchaseState.CANCELLED: ("Cancelled", "Canceled", "Rejected"),
    PurchaseState.EXPIRED: ("Expired", "Cancelled", "Canceled", "Rejected"),
}
_TASK: Final = "purchase_mirror"
_LEASE: Final = timedelta(minutes=10)
_BATCH: Final = 20
_PAUSES: Final = (2, 10, 60, 300, 900, 3600)
_MAX_REASON_CHARS: Final = 1_000
log = get_logger(__name__)


class PurchaseMirror:
    """Tells Salesforce."""

    def __init__(self, database: Database, orgs: Orgs, clock: Clock, org: str = "default") -> None:
        self._database = database
        self._orgs = orgs
        self._clock = clock
        self._org = org
        self._holder = f"mirror-{secrets.token_hex(8)}"

    async def record_id(self, order: PurchaseOrderRecord) -> str:
        """Return Salesforce's id of an order, telling Salesforce of it first where it does not know yet.

        Raises:
            NotInOrg: The org has no such object, or cannot take the order; nothing was written.
            ClientError: Salesforce refused or could not be reached; it may know the order.
        """
        if order.mirror_record_id is not None:
            return order.mirror_record_id
        record_id = await self._tell(order)
        async with self._database.unit() as unit:
            await unit.purchase_orders.note_record(order.id, record_id)
        return record_id

    async def tell_all(self) -> int:
        """Tell Salesforce of every order that it has not heard the latest of; return of how many.

        One worker of many does this, one order after the other: no older word overtakes a newer one.
        """
        now = self._clock.now()
        async with self._database.unit(write=False) as unit:
            if not await unit.purchase_orders.to_mirror(now, 1):
                return 0
        async with self._database.unit() as unit:
            if not await unit.tasks.take(_TASK, self._holder, now, now + _LEASE):
                return 0
            due = await unit.purchase_orders.to_mirror(now, _BATCH)
        for order in due:
            await self._sync(order)
        return len(due)

    async def _sync(self, order: PurchaseOrderRecord) -> None:
        pause = timedelta(seconds=_PAUSES[min(order.mirror_attempts, len(_PAUSES) - 1)])
        async with self._database.unit() as unit:
            # The next try is set before this one: a crash in between costs a pause and nothing else.
            if not await unit.purchase_orders.begin_mirror(order, self._clock.now() + pause):
                return
        changes: dict[str, Any]
        try:
            record_id = await self._tell(order)
            changes = {"mirror_state": MirrorState.SYNCED.value, "mirror_error": None, "mirror_at": None}
            changes |= {"mirror_record_id": record_id, "mirror_attempts": 0}
        except OrgbridgeError as error:
            changes = {"mirror_error": error.message[:_MAX_REASON_CHARS]}
            if isinstance(error, NotInOrg) or (isinstance(error, SalesforceError) and not error.retryable):
                changes |= {"mirror_state": MirrorState.REFUSED.value, "mirror_at": None}
                log.warning("purchase_order_not_mirrored", order_id=order.id, code=error.code)
        async with self._database.unit() as unit:
            await unit.purchase_orders.end_mirror(order.id, order.version, **changes)

    async def _tell(self, order: PurchaseOrderRecord) -> str:
        connection = self._orgs.get(self._org)
        try:
            fields = await connection.describe(PURCHASE_ORDER)
        except NotFound as error:
            raise NotInOrg(
                f"The org has no object {PURCHASE_ORDER} that the integration user may see: deploy it, with the "
                f"external id {_KEY}, to have purchase orders and their documents at Salesforce."
            ) from error
        key = fields.get(_KEY)
        if key is None or not key.get("externalId"):
            raise NotInOrg(f"{PURCHASE_ORDER}.{_KEY} is no external id in this org: make it one, unique.")
        approver = None
        if order.decided_by:
            async with self._database.unit(write=False) as unit:
                approver = await unit.users.get(order.decided_by)
        values = _values(order, fields, approver.email if approver is not None else None)
        done = await connection.salesforce.records.upsert(PURCHASE_ORDER, _KEY, order.uuid, values)
        return done.id


def _values(order: PurchaseOrderRecord, fields: FieldMap, approver_email: str | None) -> dict[str, Any]:
    """Return what is written, by field."""
    wanted: dict[str, Any] = {
        "Name": order.number,
        "Purchase_Order_Number__c": order.number,
        "Account__c": order.account_id or None,
        "Approver_Email__c": approver_email,
        "Approval_Decision_Date__c": _instant(order.decided_at, fields),
        # 15 digits are exact as a JSON number, which is more than the field holds.
        "Total__c": float(order.total),
    }
    status = fields.get("Approval_Status__c")
    if status is not None:
        wanted["Approval_Status__c"] = _word(order.state, status)
    written = {}
    for name, value in wanted.items():
        described = fields.get(name)
        if described is not None and described.get("createable") and described.get("updateable"):
            length = described.get("length")
            written[name] = value[:length] if isinstance(value, str) and name == "Name" and length else value
    return written


def _word(state: PurchaseState, described: Mapping[str, Any]) -> str:
    known = {str(item["value"]) for item in described.get("picklistValues") or () if item.get("active", True)}
    for word in _WORDS[state]:
        if word in known:
            return word
    if known and described.get("restrictedPicklist"):
        raise NotInOrg(
            f"Approval_Status__c of this org knows none of {', '.join(_WORDS[state])}, which stand for {state.value}: "
            "add one of them to its values."
        )
    return _WORDS[state][0]


def _instant(at: datetime | None, fields: FieldMap) -> str | None:
    if at is None:
        return None
    described = fields.get("Approval_Decision_Date__c") or {}
    return at.date().isoformat() if described.get("type") == "date" else at.strftime("%Y-%m-%dT%H:%M:%S.000Z")
