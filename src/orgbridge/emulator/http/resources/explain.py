"""How a query would be run: /query?explain=….

What is told is what SQLite does, in Salesforce's words. Source: facts/salesforce/soql.md section 4. Assumed: the keys,
and that the cost of a scan is 1 and that of an index the share of rows it leaves.
"""

from __future__ import annotations

import re

from starlette.responses import Response

from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.query.planner import plan_query
from orgbridge.emulator.query.plans import QueryPlan
from orgbridge.emulator.storage.database import Connection
from orgbridge.emulator.storage.tables import quote
from orgbridge.kit.json import JSON

_INDEX = re.compile(r"SEARCH \S+ USING (?:COVERING )?INDEX (.+?)(?: \(|$)")
_PRIMARY = re.compile(r"SEARCH \S+ USING (?:INTEGER PRIMARY KEY|INDEX sqlite_autoindex_)")


async def explain(call: Call, soql: str) -> Response:
    """Answer GET /query?explain={soql}: the query is planned and counted, its records are not read."""
    parts, user_id = call.parts, call.user_id

    def work() -> JSON:
        plan = plan_query(parts.org.view(user_id), soql, now=parts.clock.now(), user_id=user_id)
        with parts.storage.read() as connection:
            return {"plans": [_plan(plan, connection)], "sourceQuery": soql}

    return call.json(await call.thread(work))


def _plan(plan: QueryPlan, connection: Connection) -> JSON:
    counting = plan.counting
    steps = connection.execute(f"EXPLAIN QUERY PLAN {counting.text}", counting.parameters).fetchall()
    fields = [name for step in steps for name in _fields(str(step[3]), plan)]
    (matches,) = connection.execute(counting.text, counting.parameters).fetchone()
    sql = f"SELECT COUNT(*) FROM {quote(plan.sobject.name)} WHERE IsDeleted = 0"  # noqa: S608 names come from the catalogue
    (rows,) = connection.execute(sql).fetchone()
    note = {
        "description": "Not considered for filter because unindexed",
        "fields": ["IsDeleted"],
        "tableEnumOrId": plan.sobject.name,
    }
    return {
        "cardinality": matches,
        "fields": list(dict.fromkeys(fields)),
        "leadingOperationType": "Index" if fields else "TableScan",
        "notes": [note],
        "relativeCost": round(matches / rows, 4) if fields and rows else 1.0,
        "sobjectCardinality": rows,
        "sobjectType": plan.sobject.name,
    }


def _fields(step: str, plan: QueryPlan) -> list[str]:
    """Return the field whose index a step of SQLite's plan searches: indexes are named `Object.Field`."""
    if _PRIMARY.match(step):
        return ["Id"]
    found = _INDEX.match(step)
    name = found.group(1).partition(".")[2].strip('"') if found else ""
    field = plan.sobject.field(name) if name else None
    return [field.name] if field else []
