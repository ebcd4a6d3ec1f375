"""docs/emulator/clients.md holds: each public method of the libraries is on it, each check that it names exists."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import aiosalesforce.auth
import pytest
from aiosalesforce import Salesforce as AsyncSalesforce
from aiosalesforce.bulk.v2.client import BulkClientV2
from aiosalesforce.bulk.v2.ingest import BulkIngestClient
from aiosalesforce.composite.batch import CompositeBatchRequest, SobjectSubrequestClient
from aiosalesforce.composite.client import CompositeClient
from aiosalesforce.composite.composite import CompositeRequest
from aiosalesforce.events.event_bus import EventBus
from aiosalesforce.sobject import SobjectClient
from simple_salesforce import Salesforce, SFType
from simple_salesforce.bulk import SFBulkHandler, SFBulkType
from simple_salesforce.bulk2 import SFBulk2Type, _Bulk2Client

from tests.support.parts import JSFORCE

_HERE = Path(__file__).parent
_PAGE = _HERE.parents[1] / "docs" / "emulator" / "clients.md"
_SIMPLE = (Salesforce, SFType, SFBulkHandler, SFBulkType, SFBulk2Type, _Bulk2Client)
_ASYNC = (
    AsyncSalesforce,
    SobjectClient,
    CompositeClient,
    CompositeRequest,
    CompositeBatchRequest,
    SobjectSubrequestClient,
    BulkClientV2,
    BulkIngestClient,
    EventBus,
    aiosalesforce.auth.Auth,
)
#: Attributes that are no feature: what each row's description already names, and what the client calls by itself.
_PASSED_OVER = {"session_id", "publish_event", "event_bus"}
#: Typings of jsforce and the classes in them that callers meet.
_TYPINGS = {
    "connection": ["Connection"],
    "sobject": ["SObject", "ListView"],
    "query": ["Query", "SubQuery"],
    "oauth2": ["OAuth2"],
    "record-reference": ["RecordReference"],
    "api/bulk": ["Job", "Batch", "Bulk"],
    "api/bulk2": ["BulkV2", "QueryJobV2", "IngestJobV2"],
    "api/tooling": ["Tooling"],
    "process": ["ProcessRule", "ApprovalProcess"],
    "quick-action": ["QuickAction"],
}
_MEMBER = re.compile(
    r"^    (?:get )?([a-z]\w*\$*)(?:<.*?>)?\(|^    ([a-z]\w*\$*): (?:\{$|typeof|Connection|Cached|<|\()", re.MULTILINE
)


def section(name: str) -> str:
    """Return the part of the page about one library."""
    return _PAGE.read_text(encoding="utf-8").partition(f"\n## {name}\n")[2].partition("\n## ")[0]


def words(name: str) -> set[str]:
    """Return what a part of the page writes as code, piece by piece."""
    return {word for code in re.findall(r"`([^`]+)`", section(name)) for word in re.split(r"[^\w$*]+", code)}


@pytest.mark.parametrize(("library", "classes"), [("simple-salesforce", _SIMPLE), ("aiosalesforce", _ASYNC)])
def test_every_public_method_is_on_the_page(library: str, classes: tuple[type, ...]) -> None:
    """What a class of the library offers by name is written in its part of the page."""
    offered = {
        name
        for one in classes
        for name, value in inspect.getmembers(one)
        if not name.startswith("_") and (callable(value) or hasattr(value, "__get__"))
    }
    assert offered - _PASSED_OVER - words(library) == set()


@pytest.mark.skipif(not JSFORCE.present(), reason=JSFORCE.remedy)
def test_every_public_method_of_jsforce_is_on_the_page() -> None:
    """What its typings declare by name is written in its part of the page."""
    missing = set()
    for file, classes in _TYPINGS.items():
        text = (_HERE / "jsforce" / "node_modules" / "jsforce" / "lib" / f"{file}.d.ts").read_text()
        for name in classes:
            found = re.search(rf"declare class {name}\b.*?^}}", text, re.DOTALL | re.MULTILINE)
            assert found, name
            members = {first or second for first, second in _MEMBER.findall(found.group(0))}
            assert members, name
            missing |= {f"{name}.{member}" for member in members - {"constructor"} if member not in words("jsforce")}
    assert missing == set()


def test_every_check_that_the_page_names_exists() -> None:
    """Scripts and the names of their checks are as the page writes them, and no check is left out."""
    named: dict[str, set[str]] = {}
    tables = "".join(section(name) for name in ("simple-salesforce", "aiosalesforce", "jsforce"))
    for line in tables.splitlines():
        if not line.startswith("| ") or line.startswith("| feature"):
            continue
        script = ""
        for code in re.findall(r"`([^`]+)`", line.strip("|").split("|")[1]):
            if code.endswith((".py", ".mjs")):
                script = code
            else:
                named.setdefault(script, set()).add(code)
    for script, checks in named.items():
        text = (_HERE / ("jsforce" if script.endswith(".mjs") else ".") / script).read_text(encoding="utf-8")
        there = set(re.findall(r'^await check\("(.+?)", async|^(?:async )?def (test_\w+)', text, re.MULTILINE))
        names = {first or second for first, second in there}
        assert checks - names == set(), script
        if script.endswith(".mjs"):
            assert names - checks == set(), script
