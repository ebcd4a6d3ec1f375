"""For whom the calls of the present task are made: a person's request, or a load; and which caller's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum


class CallKind(StrEnum):
    """Who waits for a call."""

    #: Somebody who asked for it just now.
    INTERACTIVE = "interactive"
    #: A load: it can wait until the budget allows.
    LOAD = "load"


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What calls are made for."""

    #: Who waits.
    kind: CallKind = CallKind.INTERACTIVE
    #: Our name of the caller whose share they count to; None counts to nobody's.
    caller: str | None = None


_NOBODY, _LOAD = Use(), Use(kind=CallKind.LOAD)
_use: ContextVar[Use] = ContextVar("salesforce_call_use", default=_NOBODY)


def present_use() -> Use:
    """Return for whom the present task makes calls."""
    return _use.get()


def call_for(caller: str) -> None:
    """Let all further calls of this task, and of tasks that it starts, count to a caller."""
    _use.set(Use(caller=caller))


def calls_asked_for() -> None:
    """Let all further calls of this task count as asked for just now, e.g. those that stop a load."""
    _use.set(_NOBODY)


def calls_of_the_load() -> None:
    """Let all further calls of this task count as a load's again."""
    _use.set(_LOAD)


@contextmanager
def calls_of_a_load() -> Iterator[None]:
    """Let the calls made inside count as a load's: they stop where the reserve begins."""
    token = _use.set(_LOAD)
    try:
        yield
    finally:
        _use.reset(token)
