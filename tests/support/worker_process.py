"""One worker as a process of its own, so that tests can kill it.

    python -m tests.support.worker_process STORE_URL FILES_FOLDER SALESFORCE_URL [key=value …]

Prints `ready` once it takes work. `client_id=` names the app to sign in with, `recheck_seconds=` how often a parked
load looks again, `hold_seconds=` how long a refused sign-in is not tried again; others are fields of `WorkerConfig`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

from orgbridge.client import ClientCredentials, RetryPolicy, Secret
from orgbridge.engine.errors import EngineError
from orgbridge.engine.worker import WorkerConfig, run_worker
from orgbridge.kit.clock import SystemClock
from orgbridge.kit.logs import LogConfig, configure_logs
from orgbridge.kit.receivers import WebhookPolicy
from orgbridge.orgs.budget import BudgetConfig
from orgbridge.orgs.connections import OrgConfig, Orgs
from orgbridge.orgs.consents import HoldConfig
from orgbridge.store.database import Database
from orgbridge.store.files import LocalFiles


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _read(usual: object, text: str) -> Any:
    """Return an option as the type that its usual value has; what has none is a folder."""
    return Path(text) if usual is None else type(usual)(text)


async def work(store: str, folder: str, salesforce: str, options: dict[str, str]) -> None:
    """Run the worker until SIGTERM."""
    clock = SystemClock()
    credentials = ClientCredentials(
        client_id=options.pop("client_id", "local-client"), client_secret=Secret(options.pop("secret", "local-secret"))
    )
    hold = float(options.pop("hold_seconds", "300"))
    budget = BudgetConfig(recheck_seconds=float(options.pop("recheck_seconds", "900")))
    org = OrgConfig(
        credentials=credentials,
        token_url=f"{salesforce}/services/oauth2/token",
        retry=RetryPolicy(),
        budget=budget,
        hold=HoldConfig(first_seconds=hold, longest_seconds=4 * hold, claim_seconds=2.0),
    )
    database = Database(store)
    quick: dict[str, Any] = {
        "lease_seconds": 4.0,
        "beat_seconds": 0.5,
        "dispatch_seconds": 0.1,
        "watch_seconds": 0.5,
        "pause_seconds": 0.1,
        "longest_pause_seconds": 1.0,
        "patience_seconds": 30.0,
        "longest_poll_seconds": 0.5,
    }
    policy = WebhookPolicy.of(tuple(filter(None, options.pop("webhook_allow", "").split(","))))
    quick |= {"notify_seconds": 0.1, "retention_seconds": 900.0, "retention_days": 30.0, "retention_rows_days": 30.0}
    pauses = tuple(map(float, filter(None, options.pop("webhook_pauses", "").split(","))))
    usual = {field.name: field.default for field in fields(WorkerConfig)} | quick
    usual["piece_bytes"] = 0
    del quick["retention_rows_days"]
    given = {name: _read(usual[name], value) for name, value in options.items()}
    config = WorkerConfig(**{**quick, **given, "webhooks": policy, **({"webhook_pauses": pauses} if pauses else {})})
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await run_worker(
        config,
        database,
        LocalFiles(Path(folder)),
        Orgs([org], clock, database),
        clock,
        stop,
        ready=lambda: _say("ready"),
    )


if __name__ == "__main__":
    configure_logs(LogConfig(json=False))
    logging.getLogger("alembic").setLevel(logging.WARNING)
    store, folder, salesforce, *others = sys.argv[1:]
    named = dict(other.split("=", 1) for other in others)
    try:
        asyncio.run(work(store, folder, salesforce, named))
    except EngineError as refused:
        _say(refused.code)
        os._exit(3)
    os._exit(0)
