"""Records that were deleted and are in no recycle bin any more: told all the same, though no query finds them.

The org lists deletions of the last 15 days by their ids. What is told of already, and what a query still finds, is left
to the looks at changes; the rest is purged. Whose it was Salesforce does not tell: it is what a look saw last, and of
carts that this service mirrors and orders that it placed it is known here. Any other record, which nothing here ever
saw, is told to whoever is granted all: to guess whose it was could tell it to the wrong one.

Laws:
1. How far deletions were read is a feed of its own, `Order/deleted`, whose watermark is what Salesforce said it
   covered: an instant of the org's. Our clock only bounds the period, widely.
2. Watermark, known states and messages are one transaction; its first write compares the feed's version.
3. What was purged before following began is noted, and not told.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from orgbridge.client.errors import SalesforceError
from orgbridge.client.replication import Deletions
from orgbridge.kit.clock import Clock
from orgbridge.kit.logs import get_logger
from orgbridge.services.commerce.change_audiences import Audience, message
from orgbridge.services.commerce.change_events import ChangeKind, OrgRow, Watched, change_payload
from orgbridge.services.commerce.change_looks import ChangeLooks
from orgbridge.services.commerce.change_owners import ChangeOwners
from orgbridge.store.change_records import ChangeRecord, FeedRecord
from orgbridge.store.database import Database
from orgbridge.store.webhook_records import DeliveryRecord

_SUFFIX: Final = "/deleted"
#: So far back the org tells of deletions, less a day for clocks that differ.
_REACH: Final = timedelta(days=14)
#: So far beyond our clock the org's may be.
_AHEAD: Final = timedelta(days=1)
_log = get_logger(__name__)


def purge_feed(sobject: str) -> str:
    """Return the name under which it is kept how far deletions of an object were read."""
    return sobject + _SUFFIX


class ChangePurges:
    """Tells of purged records, beside the looks at changes and by the same worker."""

    def __init__(
        self,
        database: Database,
        looks: ChangeLooks,
        owners: ChangeOwners,
        clock: Clock,
        *,
        org: str,
        every: timedelta,
        overlap: timedelta,
    ) -> None:
        self._database = database
        self._looks = looks
        self._owners = owners
        self._clock = clock
        self._org = org
        self._every = every
        self._overlap = overlap

    async def look(
        self, watched: Watched, feed: FeedRecord | None, newest: datetime | None, audiences: Sequence[Audience]
    ) -> int:
        """Take in what was purged since the last such look, if that is long ago; return how many messages were written.

        Args:
            watched: The object.
            feed: How far deletions were read; None where they never were: then a beginning is made.
            newest: The org's last known change of the object; None where it has no row.
            audiences: Who hears of it.

        Raises:
            CallWithheld: The budget of the org keeps such calls back.
            ClientError: Salesforce could not be asked.
        """
        now = self._clock.now()
        if feed is not None and abs(now - feed.polled_at) < self._every:
            return 0
        # Without any row there is nothing that could have been purged; later ones are made after this.
        mark = (feed.watermark if feed is not None else newest) or now
        start, end = max(mark - self._overlap, now - _REACH), max(mark, now) + _AHEAD
        try:
            found = await self._looks.deleted(watched, start, end)
        except SalesforceError as error:
            # Not every object of every org is replicated; changes are followed all the same.
            _log.warning("purges_not_seen", object_name=watched.sobject, code=error.code, cause=error.message)
            if feed is not None:
                async with self._database.unit() as unit:
                    await unit.changes.advance(feed, trouble=error.message, polled_at=now)
            return 0
        if feed is None:
            await self._begin(watched, found, now)
            return 0
        return await self._follow(watched, feed, found, now, audiences)

    async def _begin(self, watched: Watched, found: Deletions, now: datetime) -> None:
        name = purge_feed(watched.sobject)
        feed = FeedRecord(org=self._org, sobject=name, watermark=found.covered_until, polled_at=now)
        async with self._database.unit() as unit:
            known = await unit.changes.seen(self._org, watched.sobject, list(found.at))
            if await unit.changes.begin(feed):
                await unit.changes.note(
                    [self._state(watched, one, at) for one, at in found.at.items() if one not in known]
                )

    async def _follow(
        self, watched: Watched, feed: FeedRecord, found: Deletions, now: datetime, audiences: Sequence[Audience]
    ) -> int:
        async with self._database.unit(write=False) as unit:
            known = await unit.changes.seen(self._org, watched.sobject, list(found.at))
        untold = [one for one in found.at if one not in known or not known[one].deleted]
        there = await self._looks.present(watched, untold) if untold else set()
        purged = [one for one in untold if one not in there]
        messages = await self._messages(watched, found, purged, known, audiences, now)
        changes: dict[str, Any] = {"watermark": found.covered_until, "polled_at": now, "trouble": None}
        async with self._database.unit() as unit:
            if not await unit.changes.advance(feed, **changes):
                return 0
            count = await unit.webhooks.add_new_deliveries(messages)
            await unit.changes.note([self._state(watched, one, found.at[one]) for one in purged])
        return count

    async def _messages(
        self,
        watched: Watched,
        found: Deletions,
        purged: Sequence[str],
        known: dict[str, ChangeRecord],
        audiences: Sequence[Audience],
        now: datetime,
    ) -> list[DeliveryRecord]:
        messages: dict[str, DeliveryRecord] = {}
        remembered = await self._owners.remembered(watched, purged, known) if purged else {}
        for one in purged:
            account_id, organization_id = remembered.get(one, (None, None))
            row = _row(one, found.at[one], account_id)
            payload = change_payload(watched, row, ChangeKind.DELETED, known.get(one), organization_id)
            event = watched.event(ChangeKind.DELETED)
            made = [message(to.subscription, payload, now) for to in audiences if to.hears(event, organization_id)]
            messages |= {told.id: told for told in made}
        return list(messages.values())

    def _state(self, watched: Watched, record_id: str, at: datetime) -> ChangeRecord:
        return ChangeRecord(
            org=self._org, sobject=watched.sobject, record_id=record_id, modstamp=at, status="", deleted=True
        )


def _row(record_id: str, at: datetime, account_id: str | None) -> OrgRow:
    return OrgRow(
        record_id=record_id,
        modstamp=at.astimezone(UTC),
        created_at=at,
        # What it was last is told as the status before; two who tell it tell the same.
        status="",
        deleted=True,
        number=None,
        accounts=(account_id,) if account_id is not None else (),
    )
