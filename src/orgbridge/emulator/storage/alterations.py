"""Tables of an org whose objects change while it runs.

A table outlives its object, and a column its field, empty: readers under way may still ask for them. What is left over
is taken away when the same name is made again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from orgbridge.emulator.schema.model import KEY_SUFFIX, Catalogue, Field, SObject
from orgbridge.emulator.storage.tables import column_type, create_object_table, index_name, quote
from orgbridge.wire.fieldtypes import FieldType


def alter_tables(connection: sqlite3.Connection, before: Catalogue, after: Catalogue) -> None:
    """Make the tables fit other objects; values of fields and rows of objects that are gone go with them.

    Args:
        connection: The open write transaction.
        before: The objects as the tables have them.
        after: The objects as they are to be.
    """
    for sobject in before.sobjects():
        if after.sobject(sobject.name) is None:
            _empty(connection, sobject)
    for sobject in after.sobjects():
        known = before.sobject(sobject.name)
        if known is None:
            connection.execute(f"DROP TABLE IF EXISTS {quote(sobject.name)}")
            create_object_table(connection, sobject)
        elif known.stored_fields != sobject.stored_fields:
            _alter(connection, known, sobject)


def value_count(connection: sqlite3.Connection, sobject: SObject, field: Field) -> int:
    """Return how many rows, deleted ones among them, have a value in a field."""
    sql = f"SELECT COUNT({quote(field.name)}) FROM {quote(sobject.name)}"  # noqa: S608 names come from the catalogue
    return int(connection.execute(sql).fetchone()[0])


def row_count(connection: sqlite3.Connection, sobject: SObject) -> int:
    """Return how many rows there are, deleted ones among them."""
    return int(connection.execute(f"SELECT COUNT(*) FROM {quote(sobject.name)}").fetchone()[0])  # noqa: S608


def longest_value(connection: sqlite3.Connection, sobject: SObject, field: Field) -> int:
    """Return the length of the longest text in a field."""
    sql = f"SELECT MAX(LENGTH({quote(field.name)})) FROM {quote(sobject.name)}"  # noqa: S608
    return int(connection.execute(sql).fetchone()[0] or 0)


def repeated_value(connection: sqlite3.Connection, sobject: SObject, field: Field) -> str | None:
    """Return a value that two live rows have in a field, with or without regard to case as the field says."""
    column = quote(field.name)
    key = column if field.case_sensitive or not field.is_text else f"SF_FOLD({column})"
    sql = (
        f"SELECT {column} FROM {quote(sobject.name)} WHERE IsDeleted = 0 AND {column} IS NOT NULL"  # noqa: S608
        f" GROUP BY {key} HAVING COUNT(*) > 1 LIMIT 1"
    )
    row = connection.execute(sql).fetchone()
    return None if row is None else str(row[0])


def _empty(connection: sqlite3.Connection, sobject: SObject) -> None:
    connection.execute(f"DELETE FROM {quote(sobject.name)}")  # noqa: S608 names come from the catalogue
    for table in ("ob_bin", "ob_cleared", "ob_purged"):
        connection.execute(f"DELETE FROM {table} WHERE sobject = ?", (sobject.name,))  # noqa: S608 fixed names


def _alter(connection: sqlite3.Connection, before: SObject, after: SObject) -> None:
    table = quote(after.name)
    have = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
    for field in before.stored_fields:
        if after.field(field.name) is None or not _has_column(after, field.name):
            _drop_index(connection, before, field)
            nothing = "0" if field.type is FieldType.BOOLEAN else "NULL"
            connection.execute(f"UPDATE {table} SET {quote(field.name)} = {nothing}")  # noqa: S608
            connection.execute("DELETE FROM ob_cleared WHERE sobject = ? AND field = ?", (before.name, field.name))
            _drop_columns(connection, table, have & {field.name + KEY_SUFFIX})
    for field in after.stored_fields:
        known = before.field(field.name)
        if known is None or not known.is_stored:
            _drop_index(connection, after, field)
            _drop_columns(connection, table, have & {field.name, field.name + KEY_SUFFIX})
        elif _shape(known) != _shape(field):
            _drop_index(connection, after, field)
            stale = {field.name + KEY_SUFFIX}
            if _definition(known) != _definition(field):
                stale.add(field.name)
            _drop_columns(connection, table, have & stale)
    create_object_table(connection, after)
    for name, value in _initial(before, after):
        connection.execute(f"UPDATE {table} SET {name} = {value}")  # noqa: S608 names come from the catalogue


def _has_column(sobject: SObject, name: str) -> bool:
    field = sobject.field(name)
    return field is not None and field.is_stored


def _initial(before: SObject, after: SObject) -> Iterator[tuple[str, str]]:
    """Yield what rows that are there already have in new fields, where that is not nothing."""
    for field in after.stored_fields:
        if before.field(field.name) is not None:
            continue
        if field.type is FieldType.BOOLEAN and field.default_value:
            # Documented: rows that are there take a new checkbox's default; other defaults are for new rows only.
            yield quote(field.name), "1"
        elif field.name == "OwnerId":
            yield quote(field.name), "CreatedById"
        elif field.summary is not None and field.default_value is not None:
            yield quote(field.name), "0"


def _definition(field: Field) -> tuple[str, bool]:
    return column_type(field), field.type is FieldType.BOOLEAN


def _shape(field: Field) -> tuple[object, ...]:
    """Return what the column, its shadow and its index follow from."""
    keyed = (field.has_key, field.case_sensitive, field.unique, field.external_id)
    return (*_definition(field), field.type is FieldType.REFERENCE, *keyed)


def _drop_index(connection: sqlite3.Connection, sobject: SObject, field: Field) -> None:
    connection.execute(f"DROP INDEX IF EXISTS {quote(index_name(sobject, field))}")


def _drop_columns(connection: sqlite3.Connection, table: str, names: set[str]) -> None:
    for name in sorted(names):
        connection.execute(f"ALTER TABLE {table} DROP COLUMN {quote(name)}")
