"""The controls: states of the org, its clock, made-up rows, trouble, and the request log."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.emulator.http.conftest import Caller

C = "/_emulator"


def make(call: Caller, name: str) -> str:
    """Insert an account and return its id."""
    reply = call("POST", "/sobjects/Account", json={"Name": name})
    assert reply.status_code == 201, reply.text
    return str(reply.json()["id"])


def names(call: Caller) -> list[str]:
    """Return the names of all accounts."""
    reply = call("GET", "/query", params={"q": "SELECT Name FROM Account ORDER BY Name"})
    assert reply.status_code == 200, reply.text
    return [record["Name"] for record in reply.json()["records"]]


def control(call: Caller, method: str, path: str, body: object = None, status: int = 200) -> Any:
    """Use a control and return the JSON of its reply."""
    reply = call.http.request(method, f"{C}/{path}", json=body)
    assert reply.status_code == status, reply.text
    return reply.json() if reply.content else None


def upload(call: Caller, data: bytes) -> str:
    """Make an ingest job with its data, still open."""
    job_id = str(call("POST", "/jobs/ingest", json={"object": "Account", "operation": "insert"}).json()["id"])
    assert call("PUT", f"/jobs/ingest/{job_id}/batches", content=data, headers={"Content-Type": "text/csv"}).is_success
    return job_id


def finish(call: Caller, kind: str, job_id: str) -> dict[str, Any]:
    """Return JobInfo once the job has ended."""
    deadline = time.monotonic() + 20
    while True:
        info = call("GET", f"/jobs/{kind}/{job_id}").json()
        if info["state"] in ("JobComplete", "Failed", "Aborted"):
            return dict(info)
        assert time.monotonic() < deadline, info
        time.sleep(0.01)


def test_a_snapshot_comes_back_with_rows_ids_and_open_jobs(call: Caller) -> None:
    """After `restore` the org has the rows of then, goes on with the same ids, and takes up the job that was open."""
    make(call, "kept")
    job_id = upload(call, b"Name\nfrom the job\n")
    kept = control(call, "POST", "snapshots", {"name": "one"}, 201)
    lost = make(call, "lost")
    call("DELETE", f"/jobs/ingest/{job_id}")
    control(call, "POST", "restore", {"name": "one"}, 204)
    assert names(call) == ["kept"]
    assert make(call, "again") == lost
    call("PATCH", f"/jobs/ingest/{job_id}", json={"state": "UploadComplete"})
    assert finish(call, "ingest", job_id)["state"] == "JobComplete"
    assert names(call) == ["again", "from the job", "kept"]
    assert control(call, "GET", "snapshots")["snapshots"] == [kept]
    control(call, "DELETE", "snapshots/one", status=204)
    for method, path, body in (("DELETE", "snapshots/one", None), ("POST", "restore", {"name": "one"})):
        assert "no snapshot" in control(call, method, path, body, 404)["error"]


def test_a_branch_goes_its_own_way_and_is_kept(call: Caller) -> None:
    """Rows made on a branch are there when it is returned to, and nowhere else."""
    make(call, "both")
    assert control(call, "POST", "branches", {"name": "try"}, 201) == {"branch": "try", "made": True}
    make(call, "tried")
    control(call, "POST", "branches", {"name": "main"})
    assert names(call) == ["both"]
    make(call, "main only")
    control(call, "POST", "branches", {"name": "try"})
    assert names(call) == ["both", "tried"]
    found = control(call, "GET", "branches")
    assert (found["branch"], [one["name"] for one in found["branches"]]) == ("try", ["main", "try"])
    assert "already" in control(call, "POST", "branches", {"name": "try"}, 400)["error"]


def test_reset_leaves_a_new_org_and_the_callers_signed_in(make_caller: Callable[..., Caller]) -> None:
    """Rows, faults, clock and log are gone, the sample rows of the start are back, the session still works."""
    call = make_caller(seed="sample")
    call.sign_in()
    before = names(call)
    make(call, "gone")
    call("POST", "/jobs/query", json={"operation": "query", "query": "SELECT Id FROM Account"})
    control(call, "POST", "faults", {"path": "/query", "status": 503, "times": None})
    control(call, "POST", "clock", {"advance_seconds": 60})
    control(call, "POST", "reset", status=204)
    assert names(call) == before
    assert call("GET", "/jobs/query").json()["records"] == []
    assert control(call, "GET", "faults")["faults"] == []
    assert abs(control(call, "GET", "clock")["ahead_seconds"]) < 1
    assert [entry["path"] for entry in control(call, "GET", "requests")["requests"]] == [
        "/services/data/v62.0/query",
        "/services/data/v62.0/jobs/query",
    ]


def test_the_clock_moves_date_literals_and_system_fields(call: Caller) -> None:
    """A row made today is of yesterday once the clock was moved a day on; frozen, two rows share their instant."""
    make(call, "now")
    yesterday = {"q": "SELECT COUNT() FROM Account WHERE CreatedDate = YESTERDAY"}
    assert call("GET", "/query", params=yesterday).json()["totalSize"] == 0
    control(call, "POST", "clock", {"advance_seconds": 86_400})
    call.sign_in()
    assert call("GET", "/query", params=yesterday).json()["totalSize"] == 1
    moved = control(call, "POST", "clock", {"set": "2030-02-28T12:00:00.000Z", "frozen": True})
    assert moved["now"].startswith("2030-02-28T12:00:00")
    call.sign_in()
    for name in ("a", "b"):
        make(call, name)
    records = call("GET", "/query", params={"q": "SELECT CreatedDate FROM Account WHERE Name IN ('a','b')"}).json()
    assert {record["CreatedDate"] for record in records["records"]} == {"2030-02-28T12:00:00.000+0000"}


def test_a_moved_clock_outlives_a_restart(make_caller: Callable[..., Caller]) -> None:
    """An org that is opened again stands where its clock was moved to."""
    call = make_caller()
    control(call, "POST", "clock", {"set": "2031-01-01T00:00:00Z", "frozen": True})
    call.close()
    assert control(make_caller(), "GET", "clock")["now"].startswith("2031-01-01T00:00:00")


@pytest.mark.parametrize(
    "body",
    [
        {"set": "soon"},
        {"set": "0999-01-01T00:00:00Z"},
        {"advance_seconds": "1"},
        {"advance_seconds": 1e30},
        {"frozen": 1},
        {"back": 1},
        [],
    ],
    ids=str,
)
def test_a_clock_that_cannot_be_moved_so_stays(call: Caller, body: object) -> None:
    """Nonsense is refused with a sentence, and time goes on as it did."""
    assert control(call, "POST", "clock", body, 400)["error"]
    assert control(call, "GET", "clock")["ahead_seconds"] == 0


def test_made_up_rows_are_related_and_the_same_for_the_same_number(call: Caller) -> None:
    """Two orgs with one number hold the same rows; every person, deal and machine belongs to an account."""
    body = {"number": 7, "accounts": 60, "orders": 10}
    control(call, "POST", "clock", {"set": "2026-03-01T00:00:00Z"})
    call.sign_in()
    seen = []
    for _ in range(2):
        made = control(call, "POST", "seed", body)["made"]
        soql = {"q": "SELECT Name, ParentId, AnnualRevenue, BillingCity, External_Id__c FROM Account ORDER BY Id"}
        seen.append((made, call("GET", "/query", params=soql).json()["records"]))
        control(call, "POST", "reset", status=204)
        control(call, "POST", "clock", {"set": "2026-03-01T00:00:00Z"})
    assert seen[0] == seen[1]
    made, accounts = seen[0]
    assert made == {
        "Account": 60,
        "Asset": 60,
        "Case": 60,
        "Contact": 180,
        "Opportunity": 60,
        "OpportunityLineItem": made["OpportunityLineItem"],
        "Order": 10,
        "OrderItem": made["OrderItem"],
        "Pricebook2": 1,
        "PricebookEntry": 16,
        "Product2": 8,
    }
    assert 10 <= made["OrderItem"] <= 40
    assert 40 <= made["OpportunityLineItem"] <= 240
    assert len({account["Name"] for account in accounts}) > 40
    assert any(account["ParentId"] for account in accounts)


def test_deals_have_products_that_make_their_amount(call: Caller) -> None:
    """Made-up opportunity products have an entry of the deal's price book, and their sum is the deal's amount."""
    control(call, "POST", "seed", {"number": 3, "accounts": 20})
    soql = (
        "SELECT Amount, Pricebook2Id, (SELECT TotalPrice, PricebookEntry.Pricebook2Id FROM OpportunityLineItems)"
        " FROM Opportunity"
    )
    deals = call("GET", "/query", params={"q": soql}).json()["records"]
    with_products = [deal for deal in deals if deal["OpportunityLineItems"]]
    assert 5 <= len(with_products) < len(deals)
    for deal in with_products:
        lines = deal["OpportunityLineItems"]["records"]
        assert {line["PricebookEntry"]["Pricebook2Id"] for line in lines} == {deal["Pricebook2Id"]}
        assert round(sum(line["TotalPrice"] for line in lines), 2) == round(deal["Amount"], 2)


def test_a_population_is_made_once_and_its_number_is_used_once(call: Caller) -> None:
    """Asked again, nothing is made twice; other sizes under the same number are refused."""
    made = control(call, "POST", "seed", {"accounts": 3, "products": 0, "orders": 0, "assets": 0})["made"]
    assert (made["Account"], made["Contact"], "Product2" in made) == (3, 9, False)
    assert control(call, "POST", "seed", {"accounts": 3, "products": 0, "orders": 0, "assets": 0})["made"] == {}
    assert "another number" in control(call, "POST", "seed", {"accounts": 4}, 409)["error"]
    for wrong in ({"accounts": 0, "cases": 1}, {"accounts": -1}, {"accounts": "9"}, {"planets": 9}):
        assert control(call, "POST", "seed", wrong, 400)["error"]


def test_faults_strike_at_a_rate_and_are_told(call: Caller) -> None:
    """Half of many calls are refused, the same ones for the same seed, and the order says how many."""
    hits = []
    for _ in range(2):
        made = control(call, "POST", "faults", {"kind": "unavailable", "path": "/limits", "rate": 0.5, "seed": 3})
        hits.append([call("GET", "/limits").status_code for _ in range(60)])
        (told,) = control(call, "GET", "faults")["faults"]
        assert (told["id"], told["seen"], told["hits"]) == (made["ids"][0], 60, hits[-1].count(503))
        control(call, "DELETE", f"faults/{told['id']}", status=204)
    assert hits[0] == hits[1]
    assert 15 < hits[0].count(503) < 45
    assert "no order" in control(call, "DELETE", "faults/f99", status=404)["error"]


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("unavailable", 503, "SERVER_UNAVAILABLE"),
        ("request_limit", 403, "REQUEST_LIMIT_EXCEEDED"),
        ("concurrency_limit", 403, "REQUEST_LIMIT_EXCEEDED"),
        ("too_many_requests", 429, "REQUEST_LIMIT_EXCEEDED"),
        ("expired_session", 401, "INVALID_SESSION_ID"),
        ("row_lock", 400, "UNABLE_TO_LOCK_ROW"),
    ],
)
def test_named_faults_answer_as_the_platform_does(call: Caller, kind: str, status: int, code: str) -> None:
    """Each name strikes the next call once with its status and code; the one after passes."""
    control(call, "POST", "faults", {"kind": kind})
    reply = call("POST", "/sobjects/Account", json={"Name": "x"})
    assert (reply.status_code, reply.json()[0]["errorCode"]) == (status, code)
    assert (reply.headers.get("retry-after") == "1") == (status == 429)
    make(call, "x")
    assert names(call) == ["x"]


def test_durable_faults_outlive_a_restart_with_their_counts(make_caller: Callable[..., Caller]) -> None:
    """Of three hits one is spent before the restart and two after it; an order that is not durable is gone."""
    call = make_caller()
    call.sign_in()
    control(call, "POST", "faults", {"kind": "unavailable", "path": "/limits", "times": 3, "durable": True})
    control(call, "POST", "faults", {"kind": "unavailable", "path": "/query"})
    assert call("GET", "/limits").status_code == 503
    call.close()
    again = make_caller()
    again.headers = call.headers
    assert [again("GET", "/limits").status_code for _ in range(3)] == [503, 503, 200]
    assert names(again) == []


@pytest.mark.parametrize(("kind", "state"), [("job_failure", "Failed"), ("job_abort", "Aborted")])
def test_jobs_of_one_object_fail_or_are_aborted(call: Caller, kind: str, state: str) -> None:
    """Only jobs of the named object and operation end that way, queries as well."""
    control(call, "POST", "faults", {"kind": kind, "object": "account", "operation": "query"})
    job_id = upload(call, b"Name\nx\n")
    call("PATCH", f"/jobs/ingest/{job_id}", json={"state": "UploadComplete"})
    assert finish(call, "ingest", job_id)["state"] == "JobComplete"
    states = []
    for _ in range(2):
        made = call("POST", "/jobs/query", json={"operation": "query", "query": "SELECT Id FROM Account"}).json()
        states.append(finish(call, "query", made["id"])["state"])
    assert states == [state, "JobComplete"]


def test_an_upload_cut_in_the_middle_counts_for_nothing(call: Caller) -> None:
    """The job stays open without data and takes the whole body afterwards."""
    job_id = str(call("POST", "/jobs/ingest", json={"object": "Account", "operation": "insert"}).json()["id"])
    control(call, "POST", "faults", {"kind": "cut_upload", "after_bytes": 4})
    put = {"content": b"Name\nx\ny\n", "headers": {"Content-Type": "text/csv"}}
    with pytest.raises(ConnectionResetError):
        call("PUT", f"/jobs/ingest/{job_id}/batches", **put)
    assert call("PUT", f"/jobs/ingest/{job_id}/batches", **put).status_code == 201


def test_the_log_tells_requests_without_secrets(call: Caller) -> None:
    """Method, path, route, status, sizes and fault are told; passwords and tokens are not."""
    control(call, "DELETE", "requests", status=204)
    call.http.get("/services/oauth2/token", params={"grant_type": "password", "password": "hunter2"})
    call("GET", "/query", params={"q": "SELECT Id FROM Account", "access_token": "hunter2"})
    control(call, "POST", "faults", {"kind": "unavailable"})
    call("POST", "/sobjects/Account/", json={"Name": "x"})
    told = control(call, "GET", "requests")
    assert "hunter2" not in str(told)
    assert told["total"] == 3
    query, refused = told["requests"][1:]
    assert (query["route"], query["query"]["q"]) == ("/services/data/{version}/query", "SELECT Id FROM Account")
    assert query["user_id"].startswith("005")
    assert (refused["status"], refused["fault"], refused["request_bytes"] > 5) == (503, "503", True)
    found = control(call, "GET", f"requests?method=post&status=503&path=sobjects&since={query['number']}")
    assert found["requests"] == [refused]
    for wrong in ("limit=many", "path=("):
        assert control(call, "GET", f"requests?{wrong}", status=400)["error"]


def test_pages_of_others_and_foreign_hosts_see_no_controls(call: Caller) -> None:
    """A browser on this machine that shows a foreign page, or was led here by a foreign name, gets 404."""
    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Host": "evil.example:8080"}):
        assert call.http.post(f"{C}/reset", headers=headers).status_code == 404
    assert call.http.get(f"{C}/health", headers={"Origin": "http://127.0.0.1:3000"}).status_code == 200


def test_controls_are_opened_to_other_machines_only_on_request(make_caller: Callable[..., Caller]) -> None:
    """With `control_from_anywhere` a foreign host name works; a foreign page still does not."""
    call = make_caller(control_from_anywhere=True)
    assert call.http.get(f"{C}/health", headers={"Host": "emulator:8080"}).status_code == 200
    assert call.http.get(f"{C}/health", headers={"Origin": "https://evil.example"}).status_code == 404


@pytest.mark.parametrize("name", ["", "../up", ".hidden", "a/b", "x" * 65, 7, None], ids=str)
def test_names_that_could_lead_elsewhere_are_refused(call: Caller, name: object) -> None:
    """A snapshot or branch name never becomes a path of its own."""
    for path in ("snapshots", "restore", "branches"):
        assert control(call, "POST", path, {"name": name}, 400)["error"]
