"""Bring the tables up to date. Safe when several processes start at once."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import event
from sqlalchemy.exc import InterfaceError, OperationalError

from orgbridge.store.addresses import StoreAddress, parse_address
from orgbridge.store.database import CONNECT_SECONDS, prepare_sqlite
from orgbridge.store.errors import SchemaOutdated, StoreUnavailable

#: Alembic's own table of what was applied; named so that it cannot be another program's in a shared database.
VERSION_TABLE = "orgbridge_migrations"
#: Key of the PostgreSQL advisory lock: "orgbridg" in ASCII.
_LOCK_KEY = int.from_bytes(b"orgbridg", "big") >> 1


def migrations() -> Config:
    """Return Alembic's configuration; the scripts are package data."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def upgrade(url: str, revision: str = "head") -> None:
    """Apply every migration that is missing. Blocking: call it from a thread or before the loop starts.

    Several processes may call this at the same time on one database: they take turns, and all but the first find
    nothing left to do.

    Args:
        url: A connection string as `addresses.parse_address` takes it.
        revision: Where to stop; the newest by default.

    Raises:
        StoreAddressInvalid: The string is of no known kind.
        StoreUnavailable: The database cannot be reached. Migrations applied before are kept.
    """
    with _exclusive(url) as connection:
        config = migrations()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def downgrade(url: str, revision: str) -> None:
    """Take migrations back. Blocking; tables that a migration made are dropped with what is in them.

    Raises:
        StoreUnavailable: The database cannot be reached.
    """
    with _exclusive(url) as connection:
        config = migrations()
        config.attributes["connection"] = connection
        command.downgrade(config, revision)


def check_schema(url: str) -> None:
    """Make sure that the tables are as new as this program. Blocking; changes nothing.

    Raises:
        SchemaOutdated: They are missing or older.
        StoreUnavailable: The database cannot be reached.
    """
    wanted = ScriptDirectory.from_config(migrations()).get_current_head()
    address = parse_address(url)
    if address.file is not None and not address.file.exists():
        raise SchemaOutdated
    engine = _engine(address)
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
            if context.get_current_revision() != wanted:
                raise SchemaOutdated
    except (OperationalError, InterfaceError) as error:
        raise StoreUnavailable from error
    finally:
        engine.dispose()


def _engine(address: StoreAddress) -> sa.Engine:
    if address.is_sqlite:
        engine = sa.create_engine(address.synchronous, poolclass=sa.NullPool)
        event.listen(engine, "connect", prepare_sqlite)
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
        return engine
    return sa.create_engine(
        address.synchronous, poolclass=sa.NullPool, connect_args={"connect_timeout": CONNECT_SECONDS}
    )


@contextmanager
def _exclusive(url: str) -> Iterator[sa.Connection]:
    """Give a connection whose holder is the only one that migrates this database."""
    address = parse_address(url)
    engine = _engine(address)
    try:
        if address.file is not None:
            address.file.parent.mkdir(parents=True, exist_ok=True)
            with (address.file.parent / f"{address.file.name}.upgrade.lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                with engine.begin() as connection:
                    yield connection
        else:
            with engine.begin() as connection:
                # Held to the end of the transaction, so it cannot outlive its owner.
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK_KEY)))
                yield connection
    except (OperationalError, InterfaceError) as error:
        cause = str(error.orig).strip().split("\n", 1)[0]
        raise StoreUnavailable(f"The database does not answer: {cause}") from error
    finally:
        engine.dispose()
