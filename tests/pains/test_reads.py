"""Complaints about queries and exports: pages that are missing, failures told as an end, fakes that filter nothing."""

from __future__ import annotations

import socket

import httpx2
import pytest

from orgbridge.wiring.hosting import HostedOrg
from tests.pains.conftest import Pains

_ROWS = 2_500


@pytest.fixture(scope="module")
def many(pains: Pains) -> str:
    """More accounts than a page of a query holds; the word is their Name."""
    tag = pains.tag()
    pains.load(b"Name,External_Id__c\n" + "".join(f"{tag},{tag}-{row}\n" for row in range(_ROWS)).encode())
    return tag


def test_pain_25_an_export_has_every_page_once(pains: Pains, many: str) -> None:
    """Rows received are the rows that Salesforce counted, and no page is missing or double."""
    body = {"object_name": "Account", "soql_query": f"SELECT External_Id__c FROM Account WHERE Name = '{many}'"}
    with pains.house.client() as client:
        job_id = client.post("/bulk/query-submit", json=body).json()["job_id"]
        assert pains.house.wait(job_id)["state"] == "JobComplete"
        receipt = client.get(f"/bulk/job/{job_id}/receipt").json()
    assert (receipt["rows"]["read"], receipt["balanced"]) == (_ROWS, True)
    assert sorted(row["External_Id__c"] for row in pains.rows(job_id)) == sorted(
        f"{many}-{row}" for row in range(_ROWS)
    )


@pytest.mark.parametrize("accept", ["application/x-ndjson", "text/csv"])
def test_pain_27_a_stream_that_fails_never_looks_like_its_end(pains: Pains, many: str, accept: str) -> None:
    """When Salesforce fails on a later page, the caller's stream breaks off; a short answer is no success."""
    pains.org.fault("request", path="/query/", status=500, errorCode="QUERY_TIMEOUT", message="too long", times=20)
    try:
        with pains.house.client() as client, pytest.raises(httpx2.RemoteProtocolError):
            client.post(
                "/query",
                json={"q": f"SELECT Name, External_Id__c FROM Account WHERE Name = '{many}'"},
                headers={"Accept": accept},
            )
    finally:
        pains.org.clear_faults()


@pytest.mark.parametrize(
    ("soql", "code"),
    [
        ("SELECT Id FROM Account WHERE Nonsense__c = 'x'", "INVALID_FIELD"),
        ("SELECT Id FROM Account WHERE SOUNDEX(Name) = 'x'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account WHERE Name ~ 'x'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account WHERE AnnualRevenue = 'x'", "INVALID_FIELD"),
    ],
)
def test_pain_37_the_fake_org_never_answers_a_filter_that_it_cannot_read(
    orgbridge_org: HostedOrg, soql: str, code: str
) -> None:
    """A filter that is unknown is Salesforce's own error, never all rows."""
    orgbridge_org.control.seed(accounts=3)
    reply = httpx2.get(
        f"{orgbridge_org.url}/services/data/v60.0/query",
        params={"q": soql},
        headers={"Authorization": f"Bearer {orgbridge_org.access_token()}"},
    )
    assert (reply.status_code, reply.json()[0]["errorCode"]) == (400, code)


def test_pain_12_no_test_reaches_a_real_org() -> None:
    """The whole suite runs without a network: a call to another machine is refused before a byte leaves."""
    with socket.socket() as probe, pytest.raises(RuntimeError, match="a test tried to reach"):
        probe.connect(("192.0.2.1", 80))
