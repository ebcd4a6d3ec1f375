"""The killer: loads run, processes die at random moments and come back, and at the end everything must add up."""

from __future__ import annotations

import asyncio
import csv
import io
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from random import Random

from orgbridge.cli.errors import ServiceRefused, ServiceUnreachable
from orgbridge.cli.receipts import rows
from orgbridge.cli.service import Service
from orgbridge.cli.watching import Status, status_of, watch
from tests.support.processes import Town

#: Every so many rows one has no Name and must be refused.
FAULT_EVERY = 50
_MOST_PAUSE_SECONDS = 1.2
_MOST_DOWN_SECONDS = 0.8


@dataclass(slots=True, kw_only=True)
class Load:
    """One load that runs while processes die."""

    #: Marks its rows in the org.
    tag: str
    #: insert or upsert. An insert carries no unique field, so that a row sent twice would be there twice.
    operation: str
    rows: int
    job_id: str = ""
    status: Status | None = None
    faults: list[str] = field(default_factory=list)

    @property
    def key(self) -> str:
        """The column that tells its rows."""
        return "External_Id__c" if self.operation == "upsert" else "AccountNumber"

    def content(self) -> bytes:
        """Return the file, CRLF, with line breaks and commas in cells."""
        out = io.StringIO(newline="")
        writer = csv.writer(out, lineterminator="\r\n")
        writer.writerow([self.key, "Name", "BillingStreet"])
        for row in range(self.rows):
            name = "" if row % FAULT_EVERY == FAULT_EVERY - 1 else f"Ångström, {row}"
            writer.writerow([f"{self.tag}-{row}", name, f"Street {row}\r\nDoor 2" if row % 7 == 0 else f"Street {row}"])
        return out.getvalue().encode()

    @property
    def expected(self) -> set[str]:
        """Keys of the rows that the org must take."""
        return {f"{self.tag}-{row}" for row in range(self.rows) if row % FAULT_EVERY != FAULT_EVERY - 1}


class Killer:
    """Kills a process of the town at random, waits a moment, starts it again; the same dice for the same seed.

    Args:
        town: What may be killed.
        service: The town's service.
        kills: How many SIGKILLs.
        load_rows: Rows of each load.
        seed: Of the dice.
    """

    def __init__(self, town: Town, service: Service, *, kills: int, load_rows: int, seed: int) -> None:
        self._town = town
        self._service = service
        self._kills = kills
        self._load_rows = load_rows
        self._dice = Random(seed)
        self.loads: list[Load] = []
        self.killed: Counter[str] = Counter()

    async def run(self) -> None:
        """Kill as often as asked, always while loads are under way, then let all loads come to their end."""
        for _ in range(3):
            await self._submit()
        for _ in range(self._kills):
            await self._keep_busy()
            await self._town.clock.sleep(self._dice.uniform(0.02, _MOST_PAUSE_SECONDS))
            child = self._dice.choice(self._town.children)
            await child.kill()
            self.killed[child.name] += 1
            await self._town.clock.sleep(self._dice.uniform(0, _MOST_DOWN_SECONDS))
            await child.start()
        await self._town.wait_for_service()
        async with asyncio.timeout(120 + 10 * self._kills):
            for load in self.loads:
                load.status = await watch(self._service, load.job_id, self._town.clock, lambda _: None)

    async def _keep_busy(self) -> None:
        await self._town.wait_for_service()
        try:
            states = [status_of(await self._service.job(load.job_id)) for load in self.loads]
        except ServiceUnreachable:
            return
        if all(status.ended for status in states):
            await self._submit()

    async def _submit(self) -> None:
        """Hand in a load while nothing is being killed, so that its id is known."""
        number = len(self.loads)
        operation = "upsert" if number % 3 == 2 else "insert"
        load = Load(tag=f"L{number}", operation=operation, rows=self._load_rows)

        async def chunks() -> AsyncIterator[bytes]:
            yield load.content()

        params = {"object_name": "Account", "operation_type": operation}
        if operation == "upsert":
            params["external_id_field"] = "External_Id__c"
        async with asyncio.timeout(60):
            while True:
                try:
                    answer = await self._service.upload(name=f"{load.tag}.csv", chunks=chunks(), params=params)
                    break
                except (ServiceRefused, ServiceUnreachable) as error:
                    # The org may still be coming up: a load is only taken once its columns were checked there.
                    if isinstance(error, ServiceRefused) and error.status < 500:
                        raise
                    await self._town.clock.sleep(0.2)
        load.job_id = str(answer["job_id"])
        self.loads.append(load)


async def verify(service: Service, load: Load) -> list[str]:
    """Return what is wrong with a load that has ended: receipt, results and org must all tell the same."""
    faults = []
    if load.status is None or load.status.state != "JobComplete":
        state = load.status.state if load.status else "unknown"
        return [f"{load.tag} ended as {state}: {load.status.error_message if load.status else ''}"]
    receipt = await service.receipt(load.job_id)
    figures = {name: rows(receipt, name) for name in ("read", "sent", "succeeded", "failed", "unprocessed")}
    failed = load.rows - len(load.expected)
    wanted = {"read": load.rows, "sent": load.rows, "succeeded": load.rows - failed, "failed": failed, "unprocessed": 0}
    if figures != wanted or not receipt.get("balanced"):
        faults.append(f"{load.tag}: the receipt says {figures}, expected {wanted}; {receipt.get('mismatches')}")
    results = [record async for record in _records(service, load.job_id)]
    claimed = {record[load.key]: record["sf__Id"] for record in results if record["ob__status"] == "succeeded"}
    if len(results) != load.rows or set(claimed) != load.expected:
        faults.append(f"{load.tag}: the results file has {len(results)} rows, {len(claimed)} of them succeeded")
    soql = f"SELECT Id, {load.key} FROM Account WHERE {load.key} LIKE '{load.tag}-%'"
    held: Counter[str] = Counter()
    async with service.query_stream(soql, "text/csv") as blocks:
        text = b"".join([block async for block in blocks]).decode("utf-8-sig")
    for record in csv.DictReader(io.StringIO(text, newline="")):
        held[record[load.key]] += 1
        if claimed.get(record[load.key]) != record["Id"] and held[record[load.key]] == 1:
            faults.append(f"{load.tag}: {record[load.key]} has another id in the org than in the results")
    twice = [key for key, count in held.items() if count > 1]
    if twice:
        faults.append(f"{load.tag}: {len(twice)} rows are in the org more than once, e.g. {twice[0]}")
    if set(held) != load.expected:
        lost, strange = load.expected - set(held), set(held) - load.expected
        faults.append(f"{load.tag}: {len(lost)} rows are lost, {len(strange)} should not be there")
    return faults[:5]


async def _records(service: Service, job_id: str) -> AsyncIterator[dict[str, str]]:
    async with service.results(job_id, "all") as blocks:
        text = b"".join([block async for block in blocks]).decode("utf-8-sig")
    for record in csv.DictReader(io.StringIO(text, newline="")):
        yield record
