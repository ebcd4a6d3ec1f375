"""Webhooks: who is told of the ends of loads and of what happens to orders and carts, what became of the messages, and
the dead ones sent again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final, Protocol

from orgbridge.client.webhooks import new_secret
from orgbridge.kit.clock import Clock
from orgbridge.kit.errors import ErrorKind
from orgbridge.kit.identifiers import new_identifier
from orgbridge.kit.receivers import WebhookPolicy
from orgbridge.services.commerce.change_events import PURCHASES, PUSHED_EVENTS
from orgbridge.services.errors import InvalidRequest, LoadNotFound, ServiceError
from orgbridge.services.policies.policy import may_see_job
from orgbridge.services.scopes import Caller, Scope
from orgbridge.store.announcements import EVENTS, TEST_EVENT, delivery_of, messages
from orgbridge.store.database import Database
from orgbridge.store.webhook_records import DeliveryRecord, DeliveryState, SubscriptionRecord

#: What is told to whoever names no event.
LOAD_EVENTS: Final = tuple(EVENTS.values())
#: Events that can be asked for.
KNOWN_EVENTS: Final = (*LOAD_EVENTS, *PUSHED_EVENTS)
_SUBSCRIPTIONS_PER_OWNER: Final = 50

#: The names under which the faces of the house know a receiver and a message.
Webhook = SubscriptionRecord
WebhookMessage = DeliveryRecord


class WebhookNotFound(ServiceError):
    """There is no such webhook or message, or it is somebody else's."""

    code: ClassVar[str] = "webhook.not_found"
    kind: ClassVar[ErrorKind] = ErrorKind.MISSING


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribed:
    """A subscription just made."""

    #: What was made.
    subscription: SubscriptionRecord
    #: What its messages are signed with; told here and never again.
    secret: str = field(repr=False)


class Followers(Protocol):
    """Tells what a caller's policy lets nobody be told of."""

    async def hidden(self, caller: Caller, events: Iterable[str]) -> list[str]:
        """Return those of some events."""
        ...


class WebhookService:
    """Keeps subscriptions and shows the outbox."""

    def __init__(
        self, database: Database, policy: WebhookPolicy, clock: Clock, *, followers: Followers | None = None
    ) -> None:
        """Prepare.

        Args:
            database: Subscriptions and messages.
            policy: Which addresses may be told anything.
            clock: Time.
            followers: None when changes of orders and carts are not followed: then nobody can ask for them.
        """
        self._database = database
        self._policy = policy
        self._clock = clock
        self._followers = followers

    def check(self, url: str) -> None:
        """See that an address may be told anything, as far as that can be told without resolving it.

        Raises:
            WebhookRefused: It may not.
        """
        self._policy.check(url)

    async def subscribe(
        self, caller: Caller, url: str, *, events: Sequence[str] = (), all_loads: bool = False
    ) -> Subscribed:
        """Tell an address of the caller's loads, or of everybody's, and of orders and carts, from now on.

        Args:
            caller: Who asks.
            url: Where messages go.
            events: Which; none means the ends of loads.
            all_loads: Everybody's loads; for administrators.

        Raises:
            ScopeMissing: Everybody's loads are asked for by somebody who is no administrator, or an event by somebody
                who may not see what it is about.
            InvalidRequest: An event is unknown or never told, or the caller has too many webhooks.
            WebhookRefused: The address may not be told anything.
        """
        if all_loads:
            caller.need(Scope.ADMIN)
        self.check(url)
        record = self._record(caller, url, events, all_loads=all_loads)
        await self._check_events(caller, record.events)
        async with self._database.unit() as unit:
            if len(await unit.webhooks.subscriptions(caller.username, limit=_SUBSCRIPTIONS_PER_OWNER)) >= (
                _SUBSCRIPTIONS_PER_OWNER
            ):
                raise InvalidRequest(f"{_SUBSCRIPTIONS_PER_OWNER} webhooks are the most; delete one first.")
            await unit.webhooks.add_subscription(record)
        return Subscribed(subscription=record, secret=record.secret)

    async def notify(self, caller: Caller, load_id: str, url: str) -> Subscribed:
        """Tell an address of the end of one load, also when it has ended by now.

        Raises:
            LoadNotFound: There is no such load, or the caller may not see it.
            WebhookRefused: The address may not be told anything.
        """
        self.check(url)
        record = self._record(caller, url, (), load_id=load_id)
        async with self._database.unit() as unit:
            # Held until this transaction ends: whoever announces the end either sees the subscription or was seen.
            announced = await unit.webhooks.announced(load_id)
            load = await unit.loads.get(load_id)
            if load is None or not may_see_job(caller, load.created_by):
                raise LoadNotFound
            await unit.webhooks.add_subscription(record)
            if announced:
                await unit.webhooks.add_deliveries(messages(load, [record], self._clock.now()))
        return Subscribed(subscription=record, secret=record.secret)

    async def subscriptions(self, caller: Caller) -> list[SubscriptionRecord]:
        """Return the caller's subscriptions, an administrator's view being everybody's."""
        async with self._database.unit(write=False) as unit:
            return await unit.webhooks.subscriptions(None if caller.is_admin else caller.username, limit=500)

    async def unsubscribe(self, caller: Caller, subscription_id: str) -> None:
        """Delete a subscription with its messages.

        Raises:
            WebhookNotFound: There is none, or it is somebody else's.
        """
        async with self._database.unit() as unit:
            self._own(caller, await unit.webhooks.subscription(subscription_id))
            await unit.webhooks.drop_subscription(subscription_id)

    async def test(self, caller: Caller, subscription_id: str) -> DeliveryRecord:
        """Send a message that says nothing, and return it as it stands.

        Raises:
            WebhookNotFound: There is no such subscription, or it is somebody else's.
        """
        now = self._clock.now()
        async with self._database.unit() as unit:
            receiver = self._own(caller, await unit.webhooks.subscription(subscription_id))
            payload = {"type": TEST_EVENT, "timestamp": now.isoformat(), "data": {"webhook_id": receiver.id}}
            delivery = delivery_of(receiver, TEST_EVENT, payload, now, load_id=None)
            await unit.webhooks.add_deliveries([delivery])
        return delivery

    async def deliveries(
        self, caller: Caller, *, state: str | None, subscription_id: str | None, limit: int
    ) -> list[DeliveryRecord]:
        """Return messages, newest first.

        Raises:
            InvalidRequest: There is no such state.
        """
        try:
            chosen = DeliveryState(state) if state else None
        except ValueError:
            raise InvalidRequest(f"The state must be one of {', '.join(DeliveryState)}.") from None
        owner = None if caller.is_admin else caller.username
        async with self._database.unit(write=False) as unit:
            return await unit.webhooks.deliveries(
                owner=owner, state=chosen, subscription_id=subscription_id, limit=limit
            )

    async def resend(self, caller: Caller, delivery_id: str) -> DeliveryRecord:
        """Send a message again, with all its attempts before it; return it as it stands.

        Raises:
            WebhookNotFound: There is no such message, or it is somebody else's.
            InvalidRequest: It is on its way already.
        """
        async with self._database.unit() as unit:
            delivery = await unit.webhooks.delivery(delivery_id)
            if delivery is None:
                raise WebhookNotFound
            self._own(caller, await unit.webhooks.subscription(delivery.subscription_id))
            if delivery.state is DeliveryState.PENDING:
                raise InvalidRequest("The message is on its way already.")
            await unit.webhooks.settle(
                delivery_id, state=DeliveryState.PENDING, attempts=0, next_at=self._clock.now(), ended_at=None
            )
            again = await unit.webhooks.delivery(delivery_id)
        assert again is not None, "it was there in this transaction"
        return again

    async def _check_events(self, caller: Caller, events: Sequence[str]) -> None:
        for scope in dict.fromkeys(PUSHED_EVENTS.get(event, Scope.BULK_WRITE) for event in events):
            caller.need(scope)
        pushed = [event for event in events if event in PUSHED_EVENTS]
        if not pushed:
            return
        followed = [event for event in pushed if not event.startswith(PURCHASES)]
        if followed and self._followers is None:
            raise InvalidRequest(f"{followed[0]} is never told: ORGBRIDGE_CHANGES_SECONDS is 0.")
        async with self._database.unit(write=False) as unit:
            if await unit.users.get_by_username(caller.username) is None:
                raise InvalidRequest(f"{pushed[0]} is told to users of this service only: their grants are looked at.")
        hidden = await self._followers.hidden(caller, followed) if self._followers is not None else []
        if hidden:
            raise InvalidRequest(f"{hidden[0]} is not told to you: your role shows only some rows or fields of these.")

    def _own(self, caller: Caller, subscription: SubscriptionRecord | None) -> SubscriptionRecord:
        if subscription is None or not (caller.is_admin or subscription.owner == caller.username):
            raise WebhookNotFound
        return subscription

    def _record(
        self,
        caller: Caller,
        url: str,
        events: Sequence[str],
        *,
        load_id: str | None = None,
        all_loads: bool = False,
    ) -> SubscriptionRecord:
        unknown = [event for event in events if event not in KNOWN_EVENTS]
        if unknown:
            raise InvalidRequest(f"There is no event {unknown[0]!r}; there are {', '.join(KNOWN_EVENTS)}.")
        now = self._clock.now()
        return SubscriptionRecord(
            id=new_identifier("hook", now),
            owner=caller.username,
            url=url,
            secret=new_secret(),
            events=tuple(dict.fromkeys(events)) or LOAD_EVENTS,
            load_id=load_id,
            all_loads=all_loads,
            created_at=now,
        )
