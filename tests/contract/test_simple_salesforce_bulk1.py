"""simple-salesforce's `sf.bulk` (Bulk API 1.0), unchanged, against a real emulator process; kills in the middle."""

from __future__ import annotations

import csv
import http.client
import io
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from simple_salesforce import Salesforce
from simple_salesforce import bulk as bulk_module
from simple_salesforce.exceptions import SalesforceGeneralError, SalesforceMalformedRequest

from tests.support.emulator_server import PASSWORD, SECURITY_TOKEN, USERNAME, EmulatorServer
from tests.support.rerouting import emulator_session

KEY = "External_Id__c"


@pytest.fixture
def sf(emulator: EmulatorServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Salesforce]:
    """A signed-in client that asks again after moments: the library's own pause of five seconds cannot be set."""
    monkeypatch.setattr(bulk_module, "sleep", lambda _seconds: time.sleep(0.02))
    session = emulator_session(emulator.url)
    yield Salesforce(
        username=USERNAME, password=PASSWORD, security_token=SECURITY_TOKEN, session=session, version="59.0"
    )
    session.close()


def test_bulk_1_insert_query_update_upsert_and_delete(sf: Salesforce) -> None:
    """Rows go in over several batches, come out, change, and go; every row has its result in its place."""
    rows: list[dict[str, Any]] = [{"Name": f"One {n}, Inc", KEY: f"b1-{n}", "BillingCity": "Köln"} for n in range(900)]
    rows[10] = {"Name": None, KEY: "b1-bad"}
    done = sf.bulk.Account.insert(rows, batch_size=400, use_serial=True)
    assert len(done) == 900
    assert [place for place, result in enumerate(done) if not result["success"]] == [10]
    assert done[10]["errors"][0]["statusCode"] == "REQUIRED_FIELD_MISSING"

    soql = f"SELECT Id, Name, {KEY}, CreatedDate FROM Account WHERE {KEY} LIKE 'b1-%' ORDER BY {KEY}"
    found = sf.bulk.Account.query(soql)
    assert {row[KEY] for row in found} == {row[KEY] for row in rows} - {"b1-bad"}
    assert all(isinstance(row["CreatedDate"], int) for row in found)
    assert {result["id"] for result in done if result["success"]} == {row["Id"] for row in found}
    lazy = sf.bulk.Account.query_all(soql, lazy_operation=True)
    assert sum(len(page) for page in lazy) == 899

    changes = [{"Id": row["Id"], "BillingCity": None} for row in found]
    changed = sf.bulk.Account.update(changes, include_detailed_results=True)
    assert all(result["success"] and not result["created"] and result["BillingCity"] is None for result in changed)
    both = [{KEY: "b1-0", "Name": "Upserted"}, {KEY: "b1-new", "Name": "New"}]
    assert [result["created"] for result in sf.bulk.Account.upsert(both, KEY, batch_size="auto")] == [False, True]
    gone = sf.bulk.Account.delete([{"Id": row["Id"]} for row in found])
    assert all(result["success"] for result in gone)
    assert sf.query(f"SELECT COUNT() FROM Account WHERE {KEY} LIKE 'b1-%'")["totalSize"] == 1
    trash = sf.bulk.Account.query_all(f"SELECT Id FROM Account WHERE {KEY} LIKE 'b1-%'")
    assert len(trash) == 900


def test_bulk_1_failures_reach_the_client_as_it_expects_them(sf: Salesforce) -> None:
    """A query that fails raises with its stateMessage, a batch that fails has no results, a bad object no job."""
    with pytest.raises(SalesforceGeneralError) as failed:
        sf.bulk.Account.query("SELECT Id FROM Contact")
    assert "INVALID_TYPE_FOR_OPERATION" in str(failed.value)
    with pytest.raises(SalesforceMalformedRequest) as refused:
        sf.bulk.Account.insert([{"Nope__c": "x"}])
    assert refused.value.content == {"exceptionCode": "InvalidBatch", "exceptionMessage": "Records not processed"}
    with pytest.raises(SalesforceMalformedRequest) as unknown:
        sf.bulk.Nope__c.insert([{"Name": "x"}])
    assert unknown.value.content["exceptionCode"] == "InvalidEntity"


def ask(server: EmulatorServer, token: str, method: str, path: str, body: bytes = b"", kind: str = "text/csv") -> bytes:
    """Send one request of Bulk API 1.0 and return the reply."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        headers = {"X-SFDC-Session": token, "Content-Type": kind}
        connection.request(method, f"/services/async/60.0/job{path}", body, headers)
        reply = connection.getresponse()
        content = reply.read()
        assert reply.status < 300, content
        return content
    finally:
        connection.close()


@pytest.mark.system
def test_kills_between_batches_double_and_lose_nothing(tmp_path: Path) -> None:
    """Killed twice while it works through a job, every batch is done once, every row in the org once."""
    with EmulatorServer(tmp_path / "org.db", batch_delay_seconds=0.02) as server:
        session = emulator_session(server.url)
        token = Salesforce(username=USERNAME, password=PASSWORD, security_token=SECURITY_TOKEN, session=session)
        session.close()
        sid = str(token.session_id)
        info = {"operation": "insert", "object": "Account", "contentType": "CSV", "concurrencyMode": "Serial"}
        job = json.loads(ask(server, sid, "POST", "", json.dumps(info).encode(), "application/json"))["id"]
        batches = []
        for batch in range(12):
            data = b"Name,External_Id__c\n" + b"".join(b"n,c-%d-%d\n" % (batch, n) for n in range(20))
            reply = ask(server, sid, "POST", f"/{job}/batch", data).decode()
            batches.append(re.findall(r"<id>(751\w+)</id>", reply)[0])
        ask(server, sid, "POST", f"/{job}", b'{"state": "Closed"}', "application/json")
        for share in (1, 2):
            wait_for(server, sid, job, 12 * share // 3)
            server.restart()
        wait_for(server, sid, job, 12)
        for batch_id in batches:
            result = ask(server, sid, "GET", f"/{job}/batch/{batch_id}/result").decode()
            assert [row["Success"] for row in csv.DictReader(io.StringIO(result))] == ["true"] * 20
        headers = {"Authorization": f"Bearer {sid}"}
        count = server.request("GET", "/services/data/v60.0/query?q=SELECT+COUNT()+FROM+Account", **headers)[1]
        assert count["totalSize"] == 240


def wait_for(server: EmulatorServer, sid: str, job: str, completed: int) -> None:
    """Return once so many batches of a job are completed."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        info = json.loads(ask(server, sid, "GET", f"/{job}", kind="application/json"))
        if info["numberBatchesCompleted"] >= completed:
            return
        time.sleep(0.02)
    raise AssertionError(info)
