"""A whole org in a file, with jobs that tests carry on step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from orgbridge.emulator.faults import Faults
from orgbridge.emulator.jobs.ingest import IngestRun, IngestTools
from orgbridge.emulator.jobs.queries import QueryRun
from orgbridge.emulator.jobs.requests import read_ingest_request, read_query_request
from orgbridge.emulator.jobs.rows import Job, JobKind, ResultKind
from orgbridge.emulator.jobs.service import Jobs
from orgbridge.emulator.jobs.spool import Spool
from orgbridge.emulator.org.org import Org
from orgbridge.emulator.schema.loading import standard_catalogue
from orgbridge.emulator.storage.database import Storage
from orgbridge.kit.clock import SystemClock

VERSION = 62


@dataclass
class Town:
    """An org and its jobs; the workers are not started, tests do the steps."""

    tools: IngestTools
    jobs: Jobs

    def ingest(self, data: bytes | None, **request: str) -> Job:
        """Make a job, upload the data unless None, and close it."""
        body = {"object": "Account", "operation": "insert", **request}
        job = self.jobs.create_ingest(
            read_ingest_request(self.tools.org.catalogue, body), self.tools.org.admin_id, VERSION
        )
        if data is not None:
            upload = self.jobs.begin_upload(job.id)
            upload.write(data)
            self.jobs.finish_upload(job.id, upload)
        return self.jobs.close(JobKind.INGEST, job.id)

    def query(self, soql: str, **request: str) -> Job:
        """Make a query job."""
        body = {"operation": "query", "query": soql, **request}
        return self.jobs.create_query(read_query_request(body), self.tools.org.admin_id, VERSION)

    def run(self, job: Job, *, batch_rows: int = 10_000, forget: bool = False) -> Job:
        """Do all steps of a job; with `forget` by a new run each, as if killed after every step."""
        tools = replace(self.tools, batch_rows=batch_rows)

        def start() -> IngestRun | QueryRun:
            if job.kind is JobKind.INGEST:
                return IngestRun(tools, job.id)
            return QueryRun(tools.org, tools.clock, tools.faults, job.id)

        run = start()
        while not run.step():
            if forget:
                run.close()
                run = start()
        run.close()
        return self.jobs.get(job.kind, job.id)

    def results(self, job: Job, kind: ResultKind | None) -> bytes:
        """Return a whole result file."""
        return b"".join(self.jobs.ingest_results(job.id, VERSION, kind))

    def count(self, condition: str = "1") -> int:
        """Return how many accounts there are."""
        with self.tools.org.storage.read() as connection:
            return int(connection.execute(f"SELECT COUNT(*) FROM Account WHERE {condition}").fetchone()[0])


@pytest.fixture
def make_town(tmp_path: Path) -> Iterator[Callable[[], Town]]:
    """Open the org of this test's folder; again after a kill, if called again."""
    opened: list[Storage] = []

    def make() -> Town:
        clock = SystemClock()
        storage = Storage(tmp_path / "org.db")
        opened.append(storage)
        org = Org(storage, standard_catalogue(), clock)
        tools = IngestTools(org=org, spool=Spool(tmp_path / "uploads"), faults=Faults(), clock=clock, shuffle=True)
        return Town(tools, Jobs(tools))

    yield make
    for storage in opened:
        storage.close()


@pytest.fixture
def town(make_town: Callable[[], Town]) -> Town:
    """An org with nothing in it."""
    return make_town()
