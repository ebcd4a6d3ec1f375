"""Purchase orders over a socket and an emulated org with the commerce seed: routes, links, mirror, documents."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio
import structlog

from orgbridge.client.mails import Mail
from orgbridge.kit.clock import SystemClock
from orgbridge.services.commerce.mails import MailConfig, Mailer
from orgbridge.services.commerce.placements import PlacementConfig
from orgbridge.services.commerce.purchase_mirror import PurchaseMirror
from orgbridge.store.database import Database
from orgbridge.wiring.hosting import OrgHost
from orgbridge.wiring.house import build_house
from tests.integration.test_api_contract import check_problem
from tests.support.commerce_world import CommerceWorld, commerce_world

pytestmark = pytest.mark.asyncio(loop_scope="module")

_ROOT = "/salesforce_purchase_orders"
_LINES: list[dict[str, Any]] = [
    {"sku": "MP-0001", "quantity": "2", "unit_price": "110.00"},
    {"sku": "MP-0002", "quantity": 1, "unit_price": 30.5},
]
_PDF = b"%PDF-1.7\n" + bytes(range(256)) * 3_000 + b"\n%%EOF\n"
_TOKEN = re.compile(r"token=([A-Za-z0-9_-]+)")
_LIMIT_BYTES = 2_000_000


class Postbox:
    """A sender that keeps mails."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []

    async def send(self, mail: Mail, now: object) -> None:
        """Keep a mail."""
        self.mails.append(mail)


@pytest.fixture(scope="module")
def host() -> Iterator[OrgHost]:
    """Give a host of orgs."""
    with OrgHost() as host:
        yield host


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(host: OrgHost, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CommerceWorld]:
    """Give a world on a port whose people of Nordmühle have two approvers."""
    settings = {
        "orgbridge_smtp_host": "127.0.0.1",
        "orgbridge_smtp_from": "po@house.example",
        "orgbridge_document_bytes": _LIMIT_BYTES,
    }
    async with commerce_world(host, tmp_path_factory.mktemp("po"), over_socket=True, **settings) as made:
        for name in ("approver", "bremen"):
            found = await made.services.users.find(name)
            changes = {"email": f"{name}@nordmuehle.example"}
            await made.services.users.update(found.user.id, changes, expected=None)
        reply = await _rules(made, {"approvers": ["approver", "bremen"]})
        assert reply.status_code == 200, reply.text
        made.services.placements._config = PlacementConfig(wait_seconds=0.1)
        yield made


async def _rules(world: CommerceWorld, body: dict[str, Any], **headers: str) -> httpx2.Response:
    path = f"{_ROOT}/rules/{world.organizations['Nordmühle']}"
    return await world.ask("admin", "PUT", path, json=body, headers={"If-Match": "*", **headers})


async def _draft(world: CommerceWorld, name: str = "kiel", **more: Any) -> dict[str, Any]:
    body = {"lines": _LINES, "currency": "EUR", **more}
    reply = await world.ask(name, "POST", _ROOT, json=body)
    assert reply.status_code == 201, reply.text
    return dict(reply.json())


async def _pending(world: CommerceWorld, **more: Any) -> dict[str, Any]:
    made = await _draft(world, **more)
    reply = await world.ask("kiel", "POST", f"{_ROOT}/{made['id']}/submit")
    assert reply.status_code == 200, reply.text
    return dict(reply.json())


async def _mails(world: CommerceWorld) -> list[Mail]:
    box = Postbox()
    database = Database(world.settings.database_url)
    url = f"{world.client.base_url}/api/v1{_ROOT}/decision"
    try:
        while await Mailer(database, SystemClock(), box, MailConfig(decision_url=url)).deliver():
            pass
    finally:
        await database.close()
    return box.mails


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mirror(world: CommerceWorld) -> AsyncIterator[PurchaseMirror]:
    """Give what a worker tells Salesforce with, over connections of its own."""
    house = build_house(world.settings)
    yield PurchaseMirror(house.database, house.orgs, house.clock)
    await house.close()


async def _mirror(mirror: PurchaseMirror) -> None:
    while await mirror.tell_all():
        pass


def _rows(world: CommerceWorld, uuid: str) -> list[dict[str, Any]]:
    fields = "Id, Name, UUID__c, Account__c, Approver_Email__c, Approval_Decision_Date__c, Approval_Status__c, "
    fields += "Purchase_Order_Number__c, Total__c"
    return world.soql(f"SELECT {fields} FROM Purchase_Order__c WHERE UUID__c = '{uuid}'")


async def test_an_order_goes_its_way_through_the_routes(world: CommerceWorld) -> None:
    """Made with Location and ETag, shown, submitted, approved with If-Match; the list keeps its old shape."""
    reply = await world.ask(
        "kiel", "POST", _ROOT, json={"lines": _LINES, "currency": "EUR", "po_number": "A-1", "note": "<b>"}
    )
    made = reply.json()
    assert (reply.status_code, made["status"], made["total"], made["quantity"]) == (201, "draft", "250.50", "3")
    assert made["account_id"] == world.accounts["ACC-110"]
    shown = await world.client.get(
        reply.headers["location"], headers={"Authorization": f"Bearer {await world.token('kiel')}"}
    )
    assert shown.headers["etag"] == reply.headers["etag"] == '"1"'
    done = await world.ask("kiel", "POST", f"{_ROOT}/{made['id']}/submit", json={"comment": "please"})
    assert done.json()["status"] == "pending_approval"
    stale = await world.ask("approver", "POST", f"{_ROOT}/{made['id']}/approve", headers={"If-Match": '"1"'})
    check_problem(stale, 412, "purchase_orders.stale")
    own = await world.ask("kiel", "POST", f"{_ROOT}/{made['id']}/approve")
    check_problem(own, 403, "purchase_orders.own")
    done = await world.ask("approver", "POST", f"{_ROOT}/{made['id']}/approve", headers={"If-Match": '"2"'})
    assert (done.json()["status"], done.headers["etag"], done.json()["decided_by"]) == ("approved", '"3"', "approver")
    again = await world.ask("bremen", "POST", f"{_ROOT}/{made['id']}/reject")
    check_problem(again, 409, "purchase_orders.conflict")
    said = await world.ask("bremen", "POST", f"{_ROOT}/{made['id']}/comments", json={"text": "<script>"})
    assert said.status_code == 201
    detail = (await world.ask("kiel", "GET", f"{_ROOT}/{made['order_quote_id']}")).json()
    assert [one["step"] for one in detail["history"]] == ["create", "submit", "approve"]
    assert [one["text"] for one in detail["comments"]] == ["<script>"]
    listed = (await world.ask("kiel", "GET", f"{_ROOT}/me", params={"po_number": "A-1"})).json()
    assert isinstance(listed, list)
    assert list(listed[0])[:8] == [
        *("id", "name", "order_quote_id", "created_date", "po_number", "status", "total", "quantity")
    ]
    order = await world.ask("kiel", "POST", f"{_ROOT}/{made['id']}/order")
    # No worker runs here: the placement waits for one, and the call says when to ask again.
    check_problem(order, 409, "purchase_orders.ordering")
    assert order.headers["retry-after"] == "2"
    assert (await world.ask("kiel", "GET", f"{_ROOT}/{made['id']}")).json()["status"] == "ordering"


async def test_lists_are_read_page_by_page(world: CommerceWorld) -> None:
    """Flaw 2: the Link header leads through every order once, filters kept."""
    made = {(await _draft(world, note="page"))["id"] for _ in range(5)}
    path: str | None = f"{_ROOT}/me?limit=2&status=draft&status=approved"
    seen: list[str] = []
    while path is not None:
        reply = await world.ask("kiel", "GET", path)
        assert reply.status_code == 200, reply.text
        seen += [one["id"] for one in reply.json()]
        link = re.match(r'</api/v1([^>]+)>; rel="next"', reply.headers.get("link", ""))
        path = link[1] if link else None
    assert made <= set(seen)
    assert len(set(seen)) == len(seen)


async def test_flaw_03_nobody_outside_sees_or_does_anything(world: CommerceWorld) -> None:
    """Another organization's buyer gets 404 from every route; a foreign or unknown organization 403 and 404."""
    made = await _pending(world)
    for key in (made["id"], made["order_quote_id"]):
        for method, end in (
            *(("GET", ""), ("POST", "/submit"), ("POST", "/approve"), ("POST", "/reject"), ("POST", "/cancel")),
            *(("POST", "/order"), ("GET", "/document")),
        ):
            check_problem(await world.ask("lyon", method, f"{_ROOT}/{key}{end}"), 404, "purchase_orders.not_found")
        put = await world.ask("lyon", "PUT", f"{_ROOT}/{key}/document", content=_PDF)
        check_problem(put, 404, "purchase_orders.not_found")
    assert (await world.ask("lyon", "GET", f"{_ROOT}/me", params={"view": "organization"})).json() == []
    north = world.organizations["Nordmühle"]
    refused = await world.ask("lyon", "GET", f"{_ROOT}/me", params={"view": "organization", "org_id": north})
    check_problem(refused, 403, "account.not_granted")
    check_problem(await world.ask("lyon", "GET", f"{_ROOT}/me?org_id=org_none"), 404, "account.organization_not_found")
    check_problem(await world.ask("lyon", "GET", f"{_ROOT}/rules/{north}"), 403, "account.not_granted")
    check_problem(
        await world.ask("kiel", "PUT", f"{_ROOT}/rules/{north}", json={"approvers": []}), 403, "identity.scope_missing"
    )
    foreign = await world.ask(
        "kiel", "POST", _ROOT, json={"lines": _LINES, "currency": "EUR", "account_id": world.accounts["ACC-210"]}
    )
    assert foreign.status_code == 403


async def test_two_approvals_at_one_moment(world: CommerceWorld) -> None:
    """Over the socket: one 200, the others 409."""
    made = await _pending(world)
    who = ["approver", "bremen"] * 4
    replies = await asyncio.gather(*(world.ask(one, "POST", f"{_ROOT}/{made['id']}/approve") for one in who))
    assert sorted(reply.status_code for reply in replies) == [200] + [409] * 7


async def test_bulk_tells_of_each(world: CommerceWorld) -> None:
    """Two approved, one unknown, one withdrawn: 200 with an outcome for each."""
    made = [await _pending(world) for _ in range(3)]
    await world.ask("kiel", "POST", f"{_ROOT}/{made[2]['id']}/cancel")
    ids = [made[0]["id"], "po_none", made[2]["id"], made[1]["id"]]
    reply = await world.ask("approver", "POST", f"{_ROOT}/bulk/approve", json={"ids": ids})
    results = reply.json()["results"]
    assert [(one["id"], one["success"]) for one in results] == list(zip(ids, [True, False, False, True], strict=True))
    assert results[1]["error"]["code"] == "purchase_orders.not_found"


async def test_a_mails_link_shows_and_only_a_post_acts(world: CommerceWorld) -> None:
    """A scanner's GETs, HEADs and previews change nothing; the form's POST decides, once; the page runs nothing."""
    made = await _pending(world, note='"><script>alert(1)</script>')
    mail = next(
        one for one in await _mails(world) if made["po_number"] in one.subject and one.to.startswith("approver")
    )
    found = _TOKEN.search(mail.text)
    assert found is not None
    token, url = found[1], f"/api/v1{_ROOT}/decision"
    page = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    for _ in range(3):
        shown = await world.client.get(url, params={"token": token}, headers=page)
        assert shown.status_code == 200
        assert shown.headers["content-type"].startswith("text/html")
    assert "<script>" not in shown.text
    assert 'method="post"' in shown.text
    assert "form-action 'self'" in shown.headers["content-security-policy"]
    assert (shown.headers["cache-control"], shown.headers["referrer-policy"]) == ("no-store", "no-referrer")
    told = (await world.client.get(url, params={"token": token})).json()
    assert (told["approver"], told["possible"]) == ("approver", ["approve", "reject"])
    assert (await world.ask("kiel", "GET", f"{_ROOT}/{made['id']}")).json()["status"] == "pending_approval"
    stranger = await world.ask("bremen", "GET", f"{_ROOT}/decision", params={"token": token})
    check_problem(stranger, 403, "purchase_orders.link_not_yours")
    wrong = await world.client.post(url, data={"token": token, "decision": "maybe"})
    check_problem(wrong, 400, "request.invalid")
    assert token not in wrong.text
    done = await world.client.post(url, data={"token": token, "decision": "reject", "comment": "no"}, headers=page)
    assert (done.status_code, "rejected" in done.text) == (200, True)
    late = await world.client.post(url, json={"token": token, "decision": "approve"})
    check_problem(late, 404, "purchase_orders.link_invalid")
    assert token not in late.text
    gone = await world.client.get(url, params={"token": token}, headers=page)
    assert (gone.status_code, token in gone.text) == (404, False)
    detail = (await world.ask("kiel", "GET", f"{_ROOT}/{made['id']}")).json()
    assert (detail["history"][-1]["via"], detail["history"][-1]["actor"]) == ("link", "approver")
    assert (detail["decided_by"], detail["status"]) == ("approver", "rejected")
    entries = (await world.ask("admin", "GET", "/audit", params={"action": "purchase_orders.reject"})).text
    assert made["id"] in entries
    assert token not in entries


async def test_flaw_24_salesforce_is_told_of_each_state_once(world: CommerceWorld, mirror: PurchaseMirror) -> None:
    """One row by its UUID, with number, total, approver and a decision date in Salesforce's own form; repeated: one."""
    made = await _pending(world, po_number="M-1")
    await _mirror(mirror)
    (row,) = _rows(world, made["order_quote_id"])
    assert (row["Approval_Status__c"], row["Purchase_Order_Number__c"], row["Total__c"]) == (
        "Approval Pending",
        "M-1",
        250.5,
    )
    assert row["Account__c"] == world.accounts["ACC-110"]
    await world.ask("approver", "POST", f"{_ROOT}/{made['id']}/approve")
    world.org.control.fault(method="PATCH", path="Purchase_Order__c", cut="after")
    await _mirror(mirror)
    shown = (await world.ask("kiel", "GET", f"{_ROOT}/{made['id']}")).json()
    (row,) = _rows(world, made["order_quote_id"])
    assert row["Approval_Status__c"] == "Approved"
    assert row["Approval_Decision_Date__c"][:10] == shown["decided_at"][:10]
    assert row["Approver_Email__c"] == "approver@nordmuehle.example"
    assert shown["salesforce"] == {"state": "synced", "record_id": row["Id"], "error": None}
    assert (await world.ask("kiel", "GET", f"{_ROOT}/{row['Id']}")).json()["id"] == made["id"]


async def test_a_pdf_is_stored_once_and_comes_back(world: CommerceWorld) -> None:
    """Flaws 15 and 25: sent three times, as body and as form: one version, one link with its share type."""
    made = await _pending(world)
    path = f"{_ROOT}/{made['id']}/document"
    check_problem(await world.ask("kiel", "GET", path), 404, "purchase_orders.document_missing")
    first = await world.ask("kiel", "PUT", path, content=_PDF, params={"filename": "../Bestellung ß.PDF"})
    assert first.status_code == 200, first.text
    told = first.json()
    assert (told["bytes"], told["sha256"]) == (len(_PDF), hashlib.sha256(_PDF).hexdigest())
    again = await world.ask("kiel", "PUT", path, content=_PDF)
    form = await world.ask("kiel", "PUT", path, files={"file": ("x.pdf", _PDF, "application/pdf")})
    for reply in (again, form):
        assert reply.json()["content_version_id"] == told["content_version_id"]
    title = f"Title LIKE '%{made['order_quote_id']}%'"
    (version,) = world.soql(
        f"SELECT Id, Owner.Username, ContentSize, ContentDocumentId FROM ContentVersion WHERE {title}"
    )
    assert (version["Owner"]["Username"], version["ContentSize"]) == ("buyer.kiel@nordmuehle.example", len(_PDF))
    parent = _rows(world, made["order_quote_id"])[0]["Id"]
    (link,) = world.soql(f"SELECT ShareType, Visibility FROM ContentDocumentLink WHERE LinkedEntityId = '{parent}'")
    assert link["ShareType"] == "V"
    got = await world.ask("kiel", "GET", path)
    assert (got.content, got.headers["content-type"]) == (_PDF, "application/pdf")
    assert "attachment" in got.headers["content-disposition"]
    assert "/" not in got.headers["content-disposition"].split("''")[1]
    other = _PDF.replace(b"1.7", b"1.6")
    changed = (await world.ask("kiel", "PUT", path, content=other)).json()
    assert changed["content_document_id"] == told["content_document_id"]
    assert (await world.ask("kiel", "GET", path)).content == other


@pytest.mark.parametrize(
    "trouble",
    [
        {"method": "POST", "path": "/sobjects/ContentVersion", "cut": "after"},
        {"method": "POST", "path": "/sobjects/ContentVersion", "cut": "upload", "after_bytes": 100_000},
        {"method": "POST", "path": "/sobjects/ContentVersion", "status": 500, "effect": True},
        {"method": "POST", "path": "/sobjects/ContentDocumentLink", "cut": "after"},
        {"method": "POST", "path": "/sobjects/ContentDocumentLink", "cut": "before"},
        {"method": "PATCH", "path": "/sobjects/Purchase_Order__c", "cut": "after"},
    ],
    ids=["version lost", "upload cut", "version 500", "link lost", "link cut", "order lost"],
)
async def test_a_lost_reply_stores_no_second_document(world: CommerceWorld, trouble: dict[str, Any]) -> None:
    """Whatever breaks off, the same call goes on from what is there: one version and one link in the end."""
    made = await _pending(world)
    path = f"{_ROOT}/{made['id']}/document"
    world.org.control.fault(**trouble)
    statuses: list[int] = []
    while not statuses or (statuses[-1] != 200 and len(statuses) < 4):
        statuses.append((await world.ask("kiel", "PUT", path, content=_PDF)).status_code)
    assert statuses[-1] == 200, statuses
    title = f"Title LIKE '%{made['order_quote_id']}%'"
    assert len(world.soql(f"SELECT Id FROM ContentVersion WHERE {title}")) == 1
    (row,) = _rows(world, made["order_quote_id"])
    assert len(world.soql(f"SELECT Id FROM ContentDocumentLink WHERE LinkedEntityId = '{row['Id']}'")) == 1


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"", 400, "purchase_orders.document_refused"),
        (b"%PD", 400, "purchase_orders.document_refused"),
        (b"MZ" + _PDF, 400, "purchase_orders.document_refused"),
        (b"<html>%PDF-1.7 %%EOF", 400, "purchase_orders.document_refused"),
        (_PDF[:-100], 400, "purchase_orders.document_refused"),
        (b"%PDF-1.7" + b" " * _LIMIT_BYTES + b"%%EOF", 413, "purchase_orders.document_too_large"),
    ],
    ids=["empty", "short", "program", "page", "cut off", "too large"],
)
async def test_what_is_no_pdf_is_refused(world: CommerceWorld, content: bytes, status: int, code: str) -> None:
    """By its first and last bytes and its size, whatever it is called; nothing gets to Salesforce."""
    made = await _draft(world)
    reply = await world.ask(
        "kiel", "PUT", f"{_ROOT}/{made['id']}/document", content=content, params={"filename": "a.pdf"}
    )
    check_problem(reply, status, code)
    assert world.soql(f"SELECT Id FROM ContentVersion WHERE Title LIKE '%{made['order_quote_id']}%'") == []
    assert not list((world.settings.orgbridge_data).rglob("documents/*/*"))


async def test_the_same_key_makes_one_order(world: CommerceWorld) -> None:
    """Idempotency-Key: sent twice, one draft; an upload under a key is replayed too."""
    body = {"lines": _LINES, "currency": "EUR", "note": "once"}
    replies = [
        await world.ask("kiel", "POST", _ROOT, json=body, headers={"Idempotency-Key": "po-key-1"}) for _ in range(2)
    ]
    assert replies[0].json()["id"] == replies[1].json()["id"]
    path = f"{_ROOT}/{replies[0].json()['id']}/document"
    puts = [
        await world.ask("kiel", "PUT", path, content=_PDF, headers={"Idempotency-Key": "po-key-2"}) for _ in range(2)
    ]
    assert puts[0].content == puts[1].content
    assert puts[1].headers["idempotency-replayed"] == "true"


async def test_each_step_is_in_the_audit(world: CommerceWorld) -> None:
    """By its name, its order and who took it."""
    made = await _pending(world)
    await world.ask("approver", "POST", f"{_ROOT}/{made['id']}/approve")
    await world.ask("kiel", "POST", f"{_ROOT}/{made['id']}/cancel")
    reply = await world.ask("admin", "GET", "/audit", params={"action": "purchase_orders", "limit": 50})
    mine = [one["action"] for one in reply.json()["entries"] if made["id"] in one["ids"]]
    assert mine == [
        "purchase_orders.cancel",
        "purchase_orders.approve",
        "purchase_orders.submit",
        "purchase_orders.create",
    ]


async def _command(world: CommerceWorld, name: str, *words: str) -> tuple[int, str]:
    environment = {
        "PATH": os.defpath,
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "ORGBRIDGE_URL": str(world.client.base_url).rstrip("/"),
        "ORGBRIDGE_TOKEN": await world.token(name),
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "orgbridge.cli", "purchase-orders", *words),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


async def test_the_command_line_lists_shows_and_decides(world: CommerceWorld) -> None:
    """What waits is listed, shown and decided; the exit code tells of all, some and none."""
    first, second = await _pending(world, note="cli"), await _pending(world, note="cli")
    code, text = await _command(world, "approver", "list", "--view", "to_approve", "--limit", "200")
    assert (code, first["id"] in text, second["id"] in text) == (0, True, True)
    code, text = await _command(world, "approver", "show", first["id"])
    assert (code, "2 x MP-0001 at 110.00 = 220.00" in text, "submit by kiel" in text) == (0, True, True)
    code, text = await _command(world, "approver", "approve", first["id"], "-m", "fine")
    assert (code, "approved" in text) == (0, True)
    code, _ = await _command(world, "approver", "reject", first["id"], second["id"])
    assert code == 1
    code, _ = await _command(world, "approver", "approve", "po_none")
    assert code == 2


async def test_a_download_that_breaks_off_is_no_whole_file(
    world: CommerceWorld, caplog: pytest.LogCaptureFixture
) -> None:
    """The connection is cut rather than ended, so that nobody takes half a file for one."""
    made = await _pending(world)
    path = f"{_ROOT}/{made['id']}/document"
    assert (await world.ask("kiel", "PUT", path, content=_PDF)).status_code == 200
    world.org.control.fault(method="GET", path="VersionData", cut="download", after_bytes=300_000)
    # Not rendered: a console takes many seconds to draw the trace.
    with structlog.testing.capture_logs() as logs, pytest.raises(httpx2.HTTPError):
        await world.ask("kiel", "GET", path)
    # Loggers that a start of a service has set up hand their lines on to the standard library.
    assert "request_crashed" in [one["event"] for one in logs] or "request_crashed" in caplog.text
    assert (await world.ask("kiel", "GET", path)).content == _PDF
