"""Rows that cannot be locked: conflicts of jobs that run side by side, storms over collections; faults by API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from orgbridge.emulator.org.locks import RowLocks
from tests.support.clocks import HandClock
from tests.unit.emulator.http.conftest import Caller
from tests.unit.emulator.http.test_controls import control, finish, make


def begin(call: Caller, lines: list[str]) -> str:
    """Make an ingest job of contacts with its data, still open."""
    job = str(call("POST", "/jobs/ingest", json={"object": "Contact", "operation": "insert"}).json()["id"])
    content = "\n".join(["LastName,AccountId", *lines, ""]).encode()
    assert call("PUT", f"/jobs/ingest/{job}/batches", content=content, headers={"Content-Type": "text/csv"}).is_success
    return job


def run_together(call: Caller, jobs: list[str]) -> list[int]:
    """Close jobs so that the worker meets them all in one round; return how many rows of each failed."""
    # The worker pauses in front of its first step until all jobs are there; a snapshot makes it begin anew.
    control(call, "POST", "faults", {"kind": "slow_jobs", "delay_ms": 60_000})
    for job in jobs:
        call("PATCH", f"/jobs/ingest/{job}", json={"state": "UploadComplete"})
    control(call, "DELETE", "faults", status=204)
    control(call, "POST", "snapshots", {"name": "together"}, 201)
    return [int(finish(call, "ingest", job)["numberRecordsFailed"]) for job in jobs]


@pytest.mark.assumed
def test_jobs_side_by_side_conflict_over_a_parent_with_many_rows(call: Caller) -> None:
    """Of two jobs that write a chunk of rows below one account in one round, one keeps it; the other's rows fail."""
    hot, cool = make(call, "hot"), make(call, "cool")
    first = begin(call, [f"a{number},{hot}" for number in range(200)])
    second = begin(call, [f"b{number},{hot}" for number in range(200)] + [f"c{number},{cool}" for number in range(5)])
    failures = run_together(call, [first, second])
    assert sorted(failures) == [0, 200]
    loser = [first, second][failures.index(200)]
    text = call("GET", f"/jobs/ingest/{loser}/failedResults").text
    assert text.count("UNABLE_TO_LOCK_ROW:unable to obtain exclusive access to this record or 1 records: " + hot) == 200


@pytest.mark.assumed
def test_nobody_else_notices_locks(call: Caller, make_caller: Callable[..., Caller]) -> None:
    """One job after the other, few rows below each parent, and single calls beside a job are never refused."""
    hot = make(call, "hot")
    alone = begin(call, [f"a{number},{hot}" for number in range(450)])
    assert run_together(call, [alone]) == [0]
    few = [begin(call, [f"{name}{number},{hot}" for number in range(199)]) for name in "bc"]
    assert run_together(call, few) == [0, 0]
    assert call("POST", "/sobjects/Contact", json={"LastName": "x", "AccountId": hot}).status_code == 201


def test_locks_of_a_round_end_with_it() -> None:
    """A parent is kept from other jobs only, and until the next round of its worker has ended."""
    locks = RowLocks(HandClock(), hold_rows=1)
    locks.hold_for_round("one", ["001A"])
    locks.hold_for_round("two", ["001A", "001B"])
    assert locks.blocked("one", ["001A", "001B"]) == {"001B"}
    assert locks.blocked("two", ["001A", "001B"]) == {"001A"}
    assert locks.blocked(None, ["001A", "001B"]) == set()
    locks.end_round("w", ["one"])
    assert locks.blocked("two", ["001A"]) == {"001A"}
    locks.end_round("other", [])
    assert locks.blocked("two", ["001A"]) == {"001A"}
    locks.end_round("w", [])
    assert locks.blocked("two", ["001A"]) == set()
    assert locks.blocked("one", ["001B"]) == {"001B"}


@pytest.mark.documented
def test_a_lock_storm_strikes_items_of_collections(call: Caller) -> None:
    """`item_locks` refuses a share of the items, the same for the same seed; allOrNone takes the others back."""
    rows = [{"attributes": {"type": "Account"}, "Name": f"n{number}"} for number in range(40)]

    def strike(**body: Any) -> list[Any]:
        order = {"kind": "item_locks", "share": 0.5, "seed": 7}
        control(call, "DELETE", "faults", status=204)
        control(call, "POST", "faults", order)
        return list(call("POST", "/composite/sobjects", json={"records": rows, **body}).json())

    told = strike()
    failed = [place for place, item in enumerate(told) if not item["success"]]
    assert 0 < len(failed) < 40
    assert {item["errors"][0]["statusCode"] for item in told if not item["success"]} == {"UNABLE_TO_LOCK_ROW"}
    assert [place for place, item in enumerate(strike()) if not item["success"]] == failed
    whole = strike(allOrNone=True)
    assert [item["errors"][0]["statusCode"] for item in whole].count("UNABLE_TO_LOCK_ROW") == len(failed)
    assert {item["success"] for item in whole} == {False}
    ids = [item["id"] for item in told if item["success"]]
    control(call, "POST", "faults", {"kind": "item_locks", "share": 1})
    gone = call("DELETE", "/composite/sobjects", params={"ids": ",".join(ids), "allOrNone": "true"}).json()
    assert {item["errors"][0]["statusCode"] for item in gone} == {"UNABLE_TO_LOCK_ROW"}
    again = call("DELETE", "/composite/sobjects", params={"ids": ",".join(ids)}).json()
    assert {item["success"] for item in again} == {True}


ENVELOPE = (
    '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>'
    "<login><username>admin@local.org</username><password>localpass</password></login></e:Body></e:Envelope>"
)


@pytest.mark.assumed
@pytest.mark.parametrize(
    ("order", "code"),
    [
        ({"kind": "unavailable"}, "SERVER_UNAVAILABLE"),
        ({"kind": "request_limit", "path": "/services/Soap"}, "REQUEST_LIMIT_EXCEEDED"),
        ({"kind": "request", "path": "/services/soap", "status": 500, "errorCode": "UNKNOWN_EXCEPTION",
          "message": "a & b"}, "UNKNOWN_EXCEPTION"),
    ],
)  # fmt: skip
def test_faults_of_soap_are_soap_faults(call: Caller, order: dict[str, Any], code: str) -> None:
    """An order that strikes SOAP login answers HTTP 500 with a SOAP fault of its code; the next login works."""
    control(call, "POST", "faults", order)
    headers = {"Content-Type": "text/xml", "SOAPAction": "login"}
    replies = [call.http.post("/services/Soap/u/62.0", content=ENVELOPE, headers=headers) for _ in range(2)]
    assert [reply.status_code for reply in replies] == [500, 200]
    assert f"<faultcode>{code}</faultcode>" in replies[0].text
    assert f"<sf:exceptionCode>{code}</sf:exceptionCode>" in replies[0].text
    assert replies[0].headers["content-type"].startswith("text/xml")


@pytest.mark.assumed
def test_faults_of_bulk_1_have_its_form(call: Caller) -> None:
    """An order that strikes Bulk API 1.0 answers with exceptionCode, in JSON or XML as the call speaks."""
    session = {"X-SFDC-Session": call.token}
    for kind, has in (("application/json", '"exceptionCode":"ExceededQuota"'), ("application/xml", "<exceptionCode>E")):
        control(call, "POST", "faults", {"kind": "request_limit", "path": "/services/async"})
        reply = call.http.post("/services/async/62.0/job", content=b"", headers={**session, "Content-Type": kind})
        assert reply.status_code == 403
        assert has in reply.text
