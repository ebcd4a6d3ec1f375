"""Empty databases to begin from: the tables of a catalogue, made once per process and copied into each new org.

Making the tables of all standard objects takes a tenth of a second, copying them a few milliseconds.
"""

from __future__ import annotations

import sqlite3
import threading
import weakref

from orgbridge.emulator.schema.model import Catalogue
from orgbridge.emulator.storage import tables

_lock = threading.Lock()
_known: weakref.WeakKeyDictionary[Catalogue, sqlite3.Connection] = weakref.WeakKeyDictionary()


def is_blank(connection: sqlite3.Connection) -> bool:
    """Tell whether a database holds nothing but this room's own tables, all of them empty."""
    found = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    return found <= tables.OWN_NAMES and not any(
        connection.execute(f"SELECT 1 FROM {tables.quote(name)} LIMIT 1").fetchone()  # noqa: S608 this room's names
        for name in found
    )


def copy_onto(connection: sqlite3.Connection, catalogue: Catalogue) -> None:
    """Make a blank database one with all tables of the catalogue. The caller holds the writer's lock."""
    with _lock:
        template = _known.get(catalogue)
        if template is None:
            template = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
            tables.create_own_tables(template)
            tables.create_object_tables(template, catalogue)
            _known[catalogue] = template
            # A template ends with its catalogue: a database that nobody closes is a warning, and a warning an error.
            weakref.finalize(catalogue, template.close)
        template.backup(connection)
