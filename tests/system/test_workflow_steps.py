"""The `run:` steps of the workflow that need no container, carried out as the runner would."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.containers.places import REQUIRED
from tests.support.postgres import running_postgres
from tests.support.workflow import ROOT, Step, carry_out, checkout, installed, scripts

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not installed(), reason="these tests do not run in the environment that the Makefile makes"),
]
#: Steps that are not run here, each with where it is.
ELSEWHERE = {
    "make test": "is this very run",
    "make engine": "ran before it",
    "make scan-files": "tests/system/test_scans.py",
    "make image IMAGE=orgbridge:ci": "tests/system/containers/test_workflow.py",
    "make sbom IMAGE=orgbridge:ci": "tests/system/containers/test_workflow.py",
    "make scan IMAGE=orgbridge:ci": "asks an image registry for the scanner: only where there is one",
}
_HERE = [step for step in scripts() if step.script not in ELSEWHERE]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout in which nothing was made yet."""
    return checkout(tmp_path_factory.mktemp("workflow"))


def test_every_step_is_run_somewhere() -> None:
    """What is said to be elsewhere is in the workflow, and what is left is run here."""
    told = {step.script for step in scripts()}
    assert set(ELSEWHERE) <= told
    assert {step.script for step in _HERE} == {
        "make format-check",
        "make lint",
        "make types",
        "make imports",
        "make database",
        "make demo",
    }


@pytest.mark.parametrize("step", _HERE, ids=[step.script.split()[-1] for step in _HERE])
def test_a_step_comes_out_well(step: Step, copy: Path) -> None:
    """The script ends with 0 in a fresh checkout, the server beside it being a real one."""
    if step.script == "make types" and not (ROOT / ".mypy_cache").exists() and not REQUIRED:
        pytest.skip("mypy would begin at nothing and take minutes: run `make types` first")
    # Fewer rows than there: what happens to each is the same.
    settings = {"ROWS": "2000"}
    if "PSQL_CONNECTION_STRING" not in step.settings:
        done = carry_out(step, copy, settings, timeout=500)
    else:
        with running_postgres() as server:
            settings["PSQL_CONNECTION_STRING"] = server.create_database()
            done = carry_out(step, copy, settings, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def test_a_step_that_fails_is_seen(copy: Path) -> None:
    """A fault in the code fails the step that looks for it: the steps look at the checkout, and not elsewhere."""
    broken = copy / "src" / "orgbridge" / "broken.py"
    broken.write_text("import os\n")
    try:
        (lint,) = [step for step in _HERE if step.script == "make lint"]
        done = carry_out(lint, copy, {}, timeout=120)
    finally:
        broken.unlink()
    assert done.returncode != 0
    assert "broken.py" in done.stdout
