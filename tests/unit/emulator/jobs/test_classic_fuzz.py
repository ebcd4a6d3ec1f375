"""Whatever bytes a batch of Bulk API 1.0 holds, it ends, and never because the emulator broke."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orgbridge.emulator.jobs.classic.ingest import IngestBatchRun
from orgbridge.emulator.jobs.classic.queries import QueryBatchRun
from orgbridge.emulator.jobs.classic.rows import BatchState
from tests.unit.emulator.jobs.conftest import Town
from tests.unit.emulator.jobs.test_classic_jobs import classic, content, make

NAMES = st.sampled_from(
    ["Name", "name", "External_Id__c", "Id", "AnnualRevenue", "Account", "Parent", "attributes", "X"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES | st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
RECORDS = st.lists(st.dictionaries(NAMES, VALUES, max_size=3) | VALUES, max_size=3)
TEXTS = st.text(alphabet="<>/\"',\n\r\0&;=sObject Name\udcff\u00e4[]{}:1", max_size=40)
OPERATIONS = st.sampled_from(["insert", "update", "upsert", "delete", "query"])


def body_of(kind: str, records: object, text: str) -> bytes:
    """Return bytes that are nearly what the form asks for."""
    raw = text.encode("utf-8", "surrogateescape")
    match kind:
        case "JSON":
            return json.dumps(records).encode() if len(text) % 3 else raw
        case "XML":
            return b"<sObjects><sObject><Name>" + raw + b"</Name>" + raw + b"</sObject></sObjects>"
        case _:
            return b"Name,External_Id__c\n" + raw if len(text) % 2 else raw


@pytest.mark.parametrize("kind", ["CSV", "JSON", "XML"])
def test_no_batch_breaks_the_emulator(make_town: Callable[[], Town], kind: str) -> None:
    """Every batch ends Completed, with a result for every record, or Failed with a reason."""
    town = make_town()
    jobs = classic(town)

    @settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(operation=OPERATIONS, records=RECORDS, text=TEXTS)
    def check(operation: str, records: object, text: str) -> None:
        more = {"externalIdFieldName": "External_Id__c"} if operation == "upsert" else {}
        job = make(jobs, town, operation=operation, contentType=kind, **more)
        batch = jobs.add_batch(job.id, body_of(kind, records, text))
        run = (QueryBatchRun if operation == "query" else IngestBatchRun)(town.tools, batch.id)
        while not run.step():
            pass
        run.close()
        ended = jobs.batch(job.id, batch.id)[1]
        assert ended.ended
        if ended.state is BatchState.COMPLETED and kind == "JSON":
            assert len(json.loads(content(jobs, job, batch.id))) == ended.processed
        elif ended.state is BatchState.FAILED:
            assert str(ended.state_message).startswith(("InvalidBatch : ", "ClientInputError : "))

    check()
