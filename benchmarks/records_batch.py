"""2,000 records in one `/records/batch` call without the Bulk API: Salesforce calls and wall time.

Against it: the records one by one through `/records/create`, as the first document has it; 200 of them, times ten.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from benchmarks.figures import Figure
from benchmarks.houses import open_house
from orgbridge.cli.service import Service

_RECORDS = 2_000
_SINGLE = 200


def figures() -> list[Figure]:
    """Measure both against one emulated org."""
    return asyncio.run(_figures())


async def _figures() -> list[Figure]:
    async with open_house() as opened:
        service = opened.service
        before = await _calls_of_org(service)
        began = time.perf_counter()
        body = {
            "object_name": "Account",
            "operation_type": "create",
            "use_bulk_api": False,
            "records": [{"Name": f"Batch {number}"} for number in range(_RECORDS)],
        }
        answer = await service._json("POST", "/records/batch", json_body=body)
        batch_seconds = time.perf_counter() - began
        results = answer["results"]
        if len(results) != _RECORDS or not all(result["success"] for result in results):
            raise RuntimeError("not all records of the batch were created")
        # Asking for the limits is a call itself.
        calls = await _calls_of_org(service) - before - 1
        began = time.perf_counter()
        for number in range(_SINGLE):
            await service.create_record("Account", {"Name": f"Single {number}"})
        single_seconds = (time.perf_counter() - began) * _RECORDS / _SINGLE
    return [
        Figure(name=f"batch of {_RECORDS:,} records, Salesforce calls", value=calls, unit="calls", target=10),
        Figure(name=f"batch of {_RECORDS:,} records", value=batch_seconds, unit="s"),
        Figure(name=f"{_RECORDS:,} records one by one", value=single_seconds, unit="s"),
        Figure(name="batch, ratio of wall time", value=batch_seconds / single_seconds, unit="x", target=0.05),
    ]


async def _calls_of_org(service: Service) -> int:
    """Return how many API requests the org has counted today."""
    limits: Any = await service.limits()
    daily = _find(limits, "DailyApiRequests")
    return int(daily["Max"]) - int(daily["Remaining"])


def _find(document: Any, name: str) -> Any:
    if isinstance(document, dict):
        if name in document:
            return document[name]
        for value in document.values():
            if (found := _find(value, name)) is not None:
                return found
    return None


if __name__ == "__main__":
    for figure in figures():
        print(f"{figure.name:<50}{figure.value:>12.3f} {figure.unit}")
