"""How many calls of each kind a caller may make, counted in this process.

The window slides: the calls of the former window count by the share of it that is still within reach. Each service
process counts for itself, so that with ORGBRIDGE_WORKERS above 1, or several machines, a caller may make as many times
more calls as there are processes. It keeps one caller from starving the others; it is not an invoice.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter


class RouteClass(StrEnum):
    """What kind of call it is."""

    READ = "read"
    WRITE = "write"
    BULK = "bulk"
    TOKEN = "token"  # noqa: S105 - the name of a class


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of one call at the counter."""

    #: Which kind of call.
    route_class: RouteClass
    #: False: the call is one too many.
    allowed: bool
    #: Calls in one window.
    quota: int
    #: Length of the window.
    window_seconds: int
    #: Calls that are left.
    remaining: int
    #: Seconds until there are more.
    reset_seconds: int


class Quotas:
    """Counts calls."""

    def __init__(self, limits: Mapping[RouteClass, str]) -> None:
        """Prepare to count.

        Args:
            limits: Per kind of call, in the words of the library `limits`, e.g. `600/minute`; an empty one counts
                nothing.

        Raises:
            ValueError: A limit is not of that form.
        """
        self._limits: dict[RouteClass, RateLimitItem] = {kind: parse(text) for kind, text in limits.items() if text}
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    async def count(self, kind: RouteClass, who: str) -> Verdict | None:
        """Count one call, and return whether it may be made; None when this kind is not counted.

        Args:
            kind: What kind of call.
            who: A user id, or an address for somebody unknown.
        """
        limit = self._limits.get(kind)
        if limit is None:
            return None
        allowed = await self._limiter.hit(limit, kind.value, who)
        stats = await self._limiter.get_window_stats(limit, kind.value, who)
        # The library reads the machine's clock; so must whoever reads its answer.
        wait = max(1, math.ceil(stats.reset_time - time.time()))
        return Verdict(
            route_class=kind,
            allowed=allowed,
            quota=limit.amount,
            window_seconds=limit.get_expiry(),
            remaining=max(0, stats.remaining),
            reset_seconds=wait,
        )
