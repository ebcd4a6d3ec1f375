"""One emulator process for all third-party clients, a key pair for JWT, and clients that have signed in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import pytest
from aiosalesforce import Salesforce as AsyncSalesforce
from aiosalesforce.auth import ClientCredentialsFlow
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from simple_salesforce import Salesforce as SimpleSalesforce

from tests.support.emulator_server import (
    CLIENT_ID,
    CLIENT_SECRET,
    PASSWORD,
    SECURITY_TOKEN,
    USERNAME,
    EmulatorServer,
)
from tests.support.rerouting import EmulatorTransport, emulator_session


@pytest.fixture(scope="session")
def key_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Private and public key of the connected client, as PEM files."""
    folder = tmp_path_factory.mktemp("keys")
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private, public = folder / "private.pem", folder / "public.pem"
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    public.write_bytes(
        key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return private, public


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory, key_files: tuple[Path, Path]) -> Iterator[EmulatorServer]:
    """A running emulator whose client may sign JWTs."""
    path = tmp_path_factory.mktemp("org") / "org.db"
    with EmulatorServer(path, jwt_certificate=key_files[1]) as server:
        yield server


@pytest.fixture
def simple(emulator: EmulatorServer) -> Iterator[SimpleSalesforce]:
    """simple-salesforce, signed in with user name, password and security token."""
    with emulator_session(emulator.url) as session:
        yield SimpleSalesforce(
            username=USERNAME, password=PASSWORD, security_token=SECURITY_TOKEN, session=session, version="62.0"
        )


@pytest.fixture
async def rerouted(emulator: EmulatorServer) -> AsyncIterator[httpx.AsyncClient]:
    """An httpx client whose requests to Salesforce reach the emulator."""
    async with httpx.AsyncClient(transport=EmulatorTransport(emulator.url), timeout=60) as client:
        yield client


@pytest.fixture
def aio(rerouted: httpx.AsyncClient) -> AsyncSalesforce:
    """aiosalesforce that signs in with client credentials at its first call."""
    flow = ClientCredentialsFlow(CLIENT_ID, CLIENT_SECRET)
    return AsyncSalesforce(rerouted, "https://acme.my.salesforce.com", flow, version="62.0")


@pytest.fixture
def minute_later(emulator: EmulatorServer) -> Iterator[Callable[[], None]]:
    """What moves the org's clock on so far that the present minute is over; the test's end brings it back."""

    def turn(**how: object) -> None:
        status, body = emulator.request("POST", "/_emulator/clock", how)
        assert status == 200, body

    yield lambda: turn(advance_seconds=61)
    turn(restart=True)
