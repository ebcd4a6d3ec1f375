"""The rows that the caller worked with last: GET /recent.

Source: facts/salesforce/rest.md section 3. Assumed: a row counts as used when the caller made or changed it, since the
emulated org has no pages on which it could be viewed.
"""

from __future__ import annotations

from starlette.responses import Response

from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.schema.errors import SFError
from orgbridge.emulator.schema.model import SObject
from orgbridge.emulator.storage.database import Connection
from orgbridge.emulator.storage.tables import quote
from orgbridge.kit.json import JSON
from orgbridge.wire.limits import RECENT_ITEMS

#: Newest rows of each object that are looked at: others may have changed many rows since the caller did.
_LOOKED_AT = 2_000


async def recent(call: Call) -> Response:
    """Answer GET /recent?limit=n: the newest first."""
    text = call.query("limit") or str(RECENT_ITEMS)
    if not text.isdecimal() or not 1 <= int(text) <= RECENT_ITEMS:
        raise SFError("INVALID_QUERY_LIMIT", f"limit must be a number from 1 to {RECENT_ITEMS}", 400)
    limit, user_id, base = int(text), call.user_id, call.data_path
    shown = [s for s in call.parts.org.view(user_id).sobjects() if s.layoutable and s.name_field is not None]

    def work() -> list[JSON]:
        with call.parts.storage.read() as connection:
            rows = [(sobject, row) for sobject in shown for row in _newest(connection, sobject, user_id, limit)]
        rows.sort(key=lambda pair: pair[1], reverse=True)
        return [_item(base, sobject, row_id, name) for sobject, (_, row_id, name) in rows[:limit]]

    return call.json(await call.thread(work))


def _item(base: str, sobject: SObject, row_id: str, name: str) -> JSON:
    label = sobject.name_field.name if sobject.name_field else "Name"
    url = f"{base}/sobjects/{sobject.name}/{row_id}"
    return {"attributes": {"type": sobject.name, "url": url}, "Id": row_id, label: name}


def _newest(connection: Connection, sobject: SObject, user_id: str, limit: int) -> list[tuple[str, str, str]]:
    """Return instant, id and name of the newest rows that the user changed last."""
    name = quote(sobject.name_field.name) if sobject.name_field else "Id"
    newest = (
        f"SELECT SystemModstamp AS at, Id, {name} AS name, LastModifiedById AS by, IsDeleted AS gone"  # noqa: S608 names come from the catalogue
        f" FROM {quote(sobject.name)} ORDER BY SystemModstamp DESC LIMIT {_LOOKED_AT}"
    )
    found = connection.execute(
        f"SELECT at, Id, name FROM ({newest}) WHERE by = ? AND gone = 0 LIMIT ?",  # noqa: S608
        (user_id, limit),
    )
    return [(row[0], row[1], row[2] or "") for row in found]
