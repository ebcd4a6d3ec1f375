"""Composite calls: references, rollback, batches, trees and graphs."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from tests.unit.emulator.http.conftest import Caller, V

HALTED = "The transaction was rolled back since another operation in the same transaction failed."


def sub(ref: str, method: str, path: str, body: Any = None, **more: Any) -> dict[str, Any]:
    """Return a subrequest below the version."""
    item = {"method": method, "url": V + path, "referenceId": ref, **more}
    return item if body is None else {**item, "body": body}


def composite(call: Caller, *items: dict[str, Any], version: str = V, **more: Any) -> list[dict[str, Any]]:
    """Send a composite call and return its results."""
    reply = call("POST", f"{version}/composite", json={"compositeRequest": list(items), **more})
    assert reply.status_code == 200, reply.text
    return list(reply.json()["compositeResponse"])


def count(call: Caller, sobject: str = "Account") -> int:
    """Return how many rows there are."""
    return int(call("GET", f"/query?q=SELECT+COUNT()+FROM+{sobject}").json()["totalSize"])


@pytest.mark.documented
def test_overview_names_the_family(call: Caller) -> None:
    """GET /composite lists tree, batch, sobjects and graph."""
    base = f"{V}/composite"
    assert call("GET", "/composite").json() == {
        kind: f"{base}/{kind}" for kind in ("tree", "batch", "sobjects", "graph")
    }


@pytest.mark.recorded
def test_results_have_the_recorded_shape(call: Caller) -> None:
    """Success bodies are objects, errors lists, a deleted row null; keys stand in the recorded order."""
    made, asked, bad, lost, gone = composite(
        call,
        sub("r1", "POST", "/sobjects/Account", {"Name": "A"}),
        sub("r2", "GET", "/query?q=SELECT Id FROM Account LIMIT 1"),
        sub("r3", "GET", "/query?q=select count() from XYZZY"),
        sub("r4", "GET", "/nothing"),
        sub("r5", "DELETE", "/sobjects/Account/@{r1.id}"),
    )
    record_id = made["body"]["id"]
    assert list(made) == ["body", "httpHeaders", "httpStatusCode", "referenceId"]
    assert made == {
        "body": {"id": record_id, "success": True, "errors": []},
        "httpHeaders": {"Location": f"{V}/sobjects/Account/{record_id}"},
        "httpStatusCode": 201,
        "referenceId": "r1",
    }
    assert (asked["body"]["totalSize"], asked["httpHeaders"]) == (1, {})
    assert (bad["httpStatusCode"], bad["body"][0]["errorCode"]) == (400, "INVALID_TYPE")
    assert (lost["httpStatusCode"], lost["body"][0]["errorCode"]) == (404, "NOT_FOUND")
    assert (gone["httpStatusCode"], gone["body"]) == (204, None)


def test_references_reach_into_results(call: Caller) -> None:
    """Dots and brackets lead to ids, nested values keep their type, and text around a reference stays."""
    results = composite(
        call,
        sub("a", "POST", "/sobjects/Account", {"Name": "Ä & co", "BillingCity": "Ulm", "NumberOfEmployees": 7}),
        sub("row", "GET", "/sobjects/Account/@{a.id}"),
        sub("q", "GET", "/query?q=SELECT Id,Name FROM Account WHERE Name='@{row.Name}'"),
        sub("many", "POST", "/composite/sobjects", {"records": [{"attributes": {"type": "Account"}, "Name": "M"}]}),
        sub(
            "c",
            "POST",
            "/sobjects/Contact",
            {"LastName": "of @{row.BillingAddress.city}", "AccountId": "@{q.records[0].Id}"},
        ),
        sub("n", "PATCH", "/sobjects/Account/@{many[0].id}", {"NumberOfEmployees": "@{row.NumberOfEmployees}"}),
    )
    assert [result["httpStatusCode"] for result in results] == [201, 200, 200, 200, 201, 204]
    contact = call("GET", f"/sobjects/Contact/{results[4]['body']['id']}").json()
    assert (contact["LastName"], contact["AccountId"]) == ("of Ulm", results[0]["body"]["id"])
    assert call("GET", f"/sobjects/Account/{results[3]['body'][0]['id']}").json()["NumberOfEmployees"] == 7


@pytest.mark.assumed
@pytest.mark.parametrize("written", ["@%7Ba.id%7D", "%40%7ba.id%7d", "@{a.id}"])
def test_references_in_addresses_may_be_percent_encoded(call: Caller, written: str) -> None:
    """As libraries of addresses write it, a reference is found in a path, in a query, and in a graph."""
    create = {"method": "POST", "url": f"{V}/sobjects/Account", "referenceId": "a", "body": {"Name": "Enc %40"}}
    read = {"method": "GET", "url": f"{V}/sobjects/Account/{written}?fields=Name", "referenceId": "b"}
    ask = {"method": "GET", "url": f"{V}/query?q=SELECT+Name+FROM+Account+WHERE+Id='{written}'", "referenceId": "c"}
    asked = [create, read, ask]
    reply = call("POST", "/composite", json={"compositeRequest": asked}).json()["compositeResponse"]
    assert reply[1]["body"]["Name"] == "Enc %40"
    assert [row["Name"] for row in reply[2]["body"]["records"]] == ["Enc %40"]
    graph = {"graphId": "g", "compositeRequest": asked[:2]}
    told = call("POST", "/composite/graph", json={"graphs": [graph]}).json()["graphs"][0]
    assert told["isSuccessful"] is True


@pytest.mark.documented
def test_a_dependant_of_a_failed_node_is_halted_and_others_run(call: Caller) -> None:
    """Without allOrNone only what refers to the failed node is stopped, with the documented text."""
    bad, child, free = composite(
        call,
        sub("bad", "POST", "/sobjects/Account", {}),
        sub("child", "POST", "/sobjects/Contact", {"LastName": "x", "AccountId": "@{bad.id}"}),
        sub("free", "POST", "/sobjects/Account", {"Name": "Free"}),
    )
    assert bad["body"][0]["errorCode"] == "REQUIRED_FIELD_MISSING"
    assert child["httpStatusCode"] == 400
    assert child["body"] == [
        {
            "errorCode": "PROCESSING_HALTED",
            "message": "Invalid reference specified. No value for bad.id found in bad. Provided referenceId ('bad.id') "
            "must start with a letter or a number, and it can contain only letters, numbers and underscores ('_').",
        }
    ]
    assert (free["httpStatusCode"], count(call)) == (201, 1)


def test_all_or_none_rolls_everything_back(call: Caller) -> None:
    """The culprit keeps its error, all others are halted, and neither rows nor deletes remain."""
    old = call("POST", "/sobjects/Account", json={"Name": "Old"}).json()["id"]
    results = composite(
        call,
        sub("a", "POST", "/sobjects/Account", {"Name": "A"}),
        sub("d", "DELETE", f"/sobjects/Account/{old}"),
        sub("seen", "GET", "/query?q=SELECT Id FROM Account"),
        sub("bad", "POST", "/sobjects/Contact", {"AccountId": "@{a.id}"}),
        sub("late", "POST", "/sobjects/Account", {"Name": "Late"}),
        allOrNone=True,
    )
    assert results[3]["body"][0]["errorCode"] == "REQUIRED_FIELD_MISSING"
    for place in (0, 1, 2, 4):
        assert results[place]["body"] == [{"errorCode": "PROCESSING_HALTED", "message": HALTED}]
        assert results[place]["httpStatusCode"] == 400
    rows = call("GET", "/query?q=SELECT Id FROM Account").json()["records"]
    assert [row["Id"] for row in rows] == [old]


def test_all_or_none_sees_its_own_writes_and_keeps_them(call: Caller) -> None:
    """A query inside the transaction finds what was just made, and all of it stays when nothing fails."""
    results = composite(
        call,
        sub("a", "POST", "/sobjects/Account", {"Name": "A"}),
        sub("seen", "GET", "/query?q=SELECT Id FROM Account"),
        sub("up", "PATCH", "/sobjects/Account/External_Id__c/k1", {"Name": "K"}),
        allOrNone=True,
    )
    assert results[1]["body"]["totalSize"] == 1
    assert ([result["httpStatusCode"] for result in results], count(call)) == ([201, 200, 201], 2)


@pytest.mark.documented
def test_outer_all_or_none_overrides_a_collection(call: Caller) -> None:
    """A failed record fails the whole call under allOrNone; without it the collection's own word counts."""
    records = [{"attributes": {"type": "Account"}, "Name": "Good"}, {"attributes": {"type": "Account"}}]
    inner = {"records": records, "allOrNone": False}
    first = sub("a", "POST", "/sobjects/Account", {"Name": "First"})
    results = composite(call, first, sub("c", "POST", "/composite/sobjects", inner), allOrNone=True)
    assert results[0]["body"][0]["message"] == HALTED
    assert [item["success"] for item in results[1]["body"]] == [True, False]
    assert count(call) == 0
    composite(call, first, sub("c", "POST", "/composite/sobjects", {**inner, "allOrNone": True}))
    assert count(call) == 1
    composite(call, sub("c", "POST", "/composite/sobjects", inner))
    assert count(call) == 2


def test_null_references_by_version(call: Caller) -> None:
    """A null field passes as null from v52 on and is refused before; a field that was not selected always fails."""
    record_id = call("POST", "/sobjects/Account", json={"Name": "A"}).json()["id"]
    items = (
        sub("row", "GET", f"/sobjects/Account/{record_id}?fields=Name,Phone"),
        sub("c", "POST", "/sobjects/Contact", {"LastName": "x", "Phone": "@{row.Phone}"}),
        sub("d", "POST", "/sobjects/Contact", {"LastName": "x", "Phone": "@{row.Fax}"}),
    )
    assert [result["httpStatusCode"] for result in composite(call, *items)] == [200, 201, 400]
    old = composite(call, *items, version="/services/data/v51.0")
    assert [result["httpStatusCode"] for result in old] == [200, 400, 400]


def test_subrequests_have_headers_of_their_own(call: Caller) -> None:
    """A conditional GET gives 304 with null; a header of the whole call refuses it."""
    condition = {"If-Modified-Since": "Mon, 01 Jan 2990 00:00:00 GMT"}
    (result,) = composite(call, sub("d", "GET", "/sobjects/Account/describe", httpHeaders=condition))
    assert (result["httpStatusCode"], result["body"]) == (304, None)
    assert "ETag" in result["httpHeaders"]
    for name in ("Accept", "authorization", "Content-Type"):
        item = sub("d", "GET", "/sobjects", httpHeaders={name: "x"})
        assert call("POST", "/composite", json={"compositeRequest": [item]}).status_code == 400


GET = sub("a", "GET", "/sobjects")
DEEP: Any = 1
for _ in range(101):
    DEEP = {"a": [DEEP]}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"compositeRequest": []},
        {"compositeRequest": [GET], "fast": True},
        {"compositeRequest": [GET], "allOrNone": "yes"},
        {"compositeRequest": [{**GET, "method": "get"}]},
        {"compositeRequest": [{**GET, "url": "/sobjects"}]},
        {"compositeRequest": [{**GET, "referenceId": "_a"}]},
        {"compositeRequest": [{**GET, "extra": 1}]},
        {"compositeRequest": [GET, GET]},
        {"compositeRequest": [{**GET, "body": DEEP}]},
        {"compositeRequest": [{**GET, "referenceId": f"r{n}"} for n in range(26)]},
        {"compositeRequest": [sub(f"r{n}", "GET", "/query?q=SELECT Id FROM Account") for n in range(6)]},
    ],
    ids=["none", "empty", "key", "flag", "method", "url", "id", "part", "twice", "deep", "many", "queries"],
)
def test_a_composite_call_out_of_form_is_refused(call: Caller, body: dict[str, Any]) -> None:
    """The reply is 400 with a list, and nothing is run."""
    reply = call("POST", "/composite", json=body)
    assert (reply.status_code, list(reply.json()[0])) == (400, ["message", "errorCode"])


@pytest.mark.documented
def test_old_versions_only_stop_dependants_of_an_illegal_id(call: Caller) -> None:
    """Up to v51 a bad referenceId runs, and what refers to it is halted."""
    first, second = composite(
        call,
        sub("_a", "POST", "/sobjects/Account", {"Name": "A"}),
        sub("b", "GET", "/sobjects/Account/@{_a.id}"),
        version="/services/data/v51.0",
    )
    assert (first["httpStatusCode"], second["httpStatusCode"]) == (201, 400)


def test_a_composite_call_counts_once_and_a_batch_by_its_parts(call: Caller) -> None:
    """The usage header grows by one for a composite call, by the subrequests for a batch."""

    def used() -> int:
        header = call("GET", "/limits").headers["sforce-limit-info"]
        return int(header.removeprefix("api-usage=").partition("/")[0])

    start = used()
    composite(call, *(sub(f"r{n}", "GET", "/sobjects/Account") for n in range(3)))
    assert used() == start + 2
    call("POST", "/composite/batch", json={"batchRequests": [{"method": "GET", "url": "v62.0/limits"}] * 3})
    assert used() == start + 6


@pytest.mark.documented
def test_batch_runs_each_on_its_own(call: Caller) -> None:
    """Relative and absolute addresses work, results stand in order, and hasErrors tells of any."""
    record_id = call("POST", "/sobjects/Account", json={"Name": "A"}).json()["id"]
    reply = call(
        "POST",
        "/composite/batch",
        json={
            "batchRequests": [
                {"method": "PATCH", "url": f"v62.0/sobjects/account/{record_id}", "richInput": {"Name": "B"}},
                {"method": "GET", "url": f"{V}/sobjects/account/{record_id}?fields=Name"},
                {"method": "GET", "url": "v62.0/sobjects/account/001000000000001AAA"},
                {"method": "GET", "url": "v58.0/query/?q=" + quote("SELECT Name FROM Account")},
            ]
        },
    ).json()
    assert reply["hasErrors"] is True
    assert reply["results"][0] == {"statusCode": 204, "result": None}
    assert [item["statusCode"] for item in reply["results"]] == [204, 200, 404, 200]
    assert reply["results"][1]["result"]["Name"] == "B"
    assert reply["results"][2]["result"][0]["errorCode"] == "NOT_FOUND"
    assert "/v58.0/" in reply["results"][3]["result"]["records"][0]["attributes"]["url"]


@pytest.mark.documented
def test_batch_halts_on_demand(call: Caller) -> None:
    """With haltOnError what comes after the first error is 412, and the call itself 200."""
    items = [
        {"method": "POST", "url": "v62.0/sobjects/Account", "richInput": {"Name": "A"}},
        {"method": "POST", "url": "v62.0/sobjects/Account", "richInput": {}},
        {"method": "POST", "url": "v62.0/sobjects/Account", "richInput": {"Name": "B"}},
    ]
    results = call("POST", "/composite/batch", json={"haltOnError": True, "batchRequests": items}).json()["results"]
    assert [item["statusCode"] for item in results] == [201, 400, 412]
    assert results[2]["result"][0]["errorCode"] == "BATCH_PROCESSING_HALTED"
    assert count(call) == 1


@pytest.mark.parametrize(
    "item",
    [
        {"method": "FETCH", "url": "v62.0/limits"},
        {"method": "GET", "url": "limits"},
        {"method": "GET", "url": "v33.0/limits"},
        {"method": "GET", "url": "v63.0/limits"},
        {"method": "GET", "url": "v62.0/limits", "httpHeaders": {}},
    ],
    ids=["method", "url", "old", "newer", "headers"],
)
def test_a_batch_out_of_form_is_refused(call: Caller, item: dict[str, Any]) -> None:
    """One bad part refuses the whole batch before anything is run."""
    good = {"method": "POST", "url": "v62.0/sobjects/Account", "richInput": {"Name": "A"}}
    assert call("POST", "/composite/batch", json={"batchRequests": [good, item]}).status_code == 400
    assert call("POST", "/composite/batch", json={"batchRequests": [good] * 26}).status_code == 400
    assert count(call) == 0


def record(kind: str, ref: str, /, **values: Any) -> dict[str, Any]:
    """Return a record of a tree."""
    return {"attributes": {"type": kind, "referenceId": ref}, **values}


@pytest.mark.documented
def test_a_tree_is_saved_with_its_children(call: Caller) -> None:
    """201 with the ids level by level; children point to their parents."""
    body = {
        "records": [
            record(
                "Account",
                "ref1",
                Name="A",
                Contacts={
                    "records": [record("Contact", "ref2", LastName="C1"), record("Contact", "ref3", LastName="C2")]
                },
            ),
            record("Account", "ref4", Name="B", Contacts={"records": [record("Contact", "ref5", LastName="C3")]}),
        ]
    }
    reply = call("POST", "/composite/tree/account", json=body)
    assert (reply.status_code, reply.json()["hasErrors"]) == (201, False)
    ids = {item["referenceId"]: item["id"] for item in reply.json()["results"]}
    assert list(ids) == ["ref1", "ref4", "ref2", "ref3", "ref5"]
    rows = call("GET", "/query?q=SELECT LastName,AccountId FROM Contact ORDER BY LastName").json()["records"]
    assert [(row["LastName"], row["AccountId"]) for row in rows] == [
        ("C1", ids["ref1"]), ("C2", ids["ref1"]), ("C3", ids["ref4"]),
    ]  # fmt: skip


@pytest.mark.documented
def test_a_tree_with_a_bad_record_saves_nothing(call: Caller) -> None:
    """400 with the failing records only, in the documented form."""
    bad = record("Contact", "ref2", LastName="C", Email="123")
    body = {"records": [record("Account", "ref1", Name="A", Contacts={"records": [bad]})]}
    reply = call("POST", "/composite/tree/Account", json=body)
    assert (reply.status_code, count(call)) == (400, 0)
    assert reply.json() == {
        "hasErrors": True,
        "results": [
            {
                "referenceId": "ref2",
                "errors": [
                    {
                        "statusCode": "INVALID_EMAIL_ADDRESS",
                        "message": "Email: invalid email address: 123",
                        "fields": ["Email"],
                    }
                ],
            }
        ],
    }


def test_a_tree_has_limits_and_unique_ids(call: Caller) -> None:
    """201 records, six levels, another type, and ids that stand twice save nothing."""
    too_many = {"records": [record("Account", f"r{n}", Name="x") for n in range(201)]}
    deep: dict[str, Any] = record("Account", "r6", Name="x")
    for level in range(5, 0, -1):
        deep = record("Account", f"r{level}", Name="x", ChildAccounts={"records": [deep]})
    other = {"records": [record("Contact", "r", LastName="x")]}
    for body in (too_many, {"records": [deep]}, other, {"records": [{"Name": "x"}]}, {"records": {}}):
        assert call("POST", "/composite/tree/Account", json=body).status_code == 400
    twice = call("POST", "/composite/tree/Account", json={"records": [record("Account", "r", Name="x")] * 2})
    assert [item["referenceId"] for item in twice.json()["results"]] == ["r", "r"]
    assert (twice.status_code, count(call)) == (400, 0)


def graph(name: str, *items: dict[str, Any]) -> dict[str, Any]:
    """Return a graph."""
    return {"graphId": name, "compositeRequest": list(items)}


@pytest.mark.documented
def test_each_graph_is_whole_or_nothing(call: Caller) -> None:
    """A failed graph leaves nothing, another one stays; ids of nodes are private to their graph."""
    good = graph(
        "g1",
        sub("a", "POST", "/sobjects/Account", {"Name": "A"}),
        sub("c", "POST", "/sobjects/Contact", {"LastName": "C", "AccountId": "@{a.id}"}),
    )
    bad = graph("g2", sub("a", "POST", "/sobjects/Account", {"Name": "B"}), sub("b", "POST", "/sobjects/Contact", {}))
    foreign = graph("g3", sub("x", "GET", "/sobjects/Account/@{c.id}"))
    graphs = call("POST", "/composite/graph", json={"graphs": [good, bad, foreign]}).json()["graphs"]
    assert [item["isSuccessful"] for item in graphs] == [True, False, False]
    assert [item["graphId"] for item in graphs] == ["g1", "g2", "g3"]
    halted, own = graphs[1]["graphResponse"]["compositeResponse"]
    assert halted["body"] == [{"errorCode": "PROCESSING_HALTED", "message": HALTED}]
    assert own["body"][0]["errorCode"] == "REQUIRED_FIELD_MISSING"
    assert (count(call), count(call, "Contact")) == (1, 1)


def test_graphs_stop_after_fourteen_failures(call: Caller) -> None:
    """What comes later is not run any more."""
    bad = [graph(f"g{n}", sub("a", "POST", "/sobjects/Account", {})) for n in range(14)]
    last = graph("last", sub("a", "POST", "/sobjects/Account", {"Name": "A"}))
    graphs = call("POST", "/composite/graph", json={"graphs": [*bad, last]}).json()["graphs"]
    (result,) = graphs[-1]["graphResponse"]["compositeResponse"]
    assert (graphs[-1]["isSuccessful"], result["body"][0]["errorCode"]) == (False, "PROCESSING_HALTED")
    assert count(call) == 0


POST = sub("a", "POST", "/sobjects/Account", {"Name": "A"})
CHAIN = [
    sub(f"r{n}", "POST", "/sobjects/Account", {"Name": "x", "ParentId": f"@{{r{n - 1}.id}}"}) for n in range(1, 16)
]


@pytest.mark.parametrize(
    "graphs",
    [
        [],
        [graph("g", POST), graph("g", POST)],
        [graph("a.b", POST)],
        [graph("g" * 40, POST)],
        [graph(f"g{n}", POST) for n in range(76)],
        [graph("g", sub("q", "GET", "/query?q=SELECT Id FROM Account"))],
        [graph("g", {**POST, "method": "PUT"})],
        [graph("g", {**POST, "url": "/services/data/v49.0/sobjects/Account"})],
        [graph("g", sub("r0", "POST", "/sobjects/Account", {"Name": "x"}), *CHAIN)],
        [graph(f"g{n}", *({**POST, "referenceId": f"r{m}"} for m in range(10))) for n in range(51)],
    ],
    ids=["none", "twice", "period", "long", "many", "query", "method", "old", "deep", "nodes"],
)
def test_a_graph_call_out_of_form_is_refused(call: Caller, graphs: list[dict[str, Any]]) -> None:
    """The reply is 400 and nothing is run."""
    assert call("POST", "/composite/graph", json={"graphs": graphs}).status_code == 400
    assert count(call) == 0
