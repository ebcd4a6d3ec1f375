"""A client of ours and the emulated org that it speaks to over a socket: for tests that compare what both believe."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from orgbridge.client import (
    ClientCredentials,
    Credentials,
    IngestJobRequest,
    IngestResult,
    JobInfo,
    PasswordCredentials,
    RetryPolicy,
    Salesforce,
    Secret,
    TokenConfig,
    TransportConfig,
)
from orgbridge.kit.clock import SystemClock
from orgbridge.wire.bulk import TERMINAL_JOB_STATES, JobState
from tests.support.emulator_server import (
    CLIENT_ID,
    CLIENT_SECRET,
    PASSWORD,
    SECURITY_TOKEN,
    USERNAME,
    EmulatorServer,
)

CLIENT = ClientCredentials(client_id=CLIENT_ID, client_secret=Secret(CLIENT_SECRET))
BY_PASSWORD = PasswordCredentials(
    client_id=CLIENT_ID,
    client_secret=Secret(CLIENT_SECRET),
    username=USERNAME,
    password=Secret(PASSWORD + SECURITY_TOKEN),
)
REFRESH_TOKEN = "a-refresh-token-of-the-org"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()


def certificate() -> str:
    """Return a certificate for the key, as an app in Setup holds one."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "orgbridge tests")])
    now = SystemClock().now()
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(KEY.public_key())
        .serial_number(1)
        .not_valid_before(now.replace(year=now.year - 1, day=1))
        .not_valid_after(now.replace(year=now.year + 1, day=1))
        .sign(KEY, hashes.SHA256())
    )
    return built.public_bytes(serialization.Encoding.PEM).decode()


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorServer]:
    """An org with a certificate and a refresh token, shared by the tests of this file."""
    folder = tmp_path_factory.mktemp("org")
    (folder / "certificate.pem").write_text(certificate())
    with EmulatorServer(
        folder / "org.sqlite", jwt_certificate=folder / "certificate.pem", refresh_token=REFRESH_TOKEN
    ) as server:
        yield server


@pytest.fixture
def troubled(emulator: EmulatorServer) -> Iterator[EmulatorServer]:
    """The same org, whose programmed faults end with the test."""
    yield emulator
    emulator.fault(kind="clear")


def connect(emulator: EmulatorServer, credentials: Credentials = CLIENT) -> Salesforce:
    """Return a client of the org."""
    return Salesforce(
        TokenConfig(credentials=credentials, token_url=f"{emulator.url}/services/oauth2/token", wait_initial=0.0),
        TransportConfig(retry=RetryPolicy(attempts=2, wait_initial=0.0, wait_jitter=0.0)),
    )


@pytest.fixture
async def salesforce(emulator: EmulatorServer) -> AsyncIterator[Salesforce]:
    """A client of the org."""
    async with connect(emulator) as salesforce:
        yield salesforce


async def finished(get: Callable[[str], Awaitable[JobInfo]], job_id: str) -> JobInfo:
    """Wait until a job has ended, thirty seconds at most."""
    async with asyncio.timeout(30):
        while True:
            job = await get(job_id)
            if job.state in TERMINAL_JOB_STATES:
                return job
            await asyncio.sleep(0.05)


async def load(salesforce: Salesforce, request: IngestJobRequest, text: str) -> JobInfo:
    """Run an ingest job to its end."""

    async def chunks() -> AsyncIterator[bytes]:
        yield text.encode()

    ingest = salesforce.bulk.ingest
    job = await ingest.create(request)
    assert job.state is JobState.OPEN
    await ingest.upload(job.id, chunks, len(text.encode()))
    assert (await ingest.close(job.id)).state is JobState.UPLOAD_COMPLETE
    return await finished(ingest.get, job.id)


async def rows(salesforce: Salesforce, job_id: str, which: IngestResult) -> list[dict[str, str]]:
    """Read a file of results."""
    async with salesforce.bulk.ingest.results(job_id, which) as chunks:
        text = b"".join([chunk async for chunk in chunks]).decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


async def external_id_of_account(salesforce: Salesforce) -> str:
    """Return the external-id field that the org's Account has."""
    described = await salesforce.describe.sobject("Account")
    return next(str(field["name"]) for field in described["fields"] if field["externalId"])


async def count(salesforce: Salesforce, name: str) -> int:
    """Return how many accounts bear a name."""
    return (await salesforce.query.page(f"SELECT COUNT() FROM Account WHERE Name = '{name}'")).total_size
