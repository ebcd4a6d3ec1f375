"""What an org asks of its users over HTTP: profiles, duplicate rules, objects of a source folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from orgbridge.emulator.app import EmulatorUser

_NAMESPACE = 'xmlns="http://soap.sforce.com/2006/04/metadata"'


def put(folder: Path, path: str, root: str, body: str) -> None:
    """Write one metadata file."""
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"<{root} {_NAMESPACE}>{body}</{root}>")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a folder with an object, a duplicate rule, and a profile that hides a field."""
    folder = tmp_path / "project"
    put(folder, "objects/Site__c/Site__c.object-meta.xml", "CustomObject", "<label>Site</label>")
    hidden = "<field>Account.Phone</field><readable>false</readable><editable>false</editable>"
    put(folder, "profiles/Loader.profile-meta.xml", "Profile", f"<fieldPermissions>{hidden}</fieldPermissions>")
    item = "<fieldName>Site</fieldName><matchingMethod>Exact</matchingMethod>"
    matching = f"<fullName>Sites</fullName><matchingRuleItems>{item}</matchingRuleItems>"
    put(
        folder,
        "matchingRules/Account.matchingRule-meta.xml",
        "MatchingRules",
        f"<matchingRules>{matching}</matchingRules>",
    )
    put(
        folder,
        "duplicateRules/Account.Same_Site.duplicateRule-meta.xml",
        "DuplicateRule",
        "<actionOnInsert>Allow</actionOnInsert><operationsOnInsert>Alert</operationsOnInsert><isActive>true</isActive>"
        "<duplicateRuleMatchRules><matchingRule>Sites</matchingRule></duplicateRuleMatchRules>",
    )
    return folder


@pytest.mark.documented
def test_a_hidden_field_is_absent_everywhere(make_caller, project):
    """Describe, queries, rows and writes know nothing of a field that the caller's profile hides."""
    user = EmulatorUser(username="loader@x.org", password="p", profile="Loader")
    call = make_caller(metadata=project, users=(user,))
    call.sign_in()
    made = call("POST", "/sobjects/Site__c", json={"Name": "s"})
    account = call("POST", "/sobjects/Account", json={"Name": "a"}).json()["id"]
    fields = {f["name"] for f in call("GET", "/sobjects/Account/describe").json()["fields"]}
    refusals = [
        call("GET", "/query", params={"q": "SELECT Phone FROM Account"}),
        call("POST", "/sobjects/Account", json={"Name": "b", "Phone": "1"}),
        call("GET", f"/sobjects/Account/{account}", params={"fields": "Phone"}),
    ]
    assert (made.status_code, "Phone" in fields, "Name" in fields) == (201, False, True)
    assert [(r.status_code, r.json()[0]["errorCode"]) for r in refusals] == [(400, "INVALID_FIELD")] * 3
    hard = call("POST", "/jobs/ingest", json={"object": "Account", "operation": "hardDelete"})
    assert (hard.status_code, hard.json()[0]["errorCode"]) == (400, "FEATURENOTENABLED")


@pytest.mark.documented
def test_a_warning_of_duplicates_may_be_passed_over(make_caller, project):
    """A duplicate is refused with the rows that it matches; allowSave lets it be saved on purpose."""
    call = make_caller(metadata=project)
    call.sign_in()
    replies = [
        call("POST", "/sobjects/Account", json={"Name": name, "Site": "S"}, headers=headers)
        for name, headers in (
            ("a", {}),
            ("b", {}),
            ("b", {"Sforce-Duplicate-Rule-Header": "includeRecordDetails=false; allowSave=true"}),
        )
    ]
    assert [reply.status_code for reply in replies] == [201, 400, 201]
    (error,) = replies[1].json()
    assert (error["errorCode"], error["duplicateResult"]["allowSave"]) == ("DUPLICATES_DETECTED", True)
    match = error["duplicateResult"]["matchResults"][0]["matchRecords"][0]["record"]
    assert match["Id"] == replies[0].json()["id"]


@pytest.mark.documented
def test_a_read_only_user_reads(make_caller):
    """An integration user of the read-only profile queries rows and is refused every write."""
    user = EmulatorUser(username="reader@x.org", password="p", profile="Read Only Integration")
    call = make_caller(users=(user,))
    call.sign_in()
    written = call("POST", "/sobjects/Account", json={"Name": "a"})
    assert (written.status_code, written.json()[0]["errorCode"]) == (400, "INSUFFICIENT_ACCESS_OR_READONLY")
    assert call("GET", "/query", params={"q": "SELECT Id FROM User"}).json()["totalSize"] == 2
    assert call("GET", "/sobjects/Account/describe").json()["createable"] is False
