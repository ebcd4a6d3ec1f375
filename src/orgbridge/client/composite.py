"""Many things in one call: sObject Collections, up to 200 records each with an outcome of its own; and composite.

Splitting larger lists is the caller's work. Source: facts/salesforce/composite.md sections 1 and 5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orgbridge.client.replies import SaveResult, Subreply, parse_composite, parse_save_results
from orgbridge.client.transport.exchange import Transport
from orgbridge.client.transport.requests import Request, Resend, json_request, segment, with_params
from orgbridge.kit.json import JSON
from orgbridge.wire.limits import COLLECTION_RECORDS


class Collections:
    """Many records of one object in one call. A refused record is a value in the list, not an error."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def create(
        self, sobject: str, records: Sequence[Mapping[str, JSON]], *, all_or_none: bool = False
    ) -> list[SaveResult]:
        """Create records and return their outcomes in the same order.

        Args:
            sobject: API name of the object.
            records: 1 to 200 records, values by field, without ids.
            all_or_none: Undo all when one is refused.

        Raises:
            ValueError: There are no records, or more than 200. Nothing was sent.
            ConnectionFailed: With `sent` true the records may exist.
            SalesforceError: The call as a whole was refused; nothing was saved.
        """
        return await self._save("POST", "composite/sobjects", sobject, records, all_or_none, Resend.UNSENT)

    async def update(
        self, sobject: str, records: Sequence[Mapping[str, JSON]], *, all_or_none: bool = False
    ) -> list[SaveResult]:
        """Update records, each of which holds its `Id`, and return their outcomes in the same order.

        Raises:
            The same as `create`; repeated when a reply was lost.
        """
        return await self._save("PATCH", "composite/sobjects", sobject, records, all_or_none, Resend.ALWAYS)

    async def upsert(
        self,
        sobject: str,
        external_id_field: str,
        records: Sequence[Mapping[str, JSON]],
        *,
        all_or_none: bool = False,
    ) -> list[SaveResult]:
        """Create or update records by a field that each of them holds, and return their outcomes in the same order.

        By `Id` a record without one is created, so that such a call is not repeated when a reply was lost.

        Raises:
            The same as `create`.
        """
        path = f"composite/sobjects/{segment(sobject)}/{segment(external_id_field)}"
        resend = Resend.UNSENT if external_id_field.lower() == "id" else Resend.ALWAYS
        return await self._save("PATCH", path, sobject, records, all_or_none, resend)

    async def delete(self, record_ids: Sequence[str], *, all_or_none: bool = False) -> list[SaveResult]:
        """Put records into the recycle bin and return the outcomes in the order of the ids.

        Not repeated when a reply was lost: the second outcome would tell of failures that were none.

        Raises:
            The same as `create`.
        """
        _check_count(record_ids)
        params = {"ids": ",".join(record_ids), "allOrNone": "true" if all_or_none else "false"}
        target = with_params(self._transport.path("composite/sobjects"), params)
        reply = await self._transport.send(Request(method="DELETE", target=target))
        return parse_save_results(reply.body, len(record_ids))

    async def _save(
        self,
        method: str,
        path: str,
        sobject: str,
        records: Sequence[Mapping[str, JSON]],
        all_or_none: bool,
        resend: Resend,
    ) -> list[SaveResult]:
        _check_count(records)
        typed = [{"attributes": {"type": sobject}, **record} for record in records]
        body = {"allOrNone": all_or_none, "records": typed}
        reply = await self._transport.send(json_request(method, self._transport.path(path), body, resend=resend))
        return parse_save_results(reply.body, len(records))


class Composite:
    """Up to 25 subrequests in one call, which may refer to each other's results."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    @property
    def base_path(self) -> str:
        """Where the subrequests' URLs begin, without a slash at the end."""
        return self._transport.config.base_path

    async def send(
        self,
        subrequests: Sequence[Mapping[str, JSON]],
        *,
        all_or_none: bool = False,
        collate: bool = True,
        read_only: bool = False,
    ) -> list[Subreply]:
        """Send subrequests as Salesforce spells them, and return what became of each, in order.

        Args:
            subrequests: `method`, `url`, `referenceId`, and perhaps `body` and `httpHeaders`.
            all_or_none: Undo all when one fails.
            collate: Let Salesforce run like subrequests together.
            read_only: True when no subrequest writes: then a lost reply is asked for again.

        Raises:
            ConnectionFailed: With `sent` true the subrequests may have been carried out.
            SalesforceError: The call as a whole was refused; nothing was done.
        """
        body = {"allOrNone": all_or_none, "collateSubrequests": collate, "compositeRequest": list(subrequests)}
        resend = Resend.ALWAYS if read_only else Resend.UNSENT
        reply = await self._transport.send(json_request("POST", self._transport.path("composite"), body, resend=resend))
        return parse_composite(reply.body, len(subrequests))


def _check_count(items: Sequence[Any]) -> None:
    if not 1 <= len(items) <= COLLECTION_RECORDS:
        raise ValueError(f"a collections call takes 1 to {COLLECTION_RECORDS} records, not {len(items)}")
