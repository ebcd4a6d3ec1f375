"""Figures about this process and its loads: Prometheus text, or JSON with system figures."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path
from typing import Any

import psutil
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from orgbridge.kit.clock import Clock
from orgbridge.orgs.connections import Orgs
from orgbridge.orgs.consents import ConnectionState
from orgbridge.store.database import Database
from orgbridge.store.totals import LoadTotals, load_totals

#: Media type of the Prometheus text.
PROMETHEUS_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Telemetry:
    """Counts what happens and reads the rest when asked."""

    def __init__(self, database: Database, orgs: Orgs, clock: Clock, data_folder: Path, org: str = "default") -> None:
        self._database = database
        self._orgs = orgs
        self._org = org
        self._clock = clock
        self._data_folder = data_folder
        self._started = clock.monotonic()
        self._process = psutil.Process(os.getpid())
        self.registry = CollectorRegistry()
        self._requests = Histogram(
            "orgbridge_http_request_duration_seconds",
            "Time to answer a request, by method, route template and status.",
            ("method", "route", "status"),
            registry=self.registry,
            buckets=_SECONDS,
        )
        self._series: dict[tuple[str, str, int], Histogram] = {}
        self._in_flight = Gauge(
            "orgbridge_http_requests_in_flight", "Requests that are being answered.", registry=self.registry
        )
        self._crashes = Counter(
            "orgbridge_http_unexpected_errors_total", "Requests that met a fault of our own.", registry=self.registry
        )
        self._salesforce_calls = Gauge(
            "orgbridge_salesforce_calls",
            "HTTP requests that this process has made to Salesforce since it started.",
            registry=self.registry,
        )
        self._load_calls = Gauge(
            "orgbridge_load_salesforce_calls",
            "HTTP requests made to Salesforce for all loads in the store.",
            registry=self.registry,
        )
        self._loads = Gauge("orgbridge_loads", "Loads in the store, by state.", ("state",), registry=self.registry)
        self._rows = Gauge(
            "orgbridge_load_rows", "Rows of all loads in the store, by outcome.", ("outcome",), registry=self.registry
        )
        self._stalled = Gauge(
            "orgbridge_stalled_jobs", "Salesforce jobs of running loads that show no progress.", registry=self.registry
        )
        self._waiting = Gauge(
            "orgbridge_parts_waiting",
            "Parts of running loads that no Salesforce job holds yet: what more workers would take up.",
            registry=self.registry,
        )
        self._consent = Gauge(
            "orgbridge_org_needs_reconsent",
            "1 while Salesforce refuses the sign-in until somebody consents again or mends it, else 0.",
            ("org",),
            registry=self.registry,
        )
        self._resident = Gauge(
            "orgbridge_process_resident_memory_bytes", "Resident memory of this process.", registry=self.registry
        )
        self._cpu = Gauge(
            "orgbridge_process_cpu_seconds", "Processor time this process has used.", registry=self.registry
        )
        self._uptime = Gauge("orgbridge_process_uptime_seconds", "Age of this process.", registry=self.registry)

    def began(self) -> None:
        """Note that a request came in."""
        self._in_flight.inc()

    def ended(self, method: str, route: str, status: int, seconds: float) -> None:
        """Note that a request was answered."""
        self._in_flight.dec()
        # Finding a series by its labels costs more than counting in it.
        series = self._series.get((method, route, status))
        if series is None:
            series = self._series[(method, route, status)] = self._requests.labels(method, route, str(status))
        series.observe(seconds)

    def crashed(self) -> None:
        """Note a fault of our own."""
        self._crashes.inc()

    async def prometheus(self) -> bytes:
        """Return all figures in Prometheus' text form."""
        totals = await self._totals()
        for state, count in totals.loads.items():
            self._loads.labels(state).set(count)
        for outcome, count in totals.rows.items():
            self._rows.labels(outcome).set(count)
        self._load_calls.set(totals.api_calls)
        self._stalled.set(totals.stalled)
        self._waiting.set(totals.waiting)
        self._salesforce_calls.set(self._calls())
        for org, needed in (await self._consents()).items():
            self._consent.labels(org).set(needed)
        self._resident.set(self._process.memory_info().rss)
        times = self._process.cpu_times()
        self._cpu.set(times.user + times.system)
        self._uptime.set(self._clock.monotonic() - self._started)
        return generate_latest(self.registry)

    async def figures(self) -> dict[str, Any]:
        """Return system and application figures as JSON-ready values."""
        totals = await self._totals()
        return {
            "system": await asyncio.to_thread(self._system),
            "application": {
                "uptime_seconds": round(self._clock.monotonic() - self._started, 1),
                "resident_memory_bytes": self._process.memory_info().rss,
                "threads": self._process.num_threads(),
                "requests": self._request_figures(),
                "salesforce_calls": self._calls(),
                "loads": totals.loads,
                "rows": totals.rows,
                "load_salesforce_calls": totals.api_calls,
                "stalled_jobs": totals.stalled,
                "parts_waiting": totals.waiting,
                "orgs_needing_reconsent": sum((await self._consents()).values()),
            },
        }

    async def _totals(self) -> LoadTotals:
        async with self._database.unit(write=False) as unit:
            return await load_totals(unit)

    async def _consents(self) -> dict[str, int]:
        standings = {name: await self._orgs.get(name).consent.standing() for name in self._orgs.names}
        return {name: int(found.state is ConnectionState.NEEDS_RECONSENT) for name, found in standings.items()}

    def _calls(self) -> int:
        return self._orgs.get(self._org).salesforce.calls

    def _system(self) -> dict[str, Any]:
        memory = psutil.virtual_memory()
        disk = shutil.disk_usage(self._data_folder if self._data_folder.exists() else Path("/"))
        return {
            "cpu_count": psutil.cpu_count(),
            "cpu_percent": psutil.cpu_percent(interval=None),
            "load_average": list(psutil.getloadavg()),
            "memory_total_bytes": memory.total,
            "memory_available_bytes": memory.available,
            "memory_percent": memory.percent,
            "disk_total_bytes": disk.total,
            "disk_free_bytes": disk.free,
        }

    def _request_figures(self) -> dict[str, Any]:
        counts: dict[str, int] = {}
        seconds = 0.0
        for metric in self._requests.collect():
            for sample in metric.samples:
                if sample.name.endswith("_count"):
                    status = sample.labels["status"]
                    counts[status] = counts.get(status, 0) + int(sample.value)
                elif sample.name.endswith("_sum"):
                    seconds += sample.value
        total = sum(counts.values())
        return {
            "total": total,
            "by_status": counts,
            "mean_seconds": round(seconds / total, 6) if total else 0.0,
        }
