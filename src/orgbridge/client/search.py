"""SOSL: text search over several objects.

Source: facts/salesforce/soql.md section 5.
"""

from __future__ import annotations

from orgbridge.client.errors import MalformedReply
from orgbridge.client.replies import parse_json
from orgbridge.client.transport.exchange import Transport
from orgbridge.client.transport.requests import Request, Resend, with_params
from orgbridge.kit.json import Envelope, JSONDecodeError, Raw, loads_as


class _Found(Envelope, rename="camel"):
    search_records: Raw


class Search:
    """SOSL searches. The text is sent as it is: quoting terms is the caller's work."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def raw(self, sosl: str) -> bytes:
        """Run a search and return a JSON list of the records found, as Salesforce wrote it.

        Raises:
            RequestTooLong: The text does not fit a URL. Nothing was sent.
            InvalidRequest: Salesforce cannot run it.
            MalformedReply: The reply is no search reply.
        """
        target = with_params(self._transport.path("search"), {"q": sosl})
        body = (await self._transport.send(Request(method="GET", target=target, resend=Resend.ALWAYS))).body
        try:
            return bytes(loads_as(body, _Found).search_records)
        except JSONDecodeError:
            # Up to v36 the list stands alone.
            if isinstance(parse_json(body, "a search"), list):
                return body
            raise MalformedReply("Salesforce's reply to a search has no `searchRecords`.") from None
