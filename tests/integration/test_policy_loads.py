"""Policies over the emulated org: loads, exports and jobs of a caller with roles."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from orgbridge.kit.clock import SystemClock
from orgbridge.loads.errors import BadMapping
from orgbridge.loads.mapping_files import spec_from_json
from orgbridge.orgs.connections import Orgs
from orgbridge.services.errors import ColumnsRefused, InvalidRequest, LoadNotFound
from orgbridge.services.jobs import JobFilter, JobService
from orgbridge.services.loads import IntakeConfig, LoadRequest, LoadService
from orgbridge.services.policies.errors import (
    OperationRefused,
    PolicyError,
    QueryRefused,
    RowsRefused,
)
from orgbridge.services.preflight import PreflightService
from orgbridge.services.scopes import Caller
from orgbridge.store.database import Database
from orgbridge.store.files.local import LocalFiles
from tests.support.callers import UNRESTRICTED, restricted
from tests.support.databases import migrate
from tests.support.policy_org import BANKER, BANKS, org_url, orgs, rows

__all__ = ["org_url", "orgs", "rows"]


@pytest.fixture
async def house(orgs: Orgs, tmp_path: Path) -> AsyncIterator[tuple[LoadService, JobService]]:
    """Taking in loads, and looking at jobs, over a database of their own."""
    url = f"sqlite:///{tmp_path / 'orgbridge.sqlite'}"
    migrate(url)
    database, files = Database(url), LocalFiles(tmp_path / "files")
    try:
        intake = IntakeConfig(input_folder=tmp_path)
        yield LoadService(database, files, orgs, SystemClock(), intake), JobService(database, files, orgs)
    finally:
        await database.close()


async def _submit(loads: LoadService, text: str, caller: Caller, name: str = "Contact", word: str = "insert") -> str:
    async def chunks() -> AsyncIterator[bytes]:
        yield text.encode()

    request = LoadRequest(object_name=name, operation=word)
    return (await loads.submit_stream(request, chunks(), caller)).job_id


async def test_loads_take_allowed_columns_and_rows_that_need_no_comparing(
    house: tuple[LoadService, JobService],
) -> None:
    """Operation, columns, lookups and the condition on rows are checked before anything is kept."""
    loads, _ = house
    refused: list[tuple[str, str, str, type[Exception]]] = [
        ("Account", "insert", "Name\nx\n", RowsRefused),
        ("Contact", "update", "Id,LastName\nx,y\n", OperationRefused),
        ("Contact", "insert", "LastName,Account.External_Id__c\nx,y\n", RowsRefused),
        ("Contact", "insert", "LastName,Owner.Username\nx,y\n", ColumnsRefused),
        ("Contact", "insert", "LastName,NothingAtAll\nx,y\n", ColumnsRefused),
        ("Opportunity", "insert", "Name\nx\n", InvalidRequest),
    ]
    for name, word, text, expected in refused:
        with pytest.raises(expected):
            await _submit(loads, text, BANKER, name, word)
    open_role = {"objects": {"Account": {**BANKS["objects"]["Account"], "unchecked_writes": ["insert"]}}}
    with pytest.raises(ColumnsRefused) as hidden:
        await _submit(loads, "Name,AnnualRevenu\nx,1\n", restricted(open_role), "Account")
    assert "AnnualRevenue" not in hidden.value.message
    assert await _submit(loads, "Name\nx\n", restricted(open_role), "Account")


async def test_mapped_loads_and_preflights_see_what_is_sent_and_no_hidden_row(
    house: tuple[LoadService, JobService], orgs: Orgs, tmp_path: Path, rows: dict[str, str]
) -> None:
    """Columns and constants are checked as the fields they go to; parents outside of the condition are not told."""
    loads, _ = house
    role = {"objects": {**BANKS["objects"], "Account": {**BANKS["objects"]["Account"], "unchecked_writes": ["insert"]}}}
    caller = restricted(role)
    preflight = PreflightService(loads, LocalFiles(tmp_path / "files"), orgs, SystemClock())

    async def chunks(text: str) -> AsyncIterator[bytes]:
        yield text.encode()

    said: list[tuple[str, dict[str, Any], str, Any]] = [
        (
            "Account",
            {"columns": {"Firm": "Name", "Home": "Website"}},
            "Firm,Home\nx,y\n",
            (ColumnsRefused, PolicyError),
        ),
        ("Account", {"constants": {"Website": "w"}}, "Name\nx\n", (ColumnsRefused, PolicyError)),
        ("Account", {"columns": {"Firm": "AnnualRevenue"}}, "Name,Firm\nx,1\n", BadMapping),
        ("Contact", {"columns": {"Firm": "Account.External_Id__c"}}, "LastName,Firm\nx,y\n", RowsRefused),
    ]
    for name, mapping, text, expected in said:
        request = LoadRequest(object_name=name, operation="insert", mapping=spec_from_json(mapping))
        with pytest.raises(expected) as refused:
            await loads.submit_stream(request, chunks(text), caller)
        assert "REVENUE" not in str(refused.value).upper().replace("'ANNUALREVENUE'", "")
        with pytest.raises(expected):
            await preflight.stream(request, chunks(text), caller)
    text = f"LastName,AccountId\na,{rows['bank']}\nb,{rows['shop']}\nc,001000000000001AAA\n"
    request = LoadRequest(object_name="Contact", operation="insert")
    report = await preflight.stream(request, chunks(text), caller)
    assert [(item["code"], item["count"]) for item in report["findings"]] == [("PARENTS_NOT_CHECKED", 1)]
    report = await preflight.stream(request, chunks(text), UNRESTRICTED)
    assert [(item["code"], item["lines"]) for item in report["findings"]] == [("INVALID_CROSS_REFERENCE_KEY", [4])]
    job = (await loads.submit_stream(request, chunks(text), caller)).job_id
    async with loads._database.unit(write=False) as unit:
        load = await unit.loads.get(job)
    assert load is not None
    assert load.options["hidden_parents"] == ["Account"]


async def test_exports_are_narrowed_and_jobs_are_their_owners(house: tuple[LoadService, JobService]) -> None:
    """A bulk query carries the condition and the cap; its job is seen by its owner, an admin, and nobody else."""
    loads, jobs = house
    capped = restricted({**BANKS, "max_export_rows": 9})
    job = (await loads.submit_query("Account", "SELECT Name FROM Account", "query", capped)).job_id
    status = await jobs.status(job, caller=capped)
    assert status.details["soql"] == "SELECT Name FROM Account"
    async with jobs._database.unit(write=False) as unit:
        load = await unit.loads.get(job)
    assert load is not None
    assert load.soql == "SELECT Name FROM Account WHERE Industry = 'Banking' LIMIT 9"
    with pytest.raises(QueryRefused, match="masked"):
        await loads.submit_query("Account", "SELECT Phone FROM Account", "query", BANKER)
    stranger = restricted(BANKS, username="eve", user_id="user_8")
    for look in (
        jobs.status(job, caller=stranger),
        jobs.receipt(job, caller=stranger),
        jobs.abort(job, caller=stranger),
    ):
        with pytest.raises(LoadNotFound):
            await look
    with pytest.raises(LoadNotFound):
        await jobs.status("750000000000001AAA", caller=stranger)
    listed = await jobs.list(JobFilter(), caller=stranger, cursor=None, limit=10)
    assert listed.items == []
    assert (await jobs.status(job, caller=restricted({**BANKS, "jobs": "all"}, username="eve"))).job_id == job
    assert (await jobs.status(job, caller=UNRESTRICTED)).job_id == job
