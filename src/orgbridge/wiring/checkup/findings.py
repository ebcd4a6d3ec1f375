"""What was looked at, and looking that ends in time whatever hangs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

_T = TypeVar("_T")


class Verdict(StrEnum):
    """How bad it is, from best to worst."""

    OK = "ok"
    #: Works, and somebody should know.
    WARNING = "warning"
    #: Something does not work.
    FAULT = "fault"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at. Never holds a secret."""

    #: What was looked at.
    name: str
    #: How it is.
    verdict: Verdict
    #: What was seen.
    detail: str
    #: How to mend it; empty when there is nothing to mend.
    remedy: str = ""

    @property
    def holds(self) -> bool:
        """True when nothing is to be mended."""
        return self.verdict is Verdict.OK


def good(name: str, detail: str) -> Finding:
    """Return that something is as it should be."""
    return Finding(name=name, verdict=Verdict.OK, detail=detail)


def warning(name: str, detail: str, remedy: str) -> Finding:
    """Return that something works and should be known."""
    return Finding(name=name, verdict=Verdict.WARNING, detail=detail, remedy=remedy)


def fault(name: str, detail: str, remedy: str) -> Finding:
    """Return that something does not work."""
    return Finding(name=name, verdict=Verdict.FAULT, detail=detail, remedy=remedy)


def worst(findings: list[Finding]) -> Verdict:
    """Return the worst verdict; OK for none."""
    order = list(Verdict)
    return max((finding.verdict for finding in findings), key=order.index, default=Verdict.OK)


async def within(seconds: float, late: Finding, work: Coroutine[Any, Any, Finding]) -> Finding:
    """Return what the work finds, or `late` when it takes longer."""
    try:
        async with asyncio.timeout(seconds):
            return await work
    except TimeoutError:
        return late


async def aside(call: Callable[[], _T]) -> _T:
    """Return what a blocking call returns; a call that hangs keeps neither the loop nor the end of the process.

    The threads of a loop's pool are waited for at its end, so a folder on a dead network disk would hold the command.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[_T] = loop.create_future()

    def tell(settle: Callable[[Any], None], value: object) -> None:
        if not done.done():
            settle(value)

    def run() -> None:
        try:
            value = call()
        except BaseException as error:  # noqa: BLE001 - passed on to whoever waits
            settle, outcome = done.set_exception, error
        else:
            settle, outcome = done.set_result, value  # type: ignore[assignment]  # either goes through `tell`
        if not loop.is_closed():
            loop.call_soon_threadsafe(tell, settle, outcome)

    threading.Thread(target=run, daemon=True, name="checkup").start()
    return await done
