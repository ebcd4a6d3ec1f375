"""One worker: takes loads from the store and carries them to their end, whatever dies on the way."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor

from orgbridge.engine.config import WorkerConfig
from orgbridge.engine.dispatching import Dispatcher
from orgbridge.engine.durable import Durable
from orgbridge.engine.errors import EngineAlreadyRunning, LeaseLost
from orgbridge.engine.leases import LeaseKeeper
from orgbridge.engine.notifications import Notifier
from orgbridge.engine.orders.late_looks import LateLooks
from orgbridge.engine.places import LoadTraces
from orgbridge.engine.resources import Resources
from orgbridge.engine.retention import Retention
from orgbridge.kit.clock import Clock
from orgbridge.kit.errors import OrgbridgeError
from orgbridge.kit.logs import get_logger
from orgbridge.orgs.connections import Orgs
from orgbridge.store.database import Database
from orgbridge.store.files import FileStore

__all__ = ["LEASE_LOST_EXIT", "EngineAlreadyRunning", "WorkerConfig", "run_worker"]

#: Exit status of a worker that lost its lease: start it again, under a new name.
LEASE_LOST_EXIT = 70
_log = get_logger(__name__)


async def run_worker(
    config: WorkerConfig,
    database: Database,
    files: FileStore,
    orgs: Orgs,
    clock: Clock,
    stop_event: asyncio.Event,
    *,
    ready: Callable[[], None] | None = None,
    leave: Callable[[int], object] = os._exit,
    companions: Sequence[Callable[[], Coroutine[object, object, None]]] = (),
) -> None:
    """Work until told to stop.

    When this returns, workflows under way still live on the loop: the process must end soon, with `os._exit`. Nothing
    is lost by that: this worker, started again, or another one goes on from the last finished step. DBOS is not shut
    down; that would pull the threads from under running workflows.

    Args:
        config: How to work.
        database: Tables that `store.schema.upgrade` has brought up to date.
        files: Where inputs and results lie.
        orgs: Salesforce connections.
        clock: Time.
        stop_event: Set it to stop.
        ready: Called once the worker takes work.
        leave: Ends the process at once with a status; called when the lease was lost.
        companions: What else runs until then, started beside the worker's own tasks.

    Raises:
        EngineAlreadyRunning: Another worker runs on the same SQLite file; nothing was started.
        StoreUnavailable: The database cannot be reached at the start.
    """
    durable = Durable(config, database.address)
    keeper = LeaseKeeper(config, durable, database, clock) if durable.leased else None
    if keeper is not None:
        await keeper.renew()
    resources = Resources(
        config=config,
        database=database,
        files=files,
        orgs=orgs,
        clock=clock,
        matchers=ThreadPoolExecutor(config.matches_per_worker, thread_name_prefix="match"),
        splitters=ThreadPoolExecutor(config.splits_per_worker, thread_name_prefix="split"),
        traces=LoadTraces(database),
    )
    await durable.start(resources)
    _log.info("engine.started", executor_id=durable.executor_id)
    if ready is not None:
        ready()
    tasks: list[asyncio.Task[None]] = [
        asyncio.create_task(Dispatcher(durable, resources).run()),
        asyncio.create_task(Notifier(resources).run()),
        asyncio.create_task(Retention(durable, resources).run()),
        asyncio.create_task(LateLooks(resources).run()),
        *(asyncio.create_task(companion()) for companion in companions),
    ]
    if keeper is not None:
        tasks += [asyncio.create_task(keeper.keep()), asyncio.create_task(keeper.take_over())]
    stopping = asyncio.create_task(stop_event.wait())
    try:
        done, _ = await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task in done:
                _leave_if_lost(task, leave)
    finally:
        stopping.cancel()
        for task in tasks:
            task.cancel()
        if keeper is not None:
            # If the store is away the lease runs out by itself.
            with contextlib.suppress(OrgbridgeError):
                await keeper.drop()
    _log.info("engine.stopped", executor_id=durable.executor_id)


def _leave_if_lost(task: asyncio.Task[None], leave: Callable[[int], object]) -> None:
    error = task.exception()
    if isinstance(error, LeaseLost):
        _log.critical("engine.lease_lost", message=error.message)
        leave(LEASE_LOST_EXIT)
    if error is not None:
        raise error
