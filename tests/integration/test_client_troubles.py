"""The client when connections are cut, rows are locked and the emulated org dies."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orgbridge.client import (
    IngestJobRequest,
    Salesforce,
    errors,
)
from orgbridge.wire.bulk import IngestOperation
from tests.support.client_org import connect, count, emulator, external_id_of_account, finished, salesforce, troubled
from tests.support.emulator_server import (
    EmulatorServer,
)

__all__ = ["emulator", "salesforce", "troubled"]


@pytest.mark.parametrize(("cut", "made"), [("before", 0), ("after", 1)])
async def test_cut_create_is_unknown_and_never_doubled(
    salesforce: Salesforce, troubled: EmulatorServer, cut: str, made: int
) -> None:
    """A create whose connection is cut is not repeated, whether or not it took effect."""
    troubled.fault(method="POST", path="/sobjects/Account", cut=cut)
    with pytest.raises(errors.ConnectionFailed) as caught:
        await salesforce.records.create("Account", {"Name": f"cut {cut}"})
    assert caught.value.sent is True
    assert await count(salesforce, f"cut {cut}") == made


@pytest.mark.parametrize(("cut", "created"), [("before", True), ("after", False)])
async def test_cut_upsert_is_repeated_without_doubling(
    salesforce: Salesforce, troubled: EmulatorServer, cut: str, created: bool
) -> None:
    """An upsert whose connection is cut is repeated, makes one record, and says that it was repeated."""
    key = await external_id_of_account(salesforce)
    troubled.fault(method="PATCH", path="/sobjects/Account", cut=cut)
    result = await salesforce.records.upsert("Account", key, f"cut-{cut}", {"Name": f"cut upsert {cut}"})
    assert (result.created, result.repeated) == (created, True)
    assert await count(salesforce, f"cut upsert {cut}") == 1


async def test_cut_delete_is_a_success(salesforce: Salesforce, troubled: EmulatorServer) -> None:
    """A delete that took effect and lost its reply ends well."""
    record_id = await salesforce.records.create("Account", {"Name": "cut delete"})
    troubled.fault(method="DELETE", path="/sobjects/Account", cut="after")
    await salesforce.records.delete("Account", record_id)
    assert await count(salesforce, "cut delete") == 0


async def test_cut_close_is_told_and_the_job_goes_on(salesforce: Salesforce, troubled: EmulatorServer) -> None:
    """A close that took effect and lost its reply is told as unknown; the job's state tells the truth."""

    async def chunks() -> AsyncIterator[bytes]:
        yield b"Name\ncut close\n"

    ingest = salesforce.bulk.ingest
    job = await ingest.create(IngestJobRequest(object="Account", operation=IngestOperation.INSERT))
    await ingest.upload(job.id, chunks, 15)
    troubled.fault(method="PATCH", path="/jobs/ingest", cut="after")
    with pytest.raises(errors.ConnectionFailed) as caught:
        await ingest.close(job.id)
    assert caught.value.sent is True
    assert (await finished(ingest.get, job.id)).number_records_processed == 1
    assert await count(salesforce, "cut close") == 1


async def test_moment_of_503_is_survived_by_reads_only(salesforce: Salesforce, troubled: EmulatorServer) -> None:
    """A 503 is passed over where a repetition is safe, and reported where it is not."""
    troubled.fault(path="/limits", status=503)
    assert (await salesforce.limits.get())["DailyApiRequests"]["Max"] > 0
    troubled.fault(method="POST", path="/sobjects/Account", status=503)
    with pytest.raises(errors.ServerUnavailable):
        await salesforce.records.create("Account", {"Name": "503"})


async def test_locked_row_is_tried_again(salesforce: Salesforce, troubled: EmulatorServer) -> None:
    """An update that meets a lock once goes through."""
    record_id = await salesforce.records.create("Account", {"Name": "locked"})
    troubled.fault(method="PATCH", path="/sobjects/Account", status=400, errorCode="UNABLE_TO_LOCK_ROW", message="x")
    await salesforce.records.update("Account", record_id, {"Phone": "1"})
    assert (await salesforce.records.retrieve("Account", record_id, ["Phone"]))["Phone"] == "1"


async def test_killed_org_is_told_and_found_again(tmp_path: Path) -> None:
    """A killed org is `ConnectionFailed` with nothing sent; restarted on its file, the same client goes on."""
    with EmulatorServer(tmp_path / "org.sqlite") as server:
        async with connect(server) as salesforce:
            record_id = await salesforce.records.create("Account", {"Name": "survivor"})
            server.kill()
            with pytest.raises(errors.ConnectionFailed) as caught:
                await salesforce.records.retrieve("Account", record_id)
            assert caught.value.sent is False
            server.start()
            assert (await salesforce.records.retrieve("Account", record_id))["Name"] == "survivor"
