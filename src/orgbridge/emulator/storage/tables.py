"""Tables: one per object of the catalogue, and the room's own (settings, counters, sessions, recycle bin).

Columns of an object's table are its fields. Text fields that equality looks up have a shadow column `Field$key`
with the value that is compared, indexed; every reference is indexed where it is not null. Every table has
`IsDeleted`, also where describe does not show it.
"""

from __future__ import annotations

import sqlite3
from typing import assert_never

from orgbridge.emulator.schema.model import Catalogue, Field, SObject
from orgbridge.emulator.storage.grants import GRANTS_TABLE
from orgbridge.emulator.storage.sessions import LATER_COLUMNS
from orgbridge.wire.fieldtypes import FieldType

_OWN_TABLES = (
    "CREATE TABLE IF NOT EXISTS ob_meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS ob_counters (key TEXT PRIMARY KEY, next INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS ob_sessions (token_hash TEXT PRIMARY KEY, kind TEXT NOT NULL, user_id TEXT NOT NULL,"
    " client_id TEXT, issued_at TEXT NOT NULL, used_at TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS ob_bin (id TEXT PRIMARY KEY, sobject TEXT NOT NULL, root_id TEXT NOT NULL,"
    " deleted_at TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS ob_cleared (root_id TEXT NOT NULL, sobject TEXT NOT NULL, field TEXT NOT NULL,"
    " id TEXT NOT NULL, target TEXT NOT NULL, PRIMARY KEY (root_id, sobject, field, id)) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS ob_bin_root ON ob_bin (root_id)",
    "CREATE TABLE IF NOT EXISTS ob_purged (id TEXT PRIMARY KEY, sobject TEXT NOT NULL, deleted_at TEXT NOT NULL)"
    " WITHOUT ROWID",
    GRANTS_TABLE,
)
#: Names of the room's own tables.
OWN_NAMES = frozenset({"ob_meta", "ob_counters", "ob_sessions", "ob_bin", "ob_cleared", "ob_purged", "ob_grants"})
#: References that point to the same few users in every row: an index would cost writes and help no query.
_UNINDEXED = frozenset({"CreatedById", "LastModifiedById"})
#: Instants that incremental readers filter on.
_INDEXED_INSTANTS = ("SystemModstamp", "CreatedDate")


def quote(name: str) -> str:
    """Return the name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def column_type(field: Field) -> str:
    """Return the SQLite type of a field's column."""
    match field.type:
        case FieldType.BOOLEAN | FieldType.INT:
            return "INTEGER"
        case FieldType.DOUBLE | FieldType.CURRENCY | FieldType.PERCENT:
            return "REAL"
        case FieldType.BASE64:
            return "BLOB"
        case (
            FieldType.ID
            | FieldType.REFERENCE
            | FieldType.STRING
            | FieldType.TEXTAREA
            | FieldType.PICKLIST
            | FieldType.MULTIPICKLIST
            | FieldType.COMBOBOX
            | FieldType.PHONE
            | FieldType.URL
            | FieldType.EMAIL
            | FieldType.ENCRYPTEDSTRING
            | FieldType.DATE
            | FieldType.DATETIME
            | FieldType.TIME
            | FieldType.ANYTYPE
            | FieldType.COMPLEXVALUE
        ):
            return "TEXT"
        case FieldType.ADDRESS | FieldType.LOCATION:
            raise ValueError(f"{field.name} is a compound field and has no column")
    assert_never(field.type)


def _columns(sobject: SObject) -> dict[str, str]:
    columns = {"Id": "TEXT PRIMARY KEY NOT NULL", "IsDeleted": "INTEGER NOT NULL DEFAULT 0"}
    for field in sobject.stored_fields:
        if field.name in columns:
            continue
        default = " NOT NULL DEFAULT 0" if field.type is FieldType.BOOLEAN else ""
        columns[field.name] = column_type(field) + default
        if field.has_key:
            columns[field.key_column] = "TEXT"
    return columns


def _indexes(sobject: SObject) -> list[str]:
    table = quote(sobject.name)
    statements = []
    for field in sobject.stored_fields:
        name = quote(index_name(sobject, field))
        column = quote(field.key_column)
        if field.unique and field.type is not FieldType.ID:
            # Deleted rows take their own id as second term: unique among live rows, yet one index for both.
            live = "(CASE IsDeleted WHEN 0 THEN '' ELSE Id END)"
            statements.append(f"CREATE UNIQUE INDEX IF NOT EXISTS {name} ON {table} ({column}, {live})")
        elif field.has_key or field.external_id:
            statements.append(f"CREATE INDEX IF NOT EXISTS {name} ON {table} ({column})")
        elif field.type is FieldType.REFERENCE and field.name not in _UNINDEXED:
            statements.append(f"CREATE INDEX IF NOT EXISTS {name} ON {table} ({column}) WHERE {column} IS NOT NULL")
        elif field.name in _INDEXED_INSTANTS:
            statements.append(f"CREATE INDEX IF NOT EXISTS {name} ON {table} ({column})")
    return statements


def create_own_tables(connection: sqlite3.Connection) -> None:
    """Make the room's own tables where they are not there."""
    for statement in _OWN_TABLES:
        connection.execute(statement)
    have = {row[1] for row in connection.execute("PRAGMA table_info(ob_sessions)")}
    for name, definition in LATER_COLUMNS.items():
        if name not in have:
            connection.execute(f"ALTER TABLE ob_sessions ADD COLUMN {name} {definition}")


def create_object_tables(connection: sqlite3.Connection, catalogue: Catalogue) -> None:
    """Make the tables of all objects; add columns and indexes that an older file lacks.

    A shadow column that is added later is filled from the rows. Columns whose field is gone stay as they are.
    """
    for sobject in catalogue.sobjects():
        create_object_table(connection, sobject)


def create_object_table(connection: sqlite3.Connection, sobject: SObject) -> None:
    """Do for one object what `create_object_tables` does for all."""
    table = quote(sobject.name)
    columns = _columns(sobject)
    have = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
    if not have:
        body = ", ".join(f"{quote(name)} {kind}" for name, kind in columns.items())
        connection.execute(f"CREATE TABLE {table} ({body})")
    else:
        for name, kind in columns.items():
            if name not in have:
                connection.execute(f"ALTER TABLE {table} ADD COLUMN {quote(name)} {kind}")
        for field in sobject.stored_fields:
            if field.has_key and field.key_column not in have:
                value = quote(field.name) if field.case_sensitive else f"SF_FOLD({quote(field.name)})"
                connection.execute(f"UPDATE {table} SET {quote(field.key_column)} = {value}")  # noqa: S608 names come from the catalogue
    for statement in _indexes(sobject):
        connection.execute(statement)


def index_name(sobject: SObject, field: Field) -> str:
    """Return the name of a field's index."""
    return f"{sobject.name}.{field.name}"
