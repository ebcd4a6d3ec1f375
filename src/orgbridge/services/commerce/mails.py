"""Mails on their way: from the outbox to the mail server.

Laws:
1. What is to be mailed is written in the transaction of the step that it tells of: no step without its mail, no mail
   without its step.
2. A mail is taken in hand before it is sent and settled afterwards. A worker that dies in between leaves a mail that is
   sent again once its claim has run out: at least once, under the same Message-ID each time.
3. A mail that a server will never take, or that failed after the last pause, is dead: it stays, says why, and can be
   sent again by hand.
4. The text is made when it is sent, of what is true then; a request for a decision that was made meanwhile is dropped.
5. The token of a link is in the mail and nowhere else: each attempt gets one of its own, and the store its hash.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

from orgbridge.client.mails import Mail, MailError, MailRefused, MailSender
from orgbridge.kit.clock import Clock
from orgbridge.kit.logs import get_logger
from orgbridge.kit.loops import for_each
from orgbridge.services.commerce.mail_texts import write_mail
from orgbridge.services.commerce.purchase_decisions import hash_of
from orgbridge.store.database import Database, Unit
from orgbridge.store.mail_records import ASKING, MailRecord, MailState
from orgbridge.store.purchase_order_records import ApprovalLinkRecord, PurchaseOrderRecord
from orgbridge.store.purchase_order_states import DECISIONS, PurchaseState

_BATCH: Final = 20
_AT_ONCE: Final = 5
#: Longer than any one sending may take: each of its steps has a limit of its own.
_CLAIM: Final = timedelta(minutes=5)
_SEND_SECONDS: Final = 120.0
#: A link lives no longer than this, whatever the order does.
_LINK_LIFE: Final = timedelta(days=30)
_TOKEN_BYTES: Final = 32
log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class MailConfig:
    """How mails are sent."""

    #: Address of the page where links lead, without the token; None: mails carry no link.
    decision_url: str | None = None
    #: Pauses after failed attempts, in seconds; after the last of them a mail is given up. About 15 hours in all.
    pauses: tuple[float, ...] = (5, 30, 120, 600, 1800, 3600, 7200, 10800, 14400, 14400)


class Mailer:
    """Sends what is due. Many workers may do so at once."""

    def __init__(self, database: Database, clock: Clock, sender: MailSender, config: MailConfig) -> None:
        self._database = database
        self._clock = clock
        self._sender = sender
        self._config = config

    async def deliver(self) -> int:
        """Send what is due; return how many mails."""
        async with self._database.unit(write=False) as unit:
            due = await unit.mails.due(self._clock.now(), _BATCH)
        await for_each(due, self._send, at_once=_AT_ONCE)
        return len(due)

    async def _send(self, record: MailRecord) -> None:
        now = self._clock.now()
        async with self._database.unit() as unit:
            if not await unit.mails.claim(record, now, now + _CLAIM):
                return
            order = await unit.purchase_orders.get(record.order_id)
            if order is None or (record.kind in ASKING and order.state is not PurchaseState.PENDING):
                await unit.mails.settle(record.id, state=MailState.DROPPED, ended_at=now, last_error=None)
                return
            mail = await self._compose(unit, record, order, now)
        try:
            async with asyncio.timeout(_SEND_SECONDS):
                await self._sender.send(mail, now)
        except MailRefused as refused:
            await self._settle(record, refused.message, for_good=True)
        except MailError as failed:
            await self._settle(record, failed.message, for_good=False)
        except TimeoutError:
            await self._settle(record, f"The mail server took longer than {_SEND_SECONDS:g} seconds.", for_good=False)
        else:
            await self._settle(record, None, for_good=False)

    async def _compose(self, unit: Unit, record: MailRecord, order: PurchaseOrderRecord, now: datetime) -> Mail:
        user = await unit.users.get(record.recipient_id)
        organization = await unit.organizations.get(order.organization_id)
        link = None
        if record.kind in ASKING and self._config.decision_url is not None:
            token = secrets.token_urlsafe(_TOKEN_BYTES)
            await unit.approval_links.add(
                ApprovalLinkRecord(
                    token_hash=hash_of(token),
                    order_id=order.id,
                    user_id=record.recipient_id,
                    expires_at=min(order.expires_at or now + _LINK_LIFE, now + _LINK_LIFE),
                    created_at=now,
                )
            )
            link = f"{self._config.decision_url}?token={quote(token)}"
        steps = await unit.purchase_orders.steps(order.id)
        comment = next((one.comment for one in reversed(steps) if one.step in DECISIONS), "")
        written = write_mail(
            record.kind,
            order,
            organization=organization.name if organization is not None else order.organization_id,
            comment="" if record.kind in ASKING else comment,
            link=link,
        )
        return Mail(
            id=record.id,
            to=(user.email or "") if user is not None and not user.disabled else "",
            to_name=(user.display_name or user.username) if user is not None else "",
            subject=written.subject,
            text=written.text,
            html=written.html,
        )

    async def _settle(self, record: MailRecord, trouble: str | None, *, for_good: bool) -> None:
        now, pauses = self._clock.now(), self._config.pauses
        changes: dict[str, Any]
        if trouble is None:
            changes = {"state": MailState.SENT, "ended_at": now}
        elif for_good or record.attempts >= len(pauses):
            changes = {"state": MailState.DEAD, "ended_at": now}
            log.warning("mail_dead", mail_id=record.id, attempts=record.attempts + 1, cause=trouble)
        else:
            changes = {"next_at": now + timedelta(seconds=pauses[record.attempts])}
        async with self._database.unit() as unit:
            await unit.mails.settle(record.id, last_error=trouble, **changes)
