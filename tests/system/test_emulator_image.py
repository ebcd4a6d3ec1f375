"""The container image of the emulated org: the rules of its file, and a real build where a Docker engine is at hand."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

_ROOT = Path(__file__).parents[2]
_FILE = _ROOT / "Dockerfile.emulator"
_BASE = "python:3.12-slim"
_IMAGE = "orgbridge-emulator-test"


def instructions() -> list[tuple[str, str]]:
    """Return the instructions of the file in order: their words in capitals, and what follows."""
    text = re.sub(r"^\s*#.*\n", "", _FILE.read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n", " ", text).splitlines()
    return [(line.split(maxsplit=1)[0].upper(), line.split(maxsplit=1)[1]) for line in lines if line.strip()]


def values(word: str) -> list[str]:
    """Return what follows an instruction, each time that it stands there."""
    return [rest for name, rest in instructions() if name == word]


def test_the_base_comes_as_an_argument() -> None:
    """Both stages begin with the argument, so that no registry is asked for anything that nobody named."""
    assert [stage.split()[0] for stage in values("FROM")] == ["${PYTHON_IMAGE}"] * 2
    assert values("ARG") == [f"PYTHON_IMAGE={_BASE}"]
    assert not _FILE.read_text().startswith("# syntax")
    assert not any("http" in rest for word, rest in instructions() if word in ("RUN", "COPY", "ADD", "ENV"))


def test_everything_installed_is_pinned_by_hash() -> None:
    """pip installs what has a hash, and the project itself without dependencies or a build environment."""
    installs = [command for run in values("RUN") for command in run.split("&&") if "pip install" in command]
    assert len(installs) == 2
    assert "--require-hashes -r requirements.txt" in installs[0]
    assert "--no-build-isolation --no-deps ." in installs[1]
    assert re.search(r"^hatchling==", (_ROOT / "requirements.txt").read_text(), re.MULTILINE)


def test_the_process_is_nobody_in_particular() -> None:
    """The last stage runs as a user and group of 10000 or more, who owns the data folder and nothing else."""
    (user,) = values("USER")
    assert all(int(part) >= 10_000 for part in user.split(":"))
    assert values("VOLUME") == ["/data"]
    assert not any("sudo" in run or "chmod 777" in run for run in values("RUN"))


def test_the_entry_is_the_command_itself_with_closed_controls() -> None:
    """The command is PID 1 in exec form and gets signals; controls are opened by nobody who did not ask."""
    entry = json.loads(values("ENTRYPOINT")[0])
    assert entry[:5] == ["orgbridge", "emulator", "serve", "--host", "0.0.0.0"]
    assert "--control-from-anywhere" not in _FILE.read_text().split("ENTRYPOINT")[1]
    assert values("STOPSIGNAL") == ["SIGTERM"]
    (check,) = values("HEALTHCHECK")
    command = json.loads(check.split("CMD", 1)[1].strip())
    assert command[0] == "python"
    assert "timeout" in command[2]


def test_only_what_the_image_is_made_of_is_sent() -> None:
    """The ignore file lets nothing in but what the build copies."""
    lines = (_ROOT / "Dockerfile.emulator.dockerignore").read_text().splitlines()
    allowed = {line[1:] for line in lines if line.startswith("!")}
    copied = {word for rest in values("COPY") if "--from" not in rest for word in rest.split()[:-1]}
    assert "*" in lines
    assert {name.removeprefix("./") for name in copied} == allowed
    assert all((_ROOT / name).exists() for name in allowed)


def docker(*words: str, timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
    """Run the engine's command."""
    return subprocess.run(["docker", *words], capture_output=True, text=True, timeout=timeout, check=False)


def engine_with_base() -> bool:
    """Tell whether an engine answers that has the base image: the test fetches none."""
    if shutil.which("docker") is None:
        return False
    try:
        return docker("image", "inspect", _BASE, timeout=10).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    """The image, built for real."""
    if not engine_with_base():
        pytest.skip(f"no Docker engine with {_BASE} answers")
    name = f"{_IMAGE}:{uuid4().hex[:8]}"
    built = docker("build", "--file", str(_FILE), "--tag", name, str(_ROOT), timeout=900)
    assert built.returncode == 0, built.stderr[-4000:]
    yield name
    docker("image", "rm", "--force", name)


@pytest.mark.timeout(1000)
def test_the_image_serves_an_org_and_stops_when_told(image: str) -> None:
    """A container becomes healthy, signs clients in, keeps its controls shut to others and ends on SIGTERM."""
    name = f"orgbridge-emulator-{uuid4().hex[:8]}"
    assert docker("run", "--detach", "--name", name, "--read-only", "--tmpfs", "/tmp", image).returncode == 0
    try:
        wait_until_healthy(name)
        address = docker("inspect", "--format", "{{.NetworkSettings.IPAddress}}", name).stdout.strip()
        asked = "import urllib.request as u; print(u.urlopen('http://{}:8080{}', timeout=5).status)"
        inside = docker("exec", name, "python", "-c", asked.format("127.0.0.1", "/services/data"))
        assert inside.stdout.strip() == "200", inside.stderr
        own = docker("exec", name, "python", "-c", asked.format(address, "/_emulator/health"))
        assert "404" in own.stderr
        user = docker("exec", name, "python", "-c", "import os; print(os.getuid())")
        assert int(user.stdout) >= 10_000
        began = time.monotonic()
        assert docker("stop", "--time", "20", name).returncode == 0
        assert time.monotonic() - began < 10
        assert docker("inspect", "--format", "{{.State.ExitCode}}", name).stdout.strip() == "0"
    finally:
        docker("rm", "--force", "--volumes", name)


def wait_until_healthy(name: str) -> None:
    """Return once the container's health check holds."""
    deadline = time.monotonic() + 90
    while docker("inspect", "--format", "{{.State.Health.Status}}", name).stdout.strip() != "healthy":
        assert time.monotonic() < deadline, docker("logs", name)
        time.sleep(0.5)
