"""Bytes of rows: base64 in JSON, multipart, and back as they were; documents and links of files."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest

from tests.unit.emulator.http.conftest import Caller, V

DATA = bytes(range(256)) * 5000


def multipart(call: Caller, method: str, path: str, row: dict[str, object], field: str, data: bytes) -> object:
    """Send a row and its bytes as the guide shows it; return the reply."""
    files = {
        "entity_content": (None, json.dumps(row), "application/json"),
        field: ("report.pdf", data, "application/octet-stream"),
    }
    return call(method, path, files=files)


def one(call: Caller, soql: str) -> dict[str, object]:
    """Return the only record of a query."""
    (record,) = call("GET", "/query", params={"q": soql}).json()["records"]
    return dict(record)


@pytest.fixture
def account(call: Caller) -> str:
    """Id of a row that files hang on."""
    return str(call("POST", "/sobjects/Account", json={"Name": "Acme"}).json()["id"])


@pytest.mark.documented
def test_an_attachment_travels_as_base64_and_comes_back_as_bytes(call: Caller, account: str) -> None:
    """The row shows the address of its bytes, their length is computed, and the type is the stored one."""
    row = {
        "ParentId": account,
        "Name": "a.bin",
        "ContentType": "image/png",
        "Body": base64.b64encode(DATA).decode(),
    }
    record_id = call("POST", "/sobjects/Attachment", json=row).json()["id"]
    body = f"{V}/sobjects/Attachment/{record_id}/Body"
    shown = call("GET", f"/sobjects/Attachment/{record_id}").json()
    assert (shown["Body"], shown["BodyLength"]) == (body, len(DATA))
    reply = call("GET", body)
    assert (reply.content, reply.headers["content-type"]) == (DATA, "image/png")
    assert call("GET", body, headers={"Accept": "image/png"}).content == DATA
    assert one(call, "SELECT Body FROM Attachment")["Body"] == body
    item = call("GET", f"/composite/sobjects/Attachment?ids={record_id}&fields=Body").json()[0]
    assert item["Body"] == body


@pytest.mark.documented
def test_multipart_makes_and_changes_a_document(call: Caller) -> None:
    """Bytes beside the JSON part are kept as they are, on POST and on PATCH."""
    user = one(call, "SELECT Id FROM User LIMIT 1")["Id"]
    made = multipart(call, "POST", "/sobjects/Document", {"Name": "D", "FolderId": user}, "Body", DATA)
    record_id = made.json()["id"]  # type: ignore[attr-defined]
    path = f"/sobjects/Document/{record_id}"
    assert made.headers["location"] == V + path  # type: ignore[attr-defined]
    assert call("GET", f"{path}/Body").content == DATA
    changed = multipart(call, "PATCH", path, {"Name": "E"}, "Body", b"short")
    assert changed.status_code == 204  # type: ignore[attr-defined]
    assert call("GET", f"{path}/body").content == b"short"
    assert one(call, "SELECT Name, BodyLength FROM Document") | {"attributes": 0} == {
        "attributes": 0,
        "Name": "E",
        "BodyLength": 5,
    }


def test_a_version_makes_a_document_with_links(call: Caller, account: str) -> None:
    """Document, owner's link and the place of first publication follow, facts about the bytes too."""
    row = {"PathOnClient": "C:\\x\\Report.PDF", "FirstPublishLocationId": account}
    reply = multipart(call, "POST", "/sobjects/ContentVersion", row, "VersionData", DATA)
    version_id = reply.json()["id"]  # type: ignore[attr-defined]
    version = call("GET", f"/sobjects/ContentVersion/{version_id}").json()
    facts = ("Title", "FileExtension", "FileType", "ContentSize", "Checksum", "VersionNumber", "IsLatest")
    checksum = hashlib.md5(DATA, usedforsecurity=False).hexdigest()
    assert [version[name] for name in facts] == ["Report", "pdf", "PDF", len(DATA), checksum, "1", True]
    document = call("GET", f"/sobjects/ContentDocument/{version['ContentDocumentId']}").json()
    assert [document[name] for name in ("Title", "ContentSize", "LatestPublishedVersionId")] == [
        "Report", len(DATA), version_id,
    ]  # fmt: skip
    links = call(
        "GET",
        "/query",
        params={"q": f"SELECT LinkedEntityId FROM ContentDocumentLink WHERE ContentDocumentId = '{document['Id']}'"},
    ).json()
    assert {row["LinkedEntityId"] for row in links["records"]} == {version["OwnerId"], account}
    assert call("GET", f"/sobjects/ContentVersion/{version_id}/VersionData").content == DATA


def test_a_new_version_of_a_document_is_its_latest(call: Caller) -> None:
    """It counts up, the older one is kept, and bytes of a version never change."""
    data = base64.b64encode(b"one").decode()
    first = call("POST", "/sobjects/ContentVersion", json={"PathOnClient": "a.txt", "VersionData": data}).json()["id"]
    document = one(call, "SELECT ContentDocumentId FROM ContentVersion")["ContentDocumentId"]
    row = {"PathOnClient": "b.txt", "VersionData": base64.b64encode(b"two!").decode(), "ContentDocumentId": document}
    second = call("POST", "/sobjects/ContentVersion", json=row).json()["id"]
    latest = one(call, "SELECT Id, VersionNumber, FileType FROM ContentVersion WHERE IsLatest = true")
    assert (latest["Id"], latest["VersionNumber"], latest["FileType"]) == (second, "2", "TEXT")
    assert one(call, "SELECT Title, ContentSize FROM ContentDocument")["Title"] == "b"
    assert call("GET", f"/sobjects/ContentVersion/{first}/VersionData").content == b"one"
    assert call("PATCH", f"/sobjects/ContentVersion/{first}", json={"VersionData": data}).status_code == 400
    assert call("PATCH", f"/sobjects/ContentVersion/{first}", json={"Title": "T"}).status_code == 204
    assert call("DELETE", f"/sobjects/ContentDocument/{document}").status_code == 204
    assert call("GET", "/query?q=SELECT+COUNT()+FROM+ContentVersion").json()["totalSize"] == 0


def test_multipart_out_of_form_saves_nothing(call: Caller, account: str) -> None:
    """A body without a row, without bytes, with a foreign part, or broken is refused with 400."""
    row = (None, json.dumps({"Name": "x", "ParentId": account}), "application/json")
    data = ("x.bin", b"x", "application/octet-stream")
    for files in ({"Body": data}, {"entity": row}, {"entity": row, "Nope": data}, {"a": row, "b": row, "Body": data}):
        assert call("POST", "/sobjects/Attachment", files=files).status_code == 400
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    assert call("POST", "/sobjects/Attachment", content=b"noise", headers=headers).status_code == 400
    bad = (None, json.dumps({"Name": "x"}), "application/json")
    reply = call("POST", "/sobjects/Attachment", files={"entity": bad, "Body": data})
    assert reply.json()[0]["fields"] == ["ParentId"]
    assert call("GET", "/query?q=SELECT+COUNT()+FROM+Attachment").json()["totalSize"] == 0


def test_bytes_cannot_be_read_in_a_composite_call(call: Caller, account: str) -> None:
    """A blob as a subrequest is refused; a row without bytes has no such address."""
    row = {"ParentId": account, "Name": "a", "Body": "AAAA"}
    record_id = call("POST", "/sobjects/Attachment", json=row).json()["id"]
    item = {"method": "GET", "url": f"{V}/sobjects/Attachment/{record_id}/Body", "referenceId": "a"}
    result = call("POST", "/composite", json={"compositeRequest": [item]}).json()["compositeResponse"][0]
    assert result["httpStatusCode"] == 400
    user = one(call, "SELECT Id FROM User LIMIT 1")["Id"]
    empty = call("POST", "/sobjects/Document", json={"Name": "D", "FolderId": user}).json()["id"]
    assert call("GET", f"/sobjects/Document/{empty}").json()["Body"] is None
    assert call("GET", f"/sobjects/Document/{empty}/Body").status_code == 404
