"""The battery as data: what is sent, what must come back, where that is known from, and how sure it is.

Each file of `battery/` holds a title and cases. A case is a short story of exchanges that share what they save; its
`finally` cleans up in a real org whatever became of the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from importlib.resources import files
from typing import Any

from orgbridge.kit.json import JSON, loads


class Mark(StrEnum):
    """How sure an expectation is."""

    #: Captured from a real org.
    RECORDED = "recorded"
    #: From a documentation page.
    DOCUMENTED = "documented"
    #: Nobody has confirmed it.
    ASSUMED = "assumed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and what must come back."""

    #: HTTP method.
    method: str
    #: From the root with a slash in front, else below `/services/data/vXX.X/`. May hold `{{names}}`.
    path: str
    #: Query parameters, not yet encoded.
    params: dict[str, str] = field(default_factory=dict)
    #: Request headers; `Authorization` is added unless it is named here, and left out where it is null.
    headers: dict[str, str | None] = field(default_factory=dict)
    #: Body as JSON; None for none.
    json: JSON = None
    #: Body as text.
    text: str | None = None
    #: Body as a form.
    form: dict[str, str] | None = None
    #: Statuses that are right.
    statuses: tuple[int, ...] = (200,)
    #: Patterns of reply headers; null for one that must not be there.
    expect_headers: dict[str, str | None] = field(default_factory=dict)
    #: Pattern of the reply as JSON; `MISSING` when it is not looked at.
    expect_json: JSON = None
    #: Pattern of the reply as text; None when it is not looked at.
    expect_text: str | None = None
    #: Whether `expect_json` counts.
    checks_json: bool = False
    #: Name to the place in the reply's JSON (`records.0.Id`) that is saved under it.
    save: dict[str, str] = field(default_factory=dict)
    #: Values of `state` during which the exchange is made again.
    while_states: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A story of exchanges."""

    #: Title of its file.
    group: str
    #: What it claims.
    name: str
    #: How sure that is.
    mark: Mark
    #: Where it is known from.
    source: str
    #: API version.
    version: str
    #: Words of the sign-in that it needs (`client_secret`, ...).
    needs: tuple[str, ...]
    #: `Object.Field` that the org must have.
    requires: tuple[str, ...]
    #: What happens.
    exchanges: tuple[Exchange, ...]
    #: What cleans up; nothing is expected of it.
    cleanup: tuple[Exchange, ...]


_EXCHANGE_KEYS = {"send", "params", "headers", "json", "text", "form", "expect", "save", "while"}
_EXPECT_KEYS = {"status", "headers", "json", "text"}
_CASE_KEYS = {"name", "mark", "source", "version", "needs", "requires", "exchanges", "finally"}
#: Version of cases that name none.
DEFAULT_VERSION = "62.0"


def _known(data: Mapping[str, Any], keys: set[str]) -> None:
    if unknown := sorted(set(data) - keys):
        raise ValueError(f"unknown keys {unknown} in {data!r}")


def _exchange(data: JSON) -> Exchange:
    if isinstance(data, str):
        data = {"send": data}
    _known(data, _EXCHANGE_KEYS)
    expect = data.get("expect", {})
    _known(expect, _EXPECT_KEYS)
    method, _, path = data["send"].partition(" ")
    status = expect.get("status", 200)
    return Exchange(
        method=method,
        path=path,
        params=data.get("params", {}),
        headers=data.get("headers", {}),
        json=data.get("json"),
        text=data.get("text"),
        form=data.get("form"),
        statuses=tuple(status) if isinstance(status, list) else (status,),
        expect_headers=expect.get("headers", {}),
        expect_json=expect.get("json"),
        expect_text=expect.get("text"),
        checks_json="json" in expect,
        save=data.get("save", {}),
        while_states=tuple(data.get("while", ())),
    )


def _case(group: str, data: JSON) -> Case:
    _known(data, _CASE_KEYS)
    return Case(
        group=group,
        name=data["name"],
        mark=Mark(data["mark"]),
        source=data["source"],
        version=data.get("version", DEFAULT_VERSION),
        needs=tuple(data.get("needs", ())),
        requires=tuple(data.get("requires", ())),
        exchanges=tuple(_exchange(item) for item in data["exchanges"]),
        cleanup=tuple(_exchange(item) for item in data.get("finally", ())),
    )


def read_battery() -> list[Case]:
    """Return all cases of the package, file by file in the order of their names.

    Raises:
        ValueError: A file has keys that mean nothing.
    """
    folder = files("orgbridge.cli.conformance") / "battery"
    cases = []
    for entry in sorted(folder.iterdir(), key=lambda item: item.name):
        data = loads(entry.read_bytes())
        cases += [_case(data["title"], item) for item in data["cases"]]
    return cases
