"""Secrets of webhooks lie sealed in the database, whatever lay there before."""

from __future__ import annotations

import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from orgbridge.client.webhooks import new_secret
from orgbridge.kit.sealing import Sealer, is_sealed
from orgbridge.store.addresses import parse_address
from orgbridge.store.database import Database
from orgbridge.store.schema import upgrade
from orgbridge.store.webhook_records import SubscriptionRecord
from orgbridge.store.webhook_tables import webhook_subscriptions
from orgbridge.wiring.sealing import build_sealer, seal_what_lies_open
from tests.support.local_house import lone_settings

_OLD, _NEW = "an-old-key-of-thirty-two-characters", "a-new-key-of-thirty-two-characters!"


def _record(name: str) -> SubscriptionRecord:
    return SubscriptionRecord(
        id=name,
        owner="ann",
        url="https://example.com/hook",
        secret=new_secret(),
        events=("load.completed",),
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


async def _add(database: Database, *records: SubscriptionRecord) -> None:
    async with database.unit() as unit:
        for record in records:
            await unit.webhooks.add_subscription(record)


async def _read(database: Database, record: SubscriptionRecord) -> str:
    async with database.unit(write=False) as unit:
        found = await unit.webhooks.subscription(record.id)
    assert found is not None
    return found.secret


def _lying(url: str) -> list[str]:
    engine = sa.create_engine(parse_address(url).synchronous, poolclass=sa.NullPool)
    with engine.connect() as connection:
        return list(connection.execute(sa.select(webhook_subscriptions.c.secret).order_by("id")).scalars())


async def test_a_secret_lies_sealed_and_what_lay_open_is_sealed_at_the_start(tmp_path: Path, store_url: str) -> None:
    """New ones at once, old ones at the start; a new key takes all over, and who has only the old one reads nothing."""
    upgrade(store_url)
    more: dict[str, Any] = {"psql_connection_string": store_url} if store_url.startswith("postgresql") else {}

    def opened(*keys: str) -> Database:
        settings = lone_settings(tmp_path / "data", orgbridge_sealing_key=",".join(keys), **more)
        database = Database(store_url, sealer=build_sealer(settings))
        databases.append(database)
        return database

    databases: list[Database] = [Database(store_url)]
    before, after = _record("hook_before"), _record("hook_after")
    try:
        await _add(databases[0], before)
        assert _lying(store_url) == [before.secret]
        old = opened(_OLD)
        assert await _read(old, before) == before.secret
        await _add(old, after)
        await seal_what_lies_open(old)
        assert all(is_sealed(text) and len(text) <= 128 for text in _lying(store_url))
        assert [await _read(old, record) for record in (before, after)] == [before.secret, after.secret]
        lying = _lying(store_url)
        await seal_what_lies_open(old)
        assert _lying(store_url) == lying
        await seal_what_lies_open(opened(_NEW, _OLD))
        new = opened(_NEW)
        assert [await _read(new, record) for record in (before, after)] == [before.secret, after.secret]
        await seal_what_lies_open(old)
        assert [await _read(old, record) for record in (before, after)] == ["", ""]
        assert [await _read(new, record) for record in (before, after)] == [before.secret, after.secret]
    finally:
        for database in databases:
            await database.close()


async def test_sqlite_has_a_key_in_the_data_folder_and_postgresql_none(tmp_path: Path) -> None:
    """It is made once, for its owner alone; it still opens what it sealed when a key is set later."""
    settings = lone_settings(tmp_path)
    made, again = build_sealer(settings), build_sealer(settings)
    assert made is not None
    assert again is not None
    sealed = made.seal("text", "here")
    assert again.open(sealed, "here") == "text"
    key = tmp_path / "keys" / "sealing.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    later = build_sealer(lone_settings(tmp_path, orgbridge_sealing_key=_NEW))
    assert later is not None
    assert later.open(sealed, "here") == "text"
    assert later.prefix != made.prefix
    shared = lone_settings(tmp_path / "other", psql_connection_string="postgresql://u@127.0.0.1:9/d")
    assert build_sealer(shared) is None


@pytest.mark.parametrize("change", ["place", "text", "key", "purpose"])
def test_a_sealed_text_opens_in_its_place_only(change: str) -> None:
    """Not elsewhere, not changed, not with another key or for another purpose."""
    sealer = Sealer([b"k" * 32], "one")
    sealed = sealer.seal("secret", "here")
    assert sealer.open(sealed, "here") == "secret"
    assert "secret" not in sealed
    other = Sealer([b"x" * 32 if change == "key" else b"k" * 32], "two" if change == "purpose" else "one")
    if change == "text":
        sealed = sealed[:-2] + ("AA" if sealed[-2:] != "AA" else "BB")
    with pytest.raises(ValueError, match="sealed"):
        other.open(sealed, "there" if change == "place" else "here")
