"""Rows that a user may see, of an object as that user sees it."""

from __future__ import annotations

from collections.abc import Collection

from orgbridge.emulator.org.lookups import json_list
from orgbridge.emulator.schema.model import SObject
from orgbridge.emulator.storage.database import Connection
from orgbridge.emulator.storage.tables import quote


def shared_ids(connection: Connection, seen: SObject, ids: Collection[str], user_id: str) -> set[str]:
    """Return those of the ids whose rows a user may see; all of them where the object has no condition.

    Args:
        connection: An open transaction.
        seen: The object as the user sees it.
        ids: Ids of 18 characters.
        user_id: Whose eyes.
    """
    if seen.sharing is None or not ids:
        return set(ids)
    condition, values = sharing_of(seen, "r", user_id)
    sql = f"SELECT r.Id FROM {quote(seen.name)} AS r WHERE r.Id IN (SELECT value FROM json_each(?)) AND {condition}"  # noqa: S608 names come from the catalogue
    return {row[0] for row in connection.execute(sql, (json_list(ids), *values))}


def sharing_of(seen: SObject, alias: str, user_id: str) -> tuple[str, tuple[str, ...]]:
    """Return the condition of the rows that a user sees, with its parameters; one that always holds without any."""
    if seen.sharing is None:
        return "1", ()
    return seen.sharing.replace("{row}", alias), (user_id,) * seen.sharing.count("?")
