"""The console in a real browser: a load from form to mended rows, how pages look, and what works without script."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.support.console_client import PASSWORD
from tests.support.local_house import LocalHouse, house
from tests.support.parts import CHROMIUM, CHROMIUM_PROGRAM

__all__ = ["house"]
pytestmark = [pytest.mark.system, pytest.mark.skipif(not CHROMIUM.present(), reason=CHROMIUM.remedy)]
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
_HEADER = "Name,Industry,NumberOfEmployees\n"
_ROWS = f"{_HEADER}Acme,Energy,12\n,Energy,3\n<script>alert(1)</script>,Energy,4\nBeta,Energy,many\n"
#: Pages of the console that show something of their own.
_PAGES = (
    "",
    "/loads",
    "/new-load",
    "/query",
    "/orders",
    "/purchase-orders",
    "/audit",
    "/account",
    "/errors/UNABLE_TO_LOCK_ROW",
)
_WATCH = "document.addEventListener('securitypolicyviolation', (e) => console.error('CSP ' + e.blockedURI))"
#: Texts whose contrast with what is behind them is below 4.5 to 1, fields that have no label, and ids that stand twice.
_FAULTS = """() => {
  const parts = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (one) => {
    for (let at = one; at; at = at.parentElement) {
      const colour = parts(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const one of document.body.querySelectorAll('*')) {
    const own = [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || !one.checkVisibility() || one.closest('[disabled], .hidden, .skip')) continue;
    const [a, b] = [light(parts(getComputedStyle(one).color)), light(behind(one))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) found.push('contrast: ' + one.textContent.trim().slice(0, 40));
  }
  for (const one of document.querySelectorAll('input:not([type=hidden], [hidden]), select, textarea'))
    if (!one.labels.length) found.push('label: ' + one.name);
  const ids = [...document.querySelectorAll('[id]')].map((one) => one.id);
  for (const id of new Set(ids)) if (ids.filter((other) => other === id).length > 1) found.push('id: ' + id);
  for (const one of document.querySelectorAll('table')) if (!one.caption) found.push('caption');
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) found.push('wider than the window');
  return found;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Give Debian's Chromium, with a profile of its own."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM_PROGRAM, args=list(_FLAGS))
        yield started
        started.close()


@pytest.fixture(scope="module")
def name(house: LocalHouse) -> str:
    """Give the name of an administrator who has a password."""
    with house.client() as api:
        body = {"username": "engineer", "password": PASSWORD, "scopes": [], "is_admin": True}
        assert api.post("/users", json=body).status_code == 201
    return "engineer"


@contextmanager
def _page(browser: Browser, house: LocalHouse, *, refusals: int = 0, **options: Any) -> Iterator[Page]:
    """Open a window; once it is done with, see that nothing was complained about and that nobody else was asked.

    Args:
        browser: The browser.
        house: Where the console is.
        refusals: Forms that are to be refused: a browser complains of their status.
        **options: Of the window.
    """
    context = browser.new_context(base_url=house.url, viewport={"width": 1280, "height": 900}, **options)
    context.set_default_timeout(20_000)
    context.add_init_script(_WATCH)
    page, told, asked = context.new_page(), list[str](), set[str]()
    page.on("console", lambda message: told.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: told.append(f"error: {error}"))
    page.on("request", lambda request: asked.add("/".join(request.url.split("/")[:3])))
    try:
        yield page
    finally:
        context.close()
    assert [text for text in told if "status of 422" not in text] == []
    assert len(told) == refusals
    assert asked <= {house.url}


def _sign_in(page: Page, name: str) -> None:
    page.goto("/console/sign-in")
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/console")


def _choose(page: Page, rows: str = _ROWS) -> None:
    page.goto("/console/new-load")
    page.get_by_label("Object", exact=True).fill("Account")
    file = {"name": "rows.csv", "mimeType": "text/csv", "buffer": rows.encode()}
    page.get_by_label("File", exact=True).set_input_files(file)  # type: ignore[arg-type] # a file's payload as documented


def _count(page: Page, word: str) -> str:
    return page.locator("dl.tally > div", has=page.get_by_text(word, exact=True)).locator("dd").inner_text()


def test_a_load_is_watched_to_its_end(house: LocalHouse, browser: Browser, name: str, tmp_path: Path) -> None:
    """From the form, over the counts that come by themselves, to the failed rows as a file that can be mended."""
    with _page(browser, house) as page:
        _sign_in(page, name)
        _choose(page)
        page.get_by_role("button", name="Load", exact=True).click()
        page.wait_for_url("**/console/loads/load_*")
        # Nobody loads the page again: the events do.
        expect(page.get_by_text("Complete, rows failed")).to_be_visible(timeout=60_000)
        expect(page.get_by_text("Every row is accounted for")).to_be_visible()
        counts = [_count(page, word) for word in ("Read", "Sent", "Succeeded", "Failed", "Not processed")]
        assert counts == ["4", "4", "2", "2", "0"]
        assert page.get_by_role("link", name="REQUIRED_FIELD_MISSING").is_visible()
        with page.expect_download() as download:
            page.get_by_role("link", name="Failed, to mend and load again").click()
        download.value.save_as(tmp_path / "mend.csv")
        assert (tmp_path / "mend.csv").read_text() == f"{_HEADER},Energy,3\nBeta,Energy,many\n"


def test_what_cannot_be_taken_back_is_asked(house: LocalHouse, browser: Browser, name: str) -> None:
    """Undo asks first: who says no has done nothing, who says yes sees the load that takes the other back."""
    with _page(browser, house) as page:
        _sign_in(page, name)
        _choose(page, "Name\nTaken back\n")
        page.get_by_role("button", name="Load", exact=True).click()
        undo = page.get_by_role("button", name="Undo")
        undo.click(timeout=60_000)
        page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
        expect(page.get_by_role("dialog")).to_have_count(0)
        here = page.url
        undo.click()
        page.get_by_role("dialog").get_by_role("button", name="Undo").click()
        page.wait_for_url("**done=undo")
        assert page.url.partition("?")[0] != here.partition("?")[0]
        expect(page.get_by_role("heading", name="delete Account")).to_be_visible()


def test_a_refused_form_is_mended(house: LocalHouse, browser: Browser, name: str) -> None:
    """What is wrong stands at the field, which is in focus; the file stays chosen and the second try goes through."""
    with _page(browser, house, refusals=1) as page:
        _sign_in(page, name)
        _choose(page, "Name\nMended\n")
        page.get_by_label("Object", exact=True).fill("Acc ount")
        page.get_by_role("button", name="Load", exact=True).click()
        fault = page.locator("#object_name-fault")
        expect(fault).to_contain_text("API name")
        expect(page.get_by_label("Object", exact=True)).to_be_focused()
        expect(page.get_by_label("Object", exact=True)).to_have_value("Acc ount")
        page.get_by_label("Object", exact=True).fill("Account")
        page.get_by_role("button", name="Load", exact=True).click()
        page.wait_for_url("**/console/loads/load_*")
        assert "rows.csv" in page.content()


def test_a_query_is_shown(house: LocalHouse, browser: Browser, name: str) -> None:
    """Records come as a table; a fault is shown at its place and the text can be mended where it stands."""
    with _page(browser, house) as page:
        _sign_in(page, name)
        page.goto("/console/query")
        page.get_by_label("SOQL").fill("SELECT Username FROM User LIMIT 1")
        page.get_by_role("button", name="Run").click()
        expect(page.get_by_role("columnheader", name="Username")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_can_be_read(house: LocalHouse, browser: Browser, name: str, scheme: Any) -> None:
    """Text stands out in both schemes, fields are labelled, and no page is wider than a wide or a narrow window."""
    with _page(browser, house, color_scheme=scheme) as page:
        assert _faults(page, "/sign-in") == []
        _sign_in(page, name)
        page.goto("/console/loads")
        (load, *_) = re.findall(r'href="/console(/loads/load_\w+)"', page.content()) or [""]
        for path in (*_PAGES, load):
            for width in (1280, 360):
                page.set_viewport_size({"width": width, "height": 800})
                assert _faults(page, path) == [], (path, width)


def _faults(page: Page, path: str) -> list[str]:
    page.goto(f"/console{path}")
    return list(page.evaluate(_FAULTS))


def test_everything_works_without_script(house: LocalHouse, browser: Browser, name: str) -> None:
    """The same forms load, show progress by looking again, and retry."""
    with _page(browser, house, java_script_enabled=False) as page:
        _sign_in(page, name)
        _choose(page)
        page.get_by_role("button", name="Load", exact=True).click()
        page.wait_for_url("**/console/loads/load_*")
        expect(page.get_by_text("Complete, rows failed")).to_be_visible(timeout=60_000)
        page.get_by_role("button", name="Retry failed rows").click()
        page.wait_for_url("**done=retry")
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url("**/console/sign-in")


def test_the_link_of_up_signs_in(house: LocalHouse, browser: Browser) -> None:
    """Whoever opens what `up` has printed is signed in without typing anything."""
    with _page(browser, house) as page:
        page.goto(house.console_url)
        page.wait_for_url("**/console")
        assert page.get_by_text("local-admin").is_visible()
