"""simple-salesforce's `sf.bulk`: each operation with each of its options, and `submit_dml`."""

from __future__ import annotations

import time
from typing import Any

import pytest
from simple_salesforce import Salesforce
from simple_salesforce import bulk as bulk_module
from simple_salesforce.bulk import SFBulkHandler, SFBulkType

from tests.support.rerouting import EmulatorAdapter

KEY = "External_Id__c"


@pytest.fixture
def sf(simple: Salesforce, monkeypatch: pytest.MonkeyPatch) -> Salesforce:
    """A client that asks again after moments: the library's own pause of five seconds cannot be set."""
    monkeypatch.setattr(bulk_module, "sleep", lambda _seconds: time.sleep(0.02))
    return simple


def rows(mark: str, count: int) -> list[dict[str, Any]]:
    """Return accounts with keys."""
    return [{"Name": f"{mark} {n}", KEY: f"{mark}-{n}"} for n in range(count)]


def keys(sf: Salesforce, mark: str) -> set[str]:
    """Return the keys of the accounts that are in the org."""
    found = sf.query_all(f"SELECT {KEY} FROM Account WHERE {KEY} LIKE '{mark}-%'")["records"]
    return {row[KEY] for row in found}


def batches(sf: Salesforce) -> int:
    """Return how many batches the client has uploaded."""
    adapter = sf.session.get_adapter("https://x")
    assert isinstance(adapter, EmulatorAdapter)
    return sum(path.endswith("/batch") for path in adapter.paths)


@pytest.mark.parametrize(("size", "uploads"), [(3, 4), (10_000, 1), ("auto", 1)])
@pytest.mark.parametrize("serial", [False, True])
def test_rows_are_cut_into_batches_as_the_caller_wants(
    sf: Salesforce, size: int | str, uploads: int, serial: bool
) -> None:
    """Batch sizes make so many uploads in both modes, and results keep the order of the rows."""
    mark = f"bs{size}{serial}"
    data = rows(mark, 10)
    done = sf.bulk.Account.insert(data, batch_size=size, use_serial=serial)
    assert batches(sf) == uploads
    by_id = {
        row["Id"]: row[KEY] for row in sf.query(f"SELECT Id, {KEY} FROM Account WHERE {KEY} LIKE '{mark}-%'")["records"]
    }
    assert [by_id[result["id"]] for result in done] == [row[KEY] for row in data]


def test_the_mode_of_a_job_is_what_was_asked(sf: Salesforce) -> None:
    """The org says Serial or Parallel for the numbers that the client sends."""
    kinds = SFBulkType("Account", sf.bulk_url, sf.bulk.headers, sf.session)
    told = [kinds._create_job("insert", use_serial=serial) for serial in (True, False)]
    assert [job["concurrencyMode"] for job in told] == ["Serial", "Parallel"]
    assert kinds._close_job(told[0]["id"])["state"] == "Closed"
    assert kinds._get_job(told[1]["id"])["state"] == "Open"


@pytest.mark.parametrize("operation", ["insert", "update", "upsert", "delete", "hard_delete"])
def test_results_can_be_left_out_or_told_in_full(sf: Salesforce, operation: str) -> None:
    """`bypass_results` names the job alone, `include_detailed_results` repeats each row beside its result."""
    mark = f"opt-{operation}"
    made = sf.bulk.Account.insert(rows(mark, 4)) if operation not in ("insert", "upsert") else []
    ids = [result["id"] for result in made]
    data: list[dict[str, Any]] = [
        {"Id": record_id, "Site": f"s{n}"} if operation == "update" else {"Id": record_id}
        for n, record_id in enumerate(ids)
    ] or rows(mark, 4)
    more = {"external_id_field": KEY} if operation == "upsert" else {}
    run = getattr(sf.bulk.Account, operation)
    told = run(data[:2], bypass_results=True, **more)
    assert {"bypass_results": True} in told
    full = run(data[2:], include_detailed_results=True, **more)
    assert [result["success"] for result in full] == [True, True]
    sent = [{name: value for name, value in result.items() if name in data[2]} for result in full]
    assert sent == data[2:]


def test_an_upsert_creates_and_updates_by_key_and_by_id(sf: Salesforce) -> None:
    """`created` tells a new row from an old one, for an external id and for Id."""
    first = sf.bulk.Account.upsert(rows("ups", 2), KEY)
    assert [result["created"] for result in first] == [True, True]
    again = sf.bulk.Account.upsert(rows("ups", 3), KEY)
    assert [result["created"] for result in again] == [False, False, True]
    by_id = sf.bulk.Account.upsert([{"Id": first[0]["id"], "Name": "By id"}], "Id")
    assert [(result["created"], result["id"]) for result in by_id] == [(False, first[0]["id"])]


def test_a_row_that_names_its_parent_by_key_is_tied_to_it(sf: Salesforce) -> None:
    """A nested object with the parent's key works in a batch, and comes back flattened in detailed results."""
    sf.bulk.Account.insert(rows("par", 1))
    data = [{"LastName": "Child", "Account": {KEY: "par-0"}}]
    done = sf.bulk.Contact.insert(data, include_detailed_results=True)
    assert (done[0]["success"], done[0][f"Account.{KEY}"]) == (True, "par-0")
    child = sf.query(f"SELECT Account.{KEY} FROM Contact WHERE Id = '{done[0]['id']}'")["records"][0]
    assert child["Account"][KEY] == "par-0"


def test_soft_and_hard_deletes_differ_in_the_recycle_bin(sf: Salesforce) -> None:
    """What was deleted is found with deleted rows, what was deleted for good is not."""
    made = sf.bulk.Account.insert(rows("bin", 2))
    sf.bulk.Account.delete([{"Id": made[0]["id"]}])
    sf.bulk.Account.hard_delete([{"Id": made[1]["id"]}])
    assert keys(sf, "bin") == set()
    found = sf.bulk.Account.query_all(f"SELECT Id FROM Account WHERE {KEY} LIKE 'bin-%' AND IsDeleted = true")
    assert [row["Id"] for row in found] == [made[0]["id"]]


def test_queries_come_whole_or_page_by_page(sf: Salesforce) -> None:
    """Both queries return a list of rows, or, lazily, lists of rows as they are fetched."""
    sf.bulk.Account.insert(rows("que", 5))
    soql = f"SELECT Name, {KEY} FROM Account WHERE {KEY} LIKE 'que-%' ORDER BY {KEY}"
    for run in (sf.bulk.Account.query, sf.bulk.Account.query_all):
        assert [row[KEY] for row in run(soql, wait=0)] == [f"que-{n}" for n in range(5)]
        lazy = list(run(soql, lazy_operation=True, wait=0))
        assert [row[KEY] for page in lazy for row in page] == [f"que-{n}" for n in range(5)]
    assert sf.bulk.Account.query(f"SELECT Id FROM Account WHERE {KEY} = 'que-none'") == []


def test_submit_dml_does_each_operation_by_its_name(sf: Salesforce) -> None:
    """The one call for all operations inserts, upserts, updates and deletes the same rows."""
    bulk = SFBulkHandler(sf.session_id, sf.bulk_url, session=sf.session)
    made = bulk.submit_dml("Account", "insert", rows("dml", 3), batch_size=2, use_serial=True)
    assert all(result["success"] for result in made)
    merged = bulk.submit_dml("Account", "upsert", rows("dml", 4), external_id_field=KEY)
    assert [result["created"] for result in merged] == [False, False, False, True]
    ids = [result["id"] for result in merged]
    changes = [{"Id": record_id, "Site": "dml"} for record_id in ids]
    full = bulk.submit_dml("Account", "update", changes, include_detailed_results=True)
    assert [result["Site"] for result in full] == ["dml"] * 4
    assert sf.query("SELECT COUNT() FROM Account WHERE Site = 'dml'")["totalSize"] == 4
    bulk.submit_dml("Account", "delete", [{"Id": ids[0]}])
    bulk.submit_dml("Account", "hard_delete", [{"Id": record_id} for record_id in ids[1:]])
    assert keys(sf, "dml") == set()


def test_an_empty_batch_is_refused_before_it_is_sent(sf: Salesforce) -> None:
    """No rows and a wrong batch size never reach the org."""
    with pytest.raises(ValueError, match="should not be empty"):
        sf.bulk.Account.insert([])
    with pytest.raises(ValueError, match="auto or an integer"):
        sf.bulk.Account.insert(rows("bad", 1), batch_size="many")
    assert batches(sf) == 0
