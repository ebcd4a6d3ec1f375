"""Connection strings: what people write in `PSQL_CONNECTION_STRING`, and what each library wants to read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from orgbridge.store.errors import StoreAddressInvalid


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreAddress:
    """One database, said in every way that is needed."""

    #: For SQLAlchemy's async engine.
    asynchronous: URL
    #: For SQLAlchemy's plain engine (migrations).
    synchronous: URL
    #: For the durable engine: the same PostgreSQL database, or a SQLite file of its own beside the store's.
    engine_url: str
    #: The SQLite file, or None on PostgreSQL.
    file: Path | None

    @property
    def is_sqlite(self) -> bool:
        """True when the database is one file of this machine."""
        return self.file is not None


def parse_address(url: str) -> StoreAddress:
    """Return the address that a connection string stands for.

    Args:
        url: `postgresql://…`, `postgres://…`, `postgresql+psycopg://…`, `sqlite:///relative` or `sqlite:////absolute`.

    Raises:
        StoreAddressInvalid: It is none of these. The string itself is not repeated: it may hold a password.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise StoreAddressInvalid from None
    match parsed.drivername.split("+")[0]:
        case "postgresql" | "postgres":
            if not parsed.database:
                raise StoreAddressInvalid("The PostgreSQL connection string names no database.")
            full = parsed.set(drivername="postgresql+psycopg")
            plain = parsed.set(drivername="postgresql").render_as_string(hide_password=False)
            return StoreAddress(asynchronous=full, synchronous=full, engine_url=plain, file=None)
        case "sqlite":
            if not parsed.database or parsed.database == ":memory:":
                raise StoreAddressInvalid("SQLite needs a file: sqlite:///path/to/file.sqlite")
            file = Path(parsed.database)
            return StoreAddress(
                asynchronous=URL.create("sqlite+aiosqlite", database=str(file)),
                synchronous=URL.create("sqlite+pysqlite", database=str(file)),
                engine_url=f"sqlite:///{file.parent / 'engine.sqlite'}",
                file=file,
            )
        case _:
            raise StoreAddressInvalid
