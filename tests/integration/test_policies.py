"""Policies over the emulated org: what a caller with roles gets by every way in, and what they are told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from orgbridge.client import ClientCredentials, Secret
from orgbridge.kit.clock import SystemClock
from orgbridge.kit.errors import ErrorKind
from orgbridge.kit.json import dumps, loads
from orgbridge.loads.errors import BadMapping
from orgbridge.loads.mapping_files import spec_from_json
from orgbridge.orgs.connections import OrgConfig, Orgs
from orgbridge.services.batches import BatchService
from orgbridge.services.composite import CompositeService
from orgbridge.services.cursors import Cursors
from orgbridge.services.errors import ColumnsRefused, InvalidRequest, LoadNotFound
from orgbridge.services.jobs import JobFilter, JobService
from orgbridge.services.loads import IntakeConfig, LoadRequest, LoadService
from orgbridge.services.policies.errors import (
    ObjectMissing,
    OperationRefused,
    PolicyError,
    QueryRefused,
    RecordMissing,
    RowsRefused,
    UnknownName,
)
from orgbridge.services.policies.guard import Guard
from orgbridge.services.policies.model import Operation
from orgbridge.services.preflight import PreflightService
from orgbridge.services.queries import QueryService, QueryText
from orgbridge.services.records import RecordService
from orgbridge.services.scopes import Caller, Scope
from orgbridge.store.database import Database
from orgbridge.store.files.local import LocalFiles
from orgbridge.wire.bulk import IngestOperation
from tests.support.callers import UNRESTRICTED, restricted
from tests.support.databases import migrate
from tests.support.emulator_server import CLIENT_ID, CLIENT_SECRET, EmulatorServer

_ALL = ["read", "query", "queryAll", "search", "export", "create", "update", "upsert", "delete"]
#: Sees and writes banks only, no revenue, the end of phone numbers; may read and not write the web site.
BANKS = {
    "objects": {
        "Account": {
            "operations": _ALL, "loads": ["insert", "update"], "where": "Industry = 'Banking'",
            "hidden": ["AnnualRevenue"], "masked": {"Phone": "last4"}, "read_only": ["Website"],
        },
        "Contact": {"operations": _ALL, "loads": ["insert", "delete"]},
    },
}  # fmt: skip
BANKER = restricted(BANKS)
CURSORS = Cursors(b"the secret of these tests")


@pytest.fixture(scope="module")
def org_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An emulated org in a process of its own."""
    with EmulatorServer(tmp_path_factory.mktemp("org") / "org.sqlite") as server:
        yield server.url


@pytest.fixture
async def orgs(org_url: str) -> AsyncIterator[Orgs]:
    """The emulated org as the only one."""
    config = OrgConfig(
        credentials=ClientCredentials(client_id=CLIENT_ID, client_secret=Secret(CLIENT_SECRET)),
        token_url=f"{org_url}/services/oauth2/token",
    )
    async with Orgs([config], SystemClock()) as orgs:
        yield orgs


@pytest.fixture
async def rows(orgs: Orgs) -> dict[str, str]:
    """Ids of a bank, of a shop, and of a person at each; no other test knows them."""
    records = RecordService(orgs)

    async def make(name: str, **data: Any) -> str:
        done = await records.create(name, data, caller=UNRESTRICTED)
        return str(done.record_id)

    bank = await make("Account", Name="Bank", Industry="Banking", Phone="031 555 1234", AnnualRevenue=111222)
    shop = await make("Account", Name="Shop", Industry="Retail", Phone="031 555 9999", AnnualRevenue=333444)
    return {
        "bank": bank,
        "shop": shop,
        "teller": await make("Contact", LastName="Teller", AccountId=bank),
        "clerk": await make("Contact", LastName="Clerk", AccountId=shop),
    }


async def test_a_record_is_read_as_the_role_shows_it(orgs: Orgs, rows: dict[str, str]) -> None:
    """Hidden fields are not there, masked ones are masked, and a row outside the condition is not found."""
    records = RecordService(orgs)
    data = (await records.retrieve("Account", rows["bank"], caller=BANKER)).data
    assert data is not None
    assert "AnnualRevenue" not in data
    assert (data["Name"], data["Phone"]) == ("Bank", "********1234")
    with pytest.raises(RecordMissing) as outside:
        await records.retrieve("Account", rows["shop"], caller=BANKER)
    with pytest.raises(RecordMissing) as absent:
        await records.retrieve("Account", "001000000000001AAA", caller=BANKER)
    assert (outside.value.message, outside.value.kind) == (absent.value.message, ErrorKind.MISSING)


async def test_a_hidden_field_is_told_as_one_that_is_not_there(orgs: Orgs, rows: dict[str, str]) -> None:
    """Reading, writing and querying it give the same answer as a name that nobody ever used."""
    records, queries = RecordService(orgs), QueryService(orgs, CURSORS)

    async def told(name: str) -> list[str]:
        texts = []
        for attempt in (
            records.retrieve("Account", rows["bank"], fields=f"Id,{name}", caller=BANKER),
            records.update("Account", rows["bank"], {name: 1}, caller=BANKER),
            records.create("Account", {"Name": "x", "Industry": "Banking", name: 1}, caller=BANKER),
            records.retrieve("Account", "1", external_id_field=name, caller=BANKER),
            queries.page(QueryText(soql=f"SELECT {name} FROM Account"), caller=BANKER),
            queries.page(QueryText(soql=f"SELECT Id FROM Account WHERE {name} > 1"), caller=BANKER),
            queries.page(QueryText(soql=f"SELECT Id FROM Contact ORDER BY Account.{name}"), caller=BANKER),
        ):
            with pytest.raises(UnknownName) as error:
                await attempt
            texts.append(error.value.message.replace(name, "?").replace(" ", "").replace("^", ""))
        return texts

    assert await told("AnnualRevenue") == await told("NothingAtAll_")


async def test_queries_see_allowed_rows_by_every_way(orgs: Orgs, rows: dict[str, str]) -> None:
    """The query itself, children, semi-joins, parents, counts: the shop is nowhere."""
    queries = QueryService(orgs, CURSORS)
    mine = f"IN ('{rows['bank']}', '{rows['shop']}')"

    async def answer(soql: str) -> str:
        page = await queries.page(QueryText(soql=soql), caller=BANKER)
        return dumps({"records": loads(page.records), "total": page.total_size}).decode()

    assert "Shop" not in await answer(f"SELECT Name FROM Account WHERE Id {mine}")
    assert '"total":1' in await answer(f"SELECT COUNT() FROM Account WHERE Id {mine}")
    told = await answer(f"SELECT LastName, Account.Name, Account.Phone FROM Contact WHERE AccountId {mine}")
    assert "Teller" in told
    assert "Clerk" not in told
    assert "********1234" in told
    semi = f"SELECT LastName FROM Contact WHERE AccountId IN (SELECT Id FROM Account WHERE Id {mine})"
    assert "Clerk" not in await answer(semi)
    # The person is not hidden, only the account is.
    assert "Clerk" in await answer(f"SELECT LastName FROM Contact WHERE AccountId {mine}")


@pytest.mark.parametrize(
    "soql",
    [
        "SELECT Id FROM Account WHERE Phone = '1'",
        "SELECT Phone FROM Account GROUP BY Phone",
        "SELECT MAX(Phone) FROM Account",
        "SELECT toLabel(Phone) FROM Account",
        "SELECT Id FROM Contact ORDER BY Account.Phone",
        "SELECT Id FROM Account WITH Nope = 'x'",
        "SELECT Id FROM",
    ],
)
async def test_what_would_tell_a_masked_value_is_refused(soql: str, orgs: Orgs) -> None:
    """Filters, sorting, groups and functions of a masked field, and what cannot be read."""
    with pytest.raises(QueryRefused):
        await QueryService(orgs, CURSORS).page(QueryText(soql=soql), caller=BANKER)


async def test_writes_stay_inside_of_the_rows(orgs: Orgs, rows: dict[str, str]) -> None:
    """A row is neither made outside, nor moved out, nor changed or deleted when it lies outside."""
    records = RecordService(orgs)
    refused = [
        (records.create("Account", {"Name": "x", "Industry": "Retail"}, caller=BANKER), RowsRefused),
        (records.create("Account", {"Name": "x"}, caller=BANKER), RowsRefused),
        (records.update("Account", rows["bank"], {"Industry": "Retail"}, caller=BANKER), RowsRefused),
        (records.update("Account", rows["bank"], {"Website": "x"}, caller=BANKER), RowsRefused),
        (records.update("Account", rows["bank"], {"Phone": "x"}, caller=BANKER), RowsRefused),
        (records.update("Account", rows["shop"], {"Name": "x"}, caller=BANKER), RecordMissing),
        (records.delete("Account", rows["shop"], caller=BANKER), RecordMissing),
        # An id of another object must not be deleted by the rules of this one.
        (records.delete("Contact", rows["shop"], caller=BANKER), RecordMissing),
        (records.create("Opportunity", {"Name": "x"}, caller=BANKER), UnknownName),
    ]
    for attempt, expected in refused:
        with pytest.raises(expected):
            await attempt
    done = await records.create("Account", {"Name": "New", "Industry": "Banking"}, caller=BANKER)
    await records.update("Account", str(done.record_id), {"Name": "Newer"}, caller=BANKER)
    await records.delete("Account", str(done.record_id), caller=BANKER)
    seen = await records.retrieve("Account", rows["shop"], caller=UNRESTRICTED)
    assert seen.data is not None
    assert seen.data["Name"] == "Shop"


async def test_an_upsert_is_checked_as_what_it_will_be(orgs: Orgs, rows: dict[str, str]) -> None:
    """By a new key it is a create, by a known one an update of a row that must be seen."""
    records = RecordService(orgs)
    key = f"K-{rows['shop']}"
    await records.update("Account", rows["shop"], {"External_Id__c": key}, caller=UNRESTRICTED)
    with pytest.raises(RecordMissing):
        await records.upsert("Account", "External_Id__c", key, {"Name": "x"}, caller=BANKER)
    new = f"K-{rows['bank']}"
    with pytest.raises(RowsRefused):
        await records.upsert("Account", "External_Id__c", new, {"Name": "x"}, caller=BANKER)
    made = await records.upsert("Account", "External_Id__c", new, {"Name": "x", "Industry": "Banking"}, caller=BANKER)
    again = await records.upsert("Account", "External_Id__c", new, {"Name": "y"}, caller=BANKER)
    assert (made.created, again.created, again.record_id) == (True, False, made.record_id)


async def test_a_batch_is_written_whole_or_not_at_all(orgs: Orgs, rows: dict[str, str]) -> None:
    """One record outside refuses the batch, and the refusal names its row."""
    batches = BatchService(orgs, SystemClock())
    changes = [{"Id": rows["bank"], "Name": "Bank 2"}, {"Id": rows["shop"], "Name": "Shop 2"}]
    with pytest.raises(RecordMissing) as refused:
        await batches.run("Account", "update", changes, caller=BANKER)
    assert [item["row"] for item in refused.value.details] == [2]
    with pytest.raises(RecordMissing):
        await batches.run("Contact", "delete", [{"Id": rows["shop"]}], caller=BANKER)
    done = await batches.run("Account", "update", changes[:1], caller=BANKER)
    assert done.succeeded == 1


async def test_two_changes_that_only_together_move_a_row_out_are_refused(orgs: Orgs, rows: dict[str, str]) -> None:
    """Each leaves the row inside of a condition with OR; in one batch, or one composite call, they are refused."""
    batches, composite = BatchService(orgs, SystemClock()), CompositeService(orgs, CURSORS)
    either = {"operations": ["query", "update"], "where": "(Industry = 'Banking' OR Rating = 'Hot')"}
    caller = restricted({"objects": {"Account": either}})
    await batches.run("Account", "update", [{"Id": rows["bank"], "Rating": "Hot"}], caller=caller)
    changes = [{"Id": rows["bank"], "Rating": "Cold"}, {"Id": rows["bank"][:15], "Industry": "Retail"}]
    with pytest.raises(RowsRefused, match="twice"):
        await batches.run("Account", "update", changes, caller=caller)
    url = f"sobjects/Account/{rows['bank']}"
    subrequests = [
        {"method": "PATCH", "url": url, "referenceId": f"r{number}", "body": body}
        for number, body in enumerate([{"Rating": "Cold"}, {"Industry": "Retail"}])
    ]
    with pytest.raises(RowsRefused, match="twice") as refused:
        await composite.send(subrequests, caller=caller)
    assert refused.value.details[-1]["location"] == "compositeRequest.1"
    seen = (await RecordService(orgs).retrieve("Account", rows["bank"], caller=UNRESTRICTED)).data or {}
    assert (seen["Industry"], seen["Rating"]) == ("Banking", "Hot")
    done = await composite.send(subrequests[:1], caller=caller)
    assert done[0].status == 204


async def test_a_record_is_deleted_by_its_external_id_where_it_may_be(orgs: Orgs, rows: dict[str, str]) -> None:
    """The row is looked up inside of the condition; outside of it, it is not there."""
    records = RecordService(orgs)
    for name in ("bank", "shop"):
        key = {"External_Id__c": f"D-{rows[name]}"}
        await records.update("Account", rows[name], key, caller=UNRESTRICTED)
    with pytest.raises(RecordMissing):
        await records.delete("Account", f"D-{rows['shop']}", external_id_field="External_Id__c", caller=BANKER)
    with pytest.raises(UnknownName):
        await records.delete("Account", "1", external_id_field="AnnualRevenue", caller=BANKER)
    reader = restricted({"objects": {"Account": {"operations": ["read"]}}})
    with pytest.raises(OperationRefused):
        await records.delete("Account", f"D-{rows['bank']}", external_id_field="External_Id__c", caller=reader)
    done = await records.delete("Account", f"D-{rows['bank']}", external_id_field="External_Id__c", caller=BANKER)
    assert done.record_id == rows["bank"]


async def test_a_role_lends_its_freedom_to_its_own_scopes_only(orgs: Orgs, rows: dict[str, str]) -> None:
    """Somebody who may load everything by one role still reads and writes single records as the other role says."""
    caller = replace(
        restricted(BANKS, None),
        role_scopes=(frozenset({Scope.RECORDS_READ, Scope.RECORDS_WRITE}), frozenset({Scope.BULK_WRITE})),
    )
    guard, records, queries = Guard(orgs), RecordService(orgs), QueryService(orgs, CURSORS)
    with pytest.raises(RecordMissing):
        await records.retrieve("Account", rows["shop"], caller=caller)
    with pytest.raises(RecordMissing):
        await records.update("Account", rows["shop"], {"Name": "x"}, caller=caller)
    found = await queries.page(QueryText(soql=f"SELECT Id FROM Account WHERE Id = '{rows['shop']}'"), caller=caller)
    assert found.total_size == 0
    assert "AnnualRevenue" not in {field["name"] for field in (await guard.describe(caller, "Account"))["fields"]}
    await guard.columns(caller, IngestOperation.DELETE, "Account", ["Id"])
    export = await guard.query(caller, "SELECT AnnualRevenue FROM Account", export=True)
    assert export.text == "SELECT AnnualRevenue FROM Account"


async def test_composite_replies_are_masked_and_a_changed_role_ends_its_cursors(
    orgs: Orgs, rows: dict[str, str]
) -> None:
    """A query inside of a composite call shows what the single query shows; its pages do not outlive the policy."""
    composite, queries = CompositeService(orgs, CURSORS), QueryService(orgs, CURSORS)
    soql = f"SELECT Phone FROM Account WHERE Id IN ('{rows['bank']}', '{rows['shop']}')"
    item = {"method": "GET", "url": f"query?q={quote(soql)}", "referenceId": "a"}
    (done,) = await composite.send([item], caller=BANKER)
    assert [row["Phone"] for row in loads(done.body)["records"]] == ["********1234"]
    people = [{"LastName": f"C{n}"} for n in range(250)]
    await BatchService(orgs, SystemClock()).run("Contact", "create", people, caller=UNRESTRICTED)
    page = await queries.page(QueryText(soql="SELECT LastName FROM Contact", page_size=200), caller=BANKER)
    assert page.cursor is not None
    await queries.next(page.cursor, caller=BANKER)
    with pytest.raises(InvalidRequest, match="roles"):
        await queries.next(page.cursor, caller=restricted({**BANKS, "deny": ["Contact"]}))


async def test_describes_show_what_the_role_shows(orgs: Orgs) -> None:
    """Hidden fields and denied objects are not there; read-only and masked fields cannot be written."""
    records = RecordService(orgs)
    describe = await records.describe("Account", caller=BANKER)
    fields = {field["name"]: field for field in describe["fields"]}
    assert "AnnualRevenue" not in fields
    assert not fields["Website"]["updateable"]
    assert not fields["Phone"]["filterable"]
    assert fields["Name"]["updateable"]
    assert {child["childSObject"] for child in describe["childRelationships"]} <= {"Account", "Contact"}
    listed = await records.objects(caller=BANKER)
    assert {item["name"] for item in listed["sobjects"]} == {"Account", "Contact"}
    for name in ("Opportunity", "NothingAtAll__c"):
        with pytest.raises(ObjectMissing):
            await records.describe(name, caller=BANKER)


async def test_pages_after_the_first_are_the_callers_own(orgs: Orgs) -> None:
    """A cursor that was given to somebody else, or made up, leads nowhere."""
    queries, batches = QueryService(orgs, CURSORS), BatchService(orgs, SystemClock())
    await batches.run("Contact", "create", [{"LastName": f"P{n}"} for n in range(2_100)], caller=UNRESTRICTED)
    page = await queries.page(QueryText(soql="SELECT LastName FROM Contact"), caller=BANKER)
    cursor = page.cursor
    assert cursor is not None
    assert loads((await queries.next(cursor, caller=BANKER)).records)
    with pytest.raises(InvalidRequest):
        await queries.next(cursor, caller=restricted(BANKS, user_id="user_9"))
    plain = (await queries.page(QueryText(soql="SELECT LastName FROM Contact"), caller=UNRESTRICTED)).cursor
    assert plain is not None
    with pytest.raises(InvalidRequest):
        await queries.next(plain, caller=BANKER)
    capped = restricted({**BANKS, "max_rows": 7})
    few = await queries.page(QueryText(soql="SELECT LastName FROM Contact"), caller=capped)
    assert (len(loads(few.records)), few.row_cap, page.row_cap) == (7, 7, None)
    counted = await queries.page(QueryText(soql="SELECT COUNT() FROM Contact"), caller=capped)
    assert counted.total_size > 2_000


async def test_searches_are_checked_as_queries_are(orgs: Orgs) -> None:
    """Objects must be named, conditions are added, and a search through hidden text is refused."""
    guard = Guard(orgs)
    with pytest.raises(QueryRefused, match="RETURNING"):
        await guard.search(BANKER, "FIND {bank}")
    with pytest.raises(QueryRefused, match="looks through"):
        await guard.search(BANKER, "FIND {bank} RETURNING Account(Name)")
    role = {"objects": {"Account": {"operations": ["search"], "where": "Industry = 'Banking'"}}}
    text = await guard.search(restricted(role), "FIND {bank} RETURNING Account(Name LIMIT 3)")
    assert text == "FIND {bank} RETURNING Account(Name WHERE Industry = 'Banking' LIMIT 3)"
    with pytest.raises(UnknownName):
        await guard.search(restricted(role), "FIND {bank} RETURNING Contact")
    assert await guard.search(UNRESTRICTED, "FIND {x y} ") == "FIND {x y} "


async def test_subrequests_are_checked_one_by_one(orgs: Orgs, rows: dict[str, str]) -> None:
    """Queries are rewritten, writes are compared, and what cannot be analysed is refused."""
    guard = Guard(orgs)

    def wire(method: str, url: str, body: Any = None) -> dict[str, Any]:
        return {"method": method, "url": f"/services/data/v62.0/{url}", "referenceId": "a", "body": body}

    done = await guard.subrequest(BANKER, wire("GET", "query?q=SELECT+Name+FROM+Account+WHERE+Id='@{a.id}'"))
    assert "Industry%20%3D%20%27Banking%27" in done["url"]
    assert "@{a.id}" in done["url"]
    read = await guard.subrequest(BANKER, wire("GET", f"sobjects/Contact/{rows['clerk']}"))
    assert "LastName" in read["url"]
    refused: list[tuple[dict[str, Any], type[PolicyError]]] = [
        (wire("GET", f"sobjects/Account/{rows['bank']}"), RowsRefused),
        (wire("GET", "query?q=SELECT+Id+FROM+Account+WHERE+Name+=+'@{a.Name}'"), QueryRefused),
        (wire("PATCH", f"sobjects/Account/{rows['shop']}", {"Name": "x"}), RecordMissing),
        (wire("PATCH", "sobjects/Account/@{a.id}", {"Name": "x"}), RowsRefused),
        (wire("POST", "sobjects/Account", {"Name": "x", "Industry": "@{a.Industry}"}), RowsRefused),
        (wire("POST", "sobjects/Account", {"Name": "x", "AnnualRevenue": 1}), UnknownName),
        (wire("DELETE", f"sobjects/Account/{rows['shop']}"), RecordMissing),
        (wire("DELETE", f"composite/sobjects?ids={rows['shop']}"), QueryRefused),
        (wire("GET", "sobjects/Account/describe"), QueryRefused),
        (wire("GET", "search?q=FIND+{x}"), QueryRefused),
        (wire("GET", "sobjects/../query"), QueryRefused),
    ]
    for item, expected in refused:
        with pytest.raises(expected):
            await guard.subrequest(BANKER, item)
    body = dumps([{"attributes": {"type": "Account"}, "Phone": "031 555 1234"}])
    assert loads(await guard.body(BANKER, body, Operation.QUERY))[0]["Phone"] == "********1234"


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
