"""A load that meets the reserve of the org's API requests: parked, told, and carried to its end after the reset."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from orgbridge.loads.states import LoadState
from orgbridge.wiring.hosting import HostedOrg
from tests.support.engine_bench import Bench

_ROWS = 60


@pytest.mark.orgbridge(daily_api_requests=20)
async def test_pain_8_a_load_without_budget_parks_and_goes_on_after_the_reset(
    orgbridge_org: HostedOrg, tmp_path: Path
) -> None:
    """It leaves a fifth of the day's requests untouched, says until when it waits, and loses and doubles no row."""
    bench = Bench(f"sqlite:///{tmp_path / 'orgbridge.sqlite'}", tmp_path, salesforce=orgbridge_org.url)
    try:
        began = bench.clock.monotonic()
        bench.start_worker(client_id=orgbridge_org.client_id, secret=orgbridge_org.client_secret, recheck_seconds=4)
        content = b"Name,External_Id__c\n" + b"".join(b"Parked %d,PK-%d\n" % (n, n) for n in range(_ROWS))
        load_id = await bench.submit(content)
        async with asyncio.timeout(30):
            while not ((await bench.load(load_id)).error_message or "").startswith("Parked until"):
                await bench.clock.sleep(0.05)
        load = await bench.load(load_id)
        assert load.state is LoadState.IN_PROGRESS
        assert "the load goes on by itself" in (load.error_message or "")
        sent = len(orgbridge_org.control.requests(path="/services/data/"))
        # Every four seconds one call goes out to look whether there is more; on a slow machine that has begun by now.
        looks = int((bench.clock.monotonic() - began) // 4)
        assert sent <= 16 + looks, "the reserve of 4 of 20 requests was touched"
        orgbridge_org.control.clock(advance_seconds=90_000)
        load = await bench.ended(load_id, 60)
        assert load.state is LoadState.JOB_COMPLETE, load.error_message
        assert bench.check_rows(load, content) == {"succeeded": _ROWS}
    finally:
        await bench.close()


@pytest.mark.orgbridge(daily_api_requests=50)
async def test_a_parked_load_that_is_stopped_ends_within_seconds(orgbridge_org: HostedOrg, tmp_path: Path) -> None:
    """Its job is committed and its budget gone for hours; somebody's word stops it by a few calls of the reserve."""
    bench = Bench(f"sqlite:///{tmp_path / 'orgbridge.sqlite'}", tmp_path, salesforce=orgbridge_org.url)
    try:
        orgbridge_org.control.fault("slow_jobs", delay_ms=60_000)
        bench.start_worker(
            client_id=orgbridge_org.client_id,
            secret=orgbridge_org.client_secret,
            longest_pause_seconds=300.0,
            poll_seconds=0.05,
            longest_poll_seconds=0.1,
        )
        content = b"Name,External_Id__c\n" + b"".join(b"Parked %d,PS-%d\n" % (n, n) for n in range(5))
        load_id = await bench.submit(content)
        async with asyncio.timeout(30):
            while not ((await bench.load(load_id)).error_message or "").startswith("Parked until"):
                await bench.clock.sleep(0.05)
        async with bench.database.unit() as unit:
            await unit.loads.request_cancel(load_id)
        load = await bench.ended(load_id, 15)
        assert load.state is LoadState.ABORTED, load.error_message
        assert len(bench.check_rows(load, content)) >= 1
    finally:
        await bench.close()
