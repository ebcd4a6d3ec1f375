"""Complaints about sign-ins: tokens that are revoked for others or by others, and secrets in logs."""

from __future__ import annotations

import pytest

from orgbridge.client import (
    ClientCredentials,
    RefreshCredentials,
    RetryPolicy,
    Salesforce,
    Secret,
    TokenConfig,
    TransportConfig,
    errors,
)
from orgbridge.wiring.hosting import HostedOrg
from tests.pains.conftest import Pains


def _client(org: HostedOrg, credentials: ClientCredentials | RefreshCredentials) -> Salesforce:
    return Salesforce(
        TokenConfig(credentials=credentials, token_url=org.token_url, wait_initial=0.0),
        TransportConfig(retry=RetryPolicy(attempts=2, wait_initial=0.0, wait_jitter=0.0)),
    )


async def test_pain_5_closing_a_client_ends_nobodys_session(orgbridge_org: HostedOrg) -> None:
    """A client that closes revokes nothing: another client of the same app and its token go on."""
    credentials = ClientCredentials(
        client_id=orgbridge_org.client_id, client_secret=Secret(orgbridge_org.client_secret)
    )
    async with _client(orgbridge_org, credentials) as stays:
        await stays.limits.get()
        async with _client(orgbridge_org, credentials) as leaves:
            await leaves.limits.get()
        before = len(orgbridge_org.control.requests(path="/oauth2/token", method="POST"))
        assert before == 2, "each client signed in once"
        await stays.limits.get()
    asked = orgbridge_org.control.requests(path="/oauth2/", limit=100)
    assert [one["path"] for one in asked if "revoke" in one["path"] or "logout" in one["path"]] == []
    assert len([one for one in asked if one["path"].endswith("/token")]) == before, "nobody had to sign in again"


async def test_pain_4_a_revoked_refresh_token_is_told_as_such_and_not_hammered(orgbridge_org: HostedOrg) -> None:
    """The refusal says that consent must be given again, and costs one call, not a loop of them."""
    credentials = RefreshCredentials(
        client_id=orgbridge_org.client_id,
        client_secret=Secret(orgbridge_org.client_secret),
        refresh_token=Secret("revoked-by-the-five-token-limit"),
    )
    async with _client(orgbridge_org, credentials) as salesforce:
        for _ in range(3):
            with pytest.raises(errors.AuthenticationFailed) as refused:
                await salesforce.limits.get()
    error = refused.value
    assert "refresh token" in f"{error.message} {error.details}".lower()
    assert "revoked-by" not in f"{error!r} {error.message} {error.details}"
    assert len(orgbridge_org.control.requests(path="/oauth2/token", method="POST")) == 1


def test_pain_7_no_secret_is_in_the_log_of_a_house_at_work(pains: Pains) -> None:
    """After loads, queries and refusals the log holds no password, consumer secret, session id or token."""
    tag = pains.tag()
    pains.load(f"Name\n{tag}\n".encode())
    pains.query(f"SELECT Id FROM Account WHERE Name = '{tag}'")
    with pains.house.client("wrong-token-s3cret") as client:
        assert client.get("/limits").status_code == 401
    with pains.house.client() as client:
        client.post("/query", json={"q": "SELECT Nothing__c FROM Account"})
    log = b"".join(
        path.read_bytes() for path in (pains.house.folder.parent / "up.log", *pains.house.folder.rglob("*.log"))
    )
    assert b"salesforce.signed_in" in log, "the log tells of the work"
    for secret in ("localpass", "local-secret", pains.house.token, "wrong-token-s3cret", "00D", "refresh_token="):
        assert secret.encode() not in log, secret
