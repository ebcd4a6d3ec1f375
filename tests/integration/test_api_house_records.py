"""Records and queries of the API over a whole house, everything real."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.integration.test_api_contract import check_problem
from tests.support.local_house import LocalHouse, house

__all__ = ["house"]


def test_a_record_lives_its_whole_life(house: LocalHouse) -> None:
    """Create, read, update, read by external id, delete; then it is gone with a 404."""
    with house.client() as client:
        made = client.post(
            "/records/create", json={"object_name": "Account", "data": {"Name": "Life", "External_Id__c": "life-1"}}
        )
        assert made.status_code == 201
        record_id = made.json()["record_id"]
        assert set(made.json()) == {"success", "message", "record_id", "data", "errors"}
        changed = client.patch(
            "/records/update",
            json={"object_name": "Account", "record_id": record_id[:15], "data": {"Industry": "Technology"}},
        )
        assert changed.json()["record_id"] == record_id
        read = client.get(f"/records/Account/{record_id}", params={"fields": "Name,Industry"}).json()["data"]
        assert (read["Name"], read["Industry"]) == ("Life", "Technology")
        by_key = client.get("/records/Account/life-1", params={"external_id_field": "External_Id__c"})
        slashed = {"object_name": "Account", "external_id_field": "External_Id__c", "record_id": "a/b c?d#é%"}
        made = client.post("/records/upsert", json={**slashed, "data": {"Name": "Slashed"}}).json()
        found = client.get("/records/Account/a%2Fb%20c%3Fd%23%C3%A9%25", params={"external_id_field": "External_Id__c"})
        assert found.json()["record_id"] == made["record_id"]
        assert by_key.json()["record_id"] == record_id
        assert client.delete(f"/records/Account/{record_id}").json()["success"] is True
        body = check_problem(client.get(f"/records/Account/{record_id}"), 404, "salesforce.record_deleted")
        assert body["upstream"][0]["errorCode"] == "ENTITY_IS_DELETED"


def test_an_upsert_says_whether_it_created(house: LocalHouse) -> None:
    """The first upsert of a key creates, the second updates the same record."""
    body = {
        "object_name": "Contact",
        "external_id_field": "External_Id__c",
        "record_id": "legacy-contact-123",
        "data": {"LastName": "Smith", "Email": "smith@example.com"},
    }
    with house.client() as client:
        first, second = (client.post("/records/upsert", json=body).json() for _ in range(2))
    assert (first["created"], second["created"]) == (True, False)
    assert first["record_id"] == second["record_id"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/records/Account/..%2f..%2flimits", None),
        ("GET", "/records/Acc%2fount/001Ob0000000001IAA", None),
        ("DELETE", "/records/Account/001Ob0000000001IAA%3Fx", None),
        ("POST", "/records/create", {"object_name": "Account/../Lead", "data": {"Name": "x"}}),
        ("PATCH", "/records/update", {"object_name": "Account", "record_id": "../../limits", "data": {"Name": "x"}}),
        ("GET", "/records/Account/001Ob0000000001IAA?fields=Name%26x=1", None),
        ("GET", "/query/next/Li4vLi4vbGltaXRz", None),
    ],
)
def test_nothing_gets_into_a_path(house: LocalHouse, method: str, path: str, body: Any) -> None:
    """Words that would change the path at Salesforce are refused before anything is sent."""
    with house.client() as client:
        before = client.get("/limits").json()["service"]["salesforce_calls"]
        reply = client.request(method, path, json=body)
        after = client.get("/limits").json()["service"]["salesforce_calls"]
    assert reply.status_code in (400, 404, 422), reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    assert after - before == 1


def test_a_batch_keeps_the_order_of_its_input(house: LocalHouse) -> None:
    """450 records go in three calls; each result stands where its record stood, failures included."""
    records: list[dict[str, str]] = [{"LastName": f"L{n}", "Company": f"Batch {n}"} for n in range(450)]
    for n in (0, 199, 200, 449):
        del records[n]["LastName"]
    with house.client() as client:
        before = client.get("/limits").json()["service"]["salesforce_calls"]
        body = {"object_name": "Lead", "operation_type": "create", "records": records, "use_bulk_api": False}
        reply = client.post("/records/batch", json=body).json()
        after = client.get("/limits").json()["service"]["salesforce_calls"]
        assert (reply["success"], reply["records_succeeded"], reply["records_failed"]) == (False, 446, 4)
        failed = [n for n, result in enumerate(reply["results"]) if not result["success"]]
        assert failed == [0, 199, 200, 449]
        assert reply["results"][0]["errors"][0]["errorCode"] == "REQUIRED_FIELD_MISSING"
        assert after - before == 4
        for n in (1, 201, 448):
            found = client.get(f"/records/Lead/{reply['results'][n]['id']}", params={"fields": "Company"}).json()
            assert found["data"]["Company"] == f"Batch {n}"
        ids = [{"Id": result["id"]} for result in reply["results"] if result["id"]]
        gone = client.post(
            "/records/batch", json={"object_name": "Lead", "operation_type": "delete", "records": ids}
        ).json()
        assert (gone["success"], gone["records_succeeded"]) == (True, 446)


def test_all_or_none_saves_nothing_when_one_fails(house: LocalHouse) -> None:
    """One bad record undoes its neighbours; above one call's size the promise is refused, not broken."""
    records = [{"Name": "AllOrNone"}, {"Industry": "Technology"}]
    body = {"object_name": "Account", "operation_type": "insert", "records": records, "all_or_none": True}
    with house.client() as client:
        assert client.post("/records/batch", json=body).json()["records_succeeded"] == 0
        found = client.get("/query", params={"q": "SELECT COUNT() FROM Account WHERE Name = 'AllOrNone'"}).json()
        assert found["totalSize"] == 0
        body["records"] = [{"Name": "AllOrNone"}] * 201
        check_problem(client.post("/records/batch", json=body), 400, "request.invalid")


def test_a_batch_for_the_bulk_api_becomes_a_load(house: LocalHouse) -> None:
    """`use_bulk_api` true answers 202 with a job whose rows end as the records were."""
    body = {
        "object_name": "Account",
        "operation_type": "create",
        "records": [{"Name": "Bulk A", "Description": None}, {"Name": "Bulk B", "Industry": "Technology"}],
        "use_bulk_api": True,
    }
    with house.client() as client:
        reply = client.post("/records/batch", json=body)
    assert reply.status_code == 202
    status = house.wait(reply.json()["job_id"])
    assert (status["state"], status["records_processed"], status["records_failed"]) == ("JobComplete", 2, 0)


def test_a_query_pages_streams_and_refuses(house: LocalHouse) -> None:
    """JSON by pages with a cursor, NDJSON and CSV whole, Salesforce's own words for a query it cannot run."""
    records = [{"Name": f"Page {n}", "AccountNumber": "paged"} for n in range(450)]
    with house.client() as client:
        client.post("/records/batch", json={"object_name": "Account", "operation_type": "create", "records": records})
        soql = "SELECT Name, Owner.Username FROM Account WHERE AccountNumber = 'paged' ORDER BY CreatedDate, Id"
        page = client.get("/query", params={"q": soql}).json()
        assert (page["totalSize"], page["done"], page["next"]) == (450, True, None)
        lines = client.post("/query", json={"q": soql}, headers={"Accept": "application/x-ndjson"}).text.splitlines()
        assert len(lines) == 450
        assert set(json.loads(lines[0])) == {"Name", "Owner"}
        table = client.post("/query", json={"q": soql}, headers={"Accept": "text/csv"}).text.splitlines()
        assert (table[0], len(table)) == ("Name,Owner.Username", 451)
        assert table[1].endswith(",admin@local.org")
        body = check_problem(client.get("/query", params={"q": "SELECT Nope FROM Account"}), 400, "salesforce.invalid")
        assert body["upstream"][0]["errorCode"] == "INVALID_FIELD"
        csv = client.get("/query", params={"q": "SELECT COUNT(Id) n FROM Account"}, headers={"Accept": "text/csv"})
        check_problem(csv, 400, "request.invalid")


def test_deleted_records_are_read_by_whoever_asks_for_them(house: LocalHouse) -> None:
    """`include_deleted` by GET, POST and as a stream, and `queryAll` by Bulk, have the record; nothing else has."""
    with house.client() as client:
        made = client.post("/records/create", json={"object_name": "Account", "data": {"Name": "Bygone"}}).json()
        assert client.delete(f"/records/Account/{made['record_id']}").status_code == 200
        soql = "SELECT Name, IsDeleted FROM Account WHERE Name = 'Bygone'"
        found = [
            client.get("/query", params={"q": soql, "include_deleted": deleted}).json()["records"]
            for deleted in ("false", "true")
        ]
        assert [[row["IsDeleted"] for row in rows] for rows in found] == [[], [True]]
        body = {"q": soql, "include_deleted": True}
        assert client.post("/query", json=body).json()["totalSize"] == 1
        assert client.post("/query", json=body, headers={"Accept": "text/csv"}).text.splitlines()[1] == "Bygone,true"
        counts = []
        for operation in ("query", "queryAll"):
            asked = {"object_name": "Account", "soql_query": soql, "operation": operation}
            counts.append(
                house.wait(client.post("/bulk/query-submit", json=asked).json()["job_id"])["records_processed"]
            )
        assert counts == [0, 1]


def test_a_large_query_goes_on_by_cursor(house: LocalHouse) -> None:
    """More than one page is walked by `next` and the Link header until nothing is left, no record twice."""
    rows = b"Name,AccountNumber\n" + b"".join(b"Cursor %d,cursor\n" % n for n in range(2300))
    with house.client() as client:
        query = {"object_name": "Account", "operation_type": "insert"}
        loaded = client.post("/bulk/dml-file-upload", params=query, files={"file": ("in.csv", rows)})
    house.wait(loaded.json()["job_id"])
    seen: list[str] = []
    with house.client() as client:
        page = client.get("/query", params={"q": "SELECT Id FROM Account WHERE AccountNumber = 'cursor'"})
        while True:
            seen += [record["Id"] for record in page.json()["records"]]
            if page.json()["next"] is None:
                break
            assert page.headers["link"] == f'<{page.json()["next"]}>; rel="next"'
            page = client.get(page.json()["next"].removeprefix("/api/v1"))
    assert (len(seen), len(set(seen))) == (2300, 2300)


def test_describes_are_given_once(house: LocalHouse) -> None:
    """The second caller who knows the tag gets 304; an unknown object is a 404."""
    with house.client() as client:
        first = client.get("/sobjects/Account/describe")
        again = client.get("/sobjects/Account/describe", headers={"If-None-Match": first.headers["etag"]})
        assert (first.json()["name"], again.status_code, again.content) == ("Account", 304, b"")
        assert "Account" in {item["name"] for item in client.get("/sobjects").json()["sobjects"]}
        check_problem(client.get("/sobjects/Nope/describe"), 404, "salesforce.not_found")
