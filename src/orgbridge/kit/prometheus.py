"""Keeps the declared metrics with prometheus-client and tells them in its text form.

With several processes of one service (`PROMETHEUS_MULTIPROC_DIR`, which prometheus-client reads as it is imported) each
keeps its figures in files of one folder, and whoever is asked adds them all up: counters of processes that have gone
stay counted, gauges are those of the living.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import StartResponse, WSGIEnvironment

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, make_wsgi_app, values
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from orgbridge.kit.metrics import CATALOGUE, Kind, Metric, Source, Values

#: Media type of the text.
PROMETHEUS_TYPE = CONTENT_TYPE_LATEST
_registry = CollectorRegistry()
_kept: set[str] = set()


def is_shared() -> bool:
    """Tell whether several processes put their figures together."""
    return values.ValueClass is not values.MutexValue


def install() -> None:
    """Keep every metric that was declared so far. Doing it again keeps those declared since."""
    for metric in CATALOGUE.values():
        if metric.name in _kept or metric.source is Source.STORE or not metric.together:
            continue
        _kept.add(metric.name)
        metric.install(_family(metric))


def forget_gone(folder: Path) -> None:
    """Let go of the gauges of processes that are gone; what they counted stays.

    Args:
        folder: Where the processes of this service keep their figures.
    """
    for file in folder.glob("gauge_live*_*.db"):
        pid = file.stem.rpartition("_")[2]
        if pid.isdigit() and not _lives(int(pid)):
            mark_process_dead(int(pid), str(folder))  # type: ignore[no-untyped-call]


def text(readings: Mapping[Metric, Values]) -> bytes:
    """Return all figures: those kept, of all processes of this service, and these readings."""
    return generate_latest(_All(readings))


def serve_text(
    host: str,
    port: int,
    readings: Callable[[], Mapping[Metric, Values]],
    probes: Mapping[str, Callable[[], bool]] | None = None,
) -> int:
    """Answer every GET with all figures, from a thread of its own, until the process ends; return the port.

    Args:
        host: Address to listen on.
        port: 0 lets the system choose.
        readings: Asked at each scrape.
        probes: Paths that are answered by 200 or 503 instead, as what they lead to says.

    Raises:
        OSError: The port cannot be opened.
    """

    class Asked:
        def collect(self) -> Iterator[Family]:
            return families(readings())

    figures, asked = make_wsgi_app(Asked()), probes or {}

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        probe = asked.get(environ["PATH_INFO"])
        if probe is None:
            pages: Iterable[bytes] = figures(environ, start_response)
            return pages
        holds = probe()
        start_response("200 OK" if holds else "503 Service Unavailable", [("Content-Type", "text/plain")])
        return [b"ok\n" if holds else b"no\n"]

    class Server(ThreadingMixIn, WSGIServer):
        daemon_threads = True
        address_family = socket.getaddrinfo(host, port, flags=socket.AI_PASSIVE)[0][0]

    server = make_server(host, port, answer, server_class=Server, handler_class=_Silent)
    threading.Thread(target=server.serve_forever, name="figures", daemon=True).start()
    return int(server.server_port)


def families(readings: Mapping[Metric, Values] | None = None) -> Iterator[Family]:
    """Return all figures as prometheus-client holds them."""
    if is_shared():
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        # The files do not hold what the metrics are about.
        for family in registry.collect():
            known = CATALOGUE.get(family.name) or CATALOGUE.get(f"{family.name}_total")
            family.documentation = known.about if known is not None else family.documentation
            yield family
    else:
        yield from _registry.collect()
    for metric, told in (readings or {}).items():
        yield _reading(metric, told.items())


class _Silent(WSGIRequestHandler):
    """Leaves the log to those who have something to say."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class _All:
    def __init__(self, readings: Mapping[Metric, Values]) -> None:
        self._readings = readings

    def collect(self) -> Iterator[Family]:
        return families(self._readings)


def _family(metric: Metric) -> Counter | Gauge | Histogram:
    match metric.kind:
        case Kind.COUNTER:
            return Counter(metric.name, metric.about, metric.labels, registry=_registry)
        case Kind.GAUGE:
            return Gauge(
                metric.name,
                metric.about,
                metric.labels,
                registry=_registry,
                multiprocess_mode=metric.together,  # type: ignore[arg-type] # one of its words
            )
        case Kind.HISTOGRAM:
            return Histogram(metric.name, metric.about, metric.labels, registry=_registry, buckets=metric.buckets)


def _reading(metric: Metric, told: Iterable[tuple[tuple[str, ...], float]]) -> Family:
    family = (
        CounterMetricFamily(metric.name, metric.about, labels=metric.labels)
        if metric.kind is Kind.COUNTER
        else GaugeMetricFamily(metric.name, metric.about, labels=metric.labels)
    )
    for labels, value in told:
        family.add_metric(list(labels), value)
    return family


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


# The instants at which series began are a second series each, and nothing of ours asks for them.
with contextlib.suppress(AttributeError):
    prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
