"""Whatever a caller sends, the emulated org answers soon and never with its own fault."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from orgbridge.emulator.app import EmulatorConfig, build_app

V = "/services/data/v62.0"
#: A call that takes longer hangs.
_SECONDS = 10.0
_QUICK = settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
_SLOW = settings(_QUICK, max_examples=25)

_VOCABULARY = (
    "SELECT FROM WHERE AND OR NOT IN LIKE ORDER BY GROUP HAVING LIMIT OFFSET NULLS FIRST COUNT() COUNT(Id) MAX(Name) "
    "TYPEOF WHEN THEN ELSE END USING SCOPE WITH FOR VIEW ROLLUP( CUBE( FIELDS(ALL) FIELDS(STANDARD) toLabel(Name) "
    "FORMAT(AnnualRevenue) DISTANCE( GEOLOCATION(1,2) INCLUDES EXCLUDES TODAY LAST_N_DAYS:3 LAST_N_DAYS:99999999999 "
    "Id Name Account Contact Contacts Account.Name Owner.Name BillingAddress AnnualRevenue CreatedDate Nope a b "
    "( ) , = != < >= 'x' 'O\\'x' '% 1 -1 1.5e400 99999999999999999999 true null 2026-01-01 2026-01-01T00:00:00Z "
    "0001-01-01 '001000000000001' : ; ' \\ \" \x00 é 😀"
)
_WORDS = st.sampled_from(_VOCABULARY.split(" "))
_SOQL = st.one_of(
    st.lists(_WORDS, max_size=25).map(" ".join),
    st.lists(_WORDS, max_size=8).map(lambda words: "SELECT Id FROM Account WHERE " + " ".join(words)),
    st.lists(_WORDS, max_size=8).map(lambda words: f"SELECT {' '.join(words)} FROM Contact"),
    st.text(max_size=60),
    st.integers(1, 400).map(lambda depth: "SELECT Id FROM Account WHERE " + "(" * depth + "Name = 'x'" + ")" * depth),
    st.integers(1, 300).map(lambda depth: "SELECT Id FROM Account WHERE " + "NOT " * depth + "Name = 'x'"),
)
_KEYS = st.sampled_from(
    ["attributes", "type", "Name", "name", "Id", "id", "AccountId", "Account", "External_Id__c", "AnnualRevenue",
     "NumberOfEmployees", "Email", "LastName", "Birthdate", "records", "allOrNone", "ids", "fields", "object",
     "operation", "query", "state", "compositeRequest", "method", "url", "referenceId", "graphs", "lineEnding"]
)  # fmt: skip
_LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(
        ["Account", "insert", "upsert", "UploadComplete", "001000000000001", "2026-13-45", "", "\x00", "\ud83d"]
    ),
    st.text(max_size=12),
)
_VALUES = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(_KEYS | st.text(max_size=5), inner, max_size=5)
    ),
    max_leaves=15,
)
_BODIES = st.one_of(
    st.dictionaries(_KEYS, _VALUES, max_size=6),
    _VALUES,
    st.lists(st.dictionaries(_KEYS, _VALUES, max_size=5), max_size=4).map(lambda rows: {"records": rows}),
)
_TARGETS = st.sampled_from(
    [
        ("POST", "/sobjects/Account"),
        ("POST", "/sobjects/Contact"),
        ("PATCH", "/sobjects/Account/001000000000001AAA"),
        ("PATCH", "/sobjects/Account/External_Id__c/fuzz"),
        ("POST", "/composite/sobjects"),
        ("PATCH", "/composite/sobjects"),
        ("PATCH", "/composite/sobjects/Account/External_Id__c"),
        ("POST", "/composite/sobjects/Account"),
        ("POST", "/composite"),
        ("POST", "/composite/batch"),
        ("POST", "/composite/tree/Account"),
        ("POST", "/composite/graph"),
        ("POST", "/jobs/ingest"),
        ("POST", "/jobs/query"),
        ("POST", "/parameterizedSearch"),
        ("POST", "/_emulator/faults"),
        ("POST", "/_emulator/clock"),
        ("POST", "/_emulator/snapshots"),
        ("POST", "/_emulator/restore"),
    ]
)
_CELLS = st.one_of(
    st.text(max_size=8), st.sampled_from(["#N/A", '"', '""', '"a""b"', '"open', "a\nb", "\r\n", "\x00", "é"])
)
_HEADERS = st.lists(
    st.sampled_from(
        ["Name", "name", "Id", "Site", "Owner.Username", "Parent.External_Id__c", "Nope", '"Name"', "", "a b"]
    ),
    max_size=4,
)
_CSV = st.one_of(
    st.binary(max_size=80),
    st.tuples(_HEADERS, st.lists(st.lists(_CELLS, max_size=4), max_size=6), st.sampled_from(["\n", "\r\n"])).map(
        lambda parts: parts[2].join(",".join(row) for row in [parts[0], *parts[1]]).encode("utf-8", "surrogatepass")
    ),
)


class Fuzzed:
    """Sends requests and checks what must hold for every reply."""

    def __init__(self, http: TestClient) -> None:
        self.http = http
        form = {"grant_type": "client_credentials", "client_id": "local-client", "client_secret": "local-secret"}
        token = http.post("/services/oauth2/token", data=form).json()["access_token"]
        self.headers = {"Authorization": f"Bearer {token}"}

    def __call__(self, method: str, path: str, **rest: Any) -> Any:
        """Return the reply to one request."""
        started = time.monotonic()
        url = path if path.startswith("/_emulator") else V + path
        headers = {**self.headers, **rest.pop("headers", {})}
        reply = self.http.request(method, url, headers=headers, **rest)
        assert reply.status_code < 500, (method, path, rest, reply.text)
        assert time.monotonic() - started < _SECONDS, (method, path, rest)
        return reply


@pytest.fixture(scope="module")
def fuzzed() -> Iterator[Fuzzed]:
    """An org with some rows."""
    with TestClient(build_app(EmulatorConfig(session_seconds=10**9))) as http:
        http.post("/_emulator/seed", json={"accounts": 20})
        yield Fuzzed(http)


@_QUICK
@given(soql=_SOQL, path=st.sampled_from(["/query", "/queryAll"]))
def test_no_query_ends_in_a_fault_of_the_org(fuzzed: Fuzzed, soql: str, path: str) -> None:
    """Any text as a query is answered or refused."""
    fuzzed("GET", path, params={"q": soql.encode("utf-8", "replace")})


@_QUICK
@given(target=_TARGETS, body=_BODIES)
def test_no_json_ends_in_a_fault_of_the_org(fuzzed: Fuzzed, target: tuple[str, str], body: object) -> None:
    """Any JSON that is sent to any resource is taken or refused."""
    text = json.dumps(body).encode()
    fuzzed(*target, content=text, headers={"Content-Type": "application/json"})
    if target[1] == "/_emulator/faults":
        fuzzed("DELETE", "/_emulator/faults")
    if target[1] == "/_emulator/clock":
        fuzzed("POST", "/_emulator/clock", json={"restart": True, "frozen": False})


@_QUICK
@given(
    target=_TARGETS, text=st.one_of(st.binary(max_size=40), st.sampled_from([b"[" * 5_000, b'{"a":' * 5_000, b"nul"]))
)
def test_no_bytes_end_in_a_fault_of_the_org(fuzzed: Fuzzed, target: tuple[str, str], text: bytes) -> None:
    """Bytes that are no JSON are refused as such."""
    fuzzed(*target, content=text, headers={"Content-Type": "application/json"})
    if target[1] == "/_emulator/faults":
        fuzzed("DELETE", "/_emulator/faults")


@_SLOW
@given(data=_CSV, operation=st.sampled_from(["insert", "update", "upsert", "delete"]))
def test_no_upload_ends_in_a_fault_of_the_org(fuzzed: Fuzzed, data: bytes, operation: str) -> None:
    """Any bytes as an upload end in a job that is complete or failed by its data's own fault."""
    job = {"object": "Account", "operation": operation}
    if operation == "upsert":
        job["externalIdFieldName"] = "External_Id__c"
    path = f"/jobs/ingest/{fuzzed('POST', '/jobs/ingest', json=job).json()['id']}"
    fuzzed("PUT", f"{path}/batches", content=data, headers={"Content-Type": "text/csv"})
    fuzzed("PATCH", path, json={"state": "UploadComplete"})
    deadline = time.monotonic() + _SECONDS
    while (info := fuzzed("GET", path).json())["state"] not in ("JobComplete", "Failed"):
        assert time.monotonic() < deadline, info
        time.sleep(0.002)
    assert "could not carry" not in info.get("errorMessage", ""), (data, info)
    for results in ("successfulResults", "failedResults", "unprocessedrecords"):
        fuzzed("GET", f"{path}/{results}")
