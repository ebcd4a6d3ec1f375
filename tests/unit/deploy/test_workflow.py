"""The workflow of CI: least privilege, pinned parts, and steps that exist and are shell."""

from __future__ import annotations

import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.support.workflow import FLOW, JOBS, TEXT, steps, switched_off

_ROOT = Path(__file__).parents[3]


def texts() -> list[str]:
    """Return what the steps run, those of the switched-off job too."""
    return [step["run"] for step in [*(step for _, step in steps()), *switched_off()["steps"]] if "run" in step]


def targets() -> set[str]:
    """Return the targets of the Makefile."""
    return set(re.findall(r"^([a-z-]+):", (_ROOT / "Makefile").read_text(), re.MULTILINE))


def test_the_workflow_may_only_read() -> None:
    """The token reads the code and nothing else, no job asks for more, and no secret is used."""
    assert FLOW["permissions"] == {"contents": "read"}
    assert not any("permissions" in job for job in JOBS.values())
    assert "secrets." not in TEXT
    assert "pull_request_target" not in FLOW[True]
    checkouts = [step for _, step in steps() if step.get("uses", "").startswith("actions/checkout")]
    assert len(checkouts) == len(JOBS)
    assert all(step["with"] == {"persist-credentials": False} for step in checkouts)


def test_every_part_has_a_version() -> None:
    """Actions are GitHub's own, pinned to a whole commit with its tag beside it; images and runners have versions."""
    uses = re.findall(r"uses: (\S+)(.*)", TEXT)
    assert len(uses) == sum("uses" in step for step in [*(step for _, step in steps()), *switched_off()["steps"]])
    for action, tag in uses:
        assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", action), action
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", tag), action
    pins: dict[str, set[str]] = {}
    for action, _ in uses:
        pins.setdefault(action.split("@")[0], set()).add(action)
    assert all(len(found) == 1 for found in pins.values())
    assert not any("latest" in str(value) for value in (JOBS, FLOW["env"]))
    assert all(re.search(r"-\d+\.\d+$", job["runs-on"]) for job in JOBS.values())


def test_every_job_ends() -> None:
    """No job may run longer than an hour, and a newer push ends the older run."""
    assert all(job["timeout-minutes"] <= 60 for job in JOBS.values())
    assert FLOW["concurrency"]["cancel-in-progress"] is True


def test_all_supported_pythons_are_tested() -> None:
    """The matrix is what the project says it supports."""
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == ">=3.11,<3.14"
    assert JOBS["test"]["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]


def test_nothing_that_github_fills_in_reaches_a_shell_as_text() -> None:
    """No expression stands inside a script: values come as variables, so that a branch's name cannot be a command."""
    assert not any("${{" in script for script in texts())


@pytest.mark.parametrize("script", texts())
def test_each_step_is_shell_and_calls_what_there_is(script: str) -> None:
    """A shell can read the step, and each target of make that it calls is in the Makefile."""
    read = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, timeout=10, check=False)
    assert read.returncode == 0, read.stderr
    for line in script.splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] == ["make"]:
            assert words[1] in targets(), line


def test_make_can_read_each_target_called() -> None:
    """make plans every target of the workflow without running it."""
    called = sorted({shlex.split(script)[1] for script in texts() if script.startswith("make ")})
    assert {"lint", "test", "image", "sbom", "scan", "scan-files"} <= set(called)
    planned = subprocess.run(
        ["make", "--dry-run", *called], cwd=_ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert planned.returncode == 0, planned.stderr


def test_the_whole_of_check_is_in_the_workflow() -> None:
    """Whatever `make check` does some job does too."""
    (line,) = re.findall(r"^check: (.*?) ##", (_ROOT / "Makefile").read_text(), re.MULTILINE)
    called = {shlex.split(script)[1] for script in texts() if script.startswith("make ")}
    assert set(line.split()) <= called
