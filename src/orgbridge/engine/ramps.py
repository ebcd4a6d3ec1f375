"""How many parts of a load may be under way at once: first one (the canary), then more and more; fewer after locks.

Pure. A workflow asks it only with what parts' workflows returned, in the order of the parts, so that a replay by
another worker goes the same way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

#: Share of a part's rows that could not be locked above which the load slows down.
_LOCKED_SHARE: Final = 0.01
#: Share of failed rows above which a load with a canary stops, when it does not say.
DEFAULT_FAILURE_RATIO: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class RampPlan:
    """What a load wants."""

    #: Parts of one org that run at once at most.
    limit: int
    #: Rows of the canary; 0: there is none.
    canary: int = 0
    #: Share of failed rows above which nothing more is sent; None: never.
    max_failure_ratio: float | None = None
    #: One part at a time.
    serial: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the form that is kept in the step log."""
        return {
            "limit": self.limit,
            "canary": self.canary,
            "max_failure_ratio": self.max_failure_ratio,
            "serial": self.serial,
        }

    @classmethod
    def from_options(cls, options: Mapping[str, Any], *, limit: int) -> RampPlan:
        """Return what the options of a load say."""
        canary = int(options.get("canary") or 0)
        ratio = options.get("max_failure_ratio")
        if ratio is None and canary:
            ratio = DEFAULT_FAILURE_RATIO
        return cls(
            limit=max(1, limit),
            canary=canary,
            max_failure_ratio=None if ratio is None else float(ratio),
            serial=bool(options.get("serial")),
        )


class Ramp:
    """Counts parts that have ended and says how many may run."""

    def __init__(self, plan: RampPlan, *, ahead: int = 2) -> None:
        """Begin.

        Args:
            plan: What the load wants.
            ahead: Parts handed over for each that may run. With two no place is empty while the next part is on its
                way to the queue; one keeps exactly to the limit.
        """
        self._plan = plan
        self._full = 1 if plan.serial else plan.limit * ahead
        self.width = 1 if plan.canary else self._full
        self._rows = 0
        self._failed = 0
        self.waits_for_canary = bool(plan.canary)
        #: Why nothing more may be sent; None while more may.
        self.stopped: str | None = None

    def see(self, ended: Mapping[str, Any]) -> None:
        """Take in a part that has ended.

        Args:
            ended: Its `rows`, `failed`, `unprocessed` and `retryable` (rows that failed only in passing, which are no
                reason to stop), its `state`, and `send`, 0 when none of its rows was to be sent.
        """
        if ended.get("send") == 0 and not ended.get("failed"):
            # Nothing was tried, so nothing is known: a canary is yet to come.
            return
        if self.waits_for_canary:
            self.waits_for_canary = False
            self._judge_canary(ended)
        rows, retryable = int(ended.get("rows", 0)), int(ended.get("retryable", 0))
        self._rows += rows
        self._failed += max(0, int(ended.get("failed", 0)) - retryable)
        if rows and retryable / rows > _LOCKED_SHARE:
            self.width = max(1, min(self.width, self._plan.limit) // 2)
        else:
            self.width = min(self._full, self.width * 2)
        ratio = self._plan.max_failure_ratio
        if self.stopped is None and ratio is not None and self._rows and self._failed / self._rows > ratio:
            self.stopped = (
                f"{self._failed:,} of the first {self._rows:,} rows failed, more than the share of {ratio:g} at which "
                "the load was to stop."
            )

    def _judge_canary(self, ended: Mapping[str, Any]) -> None:
        rows, lost = int(ended.get("rows", 0)), int(ended.get("unprocessed", 0))
        if self._plan.max_failure_ratio is None or ended.get("state") == "aborted":
            # Whoever stopped the load stops its other parts too.
            return
        if not rows:
            self.stopped = "What became of the first rows is not known, so that they proved nothing."
        elif lost / rows > self._plan.max_failure_ratio:
            self.stopped = f"{lost:,} of the first {rows:,} rows were not processed, so that they proved nothing."


def retry_width(limit: int, turn: int) -> int:
    """Return how many parts may run at once in a round of rows that could not be locked.

    Args:
        limit: Parts that run at once otherwise.
        turn: 1 for the first such round.
    """
    return int(max(1, limit >> turn))
