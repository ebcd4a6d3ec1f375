"""simple-salesforce from PyPI, unchanged, against a real emulator process."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from simple_salesforce import Salesforce
from simple_salesforce.exceptions import (
    SalesforceAuthenticationFailed,
    SalesforceExpiredSession,
    SalesforceMalformedRequest,
    SalesforceResourceNotFound,
)

from tests.support.emulator_server import (
    CLIENT_ID,
    CLIENT_SECRET,
    PASSWORD,
    SECURITY_TOKEN,
    USERNAME,
    EmulatorServer,
)
from tests.support.rerouting import emulator_session

KEY = "External_Id__c"


@pytest.fixture
def sf(emulator: EmulatorServer) -> Iterator[Salesforce]:
    """A client that signed in with user name, password and security token, that is by SOAP."""
    session = emulator_session(emulator.url)
    yield Salesforce(
        username=USERNAME, password=PASSWORD, security_token=SECURITY_TOKEN, session=session, version="59.0"
    )
    session.close()


def test_soap_login_gives_a_session_that_works(sf: Salesforce) -> None:
    """SOAP login yields a session of Salesforce's shape, and describe works with it."""
    assert sf.session_id.startswith("00D")
    assert "!" in sf.session_id
    assert {item["name"] for item in sf.describe()["sobjects"]} >= {"Account", "Contact"}
    assert sf.Account.describe()["fields"][0]["name"] == "Id"


def test_a_wrong_password_is_refused_with_the_code_of_the_fault(emulator: EmulatorServer) -> None:
    """A failed SOAP login carries INVALID_LOGIN in the place where the client looks for it."""
    session = emulator_session(emulator.url)
    with session, pytest.raises(SalesforceAuthenticationFailed) as caught:
        Salesforce(username=USERNAME, password="wrong", security_token="x", session=session)
    assert caught.value.code == "INVALID_LOGIN"


@pytest.mark.parametrize("flow", ["password", "client_credentials", "jwt"])
def test_oauth_flows_sign_in(emulator: EmulatorServer, key_files: tuple[Path, Path], flow: str) -> None:
    """The client's three OAuth flows end in a session that can query."""
    session = emulator_session(emulator.url)
    common = {"session": session, "consumer_key": CLIENT_ID, "domain": "acme.my"}
    match flow:
        case "password":
            sf = Salesforce(username=USERNAME, password=PASSWORD, consumer_secret=CLIENT_SECRET, **common)
        case "client_credentials":
            sf = Salesforce(consumer_secret=CLIENT_SECRET, **common)
        case _:
            sf = Salesforce(username=USERNAME, privatekey_file=str(key_files[0]), **common)
    assert sf.query("SELECT Id FROM User WHERE Username = 'admin@local.org'")["totalSize"] == 1
    session.close()


def test_crud_of_one_row(sf: Salesforce) -> None:
    """A row is created, read, changed and deleted, and is not there afterwards."""
    created = sf.Account.create({"Name": "Crud GmbH", "BillingCity": "Köln"})
    assert created["success"] is True
    record_id = created["id"]
    assert sf.Account.get(record_id)["BillingCity"] == "Köln"
    assert sf.Account.update(record_id, {"BillingCity": "Bonn"}) == 204
    assert sf.Account.get(record_id)["BillingCity"] == "Bonn"
    assert sf.Account.delete(record_id) == 204
    with pytest.raises(SalesforceResourceNotFound) as caught:
        sf.Account.get(record_id)
    assert caught.value.content[0]["errorCode"] == "ENTITY_IS_DELETED"


def test_upsert_by_external_id_creates_then_updates(sf: Salesforce) -> None:
    """The same key makes one row, created first and changed after."""
    assert sf.Account.upsert(f"{KEY}/simple%2F1", {"Name": "First"}) == 201
    assert sf.Account.upsert(f"{KEY}/simple%2F1", {"Name": "Second"}) == 200
    rows = sf.query(f"SELECT Name FROM Account WHERE {KEY} = 'simple/1'")
    assert [row["Name"] for row in rows["records"]] == ["Second"]


def test_a_bad_row_is_refused_with_salesforce_errors(sf: Salesforce) -> None:
    """A missing required field comes back as REQUIRED_FIELD_MISSING with its name."""
    with pytest.raises(SalesforceMalformedRequest) as caught:
        sf.Account.create({"BillingCity": "Köln"})
    error = caught.value.content[0]
    assert (error["errorCode"], error["fields"]) == ("REQUIRED_FIELD_MISSING", ["Name"])


def test_bulk_insert_query_update_upsert_and_delete(sf: Salesforce) -> None:
    """Thousands of rows go in, come out over pages of both APIs, change and go, and every one is accounted for."""
    rows = [{"Name": f"Bulk {n}, Inc", KEY: f"sb-{n}", "BillingCity": "Köln\nSüd"} for n in range(4_500)]
    rows += [{"Name": "", KEY: f"sb-bad-{n}", "BillingCity": ""} for n in range(3)]
    done = sf.bulk2.Account.insert(records=rows, wait=0)[0]
    assert (done["numberRecordsProcessed"], done["numberRecordsFailed"]) == (4_503, 3)
    failed = list(csv.DictReader(io.StringIO(sf.bulk2.Account.get_failed_records(done["job_id"]))))
    assert {row["sf__Error"] for row in failed} == {
        "REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --"
    }
    good = list(csv.DictReader(io.StringIO(sf.bulk2.Account.get_successful_records(done["job_id"]))))
    assert {row[KEY] for row in good} == {f"sb-{n}" for n in range(4_500)}

    found = sf.query_all(f"SELECT Id, {KEY} FROM Account WHERE {KEY} LIKE 'sb-%' ORDER BY {KEY}")
    assert found["totalSize"] == len({row["Id"] for row in found["records"]}) == 4_500

    soql = f"SELECT Id, Name, BillingCity FROM Account WHERE {KEY} LIKE 'sb-%'"
    pages = list(sf.bulk2.Account.query(soql, max_records=2_000, wait=0))
    sizes = [len(list(csv.DictReader(io.StringIO(page)))) for page in pages]
    assert sizes == [2_000, 2_000, 500]

    changes = [{"Id": row["Id"], "BillingCity": "Bonn"} for row in found["records"][:1_000]]
    done = sf.bulk2.Account.update(records=changes, wait=0)[0]
    assert (done["numberRecordsProcessed"], done["numberRecordsFailed"]) == (1_000, 0)
    both = [{KEY: "sb-0", "Name": "Upserted"}, {KEY: "sb-new", "Name": "New"}]
    done = sf.bulk2.Account.upsert(records=both, external_id_field=KEY, wait=0)[0]
    assert (done["numberRecordsProcessed"], done["numberRecordsFailed"]) == (2, 0)
    assert sf.query(f"SELECT COUNT() FROM Account WHERE {KEY} LIKE 'sb-%'")["totalSize"] == 4_501

    gone = [{"Id": row["Id"]} for row in found["records"]]
    done = sf.bulk2.Account.delete(records=gone, wait=0)[0]
    assert (done["numberRecordsProcessed"], done["numberRecordsFailed"]) == (4_500, 0)
    assert sf.query(f"SELECT COUNT() FROM Account WHERE {KEY} LIKE 'sb-%'")["totalSize"] == 1


def test_collections_and_limits(sf: Salesforce) -> None:
    """A collections call reports a bad row among good ones with statusCode, and limits can be read."""
    body = {
        "allOrNone": False,
        "records": [{"attributes": {"type": "Account"}, "Name": "One"}, {"attributes": {"type": "Account"}}],
    }
    good, bad = sf.restful("composite/sobjects", method="POST", json=body)
    assert good["success"] is True
    assert "id" not in bad
    assert bad["errors"][0]["statusCode"] == "REQUIRED_FIELD_MISSING"
    limits = sf.limits()
    assert limits["DailyApiRequests"]["Remaining"] < limits["DailyApiRequests"]["Max"]
    assert sf.api_usage["api-usage"].total == limits["DailyApiRequests"]["Max"]


def test_an_expired_session_is_told_as_such(emulator: EmulatorServer, sf: Salesforce) -> None:
    """After all sessions end, a client that cannot sign in again gets 401, one that can goes on."""
    held = Salesforce(session_id=sf.session_id, instance="acme.my.salesforce.com", session=sf.session, version="59.0")
    emulator.fault(kind="expire_sessions")
    with pytest.raises(SalesforceExpiredSession):
        held.query("SELECT Id FROM Account LIMIT 1")
    assert sf.query("SELECT Id FROM Account LIMIT 1")["done"] is True
