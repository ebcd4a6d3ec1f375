"""Changes of orders and carts in the org, found by looking, and told by webhooks.

Laws:
1. Instants are the org's: nothing is compared with our clock, whose only use is to let time pass.
2. Each look begins some minutes before the last change that was taken in, so that what was committed late is found.
   What is known of a record, its instant and status, tells what has been told before.
3. Watermark, known states and messages of a page are one transaction, and its first write compares the feed's version:
   whatever dies, a page was told or was not, and of two workers that think they are the one, one writes.
4. Ids of events and messages are made of record, instant, kind and status: telling again tells the same, and the outbox
   takes each message once.
5. A row is taken in when the second of its instant is over: the org's instants are whole seconds, and a second change
   within one could not be told from the first.
6. Nobody asks, nothing is asked: without receivers no call is made, and what was known is forgotten.

What happens to a record between two looks is told as one change. Records that were purged, which no look can find, are
found by the org's list of deletions; see `change_purges`.

Source: facts/salesforce/soql.md (instants of whole seconds, queryAll). Assumed: a change is visible at most
`ChangeConfig.overlap` after its instant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from orgbridge.client.errors import SalesforceError
from orgbridge.kit.clock import Clock
from orgbridge.kit.identifiers import new_identifier
from orgbridge.kit.logs import get_logger
from orgbridge.kit.loops import outlived
from orgbridge.orgs.uses import calls_of_a_load
from orgbridge.services.commerce.change_audiences import Audience, ChangeAudiences, message
from orgbridge.services.commerce.change_events import OrgRow, Watched, change_payload, kinds_of
from orgbridge.services.commerce.change_looks import ChangeLooks, ChangePage, newest_of, newest_soql, page_soql
from orgbridge.services.commerce.change_owners import ChangeOwners
from orgbridge.services.commerce.change_purges import ChangePurges, purge_feed
from orgbridge.store.change_records import ChangeRecord, FeedRecord
from orgbridge.store.database import Database
from orgbridge.store.webhook_records import DeliveryRecord

_TASK: Final = "changes"
#: Longer than the second of an instant can last from when a row with it was seen.
SETTLE_SECONDS: Final = 2.0
#: Before any record of any org.
_FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeConfig:
    """How changes are followed."""

    #: Seconds between two looks.
    seconds: float = 60.0
    #: How far before the last known change a look begins.
    overlap: timedelta = timedelta(minutes=5)
    #: How often the org's list of deletions is read, which tells of purged records: one call for each object.
    purges: timedelta = timedelta(minutes=10)
    #: How long what is known of a record is kept after its last change.
    memory: timedelta = timedelta(days=90)
    #: Our name of the org.
    org: str = "default"


class ChangeFollower:
    """Looks for changes beside a worker's other tasks; of many workers one does so at a time."""

    def __init__(
        self,
        database: Database,
        looks: ChangeLooks,
        audiences: ChangeAudiences,
        owners: ChangeOwners,
        clock: Clock,
        config: ChangeConfig,
    ) -> None:
        self._database = database
        self._looks = looks
        self._audiences = audiences
        self._owners = owners
        self._clock = clock
        self._config = config
        self._purges = ChangePurges(
            database, looks, owners, clock, org=config.org, every=config.purges, overlap=config.overlap
        )
        self._holder = new_identifier("changes", clock.now())
        #: The last instant seen of each object, and when it was seen first by the steady clock.
        self._tops: dict[str, tuple[datetime, float]] = {}

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            # After an outage, or a budget that leaves nothing for this, the next look begins where this one did.
            with outlived(_log, "changes_not_seen"):
                await self.look()
            await self._clock.sleep(self._config.seconds)

    async def look(self) -> int:
        """Take in what has changed since the last look; return how many messages were written.

        Raises:
            CallWithheld: The budget of the org keeps such calls back; what was taken in before stays.
            ClientError: Salesforce could not be asked; what was taken in before stays.
            StoreError: The store did not answer; what was taken in before stays.
        """
        if not await self._hold():
            return 0
        audiences = await self._audiences.all()
        async with self._database.unit(write=False) as unit:
            feeds = await unit.changes.feeds(self._config.org)
        followed = {watched.sobject for watched in audiences}
        await self._forget(feeds.keys() - followed - {purge_feed(sobject) for sobject in followed})
        if not audiences:
            return 0
        with calls_of_a_load():
            return await self._look(audiences, feeds)

    async def _look(self, audiences: dict[Watched, list[Audience]], feeds: dict[str, FeedRecord]) -> int:
        begun = {watched: feeds[watched.sobject] for watched in audiences if watched.sobject in feeds}
        soqls = {
            watched: page_soql(watched, self._start(begun[watched]), None, rows=self._looks.rows)
            if watched in begun
            else newest_soql(watched)
            for watched in audiences
        }
        told = 0
        newest: dict[Watched, datetime | None] = {}
        for watched, found in (await self._looks.first(soqls)).items():
            feed = begun.get(watched)
            if isinstance(found, SalesforceError):
                await self._troubled(watched, feed, found)
                continue
            newest[watched] = feed.watermark if feed is not None else newest_of(watched, found)
            if feed is None:
                await self._begin(watched, newest[watched])
            else:
                told += await self._follow(watched, feed, self._looks.read(watched, found), audiences[watched])
        # Behind all changes: where these calls are held back or fail, nothing else waits for them.
        for watched, mark in newest.items():
            if await self._hold():
                purged = feeds.get(purge_feed(watched.sobject))
                told += await self._purges.look(watched, purged, mark, audiences[watched])
        return told

    # The beginning

    async def _begin(self, watched: Watched, newest: datetime | None) -> None:
        """Note where following begins: what is there now was not told, and is not to be."""
        now, config = self._clock.now(), self._config
        feed = FeedRecord(org=config.org, sobject=watched.sobject, watermark=newest, polled_at=now)
        async with self._database.unit() as unit:
            await unit.changes.end(config.org, watched.sobject)
        if newest is None:
            await self._write_feed(feed, [])
            return
        await self._clock.sleep(SETTLE_SECONDS)
        after: OrgRow | None = None
        while True:
            page = await self._looks.page(watched, newest - config.overlap, after)
            # Later ones are changes already: they are met by the first look.
            old = [self._state(watched, row) for row in page.rows if row.modstamp <= newest]
            if not page.is_full or len(old) < len(page.rows):
                await self._write_feed(feed, old)
                return
            async with self._database.unit() as unit:
                await unit.changes.note(old)
            after = page.rows[-1]
            if not await self._hold():
                return

    async def _write_feed(self, feed: FeedRecord, states: Sequence[ChangeRecord]) -> None:
        async with self._database.unit() as unit:
            if await unit.changes.begin(feed):
                await unit.changes.note(states)
        _log.info("changes_followed", object_name=feed.sobject)

    # One look

    async def _follow(self, watched: Watched, feed: FeedRecord, page: ChangePage, audiences: list[Audience]) -> int:
        floor, told, has_waited = self._start(feed), 0, False
        after: OrgRow | None = None
        while True:
            known = await self._known(watched, page.rows)
            ready = self._settled(watched, feed, page.rows)
            # Known rows of the last second are no reason to wait: they are as an earlier look took them in.
            waiting = [row for row in page.rows[len(ready) :] if row.differs(known.get(row.record_id))]
            is_last = not page.is_full and (has_waited or not waiting)
            messages = await self._messages(watched, ready, known, floor, audiences)
            goes_on = not is_last or self._would_age(feed, ready, waiting, known)
            written = await self._take_in(watched, feed, ready, messages, run_from=floor if goes_on else None)
            if written is None:
                return told
            feed, count = written
            told += count
            if is_last or not await self._hold():
                return told
            after = ready[-1] if ready else after
            if not page.is_full or not ready:
                # Behind a full page the next one begins with the rows left over; here there may be nothing but these.
                has_waited = not page.is_full
                await self._clock.sleep(SETTLE_SECONDS)
            page = await self._looks.page(watched, floor, after)

    def _would_age(
        self,
        feed: FeedRecord,
        ready: Sequence[OrgRow],
        waiting: Sequence[OrgRow],
        known: dict[str, ChangeRecord],
    ) -> bool:
        """Tell whether a row left to the next look would not pass for a new one there, though it is one here."""
        mark = max([ready[-1].modstamp if ready else _FIRST, feed.watermark or _FIRST])
        return any(
            row.record_id not in known and self._start(feed) <= row.created_at < mark - self._config.overlap
            for row in waiting
        )

    def _settled(self, watched: Watched, feed: FeedRecord, rows: list[OrgRow]) -> list[OrgRow]:
        """Return the rows, the first ones, whose second is over."""
        if not rows:
            return []
        top, now = rows[-1].modstamp, self._clock.monotonic()
        seen = self._tops.get(watched.sobject)
        if seen is None or seen[0] != top:
            seen = self._tops[watched.sobject] = (top, now)
        is_over = now - seen[1] >= SETTLE_SECONDS or (feed.watermark is not None and top <= feed.watermark)
        return rows if is_over else [row for row in rows if row.modstamp < top]

    async def _known(self, watched: Watched, rows: Sequence[OrgRow]) -> dict[str, ChangeRecord]:
        async with self._database.unit(write=False) as unit:
            return await unit.changes.seen(self._config.org, watched.sobject, [row.record_id for row in rows])

    async def _messages(
        self,
        watched: Watched,
        rows: Sequence[OrgRow],
        known: dict[str, ChangeRecord],
        floor: datetime,
        audiences: Sequence[Audience],
    ) -> list[DeliveryRecord]:
        changed = [(row, kinds_of(watched, row, known.get(row.record_id), floor)) for row in rows]
        changed = [(row, kinds) for row, kinds in changed if kinds]
        owners = await self._owners.of([row.accounts for row, _ in changed])
        now = self._clock.now()
        found: dict[str, DeliveryRecord] = {}
        for row, kinds in changed:
            organization_id = owners.get(row.accounts)
            for kind in kinds:
                told = [one for one in audiences if one.hears(watched.event(kind), organization_id)]
                payload = change_payload(watched, row, kind, known.get(row.record_id), organization_id)
                made = [message(one.subscription, payload, now) for one in told]
                found |= {one.id: one for one in made}
        return list(found.values())

    async def _take_in(
        self,
        watched: Watched,
        feed: FeedRecord,
        rows: Sequence[OrgRow],
        messages: Sequence[DeliveryRecord],
        *,
        run_from: datetime | None,
    ) -> tuple[FeedRecord, int] | None:
        """Write a page; None when another worker has written since."""
        marks = [at for at in (feed.watermark, rows[-1].modstamp if rows else None) if at is not None]
        changes: dict[str, Any] = {
            "watermark": max(marks, default=None),
            "run_from": run_from,
            "polled_at": self._clock.now(),
            "trouble": None,
        }
        async with self._database.unit() as unit:
            if not await unit.changes.advance(feed, **changes):
                return None
            count = await unit.webhooks.add_new_deliveries(messages)
            await unit.changes.note([self._state(watched, row) for row in rows])
            if run_from is None and marks:
                await unit.changes.forget(feed.org, feed.sobject, max(marks) - self._config.memory)
        return replace(feed, version=feed.version + 1, **changes), count

    async def _troubled(self, watched: Watched, feed: FeedRecord | None, error: SalesforceError) -> None:
        _log.warning("changes_not_seen", object_name=watched.sobject, code=error.code, cause=error.message)
        if feed is not None:
            async with self._database.unit() as unit:
                await unit.changes.advance(feed, trouble=error.message, polled_at=self._clock.now())

    # Who looks

    async def _hold(self) -> bool:
        """Take or keep the task; False while another worker has it."""
        now = self._clock.now()
        until = now + timedelta(seconds=max(60.0, 1.5 * self._config.seconds + 30.0))
        async with self._database.unit() as unit:
            return await unit.tasks.take(_TASK, self._holder, now, until)

    async def _forget(self, sobjects: set[str]) -> None:
        for sobject in sorted(sobjects):
            async with self._database.unit() as unit:
                await unit.changes.end(self._config.org, sobject)

    def _start(self, feed: FeedRecord) -> datetime:
        if feed.run_from is not None:
            return feed.run_from
        return feed.watermark - self._config.overlap if feed.watermark is not None else _FIRST

    def _state(self, watched: Watched, row: OrgRow) -> ChangeRecord:
        return ChangeRecord(
            org=self._config.org,
            sobject=watched.sobject,
            record_id=row.record_id,
            modstamp=row.modstamp,
            status=row.status,
            deleted=row.deleted,
            account_id=row.accounts[0] if row.accounts else None,
        )
