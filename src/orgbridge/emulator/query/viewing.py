"""FOR VIEW and FOR REFERENCE: the records of a result are marked as seen.

Simpler than a real org, which keeps the instants for each user: here they are the record's own. SystemModstamp and
LastModifiedDate stay as they are. An object without these fields has nothing to mark.

Source: facts/salesforce/soql.md section 2; SOQL and SOSL Reference, "FOR VIEW" and "FOR REFERENCE".
"""

from __future__ import annotations

from datetime import datetime

from orgbridge.emulator.query.fragments import identifier
from orgbridge.emulator.query.plans import QueryPlan
from orgbridge.emulator.storage.database import Connection
from orgbridge.wire.dates import bulk_datetime

_FIELDS = {"VIEW": "LastViewedDate", "REFERENCE": "LastReferencedDate"}


def mark_seen(plan: QueryPlan, connection: Connection, *, now: datetime) -> None:
    """Write the present instant into the records that a plan finds.

    Args:
        plan: A query for records; without FOR VIEW and FOR REFERENCE nothing is done.
        connection: In a write transaction.
        now: The instant.
    """
    fields = [found.name for word in plan.query.for_ if (found := plan.sobject.field(_FIELDS[word]))]
    if not fields:
        return
    stamp = bulk_datetime(now)
    settings = ", ".join(f"{identifier(name)} = ?" for name in dict.fromkeys(fields))
    nothing = plan.page(size=0)
    # The last column is the row's number; how many are before it, SQLite says itself.
    width = len(connection.execute(nothing.text, nothing.parameters).description)
    names = ", ".join(f"c{index}" for index in range(width))
    query = f"WITH found({names}) AS ({plan.sql})"
    target = f"UPDATE {identifier(plan.sobject.name)} SET {settings} WHERE rowid IN (SELECT c{width - 1} FROM found)"  # noqa: S608 names of the catalogue
    connection.execute(f"{query} {target}", (*plan.parameters, *(stamp,) * settings.count("?")))
