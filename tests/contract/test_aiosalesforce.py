"""aiosalesforce from PyPI, unchanged, against a real emulator process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from aiosalesforce import Salesforce
from aiosalesforce.auth import Auth, ClientCredentialsFlow, JwtBearerFlow, SoapLogin
from aiosalesforce.exceptions import AuthenticationError, SalesforceError

from tests.support.emulator_server import (
    CLIENT_ID,
    CLIENT_SECRET,
    PASSWORD,
    SECURITY_TOKEN,
    USERNAME,
    EmulatorServer,
)
from tests.support.rerouting import EmulatorTransport

BASE_URL = "https://acme.my.salesforce.com"
KEY = "External_Id__c"


@pytest.fixture
async def http(emulator: EmulatorServer) -> AsyncIterator[httpx.AsyncClient]:
    """An httpx client whose requests to Salesforce reach the emulator."""
    async with httpx.AsyncClient(transport=EmulatorTransport(emulator.url), timeout=60) as client:
        yield client


@pytest.fixture
def sf(http: httpx.AsyncClient) -> Salesforce:
    """A client that signs in with client credentials."""
    return Salesforce(http, BASE_URL, ClientCredentialsFlow(CLIENT_ID, CLIENT_SECRET))


@pytest.mark.parametrize("flow", ["soap", "client_credentials", "jwt"])
async def test_every_flow_signs_in(http: httpx.AsyncClient, key_files: tuple[Path, Path], flow: str) -> None:
    """The client's three flows end in a session that can read limits."""
    flows: dict[str, Auth] = {
        "soap": SoapLogin(USERNAME, PASSWORD, SECURITY_TOKEN),
        "client_credentials": ClientCredentialsFlow(CLIENT_ID, CLIENT_SECRET),
        "jwt": JwtBearerFlow(CLIENT_ID, USERNAME, key_files[0]),
    }
    limits = await Salesforce(http, BASE_URL, flows[flow]).get_limits()
    assert limits["DailyApiRequests"]["Max"] > 0


async def test_a_wrong_secret_is_refused(http: httpx.AsyncClient) -> None:
    """A wrong client secret comes back as invalid_client."""
    sf = Salesforce(http, BASE_URL, ClientCredentialsFlow(CLIENT_ID, "wrong"))
    with pytest.raises(AuthenticationError, match="invalid_client"):
        await sf.get_limits()


async def test_crud_and_upsert(sf: Salesforce) -> None:
    """A row is created, read, changed, upserted by its key and deleted."""
    record_id = await sf.sobject.create("Account", {"Name": "Async AG"})
    assert (await sf.sobject.get("Account", record_id))["Name"] == "Async AG"
    await sf.sobject.update("Account", record_id, {"BillingCity": "Köln"})
    row = await sf.sobject.get("Account", record_id, fields=["BillingCity"])
    assert row["BillingCity"] == "Köln"
    first = await sf.sobject.upsert("Account", "aio 1", KEY, {"Name": "Key"})
    second = await sf.sobject.upsert("Account", "aio 1", KEY, {"Name": "Key 2"})
    assert (first.created, second.created, first.id) == (True, False, second.id)
    assert (await sf.sobject.get("Account", "aio 1", external_id_field=KEY))["Name"] == "Key 2"
    await sf.sobject.delete("Account", record_id)
    with pytest.raises(SalesforceError):
        await sf.sobject.get("Account", record_id)


async def test_bulk_and_query_with_paging(sf: Salesforce) -> None:
    """Rows go in by bulk, come out over several pages, change and go; results name every row."""
    ingest = sf.bulk_v2.ingest
    rows = [{"Name": f"Aio {n}", KEY: f"ab-{n}"} for n in range(2_500)] + [{"Name": "", KEY: "ab-bad"}]
    results = [r async for r in ingest.perform_operation("insert", "Account", rows, polling_interval=0.1)]
    assert [len(results[0].successful_results), len(results[0].failed_results)] == [2_500, 1]
    found = [row async for row in sf.query(f"SELECT Id, {KEY} FROM Account WHERE {KEY} LIKE 'ab-%'")]
    assert len({row["Id"] for row in found}) == 2_500

    changes = [{"Id": row["Id"], "BillingCity": "Bonn"} for row in found[:10]]
    results = [r async for r in ingest.perform_operation("update", "Account", changes, polling_interval=0.1)]
    assert len(results[0].successful_results) == 10
    upserts = [{KEY: "ab-1", "Name": "Changed"}, {KEY: "ab-new", "Name": "New"}]
    results = [
        r
        async for r in ingest.perform_operation(
            "upsert", "Account", upserts, external_id_field=KEY, polling_interval=0.1
        )
    ]
    assert sorted(row["sf__Created"] for row in results[0].successful_results) == ["false", "true"]
    gone = [{"Id": row["Id"]} for row in found]
    results = [r async for r in ingest.perform_operation("delete", "Account", gone, polling_interval=0.1)]
    assert len(results[0].successful_results) == 2_500
    left = [row async for row in sf.query(f"SELECT Id FROM Account WHERE {KEY} LIKE 'ab-%'")]
    assert len(left) == 1
    assert results[0].job_info.id in [job.id async for job in ingest.list_jobs()]


async def test_the_client_signs_in_again_after_its_session_ended(emulator: EmulatorServer, sf: Salesforce) -> None:
    """A 401 in the middle of work is answered by the client with a new sign-in, and the call succeeds."""
    await sf.get_limits()
    emulator.fault(kind="expire_sessions")
    assert (await sf.get_limits())["DailyApiRequests"]["Max"] > 0
