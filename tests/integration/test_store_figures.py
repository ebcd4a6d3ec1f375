"""What the store tells of waiting, working and sending, on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from orgbridge.loads.states import LoadState
from orgbridge.store.database import Database
from orgbridge.store.figures import store_figures
from orgbridge.store.records import LoadKind, LoadRecord

_NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
async def database(store_url: str) -> AsyncIterator[Database]:
    """Give each kind of database, up to date and empty."""
    made = Database(store_url)
    yield made
    await made.close()


def _load(number: int, **values: object) -> LoadRecord:
    return LoadRecord(
        id=f"load_{number}",
        kind=LoadKind.INGEST,
        object_name="Account",
        operation="insert",
        state=LoadState.QUEUED,
        created_by="somebody",
        created_at=_NOW + timedelta(minutes=number),
        **values,  # type: ignore[arg-type]
    )


async def test_what_waits_longest_is_told(database: Database) -> None:
    """Of loads that nobody began the oldest counts; one that has ended counts nowhere."""
    async with database.unit() as unit:
        await unit.loads.add(_load(1))
        await unit.loads.add(_load(2))
        await unit.loads.add(_load(3))
        await unit.loads.update("load_1", started_at=_NOW, finished_at=_NOW)
        await unit.loads.update("load_3", started_at=_NOW)
    async with database.unit(write=False) as unit:
        told = await store_figures(unit, leased=False)
    assert told.queued == 1
    assert told.oldest_queued == _NOW + timedelta(minutes=2)
    assert told.oldest_running == _NOW
    assert told.webhooks == {"pending": 0, "delivered": 0, "dead": 0}
    assert told.leases is None


async def test_leases_tell_who_lives_and_who_was_lost(database: Database) -> None:
    """A worker whose lease ran out is lost, one that gave it up is not; the nearest end is that of the living."""
    if database.address.is_sqlite:
        pytest.skip("SQLite has no leases: a lock on the file takes their place")
    async with database.unit() as unit:
        await unit.leases.renew("living", timedelta(seconds=30))
        await unit.leases.renew("younger", timedelta(seconds=60))
        await unit.leases.renew("lost", timedelta(seconds=-5))
        await unit.leases.renew("gone", timedelta(seconds=30))
        await unit.leases.drop("gone")
    async with database.unit(write=False) as unit:
        leases = (await store_figures(unit, leased=True)).leases
    assert leases is not None
    assert (leases.living, leases.lost) == (2, 1)
    assert leases.nearest_end is not None
    assert 0 < leases.nearest_end <= 30
