"""Subrequests of a composite call: understood, or refused before anything is sent."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orgbridge.services.composite import CompositeService
from orgbridge.services.errors import InvalidRequest, ScopeMissing
from orgbridge.services.subrequests import Action, understood
from tests.support.callers import ANYBODY, READER

_BASE = "/services/data/v67.0"
_ID = "001Ob0000000001AAA"
_NESTED = "query?q=SELECT Id,(SELECT Id FROM Contacts) FROM Account WHERE Id IN (SELECT AccountId FROM Lead)"


def _item(method: str, url: str, body: Any = None, reference: str = "r", **more: Any) -> dict[str, Any]:
    return {"method": method, "url": url, "referenceId": reference, **({"body": body} if body else {}), **more}


@pytest.mark.parametrize(
    ("method", "url", "body", "action", "objects", "fields"),
    [
        ("POST", "sobjects/Account", {"Name": "x"}, Action.CREATE, ("Account",), ("Name",)),
        (
            "GET",
            f"/services/data/v40.0/sobjects/Account/{_ID}?fields=Name,Owner.Name",
            None,
            Action.READ,
            ("Account",),
            ("Name", "Owner.Name"),
        ),
        ("PATCH", f"sobjects/Account/{_ID}", {"Name": "@{a.Name}"}, Action.UPDATE, ("Account",), ("Name",)),
        ("PATCH", "sobjects/Account/Ext__c/a%2Fb", {"Name": "x"}, Action.UPSERT, ("Account",), ("Name",)),
        ("GET", "sobjects/Account/ExternalKeyName/v", None, Action.READ, ("Account",), ()),
        ("DELETE", "sobjects/Account/@{q.records[0].Id}", None, Action.DELETE, ("Account",), ()),
        ("GET", "sobjects", None, Action.DESCRIBE, (), ()),
        ("GET", "sobjects/Account/describe", None, Action.DESCRIBE, ("Account",), ()),
        ("GET", _NESTED, None, Action.QUERY, ("Account", "Contacts", "Lead"), ()),
        ("GET", "queryAll/?q=SELECT+Id+FROM+Account+WHERE+Id='@{a.id}'", None, Action.QUERY, ("Account",), ()),
        (
            "POST",
            "composite/sobjects",
            {"records": [{"attributes": {"type": "Lead"}, "Company": "x"}]},
            Action.CREATE,
            ("Lead",),
            ("Company",),
        ),
        (
            "PATCH",
            "composite/sobjects/Lead/Ext__c",
            {"records": [{"attributes": {"type": "Lead"}, "Ext__c": "x"}]},
            Action.UPSERT,
            ("Lead",),
            ("Ext__c",),
        ),
        (
            "POST",
            "composite/sobjects/Lead",
            {"ids": [_ID], "fields": ["Id", "Name"]},
            Action.READ,
            ("Lead",),
            ("Id", "Name"),
        ),
    ],
)
def test_what_is_allowed_is_understood(
    method: str, url: str, body: Any, action: Action, objects: tuple[str, ...], fields: tuple[str, ...]
) -> None:
    """Action, objects and fields are found, and the URL is sent with our own version."""
    found = understood(_item(method, url, body), _BASE)
    assert (found.action, found.objects, found.fields) == (action, objects, fields)
    assert str(found.wire["url"]).startswith(_BASE + "/")


@pytest.mark.parametrize(
    ("method", "url", "body"),
    [
        ("GET", "limits", None),
        ("GET", "tooling/query?q=SELECT Id FROM ApexClass", None),
        ("POST", "composite", {"compositeRequest": []}),
        ("GET", "/services/apexrest/x", None),
        ("GET", "https://elsewhere.example/services/data/v67.0/sobjects", None),
        ("GET", "//elsewhere.example/sobjects", None),
        ("GET", f"sobjects/Account/{_ID}/Contacts", None),
        ("GET", f"sobjects/Attachment/{_ID}/Body", None),
        ("GET", "sobjects/Account/../User/005000000000001AAA", None),
        ("GET", "sobjects/Account/%2e%2e/limits", None),
        ("GET", "sobjects/@{a.Name}/describe", None),
        ("GET", "sobjects/Account/@{a.Name}", None),
        ("GET", "sobjects/Account/Ext__c/@{a.Name}", None),
        ("GET", "sobjects/Account/Ext__c/x@{a.id}", None),
        ("GET", "query?q=SELECT Id FROM Account WHERE Name = '@{a.Name}'", None),
        ("GET", "query?q=SELECT Id FROM Account WHERE Name = @{a.id}", None),
        ("GET", "query?q=SELECT Id FROM @{a.id}", None),
        ("GET", "query?q=SELECT Id FORM Account", None),
        ("GET", "query?q=SELECT Id FROM Account&q=SELECT Id FROM User", None),
        ("GET", "query?explain=SELECT Id FROM Account", None),
        ("POST", "query?q=SELECT Id FROM Account", None),
        ("PATCH", f"sobjects/Account/{_ID}?_HttpMethod=DELETE", {"Name": "x"}),
        ("POST", "sobjects/Account", None),
        ("POST", "sobjects/Account", {"Na me": "x"}),
        ("DELETE", f"composite/sobjects?ids={_ID}", None),
        ("POST", "composite/sobjects", {"records": [{"Name": "no type"}]}),
        ("PATCH", "composite/sobjects/Lead/Ext__c", {"records": [{"attributes": {"type": "User"}, "Ext__c": "x"}]}),
        ("PUT", f"sobjects/Account/{_ID}", {"Name": "x"}),
    ],
)
def test_what_cannot_be_told_for_certain_is_refused(method: str, url: str, body: Any) -> None:
    """Other resources, other hosts, tricks with segments, parameters and references are all refused."""
    with pytest.raises(InvalidRequest):
        understood(_item(method, url, body), _BASE)


@given(st.sampled_from(["GET", "POST", "PATCH", "DELETE"]), st.text(max_size=60))
def test_no_url_makes_it_fail_otherwise(method: str, url: str) -> None:
    """Whatever the URL is, the answer is an understanding or a refusal; what passes names a known resource."""
    try:
        found = understood(_item(method, url), _BASE)
    except InvalidRequest:
        return
    assert str(found.wire["url"]).startswith((f"{_BASE}/sobjects", f"{_BASE}/query", f"{_BASE}/composite/sobjects"))


@pytest.mark.parametrize("header", ["Authorization", "Accept", "X-Anything"])
def test_headers_that_change_more_than_the_manner_are_refused(header: str) -> None:
    """A subrequest has no token and no media type of its own."""
    with pytest.raises(InvalidRequest, match=header):
        understood(_item("GET", "sobjects", httpHeaders={header: "x"}), _BASE)


def test_a_call_is_checked_as_a_whole() -> None:
    """Count, names, queries and scopes are looked at before anything is sent, and the refusal names the place."""
    read = [_item("GET", "sobjects", reference=f"r{n}") for n in range(26)]
    query = [_item("GET", "query?q=SELECT Id FROM Account", reference=f"q{n}") for n in range(6)]
    for items in ([], read, query, [read[0], read[0]]):
        with pytest.raises(InvalidRequest):
            CompositeService.checked(items, ANYBODY, _BASE)
    with pytest.raises(InvalidRequest, match="Subrequest 2") as told:
        CompositeService.checked([read[0], _item("GET", "limits")], ANYBODY, _BASE)
    assert told.value.details[0]["location"] == "compositeRequest.1"
    with pytest.raises(ScopeMissing):
        CompositeService.checked([_item("POST", "sobjects/Account", {"Name": "x"})], READER, _BASE)
    assert len(CompositeService.checked(read[:25], READER, _BASE)) == 25
