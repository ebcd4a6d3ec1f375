"""Bring the tables up to date. Safe when several processes start at once."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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
        if (_applied(connection) or "") > _head():
            # A newer program was here: its migrations are unknown to this one and only add.
            return
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


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaState:
    """How far the tables of a database are."""

    #: What was applied last; None when nothing ever was.
    applied: str | None
    #: The newest migration that this program brings.
    wanted: str
    #: Version of the database, e.g. `17.2`; empty while there is none.
    server: str

    @property
    def outdated(self) -> bool:
        """True when the tables are missing or older than this program."""
        return self.applied is None or self.applied < self.wanted

    @property
    def newer(self) -> bool:
        """True when a newer program has brought its own tables; migrations only add, so this program works on them."""
        return self.applied is not None and self.applied > self.wanted


def read_schema(url: str) -> SchemaState:
    """Return how far the tables are. Blocking; changes nothing.

    Raises:
        StoreUnavailable: The database cannot be reached.
    """
    wanted = _head()
    address = parse_address(url)
    if address.file is not None and not address.file.exists():
        return SchemaState(applied=None, wanted=wanted, server="")
    engine = _engine(address)
    try:
        with engine.connect() as connection:
            applied = _applied(connection)
            version = connection.dialect.server_version_info or ()
            return SchemaState(applied=applied, wanted=wanted, server=".".join(str(part) for part in version))
    except (OperationalError, InterfaceError) as error:
        cause = str(error.orig).strip().split("\n", 1)[0]
        raise StoreUnavailable(f"The database does not answer: {cause}") from error
    finally:
        engine.dispose()


def check_schema(url: str) -> None:
    """Make sure that the tables are as new as this program, or newer. Blocking; changes nothing.

    Newer ones are those of an upgrade whose programs are still being rolled out, or were rolled back: this program may
    be started again beside or after them.

    Raises:
        SchemaOutdated: They are missing or older.
        StoreUnavailable: The database cannot be reached.
    """
    if read_schema(url).outdated:
        raise SchemaOutdated


def _head() -> str:
    head = ScriptDirectory.from_config(migrations()).get_current_head()
    assert head is not None, "the package holds migrations"
    return head


def _applied(connection: sa.Connection) -> str | None:
    return MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_revision()


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
