"""What a benchmark hands back."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured number."""

    #: What was measured.
    name: str
    value: float
    unit: str
    #: The number aimed at; None where there is none yet.
    target: float | None = None
    #: True when more is better.
    more_is_better: bool = False

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without a target."""
        if self.target is None:
            return None
        return self.value >= self.target if self.more_is_better else self.value <= self.target
