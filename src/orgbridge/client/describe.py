"""Descriptions of objects, kept and checked with `If-Modified-Since` and `If-None-Match`, so that most cost a 304.

Source: facts/salesforce/rest.md section 2.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from orgbridge.client.errors import MalformedReply
from orgbridge.client.replies import parse_object
from orgbridge.client.transport.exchange import Transport
from orgbridge.client.transport.requests import Request, Resend, segment
from orgbridge.kit.clock import Clock


@dataclass(slots=True)
class _Entry:
    value: dict[str, Any]
    headers: dict[str, str]
    checked_at: float


@dataclass(slots=True)
class DescribeCache:
    """Descriptions of one org; clients of several users may share it.

    Descriptions differ by what the user may see: share it among users with equal rights only.
    """

    #: Seconds during which Salesforce is not even asked whether a description changed.
    fresh_seconds: float = 60.0
    #: Descriptions kept; a large one takes some megabytes.
    entries: int = 100
    _kept: OrderedDict[str, _Entry] = field(default_factory=OrderedDict)
    _locks: dict[str, asyncio.Lock] = field(default_factory=dict)

    def clear(self) -> None:
        """Forget all descriptions."""
        self._kept.clear()

    def get(self, key: str) -> _Entry | None:
        """Return what is kept under a key."""
        entry = self._kept.get(key)
        if entry is not None:
            self._kept.move_to_end(key)
        return entry

    def put(self, key: str, entry: _Entry) -> None:
        """Keep a description, and let go of the one not used for longest."""
        self._kept[key] = entry
        self._kept.move_to_end(key)
        while len(self._kept) > self.entries:
            self._kept.popitem(last=False)

    def lock(self, key: str) -> asyncio.Lock:
        """Return the lock under which the description of a key is fetched."""
        if len(self._locks) > 10 * self.entries:
            self._locks = {name: lock for name, lock in self._locks.items() if lock.locked()}
        return self._locks.setdefault(key, asyncio.Lock())


class Describe:
    """Descriptions of the org's objects, as Salesforce's own JSON. Treat them as read-only: they are shared."""

    def __init__(self, transport: Transport, *, cache: DescribeCache, clock: Clock) -> None:
        self._transport = transport
        self._cache = cache
        self._clock = clock

    async def sobject(self, name: str) -> dict[str, Any]:
        """Return the description of an object with its fields and child relationships.

        Args:
            name: API name, in any case.

        Raises:
            NotFound: There is no such object, or the user may not see it.
        """
        return await self._fetch(f"sobjects/{segment(name)}/describe")

    def known(self, name: str) -> dict[str, Any] | None:
        """Return what is kept of an object's description, without asking Salesforce; None when nothing is."""
        entry = self._cache.get(self._transport.path(f"sobjects/{segment(name)}/describe").lower())
        return entry.value if entry is not None else None

    async def global_(self) -> dict[str, Any]:
        """Return the list of all objects that the user may see."""
        return await self._fetch("sobjects")

    async def _fetch(self, relative: str) -> dict[str, Any]:
        target = self._transport.path(relative)
        key = target.lower()
        async with self._cache.lock(key):
            entry = self._cache.get(key)
            if entry is not None and self._clock.monotonic() - entry.checked_at < self._cache.fresh_seconds:
                return entry.value
            headers = entry.headers if entry else {}
            reply = await self._transport.send(
                Request(method="GET", target=target, headers=headers, resend=Resend.ALWAYS)
            )
            if reply.status == 304:
                if entry is None:
                    raise MalformedReply(f"Salesforce answered 304 to an unconditional GET {target}.")
                entry.checked_at = self._clock.monotonic()
                return entry.value
            value = parse_object(reply.body, "a describe")
            conditions = {"If-None-Match": "ETag", "If-Modified-Since": "Last-Modified"}
            kept = {name: reply.headers[header] for name, header in conditions.items() if header in reply.headers}
            self._cache.put(key, _Entry(value=value, headers=kept, checked_at=self._clock.monotonic()))
            return value
