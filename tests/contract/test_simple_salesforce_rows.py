"""simple-salesforce's `SFType`: one row created, read, changed, upserted, deleted, replicated, and its bytes."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from simple_salesforce import Salesforce
from simple_salesforce.exceptions import (
    SalesforceMalformedRequest,
    SalesforceMoreThanOneRecord,
    SalesforceResourceNotFound,
)

from tests.support.emulator_server import EmulatorServer

KEY = "External_Id__c"


def test_a_row_lives_and_ends_with_codes_or_whole_replies(simple: Salesforce) -> None:
    """Each verb returns the code, or the reply itself when it is asked for, and takes headers of the caller."""
    made = simple.Contact.create({"LastName": "Raw"}, headers={"Sforce-Auto-Assign": "FALSE"})
    changed = simple.Contact.update(made["id"], {"FirstName": "A"}, raw_response=True)
    assert (changed.status_code, changed.content) == (204, b"")
    assert simple.Contact.get(made["id"], params={"fields": "Name,LastName"}) == {
        "attributes": {"type": "Contact", "url": f"/services/data/v62.0/sobjects/Contact/{made['id']}"},
        "Name": "A Raw",
        "LastName": "Raw",
        "Id": made["id"],
    }
    reply = simple.Contact.upsert(f"{KEY}/raw-1", {"LastName": "Raw"}, raw_response=True)
    assert (reply.status_code, reply.json()["created"]) == (201, True)
    gone = simple.Contact.delete(made["id"], raw_response=True)
    assert gone.status_code == 204
    with pytest.raises(SalesforceResourceNotFound):
        simple.Contact.delete(made["id"])


def test_a_row_is_read_by_its_own_key(simple: Salesforce) -> None:
    """`get_by_custom_id` finds the row of a key, and no other."""
    simple.Account.upsert(f"{KEY}/own-1", {"Name": "Own"})
    assert simple.Account.get_by_custom_id(KEY, "own-1")["Name"] == "Own"
    with pytest.raises(SalesforceResourceNotFound):
        simple.Account.get_by_custom_id(KEY, "own-2")
    with pytest.raises(SalesforceResourceNotFound):
        simple.Nope__c.get("001000000000001")


def test_a_key_that_two_rows_share_is_told_with_both(emulator: EmulatorServer, simple: Salesforce) -> None:
    """An external id that is not unique ends in 300 with the addresses of all its rows, and nothing is changed."""
    field = {"name": "Group_Key__c", "label": "Group Key", "type": "string", "length": 40, "externalId": True}
    status, body = emulator.request("POST", "/_emulator/objects/Lead/fields", field)
    assert status == 201, body
    ids = {simple.Lead.create({"LastName": f"L{n}", "Company": "C", "Group_Key__c": "g"})["id"] for n in range(2)}
    with pytest.raises(SalesforceMoreThanOneRecord) as caught:
        simple.Lead.upsert("Group_Key__c/g", {"Company": "D"})
    assert {address.rpartition("/")[2] for address in caught.value.content} == ids
    rows = simple.query("SELECT Company FROM Lead WHERE Group_Key__c = 'g'")["records"]
    assert [row["Company"] for row in rows] == ["C", "C"]


def test_deleted_and_updated_rows_are_listed(minute_later: Callable[[], None], simple: Salesforce) -> None:
    """`updated` names the row that was made, `deleted` the one that was deleted, each for its span of time."""
    kept = simple.Account.create({"Name": "Kept"})["id"]
    gone = simple.Account.create({"Name": "Gone"})["id"]
    simple.Account.delete(gone)
    minute_later()
    end = datetime.now(tz=UTC) + timedelta(minutes=2)
    start = end - timedelta(hours=1)
    changed = simple.Account.updated(start, end)
    assert kept in changed["ids"]
    assert gone not in changed["ids"]
    removed = simple.Account.deleted(start, end)
    assert gone in [row["id"] for row in removed["deletedRecords"]]
    early = simple.Account.updated(start - timedelta(days=2), start - timedelta(days=1))
    assert early["ids"] == []
    with pytest.raises(SalesforceMalformedRequest, match="INVALID_REPLICATION_DATE"):
        simple.Account.updated(end, start)


def test_bytes_go_up_change_and_come_down(simple: Salesforce, tmp_path: Path) -> None:
    """A file is uploaded, replaced and read back byte by byte."""
    first, second = tmp_path / "a.bin", tmp_path / "b.bin"
    first.write_bytes(bytes(range(256)))
    second.write_bytes("Zürich".encode())
    folder = simple.query("SELECT Id FROM User LIMIT 1")["records"][0]["Id"]
    made = simple.Document.create({"Name": "Paper", "FolderId": folder, "Body": ""})["id"]
    assert simple.Document.update_base64(made, str(first)) == 204
    assert simple.Document.get_base64(made) == first.read_bytes()
    assert simple.Document.update_base64(made, str(second), raw_response=True).status_code == 204
    assert simple.Document.get_base64(made) == second.read_bytes()


def test_an_upload_without_a_name_is_refused_or_taken_as_the_object_wants(simple: Salesforce, tmp_path: Path) -> None:
    """`upload_base64` sends nothing but bytes: an attachment lacks its parent and name, and says so."""
    file = tmp_path / "a.txt"
    file.write_text("text")
    with pytest.raises(SalesforceMalformedRequest, match="REQUIRED_FIELD_MISSING"):
        simple.Attachment.upload_base64(str(file))


def test_versions_of_a_file_are_read_by_their_own_field(simple: Salesforce) -> None:
    """`get_base64` takes the name of the field, as content versions need it."""
    data = base64.b64encode(b"%PDF-1.7").decode()
    made = simple.ContentVersion.create({"Title": "Plan", "PathOnClient": "plan.pdf", "VersionData": data})["id"]
    assert simple.ContentVersion.get_base64(made, "VersionData") == b"%PDF-1.7"
