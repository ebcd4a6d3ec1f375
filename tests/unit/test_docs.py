"""The documentation as a whole: no link leads nowhere, the site has every page, nothing in it comes from elsewhere."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml

from tests.support.parts import MKDOCS, MKDOCS_PROGRAM

_ROOT = Path(__file__).parents[2]
_DOCS = _ROOT / "docs"
_PAGES = sorted(_DOCS.rglob("*.md"))
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)")
_CODE = re.compile(r"^( *)```.*?^\1```\s*$|`[^`\n]*`", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (.*?)\s*#*$", re.MULTILINE)


def _prose(page: Path) -> str:
    return _CODE.sub(lambda found: "" if found[0].lstrip().startswith("```") else found[0], page.read_text())


def _links(page: Path) -> Iterator[str]:
    text = re.sub(r"`[^`\n]*`", "", _prose(page))
    return (found[1] for found in _LINK.finditer(text))


def _anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as the site and Git hosts make them of plain words."""
    found: set[str] = set()
    for heading in _HEADING.findall(_prose(page)):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        found.add(re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", words).strip().lower()))
    return found


def test_every_link_leads_somewhere() -> None:
    """Each relative link of a page and of the README names a file that is there, and a heading in it."""
    wrong = []
    for page in (*_PAGES, _ROOT / "README.md", _ROOT / "CONTRIBUTING.md", _ROOT / "INVARIANTS.md"):
        for link in _links(page):
            if re.match(r"[a-z]+:", link):
                continue
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            if not target.exists() or (anchor and target.suffix == ".md" and anchor not in _anchors(target)):
                wrong.append(f"{page.relative_to(_ROOT)}: {link}")
    assert not wrong


def _listed(nav: object) -> Iterator[str]:
    match nav:
        case str():
            yield nav
        case list():
            for item in nav:
                yield from _listed(item)
        case dict():
            for item in nav.values():
                yield from _listed(item)


def test_every_page_is_in_the_site_once() -> None:
    """The site's navigation holds every page below docs, each once, and nothing else."""
    configured = yaml.safe_load((_ROOT / "mkdocs.yml").read_text())
    assert sorted(_listed(configured["nav"])) == sorted(str(page.relative_to(_DOCS)) for page in _PAGES)


def test_the_site_asks_nobody() -> None:
    """No font, script or style of the site comes from another host, and its build is strict."""
    configured = yaml.safe_load((_ROOT / "mkdocs.yml").read_text())
    assert configured["theme"]["font"] is False
    assert configured["strict"] is True
    # The plugin for reading without a server takes a script from a public host.
    assert configured["plugins"] == ["search"]
    for name in ("extra_css", "extra_javascript"):
        assert not [address for address in configured.get(name, []) if "//" in address]
    assert "http" not in (_ROOT / "requirements-docs.txt").read_text()
    assert "--hash=sha256:" in (_ROOT / "requirements-docs.txt").read_text()


class _Page(HTMLParser):
    """What a built page points to, what can be pointed to in it, and what it fetches from elsewhere."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.fetched: list[str] = []
        self.feed(file.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take in one element."""
        given = dict(attrs)
        self.anchors |= {value for name in ("id", "name") if (value := given.get(name))}
        if tag == "a" and (target := given.get("href")):
            self.links.append(target)
        elif (source := given.get("src") or given.get("href")) and urlsplit(source).netloc:
            self.fetched.append(source)


@pytest.mark.skipif(not MKDOCS.present(), reason=MKDOCS.remedy)
def test_the_site_is_built_and_hangs_together(tmp_path: Path) -> None:
    """The strict build has nothing to say; every link in the site meets page and anchor; no other host is asked."""
    words = [str(MKDOCS_PROGRAM), "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    # The word keeps its theme from advertising on standard error.
    surroundings = {"NO_MKDOCS_2_WARNING": "1", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(words, cwd=_ROOT, env=surroundings, capture_output=True, text=True, timeout=240, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    pages = {file: _Page(file) for file in (tmp_path / "site").rglob("*.html")}
    assert len(pages) >= len(_PAGES)
    assert {source for page in pages.values() for source in page.fetched} == set()
    wrong = []
    for file, page in pages.items():
        # The page for addresses that are not there links from the root of a server.
        for link in page.links if file.name != "404.html" else ():
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            target = target / "index.html" if target.is_dir() else target
            known = pages[target].anchors if target in pages else None
            if known is None or (parts.fragment and unquote(parts.fragment) not in known):
                wrong.append(f"{file.name}: {link}")
    assert not wrong
