"""Rows found by id or by key, thousands in one statement."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from orgbridge.emulator.schema.model import Field, SObject
from orgbridge.emulator.schema.rendering import Stored
from orgbridge.emulator.storage.database import Connection
from orgbridge.emulator.storage.tables import quote
from orgbridge.kit.json import dumps


def json_list(values: Iterable[object]) -> str:
    """Return the values as the JSON text that `json_each(?)` takes apart: one parameter for any number of values."""
    return dumps(list(values)).decode()


def live_ids(connection: Connection, sobject: SObject, ids: Collection[str]) -> set[str]:
    """Return those of the ids whose rows are there and not in the recycle bin."""
    sql = f"SELECT Id FROM {quote(sobject.name)} WHERE Id IN (SELECT value FROM json_each(?)) AND IsDeleted = 0"  # noqa: S608 names come from the catalogue
    return {row[0] for row in connection.execute(sql, (json_list(ids),))}


def rows_by_id(
    connection: Connection, sobject: SObject, ids: Collection[str], columns: Sequence[str]
) -> dict[str, tuple[Stored, ...]]:
    """Return `(IsDeleted, *columns)` of every row there is, by id; deleted ones too."""
    names = ", ".join(map(quote, ("Id", "IsDeleted", *columns)))
    sql = f"SELECT {names} FROM {quote(sobject.name)} WHERE Id IN (SELECT value FROM json_each(?))"  # noqa: S608
    return {row[0]: row[1:] for row in connection.execute(sql, (json_list(ids),))}


def ids_by_key(
    connection: Connection, sobject: SObject, field: Field, keys: Collection[str | int | float]
) -> dict[str | int | float, list[str]]:
    """Return the ids of the live rows with each key, in the order of their ids.

    Args:
        connection: An open transaction.
        sobject: Where to look.
        field: The field to look by.
        keys: Values of its key column, e.g. case-folded texts.
    """
    found: dict[str | int | float, list[str]] = {}
    if not keys:
        return found
    column = quote(field.key_column)
    select = f"SELECT {column}, Id FROM {quote(sobject.name)} WHERE IsDeleted = 0 AND {column} "  # noqa: S608
    text = json_list(keys)
    if "\\u0000" in text:
        # json_each ends a text at a NUL: such keys are looked up one by one.
        rows = [row for key in keys for row in connection.execute(select + "= ? ORDER BY Id", (key,))]
    else:
        rows = connection.execute(f"{select}IN (SELECT value FROM json_each(?)) ORDER BY Id", (text,)).fetchall()  # noqa: S608
    for key, record_id in rows:
        found.setdefault(key, []).append(record_id)
    return found


def key_value(field: Field, value: Stored) -> str | int | float:
    """Return what the field's key column holds for a value."""
    if isinstance(value, str):
        return field.key_of(value) if field.has_key else value
    return value if isinstance(value, int | float) else ""


def key_values(field: Field, values: Iterable[object]) -> list[str | int | float | None]:
    """Return what the field's key column holds for each value; None for no value. As `key_value`, for many at once."""
    if field.has_key and not field.case_sensitive:
        return [v.casefold() if v.__class__ is str else v if isinstance(v, int | float) else None for v in values]
    return [v if isinstance(v, str | int | float) else None for v in values]
