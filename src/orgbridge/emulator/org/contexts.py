"""Who saves, when, and in which transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from orgbridge.emulator.schema.model import Catalogue, SObject
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
    #: The objects and fields as the user may see and write them; None for all as they are.
    view: Catalogue | None = None
    #: Rows that duplicate rules only warn of are saved. Source: facts/salesforce/rest.md section 4.
    allow_duplicates: bool = False
    #: The job that writes, for locks that outlive the call; None for a single call.
    writer: str | None = None

    def hides(self, sobject: SObject) -> bool:
        """Tell whether the user may not see an object at all."""
        return self.view is not None and self.view.sobject(sobject.name) is None

    def seen(self, sobject: SObject) -> SObject:
        """Return an object as the user may see it; as it is when hidden, for whoever may not see it never gets here."""
        found = None if self.view is None else self.view.sobject(sobject.name)
        return sobject if found is None else found
