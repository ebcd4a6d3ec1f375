"""Object storage on loopback for tests: moto's server for S3, azurite for Azure Blob, each where it is installed.

`TEST_AZURITE` names an `azurite-blob` other than that of `make node`.
"""

from __future__ import annotations

import base64
import contextlib
import hmac
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from uuid import uuid4

import pytest

from orgbridge.store.files import ObjectAccess, ObjectFiles, open_objects
from tests.support.parts import AZURITE, S3_SERVER, S3_SERVER_PROGRAM, azurite_program

#: Published with azurite: it guards nothing.
_AZURITE_ACCOUNT = "devstoreaccount1"
_AZURITE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@dataclass(frozen=True, slots=True)
class ObjectServer:
    """A running server with one bucket or container."""

    #: Prefix of addresses, e.g. `s3://tests-1a2b`.
    root: str
    #: How it is reached.
    access: ObjectAccess

    def url(self) -> str:
        """Return the address of a place that nobody has used."""
        return f"{self.root}/{uuid4().hex[:8]}"

    def files(self, url: str | None = None) -> ObjectFiles:
        """Return a store at a fresh place, or at a given one."""
        return ObjectFiles(open_objects(url or self.url(), self.access))

    def settings(self, url: str) -> dict[str, str]:
        """Return the settings of a service whose files lie there."""
        access = self.access
        values = {
            "ORGBRIDGE_FILES_URL": url,
            "ORGBRIDGE_FILES_ENDPOINT": access.endpoint,
            "ORGBRIDGE_FILES_REGION": access.region,
            "ORGBRIDGE_FILES_ACCESS_KEY_ID": access.access_key_id,
            "ORGBRIDGE_FILES_SECRET_ACCESS_KEY": access.secret_access_key,
            "ORGBRIDGE_FILES_ACCOUNT_NAME": access.account_name,
            "ORGBRIDGE_FILES_ACCOUNT_KEY": access.account_key,
        }
        return {name: value for name, value in values.items() if value is not None}


@contextlib.contextmanager
def s3_server(folder: Path) -> Iterator[ObjectServer]:
    """Run moto's server; the test is skipped where it is not installed."""
    if not S3_SERVER.present():
        pytest.skip(f"the S3 server is not installed: {S3_SERVER.remedy}")
    port = _free_port()
    command = [str(S3_SERVER_PROGRAM), "-H", "127.0.0.1", "-p", str(port)]
    with _running(command, port, folder):
        endpoint = f"http://127.0.0.1:{port}"
        bucket = f"tests-{uuid4().hex[:8]}"
        request = urllib.request.Request(f"{endpoint}/{bucket}", method="PUT")
        urllib.request.urlopen(request, timeout=20).close()
        access = ObjectAccess(
            endpoint=endpoint, region="us-east-1", access_key_id="tests", secret_access_key="tests-s3cret"
        )
        yield ObjectServer(f"s3://{bucket}", access)


@contextlib.contextmanager
def azure_server(folder: Path) -> Iterator[ObjectServer]:
    """Run azurite's blob server; the test is skipped where azurite is not installed."""
    program = azurite_program()
    if program is None:
        pytest.skip(f"azurite is not installed: {AZURITE.remedy}")
    port = _free_port()
    place = ["--blobHost", "127.0.0.1", "--blobPort", str(port), "--location", str(folder)]
    with _running([program, *place, "--silent", "--skipApiVersionCheck", "--disableTelemetry"], port, folder):
        endpoint = f"http://127.0.0.1:{port}/{_AZURITE_ACCOUNT}"
        container = f"tests-{uuid4().hex[:8]}"
        access = ObjectAccess(endpoint=endpoint, account_name=_AZURITE_ACCOUNT, account_key=_AZURITE_KEY)
        _make_container(endpoint, container)
        yield ObjectServer(f"az://{container}", access)


@contextlib.contextmanager
def _running(command: Sequence[str], port: int, folder: Path) -> Iterator[None]:
    with (folder / f"object-server-{port}.log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder)
    try:
        deadline = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            assert process.poll() is None, (folder / f"object-server-{port}.log").read_text()
            assert time.monotonic() < deadline, "the object server does not answer"
            time.sleep(0.05)
        yield
    finally:
        process.kill()
        process.wait(timeout=10)


def _make_container(endpoint: str, name: str) -> None:
    """Make a container; the library that the service uses has no call for it. Signed as Shared Key."""
    date = formatdate(usegmt=True)
    version = "2021-08-06"
    resource = f"/{_AZURITE_ACCOUNT}/{_AZURITE_ACCOUNT}/{name}\nrestype:container"
    text = "PUT" + "\n" * 12 + f"x-ms-date:{date}\nx-ms-version:{version}\n{resource}"
    signature = base64.b64encode(hmac.digest(base64.b64decode(_AZURITE_KEY), text.encode(), "sha256")).decode()
    headers = {
        "x-ms-date": date,
        "x-ms-version": version,
        "Authorization": f"SharedKey {_AZURITE_ACCOUNT}:{signature}",
        "Content-Length": "0",
    }
    request = urllib.request.Request(f"{endpoint}/{name}?restype=container", method="PUT", headers=headers)
    urllib.request.urlopen(request, timeout=20).close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
