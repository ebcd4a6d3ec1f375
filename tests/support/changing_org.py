"""An org whose records change by a script, as the follower of changes sees it: instants of whole seconds, commits
that come late, pages between which more happens, calls that break off.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from orgbridge.client.errors import ConnectionFailed, SalesforceError
from orgbridge.client.replication import Deletions
from orgbridge.client.replies import RawPage
from orgbridge.kit.json import dumps
from orgbridge.orgs.connections import Orgs
from orgbridge.services.commerce.change_events import OrgRow, Watched
from orgbridge.services.commerce.change_looks import ChangeLooks, ChangePage
from orgbridge.services.commerce.trees import AccountNode, AccountTrees, Lineage
from tests.support.clocks import HandClock


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A state of a record."""

    modstamp: datetime
    #: When others begin to see it.
    visible_at: datetime
    status: str
    deleted: bool


@dataclass(slots=True, kw_only=True)
class Record:
    """A record with all its states, oldest first."""

    id: str
    account: str
    created_at: datetime
    versions: list[Version] = field(default_factory=list)


class TreesWithoutParents(AccountTrees):
    """Accounts of which none is below another."""

    async def lineage(self, account_id: str) -> Lineage:
        """Return an account with nothing above it."""
        return Lineage(node=AccountNode(id=account_id, name=account_id, parent_id=None), above=())


class ChangingOrg(ChangeLooks):
    """Answers looks about one object from its records."""

    def __init__(self, clock: HandClock, skew: timedelta, *, rows: int) -> None:
        super().__init__(Orgs([], clock), "default", rows=rows)
        self._clock = clock
        self._skew = skew
        self.records: dict[str, Record] = {}
        #: When records were taken away, by their ids; an id never comes back.
        self.purged: dict[str, datetime] = {}
        #: Called before each page: what happens meanwhile.
        self.meanwhile: Callable[[], None] = lambda: None
        #: Calls after which one breaks off; None for never.
        self.breaks_after: int | None = None
        self.calls = 0

    def now(self) -> datetime:
        """Return the org's present instant: its clock runs as the steady one does, and shows what it likes."""
        return datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=self._clock.monotonic()) + self._skew

    def change(self, record_id: str, account: str, status: str, *, deleted: bool = False, delay: float = 0.0) -> bool:
        """Give a record a new state, or make it; False while another transaction holds it."""
        now = self.now()
        record = self.records.get(record_id)
        if record_id in self.purged or (record is not None and record.versions[-1].visible_at > now):
            return False
        stamp = now.replace(microsecond=0)
        if record is None:
            record = self.records[record_id] = Record(id=record_id, account=account, created_at=stamp)
        visible = now + timedelta(seconds=delay)
        record.versions.append(Version(modstamp=stamp, visible_at=visible, status=status, deleted=deleted))
        return True

    def purge(self, record_id: str) -> bool:
        """Take a record away for good, out of the recycle bin too; False where that cannot be."""
        record, now = self.records.get(record_id), self.now()
        if record is None or record_id in self.purged or record.versions[-1].visible_at > now:
            return False
        self.purged[record_id] = now.replace(microsecond=0)
        return True

    def visible(self) -> dict[str, Version]:
        """Return the states that a query sees now, by record."""
        now = self.now()
        return {
            one.id: seen[-1]
            for one in self.records.values()
            if one.id not in self.purged
            and (seen := [version for version in one.versions if version.visible_at <= now])
        }

    async def first(self, soqls: Mapping[Watched, str]) -> dict[Watched, RawPage | SalesforceError]:
        """Answer the first call of a look: the newest instant, or the first page."""
        self._call()
        found: dict[Watched, RawPage | SalesforceError] = {}
        for watched, soql in soqls.items():
            if " DESC " in soql:
                newest = max((version.modstamp for version in self.visible().values()), default=None)
                records = [{"SystemModstamp": _wire(newest)}] if newest is not None else []
                found[watched] = _page(records)
            else:
                start = datetime.fromisoformat(soql.split("SystemModstamp >= ")[1].split(" ")[0])
                found[watched] = _page(self._after(start, None))
        return found

    async def page(self, watched: Watched, start: datetime | None, after: OrgRow | None) -> ChangePage:
        """Answer one page."""
        self._call()
        assert start is not None
        return self.read(watched, _page(self._after(start, after)))

    async def deleted(self, watched: Watched, start: datetime, end: datetime) -> Deletions:
        """Answer the question for deletions, which knows whole minutes up to now."""
        self._call()
        first, last = (at.replace(second=0, microsecond=0) for at in (start, min(end, self.now())))
        gone = {one: at for one, at in self.purged.items() if first <= at < last}
        gone |= {
            one: version.modstamp
            for one, version in self.visible().items()
            if version.deleted and first <= version.modstamp < last
        }
        return Deletions(at=gone, covered_until=last)

    async def present(self, watched: Watched, record_ids: Sequence[str]) -> set[str]:
        """Answer which records a query finds."""
        self._call()
        return set(record_ids) & set(self.visible())

    def _call(self) -> None:
        self.calls += 1
        if self.breaks_after is not None:
            self.breaks_after -= 1
            if self.breaks_after < 0:
                self.breaks_after = None
                raise ConnectionFailed("cut", sent=True)
        self.meanwhile()

    def _after(self, start: datetime, after: OrgRow | None) -> list[dict[str, Any]]:
        seen = sorted((version.modstamp, one) for one, version in self.visible().items())
        mark = (after.modstamp, after.record_id) if after is not None else (start, "")
        chosen = [one for one in seen if (one > mark if after is not None else one[0] >= start)][: self.rows]
        states = self.visible()
        return [
            {
                "Id": identifier,
                "SystemModstamp": _wire(stamp),
                "CreatedDate": _wire(self.records[identifier].created_at),
                "IsDeleted": states[identifier].deleted,
                "Status": states[identifier].status,
                "OrderNumber": identifier[-4:],
                "AccountId": self.records[identifier].account,
                "Account": {"ParentId": None, "Parent": None},
            }
            for stamp, identifier in chosen
        ]


def _wire(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def _page(records: list[dict[str, Any]]) -> RawPage:
    return RawPage(total_size=len(records), done=True, next_records_url=None, records=bytes(dumps(records)))
