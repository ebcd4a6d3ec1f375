"""Key prefixes of custom objects and ids of record types: given once, kept in the org's file for good."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator

from orgbridge.emulator.storage.counters import allocate, get_meta, set_meta
from orgbridge.kit.json import JSON
from orgbridge.wire.ids import make_id

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#: Key prefix of record types. Source: facts/salesforce/ids-and-types.md section 1.
_RECORD_TYPE = "012"
#: How the ids begin that an emulated org counts up: those of another one may be taken here.
_OWN_RECORD_TYPES = make_id(_RECORD_TYPE, 1)[:6]


def identify(connection: sqlite3.Connection, objects: Iterable[JSON]) -> tuple[JSON, ...]:
    """Return the objects, told in the form of the data files, with a key prefix and record types with an id each.

    Ids of record types that come from a real org are kept.

    Args:
        connection: The open write transaction; what is given is kept when it commits.
        objects: All objects of the org, so that no prefix is given twice.
    """
    listed = list(objects)
    free = _free_prefixes({data["keyPrefix"] for data in listed if data.get("keyPrefix")}, connection)
    return tuple(_identified(connection, data, free) for data in listed)


def _identified(connection: sqlite3.Connection, data: JSON, free: Iterator[str]) -> JSON:
    told = dict(data)
    if not told.get("keyPrefix"):
        key = f"prefix.{data['name']}"
        told["keyPrefix"] = get_meta(connection, key) or next(free)
        set_meta(connection, key, told["keyPrefix"])
    kinds = []
    for kind in data.get("recordTypes", ()):
        key = f"record_type.{data['name']}.{kind['developer_name']}"
        known = get_meta(connection, key)
        if (told_id := kind.get("id")) and not told_id.startswith(_OWN_RECORD_TYPES):
            known = told_id
        if known is None:
            known = make_id(_RECORD_TYPE, allocate(connection, _RECORD_TYPE))
            set_meta(connection, key, known)
        kinds.append({**kind, "id": known})
    return {**told, "recordTypes": kinds}


def _free_prefixes(taken: set[str], connection: sqlite3.Connection) -> Iterator[str]:
    given = {row[0] for row in connection.execute("SELECT value FROM ob_meta WHERE key LIKE 'prefix.%'")}
    # Custom objects count from a00. Source: facts/salesforce/ids-and-types.md section 1.
    for first in "abcd":
        for second in _DIGITS:
            for third in _DIGITS:
                if (prefix := first + second + third) not in taken | given:
                    given.add(prefix)
                    yield prefix
