"""jsforce, unchanged, uses every part of its REST and Bulk interface against the emulator, one area after the other."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from simple_salesforce import Salesforce

from tests.support.emulator_server import (
    CLIENT_ID,
    CLIENT_SECRET,
    PASSWORD,
    SECURITY_TOKEN,
    USERNAME,
    EmulatorServer,
)
from tests.support.parts import JSFORCE

_FOLDER = Path(__file__).parent / "jsforce"
#: How many checks each script makes: one that ends early does not pass for one that found nothing.
_CHECKS = {
    "signin": 15,
    "describe": 10,
    "records": 14,
    "queries": 16,
    "bulk1": 8,
    "bulk2": 6,
    "outside": 10,
}


def run(emulator: EmulatorServer, area: str, *more: str) -> None:
    """Run one script, and fail with what it tells of the checks that failed."""
    words = [emulator.url, USERNAME, PASSWORD, SECURITY_TOKEN, CLIENT_ID, CLIENT_SECRET, *more]
    done = subprocess.run(
        ["node", f"{area}.mjs", *words], cwd=_FOLDER, capture_output=True, text=True, timeout=100, check=False
    )
    checks = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [check for check in checks if not check["ok"]] == [], done.stderr
    assert len(checks) >= _CHECKS[area], done.stderr
    assert done.returncode == 0, done.stderr


@pytest.mark.system
@pytest.mark.skipif(not JSFORCE.present(), reason=JSFORCE.remedy)
@pytest.mark.parametrize("area", [area for area in _CHECKS if area != "records"])
def test_jsforce_works_unchanged(emulator: EmulatorServer, area: str) -> None:
    """No check of an area fails, and none is left out."""
    run(emulator, area)


@pytest.mark.system
@pytest.mark.skipif(not JSFORCE.present(), reason=JSFORCE.remedy)
def test_jsforce_works_with_records(
    emulator: EmulatorServer, simple: Salesforce, minute_later: Callable[[], None]
) -> None:
    """Rows are written and read in every way, among them what changed and went in a minute that is over."""
    ids = [simple.Account.create({"Name": name})["id"] for name in ("Kept for jsforce", "Deleted for jsforce")]
    simple.Account.delete(ids[1])
    minute_later()
    now = datetime.now(tz=UTC) + timedelta(minutes=2)
    span = [moment.isoformat(timespec="seconds") for moment in (now - timedelta(hours=1), now)]
    run(emulator, "records", *ids, *span)
