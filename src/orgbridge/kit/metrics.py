"""What is counted and measured: declared where it happens, kept by whoever is installed, nowhere until then.

A process that shows no figures - a command - installs nothing, loads no library for it, and pays one look per call.
Names follow Prometheus: base units, `_total` for what only grows. `CATALOGUE` has every declaration; the reference of
metrics is written of it.

Laws:
1. A label's values are a closed set of ours - a state, a kind, a route's template - never what somebody sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

#: Seconds of calls that people wait for.
CALL_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
#: Seconds of work that goes on by itself.
WORK_SECONDS = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0)


#: Every declared metric, by name.
CATALOGUE: dict[str, Metric] = {}


class Kind(StrEnum):
    """What Prometheus calls a metric's type."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Source(StrEnum):
    """Who tells a metric."""

    #: Each process for itself; the processes of `serve --workers N` are added up.
    PROCESS = "process"
    #: The database, so that every service tells the same: take the maximum, not the sum.
    STORE = "store"


class Metric:
    """One declared metric with its series.

    Attributes:
        name: As Prometheus shows it.
        about: One sentence.
        labels: Names of its labels.
        kind: Its type.
        source: Who tells it.
        buckets: Upper bounds of a histogram's buckets.
        known: Labels whose series are there from the start, at 0: of a series that appears at 1 nobody sees the growth.
        together: How the processes of one service are put together, in the words of prometheus-client; for gauges.
    """

    __slots__ = ("_family", "_series", "about", "buckets", "kind", "known", "labels", "name", "source", "together")

    def __init__(
        self,
        kind: Kind,
        name: str,
        about: str,
        labels: tuple[str, ...] = (),
        *,
        source: Source = Source.PROCESS,
        buckets: tuple[float, ...] = (),
        known: tuple[str, ...] = (),
        together: str = "sum",
    ) -> None:
        self.kind, self.name, self.about, self.labels = kind, name, about, labels
        self.source, self.buckets, self.known, self.together = source, buckets, known, together
        self._family: Any = None
        self._series: dict[tuple[str, ...], Any] = {}
        if name in CATALOGUE:
            raise ValueError(f"two metrics are called {name}")
        CATALOGUE[name] = self

    def install(self, family: Any) -> None:
        """Keep what happens from now on in a metric of prometheus-client."""
        self._family = family
        self._series.clear()
        for value in self.known:
            self._find((value,))

    def add(self, *labels: str, by: float = 1.0) -> None:
        """Count."""
        if (series := self._find(labels)) is not None:
            series.inc(by)

    def take(self, *labels: str, by: float = 1.0) -> None:
        """Count down; for gauges."""
        if (series := self._find(labels)) is not None:
            series.dec(by)

    def put(self, value: float, *labels: str) -> None:
        """Set; for gauges."""
        if (series := self._find(labels)) is not None:
            series.set(value)

    def observe(self, value: float, *labels: str) -> None:
        """Measure; for histograms."""
        if (series := self._find(labels)) is not None:
            series.observe(value)

    def _find(self, labels: tuple[str, ...]) -> Any:
        # Finding a series by its labels costs the library more than counting in it.
        series = self._series.get(labels)
        if series is None and self._family is not None:
            series = self._series[labels] = self._family.labels(*labels) if labels else self._family
        return series


def counter(name: str, about: str, labels: tuple[str, ...] = (), *, known: tuple[str, ...] = ()) -> Metric:
    """Declare what only grows while the process lives; with one label its values may be told beforehand."""
    return Metric(Kind.COUNTER, name, about, labels, known=known)


def gauge(name: str, about: str, labels: tuple[str, ...] = (), *, together: str = "livesum") -> Metric:
    """Declare what goes up and down in this process."""
    return Metric(Kind.GAUGE, name, about, labels, together=together)


def histogram(name: str, about: str, labels: tuple[str, ...], buckets: tuple[float, ...]) -> Metric:
    """Declare what is measured in buckets."""
    return Metric(Kind.HISTOGRAM, name, about, labels, buckets=buckets)


def stored(name: str, about: str, labels: tuple[str, ...] = ()) -> Metric:
    """Declare what is read from the store when it is asked for."""
    return Metric(Kind.GAUGE, name, about, labels, source=Source.STORE)


def reading(name: str, about: str, labels: tuple[str, ...] = (), *, kind: Kind = Kind.GAUGE) -> Metric:
    """Declare what is read from the machine when it is asked for; it is never kept."""
    return Metric(kind, name, about, labels, together="")


#: Values of one metric by their labels, as they are when it is asked for.
Values = Mapping[tuple[str, ...], float]
