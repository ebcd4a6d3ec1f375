"""Teaches older SQLite what the durable engine asks of it: the time to the millisecond.

From Python 3.12 on DBOS writes `unixepoch('subsec')` into its tables' defaults and its queries. SQLite knows the word
since 3.42, but Python is often linked with the system's library: Debian 12 has 3.40, Ubuntu 22.04 has 3.37. There the
function gives NULL, and the engine's tables cannot take their first row.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from orgbridge.kit.clock import SystemClock

#: Source: SQLite's release notes of 3.42.0, "the subsec modifier".
_KNOWN_SINCE = (3, 42)


def teach_subseconds() -> None:
    """See that every SQLite connection that this process opens from now on knows `unixepoch('subsec')`.

    Only a library that does not know it is taught; any other use of `unixepoch` on such a library is an error and not
    a wrong time. Safe to repeat.
    """
    if not event.contains(sa.Engine, "connect", _teach):
        event.listen(sa.Engine, "connect", _teach)


def _teach(connection: Any, _record: Any) -> None:
    if type(connection).__module__ != "sqlite3":
        return
    (version,) = connection.execute("SELECT sqlite_version()").fetchone()
    if tuple(int(number) for number in version.split(".")) < _KNOWN_SINCE:
        connection.create_function("unixepoch", 1, _subseconds)


def _subseconds(modifier: str) -> float:
    if modifier != "subsec":
        raise ValueError(f"unixepoch({modifier!r}) is not known here")
    return SystemClock().now().timestamp()
