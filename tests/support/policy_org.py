"""For tests of policies: an emulated org with a bank, a shop and people, and a caller whose role shows banks only."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from orgbridge.client import ClientCredentials, Secret
from orgbridge.kit.clock import SystemClock
from orgbridge.orgs.connections import OrgConfig, Orgs
from orgbridge.services.cursors import Cursors
from orgbridge.services.records import RecordService
from tests.support.callers import UNRESTRICTED, restricted
from tests.support.emulator_server import CLIENT_ID, CLIENT_SECRET, EmulatorServer

_ALL = ["read", "query", "queryAll", "search", "export", "create", "update", "upsert", "delete"]
#: Sees and writes banks only, no revenue, the end of phone numbers; may read and not write the web site.
BANKS = {
    "objects": {
        "Account": {
            "operations": _ALL, "loads": ["insert", "update"], "where": "Industry = 'Banking'",
            "hidden": ["AnnualRevenue"], "masked": {"Phone": "last4"}, "read_only": ["Website"],
        },
        "Contact": {"operations": _ALL, "loads": ["insert", "delete"]},
    },
}  # fmt: skip
BANKER = restricted(BANKS)
CURSORS = Cursors(b"the secret of these tests")


@pytest.fixture(scope="module")
def org_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An emulated org in a process of its own."""
    with EmulatorServer(tmp_path_factory.mktemp("org") / "org.sqlite") as server:
        yield server.url


@pytest.fixture
async def orgs(org_url: str) -> AsyncIterator[Orgs]:
    """The emulated org as the only one."""
    config = OrgConfig(
        credentials=ClientCredentials(client_id=CLIENT_ID, client_secret=Secret(CLIENT_SECRET)),
        token_url=f"{org_url}/services/oauth2/token",
    )
    async with Orgs([config], SystemClock()) as orgs:
        yield orgs


@pytest.fixture
async def rows(orgs: Orgs) -> dict[str, str]:
    """Ids of a bank, of a shop, and of a person at each; no other test knows them."""
    records = RecordService(orgs)

    async def make(name: str, **data: Any) -> str:
        done = await records.create(name, data, caller=UNRESTRICTED)
        return str(done.record_id)

    bank = await make("Account", Name="Bank", Industry="Banking", Phone="031 555 1234", AnnualRevenue=111222)
    shop = await make("Account", Name="Shop", Industry="Retail", Phone="031 555 9999", AnnualRevenue=333444)
    return {
        "bank": bank,
        "shop": shop,
        "teller": await make("Contact", LastName="Teller", AccountId=bank),
        "clerk": await make("Contact", LastName="Clerk", AccountId=shop),
    }
