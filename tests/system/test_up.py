"""`orgbridge up` as people start it: one process, a file that signs the shell in, a prompt end."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orgbridge.cli.demo.processes import clean_environment
from tests.support.processes import forked

pytestmark = pytest.mark.system


@pytest.fixture
def house(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A house that has said where it is."""
    with (tmp_path / "up.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "orgbridge.cli", "up", "--port", "0", "--emulator-port", "0"],
            cwd=tmp_path,
            env=clean_environment({}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert process.stdout is not None
    try:
        said = process.stdout.readline()
        assert said.startswith("service "), said + (tmp_path / "up.log").read_text()
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_up_signs_the_shell_in_and_ends_promptly(house: subprocess.Popen[str], tmp_path: Path) -> None:
    """The next command in the same folder just works, with a token that only the owner can read; SIGTERM ends it."""
    address = tmp_path / ".orgbridge" / "cli.json"
    assert stat.S_IMODE(address.stat().st_mode) == 0o600
    (tmp_path / "rows.csv").write_bytes(b"Name,External_Id__c\r\nAda,A-1\r\n,A-2\r\n")
    done = forked("load", "rows.csv", "--object", "Account", "--json", folder=tmp_path)
    assert done.returncode == 1, done.stderr
    loaded = json.loads(done.stdout)
    assert loaded["receipt"]["rows"]["succeeded"] == 1
    counted = forked("query", "SELECT COUNT() FROM Account", folder=tmp_path)
    assert counted.stdout.strip() == "1"
    listed = forked("jobs", "list", folder=tmp_path)
    assert f"{loaded['job_id']}  JobComplete" in listed.stdout
    failed = forked("jobs", "results", loaded["job_id"], "--kind", "failed", folder=tmp_path)
    assert "REQUIRED_FIELD_MISSING" in failed.stdout
    looked = forked("doctor", folder=tmp_path)
    assert looked.returncode == 0, looked.stdout
    assert "worker: 1 running" in looked.stdout
    house.terminate()
    assert house.wait(15) in (0, -15)


def test_up_leaves_the_terminal_to_its_user(house: subprocess.Popen[str], tmp_path: Path) -> None:
    """What happens inside goes to a file that is named; the terminal gets addresses, and warnings if there are any."""
    assert house.stdout is not None
    said = [house.stdout.readline() for _ in range(5)]
    log = next(line.split()[1] for line in said if line.startswith("log "))
    assert "engine.started" in Path(log).read_text()
    assert "{" not in (tmp_path / "up.log").read_text()
