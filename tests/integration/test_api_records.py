"""Records, queries, searches, limits and composite calls through the API, over a socket to the emulated org."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orgbridge.wiring.hosting import HostedOrg
from tests.support.local_house import LoneService, lone_service

V1 = "/api/v1"


def _org_settings(org: HostedOrg) -> dict[str, Any]:
    return {
        "salesforce_auth_flow": "client_credentials",
        "salesforce_client_id": org.client_id,
        "salesforce_client_secret": org.client_secret,
        "salesforce_token_url": org.token_url,
    }


@pytest.fixture
async def service(orgbridge_org: HostedOrg, tmp_path: Path) -> AsyncIterator[LoneService]:
    """A service in this process over the emulated org of this test."""
    async with lone_service(tmp_path, **_org_settings(orgbridge_org)) as service:
        yield service


@pytest.fixture
async def api(service: LoneService) -> httpx2.AsyncClient:
    """Its client, signed in with all scopes of records."""
    await _sign_in(service)
    return service.client


async def _sign_in(service: LoneService, *scopes: str) -> str:
    token = await service.token(*(scopes or ("records:read", "records:write", "bulk:write", "bulk:read")))
    service.client.headers["Authorization"] = f"Bearer {token}"
    return token


async def _made(api: httpx2.AsyncClient, *names: str) -> list[str]:
    body = {"object_name": "Account", "operation_type": "create", "records": [{"Name": name} for name in names]}
    reply = (await api.post(f"{V1}/records/batch", json=body)).json()
    assert reply["success"], reply
    return [result["id"] for result in reply["results"]]


async def test_a_record_is_created_read_upserted_and_deleted_by_its_external_id(api: httpx2.AsyncClient) -> None:
    """An external id with a slash and a quote finds its record for reading and deleting."""
    key = "a/b 'c'"
    body = {"object_name": "Account", "external_id_field": "External_Id__c", "record_id": key, "data": {"Name": "K"}}
    made = (await api.post(f"{V1}/records/upsert", json=body)).json()
    assert made["created"]
    path = f"{V1}/records/Account/a%2Fb%20'c'"
    read = (await api.get(path, params={"external_id_field": "External_Id__c", "fields": "Name"})).json()
    assert (read["record_id"], read["data"]["Name"]) == (made["record_id"], "K")
    assert not (await api.post(f"{V1}/records/upsert", json=body)).json()["created"]
    assert (await api.delete(path, params={"external_id_field": "External_Id__c"})).status_code == 200
    assert (await api.get(f"{V1}/records/Account/{made['record_id']}")).status_code == 404


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"Name": "A", "AnnualRevenue": "abc"}, "`AnnualRevenue` is a currency (a number); got 'abc'."),
        ({"Name": "A", "NumberOfEmployees": "many"}, "`NumberOfEmployees` is a whole number; got 'many'."),
        ({"Name": "A", "Naem": "x"}, "Account has no field `Naem`. Did you mean `Name`?"),
    ],
    ids=["currency", "int", "unknown"],
)
async def test_pain_35_a_refused_value_is_explained_from_the_describe(
    api: httpx2.AsyncClient, orgbridge_org: HostedOrg, data: dict[str, Any], says: str
) -> None:
    """The problem says which type the field has and what it got, at the cost of at most one describe."""
    before = len(orgbridge_org.control.requests(path="/services/data/"))
    reply = await api.post(f"{V1}/records/create", json={"object_name": "Account", "data": data})
    problem = reply.json()
    assert reply.status_code == 400
    assert says in problem["detail"], problem
    assert any(place.get("code") == "field.help" for place in problem["errors"])
    assert problem["upstream"], "Salesforce's own words stay"
    asked = orgbridge_org.control.requests(path="/services/data/")[before:]
    assert len([r for r in asked if "/sobjects/" in r["path"]]) == 2
    batch = {"object_name": "Account", "operation_type": "create", "records": [{"Name": "ok"}, data]}
    results = (await api.post(f"{V1}/records/batch", json=batch)).json()["results"]
    assert results[0]["success"]
    assert says in results[1]["help"]


async def test_pain_32_a_batch_says_which_way_it_went_and_why(
    api: httpx2.AsyncClient, orgbridge_org: HostedOrg
) -> None:
    """Pain 32: up to 2,000 records go as collections at once, above that as a load, and the answer tells."""
    body: dict[str, Any] = {"object_name": "Account", "operation_type": "create", "use_bulk_api": "auto"}
    few = (
        await api.post(f"{V1}/records/batch", json={**body, "records": [{"Name": f"A{n}"} for n in range(450)]})
    ).json()
    assert (few["via"], few["records_succeeded"]) == ("collections", 450)
    assert "3 calls" in few["reason"]
    assert len(orgbridge_org.control.requests(path="/composite/sobjects")) == 3
    many = await api.post(f"{V1}/records/batch", json={**body, "records": [{"Name": f"A{n}"} for n in range(2001)]})
    assert (many.status_code, many.json()["via"]) == (202, "bulk")
    assert "2001 records" in many.json()["reason"]


async def test_relationships_by_external_id_go_with_collections(api: httpx2.AsyncClient) -> None:
    """A parent is named by its external id, as an object or with a dot; an unknown parent fails its row alone."""
    body = {"object_name": "Account", "external_id_field": "External_Id__c", "record_id": "P-1", "data": {"Name": "P"}}
    parent = (await api.post(f"{V1}/records/upsert", json=body)).json()["record_id"]
    records = [
        {"LastName": "One", "Account": {"External_Id__c": "P-1"}},
        {"LastName": "Two", "Account.External_Id__c": "P-404"},
        {"LastName": "Three", "Account.External_Id__c": "P-1"},
    ]
    batch = {"object_name": "Contact", "operation_type": "create", "records": records}
    results = (await api.post(f"{V1}/records/batch", json=batch)).json()["results"]
    assert [result["success"] for result in results] == [True, False, True]
    query = {"q": "SELECT LastName FROM Contact WHERE AccountId = :id ORDER BY LastName", "binds": {"id": parent}}
    found = (await api.post(f"{V1}/query", json=query)).json()["records"]
    assert [record["LastName"] for record in found] == ["One", "Three"]


async def test_pain_39_bound_values_are_data_whatever_they_hold(api: httpx2.AsyncClient) -> None:
    """A value full of SOQL finds the record of that name and no other."""
    names = ["O'Neill", "x' OR Name != '", "back\\slash", "50% _off_", 'say "hi"', "tab\tnew\nline", "Größe 😀"]
    await _made(api, "innocent", *names)
    for name in names:
        query = {"q": "SELECT Name FROM Account WHERE Name = :n AND CreatedDate = :d", "binds": {"n": name}}
        query["binds"] |= {"d": {"literal": "TODAY"}}  # type: ignore[operator] # a mapping, as above
        found = (await api.post(f"{V1}/query", json=query)).json()
        assert [record["Name"] for record in found["records"]] == [name], (name, found)
    query = {"q": "SELECT Name FROM Account WHERE Name IN :names LIMIT :most", "binds": {"names": names, "most": 3}}
    assert (await api.post(f"{V1}/query", json=query)).json()["totalSize"] == 3


@pytest.mark.parametrize(
    ("q", "binds", "says", "location"),
    [
        ("SELECT Id FROM Account WHERE Name = :a", {}, "Row 1, column 37: No value was given for :a", "q"),
        ("SELECT Id FROM Account", {"b": 1}, "The query has no :b; its binds are: none", "q"),
        ("SELECT Id FROM Account WHERE Name = :a", {"a": {"date": "31.1.2026"}}, "is no date", "binds.a"),
        (
            "SELECT Id FROM Account WHERE Name = :a",
            {"a": {"datetime": "2026-01-31T10:00:00"}},
            "no datetime",
            "binds.a",
        ),
        ("SELECT Id FROM Account WHERE Name = :a", {"a": {"x": 1, "y": 2}}, "one key", "binds.a"),
        ("SELECT Id\nFROM Account WHERE\nName == :a", {"a": 1}, "Row 3, column 7", "q"),
    ],
    ids=["unbound", "unused", "date", "zone", "object", "soql"],
)
async def test_a_bind_that_does_not_fit_is_told_with_its_place(
    api: httpx2.AsyncClient, orgbridge_org: HostedOrg, q: str, binds: dict[str, Any], says: str, location: str
) -> None:
    """The refusal names row and column or the bind; nothing was sent."""
    reply = await api.post(f"{V1}/query", json={"q": q, "binds": binds})
    assert reply.status_code == 400
    assert says in reply.json()["detail"]
    assert reply.json()["errors"][0]["location"] == location
    assert orgbridge_org.control.requests(path="/query") == []


async def test_pain_9_a_query_too_long_for_a_url_goes_by_composite_and_says_so(
    api: httpx2.AsyncClient, orgbridge_org: HostedOrg
) -> None:
    """5,000 names in an IN list find their records; the answer and the header tell which way."""
    await _made(api, "Name 17", "Name 4999", "Name 5001")
    query = {
        "q": "SELECT Name FROM Account WHERE Name IN :names ORDER BY Name",
        "binds": {"names": [f"Name {n}" for n in range(5_000)]},
    }
    reply = await api.post(f"{V1}/query", json=query)
    page = reply.json()
    assert (page["via"], reply.headers["orgbridge-query-via"]) == ("composite", "composite")
    assert [record["Name"] for record in page["records"]] == ["Name 17", "Name 4999"]
    assert len(orgbridge_org.control.requests(method="POST", path="/composite")) == 2
    lines = await api.post(f"{V1}/query", json=query, headers={"Accept": "text/csv"})
    assert (lines.text, lines.headers["orgbridge-query-via"]) == ("Name\nName 17\nName 4999\n", "composite")
    wrong = await api.post(f"{V1}/query", json={"q": "SELECT Nope FROM Account WHERE Name = '" + "x" * 17_000 + "'"})
    assert (wrong.status_code, wrong.json()["upstream"][0]["errorCode"]) == (400, "INVALID_FIELD")


async def test_pages_are_walked_with_cursors_that_serve_their_caller_only(service: LoneService) -> None:
    """500 records come in pages of 200, each once and in order; another user's token does not open the cursor."""
    api = service.client
    mine = await _sign_in(service)
    await _made(api, *(f"Page {n:03d}" for n in range(500)))
    reply = await api.get(f"{V1}/query", params={"q": "SELECT Name FROM Account ORDER BY Name", "page_size": 200})
    names: list[str] = []
    first = reply.json()["next"]
    assert "01g" not in first
    assert "services" not in first
    while True:
        page = reply.json()
        names += [record["Name"] for record in page["records"]]
        if page["next"] is None:
            break
        assert reply.headers["link"] == f'<{page["next"]}>; rel="next"'
        reply = await api.get(page["next"])
    assert names == [f"Page {n:03d}" for n in range(500)]
    await _sign_in(service)
    refused = await api.get(first)
    assert (refused.status_code, refused.json()["code"]) == (400, "request.invalid")
    api.headers["Authorization"] = f"Bearer {mine}"
    assert (await api.get(first)).status_code == 200
    assert (await api.get(first[:-2] + "AA")).status_code == 400


async def test_a_search_finds_and_a_bad_one_is_told_where(api: httpx2.AsyncClient, orgbridge_org: HostedOrg) -> None:
    """SOSL goes through; what is no SOSL is refused here."""
    await _made(api, "Searchable Holdings")
    found = (await api.get(f"{V1}/search", params={"q": "FIND {Searchable} RETURNING Account(Id, Name)"})).json()
    assert [record["Name"] for record in found["searchRecords"]] == ["Searchable Holdings"]
    before = len(orgbridge_org.control.requests(path="/search"))
    refused = await api.get(f"{V1}/search", params={"q": "FIND Searchable RETURNING Account"})
    assert refused.status_code == 400
    assert len(orgbridge_org.control.requests(path="/search")) == before


async def test_limits_tell_the_orgs_and_our_own(api: httpx2.AsyncClient) -> None:
    """The figures of the header are there, and what the caller used."""
    await _made(api, "One")
    told = (await api.get(f"{V1}/limits")).json()
    daily = told["org"]["DailyApiRequests"]
    assert told["service"]["budget"]["allowed"] == daily["Max"]
    assert told["service"]["budget"]["remaining"] == daily["Remaining"]
    assert told["service"]["caller"]["calls_in_24_hours"] == 2
    assert told["service"]["concurrency"]["running"] == 0


@pytest.mark.orgbridge(daily_api_requests=1_000)
async def test_a_callers_share_ends_in_429_and_nobody_elses(orgbridge_org: HostedOrg, tmp_path: Path) -> None:
    """With five of the day's 1,000 requests as share, one caller is stopped there and another one is served."""
    async with lone_service(tmp_path, orgbridge_api_caller_percent=0.5, **_org_settings(orgbridge_org)) as service:
        await _sign_in(service)
        statuses = [(await service.client.get(f"{V1}/query", params={"q": _ONE})).status_code for _ in range(12)]
        assert statuses[0] == 200
        assert statuses[-1] == 429
        assert sorted(statuses) == statuses
        refused = (await service.client.get(f"{V1}/query", params={"q": _ONE})).json()
        assert (refused["code"], refused["retryable"]) == ("org.caller_share_spent", True)
        await _sign_in(service)
        assert (await service.client.get(f"{V1}/query", params={"q": _ONE})).status_code == 200


_ONE = "SELECT Id FROM Account LIMIT 1"


@pytest.mark.orgbridge(daily_api_requests=5)
async def test_a_spent_quota_is_told_as_limited(api: httpx2.AsyncClient) -> None:
    """Salesforce's 403 REQUEST_LIMIT_EXCEEDED is the caller's 429, not a 403, and not retried."""
    replies = [await api.get(f"{V1}/query", params={"q": _ONE}) for _ in range(7)]
    assert [reply.status_code for reply in replies] == [200] * 5 + [429] * 2
    assert replies[-1].json()["code"] == "salesforce.request_limit_exceeded"


async def test_pain_10_overload_is_waited_out_and_halves_the_calls(
    api: httpx2.AsyncClient, orgbridge_org: HostedOrg, service: LoneService
) -> None:
    """A 503 is tried again with fewer calls at once; the caller sees success."""
    orgbridge_org.control.fault("unavailable", path="/query")
    reply = await api.get(f"{V1}/query", params={"q": _ONE})
    assert reply.status_code == 200
    told = (await api.get(f"{V1}/limits")).json()["service"]["concurrency"]
    assert told["limit"] < told["ceiling"]


async def test_a_composite_call_carries_references_and_tells_each_outcome(api: httpx2.AsyncClient) -> None:
    """A contact is made for the account made before it; a query in the same call finds it."""
    body = {
        "allOrNone": True,
        "compositeRequest": [
            {"method": "POST", "url": "sobjects/Account", "referenceId": "a", "body": {"Name": "Composite"}},
            {
                "method": "POST",
                "url": "/services/data/v40.0/sobjects/Contact",
                "referenceId": "c",
                "body": {"LastName": "Ada", "AccountId": "@{a.id}"},
            },
            {
                "method": "GET",
                "url": "query?q=SELECT+LastName+FROM+Contact+WHERE+AccountId='@{a.id}'",
                "referenceId": "q",
            },
            {"method": "GET", "url": "sobjects/Account/@{a.id}?fields=Name", "referenceId": "r"},
        ],
    }
    reply = (await api.post(f"{V1}/composite", json=body)).json()["compositeResponse"]
    assert [item["httpStatusCode"] for item in reply] == [201, 201, 200, 200], reply
    assert [item["referenceId"] for item in reply] == ["a", "c", "q", "r"]
    assert reply[2]["body"]["records"][0]["LastName"] == "Ada"
    assert reply[3]["body"]["Name"] == "Composite"


async def test_a_reader_may_read_by_composite_and_not_write(service: LoneService, orgbridge_org: HostedOrg) -> None:
    """The scope is looked at subrequest by subrequest, before anything is sent."""
    await _sign_in(service, "records:read")
    read = {"method": "GET", "url": "query?q=SELECT+Id+FROM+Account", "referenceId": "q"}
    write = {"method": "POST", "url": "sobjects/Account", "referenceId": "a", "body": {"Name": "x"}}
    assert (await service.client.post(f"{V1}/composite", json={"compositeRequest": [read]})).status_code == 200
    before = len(orgbridge_org.control.requests(path="/composite"))
    refused = await service.client.post(f"{V1}/composite", json={"compositeRequest": [read, write]})
    assert (refused.status_code, refused.json()["code"]) == (403, "identity.scope_missing")
    assert len(orgbridge_org.control.requests(path="/composite")) == before


async def test_pain_33_rows_that_met_a_lock_go_again_alone(api: httpx2.AsyncClient, orgbridge_org: HostedOrg) -> None:
    """A collections call refused by a lock is made again and every record is saved once."""
    orgbridge_org.control.fault("row_lock", path="/composite/sobjects")
    await _made(api, "Locked")
    query = {"q": "SELECT COUNT() FROM Account WHERE Name = 'Locked'"}
    assert (await api.post(f"{V1}/query", json=query)).json()["totalSize"] == 1


async def test_pain_2_and_3_an_expired_session_is_renewed_once_for_parallel_batches(
    api: httpx2.AsyncClient, orgbridge_org: HostedOrg
) -> None:
    """Three collections in parallel meet an expired session; each record is there once, and nothing is told."""
    await _made(api, "before")
    orgbridge_org.control.fault("expire_sessions")
    await _made(api, *(f"Renewed {n}" for n in range(600)))
    query = {"q": "SELECT COUNT() FROM Account WHERE Name LIKE 'Renewed %'"}
    assert (await api.post(f"{V1}/query", json=query)).json()["totalSize"] == 600


async def test_every_error_of_these_routes_is_declared(service: LoneService) -> None:
    """The document declares each status with the problem shape, and an example of every body and reply."""
    document = (await service.client.get("/openapi.json")).json()
    paths = [path for path in document["paths"] if "/bulk/" not in path and path.startswith(V1)]
    for name in ("/query", "/query/next/{cursor}", "/search", "/limits", "/composite", "/sobjects", "/records/batch"):
        assert V1 + name in paths
        for operation in document["paths"][V1 + name].values():
            assert {"401", "403", "422", "429", "500", "502", "503"} <= set(operation["responses"]), name
            reply = operation["responses"].get("200", {}).get("content", {}).get("application/json", {})
            shape = reply.get("schema", {}).get("$ref", "").rsplit("/", 1)[-1]
            assert "example" in reply or "examples" in document["components"]["schemas"][shape], name


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bad=st.sets(st.integers(0, 420), max_size=30))
def test_mixed_outcomes_come_in_the_order_of_the_input(
    bad: set[int], orgbridge_host: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever records lack their name, result n tells of record n, and what was saved is what was told."""

    async def run() -> None:
        with orgbridge_host.org() as org:
            async with lone_service(tmp_path_factory.mktemp("mixed"), **_org_settings(org)) as service:
                await _sign_in(service)
                records = [{} if n in bad else {"Name": f"M{n}"} for n in range(421)]
                records = [{**record, "Phone": str(n)} for n, record in enumerate(records)]
                body = {"object_name": "Account", "operation_type": "create", "records": records}
                done = (await service.client.post(f"{V1}/records/batch", json=body)).json()
                assert [not result["success"] for result in done["results"]] == [n in bad for n in range(421)]
                saved: dict[str, str] = {}
                reply = await service.client.get(f"{V1}/query", params={"q": "SELECT Id, Phone FROM Account"})
                for record in reply.json()["records"]:
                    saved[record["Id"]] = record["Phone"]
                told = {r["id"]: str(n) for n, r in enumerate(done["results"]) if r["success"]}
                assert told == {key: value for key, value in saved.items() if key in told}
                assert len(told) == 421 - len(bad)

    asyncio.run(run())


async def test_the_short_way_of_a_read_answers_as_the_long_way(service: LoneService) -> None:
    """A plain read skips the framework; with an Origin header it does not, and both answer alike, errors too."""
    api = service.client
    api.headers["Authorization"] = f"Bearer {await service.token(admin=True)}"
    (record_id,) = await _made(api, "Short")
    for path in (
        f"{V1}/records/Account/{record_id}",
        f"{V1}/records/Account/{record_id[:15]}?fields=Name,Industry",
        f"{V1}/records/Account/{record_id}?fields=Nope",
        f"{V1}/records/Account/001000000000000AAA",
        f"{V1}/records/Nope/{record_id}",
    ):
        short = await api.get(path)
        long = await api.get(path, headers={"Origin": "https://console.example.com"})
        assert (short.status_code, short.headers["content-type"]) == (long.status_code, long.headers["content-type"])
        assert {**short.json(), "request_id": ""} == {**long.json(), "request_id": ""}, path
    refused = await api.get(f"{V1}/records/Account/{record_id}", headers={"Authorization": "Bearer nobody"})
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, 'Bearer error="invalid_token"')
    metrics = (await api.get("/metrics", headers={"Accept": "text/plain"})).text
    assert 'route="/api/v1/records/{object_name}/{record_id}",status="200"' in metrics


async def test_every_way_through_the_api_shows_what_the_role_shows(service: LoneService) -> None:
    """A role with a policy holds for the short way of a read, queries of every form, searches and composite calls."""
    api = service.client
    api.headers["Authorization"] = f"Bearer {await service.token(admin=True)}"
    body = {"object_name": "Account", "operation_type": "create"}
    records = [
        {"Name": "Zzbank", "Industry": "Banking", "Phone": "031 555 1234"},
        {"Name": "Zzshop", "Industry": "Retail", "Phone": "031 555 9999"},
    ]
    made = (await api.post(f"{V1}/records/batch", json={**body, "records": records})).json()
    bank, shop = (result["id"] for result in made["results"])
    rule = {
        "operations": "*",
        "where": "Industry = 'Banking'",
        "masked": {"Phone": "last4"},
        "hidden": ["AnnualRevenue"],
    }
    role = {
        "name": "banker",
        "scopes": ["records:read", "records:write"],
        "policy": {"objects": {"Account": rule}, "max_rows": 5},
    }
    assert (await api.post(f"{V1}/roles", json=role)).status_code == 201
    password = "correct horse battery"
    user = {"username": "ada", "password": password, "roles": ["banker"]}
    assert (await api.post(f"{V1}/users", json=user)).status_code == 201
    form = {"grant_type": "password", "username": "ada", "password": password}
    token = (await api.post("/token", data=form)).json()["access_token"]
    api.headers["Authorization"] = f"Bearer {token}"
    for headers in ({}, {"Origin": "https://console.example.com"}):
        seen = (await api.get(f"{V1}/records/Account/{bank}", headers=headers)).json()["data"]
        assert (seen["Phone"], "AnnualRevenue" in seen) == ("********1234", False)
        hidden = await api.get(f"{V1}/records/Account/{shop}", headers=headers)
        assert (hidden.status_code, hidden.json()["code"]) == (404, "policy.record_not_found")
    query = {"q": "SELECT Name, Phone FROM Account WHERE Name IN :names", "binds": {"names": ["Zzbank", "Zzshop"]}}
    page = (await api.post(f"{V1}/query", json=query)).json()
    assert [(row["Name"], row["Phone"]) for row in page["records"]] == [("Zzbank", "********1234")]
    assert page["row_cap"] == 5
    for form_asked in ("application/x-ndjson", "text/csv"):
        lines = await api.post(f"{V1}/query", json=query, headers={"Accept": form_asked})
        assert lines.headers["orgbridge-row-cap"] == "5"
        assert "********1234" in lines.text
        assert "Zzshop" not in lines.text
        assert "555" not in lines.text
    found = await api.get(f"{V1}/search", params={"q": "FIND {Zz*} IN EMAIL FIELDS RETURNING Account(Name, Phone)"})
    assert found.status_code == 200
    assert "Zzshop" not in found.text
    subrequest = {"method": "PATCH", "url": f"sobjects/Account/{shop}", "referenceId": "a", "body": {"Name": "x"}}
    refused = await api.post(f"{V1}/composite", json={"compositeRequest": [subrequest]})
    assert (refused.status_code, refused.json()["code"]) == (404, "policy.record_not_found")
    assert "subrequest 1" in refused.json()["detail"]
    wrong = {"object_name": "Account", "data": {"Name": "x", "Industry": "Banking", "NumberOfEmployees": "many"}}
    told = (await api.post(f"{V1}/records/create", json=wrong)).json()
    assert "NumberOfEmployees" in told["detail"]
    assert "AnnualRevenue" not in str(told)
