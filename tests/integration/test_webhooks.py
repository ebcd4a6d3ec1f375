"""Webhooks end to end: told once per load, sent again as long as it takes, durable through kills, dead ones kept."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from orgbridge.client.webhooks import signature
from orgbridge.kit.clock import SystemClock
from orgbridge.kit.receivers import WebhookPolicy, WebhookRefused
from orgbridge.kit.sealing import Sealer
from orgbridge.services.errors import InvalidRequest, LoadNotFound, ScopeMissing
from orgbridge.services.scopes import Caller
from orgbridge.services.webhooks import WebhookNotFound, WebhookService
from orgbridge.store.database import Database
from orgbridge.store.webhook_records import DeliveryRecord, DeliveryState
from tests.support.engine_bench import Bench, account_rows

_ALLOWED = "127.0.0.0/8"
_TESTER = Caller(user_id="u1", username="tester", scopes=frozenset({"bulk:read", "bulk:write"}))
_OTHER = Caller(user_id="u2", username="other", scopes=frozenset({"bulk:read", "bulk:write"}))
_ADMIN = Caller(user_id="u3", username="root", scopes=frozenset({"bulk:read", "bulk:write", "admin"}))


class Receiver:
    """A receiver on loopback that answers as it is told."""

    def __init__(self) -> None:
        self.status = 204
        self.port = 0
        self.seen: list[tuple[dict[str, str], dict[str, Any], bytes]] = []

    async def take(self, request: web.Request) -> web.Response:
        """Keep a message."""
        body = await request.read()
        self.seen.append((dict(request.headers), json.loads(body), body))
        return web.Response(status=self.status)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/hook"


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """Give a running receiver."""
    made = Receiver()
    app = web.Application()
    app.router.add_post("/hook", made.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.port = runner.addresses[0][1]
    try:
        yield made
    finally:
        await runner.cleanup()


@pytest.fixture
async def bench(store_url: str, tmp_path: Path) -> AsyncIterator[Bench]:
    """Give a bench over each database in turn."""
    made = Bench(store_url, tmp_path)
    made.start_double(seconds=0.0)
    yield made
    await made.close()


def _service(bench: Bench) -> WebhookService:
    return WebhookService(bench.database, WebhookPolicy.of((_ALLOWED,)), SystemClock())


async def _deliveries(bench: Bench) -> list[DeliveryRecord]:
    return await _service(bench).deliveries(_ADMIN, state=None, subscription_id=None, limit=100)


async def _until(bench: Bench, state: DeliveryState, count: int = 1) -> list[DeliveryRecord]:
    for _ in range(600):
        found = [one for one in await _deliveries(bench) if one.state is state]
        if len(found) >= count:
            return found
        await bench.clock.sleep(0.05)
    raise AssertionError(f"no {state}: {await _deliveries(bench)}\n{bench.logs()}")


async def test_a_message_waits_for_its_receiver_through_refusals_and_kills(bench: Bench, receiver: Receiver) -> None:
    """503 first, then a worker killed with the message in the outbox, then taken: one message, one id, signed."""
    service = _service(bench)
    made = await service.subscribe(_TESTER, receiver.url)
    receiver.status = 503
    worker = bench.start_worker(webhook_allow=_ALLOWED, webhook_pauses="0.2,0.2,0.2,0.2,0.2,60,60,60")
    load = await bench.ended(await bench.submit(account_rows(20)))
    while len(receiver.seen) < 2:
        await bench.clock.sleep(0.02)
    worker.kill()
    worker.wait(timeout=10)
    receiver.status = 204
    bench.start_worker(webhook_allow=_ALLOWED, webhook_pauses="0.2,0.2,0.2,0.2,0.2,60,60,60")
    # A claim of the killed worker would hold the message up for a minute.
    async with bench.database.unit() as unit:
        for delivery in await unit.webhooks.deliveries(owner=None, state=None, subscription_id=None, limit=9):
            await unit.webhooks.settle(delivery.id, next_at=bench.clock.now())
    (delivered,) = await _until(bench, DeliveryState.DELIVERED)
    assert delivered.attempts >= 3
    assert {headers["webhook-id"] for headers, _, _ in receiver.seen} == {delivered.id}
    headers, payload, body = receiver.seen[-1]
    expected = signature(made.secret, headers["webhook-id"], int(headers["webhook-timestamp"]), body)
    assert headers["webhook-signature"] == expected
    assert (payload["type"], payload["data"]["job_id"]) == ("load.completed", load.id)
    assert (payload["data"]["rows_succeeded"], payload["data"]["rows_failed"]) == (18, 2)


async def test_only_those_concerned_are_told(bench: Bench, receiver: Receiver) -> None:
    """The owner, an administrator who asked for all, and who asked for this load; of the events they asked for."""
    service = _service(bench)
    mine = await service.subscribe(_TESTER, receiver.url, events=["load.completed"])
    everything = await service.subscribe(_ADMIN, receiver.url, all_loads=True)
    await service.subscribe(_OTHER, receiver.url)
    await service.subscribe(_TESTER, receiver.url, events=["load.failed"])
    load_id = await bench.submit(account_rows(5))
    once = await service.notify(_OTHER, load_id, receiver.url)
    bench.start_worker(webhook_allow=_ALLOWED)
    await bench.ended(load_id)
    told = await _until(bench, DeliveryState.DELIVERED, 3)
    wanted = {one.subscription.id for one in (mine, everything, once)}
    assert {one.subscription_id for one in told} == wanted
    assert len(await _deliveries(bench)) == 3
    # Who asks after the end is told at once.
    late = await service.notify(_TESTER, load_id, receiver.url)
    assert late.subscription.id in {one.subscription_id for one in await _until(bench, DeliveryState.DELIVERED, 4)}


async def test_a_dead_message_is_kept_and_can_be_sent_again(bench: Bench, receiver: Receiver) -> None:
    """After the last pause it is dead with its reason; sent again by hand it arrives under its old id."""
    service = _service(bench)
    made = await service.subscribe(_TESTER, receiver.url)
    receiver.status = 500
    bench.start_worker(webhook_allow=_ALLOWED, webhook_pauses="0.1")
    message = await service.test(_TESTER, made.subscription.id)
    (dead,) = await _until(bench, DeliveryState.DEAD)
    assert (dead.id, dead.attempts, dead.last_status) == (message.id, 2, 500)
    with pytest.raises(WebhookNotFound):
        await service.resend(_OTHER, dead.id)
    receiver.status = 200
    await service.resend(_TESTER, dead.id)
    (delivered,) = await _until(bench, DeliveryState.DELIVERED)
    assert delivered.id == message.id
    assert receiver.seen[-1][1]["type"] == "webhook.test"


async def test_gone_for_good_is_not_asked_again(bench: Bench, receiver: Receiver) -> None:
    """410 ends the matter at the first attempt."""
    service = _service(bench)
    made = await service.subscribe(_TESTER, receiver.url)
    receiver.status = 410
    bench.start_worker(webhook_allow=_ALLOWED)
    await service.test(_TESTER, made.subscription.id)
    (dead,) = await _until(bench, DeliveryState.DEAD)
    assert (dead.attempts, dead.last_status) == (1, 410)


async def test_a_worker_that_may_not_speak_inside_refuses_the_message(bench: Bench, receiver: Receiver) -> None:
    """The check at the moment of sending counts, whatever was allowed when the address was written down."""
    service = _service(bench)
    made = await service.subscribe(_TESTER, receiver.url)
    bench.start_worker(webhook_pauses="0.1")
    await service.test(_TESTER, made.subscription.id)
    (dead,) = await _until(bench, DeliveryState.DEAD)
    assert "private network" in (dead.last_error or "")
    assert receiver.seen == []


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
async def test_a_worker_without_the_key_sends_nothing_unsigned(
    bench: Bench, receiver: Receiver, store_url: str
) -> None:
    """The message says which key is missing, and nothing went out; it can be sent again like any dead one."""
    sealing = Database(store_url, sealer=Sealer([b"k" * 32], "elsewhere"))
    try:
        service = WebhookService(sealing, WebhookPolicy.of((_ALLOWED,)), SystemClock())
        made = await service.subscribe(_TESTER, receiver.url)
        bench.start_worker(webhook_allow=_ALLOWED, webhook_pauses="0.1")
        await service.test(_TESTER, made.subscription.id)
        (dead,) = await _until(bench, DeliveryState.DEAD)
        assert "ORGBRIDGE_SEALING_KEY" in (dead.last_error or "")
        assert receiver.seen == []
    finally:
        await sealing.close()


async def test_subscriptions_are_their_owners_own(bench: Bench, receiver: Receiver) -> None:
    """Others neither see nor delete them, and only an administrator hears of everybody's loads."""
    service = _service(bench)
    made = await service.subscribe(_TESTER, receiver.url)
    assert await service.subscriptions(_OTHER) == []
    assert [one.id for one in await service.subscriptions(_ADMIN)] == [made.subscription.id]
    with pytest.raises(WebhookNotFound):
        await service.unsubscribe(_OTHER, made.subscription.id)
    with pytest.raises(ScopeMissing):
        await service.subscribe(_OTHER, receiver.url, all_loads=True)
    with pytest.raises(InvalidRequest):
        await service.subscribe(_TESTER, receiver.url, events=["load.exploded"])
    with pytest.raises(WebhookRefused):
        await service.subscribe(_TESTER, "https://192.168.1.1/hook")
    with pytest.raises(LoadNotFound):
        await service.notify(_TESTER, "load_nobody", receiver.url)
    await service.unsubscribe(_TESTER, made.subscription.id)
    assert await service.subscriptions(_ADMIN) == []
    assert made.secret not in repr(made)
