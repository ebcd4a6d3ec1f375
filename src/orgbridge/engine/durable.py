"""DBOS, started and spoken to in one place.

The traps that this avoids, measured beforehand: pickled exceptions (portable JSON instead), a version that changes
with the source (constant instead), two live processes under one executor id (a file lock on SQLite, an id per boot
on PostgreSQL), a rollback journal (WAL is set before DBOS opens the file), `destroy` under running workflows (never
called), logs of its own (they go through the standard library's root).
"""

from __future__ import annotations

import fcntl
import logging
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO
from uuid import uuid4

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID
from dbos._error import DBOSUnexpectedStepError

from orgbridge.engine.config import WorkerConfig
from orgbridge.engine.errors import EngineAlreadyRunning
from orgbridge.engine.flights import PARKED_QUEUE, PARTS_QUEUE, Relief
from orgbridge.engine.ingests import IngestWorkflow
from orgbridge.engine.orders.workflow import PlacementWorkflow
from orgbridge.engine.parts import PartWorkflow
from orgbridge.engine.queries import QueryWorkflow
from orgbridge.engine.resources import Resources
from orgbridge.store.addresses import StoreAddress
from orgbridge.store.database import IDLE_SECONDS
from orgbridge.store.records import LoadKind, LoadRecord
from orgbridge.store.subseconds import teach_subseconds
from orgbridge.store.wal import set_wal

#: Queue on which loads wait for a worker.
LOADS_QUEUE = "loads"
#: Queue on which carts wait to become orders.
PLACEMENTS_QUEUE = "placements"
APPLICATION = "orgbridge"
#: Constant, so that work begun by an older program is finished by a newer one. Steps may be appended to a workflow;
#: anything else needs `DBOS.patch_async`.
APPLICATION_VERSION = "1"
#: DBOS's queue for recovered work that had none. Private there; a test says when it goes.
RECOVERY_QUEUE = "_dbos_internal_queue"
_EMBEDDED = "embedded"
_FORGOTTEN_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingWork:
    """Work that some executor has begun."""

    #: The workflow.
    workflow_id: str
    #: Who began it.
    executor_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenWork:
    """A load whose workflow ended in an error."""

    #: The load.
    load_id: str
    #: Whether that is because the log was written by a program with other steps.
    foreign: bool


class Durable:
    """The durable engine of this process. There can be one only."""

    def __init__(self, config: WorkerConfig, address: StoreAddress) -> None:
        """Name this executor, and on SQLite make sure that it is alone.

        Raises:
            EngineAlreadyRunning: Another process has the SQLite file; nothing was started.
        """
        self._config = config
        self._lock: TextIO | None = None
        if address.file is None:
            self._url = address.engine_url
            # Fresh at each boot and never used again: work of a dead executor can be told from that of a live one.
            self.executor_id = f"{socket.gethostname()}-{uuid4().hex[:12]}"
            self.leased = True
        else:
            file = config.engine_file or Path(address.engine_url.removeprefix("sqlite:///"))
            file.parent.mkdir(parents=True, exist_ok=True)
            self._lock = _lock(file)
            set_wal(file)
            teach_subseconds()
            self._url = f"sqlite:///{file}"
            self.executor_id = _EMBEDDED
            self.leased = False

    async def start(self, resources: Resources) -> None:
        """Begin to run work: new work, and work that this executor left unfinished.

        Blocks for about a second on the first start, while the engine's tables are made. On PostgreSQL the lease must
        have been taken before.
        """
        _route_logs()
        self._dbos = DBOS(config=self._dbos_config())
        parts = PartWorkflow(resources)
        part = DBOS.workflow(name="part", max_recovery_attempts=None)(_function(parts.run))
        again = DBOS.workflow(name="again", max_recovery_attempts=None)(_function(parts.again))
        resume = DBOS.workflow(name="resume", max_recovery_attempts=None)(_function(parts.resume))
        salvage = DBOS.workflow(name="salvage", max_recovery_attempts=None)(_function(parts.salvage))
        ingests = IngestWorkflow(resources, part, again, Relief(resume, salvage))
        self._take_up = DBOS.workflow(name="take_up", max_recovery_attempts=None)(_function(ingests.take_up))
        ingest = DBOS.workflow(name="load", max_recovery_attempts=None)(_function(ingests.run))
        query = DBOS.workflow(name="query", max_recovery_attempts=None)(_function(QueryWorkflow(resources).run))
        placements = PlacementWorkflow(resources)
        self._placement = DBOS.workflow(name="placement", max_recovery_attempts=None)(_function(placements.run))
        self._workflows = {LoadKind.INGEST: ingest, LoadKind.QUERY: query}
        # Called on the loop's own thread: this is how DBOS knows on which loop to run workflows.
        DBOS.launch()
        await DBOS.register_queue_async(
            LOADS_QUEUE, worker_concurrency=self._config.loads_per_worker, polling_interval_sec=0.3
        )
        await DBOS.register_queue_async(
            PARTS_QUEUE,
            partition_concurrency=self._config.parts_per_org,
            worker_concurrency=self._config.parts_per_worker,
            polling_interval_sec=0.3,
        )
        await DBOS.register_queue_async(
            # Somebody waits for it: looked at more often than the others.
            PLACEMENTS_QUEUE,
            worker_concurrency=self._config.placements_per_worker,
            polling_interval_sec=0.1,
        )
        await DBOS.register_queue_async(PARKED_QUEUE, polling_interval_sec=1.0)

    async def enqueue(self, load: LoadRecord) -> None:
        """Hand a load over. Handing it over again changes nothing: the workflow's id is the load's."""
        with SetWorkflowID(load.id):
            await DBOS.enqueue_workflow_async(LOADS_QUEUE, self._workflows[load.kind], load.id)

    async def enqueue_placement(self, placement_id: str) -> None:
        """Hand a placement over. Handing it over again changes nothing: the workflow's id is the placement's."""
        with SetWorkflowID(placement_id):
            await DBOS.enqueue_workflow_async(PLACEMENTS_QUEUE, self._placement, placement_id)

    async def pending(self) -> list[PendingWork]:
        """Return what executors have begun and not ended, whether they live or not."""
        found = await DBOS.list_workflows_async(
            status="PENDING", application_name=APPLICATION, limit=1000, load_input=False, load_output=False
        )
        return [
            PendingWork(workflow_id=status.workflow_id, executor_id=status.executor_id)
            for status in found
            if status.executor_id is not None
        ]

    async def broken(self) -> list[BrokenWork]:
        """Return loads whose workflow ended in an error, newest first. Only a fault of ours brings that about."""
        found = await DBOS.list_workflows_async(
            status=["ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"],
            name=["load", "query", "take_up"],
            application_name=APPLICATION,
            sort_desc=True,
            limit=100,
            load_input=False,
        )
        return [
            BrokenWork(
                load_id=status.workflow_id.partition(".")[0],
                # What was taken up is not taken up again.
                foreign=status.name == "load" and _name_of(status.error) == DBOSUnexpectedStepError.__name__,
            )
            for status in found
        ]

    async def take_up(self, load_id: str) -> None:
        """Have an ingest carried on whose workflow broke. Doing so again changes nothing."""
        begun = await DBOS.list_workflows_async(
            workflow_id_prefix=f"{load_id}.",
            status=["PENDING", "ENQUEUED", "DELAYED"],
            application_name=APPLICATION,
            load_input=False,
            load_output=False,
        )
        with SetWorkflowID(f"{load_id}.again"):
            await DBOS.enqueue_workflow_async(
                LOADS_QUEUE, self._take_up, load_id, sorted(status.workflow_id for status in begun)
            )

    async def forget(self, load_id: str) -> int:
        """Delete the durable workflows of a load that has ended, its own and those of its parts; return how many."""
        count = 0
        while True:
            found = await DBOS.list_workflows_async(
                workflow_id_prefix=load_id,
                status=["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"],
                application_name=APPLICATION,
                limit=_FORGOTTEN_AT_ONCE,
                load_input=False,
                load_output=False,
            )
            if not found:
                return count
            await DBOS.delete_workflows_async([status.workflow_id for status in found])
            count += len(found)

    def recover(self, work: PendingWork) -> bool:
        """Put the work of a dead executor back on its queue; blocking, for threads.

        Returns:
            False when somebody else did so before.
        """
        # Private, but the core's own recovery is built on it; it is one conditional UPDATE, so that of many workers
        # that try, one succeeds. A test says when it goes.
        return bool(self._dbos._sys_db.reenqueue_for_recovery(work.workflow_id, [work.executor_id], RECOVERY_QUEUE))

    def _dbos_config(self) -> DBOSConfig:
        return {
            "name": APPLICATION,
            "system_database_url": self._url,
            "application_version": APPLICATION_VERSION,
            "executor_id": self.executor_id,
            "serializer": DBOSPortableJSONSerializer(),
            "sys_db_pool_size": self._config.engine_pool_size,
            "sys_db_idle_transaction_timeout_sec": float(IDLE_SECONDS),
            "log_level": "WARNING",
            "enable_otlp": False,
            "notification_listener_polling_interval_sec": 0.3,
        }


def _name_of(error: Exception | None) -> str:
    # Errors come back out of the log by name.
    return str(getattr(error, "name", type(error).__name__))


def _function(method: Any) -> Any:
    # DBOS hangs attributes on what it registers, which a bound method refuses.
    async def workflow(*args: Any) -> Any:
        return await method(*args)

    return workflow


def _lock(file: Path) -> TextIO:
    handle = Path(f"{file}.lock").open("w")  # noqa: SIM115 - stays open, and with it the lock, while we live
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        message = f"Another worker already runs on {file}. One worker per SQLite file; use PostgreSQL for more."
        raise EngineAlreadyRunning(message) from None
    return handle


def _route_logs() -> None:
    """Let DBOS's log go where ours goes. It puts up a handler of its own only where it finds none."""
    logger = logging.getLogger("dbos")
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
    logger.addHandler(logging.NullHandler())
    logger.propagate = True
