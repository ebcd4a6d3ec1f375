"""What several benchmarks stand on: a table of accounts as a file, and whole Orgbridges in processes of their own."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from tests.support.emulator_server import CLIENT_ID, CLIENT_SECRET, PASSWORD, USERNAME, EmulatorServer

from orgbridge.cli.addresses import Address
from orgbridge.cli.demo.house import House
from orgbridge.cli.demo.processes import Child, clean_environment, free_port, run_to_end
from orgbridge.cli.service import Service, sign_in
from orgbridge.kit import json
from orgbridge.kit.clock import SystemClock

MEBIBYTE = 1024 * 1024
FIELDS = (
    "External_Id__c",
    "Name",
    "BillingStreet",
    "BillingCity",
    "BillingCountry",
    "Phone",
    "Industry",
    "Website",
    "NumberOfEmployees",
    "Description",
)


@dataclass(frozen=True, slots=True)
class OpenHouse:
    """A running house."""

    house: House
    #: The service, asked as its administrator.
    service: Service
    folder: Path


@asynccontextmanager
async def open_house() -> AsyncIterator[OpenHouse]:
    """Start emulated org, service and worker in an empty folder; end them and remove it afterwards."""
    with tempfile.TemporaryDirectory(prefix="orgbridge-bench-") as name:
        house = House(Path(name), SystemClock())
        async with house.open(), Service(house.address) as service:
            yield OpenHouse(house, service, Path(name))


@asynccontextmanager
async def open_service(org_url: str) -> AsyncIterator[Address]:
    """Start a service alone, in an empty folder, for an org that runs already; give its address and a token."""
    port = free_port()
    settings = {
        "SALESFORCE_CLIENT_ID": "bench-client",
        "SALESFORCE_CLIENT_SECRET": "bench-secret",
        "SALESFORCE_USERNAME": "bench@local.org",
        "SALESFORCE_PASSWORD": "bench",
        "SALESFORCE_TOKEN_URL": f"{org_url}/services/oauth2/token",
    }
    with tempfile.TemporaryDirectory(prefix="orgbridge-bench-") as name:
        folder = Path(name)
        settings |= {"ORGBRIDGE_DATA": str(folder / "data"), "DATA_PATH_INPUT": name}
        environment = clean_environment(settings)
        user = json.loads(await run_to_end(("users", "create", "bench", "--admin", "--json"), environment, folder))
        assert isinstance(user, dict), "a user is an object"
        child = Child("service", ("serve", "--port", str(port)), settings, folder)
        await child.start()
        try:
            await child.wait_until(lambda: child.says("service_started"), SystemClock())
            url = f"http://127.0.0.1:{port}"
            yield Address(url=url, token=await sign_in(url, "bench", str(user["password"])))
        finally:
            await child.stop()


def write_accounts(path: Path, rows: int) -> int:
    """Write a CSV of accounts, 10 columns and about 130 bytes a row; return its bytes."""
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(",".join(FIELDS) + "\n")
        for start in range(0, rows, 10_000):
            file.writelines(
                f"BENCH-{row:08d},Acme Holdings {row},{row % 97} Main Street,Berlin,Germany,+49 30 1234567,Technology,"
                f"https://example.com/{row % 1000},{row % 5000},Long text with words\n"
                for row in range(start, min(start + 10_000, rows))
            )
    return path.stat().st_size


def sign_in_to_emulator(server: EmulatorServer) -> str:
    """Return an access token of the org's administrator."""
    form = {
        "grant_type": "password",
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "username": USERNAME,
        "password": PASSWORD,
    }
    kind = "application/x-www-form-urlencoded"
    status, reply = server.request("POST", "/services/oauth2/token", urlencode(form).encode(), Content_Type=kind)
    if status != 200:
        raise RuntimeError(f"signing in: {status} {reply!r:.300}")
    return str(reply["access_token"])
