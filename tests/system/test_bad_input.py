"""Bad input gets exit code 2 and one clear sentence that names the place; nothing reaches the org."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.processes import Town, forked

pytestmark = pytest.mark.system


@dataclass(frozen=True, slots=True)
class Bad:
    """A file that must be refused."""

    content: bytes
    #: Texts that standard error must hold, whatever the case.
    told: tuple[str, ...]
    arguments: tuple[str, ...] = ("--object", "Account")


CASES = {
    "unknown object": Bad(b"Name\r\nA\r\n", ("no object", "Acount"), ("--object", "Acount")),
    "unknown field": Bad(b"Name,Colour\r\nA,red\r\n", ("Colour",)),
    "empty file": Bad(b"", ("no bytes",)),
    "header only": Bad(b"Name,Phone\r\n", ("header",)),
    "ragged row": Bad(b"Name,Phone\r\nA,1\r\nB,2,3\r\nC,3\r\n", ("line 3",)),
    "ragged row after a line break in a cell": Bad(b'Name,BillingStreet\r\nA,"x\r\ny"\r\nB\r\n', ("line 4",)),
    "undecodable bytes": Bad(b"Name,Phone\r\nM\x81ller,1\r\n", ("byte", "13", "utf-8")),
    "mixed line endings": Bad(b"Name,Phone\r\nA,1\nB,2\r\n", ("LF", "CRLF", "line 2")),
    "wrong delimiter": Bad(b"Name:Phone\r\nA:1\r\n", ("Name:Phone",)),
    "ambiguous delimiter": Bad(b"Name;Phone|Fax\r\nA;1|2\r\n", ("delimiter", "say which")),
    "duplicate header": Bad(b"Name,name\r\nA,B\r\n", ("columns 1 and 2", "name")),
    "unclosed quote": Bad(b'Name,Phone\r\n"A,1\r\n', ("quote", "line 2")),
    "broken gzip": Bad(gzip.compress(b"Name\r\nA\r\n")[:-6], ("gzip",)),
    "unknown operation field": Bad(
        b"Name,Phone\r\nA,1\r\n",
        ("Nothing__c",),
        ("--object", "Account", "--operation", "upsert", "--external-id", "Nothing__c"),
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_bad_file_is_refused_with_its_place(case: Bad, town: Town, shell: dict[str, str], tmp_path: Path) -> None:
    """The message names what is wrong and where; no traceback, nothing on standard output."""
    suffix = ".csv.gz" if case.content.startswith(b"\x1f\x8b") else ".csv"
    path = tmp_path / f"bad{suffix}"
    path.write_bytes(case.content)
    done = forked("load", str(path), *case.arguments, folder=tmp_path, settings=shell)
    said = done.stdout + done.stderr
    assert done.returncode == 2, said
    for text in case.told:
        assert text.lower() in said.lower(), said
    assert "Traceback" not in said


def test_record_beyond_the_job_limit_is_refused(town: Town, shell: dict[str, str], tmp_path: Path) -> None:
    """One record that no Salesforce job can take is named by its line."""
    path = tmp_path / "huge.csv"
    path.write_bytes(b'Name,Description\r\nA,x\r\nB,"' + b"x" * 1_000_000 + b'"\r\n')
    done = forked("load", str(path), "--object", "Account", folder=tmp_path, settings=shell)
    assert done.returncode == 2, done.stderr
    assert "line 3" in (done.stdout + done.stderr).lower()


@pytest.mark.parametrize("way", ["dots", "absolute", "symlink"])
def test_path_outside_the_input_folder_is_refused(way: str, town: Town, shell: dict[str, str], tmp_path: Path) -> None:
    """The service reads no file outside DATA_PATH_INPUT, also not through a symlink, and tells nothing of it."""
    secret = tmp_path / "secret.csv"
    secret.write_text("Name\r\ntopsecret\r\n")
    inside = town.folder / "input"
    link = inside / "link.csv"
    link.unlink(missing_ok=True)
    link.symlink_to(secret)
    named = {"dots": "../orgbridge.sqlite", "absolute": str(secret), "symlink": "link.csv"}[way]
    done = forked("load", named, "--on-server", "--object", "Account", folder=tmp_path, settings=shell)
    assert done.returncode == 2
    assert "DATA_PATH_INPUT" in done.stderr
    assert "topsecret" not in done.stdout + done.stderr


def test_file_inside_the_input_folder_is_loaded(town: Town, shell: dict[str, str], tmp_path: Path) -> None:
    """A file that lies where it may is loaded whole: exit code 0."""
    (town.folder / "input" / "good.csv").write_bytes(b"Name\r\nFrom the folder\r\n")
    done = forked("load", "good.csv", "--on-server", "--object", "Account", folder=tmp_path, settings=shell)
    assert done.returncode == 0, done.stderr
    assert "succeeded" in done.stdout


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"Name\r\nA\r\nB\r\n", 0),
        (b"Name,Phone\r\nA,1\r\n,2\r\n", 1),
        (b"Name,Phone\r\n,1\r\n,2\r\n", 2),
    ],
    ids=["all", "some", "none"],
)
def test_pain_17_exit_code_tells_how_many_rows_succeeded(
    content: bytes, code: int, town: Town, shell: dict[str, str], tmp_path: Path
) -> None:
    """0 when all rows succeeded, 1 when some failed, 2 when none did."""
    path = tmp_path / "rows.csv"
    path.write_bytes(content)
    done = forked("load", str(path), "--object", "Account", folder=tmp_path, settings=shell)
    assert done.returncode == code, done.stdout + done.stderr


def test_missing_file_is_bad_usage(shell: dict[str, str], tmp_path: Path) -> None:
    """A path that is not there costs no call to the service."""
    done = forked("load", "nowhere.csv", "--object", "Account", folder=tmp_path, settings=shell)
    assert done.returncode == 2
    assert "nowhere.csv" in done.stderr
