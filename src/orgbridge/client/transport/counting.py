"""How many API requests a stretch of work cost, and how long. Sign-ins do not count against the org's limit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class CallCount:
    """Requests that reached, or may have reached, Salesforce."""

    __slots__ = ("calls", "seconds")

    def __init__(self) -> None:
        #: Requests so far; replays and retries count each.
        self.calls = 0
        #: Time that they took, added up; calls that ran at once count each.
        self.seconds = 0.0


_counts: ContextVar[tuple[CallCount, ...]] = ContextVar("salesforce_call_counts", default=())


@contextmanager
def count_calls() -> Iterator[CallCount]:
    """Count the requests made inside, also by tasks started inside. Counts may be nested; each sees all below it."""
    count = CallCount()
    token = _counts.set((*_counts.get(), count))
    try:
        yield count
    finally:
        _counts.reset(token)


def note_call(seconds: float = 0.0) -> None:
    """Add one request to every count around the present task."""
    for count in _counts.get():
        count.calls += 1
        count.seconds += seconds


def note_seconds(seconds: float) -> None:
    """Add time to every count around the present task."""
    for count in _counts.get():
        count.seconds += seconds
