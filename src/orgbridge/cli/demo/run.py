"""The demo's story: make a file, start the house, load, kill the worker half way, prove every row."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orgbridge.cli.demo.accounts import EXISTING_ID, Account, Accounts
from orgbridge.cli.demo.checks import ORG_COLUMNS, Check, Ledger, check_org, check_results
from orgbridge.cli.demo.house import House
from orgbridge.cli.errors import DemoFailed
from orgbridge.cli.loading import LoadRequest, ResultKind, fetch_receipt, save_results, submit
from orgbridge.cli.receipts import balanced, rows
from orgbridge.cli.service import Service
from orgbridge.cli.terminal import Bar, Terminal
from orgbridge.cli.watching import Status, watch
from orgbridge.kit import json
from orgbridge.kit.clock import Clock
from orgbridge.wire.bulk import IngestOperation

#: A file of so few rows is one part.
_PART_ROWS = 10_000
#: A load on which nothing moves for so long is stuck.
_STALL_SECONDS = 180.0
_SAMPLED_ROWS = 100
MEBIBYTE = 1024 * 1024
_EVERYTHING = f"SELECT {', '.join(ORG_COLUMNS)} FROM Account"  # noqa: S608 - SOQL of constants
#: What the design promises for service and worker, above the idle process.
MEMORY_PROMISE = 100 * MEBIBYTE


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """What the demo is asked for."""

    rows: int
    seed: int
    #: Kill the worker half way.
    crash: bool
    folder: Path


@dataclass(slots=True, kw_only=True)
class Story:
    """What happened, filled in as it happens."""

    status: Status | None = None
    receipt: Mapping[str, Any] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)
    #: Process id and rows done when the worker was killed.
    killed: tuple[int, int] | None = None
    seconds: float = 0.0
    service_memory: int = 0
    worker_memory: int = 0

    @property
    def holds(self) -> bool:
        """True when every check holds."""
        return bool(self.checks) and all(check.holds for check in self.checks)


class Demo:
    """One run.

    Args:
        options: What is asked for.
        terminal: Where it is told.
        clock: For pauses and the seconds of the load.
    """

    def __init__(self, options: DemoOptions, terminal: Terminal, clock: Clock) -> None:
        self._options = options
        self._terminal = terminal
        self._clock = clock
        self._accounts = Accounts(options.rows, options.seed)
        self._input = options.folder / "accounts.csv"
        self.results_path = options.folder / "results.csv"
        self.receipt_path = options.folder / "receipt.json"

    async def run(self) -> Story:
        """Play the whole story and return what happened. Every process it started has ended when it returns.

        Raises:
            DemoFailed: It could not come to its end; why is in the message.
        """
        story = Story()
        writing = asyncio.create_task(asyncio.to_thread(self._write_input))
        self._say("starting the emulated org, the service and the worker")
        house = House(self._options.folder, self._clock)
        async with house.open():
            await writing
            self._say(
                f"  org {house.org_url} (pid {house.org.pid}), service {house.service_url} (pid {house.service.pid}), "
                f"worker (pid {house.worker.pid})"
            )
            async with Service(house.address) as service:
                await self._load(house, service, story)
                await self._prove(service, story)
            story.service_memory = house.service_memory.above_idle
            story.worker_memory = house.worker_memory.above_idle
        story.checks.append(_memory_check("service", story.service_memory))
        story.checks.append(_memory_check("worker", story.worker_memory))
        return story

    def _say(self, text: str) -> None:
        self._terminal.note(text)

    def _write_input(self) -> None:
        wrong = sum(self._accounts.fault_counts.values())
        ways = sum(1 for count in self._accounts.fault_counts.values() if count)
        self._say(f"writing {self._input}: {self._options.rows:,} accounts, {wrong:,} of them wrong in {ways} ways")
        with self._input.open("wb") as file:
            for block in self._accounts.blocks():
                file.write(block)

    async def _load(self, house: House, service: Service, story: Story) -> None:
        await service.create_record("Account", {"Name": "Already there", "External_Id__c": EXISTING_ID})
        began = self._clock.monotonic()
        request = LoadRequest(path=self._input, object_name="Account", operation=IngestOperation.INSERT)
        job_id = await submit(service, request, self._terminal)
        self._say(f"{job_id}: taken by the service")
        with self._terminal.rows_bar("insert Account", self._options.rows) as bar:
            watcher = _Watcher(house, bar, self._clock, self._options.rows)
            follow = asyncio.create_task(watch(service, job_id, self._clock, watcher.see))
            try:
                if self._options.crash:
                    story.killed = await self._kill_half_way(house, watcher, follow)
                while not follow.done():
                    watcher.check_alive()
                    await asyncio.wait({follow}, timeout=0.5)
                story.status = await follow
            finally:
                follow.cancel()
        story.seconds = self._clock.monotonic() - began
        story.receipt = await fetch_receipt(service, job_id)
        await asyncio.to_thread(self.receipt_path.write_bytes, json.dumps(dict(story.receipt)))

    async def _kill_half_way(
        self, house: House, watcher: _Watcher, follow: asyncio.Task[Status]
    ) -> tuple[int, int] | None:
        """Kill the worker when half of the rows are done and start it again.

        A file of one part has no half that shows: then as soon as the part is at Salesforce.
        """
        while not follow.done():
            watcher.check_alive()
            done = watcher.processed
            if done >= self._options.rows // 2 or (self._options.rows <= _PART_ROWS and watcher.working):
                pid = await house.kill_worker()
                self._say(f"killed the worker (pid {pid}) with SIGKILL at {done:,} of {self._options.rows:,} rows")
                await house.start_worker()
                self._say(f"started it again (pid {house.worker.pid})")
                return pid, done
            await asyncio.wait({follow}, timeout=0.02)
        return None

    async def _prove(self, service: Service, story: Story) -> None:
        assert story.status is not None, "the load has ended"
        if self._options.crash:
            detail = f"at {story.killed[1]:,} rows" if story.killed else "the load ended before its half was seen"
            story.checks.append(
                Check(claim="the worker was killed during the load", holds=story.killed is not None, detail=detail)
            )
        if not story.receipt:
            raise DemoFailed(f"The load ended as {story.status.state}: {story.status.error_message}")
        self._say("asking the org by SOQL what it holds, and checking the results file, row by row")
        org_path = self._options.folder / "org.csv"
        # The org exports while the rows are compared here.
        (ledger, checks), _ = await asyncio.gather(
            self._check_results(service, story.status.job_id), self._export(service, _EVERYTHING, org_path)
        )
        story.checks.append(self._receipt_check(story, ledger))
        story.checks += checks
        story.checks.append(await self._count_check(service, ledger))
        story.checks.append(await self._sample_check(service))
        story.checks += await asyncio.to_thread(check_org, self._accounts, ledger, org_path)

    async def _check_results(self, service: Service, job_id: str) -> tuple[Ledger, list[Check]]:
        await save_results(service, job_id, ResultKind.ALL, self.results_path)
        return await asyncio.to_thread(check_results, self._accounts, self.results_path)

    def _receipt_check(self, story: Story, ledger: Ledger) -> Check:
        receipt = story.receipt
        figures = {
            name: rows(receipt, name) for name in ("read", "sent", "succeeded", "failed", "unprocessed", "skipped")
        }
        wrong = sum(self._accounts.fault_counts.values())
        expected = {
            "read": self._options.rows,
            "sent": self._options.rows,
            "succeeded": self._options.rows - wrong,
            "failed": wrong,
            "unprocessed": 0,
            "skipped": 0,
        }
        in_results = {name: ledger.statuses[name] for name in ("succeeded", "failed", "unprocessed")}
        agrees = all(figures[name] == count for name, count in in_results.items())
        holds = figures == expected and agrees and balanced(receipt) and story.status is not None
        text = ", ".join(f"{name} {count:,}" for name, count in figures.items())
        return Check(
            claim="read = sent = succeeded + failed + unprocessed",
            holds=holds,
            detail=text if holds else f"{text}; expected {expected}; the results file has {in_results}",
        )

    async def _count_check(self, service: Service, ledger: Ledger) -> Check:
        answer = await service.query("SELECT COUNT() FROM Account")
        held = int(answer["totalSize"])
        expected = ledger.statuses["succeeded"] + 1  # and the one that was there before
        return Check(
            claim="COUNT() in the org is the rows that succeeded",
            holds=held == expected,
            detail=f"{held - 1:,}" if held == expected else f"{held - 1:,}, expected {expected - 1:,}",
        )

    async def _sample_check(self, service: Service) -> Check:
        """Ask for single rows by external id, as JSON: those with a line break in a cell first."""
        sample = self._sample()
        ids = ", ".join(f"'{account.external_id}'" for account in sample)
        soql = f"SELECT External_Id__c, Name, BillingStreet FROM Account WHERE External_Id__c IN ({ids})"  # noqa: S608 - ids that the generator made
        answer = await service.query(soql)
        held = {record["External_Id__c"]: record for record in answer["records"]}
        wrong = [
            account.external_id
            for account in sample
            if (record := held.get(account.external_id)) is None
            or (record["Name"], record["BillingStreet"]) != (account.name, account.street)
        ]
        return Check(
            claim="a sample asked for by external id is as it was sent",
            holds=not wrong and len(answer["records"]) == len(sample),
            detail=f"{len(sample)} rows" if not wrong else f"not {', '.join(wrong[:3])}",
        )

    def _sample(self) -> list[Account]:
        step = max(1, self._options.rows // (_SAMPLED_ROWS * 4))
        good = [
            account
            for row in range(0, self._options.rows, step)
            if (account := self._accounts.account(row)).fault is None
        ]
        good.sort(key=lambda account: "\n" not in account.street)
        return good[:_SAMPLED_ROWS]

    async def _export(self, service: Service, soql: str, path: Path) -> None:
        job_id = str((await service.query_submit("Account", soql))["job_id"])
        status = await watch(service, job_id, self._clock, lambda _: None, is_query=True)
        if status.state != "JobComplete":
            raise DemoFailed(f"The query job {job_id} ended as {status.state}: {status.error_message}")
        await save_results(service, job_id, ResultKind.ALL, path)


class _Watcher:
    """Moves the bar, and notices when nothing moves or a process is gone."""

    def __init__(self, house: House, bar: Bar, clock: Clock, total: int) -> None:
        self._house = house
        self._bar = bar
        self._clock = clock
        self._total = total
        self._moved_at = clock.monotonic()
        self.processed = 0
        self.working = False

    def see(self, status: Status) -> None:
        """Take in a status."""
        if status.processed != self.processed:
            self._moved_at = self._clock.monotonic()
        self.processed = status.processed
        self.working = status.state == "InProgress"
        self._bar.set(status.processed, total=self._total)

    def check_alive(self) -> None:
        """Raise when the load cannot come to its end.

        Raises:
            DemoFailed: A process ended by itself, or no row moved for minutes.
        """
        if (child := self._house.fallen()) is not None:
            raise DemoFailed(f"The {child.name} ended by itself. Its last words:\n{child.tail()}")
        if self._clock.monotonic() - self._moved_at > _STALL_SECONDS:
            raise DemoFailed(
                f"Nothing has moved for {_STALL_SECONDS:.0f} s at {self.processed:,} rows. "
                f"The worker's last words:\n{self._house.worker.tail()}"
            )


def _memory_check(name: str, above_idle: int) -> Check:
    return Check(
        claim=f"peak memory of the {name} is less than {MEMORY_PROMISE // MEBIBYTE} MiB above idle",
        holds=above_idle < MEMORY_PROMISE,
        detail=f"{above_idle / MEBIBYTE:.0f} MiB",
    )
