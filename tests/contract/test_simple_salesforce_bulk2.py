"""simple-salesforce's `sf.bulk2`: files and rows in every dialect of CSV, queries, downloads, results, single steps."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
import requests
from simple_salesforce import Salesforce
from simple_salesforce.bulk2 import ColumnDelimiter, JobState, LineEnding, Operation, _Bulk2Client
from simple_salesforce.exceptions import (
    SalesforceBulkV2ExtractError,
    SalesforceBulkV2LoadError,
    SalesforceMalformedRequest,
    SalesforceOperationError,
    SalesforceResourceNotFound,
)

KEY = "External_Id__c"
CHARACTERS = {
    ColumnDelimiter.BACKQUOTE: "`",
    ColumnDelimiter.CARET: "^",
    ColumnDelimiter.COMMA: ",",
    ColumnDelimiter.PIPE: "|",
    ColumnDelimiter.SEMICOLON: ";",
    ColumnDelimiter.TAB: "\t",
}


def rows(mark: str, count: int) -> list[dict[str, str]]:
    """Return accounts whose names need quoting in every dialect."""
    return [{"Name": f'{mark} {n} "`^,|;\t" Süd', KEY: f"{mark}-{n}"} for n in range(count)]


def names(sf: Salesforce, mark: str) -> dict[str, str]:
    """Return names by key as the org holds them."""
    found = sf.query_all(f"SELECT Name, {KEY} FROM Account WHERE {KEY} LIKE '{mark}-%'")["records"]
    return {row[KEY]: row["Name"] for row in found}


def ids(sf: Salesforce, mark: str) -> list[dict[str, str]]:
    """Return the ids of accounts as rows to delete."""
    found = sf.query_all(f"SELECT Id FROM Account WHERE {KEY} LIKE '{mark}-%' ORDER BY {KEY}")["records"]
    return [{"Id": row["Id"]} for row in found]


@pytest.mark.parametrize("delimiter", ColumnDelimiter)
@pytest.mark.parametrize("ending", LineEnding)
def test_rows_go_in_and_come_out_in_every_dialect(
    simple: Salesforce, tmp_path: Path, delimiter: ColumnDelimiter, ending: LineEnding
) -> None:
    """For each delimiter and line ending, inserted values are the ones that query and download bring back."""
    mark = f"d{delimiter.value}{ending.value}"
    data = rows(mark, 3)
    dialect = {"column_delimiter": delimiter, "line_ending": ending}
    done = simple.bulk2.Account.insert(records=data, quoting=csv.QUOTE_ALL, wait=0, **dialect)
    assert (done[0]["numberRecordsProcessed"], done[0]["numberRecordsFailed"]) == (3, 0)
    wanted = {row[KEY]: row["Name"] for row in data}
    assert names(simple, mark) == wanted
    soql = f"SELECT {KEY}, Name FROM Account WHERE {KEY} LIKE '{mark}-%'"
    (page,) = simple.bulk2.Account.query(soql, wait=0, **dialect)
    assert page.count("\r\n" if ending is LineEnding.CRLF else "\n") == 4
    assert ("\r" in page) == (ending is LineEnding.CRLF)
    reader = csv.DictReader(io.StringIO(page, newline=""), delimiter=CHARACTERS[delimiter])
    assert {row[KEY]: row["Name"] for row in reader} == wanted
    (result,) = simple.bulk2.Account.download(soql, str(tmp_path), wait=0, **dialect)
    assert (result["number_of_records"], Path(result["file"]).read_bytes()) == (3, page.encode())


def test_every_operation_works_from_a_file(simple: Salesforce, tmp_path: Path) -> None:
    """Insert, update, upsert, delete and hard delete read a file, in jobs of the size that was asked for."""

    def file(data: list[dict[str, str]]) -> str:
        path = tmp_path / "rows.csv"
        with path.open("w", encoding="utf-8", newline="") as out:
            writer = csv.DictWriter(out, list(data[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(data)
        return str(path)

    bulk = simple.bulk2.Account
    done = bulk.insert(csv_file=file(rows("file", 5)), batch_size=2, wait=0)
    assert [job["numberRecordsProcessed"] for job in done] == [2, 2, 1]
    assert len({job["job_id"] for job in done}) == 3
    changes = [{**row, "Name": f"New {n}"} for n, row in enumerate(ids(simple, "file"))]
    assert bulk.update(csv_file=file(changes), wait=0)[0]["numberRecordsFailed"] == 0
    assert set(names(simple, "file").values()) == {f"New {n}" for n in range(5)}
    done = bulk.upsert(csv_file=file(rows("file", 6)), external_id_field=KEY, wait=0)
    created = csv.DictReader(io.StringIO(bulk.get_successful_records(done[0]["job_id"])))
    assert {row[KEY]: row["sf__Created"] for row in created} == {
        f"file-{n}": "true" if n == 5 else "false" for n in range(6)
    }
    bulk.delete(csv_file=file(ids(simple, "file")[:4]), wait=0)
    assert len(names(simple, "file")) == 2
    bulk.hard_delete(csv_file=file(ids(simple, "file")), wait=0)
    assert simple.query_all(f"SELECT Id FROM Account WHERE {KEY} LIKE 'file-%'", True)["totalSize"] == 4


def test_jobs_run_side_by_side(simple: Salesforce) -> None:
    """With workers, all parts of the rows arrive once, whatever order their jobs end in."""
    done = simple.bulk2.Account.insert(records=rows("side", 30), batch_size=7, concurrency=4, wait=0)
    assert sorted(job["numberRecordsTotal"] for job in done) == [2, 7, 7, 7, 7]
    assert len(names(simple, "side")) == 30


def test_hard_deletes_leave_nothing_and_upserts_by_id_update(simple: Salesforce) -> None:
    """Upsert takes Id as its key by default; rows deleted for good are not in the bin."""
    bulk = simple.bulk2.Account
    bulk.insert(records=rows("hard", 2), wait=0)
    done = bulk.upsert(records=[{**row, "Name": "By id"} for row in ids(simple, "hard")], wait=0)
    assert (done[0]["numberRecordsProcessed"], set(names(simple, "hard").values())) == (2, {"By id"})
    bulk.hard_delete(records=ids(simple, "hard"), wait=0)
    assert simple.query_all(f"SELECT Id FROM Account WHERE {KEY} LIKE 'hard-%'", True)["records"] == []


def test_queries_come_in_pages_with_and_without_deleted_rows(simple: Salesforce, tmp_path: Path) -> None:
    """`max_records` cuts the pages of query, query_all and download, and locators lead through all of them."""
    bulk = simple.bulk2.Account
    bulk.insert(records=rows("page", 7), wait=0)
    bulk.delete(records=ids(simple, "page")[:2], wait=0)
    soql = f"SELECT {KEY}, IsDeleted FROM Account WHERE {KEY} LIKE 'page-%'"

    def sizes(pages: list[str]) -> list[int]:
        return [len(list(csv.DictReader(io.StringIO(page)))) for page in pages]

    assert sizes(list(bulk.query(soql, max_records=2, wait=0))) == [2, 2, 1]
    everything = list(bulk.query_all(soql, max_records=3, wait=0))
    assert sizes(everything) == [3, 3, 1]
    deleted = [row for page in everything for row in csv.DictReader(io.StringIO(page)) if row["IsDeleted"] == "true"]
    assert {row[KEY] for row in deleted} == {"page-0", "page-1"}
    files = bulk.download(soql, str(tmp_path), max_records=4, wait=0)
    assert [result["number_of_records"] for result in files] == [4, 1]
    assert sizes([Path(result["file"]).read_text() for result in files]) == [4, 1]
    assert [bool(result["locator"]) for result in files] == [True, False]
    assert sizes(list(bulk.query(f"SELECT Id FROM Account WHERE {KEY} = 'none'", wait=0))) == [0]


def test_results_name_every_row_as_text_file_or_lists(simple: Salesforce, tmp_path: Path) -> None:
    """Failed, successful and unprocessed rows are told as text, in a file, and all together."""
    bulk = simple.bulk2.Account
    data = [*rows("res", 3), {"Name": "", KEY: "res-bad"}]
    job_id = str(bulk.insert(records=data, wait=0)[0]["job_id"])
    told = bulk.get_all_ingest_records(job_id)
    assert {row[KEY] for row in told["successfulRecords"]} == {"res-0", "res-1", "res-2"}
    assert [row["sf__Error"].partition(":")[0] for row in told["failedRecords"]] == ["REQUIRED_FIELD_MISSING"]
    assert told["unprocessedRecords"] == []
    for read in (bulk.get_failed_records, bulk.get_successful_records, bulk.get_unprocessed_records):
        file = tmp_path / "results.csv"
        assert read(job_id, file=str(file)) == ""
        assert sorted(file.read_text().splitlines()) == sorted(read(job_id).splitlines())
    assert set(next(csv.reader([bulk.get_unprocessed_records(job_id)]))) == {"Name", KEY}


def test_single_steps_of_a_job_have_their_effects(simple: Salesforce) -> None:
    """A job is created, filled, closed, looked at and deleted; one that was aborted takes no data and has no rows."""
    client = _Bulk2Client("Account", simple.bulk2_url, simple.bulk2.headers, simple.session)
    job_id = client.create_job(Operation.insert)["id"]
    assert client.get_job(job_id, is_query=False)["state"] == JobState.open
    client.upload_job_data(job_id, f"Name,{KEY}\nStep,step-0\n")
    assert client.close_job(job_id)["state"] == JobState.upload_complete
    assert client.wait_for_job(job_id, is_query=False, wait=0) == JobState.job_complete
    # The library reads a reply that has no body (204, as documented): the job is gone all the same.
    with pytest.raises(requests.exceptions.JSONDecodeError):
        client.delete_job(job_id, is_query=False)
    with pytest.raises(SalesforceResourceNotFound):
        client.get_job(job_id, is_query=False)
    assert names(simple, "step") == {"step-0": "Step"}

    job_id = client.create_job(Operation.insert)["id"]
    assert client.abort_job(job_id, is_query=False)["state"] == JobState.aborted
    with pytest.raises(SalesforceMalformedRequest):
        client.upload_job_data(job_id, f"Name,{KEY}\nStep,step-1\n")
    with pytest.raises(SalesforceOperationError, match="Job failure"):
        client.wait_for_job(job_id, is_query=False, wait=0)

    job_id = client.create_job(Operation.query, f"SELECT Name FROM Account WHERE {KEY} = 'step-0'")["id"]
    assert client.wait_for_job(job_id, is_query=True, wait=0) == JobState.job_complete
    assert client.get_query_results(job_id)["number_of_records"] == 1
    with pytest.raises(requests.exceptions.JSONDecodeError):
        client.delete_job(job_id, is_query=True)
    with pytest.raises(SalesforceResourceNotFound):
        client.get_query_results(job_id)


def test_what_makes_no_sense_is_refused_by_client_or_org(simple: Salesforce, tmp_path: Path) -> None:
    """Rows without an object, columns without a field, deletes with more than ids: each ends in its own error."""
    bulk = simple.bulk2.Account
    with pytest.raises(SalesforceOperationError, match="InvalidBatch"):
        bulk.insert(records=[{"Colour": "red"}], wait=0)
    with pytest.raises(SalesforceBulkV2LoadError, match="only 'Id'"):
        bulk.delete(records=[{"Id": "001000000000001", "Name": "x"}], wait=0)
    with pytest.raises(SalesforceMalformedRequest):
        simple.bulk2.Nope__c.insert(records=[{"Name": "x"}], wait=0)
    with pytest.raises(SalesforceMalformedRequest, match=r"MALFORMED_QUERY|API_ERROR|INVALID_FIELD"):
        list(bulk.query("SELECT Naem FROM Account", wait=0))
    with pytest.raises(SalesforceBulkV2ExtractError):
        list(bulk.query("", wait=0))
    with pytest.raises(SalesforceBulkV2LoadError, match="Path does not exist"):
        bulk.download("SELECT Id FROM Account", str(tmp_path / "none"), wait=0)
