"""An org on temporary storage whose clock stands still until a test moves it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from orgbridge.emulator.org.org import Org
from orgbridge.emulator.org.outcomes import SaveOutcome
from orgbridge.emulator.schema.loading import standard_catalogue
from orgbridge.emulator.storage.database import Storage
from orgbridge.wire.bulk import IngestOperation


class StillClock:
    """A clock that shows what it is told."""

    def __init__(self) -> None:
        self.instant = datetime(2025, 3, 4, 5, 6, 7, 890000, tzinfo=UTC)
        self.moment = 0.0

    def now(self) -> datetime:
        """Return the instant that was set."""
        return self.instant

    def monotonic(self) -> float:
        """Return the moment that was set."""
        return self.moment

    async def sleep(self, seconds: float) -> None:
        """Refuse: nothing in the org waits."""
        raise AssertionError("the org never waits")


@pytest.fixture
def clock() -> StillClock:
    """Return the clock of the org."""
    return StillClock()


@pytest.fixture
def org(clock: StillClock) -> Iterator[Org]:
    """Return a new, empty org."""
    storage = Storage(":memory:")
    yield Org(storage, standard_catalogue(), clock)
    storage.close()


@pytest.fixture
def cells(org: Org) -> Callable[..., list[SaveOutcome]]:
    """Return a function that does what an ingest job does with one batch, in a transaction of its own."""

    def run(operation: IngestOperation, sobject: str, header: str, *rows: tuple[str, ...], key: str | None = None):
        with org.storage.write() as connection:
            return org.dml_cells(
                connection, sobject, operation, header.split(","), rows, external_id_field=key, user_id=org.admin_id
            )

    return run
