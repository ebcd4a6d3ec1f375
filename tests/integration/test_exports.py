"""Exports end to end: pages fetched side by side, typed forms, resumption after kills, damage and lies found."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orgbridge.loads.states import LoadState
from orgbridge.store.records import LoadKind, LoadRecord
from tests.support.engine_bench import Bench, account_rows
from tests.support.local_house import LocalHouse, house

__all__ = ["house"]

_SOQL = (
    "SELECT Id, Name, NumberOfEmployees, AnnualRevenue, IsDeleted, CreatedDate, Parent.Name, SystemModstamp "
    "FROM Account WHERE Name LIKE 'Typed%' ORDER BY Name"
)


@pytest.fixture(scope="module")
def typed(house: LocalHouse) -> LocalHouse:
    """Give a house whose org has some accounts with numbers, nulls and a parent."""
    with house.client() as client:
        parent = _create(client, Name="Typed 0 parent", AnnualRevenue=12345678.25, NumberOfEmployees=7)
        _create(client, Name='Typed 1 "quoted", with\nnewline', ParentId=parent, AnnualRevenue=0.5)
        _create(client, Name="Typed 2 Größe")
    return house


def _create(client: Any, **data: Any) -> str:
    reply = client.post("/records/create", json={"object_name": "Account", "data": data})
    assert reply.status_code == 201, reply.text
    return str(reply.json()["record_id"])


def _export(house: LocalHouse, soql: str = _SOQL, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    with house.client() as client:
        body = {"object_name": "Account", "soql_query": soql, **options}
        reply = client.post("/bulk/query-submit", json=body)
        assert reply.status_code == 202, reply.text
        job_id = reply.json()["job_id"]
        status = house.wait(job_id)
        receipt = client.get(f"/bulk/job/{job_id}/receipt").json() if status["receipt_url"] else {}
    return status, receipt


def _results(house: LocalHouse, job_id: str, accept: str | None = None) -> Any:
    with house.client() as client:
        headers = {"Accept": accept} if accept else {}
        return client.get(f"/bulk/job/{job_id}/results/all", headers=headers)


def test_pain_36_ndjson_has_the_very_rows_of_the_query_resource(typed: LocalHouse) -> None:
    """One row shape for REST and Bulk: numbers, booleans, null, instants and parents are the same in both."""
    status, receipt = _export(typed, output_format="ndjson")
    assert (status["state"], receipt["rows"], receipt["format"]) == ("JobComplete", {"read": 3}, "ndjson")
    reply = _results(typed, status["job_id"])
    assert reply.headers["content-type"].startswith("application/x-ndjson")
    bulk = [json.loads(line, parse_float=Decimal) for line in reply.text.splitlines()]
    with typed.client() as client:
        rest_text = client.post("/query", json={"q": _SOQL}, headers={"Accept": "application/x-ndjson"}).text
    assert bulk == [json.loads(line, parse_float=Decimal) for line in rest_text.splitlines()]
    assert bulk[1]["Parent"] == {"Name": "Typed 0 parent"}
    assert bulk[2]["Parent"] is None


def test_parquet_has_the_types_of_describe(typed: LocalHouse) -> None:
    """Decimals are decimals, instants are instants in UTC, and null is null."""
    status, _ = _export(typed, output_format="parquet")
    reply = _results(typed, status["job_id"])
    assert reply.headers["content-type"] == "application/vnd.apache.parquet"
    table = pq.read_table(io.BytesIO(reply.content))
    types = {field.name: field.type for field in table.schema}
    assert pa.types.is_decimal(types["AnnualRevenue"])
    assert types["NumberOfEmployees"] == pa.int64()
    assert types["IsDeleted"] == pa.bool_()
    assert types["CreatedDate"] == pa.timestamp("ms", tz="UTC")
    rows = table.to_pylist()
    assert [row["Name"] for row in rows][1] == 'Typed 1 "quoted", with\nnewline'
    assert [row["AnnualRevenue"] for row in rows] == [Decimal("12345678.25"), Decimal("0.5"), None]
    assert [row["NumberOfEmployees"] for row in rows] == [7, None, None]
    assert [row["Parent.Name"] for row in rows] == [None, "Typed 0 parent", None]
    assert isinstance(rows[0]["CreatedDate"], datetime)
    assert rows[0]["CreatedDate"].tzinfo is not None


def test_a_csv_export_can_be_read_as_typed_ndjson_too(typed: LocalHouse) -> None:
    """The CSV is as Salesforce wrote it; asked for by Accept, its rows come with their types."""
    status, _ = _export(typed)
    plain = _results(typed, status["job_id"])
    assert plain.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(plain.text, newline="")))
    assert [row["NumberOfEmployees"] for row in rows] == ["7", "", ""]
    lines = _results(typed, status["job_id"], "application/x-ndjson").text.splitlines()
    assert [json.loads(line)["NumberOfEmployees"] for line in lines] == [7, None, None]


def test_a_form_that_was_not_written_is_refused(typed: LocalHouse) -> None:
    """Parquet is not made of a CSV on the way out, nor CSV of Parquet; the refusal says what to ask for."""
    status, _ = _export(typed, output_format="parquet")
    reply = _results(typed, status["job_id"], "text/csv")
    assert reply.status_code == 400
    assert "application/vnd.apache.parquet" in reply.json()["detail"]


@pytest.mark.parametrize("form", ["csv", "ndjson", "parquet"])
def test_no_rows_are_an_export_too(typed: LocalHouse, form: str) -> None:
    """A query that finds nothing ends well, with a header where the form has one."""
    status, receipt = _export(typed, "SELECT Id, Name FROM Account WHERE Name = 'nobody'", output_format=form)
    assert (status["state"], receipt["rows"]) == ("JobComplete", {"read": 0})
    content = _results(typed, status["job_id"]).content
    if form == "parquet":
        assert pq.read_table(io.BytesIO(content)).schema.names == ["Id", "Name"]
    else:
        assert content.strip() == (b'"Id","Name"' if form == "csv" else b"")


def test_a_target_gets_a_copy(typed: LocalHouse) -> None:
    """The results lie in the output folder under the name that was asked for, byte for byte."""
    status, receipt = _export(typed, target="daily/accounts.csv")
    written = typed.folder / "output" / "daily" / "accounts.csv"
    assert written.read_bytes() == _results(typed, status["job_id"]).content
    assert receipt["target"] == "daily/accounts.csv"


@pytest.mark.parametrize("target", ["../x.csv", "/etc/x.csv", "a/../../x", "s3://elsewhere/x.csv", "~/x", ".hidden"])
def test_a_target_outside_is_refused(typed: LocalHouse, target: str) -> None:
    """Nothing is started for a target that leads out of the folder or to a bucket that no setting allows."""
    with typed.client() as client:
        body = {"object_name": "Account", "soql_query": "SELECT Id FROM Account", "target": target}
        reply = client.post("/bulk/query-submit", json=body)
    assert (reply.status_code, reply.json()["code"]) == (400, "file.target_refused")


# The stand-in gives pages of three records, knows no resultPages, and can be killed around.


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """Give a bench over SQLite whose stand-in holds 18 accounts."""
    made = Bench(f"sqlite:///{tmp_path / 'orgbridge.sqlite'}", tmp_path)
    made.start_double(seconds=0.0)
    yield made
    await made.close()


async def _query(bench: Bench, **options: Any) -> str:
    changes: dict[str, Any] = {"kind": LoadKind.QUERY, "operation": "query", "input_key": None, "options": options}
    return await bench.submit(b"x", soql="SELECT Name FROM Account", **changes)


async def _filled(bench: Bench, rows: int = 20) -> None:
    load = await bench.ended(await bench.submit(account_rows(rows)))
    assert load.state is LoadState.JOB_COMPLETE


def _names(bench: Bench, load: LoadRecord) -> list[str]:
    text = b"".join(bench.files.open_blocks(load.results_key or "")).decode()
    return [row[0] for row in csv.reader(io.StringIO(text, newline=""))]


@pytest.mark.parametrize("listed", [True, False], ids=["side by side", "one after another"])
async def test_an_export_goes_on_page_by_page_after_kill_9(bench: Bench, listed: bool) -> None:
    """Pages that were recorded before the kill are not fetched again, and none is missing or double."""
    worker = bench.start_worker()
    await _filled(bench, 40)
    bench.call("/control", {"page_seconds": 0.25, "listed": listed})
    load_id = await _query(bench)

    async def recorded() -> int:
        async with bench.database.unit(write=False) as unit:
            return len(await unit.pages.list(load_id))

    while await recorded() < 3:
        await bench.clock.sleep(0.02)
    worker.kill()
    worker.wait(timeout=10)
    before = await recorded()
    fetched = bench.call("/report")["pages"]
    bench.call("/control", {"page_seconds": 0.0})
    bench.start_worker()
    load = await bench.ended(load_id)
    assert load.state is LoadState.JOB_COMPLETE, load
    names = _names(bench, load)
    assert names[0] == "Name"
    assert sorted(names[1:]) == sorted(f'Größe "{n}", Ltd' for n in range(40) if n % 10 != 9)
    # 36 records are 12 pages; at most those that were on their way at the kill came twice.
    assert bench.call("/report")["pages"] - fetched == 12 - before
    # What the killed worker had half written is gone.
    folder = bench.files.path(f"loads/{load_id}")
    assert [path.name for path in folder.rglob(".writing-*")] == []
    # The pages themselves go once the results are safe.
    while await bench.files.exists(f"loads/{load_id}/pages/00000.csv"):
        await bench.clock.sleep(0.02)


async def test_a_page_that_is_damaged_in_the_store_is_fetched_again(bench: Bench) -> None:
    """A page whose bytes are not those recorded never gets into the results."""
    worker = bench.start_worker()
    await _filled(bench)
    bench.call("/control", {"page_seconds": 0.2})
    load_id = await _query(bench)
    page = bench.files.path(f"loads/{load_id}/pages/00000.csv")
    while not page.exists():
        await bench.clock.sleep(0.02)
    worker.kill()
    worker.wait(timeout=10)
    await asyncio.to_thread(page.write_bytes, b'"Name"\n"forged"\n"forged"\n"forged"\n')
    bench.call("/control", {"page_seconds": 0.0})
    bench.start_worker()
    load = await bench.ended(load_id)
    assert load.state is LoadState.JOB_COMPLETE, load
    assert "forged" not in _names(bench, load)
    assert len(_names(bench, load)) == 19


@pytest.mark.parametrize("lie", ["job", "page"])
async def test_pain_25_a_count_that_does_not_come_out_fails_loudly(bench: Bench, lie: str) -> None:
    """Fewer records than the job or a page announced are an error, never a short file."""
    bench.start_worker()
    await _filled(bench)
    bench.call("/control", {"lie": lie})
    load = await bench.ended(await _query(bench))
    assert (load.state, load.error_code, load.results_key) == (LoadState.FAILED, "load.unbalanced", None)


def test_dates_are_dates(typed: LocalHouse) -> None:
    """A date field of another object comes as a date in Parquet, and as its text in NDJSON."""
    with typed.client() as client:
        data = {"Name": "Dated", "StageName": "Prospecting", "CloseDate": "2026-11-22", "Amount": 10.5}
        reply = client.post("/records/create", json={"object_name": "Opportunity", "data": data})
        assert reply.status_code == 201, reply.text
        body = {
            "object_name": "Opportunity",
            "soql_query": "SELECT CloseDate, Amount, IsWon FROM Opportunity WHERE Name = 'Dated'",
            "output_format": "parquet",
        }
        job_id = client.post("/bulk/query-submit", json=body).json()["job_id"]
    typed.wait(job_id)
    rows = pq.read_table(io.BytesIO(_results(typed, job_id).content)).to_pylist()
    assert rows == [{"CloseDate": date(2026, 11, 22), "Amount": Decimal("10.5"), "IsWon": False}]
