"""What a profile hides or locks is hidden and locked in every resource."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import TestClient

from orgbridge.emulator.app import EmulatorClient, EmulatorConfig, EmulatorUser, build_app
from tests.unit.emulator.http.conftest import Caller, MovingClock, V
from tests.unit.emulator.http.test_controls import finish
from tests.unit.emulator.http.test_policies import put

_RIGHTS = (
    "<allowRead>{0}</allowRead><allowCreate>{1}</allowCreate><allowEdit>{1}</allowEdit><allowDelete>{1}</allowDelete>"
)


def rights(name: str, *, read: bool, write: bool) -> str:
    """Return what a profile file says of an object."""
    words = _RIGHTS.format(str(read).lower(), str(write).lower())
    return f"<objectPermissions><object>{name}</object>{words}</objectPermissions>"


def field(name: str, *, read: bool, write: bool) -> str:
    """Return what a profile file says of a field."""
    text = f"<readable>{str(read).lower()}</readable><editable>{str(write).lower()}</editable>"
    return f"<fieldPermissions><field>{name}</field>{text}</fieldPermissions>"


@pytest.fixture(scope="module")
def callers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Caller, Caller, dict[str, str]]]:
    """An administrator, a limited user, and ids of rows: cases are hidden, contacts read-only, some fields hidden.

    One org for all tests: none of them may change a row through the limited user.
    """
    folder = tmp_path_factory.mktemp("org") / "project"
    body = rights("Case", read=False, write=False) + rights("Contact", read=True, write=False)
    body += field("Account.Phone", read=False, write=False) + field("Account.BillingCity", read=False, write=False)
    body += field("Account.Site", read=True, write=False) + field("Asset.ContactId", read=False, write=False)
    body += field("Attachment.Description", read=False, write=False)
    body += field("Account.External_Id__c", read=False, write=False)
    put(folder, "profiles/Limited.profile-meta.xml", "Profile", body)
    users = (
        EmulatorUser(username="boss@x.org", password="p"),
        EmulatorUser(username="limited@x.org", password="p", profile="Limited"),
    )
    client = EmulatorClient(client_id="limited", client_secret="s", run_as="limited@x.org")
    clock = MovingClock()
    app = build_app(EmulatorConfig(metadata=folder, users=users, clients=(client,)), clock=clock)
    with TestClient(app) as http:
        admin = Caller(http, clock)
        admin.sign_in()
        grant = {"grant_type": "client_credentials", "client_id": "limited", "client_secret": "s"}
        reply = http.post("/services/oauth2/token", data=grant)
        assert reply.status_code == 200, reply.text
        limited = replace(admin, headers={"Authorization": f"Bearer {reply.json()['access_token']}"})
        yield admin, limited, filled_org(admin)


def filled_org(admin: Caller) -> dict[str, str]:
    """Make the rows that are asked for and return their ids."""
    ids: dict[str, str] = {}

    def make(name: str, sobject: str, row: dict[str, Any]) -> None:
        made = admin("POST", f"/sobjects/{sobject}", json=row)
        assert made.status_code == 201, made.text
        ids[name] = made.json()["id"]

    make("account", "Account", {"Name": "Acme", "Phone": "555-0100", "BillingCity": "Bonn", "BillingStreet": "Way 1",
                                "Site": "North", "External_Id__c": "K1"})  # fmt: skip
    make("contact", "Contact", {"LastName": "Reader", "AccountId": ids["account"]})
    make("case", "Case", {"Subject": "Secret case", "AccountId": ids["account"], "ContactId": ids["contact"]})
    make("asset", "Asset", {"Name": "Pump", "AccountId": ids["account"], "ContactId": ids["contact"]})
    make("comment", "CaseComment", {"ParentId": ids["case"], "CommentBody": "about it"})
    note = {"Name": "n", "ParentId": ids["account"], "Body": "QUJD", "Description": "hidden words"}
    make("attachment", "Attachment", note)
    return ids


def q(soql: str) -> str:
    """Return the path of a query."""
    return "/query?q=" + soql.replace(" ", "+")


#: What the limited user asks: name, method, path, body, and the words that the reply must have and must not have.
READS = [
    ("global describe", "GET", "/sobjects", '"Account"', '"Case"'),
    ("describe", "GET", "/sobjects/Account/describe", "BillingStreet", "BillingCity"),
    ("describe of what is below", "GET", "/sobjects/Account/describe", '"Contact"', '"Case"'),
    ("describe of a reference", "GET", "/sobjects/CaseComment/describe", "CommentBody", '"referenceTo":["Case"]'),
    ("describe of a hidden object", "GET", "/sobjects/Case/describe", "NOT_FOUND", "Subject"),
    ("basic information", "GET", "/sobjects/Case", "NOT_FOUND", "Secret"),
    ("row", "GET", "/sobjects/Account/{account}", "Acme", "555-0100"),
    ("row, compound field", "GET", "/sobjects/Account/{account}", "Way 1", "Bonn"),
    ("row, compound field named", "GET", "/sobjects/Account/{account}?fields=BillingAddress", "Way 1", "Bonn"),
    ("hidden row", "GET", "/sobjects/Case/{case}", "NOT_FOUND", "Secret"),
    ("row by a hidden key", "GET", "/sobjects/Account/External_Id__c/K1", "NOT_FOUND", "Acme"),
    ("parent of a row", "GET", "/sobjects/Contact/{contact}/Account", "Acme", "555-0100"),
    ("hidden parent", "GET", "/sobjects/CaseComment/{comment}/Parent", "NOT_FOUND", "Secret"),
    ("parent by a hidden field", "GET", "/sobjects/Asset/{asset}/Contact", "NOT_FOUND", "Reader"),
    ("rows below", "GET", "/sobjects/Account/{account}/Contacts", "Reader", "Secret"),
    ("hidden rows below", "GET", "/sobjects/Account/{account}/Cases", "NOT_FOUND", "Secret"),
    ("hidden row's parent", "GET", "/sobjects/Case/{case}/Account", "NOT_FOUND", "Acme"),
    ("rows below by a hidden field", "GET", "/sobjects/Contact/{contact}/Assets", "NOT_FOUND", "Pump"),
    ("blob", "GET", "/sobjects/Attachment/{attachment}/Body", "ABC", "NOT_FOUND"),
    ("row with a blob", "GET", "/sobjects/Attachment/{attachment}", "Body", "hidden words"),
    ("query", "GET", q("SELECT Phone FROM Account"), "INVALID_FIELD", "555"),
    ("query with a hidden filter", "GET", q("SELECT Id FROM Account WHERE Phone = '555-0100'"), "INVALID_FIELD", "001"),
    ("query sorted by a hidden field", "GET", q("SELECT Id FROM Account ORDER BY Phone"), "INVALID_FIELD", "001"),
    ("query of all fields", "GET", q("SELECT FIELDS(STANDARD) FROM Account LIMIT 1"), "Acme", "555-0100"),
    ("query of a compound field", "GET", q("SELECT BillingAddress FROM Account"), "Way 1", "Bonn"),
    ("query through a parent", "GET", q("SELECT Account.Phone FROM Contact"), "INVALID_FIELD", "555"),
    ("query of a hidden object", "GET", q("SELECT Subject FROM Case"), "INVALID_TYPE", "Secret"),
    ("query below", "GET", q("SELECT (SELECT Subject FROM Cases) FROM Account"), "INVALID_", "Secret"),
    ("semi-join", "GET", q("SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Case)"), "INVALID_", '"Id":"001'),
    ("queryAll", "GET", "/queryAll?q=SELECT+Subject+FROM+Case", "INVALID_TYPE", "Secret"),
    ("explain", "GET", "/query?explain=SELECT+Id+FROM+Case", "INVALID_TYPE", "cardinality"),
    ("search", "GET", "/search?q=FIND+{{Secret}}+IN+ALL+FIELDS", "searchRecords", "500"),
    ("search, hidden object", "GET", "/search?q=FIND+{{Secret}}+RETURNING+Case(Subject)", "INVALID_", "Secret c"),
    ("search, hidden field", "GET", "/search?q=FIND+{{Acme}}+RETURNING+Account(Phone)", "INVALID_FIELD", "555-0100"),
    ("parameterized search", "GET", "/parameterizedSearch?q=Secret&sobject=Case&Case.fields=Subject", "INVALID_",
     "Secret c"),
    ("collection", "GET", "/composite/sobjects/Account?ids={account}&fields=Phone", "INVALID_FIELD", "555"),
    ("collection, hidden object", "GET", "/composite/sobjects/Case?ids={case}&fields=Subject", "NOT_FOUND", "Secret"),
    ("layouts", "GET", "/sobjects/Account/describe/layouts", "BillingStreet", "BillingCity"),
    ("hidden layouts", "GET", "/sobjects/Case/describe/layouts", "NOT_FOUND", "Subject"),
    ("compact layouts", "GET", "/compactLayouts?q=Case", "NOT_FOUND", "fieldItems"),
    ("default values", "GET", "/sobjects/Account/defaultValues?fields=Phone", "INVALID_FIELD", "attributes"),
    ("list views", "GET", "/sobjects/Case/listviews", "NOT_FOUND", "listviews"),
    ("record counts", "GET", "/limits/recordCount", '"Account"', '"Case"'),
    ("tooling", "GET", "/tooling/query?q=SELECT+QualifiedApiName+FROM+EntityDefinition", '"Account"', '"Case"'),
    ("tooling, fields", "GET", "/tooling/query?q=SELECT+QualifiedApiName+FROM+FieldDefinition+WHERE+"
     "EntityDefinition.QualifiedApiName='Account'", "BillingStreet", '"Phone"'),
]  # fmt: skip


@pytest.mark.parametrize(("name", "method", "path", "has", "lacks"), READS, ids=[read[0] for read in READS])
def test_nothing_hidden_is_read(callers, name, method, path, has, lacks):
    """A hidden object, field or relationship is not there for the limited user, and is for the administrator."""
    admin, limited, ids = callers
    reply = limited(method, path.format(**ids))
    assert has in reply.text
    assert lacks not in reply.text
    assert reply.status_code < 500
    assert admin(method, path.format(**ids)).status_code == 200


def test_all_reads_go_the_same_in_subrequests(callers):
    """What is hidden stays hidden inside composite and batch calls."""
    _, limited, ids = callers
    for name, method, path, has, lacks in READS:
        url = V + path.format(**ids)
        inner = {"batchRequests": [{"method": method, "url": url}]}
        reply = limited("POST", "/composite/batch", json=inner)
        assert lacks not in reply.text, name
        if "NOT_FOUND" in has:
            assert '"hasErrors":true' in reply.text, name
        single = {"method": method, "url": url, "referenceId": "r"}
        for body in ({"compositeRequest": [single]}, {"allOrNone": True, "compositeRequest": [single]}):
            assert lacks not in limited("POST", "/composite", json=body).text, name
        graph = {"graphs": [{"graphId": "g", "compositeRequest": [single]}]}
        assert lacks not in limited("POST", "/composite/graph", json=graph).text, name


def test_replication_and_recent_know_only_what_is_shown(callers):
    """Deleted and updated rows of a hidden object are not told of, nor are they among the recent ones."""
    admin, limited, ids = callers
    admin.clock.ahead += admin.clock.ahead.resolution * 180_000_000
    period = "start=2020-01-01T00:00:00Z&end=2100-01-01T00:00:00Z"
    for what in ("deleted", "updated"):
        assert limited("GET", f"/sobjects/Case/{what}?{period}").status_code == 404
    row = admin("PATCH", "/sobjects/Case/" + ids["case"], json={"Subject": "Again secret"})
    assert row.status_code == 204
    assert "Case" not in limited("GET", "/recent").text
    assert "Case" in admin("GET", "/recent").text


_CASE = {"attributes": {"type": "Case", "referenceId": "c"}, "Subject": "new"}
_CONTACT = {"attributes": {"type": "Contact", "referenceId": "c"}, "LastName": "new"}
_PHONE = {"attributes": {"type": "Account", "referenceId": "a"}, "Name": "new", "Phone": "1"}
_SITE = {"attributes": {"type": "Account", "referenceId": "a"}, "Name": "new", "Site": "S"}
_READ_ONLY = "INSUFFICIENT_ACCESS_OR_READONLY"


def plain(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row without its attributes."""
    return {key: value for key, value in row.items() if key != "attributes"}


WRITES = [
    ("insert, hidden object", "POST", "/sobjects/Case", plain(_CASE), "NOT_FOUND"),
    ("insert, read-only object", "POST", "/sobjects/Contact", plain(_CONTACT), _READ_ONLY),
    ("insert, hidden field", "POST", "/sobjects/Account", plain(_PHONE), "INVALID_FIELD"),
    ("insert, read-only field", "POST", "/sobjects/Account", plain(_SITE), "INVALID_FIELD_FOR_INSERT_UPDATE"),
    ("insert, hidden parent", "POST", "/sobjects/CaseComment", {"ParentId": "{case}", "CommentBody": "x"},
     "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY"),
    ("update, hidden object", "PATCH", "/sobjects/Case/{case}", {"Subject": "x"}, "NOT_FOUND"),
    ("update, read-only object", "PATCH", "/sobjects/Contact/{contact}", {"FirstName": "x"}, _READ_ONLY),
    ("update, hidden field", "PATCH", "/sobjects/Account/{account}", {"Phone": "2"}, "INVALID_FIELD"),
    ("update, hidden part", "PATCH", "/sobjects/Account/{account}", {"BillingCity": "2"}, "INVALID_FIELD"),
    ("upsert by a hidden key", "PATCH", "/sobjects/Account/External_Id__c/K2", {"Name": "x"}, "NOT_FOUND"),
    ("delete, hidden object", "DELETE", "/sobjects/Case/{case}", None, "NOT_FOUND"),
    ("delete, read-only object", "DELETE", "/sobjects/Contact/{contact}", None, _READ_ONLY),
    ("change of a parent", "PATCH", "/sobjects/Contact/{contact}/Account", {"Phone": "3"}, "INVALID_FIELD"),
    ("deletion of a hidden parent", "DELETE", "/sobjects/CaseComment/{comment}/Parent", None, "NOT_FOUND"),
    ("collection, hidden object", "POST", "/composite/sobjects", {"records": [_CASE]}, "INVALID_TYPE"),
    ("collection, read-only object", "POST", "/composite/sobjects", {"records": [_CONTACT]}, _READ_ONLY),
    ("collection, hidden field", "POST", "/composite/sobjects", {"records": [_PHONE]}, "INVALID_FIELD"),
    ("collection, update", "PATCH", "/composite/sobjects",
     {"records": [{"attributes": {"type": "Contact"}, "id": "{contact}", "FirstName": "x"}]}, _READ_ONLY),
    ("collection, upsert", "PATCH", "/composite/sobjects/Account/External_Id__c",
     {"records": [{"attributes": {"type": "Account"}, "External_Id__c": "K1", "Name": "x"}]}, "NOT_FOUND"),
    ("collection, delete", "DELETE", "/composite/sobjects?ids={case}", None, "INVALID_CROSS_REFERENCE_KEY"),
    ("collection, delete of what is read-only", "DELETE", "/composite/sobjects?ids={contact}", None, _READ_ONLY),
    ("tree, hidden object", "POST", "/composite/tree/Case", {"records": [_CASE]}, "NOT_FOUND"),
    ("tree, read-only object", "POST", "/composite/tree/Contact", {"records": [_CONTACT]}, _READ_ONLY),
    ("tree, hidden child", "POST", "/composite/tree/Account",
     {"records": [{"attributes": {"type": "Account", "referenceId": "a"}, "Name": "x", "Cases": {"records": [_CASE]}}]},
     "INVALID_FIELD"),
    ("tree, hidden field", "POST", "/composite/tree/Account", {"records": [_PHONE]}, "INVALID_FIELD"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "method", "path", "body", "code"), WRITES, ids=[write[0] for write in WRITES])
def test_nothing_hidden_or_locked_is_written(callers, name, method, path, body, code):
    """Every way of writing refuses what the profile hides or locks, and no row changes."""
    admin, limited, ids = callers
    before = rows(admin)
    filled = json.loads(fill(json.dumps(body), ids))
    reply = limited(method, fill(path, ids), json=filled)
    assert f'"{code}"' in reply.text
    single = {"method": method, "url": V + fill(path, ids), "referenceId": "r", "body": filled}
    for whole in (False, True):
        inner = limited("POST", "/composite", json={"allOrNone": whole, "compositeRequest": [single]})
        assert f'"{code}"' in inner.text or "tree" in path
    graph = {"graphs": [{"graphId": "g", "compositeRequest": [single]}]}
    assert '"isSuccessful":true' not in limited("POST", "/composite/graph", json=graph).text
    assert rows(admin) == before


def fill(text: str, ids: dict[str, str]) -> str:
    """Return the text with the ids of rows in it."""
    for name, record_id in ids.items():
        text = text.replace("{" + name + "}", record_id)
    return text


def rows(admin: Caller) -> list[Any]:
    """Return what is there of the objects that the tests write."""
    found: list[Any] = []
    for soql in (
        "SELECT Id, Subject FROM Case",
        "SELECT Id, FirstName FROM Contact",
        "SELECT Id, Name, Phone, Site, BillingCity FROM Account",
        "SELECT Id FROM CaseComment",
    ):
        found += admin("GET", q(soql)).json()["records"]
    return found


def test_bulk_jobs_obey_profiles(callers):
    """Ingest and query jobs of both Bulk APIs know only what the job's user may see and write."""
    _, limited, ids = callers
    hidden = limited("POST", "/jobs/ingest", json={"object": "Case", "operation": "insert"})
    assert hidden.json()[0]["errorCode"] == "INVALIDENTITY"
    key = {"object": "Account", "operation": "upsert", "externalIdFieldName": "External_Id__c"}
    assert limited("POST", "/jobs/ingest", json=key).json()[0]["errorCode"] == "INVALIDJOB"
    query = limited("POST", "/jobs/query", json={"operation": "query", "query": "SELECT Phone FROM Account"})
    assert query.status_code == 400
    for header, sobject, word in (
        ("Id,Phone", "Account", "Field name not found : Phone"),
        ("Id,FirstName", "Contact", _READ_ONLY),
    ):
        job = limited("POST", "/jobs/ingest", json={"object": sobject, "operation": "update"}).json()["id"]
        content = f"{header}\n{ids[sobject.lower()]},x\n".encode()
        limited("PUT", f"/jobs/ingest/{job}/batches", content=content, headers={"Content-Type": "text/csv"})
        limited("PATCH", f"/jobs/ingest/{job}", json={"state": "UploadComplete"})
        info = finish(limited, "ingest", job)
        failed = limited("GET", f"/jobs/ingest/{job}/failedResults").text
        assert word in str(info.get("errorMessage")) + failed


@pytest.mark.parametrize(
    ("sobject", "kind", "body", "word"),
    [
        ("Account", "CSV", "Id,Phone\n{account},x\n", "Field name not found : Phone"),
        ("Account", "JSON", '[{"Id": "{account}", "Phone": "x"}]', "Field name not found : Phone"),
        ("Contact", "JSON", '[{"Id": "{contact}", "FirstName": "x"}]', _READ_ONLY),
        ("Contact", "CSV", "Id,FirstName\n{contact},x\n", _READ_ONLY),
    ],
)
def test_bulk_1_jobs_obey_profiles(callers, sobject, kind, body, word):
    """Batches of Bulk API 1.0 fail, or each of their records, where the profile hides or locks."""
    _, limited, ids = callers
    headers = {"X-SFDC-Session": limited.headers["Authorization"].partition(" ")[2], "Content-Type": "application/json"}
    base = "/services/async/62.0/job"
    asked = {"operation": "update", "object": sobject, "contentType": kind}
    job = limited.http.post(base, json=asked, headers=headers).json()["id"]
    hidden = limited.http.post(base, json={**asked, "object": "Case"}, headers=headers)
    assert "InvalidEntity" in hidden.text
    media = {"Content-Type": "text/csv" if kind == "CSV" else "application/json"}
    text = fill(body, ids).encode()
    batch = limited.http.post(f"{base}/{job}/batch", content=text, headers={**headers, **media})
    batch_id = batch.json()["id"] if kind == "JSON" else batch.text.partition("<id>")[2].partition("<")[0]
    deadline = time.monotonic() + 20
    told = ""
    while word not in told:
        assert time.monotonic() < deadline, told
        info = limited.http.get(f"{base}/{job}/batch/{batch_id}", headers=headers).text
        told = info + limited.http.get(f"{base}/{job}/batch/{batch_id}/result", headers=headers).text
        time.sleep(0.01)
