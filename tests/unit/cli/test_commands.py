"""The command line as a whole: what it has, what it says, and how it ends."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
import typer.main

from orgbridge.cli.commands.query import field_marks, field_type, is_count
from orgbridge.cli.main import app, main

_README = Path(__file__).parents[3] / "README.md"


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """Take back what `main` does to the logs of the whole process."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def _commands() -> Iterator[tuple[str, str]]:
    """Yield each command's full name and its help."""
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        for inner, subcommand in getattr(command, "commands", {}).items():
            yield f"{name} {inner}", subcommand.help or ""
        if not hasattr(command, "commands"):
            yield name, command.help or ""


@pytest.mark.parametrize(("name", "told"), sorted(_commands()))
def test_every_command_is_explained_and_listed(name: str, told: str) -> None:
    """Each command says what it does, and the README's table names it."""
    assert told.strip().endswith(".")
    table = [line.split("|")[1] for line in _README.read_text().splitlines() if line.startswith("| `")]
    words = " ".join(table).replace("·", " ").replace("`", " ").replace(",", " ").split()
    assert set(name.split()) <= set(words)


def _exit(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["orgbridge", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("load",), 2, "file"),
        (("lode",), 2, "lode"),
        (("load", "nowhere.csv", "--object", "Account"), 2, "nowhere.csv"),
        (("load", ".", "--object", "Account"), 2, "not a file"),
        (("load", "pyproject.toml", "--object", "A", "--operation", "upsert"), 2, "--external-id"),
        (("load", "pyproject.toml", "--object", "A", "--operation", "explode"), 2, "explode"),
        (("demo", "--rows", "0"), 2, "rows"),
        (("load", "pyproject.toml", "--object", "A", "--results", "nowhere/r.csv"), 2, "no folder nowhere"),
        (("load", "pyproject.toml", "--object", "A", "--results", "src"), 2, "src is a folder"),
        (("load", "pyproject.toml", "--object", "A", "--map", "Name"), 2, "Column=Field"),
        (("jobs", "results", "load_1", "-o", "nowhere/r.csv"), 2, "no folder nowhere"),
    ],
    ids=[
        "no file",
        "no command",
        "missing file",
        "folder",
        "no key",
        "no operation",
        "no rows",
        "results nowhere",
        "results on a folder",
        "a mapping without a field",
        "output nowhere",
    ],
)
def test_bad_usage_ends_with_two(
    arguments: tuple[str, ...],
    code: int,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Bad usage names what is wrong on standard error and writes no result."""
    monkeypatch.chdir(_README.parent)
    # A service that nobody must ask: what is wrong is seen before.
    monkeypatch.setenv("ORGBRIDGE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("ORGBRIDGE_TOKEN", "t")
    assert _exit(monkeypatch, *arguments) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert told in err


def test_version_is_a_result(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The version goes to standard output and ends with 0."""
    assert _exit(monkeypatch, "--version") == 0
    assert capsys.readouterr().out.startswith("orgbridge ")


@pytest.mark.parametrize(
    ("soql", "counts"),
    [
        ("SELECT COUNT() FROM Account", True),
        ("select count( ) from Account where Name = 'x'", True),
        ("SELECT COUNT(Id) FROM Account", False),
        ("SELECT Id FROM Account", False),
        ("SELECT COUNT__c FROM Account", False),
    ],
)
def test_count_is_told_from_other_queries(soql: str, counts: bool) -> None:
    """Only `COUNT()` has a number instead of records."""
    assert is_count(soql) is counts


def test_field_is_shown_with_what_matters_to_a_loader() -> None:
    """Type with size or targets; required, read only, external id and restricted picklists are marked."""
    name = {"type": "string", "length": 255, "createable": True, "updateable": True, "nillable": False}
    assert (field_type(name), field_marks(name)) == ("string(255)", ["required"])
    parent = {"type": "reference", "length": 18, "referenceTo": ["Account"], "createable": False, "updateable": False}
    assert (field_type(parent), field_marks(parent)) == ("reference(Account)", ["read only"])
