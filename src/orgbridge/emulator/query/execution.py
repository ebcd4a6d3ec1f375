"""Asking the org a question, in one call: plan it, count it, read it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from orgbridge.emulator.query import csvrows, results
from orgbridge.emulator.query.planner import plan_query
from orgbridge.emulator.query.plans import QueryPlan
from orgbridge.emulator.schema.model import Catalogue
from orgbridge.emulator.storage.database import Connection
from orgbridge.kit.json import JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryResult:
    """The answer to a query; rows are read when they are asked for, on the connection that was given."""

    #: What was asked.
    plan: QueryPlan
    #: Matches in all, after LIMIT and OFFSET.
    total: int
    #: Read from; belongs to the caller.
    connection: Connection

    def records(self, version: str) -> Iterator[dict[str, JSON]]:
        """Yield the records as REST shows them."""
        return results.records(self.plan, self.connection, version=version)

    def rows(self) -> Iterator[tuple[str, ...]]:
        """Yield the rows as a Bulk query job shows them, without the header."""
        return csvrows.rows(self.plan, self.connection)


def run_query(
    catalogue: Catalogue,
    connection: Connection,
    soql: str,
    *,
    include_deleted: bool = False,
    now: datetime,
    user_id: str = "",
) -> QueryResult:
    """Return the answer to a query.

    Args:
        catalogue: The objects of the org.
        connection: Read from; nothing is written.
        soql: The query.
        include_deleted: Whether rows in the recycle bin are seen.
        now: The present instant.
        user_id: Who asks.

    Raises:
        SFError: The query is refused. Nothing was read.
    """
    plan = plan_query(catalogue, soql, include_deleted=include_deleted, now=now, user_id=user_id)
    return QueryResult(plan=plan, total=results.total(plan, connection), connection=connection)
