"""Azure Cosmos DB on loopback for tests: npm's server, wrapped by `tests/support/cosmos/server.cjs`."""

from __future__ import annotations

import base64
import contextlib
import json
import secrets
import ssl
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from azure.core.credentials_async import AsyncTokenCredential

from orgbridge.kit.clock import Clock
from orgbridge.store.documents.cosmos import CosmosConfig, CosmosDocuments
from tests.support.certificates import loopback_certificate
from tests.support.parts import COSMOS, COSMOS_PROGRAM


@dataclass(frozen=True, slots=True, kw_only=True)
class CosmosServer:
    """A running server."""

    #: Its address.
    endpoint: str
    #: Its key.
    key: str
    #: PEM of the authority that vouches for it.
    authority: Path

    def config(
        self, database: str | None = None, *, credential: str | AsyncTokenCredential | None = None, **more: Any
    ) -> CosmosConfig:
        """Return how a database of it is reached, by default one that nobody has used."""
        return CosmosConfig(
            endpoint=self.endpoint,
            credential=credential or self.key,
            database=database or f"tests-{uuid4().hex[:8]}",
            authority_file=self.authority,
            **more,
        )

    def documents(self, clock: Clock, **more: Any) -> CosmosDocuments:
        """Return a store in a database that nobody has used; the caller closes it."""
        return CosmosDocuments(self.config(**more), clock)

    def settings(self, database: str | None = None) -> dict[str, str]:
        """Return the settings of a service that keeps its documents there."""
        return {
            "AZURE_COSMOS_ENDPOINT": self.endpoint,
            "AZURE_COSMOS_KEY": self.key,
            "AZURE_COSMOS_DATABASE": database or f"tests-{uuid4().hex[:8]}",
            "ORGBRIDGE_COSMOS_CA": str(self.authority),
        }

    def turn(self, **controls: Any) -> dict[str, Any]:
        """Set what the server does next, and return its controls and counts.

        Args:
            controls: `throttle` and `unavailable`, so many of the next calls about documents are answered 429 and 503;
                `retryAfterMs`, what 429 says; `lose` and `loseWrites`, so many calls, or writes, are carried out and
                never answered; `stall`, so many are
                neither; `advanceMs`, how far its clock is ahead; `tokens`, accepted as those of an identity.
        """
        data = json.dumps(controls).encode() if controls else None
        request = urllib.request.Request(f"{self.endpoint}/-/control", data=data)
        context = ssl.create_default_context(cafile=str(self.authority))
        with urllib.request.urlopen(request, timeout=20, context=context) as reply:
            answer: dict[str, Any] = json.load(reply)
        return answer


#: What a server does when nothing is turned.
UNTURNED: dict[str, Any] = {
    "throttle": 0,
    "retryAfterMs": 10,
    "unavailable": 0,
    "lose": 0,
    "loseWrites": 0,
    "stall": 0,
    "tokens": [],
    "advanceMs": 0,
}


@contextlib.contextmanager
def cosmos_server(folder: Path) -> Iterator[CosmosServer]:
    """Run the server; the test is skipped where it is not installed."""
    if not COSMOS.present():
        pytest.skip(f"the Cosmos DB server is not installed: {COSMOS.remedy}")
    authority, private_key = loopback_certificate(folder, "cosmos")
    key = base64.b64encode(secrets.token_bytes(64)).decode()
    log = folder / "cosmos.log"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            ["node", str(COSMOS_PROGRAM), str(authority), str(private_key)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={"PATH": "/usr/bin:/bin:/usr/local/bin", "COSMOS_KEY": key},
            cwd=folder,
        )
    assert process.stdout is not None
    try:
        word, _, port = process.stdout.readline().decode().strip().partition(" ")
        assert word == "ready", log.read_text()
        yield CosmosServer(endpoint=f"https://127.0.0.1:{port}", key=key, authority=authority)
    finally:
        process.kill()
        process.wait(timeout=10)
        process.stdout.close()
