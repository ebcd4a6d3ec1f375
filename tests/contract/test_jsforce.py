"""jsforce, unchanged, uses every part of its REST and Bulk interface against the emulator."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

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
#: Checks that the script makes of an org without Bulk 1.0 and composite.
_LEAST = 33


@pytest.mark.system
@pytest.mark.skipif(not JSFORCE.present(), reason=JSFORCE.remedy)
def test_jsforce_works_unchanged(emulator: EmulatorServer) -> None:
    """Sign-in, records, collections, queries, describe, Bulk 2.0 and what else the org speaks: no check fails."""
    words = [emulator.url, USERNAME, PASSWORD, SECURITY_TOKEN, CLIENT_ID, CLIENT_SECRET]
    done = subprocess.run(
        ["node", "contract.mjs", *words], cwd=_FOLDER, capture_output=True, text=True, timeout=100, check=False
    )
    checks = [json.loads(line) for line in done.stdout.splitlines()]
    assert [check for check in checks if not check["ok"]] == [], done.stderr
    assert len(checks) >= _LEAST
    assert done.returncode == 0
