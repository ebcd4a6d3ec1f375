"""The API's own document, taken at its word by schemathesis against a running house."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.local_house import LocalHouse, house

# 153 operations: more than the suite's two minutes on a busy machine.
pytestmark = [pytest.mark.system, pytest.mark.timeout(420)]
__all__ = ["house"]
_ROOT = Path(__file__).parents[2]


def test_the_api_is_as_its_document_says(house: LocalHouse, tmp_path: Path) -> None:
    """Every check of schemathesis, on every route: no undeclared status or type, no bad input taken, no fault."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli"),
            *("--config-file", str(_ROOT / "schemathesis.toml"), "run", f"{house.url}/openapi.json"),
            *("-H", f"Authorization: Bearer {house.token}"),
            # The phases with chance in them are for longer runs by hand: CONTRIBUTING.md says how.
            *("--phases", "examples,coverage", "--generation-deterministic"),
            *("--continue-on-failure", "--request-timeout", "20", "--no-color", "--suppress-health-check", "all"),
        ],
        cwd=tmp_path,
        env={
            "PATH": os.defpath,
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            "HOME": str(tmp_path),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stdout[:20_000]
