"""What a refused constraint means, on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from orgbridge.store.errors import NameTaken, ReferenceMissing, StillInUse, StoreError

#: PostgreSQL's `unique_violation`, and SQLite's names of the same.
_UNIQUE = {"23505", "SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY"}


@asynccontextmanager
async def checked(
    connection: AsyncConnection,
    *,
    taken: StoreError | None = None,
    missing: StoreError | None = None,
    in_use: StoreError | None = None,
) -> AsyncIterator[None]:
    """Run statements whose refusal by a constraint is told in our words; the unit goes on after it.

    Args:
        connection: The unit's connection.
        taken: What to raise for a unique constraint; `NameTaken` by default.
        missing: What to raise for a foreign key of what is written; `ReferenceMissing` by default.
        in_use: Given when rows are deleted: what to raise when others refer to them.

    Raises:
        StoreError: A constraint refused; nothing of the block was written.
    """
    try:
        async with connection.begin_nested():
            yield
    except IntegrityError as error:
        original = error.orig
        code = getattr(original, "sqlstate", None) or getattr(original, "sqlite_errorname", "")
        if code in _UNIQUE:
            raise taken or NameTaken() from error
        raise in_use or missing or ReferenceMissing() from error


def in_use(what: str) -> StillInUse:
    """Return the refusal to delete something, saying what must go first."""
    return StillInUse(f"It still has {what}: remove those first.")
