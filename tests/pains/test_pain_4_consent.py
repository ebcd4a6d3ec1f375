"""Complaint 4: a refresh token that is silently revoked. The org is marked, its loads keep their place and go on."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from orgbridge.client import RefreshCredentials, Secret
from orgbridge.client.errors import ConsentNeeded
from orgbridge.kit.clock import SystemClock
from orgbridge.loads.states import LoadState
from orgbridge.orgs.connections import OrgConfig, OrgConnection
from orgbridge.orgs.consents import ConnectionState, HoldConfig
from orgbridge.services.health import HealthService
from orgbridge.store.database import Database
from orgbridge.wiring.hosting import HostedOrg
from orgbridge.wiring.house import build_house
from orgbridge.wiring.rotation import upkeep
from orgbridge.wiring.service import build_services
from orgbridge.wiring.settings import load_settings
from tests.support.databases import migrate
from tests.support.engine_bench import Bench

_ROWS = 60
_REFUSED = {"path": "/services/oauth2/token", "status": 400, "times": 1000}


def _content(tag: str) -> bytes:
    return b"Name,External_Id__c\n" + "".join(f"Consent {n},{tag}-{n}\n" for n in range(_ROWS)).encode()


def _asked(org: HostedOrg) -> int:
    return len(org.control.requests(path="/oauth2/token", method="POST", limit=1000))


async def _until_parked(bench: Bench, load_id: str) -> str:
    async with asyncio.timeout(30):
        while "needs_reconsent" not in ((await bench.load(load_id)).error_message or ""):
            await bench.clock.sleep(0.05)
    return (await bench.load(load_id)).error_message or ""


@pytest.mark.parametrize("kill", [False, True], ids=["same worker", "worker killed while parked"])
async def test_pain_4_a_load_parks_while_its_org_needs_consent_and_goes_on_after_it(
    orgbridge_org: HostedOrg, tmp_path: Path, kill: bool
) -> None:
    """In mid-load sessions end and sign-ins are refused: nothing fails, few sign-ins are tried, no row is lost."""
    bench = Bench(f"sqlite:///{tmp_path / 'orgbridge.sqlite'}", tmp_path, salesforce=orgbridge_org.url)
    options = {"client_id": orgbridge_org.client_id, "secret": orgbridge_org.client_secret, "hold_seconds": 1}
    try:
        orgbridge_org.control.fault("slow_jobs", delay_ms=800)
        worker = bench.start_worker(**options)
        load_id = await bench.submit(_content("PC"))
        async with asyncio.timeout(30):
            while not orgbridge_org.control.requests(path="/jobs/ingest", method="PATCH"):
                await bench.clock.sleep(0.02)
        fault = {"errorCode": "invalid_grant", "message": "expired access/refresh token"}
        orgbridge_org.control.fault("request", **_REFUSED, **fault)
        orgbridge_org.control.fault(
            "request", path="/services/data/", status=401, errorCode="INVALID_SESSION_ID", times=1000
        )
        before = _asked(orgbridge_org)
        said = await _until_parked(bench, load_id)
        assert "Consent again" in said
        if kill:
            worker.kill()
            worker.wait(timeout=10)
            bench.start_worker(**options)
        await bench.clock.sleep(1.5)
        assert (await bench.load(load_id)).state is LoadState.IN_PROGRESS
        # Holds of 1, 2 and 4 seconds: whoever looks how often, these few reach the token endpoint.
        assert 1 <= _asked(orgbridge_org) - before <= 4
        async with bench.database.unit(write=False) as unit:
            known = await unit.consents.get("default")
        assert known is not None
        assert known.error == "invalid_grant"
        orgbridge_org.control.clear_faults()
        load = await bench.ended(load_id, 40)
        assert load.state is LoadState.JOB_COMPLETE, load.error_message
        assert bench.check_rows(load, _content("PC")) == {"succeeded": _ROWS}
        async with bench.database.unit(write=False) as unit:
            assert await unit.consents.get("default") is None
    finally:
        await bench.close()


async def test_pain_4_a_parked_load_can_be_aborted(orgbridge_org: HostedOrg, tmp_path: Path) -> None:
    """Without a sign-in nothing can be sent: the load ends at somebody's word, and every row says so."""
    bench = Bench(f"sqlite:///{tmp_path / 'orgbridge.sqlite'}", tmp_path, salesforce=orgbridge_org.url)
    try:
        orgbridge_org.control.fault("request", **_REFUSED, errorCode="invalid_grant", message="inactive user")
        bench.start_worker(
            client_id=orgbridge_org.client_id, secret=orgbridge_org.client_secret, cancel_look_seconds=0.2
        )
        load_id = await bench.submit(_content("PA"))
        assert "Activate the user" in await _until_parked(bench, load_id)
        async with bench.database.unit() as unit:
            await unit.loads.request_cancel(load_id)
        load = await bench.ended(load_id, 20)
        assert load.state in (LoadState.ABORTED, LoadState.FAILED)
        assert not load.rows_succeeded
        assert _asked(orgbridge_org) == 1
    finally:
        await bench.close()


def _settings(org: HostedOrg, folder: Path, **more: Any) -> Any:
    return load_settings(
        env_file=None,
        orgbridge_data=folder,
        salesforce_client_id=org.client_id,
        salesforce_client_secret=org.client_secret,
        salesforce_token_url=org.token_url,
        salesforce_auth_flow="refresh_token",
        **more,
    )


@pytest.mark.orgbridge(refresh_token="consented-anew")
async def test_pain_4_a_new_refresh_token_in_its_file_is_used_without_a_restart(
    orgbridge_org: HostedOrg, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state, the reason and the remedy are in health, limits and metrics; the file's new token ends it."""
    file = tmp_path / "refresh"
    file.write_text("silently-revoked")
    monkeypatch.setenv("ORGBRIDGE_SALESFORCE_REFRESH_TOKEN_FILE", str(file))
    settings = _settings(orgbridge_org, tmp_path / "data", orgbridge_key_vault_refresh_seconds=0.05)
    migrate(settings.database_url)
    house = build_house(settings)
    try:
        async with upkeep(settings, house):
            connection = house.orgs.get()
            for _ in range(3):
                with pytest.raises(ConsentNeeded):
                    await connection.check()
            assert _asked(orgbridge_org) == 1
            found = (await HealthService(house.database, house.orgs, house.clock).ready()).checks["salesforce"]
            assert found.detail["connection"]["state"] == "needs_reconsent"
            assert "Consent again" in (found.remedy or "")
            telemetry = build_services(settings, house).telemetry
            assert b'orgbridge_org_needs_reconsent{org="default"} 1.0' in await telemetry.prometheus()
            text = json.dumps((await connection.consent.standing()).to_json())
            assert "silently-revoked" not in text
            file.write_text("consented-anew")
            async with asyncio.timeout(10):
                while (await connection.consent.standing()).state is not ConnectionState.READY:
                    try:
                        await connection.check()
                    except ConsentNeeded:
                        await house.clock.sleep(0.05)
            assert _asked(orgbridge_org) == 2
            assert b'orgbridge_org_needs_reconsent{org="default"} 0.0' in await telemetry.prometheus()
    finally:
        await house.close()


@pytest.mark.orgbridge(refresh_token="the-good-one")
async def test_pain_4_the_state_outlives_processes_and_only_other_credentials_are_tried_at_once(
    orgbridge_org: HostedOrg, tmp_path: Path
) -> None:
    """A second process does not ask with the refused token; one with a new token does, and both are well again."""
    url = f"sqlite:///{tmp_path / 'orgbridge.sqlite'}"
    migrate(url)
    bad = OrgConfig(
        credentials=RefreshCredentials(
            client_id=orgbridge_org.client_id,
            client_secret=Secret(orgbridge_org.client_secret),
            refresh_token=Secret("revoked"),
        ),
        token_url=orgbridge_org.token_url,
        hold=HoldConfig(first_seconds=300),
    )
    good = dataclasses.replace(
        bad, credentials=dataclasses.replace(bad.credentials, refresh_token=Secret("the-good-one"))
    )
    for config, works, asked in ((bad, False, 1), (bad, False, 1), (good, True, 2)):
        database = Database(url)
        connection = OrgConnection(config, SystemClock(), database)
        try:
            if works:
                await connection.check()
            else:
                with pytest.raises(ConsentNeeded) as refused:
                    await connection.check()
                assert refused.value.retry_after_seconds
            assert _asked(orgbridge_org) == asked
            state = (await connection.consent.standing()).state
            assert state is (ConnectionState.READY if works else ConnectionState.NEEDS_RECONSENT)
        finally:
            await connection.close()
            await database.close()
