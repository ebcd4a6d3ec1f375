"""What simple-salesforce offers beside REST and Bulk is refused with a clear error, and nothing happens."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest
import requests
from simple_salesforce import Salesforce
from simple_salesforce.exceptions import SalesforceGeneralError, SalesforceResourceNotFound


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_apex_rest_is_not_there(simple: Salesforce, method: str) -> None:
    """No org without Apex classes has an address of Apex REST: 404 with Salesforce's own text."""
    with pytest.raises(SalesforceResourceNotFound) as caught:
        simple.apexecute("loader/start", method=method, data={"a": 1} if method != "GET" else None)
    assert caught.value.content[0]["errorCode"] == "NOT_FOUND"


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("executeAnonymous/", {"params": {"anonymousBody": "System.debug(1);"}}),
        ("runTestsAsynchronous/", {"method": "POST", "data": {"classNames": "A"}}),
        ("completions?type=apex", {}),
        ("sobjects/ApexClass", {"method": "POST", "data": {"Body": "class A {}"}}),
    ],
)
def test_apex_by_tooling_is_not_there(simple: Salesforce, path: str, words: dict[str, Any]) -> None:
    """Tooling resources that need Apex are not found."""
    with pytest.raises(SalesforceResourceNotFound, match="NOT_FOUND"):
        simple.toolingexecute(path, **words)


def test_metadata_deployments_are_refused(simple: Salesforce, tmp_path: Path) -> None:
    """A deployment and the question for its state end in a fault that names what is not there."""
    package = tmp_path / "package.zip"
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("package.xml", "<Package/>")
    for ask in (
        lambda: simple.deploy(str(package), sandbox=False),
        lambda: simple.checkDeployStatus("0Af000000000001"),
    ):
        with pytest.raises(SalesforceGeneralError) as caught:
            ask()
        assert b"INVALID_OPERATION" in str(caught.value.content).encode()


def test_metadata_types_are_refused(simple: Salesforce) -> None:
    """Reading metadata types calls the Metadata API as well, and is told the same."""
    body = "<Envelope xmlns='http://schemas.xmlsoap.org/soap/envelope/'><Body><listMetadata/></Body></Envelope>"
    reply: requests.Response = simple.session.post(simple.metadata_url, body, headers={"Content-Type": "text/xml"})
    assert reply.status_code == 500
    assert "INVALID_OPERATION" in reply.text


@pytest.mark.parametrize("path", ["chatter/users/me", "analytics/reports", "connect/communities", "event/Login__e"])
def test_other_apis_are_not_there(simple: Salesforce, path: str) -> None:
    """Connect, analytics and platform events are not found under the REST address."""
    with pytest.raises(SalesforceResourceNotFound, match="NOT_FOUND"):
        simple.restful(path)
