"""The battery, its reader, its patterns, and the command that runs it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from orgbridge.cli.conformance.cases import Mark, read_battery
from orgbridge.cli.conformance.patterns import mismatch
from tests.support.emulator_server import EmulatorServer
from tests.support.processes import orgbridge


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorServer]:
    """A running emulator."""
    with EmulatorServer(tmp_path_factory.mktemp("org") / "org.db") as running:
        yield running


@pytest.mark.system
def test_the_emulated_org_holds_every_exchange(server: EmulatorServer, tmp_path: Path) -> None:
    """Run over a socket, no case differs, none is left out, and at least 190 exchanges took place."""
    done = orgbridge("emulator", "conform", "--base-url", server.url, "--json", folder=tmp_path)
    verdicts = json.loads(done.stdout)
    assert [verdict for verdict in verdicts if verdict["verdict"] != "holds"] == [], done.stderr
    assert done.returncode == 0
    assert sum(verdict["exchanges"] for verdict in verdicts) >= 190
    assert server.request("GET", "/_emulator/requests?path=Account&limit=1")[1]["requests"]


@pytest.mark.system
def test_an_org_that_differs_is_told_with_the_source(server: EmulatorServer, tmp_path: Path) -> None:
    """A case that fails is named with what was answered and where the expectation is known from; exit code 1."""
    server.fault(kind="unavailable", path="/limits$", times=1)
    done = orgbridge("emulator", "conform", "--base-url", server.url, "--only", "Max and Remaining", folder=tmp_path)
    assert done.returncode == 1
    assert "differs" in done.stdout
    assert "status 503, not 200" in done.stdout
    assert "known from: rest.md 1" in done.stdout


@pytest.mark.system
def test_what_is_left_clean(server: EmulatorServer) -> None:
    """The battery deletes the records that it made."""
    form = b"grant_type=client_credentials&client_id=local-client&client_secret=local-secret"
    token = server.request("POST", "/services/oauth2/token", form, Content_Type="application/x-www-form-urlencoded")[1][
        "access_token"
    ]
    for sobject in ("Account", "Contact"):
        path = f"/services/data/v62.0/query?q=SELECT+COUNT()+FROM+{sobject}"
        assert server.request("GET", path, Authorization=f"Bearer {token}")[1]["totalSize"] == 0


def test_every_case_names_its_source_and_its_mark() -> None:
    """No case without a source; all three marks are used; no two cases of a group have one name."""
    cases = read_battery()
    assert all(case.source.strip() and case.exchanges for case in cases)
    assert {case.mark for case in cases} == set(Mark)
    assert len({(case.group, case.name) for case in cases}) == len(cases)


@pytest.mark.parametrize(
    ("pattern", "value", "fits"),
    [
        (1, 1, True),
        (1, 1.0, True),
        (1, True, False),
        ("a", "b", False),
        (None, None, True),
        (None, 0, False),
        ("~a+", "aaa", True),
        ("~a+", "aab", False),
        ("~a+", 1, False),
        ("$id", "001000000000001AAA", True),
        ("$id", "001", False),
        ("$datetime", "2026-01-31T12:00:00.000+0000", True),
        ("$datetime", "2026-01-31", False),
        ("$integer", True, False),
        ("$any", None, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ({"a": 1, "...": True}, {"a": 1, "b": 2}, True),
        ({"a": 1, "...": True}, {"b": 2}, False),
        ({"a": {"b": "$string"}}, {"a": {"b": ""}}, False),
        ([1], [1, 2], False),
        ([1, "..."], [1, 2], True),
        (["..."], [], True),
        ([1, 2, "..."], [1], False),
        ([1], {"0": 1}, False),
        ({"a": 1}, [], False),
    ],
    ids=str,
)
def test_patterns_fit_what_they_say(pattern: object, value: object, fits: bool) -> None:
    """A pattern fits exactly the values that its form names, and says where one differs."""
    found = mismatch(pattern, value)
    assert (found is None) == fits
    if found is not None:
        assert found.startswith("body")
