"""What was deleted, and what was made or changed, between two instants: for those who keep a copy of the org.

Source: facts/salesforce/rest.md section 3, "deleted / updated". Assumed: code and texts of what is refused, that an
end in the future means now, and that rows deleted past the recycle bin are told of like the others.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from starlette.responses import Response

from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.org.sharing import shared_ids, sharing_of
from orgbridge.emulator.schema.errors import SFError
from orgbridge.emulator.schema.model import SObject
from orgbridge.emulator.storage.tables import quote
from orgbridge.kit.json import JSON
from orgbridge.wire.dates import bulk_datetime, parse_datetime, rest_datetime
from orgbridge.wire.limits import DELETED_DAYS, REPLICATION_IDS, UPDATED_DAYS

_MINUTE = timedelta(minutes=1)
_FROM = "SELECT id, deleted_at FROM {} WHERE sobject = ? AND deleted_at >= ? AND deleted_at < ?"


async def deleted(call: Call) -> Response:
    """Answer GET /sobjects/{sobject}/deleted?start=…&end=…: deleted rows, by the time of their deletion."""
    sobject = _replicated(call)
    start, end = _period(call, DELETED_DAYS)
    named = (sobject.name, bulk_datetime(start), bulk_datetime(end))

    def work() -> tuple[list[tuple[str, str]], str | None]:
        with call.parts.storage.read() as connection:
            rows = connection.execute(
                f"{_FROM.format('ob_bin')} UNION ALL {_FROM.format('ob_purged')} ORDER BY deleted_at, id LIMIT ?",
                (*named, *named, REPLICATION_IDS + 1),
            ).fetchall()
            shared = shared_ids(connection, sobject, {row[0] for row in rows}, call.user_id)
            rows = [row for row in rows if row[0] in shared]
            (earliest,) = connection.execute(
                "SELECT MIN(at) FROM (SELECT MIN(deleted_at) AS at FROM ob_bin WHERE sobject = ? UNION ALL"
                " SELECT MIN(deleted_at) FROM ob_purged WHERE sobject = ?)",
                (sobject.name, sobject.name),
            ).fetchone()
        return rows, earliest

    rows, earliest = await call.thread(work)
    _check_count(len(rows))
    first = parse_datetime(earliest) if earliest else None
    return call.json(
        {
            "deletedRecords": [{"deletedDate": at.removesuffix("Z") + "+0000", "id": row_id} for row_id, at in rows],
            "earliestDateAvailable": rest_datetime(first or start),
            "latestDateCovered": rest_datetime(end),
        }
    )


async def updated(call: Call) -> Response:
    """Answer GET /sobjects/{sobject}/updated?start=…&end=…: live rows that were made or changed, by SystemModstamp."""
    sobject = _replicated(call)
    start, end = _period(call, UPDATED_DAYS)
    shared, values = sharing_of(sobject, "r", call.user_id)
    sql = (
        f"SELECT Id FROM {quote(sobject.name)} AS r WHERE SystemModstamp >= ? AND SystemModstamp < ? AND IsDeleted = 0"  # noqa: S608 names come from the catalogue
        f" AND {shared} ORDER BY SystemModstamp, Id LIMIT ?"
    )

    def work() -> list[JSON]:
        with call.parts.storage.read() as connection:
            found = connection.execute(sql, (bulk_datetime(start), bulk_datetime(end), *values, REPLICATION_IDS + 1))
            return [row[0] for row in found]

    ids = await call.thread(work)
    _check_count(len(ids))
    return call.json({"ids": ids, "latestDateCovered": rest_datetime(end)})


def _replicated(call: Call) -> SObject:
    sobject = call.parts.org.sobject(call.args["sobject"], user_id=call.user_id)
    if sobject.field("IsDeleted") is None:
        raise SFError("INVALID_TYPE_FOR_OPERATION", f"entity type {sobject.name} is not replicateable")
    return sobject


def _check_count(count: int) -> None:
    if count > REPLICATION_IDS:
        raise SFError("EXCEEDED_ID_LIMIT", f"More than {REPLICATION_IDS} ids: use a shorter period")


def _period(call: Call, days: int) -> tuple[datetime, datetime]:
    """Return start and end in whole minutes; seconds are ignored.

    Raises:
        SFError: They are no instants, lie too far back, or not a minute apart.
    """
    now = call.parts.clock.now()
    start, end = _instant(call, "start"), min(_instant(call, "end"), now).replace(second=0, microsecond=0)
    if start < now - timedelta(days=days) - _MINUTE:
        raise SFError("INVALID_REPLICATION_DATE", f"startDate cannot be more than {days} days ago")
    if end - start < _MINUTE:
        raise SFError("INVALID_REPLICATION_DATE", "endDate must be at least one minute greater than startDate")
    return start, end


def _instant(call: Call, name: str) -> datetime:
    value = parse_datetime(call.query(name) or "")
    if value is None:
        raise SFError("INVALID_REPLICATION_DATE", f"{name} must be an instant with an offset, '+' written as %2B")
    return value.replace(second=0, microsecond=0)
