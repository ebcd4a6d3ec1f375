"""Traces as this code sees them: spans that cost nothing until a tracer is installed, and the trace of W3C.

Without a tracer the `traceparent` of a request is passed on unchanged to whatever is called on its behalf, as W3C asks
of those who take no part. With one, every call gets the span it is made in.

Source: W3C Trace Context, level 1, section 3.2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Protocol

#: Name of the header.
TRACEPARENT = "traceparent"
_VALID = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-[\x21-\x7e]*)?\Z")
#: What a span may be told: our identifiers, names of ours, numbers.
Attributes = Mapping[str, str | int]


class Tracer(Protocol):
    """Who keeps spans."""

    def span(self, name: str, attributes: Attributes, parent: str | None) -> AbstractContextManager[None]:
        """Open a span, in the trace of `parent` when it is given, else in the present one."""

    def present(self) -> str | None:
        """Return the `traceparent` of the present span."""

    def tell(self, name: str, attributes: Attributes) -> None:
        """Name the present span and add to its attributes."""


_passed: ContextVar[str | None] = ContextVar("traceparent", default=None)
_installed: list[Tracer] = []


def install(tracer: Tracer | None) -> None:
    """Keep spans with this tracer from now on; None: keep none."""
    _installed[:] = [tracer] if tracer is not None else []


def parse_traceparent(text: str) -> str | None:
    """Return a usable `traceparent`, None for anything else; of a later version than 00 what version 00 knows."""
    found = _VALID.match(text) if len(text) <= 512 else None
    if found is None or (text.startswith("00") and len(text) != 55):
        return None
    return text[:55]


def carry(traceparent: str | None) -> None:
    """Pass this on in the present task. With a tracer it does nothing: the tracer reads the header itself."""
    _passed.set(traceparent)


def present() -> str | None:
    """Return the `traceparent` for calls that are made now, None when there is no trace."""
    return _installed[0].present() if _installed else _passed.get()


def remembered() -> dict[str, str]:
    """Return what work that is written down now keeps of the present trace, to go on with it later."""
    told = present()
    return {TRACEPARENT: told} if told is not None else {}


def trace_id() -> str | None:
    """Return the id of the present trace, for logs."""
    told = present()
    return told[3:35] if told is not None else None


def tell(name: str, attributes: Attributes) -> None:
    """Name the present span and add to its attributes."""
    if _installed:
        _installed[0].tell(name, attributes)


def span(name: str, attributes: Attributes, parent: str | None = None) -> AbstractContextManager[None]:
    """Open a span around a block.

    Args:
        name: A name of ours.
        attributes: See `Attributes`; never what somebody sent.
        parent: The `traceparent` of the trace that it belongs to; None: the present one.
    """
    return _installed[0].span(name, attributes, parent) if _installed else _passing(parent)


@contextmanager
def _passing(parent: str | None) -> Iterator[None]:
    if parent is None:
        yield
        return
    token = _passed.set(parent)
    try:
        yield
    finally:
        _passed.reset(token)
