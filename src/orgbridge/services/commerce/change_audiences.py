"""Who is told of what happens to orders, carts and purchase orders: receivers by the rights that their owners have now.

A receiver hears of an organization while its owner is granted that organization, and of what belongs to no organization
only when its owner is granted all. Owners whose policy shows only some rows or fields of an object hear nothing of it:
a message cannot be cut to what a policy leaves.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from orgbridge.orgs.connections import Orgs
from orgbridge.services.commerce.change_events import (
    PURCHASES,
    WATCHED,
    Watched,
    message_id,
    purchase_event,
    purchase_payload,
)
from orgbridge.services.policies.directory import Directory
from orgbridge.services.policies.model import Operation
from orgbridge.services.policies.policy import policy_of
from orgbridge.services.principals import read_principal
from orgbridge.services.scopes import SCOPES, Caller, Grant, Scope
from orgbridge.store.database import Database, Unit
from orgbridge.store.purchase_order_records import PurchaseOrderRecord
from orgbridge.store.purchase_order_states import PurchaseStep
from orgbridge.store.webhook_records import DeliveryRecord, SubscriptionRecord

#: Receivers that are looked at: more than any house has.
MOST_RECEIVERS = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """A receiver of events about one object."""

    subscription: SubscriptionRecord
    #: Organizations that its owner is granted.
    organizations: Grant

    def hears(self, event: str, organization_id: str | None) -> bool:
        """Tell whether it is told of an event about an organization, or about none."""
        # `Everything` holds None too: what belongs to nobody is told to whoever is granted all.
        return event in self.subscription.events and organization_id in self.organizations


class ChangeAudiences:
    """Tells who hears of an object's changes."""

    def __init__(self, database: Database, orgs: Orgs, org: str = "default") -> None:
        self._database = database
        self._directory = Directory(orgs, org)

    async def all(self) -> dict[Watched, list[Audience]]:
        """Return the receivers of each object that has any.

        Raises:
            ClientError: An object could not be described, which only policies need.
        """
        async with self._database.unit(write=False) as unit:
            found = await unit.webhooks.wanting([one.prefix for one in WATCHED], limit=MOST_RECEIVERS)
            owners = await _owners(unit, found)
        audiences: dict[Watched, list[Audience]] = {}
        for watched in WATCHED:
            names = {watched.event(kind) for kind in watched.kinds}
            for subscription in found:
                owner = owners.get(subscription.owner)
                if owner is None or not names & set(subscription.events) or watched.scope not in owner.scopes:
                    continue
                if await self.may_hear(owner, watched):
                    told = Audience(subscription=subscription, organizations=owner.organizations)
                    audiences.setdefault(watched, []).append(told)
        return audiences

    async def may_hear(self, caller: Caller, watched: Watched) -> bool:
        """Tell whether a caller's policy shows all rows of an object with all that is told of them.

        Raises:
            ClientError: The object could not be described.
        """
        policy = policy_of(caller, watched.scope)
        if policy.is_unrestricted:
            return True
        facts = await self._directory.facts(watched.sobject) if policy.grants(watched.sobject) else None
        if facts is None:
            return False
        wanted = {name.lower() for name in watched.fields}
        view = policy.view(facts, frozenset({Operation.QUERY}))
        return any(one.grant.where is None and wanted <= one.rights.plain for one in view.grants)

    async def hidden(self, caller: Caller, events: Iterable[str]) -> list[str]:
        """Return those of some events that the caller's policy lets nobody be told of.

        Raises:
            ClientError: An object could not be described.
        """
        named = list(events)
        found: list[str] = []
        for watched in WATCHED:
            some = [event for event in named if event.startswith(watched.prefix)]
            if some and not await self.may_hear(caller, watched):
                found += some
        return found


async def announce_purchase(unit: Unit, order: PurchaseOrderRecord, step: PurchaseStep | None, now: datetime) -> None:
    """Write the messages about a step of a purchase order, in the transaction of that step.

    Args:
        unit: The step's.
        order: As it is after the step.
        step: None for the making of it.
        now: When the messages are due.
    """
    event = purchase_event(step)
    found = [one for one in await unit.webhooks.wanting([PURCHASES], limit=MOST_RECEIVERS) if event in one.events]
    if not found:
        return
    owners = await _owners(unit, found)
    payload = purchase_payload(order, step)
    await unit.webhooks.add_new_deliveries(
        [
            message(one, payload, now)
            for one in found
            if (owner := owners.get(one.owner)) is not None
            and Scope.ORDERS_READ in owner.scopes
            and order.organization_id in owner.organizations
        ]
    )


def message(subscription: SubscriptionRecord, payload: dict[str, Any], now: datetime) -> DeliveryRecord:
    """Return the message that tells a receiver of an event; the same one however often it is made."""
    return DeliveryRecord(
        id=message_id(str(payload["id"]), subscription.id),
        subscription_id=subscription.id,
        load_id=None,
        event=str(payload["type"]),
        payload=payload,
        next_at=now,
        created_at=now,
    )


async def _owners(unit: Unit, subscriptions: Sequence[SubscriptionRecord]) -> dict[str, Caller]:
    """Return the owners of receivers that may still sign in, by name, with all that they may do."""
    found: dict[str, Caller] = {}
    for name in dict.fromkeys(one.owner for one in subscriptions):
        user = await unit.users.get_by_username(name)
        principal = await read_principal(unit, user.id) if user is not None and not user.disabled else None
        if principal is not None:
            found[name] = principal.caller(frozenset(SCOPES), None)
    return found
