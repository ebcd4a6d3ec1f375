"""Single records through the service: how many a second, and how much later than from Salesforce itself.

The org is a double that answers any read with the same kilobyte at once, so that only what stands between is measured.
The service signs in, checks the caller's token and scope and counts; the other is FastAPI with one httpx client, as it
is usually written, which does none of this. Caller, service and double share the machine's processors.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

import aiohttp

from benchmarks.doubles import RECORD_ID, serving
from benchmarks.figures import Figure
from benchmarks.houses import open_service

_SECONDS = 4.0
_ROUNDS = 2
#: Calls a second of each connection when latency is measured: a tenth of what would fill the service.
_PACE = 20


def figures() -> list[Figure]:
    """Measure service, proxy and direct calls in turn, and take the best round of each."""
    return asyncio.run(_figures())


async def _figures() -> list[Figure]:
    path = f"/records/Account/{RECORD_ID}"
    with serving("org") as org, serving("proxy", org) as proxy:
        async with open_service(org) as service:
            through = f"{service.url}/api/v1{path}"
            signed = {"Authorization": f"Bearer {service.token}"}
            direct = f"{org}/services/data/v60.0/sobjects/Account/{RECORD_ID}"
            rates: dict[str, list[float]] = {"service": [], "proxy": []}
            late: dict[str, list[list[float]]] = {"service": [], "direct": []}
            for _ in range(_ROUNDS):
                for name, url, headers in (("service", through, signed), ("proxy", f"{proxy}{path}", {})):
                    rates[name].append(len(await _calls(url, headers, connections=32)) / _SECONDS)
                for name, url, headers in (("service", through, signed), ("direct", direct, {})):
                    late[name].append(sorted(await _calls(url, headers, connections=10, pace=_PACE)))
    served, proxied = max(rates["service"]), max(rates["proxy"])

    def added(share: float) -> float:
        best = {name: min(run[int(len(run) * share)] for run in runs) for name, runs in late.items()}
        return (best["service"] - best["direct"]) * 1000

    return [
        Figure(name="record GET through the service, 32 connections", value=served, unit="req/s", more_is_better=True),
        Figure(name="record GET through FastAPI + httpx, 32 connections", value=proxied, unit="req/s"),
        Figure(name="record GET, ratio", value=served / proxied, unit="x", target=6, more_is_better=True),
        Figure(name="added latency p50, 10 connections, 200 req/s", value=added(0.5), unit="ms", target=3),
        Figure(name="added latency p99, 10 connections, 200 req/s", value=added(0.99), unit="ms", target=15),
    ]


async def _calls(url: str, headers: Mapping[str, str], *, connections: int, pace: float = 0.0) -> list[float]:
    """Ask again and again on some connections; return the seconds that each call took."""
    took: list[float] = []
    end = time.perf_counter() + _SECONDS

    async def one(number: int) -> None:
        due = time.perf_counter() + (number / connections / pace if pace else 0)
        while (began := time.perf_counter()) < end:
            if pace:
                await asyncio.sleep(max(0.0, due - began))
                due, began = due + 1 / pace, time.perf_counter()
            async with session.get(url) as answer:
                await answer.read()
                if answer.status != 200:
                    raise RuntimeError(f"{url} answered {answer.status}")
            took.append(time.perf_counter() - began)

    connector = aiohttp.TCPConnector(limit=connections)
    async with aiohttp.ClientSession(headers=dict(headers), connector=connector) as session:
        await asyncio.gather(*map(one, range(connections)))
    return took


if __name__ == "__main__":
    for figure in figures():
        print(f"{figure.name:<60}{figure.value:>12.2f} {figure.unit}")
