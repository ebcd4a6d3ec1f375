"""The demo's story: make a file, start the house, load, let processes die, prove every row."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orgbridge.cli.demo.accounts import EXISTING_ID, Account, Accounts, Fault
from orgbridge.cli.demo.checks import ORG_COLUMNS, Check, Ledger, check_org, check_results
from orgbridge.cli.demo.house import House
from orgbridge.cli.demo.trouble import Kill, Trouble
from orgbridge.cli.demo.watcher import Watcher
from orgbridge.cli.errors import DemoFailed, ServiceRefused
from orgbridge.cli.load_options import InputOptions
from orgbridge.cli.loading import LoadRequest, ResultKind, fetch_receipt, save_results, submit
from orgbridge.cli.receipts import balanced, rows
from orgbridge.cli.service import Service
from orgbridge.cli.terminal import Terminal
from orgbridge.cli.watching import Status, watch
from orgbridge.kit import json
from orgbridge.kit.clock import Clock
from orgbridge.wire.bulk import IngestOperation

#: A file of so few rows is one part.
_PART_ROWS = 10_000
#: With faults a load has about so many parts, so that short ones meet all kinds of trouble too.
_FAULTY_PARTS = 10
#: Who dies in turn when there are faults: 0 the org, 1 the service, others the workers one after another.
_TURNS = (2, 1, 0, 3, 1, 4)
#: All kills come before so much of the rows is done.
_LAST_KILL = 0.9
_HALF_WAY = ((0.5, 2),)
_SUBMIT_SECONDS = 60.0
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
    #: Kill the worker half way; with `faults`, kill each process in turn.
    crash: bool
    folder: Path
    #: Let the org fail in every way that it can while the load runs.
    faults: bool = False
    #: Processes killed with `faults`, spread over the load.
    kills: int = 4
    #: More than one needs a shared database in `settings`.
    workers: int = 1
    #: Settings of service and workers on top of the demo's own.
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def part_rows(self) -> int:
        """Rows of each part."""
        if not self.faults:
            return _PART_ROWS
        # Hundreds, so that rows with one external id stay in one part.
        return max(100, min(_PART_ROWS, self.rows // _FAULTY_PARTS // 100 * 100))


@dataclass(slots=True, kw_only=True)
class Story:
    """What happened, filled in as it happens."""

    status: Status | None = None
    receipt: Mapping[str, Any] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)
    #: Every SIGKILL.
    kills: list[Kill] = field(default_factory=list)
    #: How often each kind of trouble struck; empty when none was ordered.
    strikes: dict[str, int] = field(default_factory=dict)
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
        options = self._options
        house = House(options.folder, self._clock, workers=options.workers, settings=options.settings)
        async with house.open():
            await writing
            self._say(
                f"  org {house.org_url} (pid {house.org.pid}), service {house.service_url} (pid {house.service.pid}), "
                + ", ".join(f"{worker.name} (pid {worker.pid})" for worker in house.workers)
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
        options = self._options
        trouble = Trouble(house, -(-options.rows // options.part_rows)) if options.faults else None
        if trouble is not None:
            await trouble.begin()
            self._say("the org fails from now on in every way that it can")
        began = self._clock.monotonic()
        job_id = await self._submit(service)
        self._say(f"{job_id}: taken by the service")
        with self._terminal.rows_bar("insert Account", options.rows) as bar:
            watcher = Watcher(house, bar, self._clock, options.rows)
            follow = asyncio.create_task(watch(service, job_id, self._clock, watcher.see))
            try:
                if options.crash:
                    await self._kill(house, watcher, follow, story, trouble)
                while not follow.done():
                    watcher.check_alive()
                    await asyncio.wait({follow}, timeout=0.5)
                story.status = await follow
            finally:
                follow.cancel()
        story.seconds = self._clock.monotonic() - began
        if trouble is not None:
            await house.settle()
            await trouble.end()
            story.strikes = dict(trouble.strikes)
            story.checks.append(_trouble_check(trouble))
        story.receipt = await fetch_receipt(service, job_id)
        await asyncio.to_thread(self.receipt_path.write_bytes, json.dumps(dict(story.receipt)))

    async def _submit(self, service: Service) -> str:
        """Hand the file in; while the org fails its columns may not be there to check, and nothing is taken."""
        options = InputOptions(part_rows=self._options.part_rows if self._options.faults else None)
        request = LoadRequest(
            path=self._input, object_name="Account", operation=IngestOperation.INSERT, options=options
        )
        deadline = self._clock.monotonic() + _SUBMIT_SECONDS
        while True:
            try:
                return await submit(service, request, self._terminal)
            except ServiceRefused as refused:
                if refused.status < 500 or not self._options.faults or self._clock.monotonic() > deadline:
                    raise
                self._say(f"not taken ({refused.message}); once more")
                await self._clock.sleep(0.5)

    async def _kill(
        self, house: House, watcher: Watcher, follow: asyncio.Task[Status], story: Story, trouble: Trouble | None
    ) -> None:
        """Kill a process whenever its share of the rows is done, and start it again."""
        for share, turn in self._plan:
            while not follow.done() and not self._due(watcher, share):
                watcher.check_alive()
                await asyncio.wait({follow}, timeout=0.02)
            if follow.done():
                return
            child = house.children[turn if turn < 2 else 2 + (turn - 2) % len(house.workers)]
            done = watcher.processed
            if trouble is not None:
                await trouble.expire()
            pid = await house.kill(child)
            story.kills.append(Kill(name=child.name, pid=pid, rows=done))
            self._say(f"killed the {child.name} (pid {pid}) with SIGKILL at {done:,} of {self._options.rows:,} rows")
            await house.start(child)
            self._say(f"started it again (pid {child.pid})")
            if child is house.org:
                await house.settle()

    @property
    def _plan(self) -> tuple[tuple[float, int], ...]:
        if not self._options.faults:
            return _HALF_WAY
        kills = self._options.kills
        return tuple((_LAST_KILL * (kill + 1) / (kills + 1), _TURNS[kill % len(_TURNS)]) for kill in range(kills))

    def _due(self, watcher: Watcher, share: float) -> bool:
        """Tell whether enough rows are done. A file of one part has no half that shows: then once it is sent."""
        options = self._options
        return watcher.processed >= int(options.rows * share) or (options.rows <= options.part_rows and watcher.working)

    async def _prove(self, service: Service, story: Story) -> None:
        assert story.status is not None, "the load has ended"
        if self._options.crash:
            story.checks.append(self._kills_check(story.kills))
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
        return await asyncio.to_thread(check_results, self._accounts, self.results_path, locks=self._options.faults)

    def _kills_check(self, kills: list[Kill]) -> Check:
        told = ", ".join(f"{kill.name} at {kill.rows:,} rows" for kill in kills)
        if not self._options.faults:
            claim = "the worker was killed during the load"
        else:
            claim = f"{len(self._plan)} processes were killed during the load"
        missing = len(self._plan) - len(kills)
        if missing:
            told = f"{told or 'none'}; the load ended before {missing} of the kills were due"
        return Check(claim=claim, holds=not missing, detail=told)

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
            # With locks the next row may have gone first under the same external id.
            and self._accounts.fault(row + 1) is not Fault.DUPLICATE_IN_FILE
        ]
        good.sort(key=lambda account: "\n" not in account.street)
        return good[:_SAMPLED_ROWS]

    async def _export(self, service: Service, soql: str, path: Path) -> None:
        job_id = str((await service.query_submit("Account", soql))["job_id"])
        status = await watch(service, job_id, self._clock, lambda _: None, is_query=True)
        if status.state != "JobComplete":
            raise DemoFailed(f"The query job {job_id} ended as {status.state}: {status.error_message}")
        await save_results(service, job_id, ResultKind.ALL, path)


def _memory_check(name: str, above_idle: int) -> Check:
    return Check(
        claim=f"peak memory of the {name} is less than {MEMORY_PROMISE // MEBIBYTE} MiB above idle",
        holds=above_idle < MEMORY_PROMISE,
        detail=f"{above_idle / MEBIBYTE:.0f} MiB",
    )


def _trouble_check(trouble: Trouble) -> Check:
    struck = ", ".join(f"{name} {count:,}" for name, count in trouble.strikes.items())
    return Check(
        claim="every kind of trouble struck",
        holds=not trouble.unstruck,
        detail=f"never: {', '.join(trouble.unstruck)}" if trouble.unstruck else struck,
    )
