"""Refresh tokens that Salesforce replaces at every use: kept, shared, and never presented twice."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest

from orgbridge.client import RefreshCredentials, Secret
from orgbridge.client.errors import ConsentNeeded, SignInUnavailable
from orgbridge.emulator.http.directory import SignInPolicy
from orgbridge.kit.clock import Clock, SystemClock
from orgbridge.orgs.connections import OrgConfig, OrgConnection
from orgbridge.orgs.consents import ConnectionState
from orgbridge.store.database import Database
from orgbridge.store.schema import upgrade
from orgbridge.wiring.hosting import HostedOrg
from tests.support.clocks import HandClock

_FIRST = "5AepTheFirstOfTheFamily"
pytestmark = pytest.mark.orgbridge(refresh_token=_FIRST, policy=SignInPolicy(rotate_refresh_tokens=True))

_PROCESS = """
import asyncio, sys
from orgbridge.client import RefreshCredentials, Secret
from orgbridge.kit.clock import SystemClock
from orgbridge.orgs.connections import OrgConfig, OrgConnection
from orgbridge.store.database import Database

async def main(store, url, client_id, secret, token):
    credentials = RefreshCredentials(client_id=client_id, client_secret=Secret(secret), refresh_token=Secret(token))
    connection = OrgConnection(OrgConfig(credentials=credentials, token_url=url), SystemClock(), Database(store))
    for _ in range(3):
        connection.salesforce.tokens.invalidate(await connection.salesforce.tokens.get())
    await connection.close()
    print("signed in", flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


def _process(store: str, org: HostedOrg) -> subprocess.Popen[bytes]:
    arguments = (store, org.token_url, org.client_id, org.client_secret, _FIRST)
    return subprocess.Popen([sys.executable, "-c", _PROCESS, *arguments], stdout=subprocess.PIPE)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


@asynccontextmanager
async def _connected(
    store: str, org: HostedOrg, token: str = _FIRST, clock: Clock | None = None
) -> AsyncIterator[OrgConnection]:
    """Give what one process has."""
    credentials = RefreshCredentials(
        client_id=org.client_id, client_secret=Secret(org.client_secret), refresh_token=Secret(token)
    )
    database = Database(store)
    connection = OrgConnection(
        OrgConfig(credentials=credentials, token_url=org.token_url), clock or SystemClock(), database
    )
    try:
        yield connection
    finally:
        await connection.close()
        await database.close()


async def _anew(connection: OrgConnection) -> None:
    """Sign in, whatever session there is."""
    tokens = connection.salesforce.tokens
    tokens.invalidate(await tokens.get())
    await tokens.get()


def _stored(store: str) -> str:
    """Return all that the table of grants holds, as text."""
    query = "SELECT * FROM org_grants"
    if store.startswith("sqlite"):
        with sqlite3.connect(store.removeprefix("sqlite:///")) as connection:
            return repr(connection.execute(query).fetchall())
    with psycopg.connect(store) as connection:
        return repr(connection.execute(query).fetchall())


async def test_a_replaced_token_outlives_the_process_and_is_nowhere_to_be_read(
    orgbridge_org: HostedOrg, store_url: str
) -> None:
    """A second process with the settings of the first goes on with what the first was given; the store shows none."""
    upgrade(store_url)
    for _ in range(2):
        async with _connected(store_url, orgbridge_org) as connection:
            await _anew(connection)
            await connection.check()
            assert (await connection.consent.standing()).state is ConnectionState.READY
    text = _stored(store_url)
    assert "sealed:" in text
    assert "5Aep" not in text


async def test_processes_that_refresh_at_once_do_not_burn_the_family(orgbridge_org: HostedOrg, store_url: str) -> None:
    """Two processes and three connections renew again and again at the same time; every one of them is signed in."""
    upgrade(store_url)
    processes = [_process(store_url, orgbridge_org) for _ in range(2)]
    try:
        async with (
            _connected(store_url, orgbridge_org) as first,
            _connected(store_url, orgbridge_org) as second,
            _connected(store_url, orgbridge_org) as third,
        ):
            connections = (first, second, third)
            for _ in range(3):
                await asyncio.gather(*(_anew(connection) for connection in connections))
            for process in processes:
                said, _ = await asyncio.to_thread(process.communicate, timeout=100)
                assert said.endswith(b"\nsigned in\n")
            await asyncio.gather(*(connection.check() for connection in connections))
    finally:
        for process in processes:
            _end(process)


async def test_another_token_in_the_settings_is_another_grant(orgbridge_org: HostedOrg, tmp_path: Path) -> None:
    """Somebody consented anew: the kept token of the old grant is not used, and does not have to open."""
    store = f"sqlite:///{tmp_path / 'orgbridge.sqlite'}"
    upgrade(store)
    async with _connected(store, orgbridge_org) as connection:
        await _anew(connection)
    async with _connected(store, orgbridge_org, "5AepOther") as connection:
        with pytest.raises(ConsentNeeded):
            await connection.check()
    async with _connected(store, orgbridge_org) as connection:
        await connection.check()


async def test_while_the_store_does_not_answer_no_used_up_token_is_presented(
    orgbridge_org: HostedOrg, tmp_path: Path
) -> None:
    """The sign-in waits: the token of the settings would end the grant."""
    store = f"sqlite:///{tmp_path / 'orgbridge.sqlite'}"
    async with _connected(store, orgbridge_org) as connection:
        with pytest.raises(SignInUnavailable, match="store, which does not answer"):
            await connection.check()
        assert not orgbridge_org.control.requests(path="/oauth2/token", method="POST")
        upgrade(store)
        await connection.check()


async def test_a_process_killed_between_reply_and_saving_is_told_of(orgbridge_org: HostedOrg, tmp_path: Path) -> None:
    """The token that it took along is lost: the org needs consent, the state says why, and a new token ends it."""
    path = tmp_path / "orgbridge.sqlite"
    store = f"sqlite:///{path}"
    upgrade(store)
    orgbridge_org.control.fault("request", path="/services/oauth2/token", delay_ms=1500)
    process = _process(store, orgbridge_org)
    held = sqlite3.connect(path, isolation_level=None, timeout=30)
    clock = SystemClock()
    try:
        async with asyncio.timeout(60):
            while not held.execute("SELECT 1 FROM org_grants WHERE asked_at IS NOT NULL").fetchall():
                await clock.sleep(0.01)
            # It has asked; what it saves has to wait until it is no more.
            held.execute("BEGIN IMMEDIATE")
            while not orgbridge_org.control.requests(path="/oauth2/token", method="POST", status=200):
                await clock.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=10)
        held.execute("ROLLBACK")
    finally:
        _end(process)
        held.close()
    orgbridge_org.control.clear_faults()
    later = HandClock()
    later.move((clock.now() - later.now()).total_seconds() + 200)
    async with _connected(store, orgbridge_org, clock=later) as connection:
        with pytest.raises(ConsentNeeded, match="ended before its outcome was saved"):
            await connection.check()
        standing = await connection.consent.standing()
        assert standing.state is ConnectionState.NEEDS_RECONSENT
        assert "may have used the refresh token up" in standing.cause
