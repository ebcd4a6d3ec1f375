"""A caller's share of the org's requests, counted by several processes together."""

from __future__ import annotations

from pathlib import Path

import pytest

from orgbridge.client import ClientCredentials, LimitInfo, Secret
from orgbridge.kit.clock import SystemClock
from orgbridge.orgs.budget import BudgetConfig
from orgbridge.orgs.connections import OrgConfig, Orgs
from orgbridge.orgs.errors import CallerShareSpent
from orgbridge.orgs.sharing import UseSharing
from orgbridge.orgs.uses import Use
from orgbridge.store.database import Database
from tests.support.databases import migrate


def _process(database: Database) -> tuple[Orgs, UseSharing]:
    """Return what one service process has."""
    config = OrgConfig(
        credentials=ClientCredentials(client_id="app", client_secret=Secret("s")),
        token_url="http://127.0.0.1:9/token",
        budget=BudgetConfig(caller_percent=10),
    )
    orgs = Orgs([config], SystemClock(), database)
    orgs.get().budget.heard(LimitInfo(used=0, allowed=100))
    return orgs, UseSharing(orgs, database, SystemClock())


async def test_a_share_is_one_for_all_processes_and_outlives_them(tmp_path: Path) -> None:
    """Six calls here and four there are ten: both refuse the next one, and so does a process started later."""
    url = f"sqlite:///{tmp_path / 'orgbridge.sqlite'}"
    migrate(url)
    database = Database(url)
    erp, other = Use(caller="erp"), Use(caller="other")
    (first, tells), (second, hears) = _process(database), _process(database)
    try:
        for _ in range(6):
            first.get().budget.admit(erp)
        for _ in range(4):
            second.get().budget.admit(erp)
        for _ in range(2):
            await tells.exchange()
            await hears.exchange()
        await tells.exchange()
        assert [orgs.get().budget.used_by("erp") for orgs in (first, second)] == [10, 10]
        for orgs in (first, second):
            with pytest.raises(CallerShareSpent, match="10 API requests"):
                orgs.get().budget.admit(erp)
            orgs.get().budget.admit(other)
        third, learns = _process(database)
        third.get().budget.admit(erp)
        await learns.exchange()
        with pytest.raises(CallerShareSpent):
            third.get().budget.admit(erp)
    finally:
        await database.close()
