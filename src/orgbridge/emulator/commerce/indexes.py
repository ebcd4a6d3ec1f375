"""Search indexes of a store: what was built, and since when products are found.

Kept beside the rows, outlives a restart. Source: facts/commerce/catalog.md section 2. Assumed: a build ends at once;
the prefix of its id; ten of them are remembered.
"""

from __future__ import annotations

from datetime import datetime

from orgbridge.emulator.storage.counters import get_meta, set_meta
from orgbridge.emulator.storage.database import Connection
from orgbridge.kit.json import JSON, dumps, loads
from orgbridge.wire.dates import bulk_datetime
from orgbridge.wire.ids import make_id

_PREFIX = "0bu"
_KEPT = 10


def indexes_of(connection: Connection, store_id: str) -> list[dict[str, JSON]]:
    """Return the indexes of a store, the newest first: `id` and `at`."""
    text = get_meta(connection, _key(store_id))
    return [] if text is None else list(loads(text))


def indexed_at(connection: Connection, store_id: str) -> str:
    """Return the instant of the live index; an empty text, before everything, when none was built."""
    known = indexes_of(connection, store_id)
    return str(known[0]["at"]) if known else ""


def build_index(connection: Connection, store_id: str, now: datetime) -> dict[str, JSON]:
    """Build a new live index within a write transaction and return it."""
    known = indexes_of(connection, store_id)
    count = int(get_meta(connection, "commerce.indexes") or 0) + 1
    set_meta(connection, "commerce.indexes", str(count))
    new: dict[str, JSON] = {"id": make_id(_PREFIX, count), "at": bulk_datetime(now)}
    set_meta(connection, _key(store_id), dumps([new, *known][:_KEPT]).decode())
    return new


def _key(store_id: str) -> str:
    return f"commerce.index.{store_id}"
