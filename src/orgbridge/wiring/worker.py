"""A worker process: the engine over the house's connections, stopped promptly by SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
from pathlib import Path
from typing import NoReturn

import uvloop

from orgbridge.engine.worker import WorkerConfig, run_worker
from orgbridge.kit.logs import get_logger
from orgbridge.kit.prometheus import install, serve_text
from orgbridge.services.processes import Machine
from orgbridge.wiring.carts import mirror_swept
from orgbridge.wiring.companions import build_companions
from orgbridge.wiring.errors import PortInUse, SettingFault, SettingsError
from orgbridge.wiring.files import export_targets
from orgbridge.wiring.house import House, build_house
from orgbridge.wiring.pulse import Pulse
from orgbridge.wiring.rotation import upkeep
from orgbridge.wiring.settings import Settings
from orgbridge.wiring.signals import end_process
from orgbridge.wiring.startup import make_data_folder, prepare_tables, say_warnings, start_logs
from orgbridge.wiring.tracing import start_traces

log = get_logger(__name__)


def worker_config(settings: Settings) -> WorkerConfig:
    """Return how the engine works."""
    return WorkerConfig(
        lease_seconds=settings.orgbridge_lease_seconds,
        beat_seconds=settings.orgbridge_lease_seconds / 6,
        parts_per_org=settings.orgbridge_parts_in_parallel,
        longest_poll_seconds=settings.orgbridge_poll_seconds,
        poll_seconds=min(0.2, settings.orgbridge_poll_seconds),
        patience_seconds=settings.orgbridge_patience_seconds,
        checkout_seconds=settings.orgbridge_checkout_seconds,
        order_settle_seconds=settings.orgbridge_order_settle_seconds,
        order_marker_field=settings.orgbridge_order_marker_field,
        targets=export_targets(settings),
        output_folder=_folder(settings, "data_path_output"),
        failed_folder=_folder(settings, "data_path_failed"),
        webhooks=settings.webhook_policy,
        retention_days=settings.orgbridge_retention_days,
        retention_rows_days=settings.orgbridge_retention_rows_days,
        retention_orders_days=settings.orgbridge_retention_orders_days,
    )


def _folder(settings: Settings, name: str) -> Path | None:
    """Return a folder that was set, or whose default is there: no machine gets an `/app` that nobody asked for."""
    folder: Path = getattr(settings, name)
    return folder if name in settings.model_fields_set or folder.is_dir() else None


def work(settings: Settings) -> NoReturn:
    """Run a worker until it is told to stop, then end the process at once.

    Workflows under way are not waited for: they go on from their last finished step in the next worker.

    Raises:
        EngineAlreadyRunning: Another worker runs on the same SQLite file; nothing was started.
        PortInUse: Another program listens at the port of the figures; nothing was started.
        SettingsError: A folder or key cannot be used; nothing was started.
        StoreError: The database cannot be reached or is not up to date; nothing was started.
    """
    start_logs(settings)
    say_warnings(settings)
    make_data_folder(settings)
    prepare_tables(settings)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_work(settings))
        # Left from within the runner: closing it would wait for threads of workflows that the next worker takes over.
        end_process(0)


def show_figures(settings: Settings, pulse: Pulse) -> None:
    """Keep this worker's figures and show them, and how it is, at a port of its own, if the settings name one.

    Raises:
        PortInUse: Another program listens there.
        SettingsError: The address is not one of this machine.
    """
    host, port = settings.orgbridge_worker_metrics_host, settings.orgbridge_worker_metrics_port
    if port is None:
        return
    install()
    machine = Machine(settings.orgbridge_data, siblings=False)
    try:
        shown = serve_text(host, port, machine.readings, pulse.probes)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(host, port) from error
        reason = f"port {port} of {host} cannot be opened ({error.strerror}); set it to an address of this machine"
        raise SettingsError([SettingFault(name="ORGBRIDGE_WORKER_METRICS_HOST", reason=reason)]) from error
    log.info("worker_figures_shown", host=host, port=shown)


async def _work(settings: Settings) -> None:
    house: House = build_house(settings)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    tracing = start_traces(settings, "worker")
    if tracing is not None:
        tracing.observe_database(house.database)
    pulse = Pulse(house.clock)
    show_figures(settings, pulse)

    def ready() -> None:
        pulse.take_work()
        log.info("worker_ready", pid=os.getpid())

    async with upkeep(settings, house), mirror_swept(house):
        await run_worker(
            worker_config(settings),
            house.database,
            house.files,
            house.orgs,
            house.clock,
            stop,
            ready=ready,
            companions=[*build_companions(settings, house), pulse.beat],
        )
    await house.orgs.settled()
    if tracing is not None:
        await tracing.close()
    log.info("worker_stopped")
