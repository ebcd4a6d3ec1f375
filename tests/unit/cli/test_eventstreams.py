"""Server-sent events are read as the standard says, however the bytes are cut into lines."""

from __future__ import annotations

from collections.abc import AsyncIterator

from hypothesis import given
from hypothesis import strategies as st

from orgbridge.cli.eventstreams import Event, parse_events


async def _read(text: str) -> list[Event]:
    async def lines() -> AsyncIterator[bytes]:
        for line in text.encode().splitlines(keepends=True):
            yield line

    return [event async for event in parse_events(lines())]


async def test_events_comments_and_unknown_words() -> None:
    """Comments and unknown fields are left out, several data lines are one text, an id lasts until the next."""
    text = ": ping\r\n\r\nevent: state\r\nid: a|b|\r\nretry: 2000\r\ndata: {}\r\n\r\ndata:x\r\ndata: y\r\n\r\ndata: cut"
    assert await _read(text) == [
        Event(name="state", id="a|b|", data="{}"),
        Event(name="message", id="a|b|", data="x\ny"),
    ]


@given(st.text())
async def test_no_text_is_too_odd(text: str) -> None:
    """Whatever comes gives whole events or none, and never an error."""
    assert all(event.data or event.name for event in await _read(text))
