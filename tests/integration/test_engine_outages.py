"""A part whose Salesforce stays away: how long its steps wait, and what is said meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from orgbridge.client import ClientCredentials, IngestResult, RetryPolicy, Secret
from orgbridge.client.errors import ClientError
from orgbridge.engine.config import WorkerConfig
from orgbridge.engine.errors import StepRefused
from orgbridge.engine.exportpages import PageFetch
from orgbridge.engine.facts import InputFacts
from orgbridge.engine.ingest_jobs import IngestJobs
from orgbridge.engine.places import LoadTraces
from orgbridge.engine.resources import Resources
from orgbridge.loads.inputs import open_input
from orgbridge.loads.states import LoadState, PartState
from orgbridge.orgs.connections import OrgConfig, Orgs
from orgbridge.store.database import Database
from orgbridge.store.files import LocalFiles
from orgbridge.store.records import LoadKind, LoadRecord, PartRecord
from tests.support.clocks import HandClock
from tests.support.databases import migrate
from tests.support.engine_bench import free_port
from tests.support.salesforce_double import Answer, SalesforceDouble

_JOB = "750000000000001AAA"
_PATIENCE = 8.0
_CSV = b"Name\nAcme\n"


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    """Give threads to work in."""
    with ThreadPoolExecutor(1) as pool:
        yield pool


@pytest.fixture
async def resources(tmp_path: Path, threads: ThreadPoolExecutor) -> AsyncIterator[Resources]:
    """Give a worker's connections: a real store, and a Salesforce where nobody listens."""
    url = f"sqlite:///{tmp_path / 'orgbridge.sqlite'}"
    await asyncio.to_thread(migrate, url)
    clock = HandClock()
    org = OrgConfig(
        credentials=ClientCredentials(client_id="c", client_secret=Secret("s3cret")),
        token_url=f"http://127.0.0.1:{free_port()}/services/oauth2/token",
        retry=RetryPolicy(attempts=1),
    )
    database, orgs = Database(url), Orgs([org], clock)
    yield Resources(
        config=WorkerConfig(patience_seconds=_PATIENCE, pause_seconds=1.0, longest_pause_seconds=4.0),
        database=database,
        files=LocalFiles(tmp_path / "files"),
        orgs=orgs,
        clock=clock,
        matchers=threads,
        splitters=threads,
        traces=LoadTraces(database),
    )
    await orgs.close()
    await database.close()


async def _planned(resources: Resources) -> IngestJobs:
    facts = InputFacts.of_source(open_input(lambda: iter([_CSV]), name="a.csv"))
    now = resources.clock.now()
    load = LoadRecord(
        id="load_1",
        kind=LoadKind.INGEST,
        object_name="Account",
        operation="insert",
        state=LoadState.IN_PROGRESS,
        created_by="ann",
        created_at=now,
        input_facts=facts.to_json(),
    )
    part = PartRecord(
        load_id="load_1",
        number=0,
        state=PartState.PLANNED,
        rows=1,
        bytes=5,
        sha256="ab" * 32,
        first_line=2,
        first_row=1,
        input_key="loads/load_1/parts/00000.csv",
        upload={"line_ending": "LF", "upload_line_ending": "LF", "upload_bytes": 10, "mixed_cell_newlines": False},
    )
    async with resources.database.unit() as unit:
        await unit.loads.add(load)
        await unit.parts.replace_all("load_1", [part])
    return IngestJobs(resources, "load_1", 0)


async def test_a_job_that_cannot_be_created_is_given_up_when_patience_is_spent(resources: Resources) -> None:
    """The store, asked between two tries whether the load was cancelled, does not renew the patience."""
    jobs = await _planned(resources)
    began = resources.clock.monotonic()
    with pytest.raises(ClientError):
        async with asyncio.timeout(20):
            await jobs.create()
    assert _PATIENCE / 2 <= resources.clock.monotonic() - began <= _PATIENCE


async def test_results_that_cannot_be_fetched_are_given_up_with_their_reason(resources: Resources) -> None:
    """What three downloads, or the pages of a query, die of side by side is told as one error of Salesforce."""
    await _planned(resources)
    hasty = replace(resources, config=WorkerConfig(patience_seconds=0.0))
    with pytest.raises(ClientError):
        await IngestJobs(hasty, "load_1", 0).fetch(_JOB)
    with pytest.raises(ClientError):
        await PageFetch(hasty, "load_1", resources.orgs.get().salesforce, _JOB).run()


async def test_three_results_are_stored_and_a_job_that_is_gone_says_so(resources: Resources) -> None:
    """Each file lies under its own key; when one of them is not found, none counts as fetched."""
    await _planned(resources)
    async with SalesforceDouble() as double:
        credentials = ClientCredentials(client_id="c", client_secret=Secret("s3cret"))
        org = OrgConfig(credentials=credentials, token_url=double.token_url, api_version="v67.0")
        jobs = IngestJobs(replace(resources, orgs=Orgs([org], resources.clock)), "load_1", 0)
        for kind in IngestResult:
            path = f"/services/data/v67.0/jobs/ingest/{_JOB}/{kind.value}"
            double.script("GET", path, Answer(body=f"{kind.value}\n".encode()))
        keys = await jobs.fetch(_JOB)
        stored = {kind: b"".join(resources.files.open_blocks(key)).decode() for kind, key in keys.items()}
        assert stored == {kind.value: f"{kind.value}\n" for kind in IngestResult}
        with pytest.raises(StepRefused) as refused:
            await jobs.fetch("750000000000002AAA")
        await jobs.resources.orgs.close()
    assert refused.value.fault.code == "job.vanished"


async def test_a_load_that_waits_says_why(resources: Resources) -> None:
    """Whoever asks learns what it waits for and since when, without the secret."""
    jobs = await _planned(resources)
    with pytest.raises(ClientError):
        await jobs.create()
    async with resources.database.unit(write=False) as unit:
        load = await unit.loads.get("load_1")
    assert load is not None
    assert load.error_message is not None
    assert load.error_message.startswith("Waiting since 2026-01-01 ")
    assert "127.0.0.1" in load.error_message
    assert "s3cret" not in load.error_message
