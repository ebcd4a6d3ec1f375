"""What a request pays for being somebody: the token, the user, the rights, as the routes ask for them.

The signature is checked once and the user is read every five seconds; both are measured beside what most requests pay.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from benchmarks.figures import Figure
from orgbridge.kit.clock import SystemClock
from orgbridge.services.identity import IdentityService
from orgbridge.store.database import Database
from orgbridge.store.schema import upgrade
from orgbridge.wiring.identity import build_people
from orgbridge.wiring.settings import load_settings

_CALLS = 20_000
_COLD_CALLS = 300


def figures() -> list[Figure]:
    """Measure a known token, a token of a user who is read again, and a token that is seen for the first time."""
    return asyncio.run(_figures())


async def _figures() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(env_file=None, needs_salesforce=False, orgbridge_data=Path(folder))
        await asyncio.to_thread(upgrade, settings.database_url)
        database = Database(settings.database_url)
        identity = build_people(settings, database, SystemClock()).identity
        await identity.create_user("ada", "correct horse battery", scopes=["records:read"])
        token = (await identity.sign_in("ada", "correct horse battery")).token
        known = await _times(lambda: identity.caller(token, ["records:read"]), _CALLS)
        read_again = await _times(lambda: _forgotten(identity, token), _COLD_CALLS)
        fresh = [(await identity.sign_in("ada", "correct horse battery")).token for _ in range(20)]
        first = await _times(lambda: identity.caller(fresh.pop(), ["records:read"]), len(fresh))
        await database.close()
    return [
        Figure(name="authorization of a request, p50", value=statistics.median(known), unit="ms", target=0.3),
        Figure(name="authorization of a request, p99", value=known[int(len(known) * 0.99)], unit="ms", target=0.3),
        Figure(name="the same when the user is read again, p50", value=statistics.median(read_again), unit="ms"),
        Figure(name="the same for a token never seen before, p50", value=statistics.median(first), unit="ms"),
    ]


async def _forgotten(identity: IdentityService, token: str) -> object:
    identity.principals.forget()
    return await identity.caller(token, ["records:read"])


async def _times(work: Callable[[], Awaitable[object]], count: int) -> list[float]:
    took = []
    for _ in range(count):
        began = time.perf_counter()
        await work()
        took.append((time.perf_counter() - began) * 1000)
    return sorted(took)
