"""Records that were purged between two looks: told all the same, in an org whose clock the test moves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest_asyncio

from orgbridge.client import IngestJobRequest
from orgbridge.store.webhook_records import DeliveryRecord
from orgbridge.wire.bulk import IngestOperation, JobState
from orgbridge.wiring.hosting import OrgHost
from tests.integration.test_status_push import EVENTS, Push, order, subscribe
from tests.support.commerce_world import commerce_world


@pytest_asyncio.fixture
async def push(commerce_host: OrgHost, tmp_path: Path) -> AsyncIterator[Push]:
    """Give a follower that reads the org's list of deletions at each look."""
    async with commerce_world(commerce_host, tmp_path) as world:
        made = Push(world, purges=timedelta(0))
        yield made
        await made.orgs.close()
        await made.database.close()


async def _purge(push: Push, sobject: str, record_id: str) -> None:
    """Delete a record past the recycle bin, and let a minute of the org's go by, the unit of its list of deletions."""
    jobs = push.orgs.get().salesforce.bulk.ingest
    job = await jobs.create(IngestJobRequest(object=sobject, operation=IngestOperation.HARD_DELETE))
    csv = f"Id\n{record_id}\n".encode()
    await jobs.upload(job.id, lambda: _once(csv), len(csv))
    await jobs.close(job.id)
    async with asyncio.timeout(20):
        while (await jobs.get(job.id)).state is not JobState.JOB_COMPLETE:
            await asyncio.sleep(0.02)
    await asyncio.to_thread(push.world.org.control.clock, advance_seconds=90)


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def test_what_was_purged_between_two_looks_is_told_as_deleted(push: Push) -> None:
    """Past the recycle bin no query finds it: told once all the same, to whose it was if anything here saw it."""
    world = push.world
    params = {"account_id": world.accounts["ACC-110"]}
    # Signed in while the org's clock is ours: a session outlasts what follows, a sign-in might come too late.
    assert (await world.ask("kiel", "GET", "/carts/me", params=params)).status_code == 200
    before = await asyncio.to_thread(order, world, "ACC-110")
    await _purge(push, "Order", before)
    settled = await asyncio.to_thread(order, world, "ACC-210")
    kiel = await subscribe(world, "kiel", EVENTS)
    lyon = await subscribe(world, "lyon", EVENTS)
    everybody = await subscribe(world, "admin", EVENTS)
    assert await push.follower.look() == 0

    stranger = await asyncio.to_thread(order, world, "ACC-210")
    product = (await asyncio.to_thread(world.soql, "SELECT Id FROM Product2 WHERE StockKeepingUnit = 'MP-0001'"))[0]
    line = {"productId": product["Id"], "quantity": 1}
    assert (await world.ask("kiel", "POST", "/carts/me/products", json=line, params=params)).status_code == 200
    cart = (await world.ask("kiel", "GET", "/carts/me", params=params)).json()["cartId"]
    await push.follower.look()
    binned = await asyncio.to_thread(order, world, "ACC-110")
    await asyncio.to_thread(world.change, "DELETE", f"/sobjects/Order/{binned}")
    # Never seen by a look before it was gone for good, and two that were.
    unseen = await asyncio.to_thread(order, world, "ACC-110")
    await _purge(push, "Order", unseen)
    await _purge(push, "WebCart", cart)
    await _purge(push, "Order", stranger)
    # There when following began, and as it was ever since.
    await _purge(push, "Order", settled)
    for _ in range(3):
        await push.follower.look()

    def deleted(told: list[DeliveryRecord]) -> dict[str, Any]:
        ids = [one.payload["data"]["record_id"] for one in told if one.event.endswith(".deleted")]
        assert len(ids) == len(set(ids)), "told twice"
        return {one.payload["data"]["record_id"]: one.payload["data"] for one in told if one.event.endswith(".deleted")}

    found = deleted(await push.told(everybody))
    assert found.keys() == {binned, unseen, cart, stranger, settled}
    for one in (stranger, settled):
        assert (found[one]["previous_status"], found[one]["account_id"]) == ("Draft", world.accounts["ACC-210"])
        assert found[one]["organization_id"] == world.organizations["Castell"]
    assert (found[unseen]["previous_status"], found[unseen]["account_id"]) == (None, None)
    assert found[cart]["organization_id"] == world.organizations["Nordmühle"]
    assert deleted(await push.told(kiel)).keys() == {binned, cart}
    assert deleted(await push.told(lyon)).keys() == {stranger, settled}
