"""The demo's eye on its load: moves the bar, and notices when nothing moves or a process is gone."""

from __future__ import annotations

from orgbridge.cli.demo.house import House
from orgbridge.cli.errors import DemoFailed
from orgbridge.cli.terminal import Bar
from orgbridge.cli.watching import Status
from orgbridge.kit.clock import Clock

#: A load on which nothing moves for so long is stuck.
_STALL_SECONDS = 180.0


class Watcher:
    """Sees every status of the load.

    Args:
        house: Whose processes must live.
        bar: Shows the progress.
        clock: Tells since when nothing moved.
        total: Rows of the load.
    """

    def __init__(self, house: House, bar: Bar, clock: Clock, total: int) -> None:
        self._house = house
        self._bar = bar
        self._clock = clock
        self._total = total
        self._moved_at = clock.monotonic()
        self._moved: tuple[int, int, str, str] | None = None
        self.processed = 0
        self.working = False

    def see(self, status: Status) -> None:
        """Take in a status."""
        # Rows that go again after a lock move no row to processed, but out of the failed ones.
        moved = (status.processed, status.failed, status.state, status.waiting)
        if moved != self._moved:
            self._moved_at = self._clock.monotonic()
        self._moved = moved
        self.processed = status.processed
        self.working = status.state == "InProgress"
        self._bar.set(status.processed, total=self._total)

    def check_alive(self) -> None:
        """Raise when the load cannot come to its end.

        Raises:
            DemoFailed: A process ended by itself, or no row moved for minutes.
        """
        if (child := self._house.fallen()) is not None:
            raise DemoFailed(f"The {child.name} ended by itself. Its last words:\n{child.tail()}")
        if self._clock.monotonic() - self._moved_at > _STALL_SECONDS:
            raise DemoFailed(
                f"Nothing has moved for {_STALL_SECONDS:.0f} s at {self.processed:,} rows. "
                f"The worker's last words:\n{self._house.worker.tail()}"
            )
