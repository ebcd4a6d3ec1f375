"""Whether a worker is at work, for whoever has to decide whether to wait for it, leave it, or start it anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from orgbridge.kit.clock import Clock

_BEAT_SECONDS = 5.0
#: Longer than anything that blocks the loop by right, and than a machine that is short of breath.
_SILENT_SECONDS = 60.0


class Pulse:
    """Beats while the event loop turns; knows whether the worker takes work.

    Args:
        clock: Time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._beaten = clock.monotonic()
        self._takes_work = False

    async def beat(self) -> None:
        """Beat until cancelled."""
        while True:
            self._beaten = self._clock.monotonic()
            await self._clock.sleep(_BEAT_SECONDS)

    def take_work(self) -> None:
        """Note that the worker takes work from now on."""
        self._takes_work = True

    @property
    def probes(self) -> Mapping[str, Callable[[], bool]]:
        """The paths of probes, and what each asks; asked from any thread."""
        return {
            # A frozen process loses its lease and its work, but would stay for ever.
            "/health/live": lambda: self._clock.monotonic() - self._beaten < _SILENT_SECONDS,
            "/health/startup": lambda: self._takes_work,
            "/health/ready": lambda: self._takes_work,
        }
