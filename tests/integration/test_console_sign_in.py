"""The console's door: signing in and out, whose form it is, who may see what, and every refusal as a page."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from tests.support.console_client import COOKIE, PASSWORD, make_user, own, sign_in, signed_in, text_of
from tests.support.local_house import LoneService, lone_service

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LoneService]:
    """Give a service over a fresh folder to all tests of the module; each makes users of its own."""
    async with lone_service(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture
def service(shared: LoneService) -> LoneService:
    """Give the service, with nobody signed in."""
    shared.client.cookies.clear()
    return shared


def _services(service: LoneService) -> Any:
    app: Any = service.client._transport.app  # type: ignore[attr-defined] # the transport that the service was given
    return app.state.services


async def test_who_is_not_signed_in_is_led_to_the_form_and_back(service: LoneService) -> None:
    """A page asked for without a sign-in leads to the form; signing in leads on to that very page."""
    asked = await service.client.get("/console/loads?state=Failed")
    assert asked.status_code == 303
    form = await service.client.get(asked.headers["location"])
    (following,) = re.findall(r'name="next" value="([^"]+)"', form.text)
    assert following == "/console/loads?state=Failed"
    name = await make_user(service, "bulk:read")
    reply = await sign_in(service, name, next=following)
    assert (reply.status_code, reply.headers["location"]) == (303, following)
    page = await service.client.get(following)
    assert page.status_code == 200
    assert name in page.text


@pytest.mark.parametrize(
    "path",
    [
        "https://evil.example",
        "//evil.example/console",
        "/console/../api",
        "/consolex",
        "/console\\@evil",
        "/api/v1/query",
    ],
)
async def test_signing_in_leads_nowhere_else(service: LoneService, path: str) -> None:
    """Whatever an address says about the page to go on to, it is one of the console's own."""
    name = await make_user(service)
    reply = await sign_in(service, name, next=path)
    assert (reply.status_code, reply.headers["location"]) == (303, "/console")


@pytest.mark.parametrize(("scheme", "secure"), [("http", False), ("https", True)])
async def test_the_cookie_is_the_browsers_alone(service: LoneService, scheme: str, secure: bool) -> None:
    """No script sees it, no other site's form carries it, only the console gets it, and over https it stays there."""
    name = await make_user(service)
    url = f"{scheme}://service"
    form = {"username": name, "password": PASSWORD}
    reply = await service.client.post(f"{url}/console/sign-in", data=form, headers={"Origin": url})
    words = {word.strip().lower() for word in reply.headers["set-cookie"].split(";")[1:]}
    assert {"httponly", "samesite=lax", "path=/console", "max-age=28800"} <= words
    assert ("secure" in words) is secure


async def test_unknown_users_and_wrong_passwords_are_told_the_same(service: LoneService) -> None:
    """The two answers differ in nothing but the name that was typed."""
    name = await make_user(service)
    wrong, unknown = await sign_in(service, name, "not the password"), await sign_in(service, "nobody-x", "whatever")
    assert wrong.status_code == unknown.status_code == 401
    pages = [
        re.sub(r"req_\w+", "", reply.text).replace(typed, "NAME")
        for reply, typed in ((wrong, name), (unknown, "nobody-x"))
    ]
    assert pages[0] == pages[1]
    assert "The user name or the password is wrong." in pages[0]
    assert COOKIE not in service.client.cookies
    admin = await service.token(admin=True)
    reply = await service.client.get(
        "/api/v1/audit", params={"action": "console.sign_in", "limit": 2}, headers={"Authorization": f"Bearer {admin}"}
    )
    assert [
        (entry["actor"]["name"], entry["outcome"], entry["code"], entry["details"]) for entry in reply.json()["entries"]
    ] == [(typed, "refused", "identity.wrong_credentials", {"grant": "password"}) for typed in ("nobody-x", name)]


async def test_failed_sign_ins_wait_here_as_at_the_token_endpoint(service: LoneService) -> None:
    """What was tried at the form counts at `/token`, and the form says how long one has to wait."""
    name = await make_user(service)
    for _ in range(6):
        await sign_in(service, name, "wrong")
    page = await sign_in(service, name)
    assert page.status_code == 429
    assert int(page.headers["retry-after"]) >= 1
    assert "Too many sign-ins have failed" in page.text
    token = await service.client.post("/token", data={"username": name, "password": PASSWORD})
    assert token.status_code == 429


_FOREIGN: list[dict[str, str]] = [
    {},
    {"Origin": "null"},
    {"Origin": "https://evil.example"},
    {"Origin": "http://service.evil.example"},
    {"Origin": "http://service:81"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://service"},
    {"Sec-Fetch-Site": "same-site", "Origin": "http://service"},
    {"Sec-Fetch-Site": "none"},
]


@pytest.mark.parametrize("headers", _FOREIGN, ids=[str(headers) for headers in _FOREIGN])
async def test_a_form_of_another_site_does_nothing(service: LoneService, headers: dict[str, str]) -> None:
    """Every POST says that it comes from a page of ours, signing in and out too; else it is refused as a page."""
    await signed_in(service, "bulk:read", "bulk:write")
    paths = ["/console/sign-in", "/console/sign-out", "/console/new-load"]
    paths += ["/console/account/password", "/console/account/sign-ins/end", "/console/exports", "/console/query"]
    paths += ["/console/purchase-orders/po_1/decision"]
    paths += [f"/console/loads/ld_1/{action}" for action in ("abort", "retry", "undo")]
    for path in paths:
        reply = await service.client.post(path, data={"rows": "all"}, headers=headers)
        assert (reply.status_code, "console.cross_site" in reply.text) == (403, True), path
    assert (await service.client.get("/console")).status_code == 200


@pytest.mark.parametrize("headers", [{"Origin": "http://service"}, {"Sec-Fetch-Site": "same-origin"}])
async def test_a_form_of_our_own_is_taken(service: LoneService, headers: dict[str, str]) -> None:
    """Either of the two ways in which browsers say so is enough."""
    await signed_in(service, "bulk:read", "bulk:write")
    reply = await service.client.post("/console/loads/ld_1/abort", headers=headers)
    assert (reply.status_code, "load.not_found" in reply.text) == (404, True)


async def test_signing_out_ends_the_sign_in(service: LoneService) -> None:
    """The cookie is taken back, and a copy of it is good for nothing, neither here nor at the API."""
    await signed_in(service, "records:read", "bulk:read")
    copy = service.client.cookies[COOKIE]
    reply = await service.client.post("/console/sign-out", headers=own(service.client))
    assert (reply.status_code, reply.headers["location"]) == (303, "/console/sign-in")
    assert COOKIE not in service.client.cookies
    again = await service.client.get("/console", headers={"Cookie": f"{COOKIE}={copy}"})
    assert again.headers["location"].startswith("/console/sign-in")
    api = await service.client.get("/api/v1/users/me", headers={"Authorization": f"Bearer {copy}"})
    assert api.status_code == 401


async def test_the_two_doors_are_apart(service: LoneService) -> None:
    """A bearer header opens no page, and the cookie opens no call of the API: no site can make a browser call it."""
    token = await service.token("bulk:read")
    page = await service.client.get("/console", headers={"Authorization": f"Bearer {token}"})
    assert page.status_code == 303
    await signed_in(service, "bulk:read")
    assert (await service.client.get("/api/v1/bulk/jobs")).status_code == 401
    cookie = {"Cookie": f"{COOKIE}={service.client.cookies[COOKIE]}"}
    assert (await service.client.get("/api/v1/bulk/jobs", headers=cookie)).status_code == 401


async def test_only_what_one_may_see_is_shown(service: LoneService) -> None:
    """The navigation has the pages of one's scopes; any other page names the scope that it needs, and is audited."""
    name = await signed_in(service, "bulk:read")
    page = await service.client.get("/console")
    links = set(re.findall(r'<li><a href="([^"]+)"', page.text))
    assert links == {"/console", "/console/loads"}
    refused = await service.client.get("/console/new-load")
    assert refused.status_code == 403
    assert "bulk:write" in text_of(refused.text)
    admin = await service.token(admin=True)
    reply = await service.client.get(
        "/api/v1/audit", params={"actor": name}, headers={"Authorization": f"Bearer {admin}"}
    )
    told = [(entry["action"], entry["outcome"], entry["route"]) for entry in reply.json()["entries"]]
    assert told == [
        ("console.new_load_form", "refused", "GET /console/new-load"),
        ("console.sign_in", "succeeded", "POST /console/sign-in"),
    ]


async def test_a_lost_right_is_lost_here_too(service: LoneService) -> None:
    """Somebody who was disabled is signed out at the next click."""
    name = await signed_in(service, "bulk:read")
    services = _services(service)
    user = (await services.users.find(name)).user
    async with services.users._database.unit() as unit:
        await unit.users.update(user.id, disabled=True)
    services.identity.principals.forget()
    assert (await service.client.get("/console/loads")).status_code == 303


async def test_pages_run_no_foreign_code_and_stay_in_no_cache(service: LoneService) -> None:
    """Every page, refusals too, says what it may load, that nobody frames it, and that nobody keeps it."""
    await signed_in(service, "bulk:read")
    for path in ("/console", "/console/sign-in?ticket=x", "/console/loads", "/console/nowhere"):
        headers = (await service.client.get(path)).headers
        policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
        assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'"
        assert (headers["cache-control"], headers["referrer-policy"]) == ("no-store", "same-origin")
        assert (headers["x-content-type-options"], headers["x-frame-options"]) == ("nosniff", "DENY")


async def test_no_page_has_inline_code_or_style(service: LoneService) -> None:
    """Nothing in the pages' text is what the policy would have to forgive."""
    await signed_in(service, admin=True)
    for path in ("/console", "/console/loads", "/console/new-load", "/console/nowhere"):
        page = (await service.client.get(path)).text
        assert re.findall(r"<script(?![^>]* src=)|<style|\sstyle=|\son[a-z]+=|javascript:", page) == []


async def test_files_are_named_by_their_content(service: LoneService) -> None:
    """Whoever has the stylesheet and the script keeps them for a year; another hash is another file, and not there."""
    page = (await service.client.get("/console/sign-in")).text
    urls = set(re.findall(r'(?:href|src)="(/console/static/[^"]+)"', page))
    assert {url.rsplit(".", 1)[1] for url in urls} == {"css", "js", "svg"}
    for url in urls:
        reply = await service.client.get(url)
        assert reply.status_code == 200
        assert "immutable" in reply.headers["cache-control"]
        assert "ratelimit" not in reply.headers
        mark = url.split("/")[3]
        assert (await service.client.get(url.replace(mark, "0" * len(mark)))).status_code == 404


async def test_refusals_are_pages_with_the_requests_id(service: LoneService) -> None:
    """404, 405, 413 and 422 of the console are pages; the same at the API stays problem JSON."""
    await signed_in(service, admin=True)
    large = b"x=" + b"y" * (17 * 1024 * 1024)
    cases = [
        (404, await service.client.get("/console/nowhere")),
        (404, await service.client.get("/console/loads/ld_unknown")),
        (400, await service.client.get("/console/loads?state=Nonsense")),
        (405, await service.client.get("/console/loads/ld_1/abort")),
        (413, await service.client.post("/console/sign-in", content=large, headers=own(service.client))),
    ]
    for status, reply in cases:
        assert reply.status_code == status
        assert reply.headers["content-type"].startswith("text/html")
        assert reply.headers["x-request-id"] in reply.text
    assert (await service.client.get("/api/v1/nowhere")).headers["content-type"] == "application/problem+json"


async def test_a_fault_of_our_own_is_a_page_too(service: LoneService) -> None:
    """What nobody foresaw tells the request's id and not what went wrong."""
    await signed_in(service, "bulk:read")
    jobs = _services(service).jobs
    database, jobs._database = jobs._database, None
    page = await service.client.get("/console/loads")
    jobs._database = database
    assert page.status_code == 500
    assert page.headers["x-request-id"] in page.text
    assert "NoneType" not in page.text


async def test_calls_are_counted_as_those_of_the_api(tmp_path: Path) -> None:
    """Too many are refused by a page that says when to come back; files are not counted."""
    async with lone_service(tmp_path, orgbridge_rate_limit_read="3/minute") as service:
        await signed_in(service, "bulk:read")
        replies = [await service.client.get("/console/loads") for _ in range(4)]
        assert [reply.status_code for reply in replies] == [200, 200, 200, 429]
        assert replies[3].headers["content-type"].startswith("text/html")
        assert int(replies[3].headers["retry-after"]) >= 1
        (css,) = re.findall(r'href="(/console/static/[^"]+\.css)"', replies[0].text)
        assert (await service.client.get(css)).status_code == 200


async def test_a_page_is_read_by_no_other_origin(service: LoneService) -> None:
    """An origin that may call the API with tokens may not read pages with somebody's cookie."""
    await signed_in(service, "bulk:read")
    headers = {"Origin": "https://console.example.com"}
    assert "access-control-allow-origin" in (await service.client.get("/health", headers=headers)).headers
    page = await service.client.get("/console", headers=headers)
    assert [name for name in page.headers if name.startswith("access-control-allow")] == []


async def test_figures_and_log_name_the_route(service: LoneService) -> None:
    """Routes of the console are told by their templates, so that no path makes a series of its own."""
    await signed_in(service, admin=True)
    await service.client.get("/console/loads/ld_some")
    token = await service.token(admin=True)
    figures = (await service.client.get("/metrics", headers={"Authorization": f"Bearer {token}"})).text
    assert 'route="/console/loads/{load_id}",status="404"' in figures
    assert "ld_some" not in figures


async def test_the_api_documents_do_not_list_it(service: LoneService) -> None:
    """The console is no part of the contract."""
    document = (await service.client.get("/openapi.json")).json()
    assert [path for path in document["paths"] if "console" in path or path == "/"] == []


async def test_a_browser_at_the_root_is_led_to_the_console(service: LoneService) -> None:
    """A browser is led on, a program is told that there is nothing."""
    browser = await service.client.get("/", headers={"Accept": "text/html,*/*"})
    assert (browser.status_code, browser.headers["location"]) == (307, "/console")
    program = await service.client.get("/")
    assert (program.status_code, program.headers["content-type"]) == (404, "application/problem+json")


async def test_it_can_be_switched_off(tmp_path: Path) -> None:
    """Without it there is nothing below /console, not even a page that says so."""
    async with lone_service(tmp_path, orgbridge_console=False) as service:
        for path in ("/console", "/console/sign-in", "/"):
            reply = await service.client.get(path, headers={"Accept": "text/html"})
            assert (reply.status_code, reply.headers["content-type"]) == (404, "application/problem+json")


async def test_a_link_signs_in_once(service: LoneService) -> None:
    """The page behind a link asks for a click, which signs in; the second click is refused and tells how else."""
    services = _services(service)
    name = await make_user(service, "bulk:read")
    ticket = services.links.make((await services.users.find(name)).user.id)
    page = await service.client.get("/console/sign-in", params={"ticket": ticket})
    assert 'name="ticket"' in page.text
    assert COOKIE not in service.client.cookies
    replies = [
        await service.client.post("/console/sign-in", data={"ticket": ticket}, headers=own(service.client))
        for _ in range(2)
    ]
    assert [reply.status_code for reply in replies] == [303, 401]
    assert "was used before" in replies[1].text
    assert name in (await service.client.get("/console")).text


async def _change(service: LoneService, present: str, following: str, again: str) -> httpx2.Response:
    form = {"present": present, "following": following, "again": again}
    return await service.client.post("/console/account/password", data=form, headers=own(service.client))


async def test_a_password_is_changed(service: LoneService) -> None:
    """Every other sign-in ends, this one goes on, and only the new password signs in from now on."""
    name = await signed_in(service, "bulk:read")
    other = str(
        (await service.client.post("/token", data={"username": name, "password": PASSWORD})).json()["access_token"]
    )
    reply = await _change(service, PASSWORD, "another horse battery", "another horse battery")
    assert (reply.status_code, reply.headers["location"]) == (303, "/console/account?done=password")
    assert (await service.client.get("/console/account")).status_code == 200
    api = await service.client.get("/api/v1/users/me", headers={"Authorization": f"Bearer {other}"})
    assert api.status_code == 401
    assert (await sign_in(service, name)).status_code == 401
    assert (await sign_in(service, name, "another horse battery")).status_code == 303


@pytest.mark.parametrize(
    ("present", "following", "again", "field"),
    [
        ("wrong", "another horse battery", "another horse battery", "present"),
        (PASSWORD, "short", "short", "following"),
        (PASSWORD, "another horse battery", "another horse", "again"),
    ],
    ids=["wrong", "too short", "not the same"],
)
async def test_a_password_is_not_changed_by_mistake(
    service: LoneService, present: str, following: str, again: str, field: str
) -> None:
    """What is wrong stands at its field, no password comes back, and the old one still signs in."""
    name = await signed_in(service)
    reply = await _change(service, present, following, again)
    assert (reply.status_code, re.findall(r'id="(\w+)-fault"', reply.text)) == (422, [field])
    assert 'value="another' not in reply.text
    assert (await sign_in(service, name)).status_code == 303


async def test_ones_own_sign_ins_are_ended_and_nobody_elses(service: LoneService) -> None:
    """Another sign-in of one's own ends at a click; somebody else's is none; this one leads to the form."""
    await signed_in(service, "bulk:read")
    (foreign,) = re.findall(r'name="session_id" value="([^"]+)"', (await service.client.get("/console/account")).text)
    service.client.cookies.clear()
    name = await signed_in(service, "bulk:read")
    elsewhere = (await service.client.post("/token", data={"username": name, "password": PASSWORD})).json()[
        "access_token"
    ]
    page = (await service.client.get("/console/account")).text
    ids = re.findall(r'name="session_id" value="([^"]+)"', page)
    assert len(ids) == 2
    rows = dict(zip(ids, page.partition("<tbody>")[2].split("</tr>"), strict=False))
    mine = next(one for one, row in rows.items() if "this one" in row)
    other = next(one for one in ids if one != mine)

    async def end(session_id: str) -> httpx2.Response:
        form = {"session_id": session_id}
        return await service.client.post("/console/account/sign-ins/end", data=form, headers=own(service.client))

    assert (await end(foreign)).status_code == 404
    assert (await end(other)).headers["location"] == "/console/account?done=ended"
    api = await service.client.get("/api/v1/users/me", headers={"Authorization": f"Bearer {elsewhere}"})
    assert api.status_code == 401
    assert (await end(mine)).headers["location"] == "/console/sign-in"
    assert (await service.client.get("/console/account")).status_code == 303


async def test_a_salesforce_that_does_not_answer_is_told(service: LoneService) -> None:
    """The overview says what is the matter and what mends it; what needs it is a page that says so too."""
    await signed_in(service, admin=True)
    overview = await service.client.get("/console")
    assert overview.status_code == 200
    assert "Unavailable" in overview.text
    form = {"q": "SELECT Id FROM Account"}
    query = await service.client.post("/console/query", data=form, headers=own(service.client))
    assert query.status_code in (502, 503)
    assert query.headers["content-type"].startswith("text/html")
    assert "lone-p4ssword" not in query.text


@pytest.mark.parametrize(
    ("method", "path", "form"),
    [
        ("GET", "/loads/%00", {}),
        ("GET", "/loads/load_1%0d%0aX-Evil:%201", {}),
        ("GET", "/loads/load_1/results/everything", {}),
        ("GET", "/loads/load_1/results/all?format=xml", {}),
        ("GET", "/loads?created_by=%00", {}),
        ("GET", "/loads?cursor=%F0%28", {}),
        ("GET", "/loads?object_name=" + "x" * 300, {}),
        ("GET", "/audit?cursor=nonsense", {}),
        ("GET", "/errors/%3Cscript%3E", {}),
        ("GET", "/orders/%2e%2e", {}),
        ("GET", "/purchase-orders/%00", {}),
        ("POST", "/loads/load_1/retry", {"rows": "some"}),
        ("POST", "/exports", {"q": "SELECT Id FROM Account WHERE Name = '\x00'"}),
        ("POST", "/query", {"q": "", "cursor": "nonsense"}),
        ("POST", "/new-load", {"object_name": "Account"}),
        ("POST", "/account/sign-ins/end", {"session_id": "\x00"}),
        ("POST", "/purchase-orders/po_1/decision", {"version": "-1", "decision": "approve"}),
    ],
)
async def test_nonsense_is_refused_as_a_page(
    service: LoneService, method: str, path: str, form: dict[str, str]
) -> None:
    """Whatever is typed into an address or a form, the answer is a page of the caller's own mistake."""
    await signed_in(service, admin=True)
    reply = await service.client.request(method, f"/console{path}", data=form or None, headers=own(service.client))
    assert 400 <= reply.status_code < 500
    assert reply.headers["content-type"].startswith("text/html")
    assert "x-evil" not in reply.headers
