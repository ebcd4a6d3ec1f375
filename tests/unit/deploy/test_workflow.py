"""The workflow of CI: least privilege, pinned parts, and steps that exist and are shell."""

from __future__ import annotations

import re
import shlex
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

_ROOT = Path(__file__).parents[3]
_TEXT = (_ROOT / ".github/workflows/ci.yml").read_text()
#: `on` is a boolean to YAML 1.1.
_FLOW: dict[Any, Any] = yaml.safe_load(_TEXT)
_JOBS: dict[str, Any] = _FLOW["jobs"]


def steps() -> list[tuple[str, dict[str, Any]]]:
    """Return every step with its job's name."""
    return [(name, step) for name, job in _JOBS.items() for step in job["steps"]]


def scripts() -> list[str]:
    """Return what the steps run, that of the switched-off job too."""
    off = yaml.safe_load(re.sub(r"^  # ?", "", _TEXT[_TEXT.index("  # publish:") :], flags=re.MULTILINE))
    return [step["run"] for _, step in steps() if "run" in step] + [
        step["run"] for step in off["publish"]["steps"] if "run" in step
    ]


def targets() -> set[str]:
    """Return the targets of the Makefile."""
    return set(re.findall(r"^([a-z-]+):", (_ROOT / "Makefile").read_text(), re.MULTILINE))


def test_the_workflow_may_only_read() -> None:
    """The token reads the code and nothing else, no job asks for more, and no secret is used."""
    assert _FLOW["permissions"] == {"contents": "read"}
    assert not any("permissions" in job for job in _JOBS.values())
    assert "secrets." not in _TEXT
    assert "pull_request_target" not in _FLOW[True]
    checkouts = [step for _, step in steps() if step.get("uses", "").startswith("actions/checkout")]
    assert len(checkouts) == len(_JOBS)
    assert all(step["with"] == {"persist-credentials": False} for step in checkouts)


def test_every_part_has_a_version() -> None:
    """Actions are GitHub's own with a major version, images and runners are named with theirs."""
    for _, step in steps():
        if "uses" in step:
            assert re.fullmatch(r"actions/[a-z-]+@v\d+", step["uses"])
    assert not any("latest" in str(value) for value in (_JOBS, _FLOW["env"]))
    assert all(re.search(r"-\d+\.\d+$", job["runs-on"]) for job in _JOBS.values())


def test_every_job_ends() -> None:
    """No job may run longer than an hour, and a newer push ends the older run."""
    assert all(job["timeout-minutes"] <= 60 for job in _JOBS.values())
    assert _FLOW["concurrency"]["cancel-in-progress"] is True


def test_all_supported_pythons_are_tested() -> None:
    """The matrix is what the project says it supports."""
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == ">=3.11,<3.14"
    assert _JOBS["test"]["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]


def test_nothing_that_github_fills_in_reaches_a_shell_as_text() -> None:
    """No expression stands inside a script: values come as variables, so that a branch's name cannot be a command."""
    assert not any("${{" in script for script in scripts())


@pytest.mark.parametrize("script", scripts())
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
    called = sorted({shlex.split(script)[1] for script in scripts() if script.startswith("make ")})
    assert {"lint", "test", "deploy-test", "image", "sbom", "scan"} <= set(called)
    planned = subprocess.run(
        ["make", "--dry-run", *called], cwd=_ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert planned.returncode == 0, planned.stderr


def test_the_whole_of_check_is_in_the_workflow() -> None:
    """Whatever `make check` does some job does too."""
    (line,) = re.findall(r"^check: (.*?) ##", (_ROOT / "Makefile").read_text(), re.MULTILINE)
    called = {shlex.split(script)[1] for script in scripts() if script.startswith("make ")}
    assert set(line.split()) <= called
