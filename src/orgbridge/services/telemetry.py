"""Figures about the service and its loads: Prometheus text, or JSON with system figures."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any

from orgbridge.client import CallCount, count_calls
from orgbridge.kit import prometheus
from orgbridge.kit.clock import Clock
from orgbridge.kit.metrics import CALL_SECONDS, Metric, Values, counter, gauge, histogram, stored
from orgbridge.orgs.connections import Orgs
from orgbridge.orgs.consents import ConnectionState
from orgbridge.services.processes import Machine
from orgbridge.store.database import Database
from orgbridge.store.errors import StoreError
from orgbridge.store.figures import StoreFigures, store_figures
from orgbridge.store.totals import LoadTotals, load_totals

#: Media type of the Prometheus text.
PROMETHEUS_TYPE = prometheus.PROMETHEUS_TYPE
_REQUESTS = histogram(
    "orgbridge_http_request_duration_seconds",
    "Time to answer a request, by method, route template and status.",
    ("method", "route", "status"),
    CALL_SECONDS,
)
_IN_FLIGHT = gauge("orgbridge_http_requests_in_flight", "Requests that are being answered.")
_CRASHES = counter("orgbridge_http_unexpected_errors_total", "Requests that met a fault of our own.")

_STORE_UP = stored("orgbridge_store_up", "1 when the database told these figures, 0 when it did not answer.")
_LOADS = stored("orgbridge_loads", "Loads in the store, by state.", ("state",))
_ROWS = stored("orgbridge_load_rows", "Rows of all loads in the store, by outcome.", ("outcome",))
_LOAD_CALLS = stored("orgbridge_load_salesforce_calls", "Requests made to Salesforce for all loads in the store.")
_CONSENT = stored(
    "orgbridge_org_needs_reconsent",
    "1 while Salesforce refuses the sign-in until somebody consents again or mends it, else 0.",
    ("org",),
)
_STALLED = stored("orgbridge_stalled_jobs", "Salesforce jobs of running loads that show no progress.")
_WAITING = stored(
    "orgbridge_parts_waiting",
    "Parts of running loads that no Salesforce job holds yet: what more workers would take up.",
)
_PARTS = stored("orgbridge_parts", "Parts of running loads, by state.", ("state",))
_QUEUED = stored("orgbridge_loads_queued", "Loads that no worker has begun.")
_OLDEST_QUEUED = stored("orgbridge_queue_oldest_age_seconds", "Age of the load that waits longest, 0 when none waits.")
_OLDEST_RUNNING = stored("orgbridge_running_oldest_age_seconds", "Time since the running load begun first was begun.")
_STILL = stored(
    "orgbridge_load_still_seconds",
    "Time since a part of a running load got on, of the load for which that is longest ago; 0 when none runs.",
)
_WORKERS = stored("orgbridge_workers", "Workers whose lease holds. PostgreSQL only: on SQLite a lock takes its place.")
_LOST = stored("orgbridge_workers_lost", "Workers of the last day that went without giving their lease up.")
_LEASE_AGE = stored("orgbridge_lease_oldest_age_seconds", "Time since the lease renewed longest ago was renewed.")
_WEBHOOKS = stored("orgbridge_webhook_deliveries", "Messages to receivers of webhooks, by state.", ("state",))
_WEBHOOK_AGE = stored("orgbridge_webhook_overdue_seconds", "How long the longest overdue message was due already.")
_MAILS = stored("orgbridge_mails", "Mails, by state.", ("state",))
_MAIL_AGE = stored("orgbridge_mail_overdue_seconds", "How long the longest overdue mail was due already.")
_CARTS = stored("orgbridge_carts", "Carts in the mirror, by Salesforce's status.", ("status",))
_ORDERS = stored("orgbridge_purchase_orders", "Purchase orders, by state.", ("state",))


class Telemetry:
    """Counts what happens and reads the rest when asked."""

    def __init__(
        self,
        database: Database,
        orgs: Orgs,
        clock: Clock,
        data_folder: Path,
        org: str = "default",
        *,
        lease_seconds: float = 30.0,
    ) -> None:
        """Prepare; from now on what happens in this process is kept.

        Args:
            database: What is read.
            orgs: Salesforce.
            clock: Time.
            data_folder: Whose disk matters.
            org: Of which calls are told.
            lease_seconds: How long a lease of a worker lasts.
        """
        prometheus.install()
        self._database = database
        self._orgs = orgs
        self._org = org
        self._clock = clock
        self._lease_seconds = lease_seconds
        self._started = clock.monotonic()
        self._machine = Machine(data_folder, siblings=prometheus.is_shared())

    def began(self) -> AbstractContextManager[CallCount]:
        """Note that a request came in; within the context its calls to Salesforce are counted."""
        _IN_FLIGHT.add()
        return count_calls()

    def ended(self, method: str, route: str, status: int, seconds: float) -> None:
        """Note that a request was answered."""
        _IN_FLIGHT.take()
        _REQUESTS.observe(seconds, method, route, str(status))

    def crashed(self) -> None:
        """Note a fault of our own."""
        _CRASHES.add()

    async def prometheus(self) -> bytes:
        """Return all figures in Prometheus' text form. While the database is away, those that do not come from it."""
        readings = await asyncio.to_thread(self._machine.readings)
        try:
            totals, figures = await self._stored()
            consents = await self._consents()
        except StoreError:
            return await asyncio.to_thread(prometheus.text, {**readings, _STORE_UP: {(): 0.0}})
        told = {**readings, **self._readings(totals, figures), _CONSENT: _by(consents)}
        return await asyncio.to_thread(prometheus.text, told)

    async def figures(self) -> dict[str, Any]:
        """Return system and application figures as JSON-ready values."""
        totals, figures = await self._stored()
        leases = figures.leases
        return {
            "system": await asyncio.to_thread(self._machine.system),
            "application": {
                "uptime_seconds": round(self._clock.monotonic() - self._started, 1),
                **await asyncio.to_thread(self._machine.process),
                "requests": self._request_figures(),
                "salesforce_calls": self._calls(),
                "salesforce_api": self._orgs.get(self._org).budget.figures(),
                "loads": totals.loads,
                "rows": totals.rows,
                "load_salesforce_calls": totals.api_calls,
                "stalled_jobs": totals.stalled,
                "parts_waiting": totals.waiting,
                "parts": figures.parts,
                "queue": {"loads": figures.queued, "oldest_age_seconds": self._age(figures.oldest_queued)},
                "workers": leases.living if leases is not None else None,
                "webhooks": figures.webhooks,
                "mails": figures.mails,
                "carts": figures.carts,
                "purchase_orders": figures.purchase_orders,
                "orgs_needing_reconsent": sum((await self._consents()).values()),
            },
        }

    async def _stored(self) -> tuple[LoadTotals, StoreFigures]:
        async with self._database.unit(write=False) as unit:
            totals = await load_totals(unit)
            return totals, await store_figures(unit, leased=not self._database.address.is_sqlite)

    def _readings(self, totals: LoadTotals, figures: StoreFigures) -> dict[Metric, Values]:
        readings = {
            _STORE_UP: _one(1.0),
            _LOADS: _by(totals.loads),
            _ROWS: _by(totals.rows),
            _LOAD_CALLS: _one(totals.api_calls),
            _STALLED: _one(totals.stalled),
            _WAITING: _one(totals.waiting),
            _PARTS: _by(figures.parts),
            _QUEUED: _one(figures.queued),
            _OLDEST_QUEUED: _one(self._age(figures.oldest_queued)),
            _OLDEST_RUNNING: _one(self._age(figures.oldest_running)),
            _STILL: _one(self._age(figures.longest_still)),
            _WEBHOOKS: _by(figures.webhooks),
            _WEBHOOK_AGE: _one(self._age(figures.oldest_webhook)),
            _MAILS: _by(figures.mails),
            _MAIL_AGE: _one(self._age(figures.oldest_mail)),
            _CARTS: _by(figures.carts),
            _ORDERS: _by(figures.purchase_orders),
        }
        if (leases := figures.leases) is not None:
            readings |= {_WORKERS: _one(leases.living), _LOST: _one(leases.lost)}
            if leases.nearest_end is not None:
                readings[_LEASE_AGE] = _one(max(0.0, self._lease_seconds - leases.nearest_end))
        return readings

    def _age(self, since: datetime | None) -> float:
        return max(0.0, (self._clock.now() - since).total_seconds()) if since is not None else 0.0

    async def _consents(self) -> dict[str, int]:
        standings = {name: await self._orgs.get(name).consent.standing() for name in self._orgs.names}
        return {name: int(found.state is ConnectionState.NEEDS_RECONSENT) for name, found in standings.items()}

    def _calls(self) -> int:
        return self._orgs.get(self._org).salesforce.calls

    def _request_figures(self) -> dict[str, Any]:
        counts: dict[str, int] = {}
        seconds = 0.0
        for family in prometheus.families():
            if family.name != _REQUESTS.name:
                continue
            for sample in family.samples:
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


def _one(value: float) -> Values:
    return {(): float(value)}


def _by(counts: Mapping[str, int]) -> Values:
    return {(name,): float(count) for name, count in counts.items()}
