"""The org's limits: asked for, and as every reply tells them in passing.

Source: facts/salesforce/rest.md section 1.
"""

from __future__ import annotations

from typing import Any

from orgbridge.client.replies import LimitInfo, parse_object
from orgbridge.client.transport.exchange import Transport
from orgbridge.client.transport.requests import Request, Resend


class Limits:
    """What is left of the org's limits."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    @property
    def last(self) -> LimitInfo | None:
        """API requests as the last reply told them; None before the first reply."""
        return self._transport.limit

    async def get(self) -> dict[str, Any]:
        """Return all limits by name, each with `Max` and `Remaining`. Costs one API request; accurate to 5 minutes.

        Raises:
            AccessRefused: The user lacks the permission View Setup and Configuration.
        """
        request = Request(method="GET", target=self._transport.path("limits"), resend=Resend.ALWAYS)
        return parse_object((await self._transport.send(request)).body, "limits")
