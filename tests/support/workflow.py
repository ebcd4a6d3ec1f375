"""The workflow of CI as data, and its `run:` steps carried out here, in a copy of the checkout."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
PATH = ROOT / ".github/workflows/ci.yml"
TEXT = PATH.read_text()
#: `on` is a boolean to YAML 1.1.
FLOW: dict[Any, Any] = yaml.safe_load(TEXT)
JOBS: dict[str, Any] = FLOW["jobs"]
_LEFT = (
    ".git",
    ".venv",
    "node_modules",
    "dist",
    "__pycache__",
    ".hypothesis",
    ".pytest_cache",
    ".mypy_cache",
    ".orgbridge",
)
#: Files whose age tells make whether to install; in a copy they are older than whatever is installed.
_PINS = ("requirements.txt", "requirements-dev.txt", "requirements-s3.txt", "requirements-scan.txt", "pyproject.toml")
#: What a `make` that runs these tests says to the makes below it: a step is begun by a runner, and by no `make`.
_OF_MAKE = {"MAKEFLAGS", "MAKEOVERRIDES", "MAKELEVEL", "MFLAGS", "ARGS", "ROWS", "WORKERS"}
_ENVIRONMENT = {name: value for name, value in os.environ.items() if name not in _OF_MAKE}  # noqa: TID251 - a runner's


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step that runs a script."""

    job: str
    name: str
    script: str
    #: What the workflow, the job and the step set, the nearest winning.
    settings: Mapping[str, str]


def steps() -> list[tuple[str, dict[str, Any]]]:
    """Return every step with its job's name."""
    return [(name, step) for name, job in JOBS.items() for step in job["steps"]]


def switched_off() -> dict[str, Any]:
    """Return the job that is there as a comment."""
    off = yaml.safe_load(re.sub(r"^  # ?", "", TEXT[TEXT.index("  # publish:") :], flags=re.MULTILINE))
    return dict(off["publish"])


def scripts() -> list[Step]:
    """Return every step that runs a script."""
    return [
        Step(
            job=job,
            name=step["name"],
            script=step["run"],
            settings={**FLOW["env"], **JOBS[job].get("env", {}), **step.get("env", {})},
        )
        for job, step in steps()
        if "run" in step
    ]


def installed() -> bool:
    """Return whether these tests run in the environment that the Makefile makes."""
    return all((Path(sys.prefix) / name).exists() for name in (".runtime", ".development"))


def checkout(folder: Path) -> Path:
    """Copy the project without what is made from it, and return the copy."""
    copy = folder / "checkout"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*_LEFT))
    for name in _PINS:
        os.utime(copy / name, (0, 0))
    return copy


def carry_out(
    step: Step, copy: Path, settings: Mapping[str, str], *, timeout: float
) -> subprocess.CompletedProcess[str]:
    """Run a step's script as a runner does, and return how it ended.

    Args:
        step: The step.
        copy: A checkout.
        settings: What is otherwise here than there; wins over the step's own.
        timeout: Seconds until the script is ended.
    """
    environment = {
        **_ENVIRONMENT,
        **step.settings,
        "CI": "true",
        "VENV": sys.prefix,
        "PYTHONPATH": str(copy / "src"),
        # What `make check` found out a minute ago holds for the copy.
        "MYPY_CACHE_DIR": str(ROOT / ".mypy_cache"),
        **settings,
    }
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step.script],
        cwd=copy,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
