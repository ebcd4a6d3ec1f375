"""FOR VIEW and FOR REFERENCE: the records of a result are marked as seen.

Simpler than a real org, which keeps the instants for each user: here they are the record's own. SystemModstamp and
LastModifiedDate stay as they are. An object without these fields has nothing to mark.

Source: facts/salesforce/soql.md section 2; SOQL and SOSL Reference, "FOR VIEW" and "FOR REFERENCE".
"""

from __future__ import annotations

from datetime import datetime

from orgbridge.emulator.query.fragments import identifier
from orgbridge.emulator.query.plans import QueryPlan
from orgbridge.emulator.query.results import FETCH_ROWS
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
    statement = f"UPDATE {identifier(plan.sobject.name)} SET {settings} WHERE rowid = ?"  # noqa: S608 catalogue names
    stamps = (stamp,) * len(set(fields))
    cursor = connection.execute(plan.sql, plan.parameters)
    # The rows are taken before any is written, as a changed row could come by twice.
    rowids = [row[-1] for rows in iter(lambda: cursor.fetchmany(FETCH_ROWS), []) for row in rows]
    connection.executemany(statement, ((*stamps, rowid) for rowid in rowids))
