"""The workflow of a bulk query: create the job, wait, fetch its pages side by side, make one file of them, count."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from orgbridge.client import Salesforce
from orgbridge.client.errors import ClientError, Conflicting, NotFound
from orgbridge.engine.completion import Completion
from orgbridge.engine.describes import columns_of
from orgbridge.engine.errors import StepRefused
from orgbridge.engine.exportfiles import PageDamaged, Pages, write_results
from orgbridge.engine.exportpages import PageFetch
from orgbridge.engine.faults import Fault
from orgbridge.engine.gatherings import Gathering
from orgbridge.engine.ingests import note_load_calls
from orgbridge.engine.paces import share_of
from orgbridge.engine.resources import Resources
from orgbridge.engine.steps import run_step
from orgbridge.kit.logs import get_logger
from orgbridge.loads.columns import Column, ExportFormat
from orgbridge.loads.states import LoadState
from orgbridge.store.export_records import PageRecord
from orgbridge.store.files import StoredFile
from orgbridge.store.records import JobRecord, JobUse, LoadRecord
from orgbridge.wire.bulk import TERMINAL_JOB_STATES, JobState, QueryOperation

#: Times that pages whose files are damaged are fetched again before the export is given up.
_MENDINGS = 3
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class QueryWorkflow:
    """Runs bulk queries with what the worker has."""

    #: The worker's connections.
    resources: Resources

    async def run(self, load_id: str) -> str:
        """Carry a query to its end and return its last state."""
        steps = _QuerySteps(self.resources, load_id)
        try:
            job_id: str | None = await self._step(load_id, "create", steps.create)
            if job_id is None:
                return str(await self._step(load_id, "stop", steps.stop))
            ended: dict[str, Any] | None = await self._step(
                load_id, "wait", partial(steps.wait, job_id), preemptible=True
            )
            if ended is None:
                await self._step(load_id, "abort", partial(steps.abort, job_id))
                return str(await self._step(load_id, "stop", steps.stop))
            if ended["state"] != JobState.JOB_COMPLETE:
                reason = ended["error"] or "Salesforce gave no reason"
                message = f"Query job {job_id} ended as {ended['state']}: {reason}."
                raise StepRefused(Fault(code="job.failed", message=message))
            fetched: dict[str, Any] = await self._step(load_id, "fetch", partial(steps.fetch, job_id, ended["records"]))
            if fetched.get("target"):
                await self._step(load_id, "deliver", partial(steps.deliver, fetched))
            state = str(await self._step(load_id, "complete", partial(steps.complete, job_id, fetched)))
            await self._step(load_id, "tidy", steps.tidy)
            return state
        except StepRefused as refusal:
            fault = refusal.fault
            completion = Completion(self.resources, load_id)
            return str(await self._step(load_id, "fail", lambda: completion.fail(fault)))

    async def _step(self, load_id: str, name: str, body: Any, *, preemptible: bool = False) -> Any:
        note = partial(note_load_calls, self.resources, load_id)
        place, clock = self.resources.place(load_id), self.resources.clock
        return await run_step(name, body, place=place, clock=clock, note_calls=note, preemptible=preemptible)


@dataclass(frozen=True, slots=True)
class _QuerySteps:
    """Bodies of the steps of one query. All of them only read at Salesforce, so each may run again."""

    resources: Resources
    load_id: str

    async def create(self) -> str | None:
        """Create the job and return its id; None when the query is to be stopped."""
        patience = self.resources.patience(self.load_id)

        async def begin() -> LoadRecord:
            async with self.resources.database.unit() as unit:
                await unit.loads.begin(self.load_id, self.resources.clock.now())
            return await self._load()

        load = await patience.until_done(begin)
        if load.cancel_requested:
            return None
        salesforce = self._salesforce(load)
        operation = QueryOperation(load.operation)
        job = await patience.until_done(lambda: salesforce.bulk.query.create(load.soql or "", operation))

        async def record() -> None:
            now = self.resources.clock.now()
            async with self.resources.database.unit() as unit:
                await unit.jobs.add(
                    JobRecord(job_id=job.id, load_id=self.load_id, part=None, use=JobUse.COMMITTED, created_at=now)
                )
                changes = {"object_name": job.object} if job.object else {}
                await unit.loads.update(self.load_id, job_id=job.id, **changes)

        await patience.until_done(record)
        return job.id

    async def wait(self, job_id: str) -> dict[str, Any] | None:
        """Look at the job until it has ended; None when the query is to be stopped instead."""
        patience = self.resources.patience(self.load_id)
        salesforce = self._salesforce(await patience.until_done(self._load))
        clock, config = self.resources.clock, self.resources.config
        began = clock.monotonic()
        seen: int | None = None
        while True:
            try:
                job = await patience.until_done(lambda: salesforce.bulk.query.get(job_id))
            except NotFound as error:
                message = f"Salesforce no longer knows query job {job_id}."
                raise StepRefused(Fault(code="job.vanished", message=message)) from error
            if job.number_records_processed != seen:
                seen = job.number_records_processed
                await patience.until_done(partial(self._show, seen))
            if job.state in TERMINAL_JOB_STATES:
                return {
                    "state": job.state.value,
                    "error": job.error_message,
                    "records": job.number_records_processed,
                }
            if await patience.until_done(partial(self.resources.cancel_requested, self.load_id)):
                return None
            elapsed = clock.monotonic() - began
            await self.resources.rest(
                self.load_id, share_of(elapsed, shortest=config.poll_seconds, longest=config.longest_poll_seconds)
            )

    async def abort(self, job_id: str) -> None:
        """Ask Salesforce to stop the job."""
        patience = self.resources.patience(self.load_id)
        salesforce = self._salesforce(await patience.until_done(self._load))

        async def act() -> None:
            try:
                await salesforce.bulk.query.abort(job_id)
            except (Conflicting, NotFound):
                # It has ended by itself.
                return

        await patience.until_done(act)

    async def fetch(self, job_id: str, expected: int | None) -> dict[str, Any]:
        """Fetch all pages, count their records, and make the results file of them.

        After a kill this goes on with the pages that are not in the store yet.
        """
        patience = self.resources.patience(self.load_id)
        load = await patience.until_done(self._load)
        salesforce = self._salesforce(load)
        form = ExportFormat(load.options.get("output_format") or ExportFormat.CSV)
        # Nobody else writes there: a killed worker's half of the results may be as large as the whole.
        await patience.until_done(lambda: self.resources.files.sweep(f"loads/{self.load_id}"))
        for _ in range(_MENDINGS):
            gathering = Gathering(self.resources, _results_key(self.load_id, form), form)
            try:
                pages = await PageFetch(self.resources, self.load_id, salesforce, job_id, gathering.take).run()
                records = sum(page.rows for page in pages)
                if expected is not None and records != expected:
                    message = f"Query job {job_id}: its pages hold {records} records, the job says {expected}."
                    raise StepRefused(Fault(code="load.unbalanced", message=message))
                stored = await self._assemble(load, form, pages, gathering)
            except PageDamaged as damage:
                _log.warning("engine.page_damaged", load_id=self.load_id, page=damage.number)
                await patience.until_done(partial(self._forget, damage.number))
                continue
            finally:
                await gathering.give_up()
            return {
                "key": stored.key,
                "bytes": stored.bytes,
                "sha256": stored.sha256,
                "records": records,
                "pages": len(pages),
                "format": form.value,
                "target": load.options.get("target"),
            }
        message = f"Pages of query job {job_id} do not stay in the file store as they were written."
        raise StepRefused(Fault(code="engine.files", message=message))

    async def deliver(self, fetched: dict[str, Any]) -> None:
        """Put a copy of the results where the caller wants it."""
        key, target = str(fetched["key"]), str(fetched["target"])
        files, targets = self.resources.files, self.resources.config.targets
        await self.resources.patience(self.load_id).until_done(
            lambda: self.resources.split(partial(targets.deliver, files, key, target))
        )

    async def tidy(self) -> None:
        """Remove the pages: all that they hold is in the results file."""
        await self.resources.patience().until_done(lambda: self.resources.files.delete(f"loads/{self.load_id}/pages"))

        async def forget() -> None:
            async with self.resources.database.unit() as unit:
                await unit.pages.drop_all(self.load_id)

        await self.resources.patience().until_done(forget)

    async def _assemble(
        self, load: LoadRecord, form: ExportFormat, pages: list[PageRecord], gathering: Gathering
    ) -> StoredFile:
        patience = self.resources.patience(self.load_id)
        bound = Pages(files=self.resources.files, pages=pages)
        header = await patience.until_done(lambda: self.resources.split(bound.header))
        columns = await self._columns(load, form, header)
        stored = await gathering.finish()
        if stored is None:
            stored = await patience.until_done(
                lambda: self.resources.split(
                    partial(write_results, bound, columns, form, _results_key(self.load_id, form))
                )
            )

        async def note() -> None:
            facts = {"columns": [column.to_json() for column in columns]}
            async with self.resources.database.unit() as unit:
                await unit.loads.update(self.load_id, input_facts=facts)

        await patience.until_done(note)
        return stored

    async def _columns(self, load: LoadRecord, form: ExportFormat, header: list[str]) -> tuple[Column, ...]:
        salesforce = self._salesforce(load)
        patience = self.resources.patience(self.load_id)

        async def resolve() -> tuple[Column, ...]:
            return await columns_of(salesforce, load.object_name, load.soql or "", header)

        if form is not ExportFormat.CSV:
            return await patience.until_done(resolve)
        try:
            return await resolve()
        except ClientError as error:
            # A CSV has no types; whoever reads it as JSON then gets texts.
            _log.warning("engine.columns_untyped", load_id=self.load_id, cause=str(error))
            return tuple(Column(name=name, path=tuple(name.split("."))) for name in header)

    async def _forget(self, number: int) -> None:
        async with self.resources.database.unit() as unit:
            await unit.pages.drop(self.load_id, number)

    async def complete(self, job_id: str, fetched: dict[str, Any]) -> str:
        """Write the receipt and set the last state."""

        async def record() -> None:
            now = self.resources.clock.now()
            load = await self._load()
            async with self.resources.database.unit() as unit:
                await unit.loads.update(
                    self.load_id,
                    state=LoadState.JOB_COMPLETE,
                    rows_read=fetched["records"],
                    rows_succeeded=fetched["records"],
                    results_key=fetched["key"],
                    error_message=None,
                    receipt={
                        "load_id": load.id,
                        "object": load.object_name,
                        "operation": load.operation,
                        "soql": load.soql,
                        "state": LoadState.JOB_COMPLETE.value,
                        "job_id": job_id,
                        "rows": {"read": fetched["records"]},
                        "pages": fetched.get("pages"),
                        "format": fetched.get("format", ExportFormat.CSV.value),
                        "target": fetched.get("target"),
                        "balanced": True,
                        "mismatches": [],
                        "results": {
                            "name": fetched["key"],
                            "bytes": fetched["bytes"],
                            "sha256": fetched["sha256"],
                        },
                        "api_calls": load.api_calls,
                        "seconds": (now - load.created_at).total_seconds(),
                        "started_at": (load.started_at or load.created_at).isoformat(),
                        "finished_at": now.isoformat(),
                    },
                    finished_at=now,
                )

        await self.resources.patience().until_done(record)
        return LoadState.JOB_COMPLETE.value

    async def stop(self) -> str:
        """End a query that was cancelled."""

        async def record() -> None:
            async with self.resources.database.unit() as unit:
                await unit.loads.update(
                    self.load_id,
                    state=LoadState.ABORTED,
                    error_code="load.cancelled",
                    error_message="The query was cancelled.",
                    finished_at=self.resources.clock.now(),
                )

        await self.resources.patience().until_done(record)
        return LoadState.ABORTED.value

    async def _show(self, records: int | None) -> None:
        if records is not None:
            async with self.resources.database.unit() as unit:
                await unit.loads.update(self.load_id, rows_read=records)

    async def _load(self) -> LoadRecord:
        async with self.resources.database.unit(write=False) as unit:
            load = await unit.loads.get(self.load_id)
        if load is None:
            raise StepRefused(Fault(code="load.deleted", message=f"Load {self.load_id} was deleted while it ran."))
        return load

    def _salesforce(self, load: LoadRecord) -> Salesforce:
        return self.resources.orgs.get(load.org).salesforce


def _results_key(load_id: str, form: ExportFormat) -> str:
    return f"loads/{load_id}/results.{form.value}"
