"""Keys, limits and the audit, by the settings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from orgbridge.kit.clock import Clock
from orgbridge.services.audit import AuditConfig
from orgbridge.services.idempotency import IdempotencyConfig, IdempotencyService
from orgbridge.services.quotas import Quotas, RouteClass
from orgbridge.store.database import Database
from orgbridge.wiring.settings import Settings


def build_idempotency(settings: Settings, database: Database, clock: Clock) -> IdempotencyService:
    """Return the keeper of Idempotency-Keys."""
    config = IdempotencyConfig(
        kept=timedelta(hours=settings.orgbridge_idempotency_hours),
        lease=timedelta(seconds=settings.orgbridge_idempotency_lease_seconds),
        reply_bytes=settings.orgbridge_idempotency_reply_bytes,
    )
    return IdempotencyService(database, clock, config)


def build_quotas(settings: Settings, database: Database, clock: Clock) -> Quotas:
    """Return the counter of calls."""
    given = {
        RouteClass.READ: settings.orgbridge_rate_limit_read,
        RouteClass.WRITE: settings.orgbridge_rate_limit_write,
        RouteClass.BULK: settings.orgbridge_rate_limit_bulk,
        RouteClass.TOKEN: settings.orgbridge_rate_limit_token,
    }
    return Quotas({kind: "" if text == "off" else text for kind, text in given.items()}, clock, database)


@asynccontextmanager
async def counting(quotas: Quotas) -> AsyncIterator[None]:
    """Exchange counts of calls with the other processes while the block lasts."""
    task = asyncio.create_task(quotas.run(), name="quotas")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


def audit_config(settings: Settings) -> AuditConfig:
    """Return what the audit writes and for how long."""
    days = settings.orgbridge_audit_retention_days
    return AuditConfig(
        reads=settings.orgbridge_audit_reads,
        values=settings.orgbridge_audit_values,
        retention=timedelta(days=days) if days else None,
    )
