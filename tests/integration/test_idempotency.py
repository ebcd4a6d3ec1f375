"""Idempotency-Key: the same call twice is done once, also across processes. Real databases, no Salesforce."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from orgbridge.services.idempotency import (
    CallInFlight,
    CallOutcomeUnknown,
    Hold,
    HoldLost,
    IdempotencyConfig,
    IdempotencyService,
    KeptReply,
    KeyReused,
)
from orgbridge.store.database import Database
from tests.integration.test_api_contract import check_problem
from tests.support.clocks import HandClock
from tests.support.local_house import LocalHouse, LoneService, house, lone_service
from tests.support.postgres import Server

__all__ = ["house"]

_CSV = b"Name\nAcme\n"


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[LoneService]:
    """Give a service over a fresh folder."""
    async with lone_service(tmp_path) as running:
        yield running


async def _role(service: LoneService, token: str, name: str, key: str | None, **more: str) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {token}"} | ({"Idempotency-Key": key} if key is not None else {}) | more
    body = {"name": name, "scopes": ["records:read"]}
    return await service.client.post("/api/v1/roles", json=body, headers=headers)


async def test_the_same_call_twice_is_done_once(service: LoneService) -> None:
    """The second one gets the first one's reply, header for header, and is marked."""
    token = await service.token(admin=True)
    first = await _role(service, token, "twice", "k-1")
    again = await _role(service, token, "twice", '"k-1"')
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    for name in ("etag", "location", "content-type"):
        assert again.headers[name] == first.headers[name]
    assert (await _role(service, token, "twice", None)).status_code == 409


async def test_a_refusal_is_replayed_too(service: LoneService) -> None:
    """A 4xx about the work is an outcome like any other."""
    token = await service.token(admin=True)
    assert (await _role(service, token, "taken", None)).status_code == 201
    first = await _role(service, token, "taken", "k-1")
    again = await _role(service, token, "taken", "k-1")
    assert first.status_code == again.status_code == 409
    assert again.content == first.content
    assert again.headers["idempotency-replayed"] == "true"


async def test_another_request_under_the_same_key_is_refused(service: LoneService) -> None:
    """Body, address and query all count; nothing is done."""
    token = await service.token(admin=True)
    assert (await _role(service, token, "one", "k-1")).status_code == 201
    check_problem(await _role(service, token, "two", "k-1"), 422, "idempotency.key_reused")
    assert (await _role(service, token, "two", "k-2")).status_code == 201


async def test_keys_belong_to_their_callers(service: LoneService) -> None:
    """Two callers may draw the same text; nobody gets the other's reply."""
    ann, bob = await service.token(admin=True), await service.token(admin=True)
    assert (await _role(service, ann, "anns", "same")).status_code == 201
    reply = await _role(service, bob, "bobs", "same")
    assert reply.status_code == 201
    assert reply.json()["name"] == "bobs"


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "\x7f", '""'])
async def test_a_key_that_is_none_is_refused(service: LoneService, key: str) -> None:
    """Empty, too long or unprintable: 400, and nothing is done."""
    token = await service.token(admin=True)
    check_problem(await _role(service, token, "one", key), 400, "idempotency.key_invalid")
    assert (await _role(service, token, "one", None)).status_code == 201


async def test_a_fault_is_not_kept(service: LoneService) -> None:
    """Salesforce is not there: 503 each time, tried each time."""
    token = await service.token("records:write")
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "k"}
    body = {"object_name": "Account", "data": {"Name": "Acme"}}
    for _ in range(2):
        reply = await service.client.post("/api/v1/records/create", json=body, headers=headers)
        assert reply.status_code == 503, reply.text
        assert "idempotency-replayed" not in reply.headers


async def test_a_missing_right_is_not_kept(service: LoneService) -> None:
    """Whoever gets the right may use the same key."""
    poor, rich = await service.token("records:read"), await service.token(admin=True)
    check_problem(await _role(service, poor, "one", "k"), 403, "identity.scope_missing")
    check_problem(await _role(service, poor, "one", "k"), 403, "identity.scope_missing")
    assert (await _role(service, rich, "one", "k")).status_code == 201


async def test_a_refused_token_gets_no_replay(service: LoneService) -> None:
    """A key opens nothing for somebody who is not signed in."""
    token = await service.token(admin=True)
    assert (await _role(service, token, "one", "k")).status_code == 201
    check_problem(await _role(service, "x.y.z", "one", "k"), 401, "identity.not_signed_in")


async def test_a_hundred_at_once_are_one(service: LoneService) -> None:
    """One does the work; the others get its reply or are told to wait."""
    token = await service.token(admin=True)
    replies = await asyncio.gather(*(_role(service, token, "crowd", "k") for _ in range(40)))
    done = [reply for reply in replies if reply.status_code == 201]
    fresh = [reply for reply in done if "idempotency-replayed" not in reply.headers]
    assert len(fresh) == 1
    for reply in replies:
        if reply.status_code != 201:
            check_problem(reply, 409, "idempotency.in_flight")
            assert reply.headers["retry-after"] == "1"
    roles = (await service.client.get("/api/v1/roles", headers={"Authorization": f"Bearer {token}"})).json()["roles"]
    assert [role["name"] for role in roles].count("crowd") == 1


def _upload(client: httpx2.Client, data: bytes) -> httpx2.Response:
    boundary = os.urandom(8).hex()
    form = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="in.csv"\r\n'
        "Content-Type: text/csv\r\n\r\n"
    ).encode()
    body = form + data + f"\r\n--{boundary}--\r\n".encode()
    pieces = (body[place : place + 7] for place in range(0, len(body), 7))
    headers = {"Idempotency-Key": "upload", "Content-Type": f"multipart/form-data; boundary={boundary}"}
    path = "/bulk/dml-file-upload?object_name=Account&operation_type=insert"
    return client.post(path, content=pieces, headers=headers)


def test_an_upload_is_known_by_its_content(house: LocalHouse) -> None:
    """A form with another boundary is the same and makes no second load; one more byte in it is another request."""
    with house.client() as client:
        first, again, other = _upload(client, _CSV), _upload(client, _CSV), _upload(client, _CSV + b"x")
        assert first.status_code == again.status_code == 202, first.text
        assert again.content == first.content
        assert "idempotency-replayed" not in first.headers
        assert again.headers["idempotency-replayed"] == "true"
        check_problem(other, 422, "idempotency.key_reused")
        house.wait(first.json()["job_id"])
        assert len(client.get("/bulk/jobs").json()["jobs"]) == 1


# The service itself, on both databases and by hand-moved time


@pytest.fixture
async def database(store_url: str) -> AsyncIterator[Database]:
    """Give a database with the newest tables."""
    database = Database(store_url)
    yield database
    await database.close()


def _keys(database: Database, clock: HandClock) -> IdempotencyService:
    return IdempotencyService(database, clock, IdempotencyConfig(lease=timedelta(seconds=60)))


async def _claim(keys: IdempotencyService, fingerprint: str | None = "f") -> Hold | KeptReply:
    return await keys.claim("ann", "key", fingerprint=fingerprint, request_id="req_1")


async def test_a_dead_holder_that_worked_leaves_an_unknown_outcome(database: Database) -> None:
    """409 while its lease lasts, 409 with what to do afterwards, never a second try; after 24 hours the key is new."""
    clock = HandClock()
    keys = _keys(database, clock)
    assert isinstance(await _claim(keys), Hold)
    with pytest.raises(CallInFlight):
        await _claim(keys)
    clock.move(61)
    with pytest.raises(CallOutcomeUnknown) as caught:
        await _claim(keys)
    assert "req_1" in caught.value.message
    assert caught.value.retryable is False
    clock.move(24 * 3600)
    assert isinstance(await _claim(keys), Hold)


async def test_a_dead_holder_that_had_done_nothing_gives_way(database: Database) -> None:
    """A half-sent upload may be sent again at once when the lease ends; if the old one wakes up, it may not go on."""
    clock = HandClock()
    keys = _keys(database, clock)
    old = await _claim(keys, None)
    assert isinstance(old, Hold)
    clock.move(61)
    new = await _claim(keys, None)
    assert isinstance(new, Hold)
    with pytest.raises(HoldLost):
        await keys.begin(old, "f")
    await keys.begin(new, "f")
    assert not await keys.keep(old, 200, [], b"old")
    assert await keys.keep(new, 200, [], b"new")
    kept = await _claim(keys)
    assert isinstance(kept, KeptReply)
    assert kept.body == b"new"


async def test_a_living_holder_keeps_its_key(database: Database) -> None:
    """Signs of life prolong the lease, however long the work takes."""
    clock = HandClock()
    keys = _keys(database, clock)
    hold = await _claim(keys, None)
    assert isinstance(hold, Hold)
    for _ in range(5):
        clock.move(40)
        assert await keys.renew(hold)
    with pytest.raises(CallInFlight):
        await _claim(keys, None)


async def test_a_reply_too_large_is_known_to_have_been(database: Database) -> None:
    """What cannot be replayed is not done again either."""
    keys = _keys(database, HandClock())
    hold = await _claim(keys)
    assert isinstance(hold, Hold)
    await keys.keep(hold, 201, [], None)
    kept = await _claim(keys)
    assert isinstance(kept, KeptReply)
    assert (kept.status, kept.body) == (201, None)
    with pytest.raises(KeyReused):
        await _claim(keys, "another")


async def test_expired_keys_are_cleared_away(database: Database) -> None:
    """A day later the table is empty again."""
    clock = HandClock()
    keys = _keys(database, clock)
    hold = await _claim(keys)
    assert isinstance(hold, Hold)
    await keys.keep(hold, 201, [], b"x")
    clock.move(25 * 3600)
    await keys.claim("bob", "other", fingerprint="f", request_id="r")
    async with database.unit() as unit:
        rows = (await unit.idempotency._connection.exec_driver_sql("SELECT COUNT(*) FROM idempotency_keys")).scalar()
    assert rows == 1


_RACER = """
import asyncio, sys
from orgbridge.kit.clock import SystemClock
from orgbridge.services.idempotency import *
from orgbridge.store.database import Database

async def main():
    database = Database(sys.argv[1])
    keys = IdempotencyService(database, SystemClock())
    print("ready", flush=True)
    sys.stdin.readline()
    async def race(number):
        try:
            found = await keys.claim("ann", f"key-{number}", fingerprint="f", request_id=sys.argv[2])
        except CallInFlight:
            return
        if isinstance(found, Hold):
            print(number, flush=True)
            await keys.keep(found, 200, [], sys.argv[2].encode())
        else:
            assert found.body, found
    await asyncio.gather(*(race(number) for number in range(60) for _ in range(3)))
    await database.close()

asyncio.run(main())
"""


async def test_two_processes_share_the_work_of_each_key(postgres: Server) -> None:
    """Sixty keys, six requests each from two processes: every key's work is done exactly once."""
    url = postgres.create_migrated()

    def run() -> list[list[int]]:
        racers = [
            subprocess.Popen(
                [sys.executable, "-c", _RACER, url, f"process-{number}"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={"PATH": os.defpath, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            )
            for number in range(2)
        ]
        for racer in racers:
            assert racer.stdout is not None
            assert racer.stdout.readline() == b"ready\n"
        for racer in racers:
            assert racer.stdin is not None
            racer.stdin.write(b"\n")
            racer.stdin.flush()
        found: list[list[int]] = []
        for racer in racers:
            told, _ = racer.communicate(timeout=60)
            assert racer.returncode == 0
            found.append([int(line) for line in told.split()])
        return found

    wins: Any = await asyncio.to_thread(run)
    assert sorted(wins[0] + wins[1]) == list(range(60))
