"""One emulator process for all third-party clients, and a key pair for JWT."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.emulator_server import EmulatorServer


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
