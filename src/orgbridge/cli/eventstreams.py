"""Server-sent events as they come over the wire.

Source: HTML Living Standard, "Server-sent events", read 2025-08-01.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event."""

    #: What happened: state, progress, errors or end.
    name: str
    #: What to give back to go on behind it; empty when it has none.
    id: str
    #: Its text.
    data: str


async def parse_events(lines: AsyncIterable[bytes]) -> AsyncIterator[Event]:
    """Yield the events of a stream of lines; comments, which keep the line open, are left out."""
    name, identifier, data = "message", "", list[str]()
    async for raw in lines:
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        if not line:
            if data:
                yield Event(name=name, id=identifier, data="\n".join(data))
            name, data = "message", []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match field:
            case "event":
                name = value
            case "id":
                identifier = value
            case "data":
                data.append(value)
            case _:
                # A comment (no field at all), `retry`, or a word of a later standard.
                pass
