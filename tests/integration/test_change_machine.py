"""Changes under crashes, late commits, clocks that differ and workers that compete: all told, each once."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from orgbridge.client.errors import ConnectionFailed
from orgbridge.orgs.connections import Orgs
from orgbridge.services.commerce.accounts import AccountService
from orgbridge.services.commerce.change_audiences import ChangeAudiences
from orgbridge.services.commerce.change_owners import ChangeOwners
from orgbridge.services.commerce.changes import ChangeConfig, ChangeFollower
from orgbridge.store.account_records import AccountMappingRecord, FoundBy
from orgbridge.store.database import Database, Unit
from orgbridge.store.identity_records import OrganizationRecord, Place
from orgbridge.store.records import UserRecord
from orgbridge.store.webhook_records import DeliveryRecord, SubscriptionRecord
from tests.support.changing_org import ChangingOrg, TreesWithoutParents
from tests.support.clocks import HandClock
from tests.support.databases import migrate
from tests.support.postgres import Server

_AT = datetime(2026, 1, 1, tzinfo=UTC)
#: Account by the last letter of a record's id; only the first two belong to somebody.
_ACCOUNTS = {"a": "001000000000001AAA", "b": "001000000000002AAA", "c": "001000000000003AAA"}
_EVENTS = ("order.created", "order.changed", "order.status_changed", "order.deleted")
_OWNERS = {"root": None, "ada": "North", "dan": "South"}


class _CrashError(Exception):
    """The process dies."""


class CrashingDatabase(Database):
    """Dies at a chosen transaction: before its end, or when it is committed and nobody knows."""

    dies_at: tuple[int, bool] | None = None

    @asynccontextmanager
    async def unit(self, *, write: bool = True) -> AsyncIterator[Unit]:
        """Open a transaction."""
        count, committed = self.dies_at if self.dies_at is not None else (-1, False)
        if self.dies_at is not None:
            self.dies_at = (count - 1, committed) if count else None
        async with super().unit(write=write) as unit:
            yield unit
            if count == 0 and not committed:
                raise _CrashError
        if count == 0:
            raise _CrashError


class WallClock(HandClock):
    """A clock whose wall jumps, while its steady hand goes on."""

    jump = timedelta()

    def now(self) -> datetime:
        """Return what the wall shows."""
        return super().now() + self.jump


@dataclass(frozen=True, slots=True)
class Step:
    """What happens next."""

    kind: str
    record: str = "1a"
    status: str = "Draft"
    seconds: float = 0.0
    count: int = 0
    flag: bool = False
    during: tuple[tuple[str, str], ...] = ()


_records = st.sampled_from([f"{number}{letter}" for number in range(4) for letter in "abc"])
_statuses = st.sampled_from(["Draft", "Activated", "Shipped"])
_during = st.lists(st.tuples(_records, _statuses), max_size=3).map(tuple)
_steps = st.one_of(
    st.builds(Step, st.just("change"), _records, _statuses, st.sampled_from([0.0, 0.0, 0.3, 3.0, 200.0])),
    st.builds(Step, st.just("delete"), _records),
    st.builds(Step, st.just("purge"), _records),
    st.builds(Step, st.just("pass"), seconds=st.sampled_from([0.2, 0.7, 1.5, 60.0, 290.0, 4000.0])),
    st.builds(Step, st.just("jump"), seconds=st.sampled_from([-90.0, 90.0, 7200.0])),
    st.builds(Step, st.just("look"), during=_during, flag=st.booleans()),
    st.builds(Step, st.just("look"), during=_during, flag=st.booleans()),
    st.builds(Step, st.just("die"), count=st.integers(0, 12), flag=st.booleans(), during=_during),
    st.builds(Step, st.just("cut"), count=st.integers(0, 5), during=_during),
)


class World:
    """An org, a store, two workers, and what was promised."""

    def __init__(self, database: CrashingDatabase, skew: timedelta) -> None:
        self.database, self.clock = database, WallClock()
        self.org = ChangingOrg(self.clock, skew, rows=3)
        self.workers = [self._worker(), self._worker()]
        #: States that were there before anybody followed.
        self.before: set[tuple[str, datetime, str, bool]] = set()
        self.organizations: dict[str, str] = {}

    def _worker(self) -> ChangeFollower:
        orgs = Orgs([], self.clock)
        owners = ChangeOwners(self.database, AccountService(self.database, TreesWithoutParents(orgs, self.clock)))
        audiences = ChangeAudiences(self.database, orgs)
        return ChangeFollower(self.database, self.org, audiences, owners, self.clock, ChangeConfig())

    async def settle(self) -> None:
        """Make people, organizations and receivers, some old orders, and begin to follow."""
        async with self.database.unit() as unit:
            for place, letter in (("North", "a"), ("South", "b")):
                self.organizations[place] = f"org_{place}"
                times: dict[str, Any] = {"created_at": _AT, "updated_at": _AT, "revision": "1"}
                await unit.organizations.add(
                    OrganizationRecord(id=f"org_{place}", name=place, external_id=None, **times)
                )
                await unit.accounts.add(
                    AccountMappingRecord(
                        organization_id=f"org_{place}",
                        account_id=_ACCOUNTS[letter],
                        account_name=place,
                        found_by=FoundBy.ID,
                        mapped_by="root",
                        **times,
                    )
                )
            for name, place in _OWNERS.items():
                user = UserRecord(
                    id=f"user_{name}",
                    username=name,
                    password_hash="x",
                    scopes=("orders:read",),
                    all_organizations=place is None,
                    created_at=_AT,
                )
                await unit.users.add(user)
                if place is not None:
                    await unit.roles.grant(user.id, Place.ORGANIZATION, (f"org_{place}",))
                await unit.webhooks.add_subscription(
                    SubscriptionRecord(
                        id=f"hook_{name}",
                        owner=name,
                        url="https://a.example/",
                        secret="x",
                        events=_EVENTS,
                        created_at=_AT,
                    )
                )
        for record in ("0a", "0b", "1c"):
            self._change(record, "Old")
        self.clock.move(30)
        self.before = self._states()
        await self.workers[0].look()

    def _change(self, record: str, status: str, delay: float = 0.0, *, deleted: bool = False) -> None:
        self.org.change(f"801{record}", _ACCOUNTS[record[-1]], status, deleted=deleted, delay=delay)

    def _states(self) -> set[tuple[str, datetime, str, bool]]:
        return {(one, v.modstamp, v.status, v.deleted) for one, v in self.org.visible().items()}

    async def take(self, step: Step) -> None:
        """Let a step happen."""
        during = list(step.during)

        def meanwhile() -> None:
            if during:
                self._change(*during.pop())

        self.org.meanwhile = meanwhile
        match step.kind:
            case "change":
                self._change(step.record, step.status, step.seconds)
            case "delete":
                self._change(step.record, "Draft", deleted=True)
            case "purge":
                self.org.purge(f"801{step.record}")
            case "pass":
                self.clock.move(step.seconds)
            case "jump":
                self.clock.jump += timedelta(seconds=step.seconds)
            case "look":
                await self._look(step)
            case "die":
                self.database.dies_at = (step.count, step.flag)
                await self._look(step)
            case "cut":
                self.org.breaks_after = step.count
                await self._look(step)
        self.org.meanwhile = lambda: None

    async def _look(self, step: Step) -> None:
        worker = self.workers[step.flag]
        # What was there, over and done, before the look began must be told when it has ended well.
        limit = self.org.now() - timedelta(seconds=1)
        due = {state for state in self._states() if state[1] < limit} - self.before
        try:
            await worker.look()
        except (_CrashError, ConnectionFailed):
            self.workers[step.flag] = self._worker()
            return
        finally:
            died, self.database.dies_at, self.org.breaks_after = self.database.dies_at, None, None
        if step.kind == "look" and died is None and await self._led(worker):
            still = due & self._states()
            told = {_state(one) for one in await self.told() if one.subscription_id == "hook_root"}
            assert still <= told, f"not told: {still - told}"

    async def _led(self, worker: ChangeFollower) -> bool:
        now = self.clock.now()
        async with self.database.unit() as unit:
            return await unit.tasks.take("changes", worker._holder, now, now + timedelta(seconds=120))

    async def told(self) -> list[DeliveryRecord]:
        """Return the outbox."""
        async with self.database.unit(write=False) as unit:
            return await unit.webhooks.deliveries(owner=None, state=None, subscription_id=None, limit=10_000)

    async def check(self) -> None:
        """See that, in the end, all was told, each thing once, nothing false, and nobody heard of others."""
        # Longer than the wall can have been put back while a worker that died held the task.
        for _ in range(3):
            self.clock.move(2_500)
            for step in (Step("look"), Step("look", flag=True)):
                await self.take(step)
        told = await self.told()
        mine = [one for one in told if one.subscription_id == "hook_root"]
        assert self._states() - self.before <= {_state(one) for one in mine}
        ids = [one.payload["id"] for one in mine]
        assert len(ids) == len(set(ids))
        states = [(one.payload["data"]["record_id"], one.payload["timestamp"], one.event) for one in mine]
        assert len(states) == len(set(states))
        real: set[tuple[str, datetime, str | None, bool]] = {
            (record.id, version.modstamp, version.status, version.deleted)
            for record in self.org.records.values()
            for version in record.versions
        }
        # Of what is purged no status is told, for nobody knows it any more.
        real |= {(one, at, None, True) for one, at in self.org.purged.items()}
        assert {_state(one) for one in mine} <= real - self.before
        deleted = {one.payload["data"]["record_id"] for one in mine if one.event == "order.deleted"}
        assert self.org.purged.keys() <= deleted
        firsts = [one.payload["data"]["record_id"] for one in mine if one.event == "order.created"]
        assert len(firsts) == len(set(firsts))
        for name, place in _OWNERS.items():
            theirs = [one for one in told if one.subscription_id == f"hook_{name}"]
            wanted = [one for one in mine if place is None or one.payload["data"]["organization_id"] == f"org_{place}"]
            assert {one.payload["id"] for one in theirs} == {one.payload["id"] for one in wanted}
        for one in mine:
            data = one.payload["data"]
            expected = {"a": "org_North", "b": "org_South", "c": None}[data["record_id"][-1]]
            # What is purged has no status, and belongs to whom a look saw it with; if none ever did, to nobody.
            unseen = data["status"] is None and data["previous_status"] is None
            assert data["organization_id"] == (None if unseen else expected)


def _state(one: DeliveryRecord) -> tuple[str, datetime, str | None, bool]:
    data = one.payload["data"]
    at = datetime.fromisoformat(one.payload["timestamp"])
    return data["record_id"], at, data["status"], one.event == "order.deleted"


async def _live(url: str, skew: float, steps: list[Step]) -> None:
    database = CrashingDatabase(url)
    try:
        world = World(database, timedelta(seconds=skew))
        await world.settle()
        for step in steps:
            await world.take(step)
        await world.check()
    finally:
        await database.close()


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an SQLite file with all tables, to be copied."""
    path = tmp_path_factory.mktemp("changes") / "empty.sqlite"
    migrate(f"sqlite:///{path}")
    return path


@settings(
    max_examples=10,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(skew=st.sampled_from([0.0, 0.4, -86_400.0, 86_400.5]), steps=st.lists(_steps, min_size=6, max_size=20))
def test_every_change_is_told_and_none_twice(empty_store: Path, skew: float, steps: list[Step]) -> None:
    """Random changes, clocks, crashes and workers: what was there before a look is told after it, each thing once."""
    path = empty_store.parent / "live.sqlite"
    for old in empty_store.parent.glob("live.sqlite*"):
        old.unlink()
    shutil.copyfile(empty_store, path)
    asyncio.run(_live(f"sqlite:///{path}", skew, steps))


def test_postgresql_keeps_the_same_promises(postgres: Server) -> None:
    """The same life on PostgreSQL: deaths at each transaction of a look, late commits, two workers, walls that jump."""
    url = postgres.create_migrated()
    steps: list[Step] = []
    for count in range(10):
        for committed in (False, True):
            record = f"{count % 4}{'abc'[count % 3]}"
            steps += [
                Step("change", record, ("Draft", "Activated", "Shipped")[count % 3], seconds=(0.0, 200.0)[count % 2]),
                Step("pass", seconds=0.7),
                Step("die", count=count, flag=committed, during=((record, "Draft"), ("3b", "Shipped"))),
                Step("pass", seconds=130.0),
                Step("look", flag=not committed),
                Step("jump", seconds=(-90.0, 90.0)[committed]),
            ]
    asyncio.run(_live(url, 0.4, steps))
