"""aiosalesforce over REST: rows, queries, formatting, errors, events, retries and limits on concurrency."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiosalesforce import Salesforce, format_soql
from aiosalesforce.auth import Auth, ClientCredentialsFlow, JwtBearerFlow, SoapLogin
from aiosalesforce.events import Event, RequestEvent, ResponseEvent, RestApiCallConsumptionEvent, RetryEvent
from aiosalesforce.exceptions import (
    AuthorizationError,
    DuplicatesDetectedError,
    MoreThanOneRecordError,
    NotFoundError,
    RequestLimitExceededError,
    SalesforceError,
    ServerError,
)
from aiosalesforce.retries import RULE_RESPONSE_RETRY_UNABLE_TO_LOCK_ROW, RetryPolicy

from tests.support.emulator_server import (
    CLIENT_ID,
    CLIENT_SECRET,
    PASSWORD,
    SECURITY_TOKEN,
    USERNAME,
    EmulatorServer,
)
from tests.support.rerouting import EmulatorTransport
from tests.unit.emulator.http.test_policies import project

__all__ = ["project"]
KEY = "External_Id__c"
BASE_URL = "https://acme.my.salesforce.com"


def eager(**words: Any) -> RetryPolicy:
    """Return a policy that tries again at once."""
    return RetryPolicy(backoff_base=0.0, backoff_factor=0.0, backoff_max=0.0, backoff_jitter=False, **words)


async def test_rows_by_id_and_by_key(aio: Salesforce) -> None:
    """Create takes text, bytes and dicts; get, delete and upsert go by id and by external id."""
    first = await aio.sobject.create("Account", json.dumps({"Name": "Text", KEY: "ar-1"}))
    second = await aio.sobject.create("Account", bytearray(b'{"Name": "Bytes"}'))
    await aio.sobject.update("Account", second, b'{"Site": "x"}')
    assert (await aio.sobject.get("Account", second, fields=["Name", "Site"]))["Site"] == "x"
    assert (await aio.sobject.get("Account", "ar-1", external_id_field=KEY, fields=["Id"]))["Id"] == first
    done = await aio.sobject.upsert("Account", "ar-1", KEY, {"Name": "Up", KEY: "ar-1"})
    assert (done.id, done.created) == (first, False)
    with pytest.raises(SalesforceError):
        await aio.sobject.upsert("Account", "ar-1", KEY, {"Name": "Up", KEY: "ar-1"}, validate=False)
    await aio.sobject.delete("Account", "ar-1", external_id_field=KEY)
    with pytest.raises(NotFoundError) as caught:
        await aio.sobject.get("Account", "ar-1", external_id_field=KEY)
    assert caught.value.error_code == "NOT_FOUND"


async def test_queries_with_and_without_deleted_rows(aio: Salesforce) -> None:
    """All rows are those that are there and those that are gone; both come over pages."""
    made = await aio.request(
        "POST",
        f"{aio.base_url}/services/data/v62.0/composite/sobjects",
        json={"records": [{"attributes": {"type": "Lead"}, "LastName": f"q{n}", "Company": "Q"} for n in range(5)]},
    )
    await aio.sobject.delete("Lead", made.json()[0]["id"])
    soql = "SELECT LastName FROM Lead WHERE Company = 'Q' ORDER BY LastName"
    assert [row["LastName"] async for row in aio.query(soql)] == ["q1", "q2", "q3", "q4"]
    assert len([row async for row in aio.query(soql, include_all_records=True)]) == 5


async def test_formatted_values_find_their_rows(aio: Salesforce) -> None:
    """Text with every sign that needs escaping, dates, lists, null and booleans survive the way into SOQL."""
    odd = 'O\'Neil \\ "50%_" Süd'
    made = await aio.sobject.create("Account", {"Name": "Aio formatted", "Site": odd})
    moment = datetime(2020, 1, 1, tzinfo=UTC).replace(tzinfo=None)
    soql = "SELECT Id FROM Account WHERE Site = {a} AND Name IN {b} AND ParentId = {c} AND IsDeleted = {d}"
    query = format_soql(soql, a=odd, b=["Aio formatted"], c=None, d=False)
    assert [row["Id"] async for row in aio.query(query)] == [made]
    query = format_soql("SELECT Id FROM Account WHERE Site LIKE '%{:like}%' AND Name = {}", "50%_", "Aio formatted")
    assert [row["Id"] async for row in aio.query(query)] == [made]
    query = format_soql("SELECT Id FROM Account WHERE Site LIKE '%{:like}%' AND Name = {}", "5%_", "Aio formatted")
    assert [row["Id"] async for row in aio.query(query)] == []
    query = format_soql("SELECT Id FROM Opportunity WHERE CloseDate > {} AND Amount = {}", moment.date(), 1.5)
    assert [row["Id"] async for row in aio.query(query)] == []


@pytest.mark.parametrize("version", ["v62.0", "62", "62.", "62.0"])
async def test_versions_are_written_in_any_way(rerouted: httpx.AsyncClient, version: str) -> None:
    """Version and base address are brought into form by the client and work."""
    flow = ClientCredentialsFlow(CLIENT_ID, CLIENT_SECRET)
    sf = Salesforce(rerouted, f"{BASE_URL}/lightning/page", flow, version=version)
    assert (sf.version, sf.base_url) == ("62.0", BASE_URL)
    assert (await sf.get_limits())["DailyApiRequests"]["Max"] > 0


@pytest.mark.parametrize("flow", ["soap", "client_credentials", "jwt"])
async def test_a_token_lasts_as_long_as_its_flow_says(
    rerouted: httpx.AsyncClient, key_files: tuple[Any, Any], flow: str
) -> None:
    """A token is used again until it is refreshed, and refreshing gives another one that works."""
    flows: dict[str, Auth] = {
        "soap": SoapLogin(USERNAME, PASSWORD, SECURITY_TOKEN),
        "client_credentials": ClientCredentialsFlow(CLIENT_ID, CLIENT_SECRET, timeout=900),
        "jwt": JwtBearerFlow(CLIENT_ID, USERNAME, key_files[0], timeout=900),
    }
    auth = flows[flow]
    sf = Salesforce(rerouted, BASE_URL, auth)
    first = await auth.get_access_token(sf)
    assert (await auth.get_access_token(sf), auth.expired) == (first, False)
    second = await auth.refresh_access_token(sf)
    assert second != first
    assert (await sf.get_limits())["DailyApiRequests"]["Max"] > 0


async def test_a_key_that_two_rows_share_is_an_error_of_its_own(emulator: EmulatorServer, aio: Salesforce) -> None:
    """300 with the addresses of both rows."""
    field = {"name": "Aio_Key__c", "label": "Aio Key", "type": "string", "length": 40, "externalId": True}
    status, body = emulator.request("POST", "/_emulator/objects/Lead/fields", field)
    assert status == 201, body
    for name in "ab":
        await aio.sobject.create("Lead", {"LastName": name, "Company": "C", "Aio_Key__c": "k"})
    with pytest.raises(MoreThanOneRecordError, match="/sobjects/Lead/00Q"):
        await aio.sobject.get("Lead", "k", external_id_field="Aio_Key__c")


async def test_duplicates_are_told_with_what_they_are_like(tmp_path: Path, project: Path) -> None:
    """A rule that warns of duplicates ends in an error that names the row which is there already."""
    with EmulatorServer(tmp_path / "org.db", metadata=project) as server:
        async with httpx.AsyncClient(transport=EmulatorTransport(server.url), timeout=60) as client:
            sf = Salesforce(client, BASE_URL, ClientCredentialsFlow(CLIENT_ID, CLIENT_SECRET))
            first = await sf.sobject.create("Account", {"Name": "a", "Site": "S"})
            with pytest.raises(DuplicatesDetectedError) as caught:
                await sf.sobject.create("Account", {"Name": "b", "Site": "S"})
    assert [(one["id"], one["sobject"]) for one in caught.value.duplicates] == [(first, "Account")]
    assert first in str(caught.value)


@pytest.mark.parametrize(
    ("order", "error"),
    [
        ({"kind": "request_limit", "times": 1}, RequestLimitExceededError),
        ({"kind": "unavailable", "times": 1}, ServerError),
        ({"status": 403, "errorCode": "API_DISABLED_FOR_ORG", "times": 1, "path": "/limits"}, AuthorizationError),
        ({"status": 404, "errorCode": "NOT_FOUND", "times": 1, "path": "/limits"}, NotFoundError),
    ],
)
async def test_refusals_become_the_errors_of_the_client(
    emulator: EmulatorServer, rerouted: httpx.AsyncClient, order: dict[str, Any], error: type[SalesforceError]
) -> None:
    """Without retries each refusal of the org is the client's own kind of error with the code in it."""
    sf = Salesforce(rerouted, BASE_URL, ClientCredentialsFlow(CLIENT_ID, CLIENT_SECRET), retry_policy=None)
    await sf.get_limits()
    emulator.fault(**order)
    with pytest.raises(error) as caught:
        await sf.get_limits()
    assert caught.value.error_code == order.get("errorCode", caught.value.error_code)
    assert (await sf.get_limits())["DailyApiRequests"]["Max"] > 0


async def test_calls_are_tried_again_and_told_of(emulator: EmulatorServer, rerouted: httpx.AsyncClient) -> None:
    """A lock that goes away costs one retry; hooks see request, retry, response and what it consumed."""
    seen: list[Event] = []
    policy = eager(response_rules=[RULE_RESPONSE_RETRY_UNABLE_TO_LOCK_ROW])
    flow = ClientCredentialsFlow(CLIENT_ID, CLIENT_SECRET)
    sf = Salesforce(rerouted, BASE_URL, flow, event_hooks=[seen.append], retry_policy=policy)
    await sf.get_limits()
    seen.clear()
    emulator.fault(kind="row_lock", times=2)
    made = await sf.sobject.create("Account", {"Name": "Locked first"})
    assert (await sf.sobject.get("Account", made))["Name"] == "Locked first"
    kinds = [type(event) for event in seen]
    assert (kinds.count(RequestEvent), kinds.count(RetryEvent), kinds.count(ResponseEvent)) == (2, 2, 2)
    assert kinds.count(RestApiCallConsumptionEvent) == 4
    last = [event for event in seen if isinstance(event, ResponseEvent)][-1]
    assert last.consumed is not None
    assert last.remaining == (await sf.get_limits())["DailyApiRequests"]["Max"]
    sf.event_bus.unsubscribe_callback(seen.append)


async def test_many_calls_at_once_all_come_back(rerouted: httpx.AsyncClient) -> None:
    """Twice as many calls as may run at the same time each create their row."""
    flow = ClientCredentialsFlow(CLIENT_ID, CLIENT_SECRET)
    sf = Salesforce(rerouted, BASE_URL, flow, concurrency_limit=10)
    ids = await asyncio.gather(*(sf.sobject.create("Account", {"Name": f"At once {n}"}) for n in range(20)))
    assert len(set(ids)) == 20
    assert len([row async for row in sf.query("SELECT Id FROM Account WHERE Name LIKE 'At once %'")]) == 20


def test_bulk_1_is_not_offered(aio: Salesforce) -> None:
    """The client itself says that it has no Bulk API 1.0."""
    with pytest.raises(NotImplementedError):
        _ = aio.bulk_v1
