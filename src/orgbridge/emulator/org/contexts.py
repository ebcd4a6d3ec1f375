"""Who saves, when, and in which transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from orgbridge.emulator.storage.database import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Who saves, when, and in which transaction."""

    #: The open write transaction.
    connection: Connection
    #: Id of the user.
    user_id: str
    #: The instant of the save.
    now: datetime
    #: True when the caller is the platform itself: read-only fields may be given.
    system: bool = False
