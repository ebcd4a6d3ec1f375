"""Rows, describes, collections, queries: shapes and statuses of the REST API."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable

import pytest

from tests.unit.emulator.http.conftest import Caller, V

KEY = "External_Id__c"


def make(call: Caller, **values: object) -> str:
    """Insert an account and return its id."""
    reply = call("POST", "/sobjects/Account", json={"Name": "Acme", **values})
    assert reply.status_code == 201, reply.text
    return str(reply.json()["id"])


def code(reply: object) -> str:
    """Return the code of the first error."""
    return str(reply.json()[0]["errorCode"])  # type: ignore[attr-defined]


@pytest.mark.documented
def test_versions_need_no_session_and_are_not_counted(call: Caller) -> None:
    """The list ascends, ends with the newest, and carries no usage header."""
    reply = call.http.get("/services/data/")
    assert [item["version"] for item in reply.json()][-1] == "67.0"
    assert "sforce-limit-info" not in reply.headers


def test_every_call_is_counted_and_says_so(call: Caller) -> None:
    """The header counts up by one a call, errors included, and has no suffix."""
    first, second = call("GET", "/limits"), call("GET", "/nothing")
    used = [
        int(reply.headers["sforce-limit-info"].removeprefix("api-usage=").partition("/")[0])
        for reply in (first, second)
    ]
    assert used[1] == used[0] + 1
    assert first.json()["DailyApiRequests"]["Remaining"] == 5_000_000 - used[0]


def test_spent_calls_are_refused_and_the_count_outlives_a_restart(make_caller: Callable[..., Caller]) -> None:
    """The day's last call works, the next gets 403; a day later calls are free again."""
    call = make_caller(daily_api_requests=2)
    call.sign_in()
    statuses = [call("GET", "/limits").status_code for _ in range(3)]
    assert statuses == [200, 200, 403]
    assert code(call("GET", "/limits")) == "REQUEST_LIMIT_EXCEEDED"
    call.clock.ahead = call.clock.ahead.resolution * 3_600_000_000 * 25
    call.sign_in()
    assert call("GET", "/limits").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "error"),
    [
        ("GET", "/services/data/v30.0/sobjects", 410, "UNSUPPORTED_API_VERSION"),
        ("GET", "/services/data/v68.0/sobjects", 404, "NOT_FOUND"),
        ("GET", "/services/data/vNext/sobjects", 404, "NOT_FOUND"),
        ("GET", "/sobjects/Nope/describe", 404, "NOT_FOUND"),
        ("PUT", "/sobjects/Account/001000000000001", 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/sobjects/Account/notanid", 404, "NOT_FOUND"),
        ("GET", "/sobjects/Account/001000000000001AAA", 404, "NOT_FOUND"),
        ("GET", "/query", 400, "MALFORMED_QUERY"),
        ("GET", "/query?explained=1", 403, "FUNCTIONALITY_NOT_ENABLED"),
        ("GET", "/query/0r8Ob0000000001IAA-2000", 400, "INVALID_QUERY_LOCATOR"),
        ("GET", "/query/nonsense", 400, "INVALID_QUERY_LOCATOR"),
        ("DELETE", "/composite/sobjects?ids=" + ",".join(["001000000000001"] * 201), 400, "EXCEEDED_ID_LIMIT"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_refusals(call: Caller, method: str, path: str, status: int, error: str) -> None:
    """Wrong addresses, methods and versions get the platform's status and code in a list."""
    reply = call(method, path)
    assert (reply.status_code, code(reply)) == (status, error)


def test_method_not_allowed_names_what_is(call: Caller) -> None:
    """The text lists the methods."""
    reply = call("POST", "/limits")
    assert reply.json()[0]["message"] == "HTTP Method 'POST' not allowed. Allowed are GET,HEAD"


def test_paths_know_no_case_and_forgive_a_slash(call: Caller) -> None:
    """Old and sloppy clients find what they look for."""
    record_id = make(call)
    for path in ("/SOBJECTS/account/", f"/sobjects/ACCOUNT/{record_id}/", f"/sObjects/Account/{record_id[:15]}"):
        assert call("GET", path).status_code == 200, path


@pytest.mark.documented
def test_crud(call: Caller) -> None:
    """Created with Location, read with attributes, changed and deleted with 204, then gone as ENTITY_IS_DELETED."""
    reply = call("POST", "/sobjects/Account/", json={"Name": "Ä", "NumberOfEmployees": 3})
    record_id = reply.json()["id"]
    assert reply.json() == {"id": record_id, "success": True, "errors": []}
    assert reply.headers["location"] == f"{V}/sobjects/Account/{record_id}"
    row = call("GET", f"/sobjects/Account/{record_id}?fields=name,NumberOfEmployees").json()
    url = f"{V}/sobjects/Account/{record_id}"
    assert row == {"attributes": {"type": "Account", "url": url}, "Name": "Ä", "NumberOfEmployees": 3, "Id": record_id}
    changed = call("PATCH", f"/sobjects/Account/{record_id}", json={"Name": "B", "NumberOfEmployees": None})
    assert (changed.status_code, changed.content) == (204, b"")
    assert call("GET", f"/sobjects/Account/{record_id}").json()["NumberOfEmployees"] is None
    by_post = call("POST", f"/sobjects/Account/{record_id}?_HttpMethod=PATCH", json={"Name": "C"})
    assert by_post.status_code == 204
    assert call("HEAD", f"/sobjects/Account/{record_id}").status_code == 200
    assert call("DELETE", f"/sobjects/Account/{record_id}").status_code == 204
    gone = call("DELETE", f"/sobjects/Account/{record_id}")
    assert (gone.status_code, gone.json()) == (
        404,
        [{"message": "entity is deleted", "errorCode": "ENTITY_IS_DELETED", "fields": []}],
    )


@pytest.mark.parametrize(
    ("body", "error", "fields"),
    [
        ({}, "REQUIRED_FIELD_MISSING", ["Name"]),
        ({"Name": "x", "Nope": 1}, "INVALID_FIELD", None),
        ({"Name": "x" * 256}, "STRING_TOO_LONG", ["Name"]),
        ({"Name": "x", "CreatedDate": "2020-01-01T00:00:00Z"}, "INVALID_FIELD_FOR_INSERT_UPDATE", ["CreatedDate"]),
    ],
    ids=["required", "unknown", "long", "read-only"],
)
def test_bad_rows_are_refused(call: Caller, body: dict[str, object], error: str, fields: list[str] | None) -> None:
    """The reply is 400 with code and fields, and nothing is saved."""
    reply = call("POST", "/sobjects/Account", json=body)
    assert (reply.status_code, code(reply)) == (400, error)
    if fields is not None:
        assert reply.json()[0]["fields"] == fields
    assert call("GET", "/query?q=SELECT+COUNT()+FROM+Account").json()["totalSize"] == 0


def test_a_body_that_is_no_json_object_is_refused(call: Caller) -> None:
    """Broken JSON, a list and another content type are told apart from a bad row."""
    headers = {"Content-Type": "application/json"}
    assert code(call("POST", "/sobjects/Account", content=b"{oops", headers=headers)) == "JSON_PARSER_ERROR"
    assert code(call("POST", "/sobjects/Account", content=b"[]", headers=headers)) == "JSON_PARSER_ERROR"
    reply = call("POST", "/sobjects/Account", content=b"<a/>", headers={"Content-Type": "application/xml"})
    assert reply.status_code == 415


def test_upsert_by_external_id_by_version(call: Caller) -> None:
    """201 and 200 with a body, 204 without one up to v45; a key with a slash works."""
    first = call("PATCH", f"/sobjects/Account/{KEY}/a%2Fb", json={"Name": "A"})
    assert (first.status_code, first.json()["created"]) == (201, True)
    second = call("PATCH", f"/sobjects/Account/{KEY}/a%2Fb", json={"Name": "B"})
    assert (second.status_code, second.json()["created"]) == (200, False)
    old = call("PATCH", f"/services/data/v45.0/sobjects/Account/{KEY}/a%2Fb", json={"Name": "C"})
    assert (old.status_code, old.content) == (204, b"")
    row = call("GET", f"/sobjects/Account/{KEY}/a%2Fb").json()
    assert (row["Name"], row[KEY]) == ("C", "a/b")
    assert code(call("PATCH", f"/sobjects/Account/{KEY}/x", json={KEY: "x", "Name": "N"})) == "INVALID_FIELD"
    assert call("PATCH", f"/sobjects/Account/{KEY}/new?updateOnly=true", json={"Name": "N"}).status_code == 404
    assert call("PATCH", "/sobjects/Account/Phone/1", json={"Name": "N"}).status_code == 404
    assert call("DELETE", f"/sobjects/Account/{KEY}/a%2Fb").status_code == 204
    assert call("GET", f"/sobjects/Account/{KEY}/a%2Fb").status_code == 404


def test_describe_and_its_conditions(call: Caller) -> None:
    """57 keys a field, and 304 for whoever has it already."""
    reply = call("GET", "/sobjects/account/describe")
    assert {len(field) for field in reply.json()["fields"]} == {57}
    for header in ({"If-None-Match": reply.headers["etag"]}, {"If-Modified-Since": reply.headers["last-modified"]}):
        again = call("GET", "/sobjects/Account/describe", headers=header)
        assert (again.status_code, again.content) == (304, b"")
    old = {"If-Modified-Since": "Mon, 01 Jan 2001 00:00:00 GMT"}
    assert call("GET", "/sobjects/Account/describe", headers=old).status_code == 200
    assert code(call("GET", "/sobjects/Account/describe", headers={"If-Modified-Since": "soon"})) == "INVALID_FIELD"
    make(call)
    info = call("GET", "/sobjects/Account").json()
    assert info["recentItems"][0]["Name"] == "Acme"
    assert info["objectDescribe"]["keyPrefix"] == "001"
    assert call("GET", "/limits/recordCount?sObjects=Account,Contact").json() == {
        "sObjects": [{"count": 1, "name": "Account"}]
    }


def test_rows_answer_date_conditions(call: Caller) -> None:
    """A row that did not change since gives 304, one that did gives 412 to a careful writer."""
    record_id = make(call)
    path = f"/sobjects/Account/{record_id}"
    future, past = "Mon, 01 Jan 2990 00:00:00 GMT", "Mon, 01 Jan 2001 00:00:00 GMT"
    assert call("GET", path, headers={"If-Modified-Since": future}).status_code == 304
    assert call("GET", path, headers={"If-Modified-Since": past}).status_code == 200
    assert call("PATCH", path, headers={"If-Unmodified-Since": past}, json={"Name": "B"}).status_code == 412
    assert call("GET", path).json()["Name"] == "Acme"
    assert call("GET", f"{path}?fields=Name", headers={"If-Modified-Since": future}).status_code == 304


def test_headers_that_cannot_be_honoured_are_refused(call: Caller) -> None:
    """Unknown Sforce headers and XML replies are refused, known ones pass."""
    assert call("GET", "/limits", headers={"Sforce-Time-Travel": "1"}).status_code == 403
    assert call("GET", "/limits", headers={"Accept": "application/xml"}).status_code == 406
    assert call("GET", "/limits", headers={"Sforce-Call-Options": "client=x"}).status_code == 200
    reply = call("GET", "/query?q=SELECT+Id+FROM+Account", headers={"Sforce-Query-Options": "fast=1"})
    assert reply.status_code == 400


def test_pages_of_a_query_neither_skip_nor_repeat(call: Caller) -> None:
    """Rows inserted between two pages do not show; a page can be read twice; queryAll's locator works too."""
    for start in range(0, 450, 150):
        records = [{"attributes": {"type": "Account"}, "Name": f"N{start + n:04d}"} for n in range(150)]
        call("POST", "/composite/sobjects", json={"records": records})
    small = {"Sforce-Query-Options": "batchSize=200"}
    page = call("GET", "/query?q=SELECT+Name+FROM+Account+ORDER+BY+Name", headers=small).json()
    assert (page["totalSize"], page["done"], len(page["records"])) == (450, False, 200)
    names = [row["Name"] for row in page["records"]]
    make(call, Name="A first")
    make(call, Name="Z last")
    while not page["done"]:
        url = page["nextRecordsUrl"]
        page = call("GET", url).json()
        assert call("GET", url.replace("/query/", "/queryAll/")).json() == page
        names += [row["Name"] for row in page["records"]]
    assert names == [f"N{n:04d}" for n in range(450)]
    assert "nextRecordsUrl" not in page


def test_a_cursor_outlives_a_restart(make_caller: Callable[..., Caller]) -> None:
    """The second page of a query can be read from the next process."""
    call = make_caller()
    call.sign_in()
    for _ in range(2):
        records = [{"attributes": {"type": "Account"}, "Name": "x"}] * 150
        call("POST", "/composite/sobjects", json={"records": records})
    small = {"Sforce-Query-Options": "batchSize=200"}
    url = call("GET", "/query?q=SELECT+Id+FROM+Account", headers=small).json()["nextRecordsUrl"]
    again = make_caller()
    again.headers = call.headers
    assert len(again("GET", url).json()["records"]) == 100


def test_deleted_rows_show_in_query_all_only(call: Caller) -> None:
    """The recycle bin is seen by queryAll and not by query."""
    record_id = make(call)
    call("DELETE", f"/sobjects/Account/{record_id}")
    assert call("GET", "/query/?q=SELECT+Id+FROM+Account").json()["totalSize"] == 0
    rows = call("GET", "/queryAll?q=SELECT+Id,IsDeleted+FROM+Account").json()["records"]
    assert [row["IsDeleted"] for row in rows] == [True]


@pytest.mark.documented
def test_collections_report_each_row(call: Caller) -> None:
    """Failed items have statusCode and no id; good ones stay unless allOrNone."""
    records = [
        {"attributes": {"type": "Account"}, "Name": "Good"},
        {"attributes": {"type": "Account"}},
        {"attributes": {"type": "Contact"}, "LastName": "Mixed"},
    ]
    good, bad, mixed = call("POST", "/composite/sobjects", json={"records": records}).json()
    assert list(good) == ["id", "success", "errors"]
    assert bad == {
        "success": False,
        "errors": [
            {
                "statusCode": "REQUIRED_FIELD_MISSING",
                "message": "Required fields are missing: [Name]",
                "fields": ["Name"],
            }
        ],
    }
    assert mixed["id"].startswith("003")
    rolled = call("POST", "/composite/sobjects", json={"allOrNone": True, "records": records})
    assert rolled.status_code == 200
    assert [item["errors"][0]["statusCode"] for item in rolled.json()] == [
        "ALL_OR_NONE_OPERATION_ROLLED_BACK",
        "REQUIRED_FIELD_MISSING",
        "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    ]
    assert call("GET", "/query?q=SELECT+COUNT()+FROM+Account").json()["totalSize"] == 1


def test_collections_update_upsert_retrieve_and_delete(call: Caller) -> None:
    """All verbs work, with `id` or `Id`, and missing rows are null."""
    ids = [make(call, **{KEY: f"k{n}"}) for n in range(2)]
    records = [
        {"attributes": {"type": "Account"}, "id": ids[0], "Name": "One"},
        {"attributes": {"type": "Account"}, "Id": ids[1], "Name": "Two"},
    ]
    assert [item["success"] for item in call("PATCH", "/composite/sobjects", json={"records": records}).json()] == [
        True
    ] * 2
    upserts = [{"attributes": {"type": "Account"}, KEY: key, "Name": key} for key in ("k0", "k9")]
    reply = call("PATCH", f"/composite/sobjects/Account/{KEY}", json={"records": upserts}).json()
    assert [item["created"] for item in reply] == [False, True]
    missing = "001000000000009AAA"
    rows = call("GET", f"/composite/sobjects/Account?ids={ids[1]},{missing}&fields=Name").json()
    assert (rows[0]["Name"], rows[1]) == ("Two", None)
    assert call("POST", "/composite/sobjects/Account", json={"ids": ids, "fields": ["Name"]}).json()[0]["Name"] == "k0"
    gone = call("DELETE", f"/composite/sobjects?ids={ids[0]},{missing}").json()
    assert [item["success"] for item in gone] == [True, False]


def test_too_many_records_or_types_are_refused(call: Caller) -> None:
    """201 records, 11 runs of types, and records without a type make no call at all."""
    account, contact = (
        {"attributes": {"type": "Account"}, "Name": "x"},
        {"attributes": {"type": "Contact"}, "LastName": "x"},
    )
    assert code(call("POST", "/composite/sobjects", json={"records": [account] * 201})) == "EXCEEDED_ID_LIMIT"
    assert code(call("POST", "/composite/sobjects", json={"records": [account, contact] * 6})) == "EXCEEDED_ID_LIMIT"
    assert code(call("POST", "/composite/sobjects", json={"records": [{"Name": "x"}]})) == "INVALID_TYPE"
    assert call("GET", "/query?q=SELECT+COUNT()+FROM+Account").json()["totalSize"] == 0


def test_pretty_print(call: Caller) -> None:
    """X-PrettyPrint gives the same value in many lines."""
    plain, pretty = call("GET", "/limits"), call("GET", "/limits", headers={"X-PrettyPrint": "1"})
    assert b"\n" not in plain.content
    assert b'" : ' in pretty.content
    assert plain.json().keys() == pretty.json().keys()


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_packed_bodies_both_ways(call: Caller, encoding: str) -> None:
    """A packed request is unpacked, and a long reply is packed for whoever asks."""
    body = json.dumps({"Name": "Packed"}).encode()
    packed = gzip.compress(body) if encoding == "gzip" else zlib.compress(body)
    headers = {"Content-Encoding": encoding, "Content-Type": "application/json"}
    assert call("POST", "/sobjects/Account", content=packed, headers=headers).status_code == 201
    assert "content-encoding" not in call("GET", "/sobjects", headers={"Accept-Encoding": "identity"}).headers
    assert call("GET", "/sobjects", headers={"Accept-Encoding": "gzip"}).headers["content-encoding"] == "gzip"


@pytest.mark.parametrize("damage", ["cut", "noise", "unknown"])
def test_damaged_packing_saves_nothing(call: Caller, damage: str) -> None:
    """A packed body that ends early, is no gzip, or is packed otherwise has no effect."""
    packed = gzip.compress(b'{"Name": "x"}')
    content, name = {"cut": (packed[:-9], "gzip"), "noise": (b"noise", "gzip"), "unknown": (packed, "br")}[damage]
    headers = {"Content-Encoding": name, "Content-Type": "application/json"}
    assert call("POST", "/sobjects/Account", content=content, headers=headers).status_code in (400, 415)
    assert call("GET", "/query?q=SELECT+COUNT()+FROM+Account").json()["totalSize"] == 0
