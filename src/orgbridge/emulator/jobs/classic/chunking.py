"""PK chunking: one query batch becomes several, each for a range of ids, so that none runs for too long.

Source: facts/salesforce/bulk1.md, "PK chunking". Assumed: a query with ORDER BY or LIMIT is not chunked, as in Bulk API
2.0; the ids of all rows count, whatever the query's filter; texts of refusals.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from orgbridge.emulator.jobs.classic.faults import ClassicFault
from orgbridge.emulator.jobs.classic.rows import ClassicJob
from orgbridge.emulator.query.plans import QueryPlan
from orgbridge.emulator.storage.database import Connection
from orgbridge.emulator.storage.tables import quote
from orgbridge.soql import print_query, tree
from orgbridge.wire.ids import to_18

#: Source: bulk1.md, "default 100,000, max 250,000".
_DEFAULT_ROWS, _MOST_ROWS = 100_000, 250_000
_NUMBER = re.compile(r"[1-9]\d{0,8}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunking:
    """How the queries of a job are to be chunked."""

    #: Ids in a range.
    rows: int = _DEFAULT_ROWS
    #: The first id; None for the very first.
    start: str | None = None


def read_chunking(header: str | None) -> Chunking | None:
    """Return what `Sforce-Enable-PKChunking` asks for: `true`, or settings such as `chunkSize=50000; startRow=001…`.

    Raises:
        ClassicFault: A setting is not understood, or asks for what is not there.
    """
    found: Chunking | None = None
    for part in filter(None, (part.strip() for part in (header or "").split(";"))):
        name, _, value = (piece.strip() for piece in part.partition("="))
        chunking = found or Chunking()
        match name.lower():
            case "true" if not value:
                found = chunking
            case "false" if not value:
                return None
            case "chunksize" if _NUMBER.match(value):
                found = replace(chunking, rows=min(int(value), _MOST_ROWS))
            case "startrow" if to_18(value):
                found = replace(chunking, start=to_18(value))
            case "parent":
                raise ClassicFault("FeatureNotEnabled", "The emulated org chunks no queries by the ids of a parent")
            case _:
                raise ClassicFault("ClientInputError", f"Sforce-Enable-PKChunking: {part} is not understood")
    return found


def is_chunked(job: ClassicJob, plan: QueryPlan) -> bool:
    """Tell whether a query of a job is cut up."""
    return job.chunk_rows is not None and plan.query.limit is None and not plan.query.order_by


def chunk_queries(connection: Connection, job: ClassicJob, plan: QueryPlan) -> list[str]:
    """Return the queries that a query is cut up into, at least one."""
    table = quote(plan.sobject.name)
    sql = (
        f"SELECT Id FROM (SELECT Id, ROW_NUMBER() OVER (ORDER BY Id) AS place FROM {table} WHERE Id >= ?) "  # noqa: S608 name of the catalogue
        "WHERE (place - 1) % ? = 0 ORDER BY Id"
    )
    first = job.chunk_start or ""
    starts = [str(row[0]) for row in connection.execute(sql, (first, job.chunk_rows))]
    # Below the first id and above the last one there is nothing now; what comes meanwhile belongs to the last chunk.
    lows: list[str | None] = [job.chunk_start, *starts[1:]]
    highs: list[str | None] = [*starts[1:], None]
    return [_within(plan.query, low, high) for low, high in zip(lows, highs, strict=True)]


def _within(query: tree.Query, low: str | None, high: str | None) -> str:
    bounds: list[tree.Condition] = []
    for operator, value in ((tree.Operator.GREATER_OR_EQUAL, low), (tree.Operator.LESS, high)):
        if value is not None:
            path, text = tree.FieldPath(parts=("Id",)), tree.StringValue(value=value)
            bounds.append(tree.Comparison(left=path, operator=operator, right=text))
    given = () if query.where is None else query.where.items if isinstance(query.where, tree.And) else (query.where,)
    items = (*given, *bounds)
    where = None if not items else items[0] if len(items) == 1 else tree.And(items=items)
    return print_query(replace(query, where=where))
