"""The client signs in to the emulated org: every flow, every refusal, and sessions that end."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from urllib.parse import urlencode

import pytest

from orgbridge.client import (
    Credentials,
    IngestJobRequest,
    IngestResult,
    JWTCredentials,
    RefreshCredentials,
    Salesforce,
    Secret,
    errors,
)
from orgbridge.wire.bulk import IngestOperation
from tests.support.client_org import (
    BY_PASSWORD,
    CLIENT,
    PEM,
    REFRESH_TOKEN,
    connect,
    emulator,
    finished,
    rows,
    salesforce,
)
from tests.support.emulator_server import (
    CLIENT_ID,
    CLIENT_SECRET,
    USERNAME,
    EmulatorServer,
)

__all__ = ["emulator", "salesforce"]


@pytest.mark.parametrize(
    "credentials",
    [
        pytest.param(CLIENT, id="client_credentials"),
        pytest.param(BY_PASSWORD, id="password"),
        pytest.param(JWTCredentials(client_id=CLIENT_ID, username=USERNAME, private_key=Secret(PEM)), id="jwt"),
        pytest.param(
            RefreshCredentials(
                client_id=CLIENT_ID,
                client_secret=Secret(CLIENT_SECRET),
                refresh_token=Secret(REFRESH_TOKEN),
            ),
            id="refresh",
        ),
    ],
)
async def test_pain_1_every_flow_signs_in(emulator: EmulatorServer, credentials: Credentials) -> None:
    """Each of the four flows gives a token for the org and its user."""
    async with connect(emulator, credentials) as salesforce:
        token = await salesforce.tokens.get()
        assert (await salesforce.limits.get())["DailyApiRequests"]["Max"] > 0
    assert token.org_id is not None
    assert token.access_token.reveal().startswith(token.org_id[:15])
    assert token.user_id is not None
    assert token.user_id.startswith("005")


@pytest.mark.parametrize(
    ("credentials", "cause"),
    [
        pytest.param(dataclasses.replace(CLIENT, client_id="nobody"), "consumer key", id="client id"),
        pytest.param(dataclasses.replace(CLIENT, client_secret=Secret("wrong")), "secret", id="secret"),
        pytest.param(dataclasses.replace(BY_PASSWORD, password=Secret("wrong")), "password", id="password"),
        pytest.param(
            RefreshCredentials(client_id=CLIENT_ID, client_secret=Secret(CLIENT_SECRET), refresh_token=Secret("x")),
            "refresh token",
            id="refresh token",
        ),
    ],
)
async def test_refused_sign_in_tells_the_cause(emulator: EmulatorServer, credentials: Credentials, cause: str) -> None:
    """Wrong credentials of each kind are refused with their own cause."""
    async with connect(emulator, credentials) as salesforce:
        with pytest.raises(errors.AuthenticationFailed) as caught:
            await salesforce.limits.get()
    assert cause in caught.value.cause


async def test_ended_session_is_survived_everywhere(salesforce: Salesforce, emulator: EmulatorServer) -> None:
    """A session that ends before a call, an upload, a close or a download costs a sign-in and nothing else."""

    async def end_session() -> None:
        token = (await salesforce.tokens.get()).access_token.reveal()
        form = urlencode({"token": token}).encode()
        kind = "application/x-www-form-urlencoded"
        status, _ = await asyncio.to_thread(
            emulator.request, "POST", "/services/oauth2/revoke", form, **{"Content_Type": kind}
        )
        assert status == 200

    async def chunks() -> AsyncIterator[bytes]:
        yield b"Name\nlate\n"

    ingest = salesforce.bulk.ingest
    await end_session()
    record_id = await salesforce.records.create("Account", {"Name": "a"})
    await end_session()
    assert (await salesforce.records.retrieve("Account", record_id, ["Name"]))["Name"] == "a"
    job = await ingest.create(IngestJobRequest(object="Account", operation=IngestOperation.INSERT))
    await end_session()
    await ingest.upload(job.id, chunks, 10)
    await end_session()
    await ingest.close(job.id)
    assert (await finished(ingest.get, job.id)).number_records_failed == 0
    await end_session()
    assert [row["Name"] for row in await rows(salesforce, job.id, IngestResult.SUCCESSFUL)] == ["late"]
    assert salesforce.tokens.sign_ins == 6
