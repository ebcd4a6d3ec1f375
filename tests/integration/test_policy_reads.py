"""Policies over the emulated org: what a caller with roles sees by every way of reading, and what they are told."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from orgbridge.kit.clock import SystemClock
from orgbridge.kit.errors import ErrorKind
from orgbridge.kit.json import dumps, loads
from orgbridge.orgs.connections import Orgs
from orgbridge.services.batches import BatchService
from orgbridge.services.composite import CompositeService
from orgbridge.services.errors import InvalidRequest
from orgbridge.services.policies.errors import (
    ObjectMissing,
    PolicyError,
    QueryRefused,
    RecordMissing,
    RowsRefused,
    UnknownName,
)
from orgbridge.services.policies.guard import Guard
from orgbridge.services.policies.model import Operation
from orgbridge.services.queries import QueryService, QueryText
from orgbridge.services.records import RecordService
from tests.support.callers import UNRESTRICTED, restricted
from tests.support.policy_org import BANKER, BANKS, CURSORS, org_url, orgs, rows

__all__ = ["org_url", "orgs", "rows"]


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
