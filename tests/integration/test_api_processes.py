"""The service and the worker as processes: how they start, what stops them from starting, how they stop."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from orgbridge.client import ClientCredentials, JWTCredentials, PasswordCredentials, RefreshCredentials
from orgbridge.store.schema import upgrade
from orgbridge.wiring.errors import PortInUse, SettingsError
from orgbridge.wiring.settings import load_settings
from orgbridge.wiring.startup import listen, make_data_folder, org_config
from tests.support.forks import Fork
from tests.support.local_house import lone_settings, start_house, stop_house

_ENTRY = """
import sys
from orgbridge.kit.errors import OrgbridgeError
from orgbridge.wiring.settings import load_settings
try:
    settings = load_settings()
    if sys.argv[1] == "serve":
        from orgbridge.wiring.service import serve
        serve(settings, port=int(sys.argv[2]), workers=int(sys.argv[3]))
    else:
        from orgbridge.wiring.worker import work
        work(settings)
except OrgbridgeError as error:
    print(error, file=sys.stderr)
    sys.exit(2)
"""


def _start(folder: Path, *arguments: str, **settings: str) -> Fork:
    environment = {
        "PATH": os.defpath,
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "ORGBRIDGE_DATA": str(folder),
        "SALESFORCE_CLIENT_ID": "c",
        "SALESFORCE_CLIENT_SECRET": "client-s3cret",
        "SALESFORCE_TOKEN_URL": "http://127.0.0.1:9/services/oauth2/token",
        **settings,
    }
    with (folder / "process.log").open("ab") as log:
        return Fork(["-c", _ENTRY, *arguments], stdout=log, stderr=log, environment=environment, folder=folder)


def _until(condition: Callable[[], bool], folder: Path) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, (folder / "process.log").read_text()[-2000:]
        time.sleep(0.05)


def _answers(port: int) -> bool:
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/health").status_code == 200
    except httpx2.TransportError:
        return False


async def _storm(method: str, url: str, calls: int) -> list[int]:
    """Make calls over twenty connections at once, so that every process gets some; return their statuses."""
    statuses: list[int] = []

    async def some() -> None:
        async with httpx2.AsyncClient() as client:
            for _ in range(calls // 20):
                statuses.append((await client.request(method, url)).status_code)  # noqa: PERF401 - one after another

    async with asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(some())
    assert len(statuses) == calls // 20 * 20
    return statuses


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_port_in_use_is_one_clear_line() -> None:
    """The line names port and host and says what to do; nothing was started."""
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortInUse) as caught:
            listen("127.0.0.1", port)
    assert str(port) in caught.value.message
    assert "--port" in caught.value.message
    assert "\n" not in caught.value.message


def test_an_address_of_another_machine_is_a_settings_fault() -> None:
    """ORGBRIDGE_HOST is named."""
    with pytest.raises(SettingsError, match="ORGBRIDGE_HOST"):
        listen("192.0.2.1", 0)


def test_a_data_folder_that_cannot_be_is_a_settings_fault(tmp_path: Path) -> None:
    """ORGBRIDGE_DATA is named."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(SettingsError, match="ORGBRIDGE_DATA"):
        make_data_folder(lone_settings(tmp_path / "file" / "sub"))


def test_each_flow_gives_its_credentials(tmp_path: Path) -> None:
    """The org is reached as the settings say, and no credential shows itself."""
    key = tmp_path / "key.pem"
    key.write_text("-----BEGIN PRIVATE KEY-----\nsecret-lines\n-----END PRIVATE KEY-----\n")
    common = {"env_file": None, "salesforce_client_id": "c", "salesforce_client_secret": "client-s3cret"}
    settings = {
        ClientCredentials: load_settings(**common),
        PasswordCredentials: load_settings(**common, salesforce_username="u", salesforce_password="p4ss"),
        RefreshCredentials: load_settings(**common, orgbridge_salesforce_refresh_token="r3fresh"),
        JWTCredentials: load_settings(
            **common, salesforce_username="u", orgbridge_salesforce_jwt_key_path=key, salesforce_api_version="58"
        ),
    }
    for kind, given in settings.items():
        config = org_config(given)
        assert isinstance(config.credentials, kind)
        assert not any(secret in repr(config) for secret in ("client-s3cret", "p4ss", "r3fresh", "secret-lines"))
    assert org_config(settings[JWTCredentials]).api_version == "v58.0"


def test_missing_settings_stop_the_start_with_a_line_each(tmp_path: Path) -> None:
    """Exit 2, one line per fault and nothing else on standard error."""
    process = _start(tmp_path, "worker", SALESFORCE_AUTH_FLOW="password", LOG_LEVEL="")
    assert process.wait(timeout=60) == 2
    lines = (tmp_path / "process.log").read_text().splitlines()
    assert [line.split(":")[0] for line in lines] == ["SALESFORCE_USERNAME", "SALESFORCE_PASSWORD"]


def test_a_worker_stops_promptly_and_a_second_one_is_refused(tmp_path: Path) -> None:
    """SIGTERM ends a worker with status 0 in seconds; on one SQLite file a second one says why it will not start."""
    first = _start(tmp_path, "worker")
    try:
        _until(lambda: b"worker_ready" in (tmp_path / "process.log").read_bytes(), tmp_path)
        second = _start(tmp_path, "worker")
        assert second.wait(timeout=60) == 2
        assert "Another worker already runs" in (tmp_path / "process.log").read_text()
        first.send_signal(signal.SIGTERM)
        assert first.wait(timeout=5) == 0
    finally:
        first.kill()
        first.wait()


def test_several_service_processes_are_one_service(tmp_path: Path, store_url: str) -> None:
    """Two processes behind one port share the key that the start made and a caller's limit, and stop together."""
    port = _free_port()
    limits = {"ORGBRIDGE_RATE_LIMIT_READ": "30/hour", "ORGBRIDGE_RATE_LIMIT_WRITE": "1000/hour"}
    if store_url.startswith("postgresql"):
        upgrade(store_url)
        limits["PSQL_CONNECTION_STRING"] = store_url
    process = _start(tmp_path, "serve", str(port), "2", **limits)
    try:
        _until(lambda: _answers(port), tmp_path)
        keys = set()
        for _ in range(12):
            with httpx2.Client() as client:
                keys.add(client.get(f"http://127.0.0.1:{port}/.well-known/jwks.json").json()["keys"][0]["kid"])
        assert len(keys) == 1
        own = f"http://127.0.0.1:{port}/api/v1/users/me"
        passed = Counter(asyncio.run(_storm("GET", own, 100)))[401]
        # What one process took beforehand and did not use goes back, and is there for the next call.
        while passed < 30:
            passed += Counter(asyncio.run(_storm("GET", own, 20)))[401]
        assert passed == 30
        assert Counter(asyncio.run(_storm("GET", own, 20))) == {429: 20}
        # Above a hundred, each process may be one hundredth ahead of the other.
        roles = f"http://127.0.0.1:{port}/api/v1/roles"
        statuses = Counter(asyncio.run(_storm("POST", roles, 1200)))
        assert set(statuses) == {401, 429}
        passed = statuses[401]
        while passed < 1000:
            passed += Counter(asyncio.run(_storm("POST", roles, 20)))[401]
        assert passed <= 1000 + 2 * 10
        refused = _start(tmp_path, "serve", str(port), "1")
        assert refused.wait(timeout=60) == 2
        assert f"Port {port} on 127.0.0.1 is in use" in (tmp_path / "process.log").read_text()
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=40)
    assert "client-s3cret" not in (tmp_path / "process.log").read_text()


def test_the_local_house_stops_with_status_0_and_keeps_what_it_has(tmp_path: Path) -> None:
    """`up` ends cleanly on SIGTERM; started again over its folder, it knows its loads and its org's records."""
    first = start_house(tmp_path)
    with first.client() as client:
        record_id = client.post("/records/create", json={"object_name": "Account", "data": {"Name": "Stays"}}).json()[
            "record_id"
        ]
        body = {"object_name": "Account", "operation": "insert", "records": [{"Name": "Loaded"}]}
        job_id = client.post("/bulk/dml-direct-payload", json=body).json()["job_id"]
    assert stop_house(first) == 0
    second = start_house(tmp_path)
    try:
        assert second.wait(job_id)["records_processed"] == 1
        with second.client() as client:
            assert client.get(f"/records/Account/{record_id}").json()["data"]["Name"] == "Stays"
    finally:
        stop_house(second)
