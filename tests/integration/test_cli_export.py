"""`orgbridge export` as people run it, against a whole house."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.support.forks import run
from tests.support.local_house import LocalHouse, house

__all__ = ["house"]


def _export(house: LocalHouse, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(
        ["-m", "orgbridge.cli", "export", *arguments, "--json"],
        folder=house.folder,
        environment={
            "PATH": os.defpath,
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            "ORGBRIDGE_URL": house.url,
            "ORGBRIDGE_TOKEN": house.token,
        },
        timeout=90,
    )


@pytest.fixture(scope="module", autouse=True)
def _accounts(house: LocalHouse) -> None:
    with house.client() as client:
        for number in range(3):
            data = {"Name": f"Exported {number}"}
            assert client.post("/records/create", json={"object_name": "Account", "data": data}).status_code == 201


def test_a_query_becomes_a_parquet_file(house: LocalHouse, tmp_path: Path) -> None:
    """The ending chooses the form; exit code 0 says that every record is in the file; the same job can be resumed."""
    path = tmp_path / "accounts.parquet"
    done = _export(house, "SELECT Id, Name FROM Account WHERE Name LIKE 'Exported%' ORDER BY Name", "-o", str(path))
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["receipt"]["rows"] == {"read": 3}
    assert [row["Name"] for row in pq.read_table(path).to_pylist()] == [f"Exported {number}" for number in range(3)]
    again = tmp_path / "again.parquet"
    resumed = _export(house, "SELECT Id FROM Account", "-o", str(again), "--resume", document["job_id"])
    assert resumed.returncode == 0, resumed.stderr
    assert again.read_bytes() == path.read_bytes()
    wrong = _export(house, "SELECT Id FROM Account", "-o", str(tmp_path / "x.csv"), "--resume", document["job_id"])
    assert wrong.returncode == 2
    assert "--format parquet" in wrong.stderr


def test_a_query_that_cannot_run_writes_nothing(house: LocalHouse, tmp_path: Path) -> None:
    """Exit code 2, the reason on standard error, and no file, not even an empty one."""
    path = tmp_path / "accounts.csv"
    done = _export(house, "SELECT Nonsense__c FROM Account", "-o", str(path))
    assert done.returncode == 2
    assert "Nonsense__c" in done.stdout + done.stderr
    assert list(tmp_path.iterdir()) == []
