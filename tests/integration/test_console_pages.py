"""Queries, exports, the audit, orders and purchase orders in the console, over an org with the commerce seed."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from orgbridge.wiring.hosting import OrgHost
from tests.support.commerce_world import PASSWORD, CommerceWorld, Person, commerce_host, commerce_world
from tests.support.console_client import COOKIE, own, text_of

__all__ = ["commerce_host"]
pytestmark = pytest.mark.asyncio(loop_scope="module")
_LINES = [{"sku": "MP-0001", "quantity": "2", "unit_price": "110.00"}]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(commerce_host: OrgHost, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CommerceWorld]:
    """Give a world with somebody who may query, and an approver of purchase orders."""
    async with commerce_world(commerce_host, tmp_path_factory.mktemp("pages")) as made:
        scopes = ("records:read", "bulk:read", "bulk:write")
        await made.make_person("engineer", Person(sf_username=None, organizations=(), scopes=scopes), roles=())
        rules = {"approvers": ["approver", "bremen"]}
        path = f"/salesforce_purchase_orders/rules/{made.organizations['Nordmühle']}"
        reply = await made.ask("admin", "PUT", path, json=rules, headers={"If-Match": "*"})
        assert reply.status_code == 200, reply.text
        yield made


_COOKIES: dict[tuple[int, str], str] = {}


async def _at(world: CommerceWorld, name: str, method: str, path: str, **more: Any) -> httpx2.Response:
    """Ask for a page, or send a form, as one of the world's people."""
    client, key = world.client, (id(world), name)
    if key not in _COOKIES:
        form = {"username": name, "password": PASSWORD}
        reply = await client.post("/console/sign-in", data=form, headers=own(client))
        assert reply.status_code == 303, reply.text
        _COOKIES[key] = client.cookies[COOKIE]
    client.cookies.clear()
    headers = {**own(client), "Cookie": f"{COOKIE}={_COOKIES[key]}"}
    return await client.request(method, f"/console{path}", headers=headers, **more)


async def _query(world: CommerceWorld, soql: str, **more: str) -> httpx2.Response:
    return await _at(world, "engineer", "POST", "/query", data={"q": soql, **more})


def _table(page: str) -> tuple[list[str], list[list[str]]]:
    table = page.partition('<table class="records">')[2].partition("</table>")[0]
    rows = re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)
    return re.findall(r'<th scope="col">([^<]*)<', rows[0]), [re.findall(r"<td>([^<]*)<", row) for row in rows[1:]]


async def test_records_are_shown_in_the_columns_asked_for(world: CommerceWorld) -> None:
    """Columns stand in the order of the SELECT list, parents by their paths, blanks as blanks."""
    page = await _query(world, "SELECT Name, Account.Name, Fax FROM Contact ORDER BY Name LIMIT 3")
    assert page.status_code == 200
    found = world.soql("SELECT Name, Account.Name FROM Contact ORDER BY Name LIMIT 3")
    columns, rows = _table(page.text)
    assert columns == ["Name", "Account.Name", "Fax"]
    assert rows == [[row["Name"], (row["Account"] or {}).get("Name", ""), ""] for row in found]


async def test_what_is_no_plain_list_is_shown_as_well(world: CommerceWorld) -> None:
    """Aggregates have the columns that their records have, and a count alone is told."""
    page = await _query(world, "SELECT IsActive, COUNT(Id) many FROM Product2 GROUP BY IsActive")
    columns, rows = _table(page.text)
    assert columns == ["IsActive", "many"]
    assert rows
    assert all(int(many) for _, many in rows)
    assert "asked for no columns" in (await _query(world, "SELECT COUNT() FROM Product2")).text


async def test_pages_lead_on_to_the_end(world: CommerceWorld) -> None:
    """The next page goes on where the one before ended; together they are the whole answer, each record once."""
    text = "SELECT Id FROM PricebookEntry ORDER BY Id"
    page, seen = await _query(world, text), list[str]()
    for _ in range(50):
        seen += [row[0] for row in _table(page.text)[1]]
        hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.text))
        if "cursor" not in hidden:
            break
        page = await _query(world, hidden["q"], cursor=hidden["cursor"], shown=hidden["shown"])
        assert page.status_code == 200
    assert len(seen) > 200
    assert (
        len(set(seen)) == len(seen) == world.change("GET", "/query?q=SELECT+COUNT()+FROM+PricebookEntry")["totalSize"]
    )
    assert f"of {len(seen):,}" in text_of(page.text)


@pytest.mark.parametrize(
    ("soql", "row", "column", "at"),
    [
        ("SELECT Id\nFROM Account\nWHERE Name ~ 'x'", 3, 12, "~"),
        ("SELECT Id\nFROM Account\nWHERE Name = = 'x'", 3, 14, "="),
        ("SELECT Id, Nonsense__c FROM Account", 1, 12, "N"),
    ],
    ids=["a character", "a word", "Salesforce"],
)
async def test_a_refused_query_shows_the_place(world: CommerceWorld, soql: str, row: int, column: int, at: str) -> None:
    """Row and column are told and marked, the text is kept, whoever found the fault."""
    page = await _query(world, soql)
    assert page.status_code in (400, 422, 502)
    assert f"Row {row}, column {column}:" in page.text
    assert f'<mark class="marked">{at}</mark>' in page.text
    assert page.text.partition("<textarea")[2].partition("</textarea>")[0].count("FROM Account") == 1


async def test_a_query_says_no_markup(world: CommerceWorld) -> None:
    """What was typed comes back as text, in the field and in what is wrong with it."""
    page = await _query(world, "SELECT Id FROM Account WHERE Name = '</textarea><script>x</script>' AND")
    assert "<script>x" not in page.text
    assert "&lt;/textarea&gt;&lt;script&gt;x" in page.text


async def test_all_records_are_a_download(world: CommerceWorld) -> None:
    """CSV and NDJSON hold every record; a query that CSV cannot hold says so on the page."""
    total = world.change("GET", "/query?q=SELECT+COUNT()+FROM+Product2")["totalSize"]
    csv = await _query(world, "SELECT Id, Name FROM Product2", **{"as": "csv"})
    assert csv.headers["content-disposition"] == 'attachment; filename="query.csv"'
    assert len(csv.text.splitlines()) == total + 1
    ndjson = await _query(world, "SELECT Id, Name FROM Product2", **{"as": "ndjson"})
    assert len(ndjson.text.splitlines()) == total
    refused = await _query(world, "SELECT COUNT(Id) FROM Product2", **{"as": "csv"})
    assert (refused.status_code, "plain fields" in refused.text) == (422, True)


async def test_an_export_is_a_load_of_its_own(world: CommerceWorld) -> None:
    """The object is told from the query; the page of the export opens; a query that nobody can read makes none."""
    form = {"q": "SELECT Id FROM Product2", "output_format": "parquet"}
    reply = await _at(world, "engineer", "POST", "/exports", data=form)
    assert reply.status_code == 303
    page = await _at(world, "engineer", "GET", reply.headers["location"].removeprefix("/console"))
    assert "query Product2" in page.text
    refused = await _at(world, "engineer", "POST", "/exports", data={"q": "SELECT FROM"})
    assert (refused.status_code, "Row 1, column" in refused.text) == (422, True)


async def test_a_right_is_asked_for_each_page(world: CommerceWorld) -> None:
    """A buyer neither queries nor reads the audit, an engineer sees no orders; each is told which right is missing."""
    for name, path, scope in (
        ("kiel", "/query", "records:read"),
        ("kiel", "/audit", "admin"),
        ("engineer", "/orders", "orders:read"),
        ("engineer", "/purchase-orders", "orders:read"),
    ):
        page = await _at(world, name, "GET", path)
        assert (page.status_code, scope in text_of(page.text)) == (403, True), path


async def test_the_audit_is_filtered_and_read(world: CommerceWorld) -> None:
    """Entries say who, what and the outcome; filters narrow them; a filter that is no date is refused as a page."""
    await _at(world, "engineer", "GET", "/orders")
    page = await _at(world, "admin", "GET", "/audit?actor=engineer&outcome=refused&action=console")
    assert page.status_code == 200
    assert set(re.findall(r'<span class="mono">([\w.]+)</span><br>', page.text)) >= {"console.orders"}
    assert set(re.findall(r'<span class="badge \w*">(\w+)</span>', page.text)) == {"refused"}
    nobody = await _at(world, "admin", "GET", "/audit?actor=engineer&until=2020-01-01T00:00")
    assert "No entry fits" in nobody.text
    assert (await _at(world, "admin", "GET", "/audit?since=yesterday")).status_code == 400


async def test_orders_are_those_of_ones_account(world: CommerceWorld) -> None:
    """A buyer sees orders of the account with their items, and somebody without an account reads why there are none."""
    account = world.accounts["ACC-100"]
    expected = world.soql(
        f"SELECT OrderNumber FROM Order WHERE AccountId = '{account}' ORDER BY CreatedDate DESC, Id DESC"
    )
    page = await _at(world, "kiel", "GET", f"/orders?account_id={account}&colleagues=true")
    links = re.findall(r'<a href="/console(/orders/[^"]+)">([^<]+)</a></td>', page.text)
    assert [number for _, number in links] == [row["OrderNumber"] for row in expected][:25]
    assert links
    order = await _at(world, "kiel", "GET", links[0][0].replace("&amp;", "&"))
    assert (order.status_code, f"Order {links[0][1]}" in order.text) == (200, True)
    (first, *_) = world.soql(f"SELECT Id FROM Order WHERE OrderNumber = '{links[0][1]}'")
    items = world.soql(f"SELECT Product2.Name FROM OrderItem WHERE OrderId = '{first['Id']}'")
    assert all(item["Product2"]["Name"] in order.text for item in items)
    nothing = await _at(world, "omaha", "GET", "/orders")
    assert nothing.status_code == 200
    assert "account.not_mapped" in nothing.text


async def _pending(world: CommerceWorld) -> dict[str, Any]:
    root, body = "/salesforce_purchase_orders", {"lines": _LINES, "currency": "EUR", "note": "<b>soon</b>"}
    made = (await world.ask("kiel", "POST", root, json=body)).json()
    reply = await world.ask("kiel", "POST", f"{root}/{made['id']}/submit")
    assert reply.json()["status"] == "pending_approval", reply.text
    return dict(reply.json())


async def test_a_purchase_order_is_decided_by_its_approver(world: CommerceWorld) -> None:
    """It waits in the approver's list, its page shows lines and note, and the decision stands with its comment."""
    made = await _pending(world)
    assert made["id"] in (await _at(world, "approver", "GET", "/purchase-orders")).text
    page = await _at(world, "approver", "GET", f"/purchase-orders/{made['id']}")
    assert "&lt;b&gt;soon&lt;/b&gt;" in page.text
    assert "220.00 EUR" in text_of(page.text)
    (version,) = re.findall(r'name="version" value="(\d+)"', page.text)
    form = {"version": version, "decision": "approve", "comment": "well then"}
    reply = await _at(world, "approver", "POST", f"/purchase-orders/{made['id']}/decision", data=form)
    assert (reply.status_code, reply.headers["location"]) == (
        303,
        f"/console/purchase-orders/{made['id']}?done=approve",
    )
    after = (await _at(world, "kiel", "GET", f"/purchase-orders/{made['id']}")).text
    assert 'badge ok">approved' in after
    assert "well then" in after
    assert made["id"] not in (await _at(world, "approver", "GET", "/purchase-orders?status=pending_approval")).text


async def test_what_may_not_be_decided_is_told_on_the_page(world: CommerceWorld) -> None:
    """Who asked is offered no decision and refused one; a page that grew old is told so, the comment kept."""
    made = await _pending(world)
    path = f"/purchase-orders/{made['id']}"
    assert "/decision" not in (await _at(world, "kiel", "GET", path)).text
    form = {"version": str(made["version"]), "decision": "approve", "comment": ""}
    own_order = await _at(world, "kiel", "POST", f"{path}/decision", data=form)
    assert own_order.status_code in (403, 409)
    stale = {**form, "version": str(made["version"] - 1), "decision": "reject", "comment": "kept words"}
    refused = await _at(world, "approver", "POST", f"{path}/decision", data=stale)
    assert refused.status_code == 412
    assert "kept words" in refused.text
    assert (await _at(world, "approver", "POST", f"{path}/decision", data={"decision": "approve"})).status_code == 400
    assert (await _at(world, "lyon", "GET", path)).status_code == 404


async def test_lists_of_purchase_orders_know_whose(world: CommerceWorld) -> None:
    """One's own, those to decide about and all of one's organizations; no such view is refused."""
    made = await _pending(world)
    for name, view, listed in (("kiel", "mine", True), ("kiel", "to_approve", False), ("bremen", "organization", True)):
        page = await _at(world, name, "GET", f"/purchase-orders?view={view}&po_number={made['po_number']}")
        assert (made["id"] in page.text) is listed, (name, view)
    assert (await _at(world, "kiel", "GET", "/purchase-orders?view=everything")).status_code == 400


async def test_long_lists_lead_on_and_count_what_one_may_see(world: CommerceWorld) -> None:
    """Older loads are a page further, each once; somebody who may see own loads only has none of them counted."""
    engineer = await world.caller("engineer")
    made = {
        (await world.services.loads.submit_query("Lead", "SELECT Id FROM Lead", "query", engineer)).job_id
        for _ in range(55)
    }
    found, path = list[str](), "/loads?object_name=Lead"
    while path:
        page = (await _at(world, "engineer", "GET", path)).text
        found += re.findall(r'<a href="/console/loads/(load_\w+)">', page)
        older = re.findall(r'<a href="/console([^"]+)" rel="next">', page)
        path = older[0].replace("&amp;", "&") if older else ""
    assert sorted(found) == sorted(made)
    policy = {"objects": {}, "jobs": "own"}
    role = {"name": "own-loads", "scopes": ["bulk:read"], "policy": policy}
    reply = await world.ask("admin", "POST", "/roles", json=role)
    assert reply.status_code == 201, reply.text
    await world.make_person("lonely", Person(sf_username=None, organizations=()), roles=("own-loads",))
    for name, least in (("lonely", 0), ("engineer", 55)):
        page = (await _at(world, name, "GET", "")).text
        (queued,) = re.findall(r'state=Queued">([\d,]+)<', page)
        assert (int(queued) >= least, name == "lonely") == (True, int(queued) == 0)
