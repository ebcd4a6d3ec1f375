"""How an org is asked for changed records: one composite call for the first pages, further pages by keyset.

Pages go on behind the last row read, by `SystemModstamp` and id, and not by a cursor: a row that changes meanwhile
moves to the end of the order and is met again. Deleted rows are among them as long as the recycle bin holds them; the
ids of all deleted ones are asked for besides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from orgbridge.client.errors import MalformedReply, SalesforceError
from orgbridge.client.replication import Deletions
from orgbridge.client.replies import RawPage
from orgbridge.kit.json import loads
from orgbridge.orgs.connections import Orgs
from orgbridge.services.commerce.change_events import ABOVE, OrgRow, Watched, row_of
from orgbridge.soql import bind
from orgbridge.wire.dates import parse_datetime

#: Rows of one page: what one call returns at most.
PAGE_ROWS: Final = 2_000
#: Ids of one query, which has to fit a URL.
_IDS: Final = 200


def page_soql(watched: Watched, start: datetime | None, after: OrgRow | None, *, rows: int = PAGE_ROWS) -> str:
    """Return the query for one page of changed records.

    Args:
        watched: Their object.
        start: From which instant on, the org's; None for all.
        after: The row behind which the page begins.
        rows: Most rows of it.
    """
    parents = [f"Account.{'Parent.' * level}ParentId" for level in range(ABOVE)]
    names = [*watched.fields, "SystemModstamp", "CreatedDate", "IsDeleted", *parents]
    where = ""
    if after is not None:
        at = literal(after.modstamp)
        where = f" WHERE SystemModstamp > {at} OR (SystemModstamp = {at} AND Id > '{after.record_id}')"
    elif start is not None:
        where = f" WHERE SystemModstamp >= {literal(start)}"
    return f"SELECT {', '.join(names)} FROM {watched.sobject}{where} ORDER BY SystemModstamp, Id LIMIT {rows}"  # noqa: S608 names and instants of ours, an id of Salesforce's


def newest_soql(watched: Watched) -> str:
    """Return the query for the instant of the last change."""
    return f"SELECT SystemModstamp FROM {watched.sobject} ORDER BY SystemModstamp DESC LIMIT 1"  # noqa: S608 names of ours


def literal(at: datetime) -> str:
    """Return an instant as SOQL writes it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePage:
    """One page of changed records."""

    #: In their order.
    rows: list[OrgRow]
    #: Whether there may be more behind it.
    is_full: bool


class ChangeLooks:
    """Asks one org, as the integration user."""

    def __init__(self, orgs: Orgs, org: str, *, rows: int = PAGE_ROWS) -> None:
        self._orgs = orgs
        self._org = org
        #: Rows of a page.
        self.rows = rows

    async def first(self, soqls: Mapping[Watched, str]) -> dict[Watched, RawPage | SalesforceError]:
        """Run queries, of which there are five at most, in one call.

        Returns:
            The first page of each, or why that one cannot be run.

        Raises:
            CallWithheld: The budget of the org keeps calls like this one back. Nothing was sent.
            ClientError: The call as a whole failed.
        """
        pages = await self._orgs.get(self._org).salesforce.query.raw_pages(list(soqls.values()), include_deleted=True)
        found: dict[Watched, RawPage | SalesforceError] = {}
        for watched, page in zip(soqls, pages, strict=True):
            if not isinstance(page, RawPage | SalesforceError):
                raise page
            found[watched] = page
        return found

    def read(self, watched: Watched, page: RawPage) -> ChangePage:
        """Return a page of a call to `first`.

        Raises:
            MalformedReply: A record has no id or instant.
        """
        rows = _rows(watched, loads(page.records))
        return ChangePage(rows=rows, is_full=not page.done or len(rows) >= self.rows)

    async def page(self, watched: Watched, start: datetime | None, after: OrgRow | None) -> ChangePage:
        """Return one page of changed records.

        Raises:
            CallWithheld: The budget of the org keeps calls like this one back. Nothing was sent.
            ClientError: Salesforce could not be asked.
        """
        soql = page_soql(watched, start, after, rows=self.rows)
        page = await self._orgs.get(self._org).salesforce.query.page(soql, True)
        rows = _rows(watched, page.records)
        return ChangePage(rows=rows, is_full=page.next_records_url is not None or len(rows) >= self.rows)

    async def deleted(self, watched: Watched, start: datetime, end: datetime) -> Deletions:
        """Return what was deleted in a period, purged records among it.

        Raises:
            CallWithheld: The budget of the org keeps calls like this one back. Nothing was sent.
            ClientError: Salesforce could not be asked, or lists no deletions of this object.
        """
        return await self._orgs.get(self._org).salesforce.replication.deleted(watched.sobject, start, end)

    async def present(self, watched: Watched, record_ids: Sequence[str]) -> set[str]:
        """Return those of some records that a query finds, in the recycle bin too.

        Raises:
            CallWithheld: The budget of the org keeps calls like this one back. Nothing was sent.
            ClientError: Salesforce could not be asked.
        """
        found: set[str] = set()
        for start in range(0, len(record_ids), _IDS):
            soql = bind(
                f"SELECT Id FROM {watched.sobject} WHERE Id IN :ids",  # noqa: S608 a name of ours
                {"ids": tuple(record_ids[start : start + _IDS])},
            )
            page = await self._orgs.get(self._org).salesforce.query.page(soql, True)
            found |= {str(record["Id"]) for record in page.records}
        return found


def _rows(watched: Watched, records: list[dict[str, Any]]) -> list[OrgRow]:
    rows = [row_of(watched, record) for record in records]
    found = [row for row in rows if row is not None]
    if len(found) < len(rows):
        raise MalformedReply(
            f"Salesforce gave a record of {watched.sobject} without Id, SystemModstamp or CreatedDate."
        )
    return found


def newest_of(watched: Watched, page: RawPage) -> datetime | None:
    """Return the instant of the last change; None for an object without rows.

    Raises:
        MalformedReply: It is no instant.
    """
    records = loads(page.records)
    if not records:
        return None
    found = parse_datetime(str(records[0].get("SystemModstamp")))
    if found is None:
        raise MalformedReply(f"Salesforce gave a record of {watched.sobject} without SystemModstamp.")
    return found
