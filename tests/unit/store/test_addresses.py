"""Connection strings become addresses."""

from __future__ import annotations

import pytest

from orgbridge.store.addresses import parse_address
from orgbridge.store.errors import StoreAddressInvalid


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p%40ss@db:5433/shop",
        "postgres://u:p%40ss@db:5433/shop",
        "postgresql+psycopg://u:p%40ss@db:5433/shop",
    ],
    ids=["postgresql", "postgres", "with driver"],
)
def test_every_spelling_of_postgresql_means_the_same(url: str) -> None:
    """All three spellings lead to one driver for us and one plain string for the durable engine."""
    address = parse_address(url)
    assert address.asynchronous.render_as_string(hide_password=False) == "postgresql+psycopg://u:p%40ss@db:5433/shop"
    assert address.engine_url == "postgresql://u:p%40ss@db:5433/shop"
    assert not address.is_sqlite


def test_the_engine_has_its_own_file_beside_the_stores() -> None:
    """On SQLite the durable engine's writers never wait for the store's."""
    address = parse_address("sqlite:////var/lib/ob/orgbridge.sqlite")
    assert str(address.file) == "/var/lib/ob/orgbridge.sqlite"
    assert address.engine_url == "sqlite:////var/lib/ob/engine.sqlite"
    assert address.asynchronous.drivername == "sqlite+aiosqlite"


@pytest.mark.parametrize(
    "url",
    ["mysql://u:hunter2@db/x", "postgresql://u:hunter2@db", "sqlite://", "sqlite:///:memory:", "hunter2", ""],
)
def test_other_strings_are_refused_without_being_repeated(url: str) -> None:
    """A refused string does not show up in the message: it may hold a password."""
    with pytest.raises(StoreAddressInvalid) as refused:
        parse_address(url)
    assert "hunter2" not in str(refused.value)
    assert refused.value.__cause__ is None
