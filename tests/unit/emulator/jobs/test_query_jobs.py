"""Query jobs: refusals, pages, and a start anew after a kill."""

from __future__ import annotations

from typing import Any

import pytest

from orgbridge.emulator.jobs.queries import QueryRun
from orgbridge.emulator.jobs.rows import JobKind
from orgbridge.emulator.schema.errors import SFError
from orgbridge.wire.bulk import JobState
from tests.unit.emulator.jobs.conftest import VERSION, Town


def fill(town: Town, count: int) -> None:
    """Insert so many accounts."""
    rows = [{"Name": f"Firma {n:05d}", "External_Id__c": f"k{n:05d}"} for n in range(count)]
    town.tools.org.insert("Account", rows, user_id=town.tools.org.admin_id)


def page(town: Town, job_id: str, start: int, rows: int) -> list[bytes]:
    """Return the lines of a page."""
    found = town.jobs.result_page(job_id, VERSION, start, rows)
    return b"".join(town.jobs.page_blocks(found)).splitlines()


def test_pages_hold_every_row_once_each_under_a_header(town: Town) -> None:
    """Pages of any size, across the kept chunks, put together are the result."""
    fill(town, 7_001)
    job = town.run(town.query("SELECT External_Id__c, Name FROM Account ORDER BY Name"))
    assert (job.state, job.processed) == (JobState.JOB_COMPLETE, 7_001)
    lines = []
    for start in range(0, 7_001, 1_999):
        header, *rows = page(town, job.id, start, 1_999)
        assert header == b'"External_Id__c","Name"'
        lines += rows
    assert lines == [f'"k{n:05d}","Firma {n:05d}"'.encode() for n in range(7_001)]


def test_an_interrupted_run_begins_anew(town: Town) -> None:
    """A run that was killed between chunks leaves no double row."""
    fill(town, 6_000)
    job = town.query("SELECT Id FROM Account")
    killed = QueryRun(town.tools.org, town.tools.clock, town.tools.faults, job.id)
    for _ in range(2):
        assert killed.step() is False
    killed.close()
    assert town.jobs.get(JobKind.QUERY, job.id).state is JobState.IN_PROGRESS
    done = town.run(job)
    lines = page(town, done.id, 0, 10_000)
    assert (len(lines), len(set(lines))) == (6_001, 6_001)


def test_no_rows_give_a_header(town: Town) -> None:
    """An empty result is one line and the only page."""
    job = town.run(town.query("SELECT Id, Name FROM Account"))
    assert page(town, job.id, 0, 10) == [b'"Id","Name"']
    assert town.jobs.result_page(job.id, VERSION, 0, 10).is_last


def test_rows_inserted_meanwhile_do_not_show(town: Town) -> None:
    """A job reads one snapshot: what comes in while it runs is not in its result."""
    fill(town, 5_500)
    job = town.query("SELECT Id FROM Account")
    run = QueryRun(town.tools.org, town.tools.clock, town.tools.faults, job.id)
    run.step()
    run.step()
    fill_more = [{"Name": "Late"}] * 10
    town.tools.org.insert("Account", fill_more, user_id=town.tools.org.admin_id)
    while not run.step():
        pass
    run.close()
    assert town.jobs.get(JobKind.QUERY, job.id).processed == 5_500


@pytest.mark.parametrize(
    ("soql", "code", "text"),
    [
        ("SELECT COUNT() FROM Account", "API_ERROR", "Aggregate"),
        ("SELECT Name, COUNT(Id) FROM Account GROUP BY Name", "API_ERROR", "Group By"),
        ("SELECT Id FROM Account LIMIT 5 OFFSET 5", "API_ERROR", "Offset"),
        ("SELECT BillingAddress FROM Account", "API_ERROR", "Selecting compound data not supported in Bulk Query"),
        (
            "SELECT Id, (SELECT Id FROM Contacts) FROM Account",
            "API_ERROR",
            "Aggregate Relationships not supported in Bulk Query",
        ),
        ("SELECT Nope FROM Account", "INVALID_FIELD", "No such column 'Nope'"),
        ("SELECT Id FORM Account", "MALFORMED_QUERY", "FORM"),
    ],
    ids=["count", "group", "offset", "compound", "children", "field", "syntax"],
)
def test_what_a_job_cannot_run_is_refused_when_it_is_made(town: Town, soql: str, code: str, text: str) -> None:
    """The refusal comes at once, with the platform's code, and no job is left behind."""
    with pytest.raises(SFError) as caught:
        town.query(soql)
    assert caught.value.code == code
    assert text in caught.value.message
    assert town.jobs.page(JobKind.QUERY, before=None, limit=10) == []


def test_results_need_a_complete_job_and_its_own_version(town: Town) -> None:
    """Early, aborted and with another version, the results are refused."""
    job = town.query("SELECT Id FROM Account")
    with pytest.raises(SFError) as early:
        town.jobs.result_page(job.id, VERSION, 0, 10)
    assert early.value.code == "INVALIDJOBSTATE"
    done = town.run(job)
    with pytest.raises(SFError) as other:
        town.jobs.result_page(done.id, VERSION + 1, 0, 10)
    assert other.value.status == 409
    with pytest.raises(SFError) as past:
        town.jobs.result_page(done.id, VERSION, 5, 10)
    assert past.value.code == "INVALID_QUERY_LOCATOR"


def test_cells_are_the_values_whatever_they_hold(town: Town) -> None:
    """Quotes, delimiters, newlines and a NUL stay in their cells; numbers and booleans have Bulk's forms, null none."""
    odd = 'a\0b"c",\nü'
    rows: list[dict[str, Any]] = [{"Name": odd, "NumberOfEmployees": 7, "AnnualRevenue": 12345678.5}, {"Name": "plain"}]
    town.tools.org.insert("Account", rows, user_id=town.tools.org.admin_id)
    job = town.run(town.query("SELECT Name, NumberOfEmployees, AnnualRevenue, IsDeleted FROM Account ORDER BY Name"))
    body = b"".join(town.jobs.page_blocks(town.jobs.result_page(job.id, VERSION, 0, 10)))
    quoted = odd.replace('"', '""')
    first, second = f'"{quoted}","7","1.23456785E7","false"\n', '"plain","","","false"\n'
    assert body.decode() == f'"Name","NumberOfEmployees","AnnualRevenue","IsDeleted"\n{first}{second}'
