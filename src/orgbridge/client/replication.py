"""What was deleted between two instants, also what the recycle bin does not hold any more.

Source: facts/salesforce/rest.md section 3, "deleted / updated". Assumed: an end in the future means now.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from orgbridge.client.errors import MalformedReply
from orgbridge.client.replies import parse_object
from orgbridge.client.transport.exchange import Transport
from orgbridge.client.transport.requests import Request, Resend, segment, with_params
from orgbridge.wire.dates import parse_datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletions:
    """Records that were deleted in a period."""

    #: When each was deleted, by id.
    at: dict[str, datetime]
    #: How far the reply reaches: where the next period begins.
    covered_until: datetime


class Replication:
    """For whoever keeps up with an org."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def deleted(self, sobject: str, start: datetime, end: datetime) -> Deletions:
        """Return what was deleted from an instant on, and before another one; both count in whole minutes.

        Args:
            sobject: API name of the object.
            start: 15 days ago at most.
            end: A minute later at least.

        Raises:
            SalesforceError: The period cannot be, holds more than 600,000 ids, or the object is not replicated.
            MalformedReply: The reply is no list of deletions.
        """
        params = {"start": start.astimezone(UTC).isoformat(), "end": end.astimezone(UTC).isoformat()}
        path = f"{self._transport.path('sobjects')}/{segment(sobject)}/deleted"
        request = Request(method="GET", target=with_params(path, params), resend=Resend.ALWAYS)
        reply = parse_object((await self._transport.send(request)).body, "deleted records")
        rows = reply.get("deletedRecords")
        if not isinstance(rows, list) or not all(isinstance(row, dict) and row.get("id") for row in rows):
            raise MalformedReply("Salesforce's reply to deleted records has no list of them.")
        return Deletions(
            at={str(row["id"]): _instant(row.get("deletedDate")) for row in rows},
            covered_until=_instant(reply.get("latestDateCovered")),
        )


def _instant(value: Any) -> datetime:
    found = parse_datetime(str(value))
    if found is None:
        raise MalformedReply(f"Salesforce's reply to deleted records has {value!r} in place of an instant.")
    return found
