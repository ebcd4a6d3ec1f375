"""Webhooks on their way: ends of loads become messages in the outbox, and messages go to their receivers.

Laws:
1. Every ended load is announced once: the note that it was, and the messages, are one transaction.
2. A message is taken in hand before it is sent and settled afterwards. A worker that dies in between leaves a message
   that is sent again once its claim has run out: at least once, under the same id each time.
3. A message is given up after the last pause, or at once when the receiver says that it is gone for good; it stays in
   the outbox as dead and can be sent again by hand.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from orgbridge.client.webhooks import WebhookFailed, WebhookSender
from orgbridge.engine.resources import Resources
from orgbridge.kit import traces
from orgbridge.kit.json import dumps
from orgbridge.kit.logs import get_logger
from orgbridge.kit.loops import for_each, outlived
from orgbridge.kit.receivers import WebhookRefused
from orgbridge.store.announcements import messages
from orgbridge.store.webhook_records import DeliveryRecord, DeliveryState

_BATCH: Final = 50
#: Messages on their way at once, so that a slow receiver does not hold up the others.
_AT_ONCE: Final = 10
#: Longer than any one sending may take.
_CLAIM: Final = timedelta(seconds=60)
_GONE: Final = 410
_SEALED: Final = (
    "Its secret lies sealed with a key that this worker does not have: set ORGBRIDGE_SEALING_KEY to that key."
)
_log = get_logger(__name__)


class Notifier:
    """Announces and delivers, beside the worker's other tasks. Many workers may do so at once."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._config = resources.config
        self._database = resources.database
        self._clock = resources.clock
        self._sender = WebhookSender(resources.config.webhooks)

    async def run(self) -> None:
        """Announce and deliver until cancelled."""
        try:
            while True:
                busy = 0
                with outlived(_log, "engine.notify_failed"):
                    busy = await self.announce() + await self.deliver()
                if busy < _BATCH:
                    await self._clock.sleep(self._config.notify_seconds)
        finally:
            await self._sender.close()

    async def announce(self) -> int:
        """Write the messages of loads that have ended; return how many loads."""
        async with self._database.unit(write=False) as unit:
            ended = await unit.webhooks.unannounced(_BATCH)
        for load_id in ended:
            now = self._clock.now()
            async with self._database.unit() as unit:
                if not await unit.webhooks.announce(load_id, now):
                    continue
                load = await unit.loads.get(load_id)
                if load is not None:
                    await unit.webhooks.add_deliveries(messages(load, await unit.webhooks.interested(load), now))
        return len(ended)

    async def deliver(self) -> int:
        """Send what is due; return how many messages."""
        async with self._database.unit(write=False) as unit:
            due = await unit.webhooks.due(self._clock.now(), _BATCH)
        await for_each(due, self._send, at_once=_AT_ONCE)
        return len(due)

    async def _send(self, delivery: DeliveryRecord) -> None:
        now = self._clock.now()
        async with self._database.unit() as unit:
            receiver = await unit.webhooks.subscription(delivery.subscription_id)
            if receiver is None or not await unit.webhooks.claim(delivery, now, now + _CLAIM):
                return
        if not receiver.secret:
            await self._settle(delivery, None, _SEALED)
            return
        status: int | None = None
        told = {"orgbridge.delivery_id": delivery.id, "orgbridge.load_id": delivery.load_id or ""}
        trace = await self._resources.traces.get(delivery.load_id) if delivery.load_id is not None else None
        try:
            with traces.span("webhook", told, trace):
                status = await self._sender.send(
                    url=receiver.url,
                    secret=receiver.secret,
                    message_id=delivery.id,
                    now=now,
                    event=delivery.event,
                    body=dumps(delivery.payload),
                )
            trouble = None if 200 <= status < 300 else f"The receiver answered {status}."
        except (WebhookRefused, WebhookFailed) as error:
            trouble = error.message
        await self._settle(delivery, status, trouble)

    async def _settle(self, delivery: DeliveryRecord, status: int | None, trouble: str | None) -> None:
        now = self._clock.now()
        pauses = self._config.webhook_pauses
        if trouble is None:
            changes = {"state": DeliveryState.DELIVERED, "ended_at": now}
        elif status == _GONE or delivery.attempts >= len(pauses):
            changes = {"state": DeliveryState.DEAD, "ended_at": now}
            _log.warning("engine.webhook_dead", delivery_id=delivery.id, attempts=delivery.attempts + 1, cause=trouble)
        else:
            changes = {"next_at": now + timedelta(seconds=pauses[delivery.attempts])}
        async with self._database.unit() as unit:
            await unit.webhooks.settle(delivery.id, last_status=status, last_error=trouble, **changes)
