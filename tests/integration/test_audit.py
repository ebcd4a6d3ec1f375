"""The audit: what is written, that it cannot be changed unseen, and what it costs. Real databases, no Salesforce."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from orgbridge.services.audit import AuditTrail, Entry, Outcome
from orgbridge.services.audit_chain import AuditChain
from orgbridge.services.key_rotation import SigningKeys
from orgbridge.services.keys import KeyConfig, load_key_ring
from orgbridge.store.addresses import parse_address
from orgbridge.store.audit_records import AuditFilter, AuditHead
from orgbridge.store.database import Database
from tests.support.clocks import HandClock
from tests.support.local_house import LoneService, lone_service

_PASSWORD = "correct horse battery"


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[LoneService]:
    """Give a service over a fresh folder."""
    async with lone_service(tmp_path) as running:
        yield running


async def _entries(service: LoneService, token: str, **query: Any) -> list[dict[str, Any]]:
    reply = await service.client.get("/api/v1/audit", params=query, headers={"Authorization": f"Bearer {token}"})
    assert reply.status_code == 200, reply.text
    found: list[dict[str, Any]] = reply.json()["entries"]
    return found


async def test_a_change_is_written_before_it_is_answered(service: LoneService) -> None:
    """Who, what, to which thing, with what outcome, under which request id; and never the body."""
    token = await service.token(admin=True)
    headers = {"Authorization": f"Bearer {token}", "X-Request-ID": "mine-1"}
    body = {"name": "audited", "scopes": ["records:read"], "description": "se-cret-text"}
    assert (await service.client.post("/api/v1/roles", json=body, headers=headers)).status_code == 201
    (entry,) = await _entries(service, token, request_id="mine-1")
    assert (entry["action"], entry["outcome"], entry["object"]) == ("roles.create_role", "succeeded", "roles")
    assert entry["actor"]["name"].startswith("user-")
    assert (entry["status"], entry["route"]) == (201, "POST /roles")
    assert "se-cret-text" not in str(entry)


async def test_a_call_answered_before_its_route_is_named_like_any_other(service: LoneService) -> None:
    """A key used again for another body is refused early; the audit, the log and the figures name its route."""
    token = await service.token(admin=True)
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "once"}
    for name, status in (("first", 201), ("second", 422)):
        reply = await service.client.post("/api/v1/roles", json={"name": name, "scopes": []}, headers=headers)
        assert reply.status_code == status
    refused, made = await _entries(service, token)
    assert refused["outcome"] == "refused"
    assert refused["code"] == "idempotency.key_reused"
    for name in ("action", "object", "route", "actor"):
        assert refused[name] == made[name]
    figures = (await service.client.get("/metrics", headers={"Authorization": f"Bearer {token}"})).text
    assert 'method="POST",route="/api/v1/roles",status="422"' in figures


async def test_the_thing_of_a_call_answered_early_is_told(service: LoneService) -> None:
    """Parameters of its path included; a path that leads nowhere stays nameless."""
    token = await service.token(admin=True)
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "k" * 600}
    await service.client.post("/api/v1/bulk/job/ld_7/abort", headers=headers)
    await service.client.post("/api/v1/nowhere/ld_7", headers=headers)
    nowhere, abort = await _entries(service, token)
    assert (abort["action"], abort["ids"], abort["route"]) == (
        "bulk.job_abort",
        ["ld_7"],
        "POST /bulk/job/{job_id}/abort",
    )
    assert (nowhere["action"], nowhere["route"]) == ("http.unmatched", "POST (none)")


async def test_sign_ins_are_written_with_the_name_that_was_typed(service: LoneService) -> None:
    """The right and the wrong ones; a password never."""
    app: Any = service.client._transport.app  # type: ignore[attr-defined] # the transport we made
    await app.state.services.identity.create_user("ann", _PASSWORD)
    for password in (_PASSWORD, "wr0ng-password"):
        await service.client.post("/token", data={"username": "ann", "password": password})
    entries = await _entries(service, await service.token(admin=True), action="identity", actor="ann")
    assert [entry["outcome"] for entry in entries] == ["refused", "succeeded"]
    assert entries[0]["code"] == "identity.wrong_credentials"
    assert {entry["details"]["grant"] for entry in entries} == {"password"}
    assert _PASSWORD not in str(entries)
    assert "wr0ng" not in str(entries)


async def test_a_refused_reading_is_written_before_it_is_told(service: LoneService) -> None:
    """The first message of the reply finds the entry in the database."""
    app: Any = service.client._transport.app  # type: ignore[attr-defined] # the transport we made
    token = await service.token("records:read")
    told: list[tuple[int, list[str]]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            page = await app.state.services.audit.page(AuditFilter(outcome="refused"), cursor=None, limit=5)
            told.append((message["status"], [record.action for record in page.items]))

    await app(
        {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": "/api/v1/users",
            "raw_path": b"/api/v1/users",
            "query_string": b"",
            "root_path": "",
            "headers": [(b"authorization", f"Bearer {token}".encode())],
            "client": ("127.0.0.1", 1),
            "server": ("service", 80),
            "state": {},
        },
        receive,
        send,
    )
    assert told == [(403, ["users.users"])]


async def test_a_refusal_for_want_of_right_is_written_even_of_a_reading(service: LoneService) -> None:
    """403 leaves a trace; a reading that is allowed leaves none."""
    token, admin = await service.token("records:read"), await service.token(admin=True)
    await service.client.get("/api/v1/users", headers={"Authorization": f"Bearer {token}"})
    entries = await _entries(service, admin)
    assert [(entry["action"], entry["code"]) for entry in entries] == [("users.users", "identity.scope_missing")]
    assert await _entries(service, admin) == entries


async def test_readings_are_written_when_the_setting_asks(tmp_path: Path) -> None:
    """ORGBRIDGE_AUDIT_READS."""
    async with lone_service(tmp_path, orgbridge_audit_reads=True) as service:
        token = await service.token(admin=True)
        await service.client.get("/api/v1/users/me", headers={"Authorization": f"Bearer {token}"})
        assert [entry["action"] for entry in await _entries(service, token)] == ["identity.me"]


async def test_values_are_written_when_the_setting_asks(tmp_path: Path) -> None:
    """ORGBRIDGE_AUDIT_VALUES: the request's body, secrets in it blotted out; of users never."""
    async with lone_service(tmp_path, orgbridge_audit_values=True) as service:
        token = await service.token(admin=True)
        headers = {"Authorization": f"Bearer {token}"}
        body = {"object_name": "Account", "data": {"Name": "Acme & Sons", "token": "hush-hush"}}
        await service.client.post("/api/v1/records/create", json=body, headers=headers)
        user = {"username": "eve", "password": _PASSWORD}
        await service.client.post("/api/v1/users", json=user, headers=headers)
        told = str(await _entries(service, token))
    assert "Acme & Sons" in told
    assert "hush-hush" not in told
    assert _PASSWORD not in told


async def test_the_audit_is_for_administrators(service: LoneService) -> None:
    """And it is read by pages, newest first, by what is asked for."""
    token = await service.token(admin=True)
    headers = {"Authorization": f"Bearer {token}"}
    poor = {"Authorization": f"Bearer {await service.token('records:read')}"}
    assert (await service.client.get("/api/v1/audit", headers=poor)).status_code == 403
    for number in range(5):
        await service.client.post("/api/v1/roles", json={"name": f"r{number}", "scopes": []}, headers=headers)
    seen, cursor = [], None
    while True:
        query = {"limit": 2, "action": "roles.create_role"} | ({"cursor": cursor} if cursor else {})
        reply = (await service.client.get("/api/v1/audit", params=query, headers=headers)).json()
        seen += [entry["seq"] for entry in reply["entries"]]
        cursor = reply["next_cursor"]
        if cursor is None:
            break
    assert seen == sorted(seen, reverse=True)
    assert len(seen) == 5
    assert await _entries(service, token, outcome="unknown") == []
    assert await _entries(service, token, since="2999-01-01T00:00:00Z") == []
    assert len(await _entries(service, token, until="2999-01-01T00:00:00Z", actor="nobody\x00")) == 0


# The chain


@pytest.fixture
async def database(store_url: str) -> AsyncIterator[Database]:
    """Give a database with the newest tables."""
    database = Database(store_url)
    yield database
    await database.close()


def _chain(database: Database, clock: HandClock, folder: Path) -> AuditChain:
    config = KeyConfig(algorithm="EdDSA", private_path=None, public_path=None, folder=folder)
    return AuditChain(database, SigningKeys(load_key_ring(config), config, database, clock), clock)


async def _write(trail: AuditTrail, count: int) -> None:
    await asyncio.gather(
        *(trail.write(Entry(action=f"records.a{n}", outcome=Outcome.SUCCEEDED, name="ünï\x00")) for n in range(count))
    )


def _meddle(url: str, *statements: str) -> None:
    """Change the tables as their owner can: triggers off first."""
    engine = sa.create_engine(parse_address(url).synchronous)
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("DROP TRIGGER audit_entries_fixed")
            connection.exec_driver_sql("DROP TRIGGER audit_entries_kept")
        else:
            connection.exec_driver_sql("ALTER TABLE audit_entries DISABLE TRIGGER USER")
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


async def test_many_writers_make_one_chain(database: Database, tmp_path: Path) -> None:
    """Three processes' worth of trails at once: no number twice, no gap, every hash right."""
    clock = HandClock()
    trails = [AuditTrail(database, clock) for _ in range(3)]
    await asyncio.gather(*(_write(trail, 100) for trail in trails))
    found = await _chain(database, clock, tmp_path).verify()
    assert (found.entries, found.first, found.last, found.faults) == (300, 1, 300, [])


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE audit_entries SET content = replace(content, 'a4', 'a5') WHERE seq = 5", "entry 5"),
        ("UPDATE audit_entries SET actor_name = 'somebody' WHERE seq = 5", "its columns do not say"),
        ("DELETE FROM audit_entries WHERE seq = 5", "entries 5 to 5 are missing"),
        ("DELETE FROM audit_entries WHERE seq > 8", "should end at 10"),
        ("DELETE FROM audit_entries WHERE seq < 3", "entries 1 to 2 are missing"),
        ("UPDATE audit_head SET seq = 8", "should end at 8"),
    ],
    ids=["content", "column", "gap", "tail", "front", "head"],
)
async def test_tampering_is_found(
    database: Database, store_url: str, tmp_path: Path, statement: str, fault: str
) -> None:
    """Whatever is changed, taken out or cut off."""
    clock = HandClock()
    await _write(AuditTrail(database, clock), 10)
    chain = _chain(database, clock, tmp_path)
    assert (await chain.verify()).whole
    await asyncio.to_thread(_meddle, store_url, statement)
    found = await chain.verify()
    assert any(fault in line for line in found.faults), found.faults


async def test_a_rewritten_end_is_found_by_a_hash_that_was_noted(
    database: Database, store_url: str, tmp_path: Path
) -> None:
    """Cutting the end and moving the head back is whole in itself; who noted the head sees it."""
    clock = HandClock()
    await _write(AuditTrail(database, clock), 10)
    chain = _chain(database, clock, tmp_path)
    noted = AuditHead(seq=10, hash=(await chain.verify()).head)
    cut = "UPDATE audit_head SET seq = 7, hash = (SELECT hash FROM audit_entries WHERE seq = 7)"
    await asyncio.to_thread(_meddle, store_url, "DELETE FROM audit_entries WHERE seq > 7", cut)
    assert (await chain.verify()).whole
    assert not (await chain.verify(expected=noted)).whole


@pytest.mark.parametrize(
    "statement", ["UPDATE audit_entries SET action = 'x' WHERE seq = 1", "DELETE FROM audit_entries WHERE seq = 1"]
)
async def test_the_database_itself_refuses(database: Database, store_url: str, statement: str) -> None:
    """An update or a deletion fails while the triggers are there."""
    await _write(AuditTrail(database, HandClock()), 2)

    def meddle() -> None:
        engine = sa.create_engine(parse_address(store_url).synchronous)
        try:
            with pytest.raises(sa.exc.DBAPIError, match="audit entries are"), engine.begin() as connection:
                connection.exec_driver_sql(statement)
        finally:
            engine.dispose()

    await asyncio.to_thread(meddle)


async def test_old_entries_go_behind_a_signed_checkpoint(database: Database, store_url: str, tmp_path: Path) -> None:
    """What is left verifies from the checkpoint on; a checkpoint that was forged does not."""
    clock = HandClock()
    trail, chain = AuditTrail(database, clock), _chain(database, clock, tmp_path)
    await _write(trail, 5)
    clock.move(10 * 86_400)
    await _write(trail, 5)
    assert await chain.prune(timedelta(days=9)) == 5
    assert await chain.prune(timedelta(days=9)) == 0
    found = await chain.verify()
    assert (found.entries, found.first, found.last, found.faults) == (5, 6, 10, [])
    clock.move(10 * 86_400)
    assert await chain.prune(timedelta(days=9)) == 5
    await _write(trail, 1)
    assert (await chain.verify()).whole
    exported = [entry async for entry in chain.export(AuditFilter())]
    assert [entry["seq"] for entry in exported] == [11]
    await asyncio.to_thread(_meddle, store_url, "UPDATE audit_checkpoints SET hash = 'ab' WHERE seq = 10")
    assert any("not what was signed" in line for line in (await chain.verify()).faults)
