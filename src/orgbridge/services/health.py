"""Can this service do its work, and if not: why, and what mends it. Never says a secret."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any

from orgbridge.client.errors import ClientError, ConnectionFailed
from orgbridge.kit.clock import Clock
from orgbridge.kit.errors import OrgbridgeError
from orgbridge.orgs.connections import Orgs
from orgbridge.store.database import Database
from orgbridge.store.documents import DocumentBackend, DocumentStore

#: How long the answer of Salesforce is believed: probes come every few seconds, and each look is an API request of the
#: org's daily allowance. Bad news is looked at again sooner.
_GOOD_SECONDS, _BAD_SECONDS = 60.0, 10.0
#: Longest wait for one check.
_CHECK_SECONDS = 8.0
#: A load that no worker took up for so long says that no worker is there.
_WAITING = timedelta(seconds=15)


class Condition(StrEnum):
    """How well a part of the service, or the whole of it, is."""

    OK = "ok"
    #: Calls are answered, but something waits.
    DEGRADED = "degraded"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What was found out about one part."""

    #: How it is.
    condition: Condition
    #: What is the matter; None when nothing is.
    cause: str | None = None
    #: What mends it; None when nothing is to be mended.
    remedy: str | None = None
    #: Figures for the administrator.
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """What was found out about the whole."""

    #: The worst of all checks.
    condition: Condition
    #: One check per part: database, documents, engine, salesforce.
    checks: dict[str, Check]


_STOPPING = Check(
    condition=Condition.UNAVAILABLE,
    cause="The service is being stopped; it finishes the requests that it has.",
    remedy="Ask another one.",
)


class HealthService:
    """Looks at the parts that every call needs."""

    def __init__(
        self,
        database: Database,
        orgs: Orgs,
        clock: Clock,
        org: str = "default",
        *,
        documents: DocumentStore | None = None,
    ) -> None:
        self._database = database
        self._orgs = orgs
        self._clock = clock
        self._org = org
        self._documents = documents
        self._salesforce: tuple[float, Check] | None = None
        self._stopping = False
        self._started = False

    def stop(self) -> None:
        """Be not ready from now on: the service was told to end, and goes on only with what it has."""
        self._stopping = True

    async def started(self) -> Readiness:
        """Return whether the service has come up: the database has answered once. Salesforce is not asked."""
        if self._started:
            return Readiness(condition=Condition.OK, checks={})
        database = await self._check_database()
        self._started = database.condition is Condition.OK
        return Readiness(condition=database.condition, checks={"database": database})

    async def ready(self) -> Readiness:
        """Return how the database, the engine and Salesforce are; none of them is asked once the service is to end."""
        if self._stopping:
            return Readiness(condition=Condition.UNAVAILABLE, checks={"service": _STOPPING})
        database, salesforce, documents = await asyncio.gather(
            self._check_database(), self._check_salesforce(), self._check_documents()
        )
        checks = {"database": database, "salesforce": salesforce}
        if documents is not None:
            checks["documents"] = documents
        if database.condition is Condition.OK:
            checks["engine"] = await self._check_engine()
        else:
            checks["engine"] = Check(
                condition=Condition.UNAVAILABLE,
                cause="The engine keeps its work in the database.",
                remedy="Mend the database.",
            )
        order = list(Condition)
        worst = max((check.condition for check in checks.values()), key=order.index)
        return Readiness(condition=worst, checks=checks)

    async def _check_database(self) -> Check:
        started = self._clock.monotonic()
        try:
            async with asyncio.timeout(_CHECK_SECONDS), self._database.unit(write=False) as unit:
                await unit.users.get("none")
        except TimeoutError:
            return Check(
                condition=Condition.UNAVAILABLE,
                cause=f"The database did not answer in {_CHECK_SECONDS:.0f} seconds.",
                remedy="See whether it is overloaded or cut off.",
            )
        except OrgbridgeError as error:
            return Check(
                condition=Condition.UNAVAILABLE,
                cause=error.message,
                remedy="Check PSQL_CONNECTION_STRING and that the database runs.",
            )
        milliseconds = round((self._clock.monotonic() - started) * 1000, 1)
        kind = "sqlite" if self._database.address.is_sqlite else "postgresql"
        return Check(condition=Condition.OK, detail={"kind": kind, "milliseconds": milliseconds})

    @property
    def document_backend(self) -> str | None:
        """Name the kind of document store; None without one."""
        return self._documents.backend.value if self._documents is not None else None

    async def _check_documents(self) -> Check | None:
        if self._documents is None:
            return None
        detail: dict[str, Any] = {"kind": self._documents.backend.value}
        try:
            async with asyncio.timeout(_CHECK_SECONDS):
                await self._documents.check()
        except TimeoutError:
            cause = f"The document store did not answer in {_CHECK_SECONDS:.0f} seconds."
        except OrgbridgeError as error:
            cause = error.message
        else:
            return Check(condition=Condition.OK, detail=detail)
        # Everything but the documents of machines goes on without it.
        return Check(
            condition=Condition.DEGRADED,
            cause=cause,
            remedy="Check AZURE_COSMOS_ENDPOINT, its key or this machine's identity, and the network in between."
            if self._documents.backend is DocumentBackend.COSMOS
            else "Mend the database.",
            detail=detail,
        )

    async def _check_engine(self) -> Check:
        async with self._database.unit(write=False) as unit:
            waiting = await unit.loads.undispatched(1)
            # On SQLite there is one worker, which holds a file lock instead of a lease.
            living = None if self._database.address.is_sqlite else len(await unit.leases.living())
        detail: dict[str, Any] = {"living_workers": living}
        late = bool(waiting) and self._clock.now() - waiting[0].created_at > _WAITING
        if late or living == 0:
            return Check(
                condition=Condition.DEGRADED,
                cause="No worker takes up loads." if late else "No worker has a living lease.",
                remedy="Start `orgbridge worker`; loads that wait are taken up then.",
                detail=detail,
            )
        return Check(condition=Condition.OK, detail=detail)

    async def _check_salesforce(self) -> Check:
        now = self._clock.monotonic()
        if self._salesforce is not None:
            at, known = self._salesforce
            if now - at < (_GOOD_SECONDS if known.condition is Condition.OK else _BAD_SECONDS):
                return known
        check = await self._look()
        self._salesforce = (now, check)
        return check

    async def _look(self) -> Check:
        connection = self._orgs.get(self._org)
        salesforce = connection.salesforce
        try:
            async with asyncio.timeout(_CHECK_SECONDS):
                try:
                    await connection.check(once=True)
                except ConnectionFailed:
                    # A kept connection may have been closed at the other end while nobody used it.
                    await connection.check(once=True)
                token = await salesforce.tokens.get()
        except TimeoutError:
            return Check(
                condition=Condition.UNAVAILABLE,
                cause=f"Salesforce did not answer in {_CHECK_SECONDS:.0f} seconds.",
                remedy="Check SALESFORCE_TOKEN_URL and the network between here and there.",
            )
        except ClientError as error:
            cause = getattr(error, "cause", None) or error.message
            remedy = getattr(error, "remedy", None) or "Check SALESFORCE_TOKEN_URL and that this host is reachable."
            return Check(
                condition=Condition.UNAVAILABLE,
                cause=str(cause),
                remedy=str(remedy),
                detail={"code": error.code, "connection": (await connection.consent.standing()).to_json()},
            )
        limit = salesforce.limits.last
        detail: dict[str, Any] = {"instance": token.instance_url}
        if limit is not None:
            detail |= {"api_requests_used": limit.used, "api_requests_allowed": limit.allowed}
        return Check(condition=Condition.OK, detail=detail)
