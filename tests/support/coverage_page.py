"""Writes docs/emulator/coverage.md from the code and the text tests. Run it as `python -m tests.support.coverage_page`.

Endpoints come from the route table, SOQL constructs from `tests/soql/constructs.txt`, error codes from the source. An
endpoint or a code counts as assumed where its own function says `Assumed:`, else as documented where function or
module names a source; codes whose reply was captured from an org are listed here by hand.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType

from orgbridge.emulator.http.routes import route_table
from orgbridge.emulator.http.routing import Access, Route
from orgbridge.wire.errorcodes import ERROR_CODES, status_of
from tests.support.soql_constructs import constructs, texts

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "emulator" / "coverage.md"
_SOURCE = ROOT / "src" / "orgbridge"
#: Codes whose reply was captured. Source: facts/salesforce/errors.md section 2 and soql.md section 3, tag R.
RECORDED_CODES = frozenset({"INVALID_SESSION_ID", "NOT_FOUND", "ENTITY_IS_DELETED", "INVALID_TYPE"})
#: Calls whose first argument is a code, and the room that has each.
_RAISERS = {"SFError": "emulator", "Fault": "emulator", "at": "emulator"}
_HEAD = """# What the emulated org covers

Written by `python -m tests.support.coverage_page` from the route table, the list of constructs and the source; a test
says that it is current. Marks: **recorded** (captured from an org), **documented** (from a page), **assumed** (nobody
has confirmed it, or not all of it), **own** (no part of Salesforce). What differs from a real org is in
[deviations.md](deviations.md), SOQL in [soql.md](soql.md).
"""


def page() -> str:
    """Return the text of the page."""
    return "\n".join([_HEAD, *_endpoints(), "", *_soql(), "", *_codes()]) + "\n"


# Endpoints -----------------------------------------------------------------------------------------------------------


def _endpoints() -> Iterator[str]:
    rows = sorted(_endpoint_rows())
    yield f"## Endpoints ({len(rows)})"
    yield ""
    yield "| address | methods | who | mark |"
    yield "|---|---|---|---|"
    yield from (f"| `{pattern}` | {methods} | {who} | {mark} |" for pattern, methods, who, mark in rows)


def _endpoint_rows() -> Iterator[tuple[str, str, str, str]]:
    for route in _routes():
        marks: dict[str, list[str]] = {}
        for method, handler in route.handlers.items():
            marks.setdefault(_handler_mark(route, handler), []).append(method)
        for mark, methods in marks.items():
            yield route.pattern, " ".join(sorted(methods)), _who(route.access), mark


def _routes() -> list[Route]:
    """Return every route of the table once."""
    return list({id(route): route for route in route_table().routes}.values())


def _who(access: Access) -> str:
    return {"open": "anybody", "api": "a session", "local": "this machine"}.get(access.value, access.value)


def _handler_mark(route: Route, handler: Callable[..., object]) -> str:
    if "emulator" in route.pattern.split("/")[1]:
        return "own"
    function = inspect.unwrap(getattr(handler, "func", handler))
    own = inspect.getsource(function) if isinstance(function, FunctionType) else ""
    if "Assumed:" in own:
        return "assumed"
    module = sys.modules.get(getattr(function, "__module__", ""))
    return "documented" if "Source:" in own or "Source:" in (getattr(module, "__doc__", "") or "") else "assumed"


# SOQL ----------------------------------------------------------------------------------------------------------------


def _soql() -> Iterator[str]:
    known = {where: texts(where) for where in ("plan", "errors", "search")}
    found = constructs()
    yield f"## SOQL and SOSL ({len(found)} constructs)"
    section = ""
    for one in found:
        if one.section != section:
            section = one.section
            yield from ("", f"### {section}", "", "| construct | outcome | text tests | mark |", "|---|---|---|---|")
        count = sum(bool(one.pattern.search(text)) for text in known[one.where])
        outcome = "refused" if one.where == "errors" else "answered"
        outcome = "answered or refused" if one.where == "search" else outcome
        name = one.name.replace("|", "\\|")
        yield f"| `{name}` | {outcome} | {count} | {one.mark} |"


# Error codes ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Site:
    code: str
    module: str
    is_assumed: bool
    status: int


def _codes() -> Iterator[str]:
    sites: dict[str, list[_Site]] = {}
    for site in _sites():
        sites.setdefault(site.code, []).append(site)
    yield f"## Error codes ({len(sites)})"
    yield ""
    yield "| code | status | raised in | mark |"
    yield "|---|---|---|---|"
    for code, found in sorted(sites.items()):
        modules = ", ".join(sorted({f"`{site.module}`" for site in found}))
        statuses = ", ".join(str(status) for status in sorted({site.status for site in found}))
        yield f"| `{code}` | {statuses} | {modules} | {_code_mark(code, found)} |"


def _code_mark(code: str, sites: list[_Site]) -> str:
    if code in RECORDED_CODES:
        return "recorded"
    return "assumed" if all(site.is_assumed for site in sites) else "documented"


def _sites() -> Iterator[_Site]:
    for folder in ("emulator", "soql"):
        for path in sorted((_SOURCE / folder).rglob("*.py")):
            text = path.read_text()
            yield from _sites_in(ast.parse(text), text.splitlines(), path.relative_to(_SOURCE).as_posix())


def _sites_in(tree: ast.Module, lines: list[str], module: str) -> Iterator[_Site]:
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    for node, code, status in _code_nodes(tree, module.partition("/")[0]):
        around = [f for f in functions if f.lineno <= node.lineno <= (f.end_lineno or f.lineno)]
        inner = max(around, key=lambda f: f.lineno, default=None)
        first, last = (inner.lineno, inner.end_lineno or inner.lineno) if inner else (node.lineno - 2, node.lineno)
        is_assumed = any("Assumed:" in line for line in lines[max(0, first - 1) : last])
        yield _Site(code, module, is_assumed, status or status_of(code))


def _code_nodes(tree: ast.Module, room: str) -> Iterator[tuple[ast.expr, str, int]]:
    """Yield the texts that are codes, with their status if it is written beside them.

    Known codes count anywhere, others where they are raised.
    """
    raised: dict[int, int] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args:
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if _RAISERS.get(name) == room:
                given = [*node.args[2:3], *(keyword.value for keyword in node.keywords if keyword.arg == "status")]
                numbers = [arg.value for arg in given if isinstance(arg, ast.Constant) and isinstance(arg.value, int)]
                raised[id(node.args[0])] = numbers[0] if numbers else 0
        if isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") == "error_code" and node.value:
            raised[id(node.value)] = 0
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            is_code = node.value.replace("_", "").isupper() and len(node.value) > 5
            if is_code and (node.value in ERROR_CODES or id(node) in raised):
                yield node, node.value, raised.get(id(node), 0)


if __name__ == "__main__":
    PAGE.write_text(page())
