"""The container images: the rules of their file, and a real build where a Docker engine is at hand."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.support.engine import ROOT, build, docker, need_engine, said, seconds_to_stop, wait_until

_FILE = ROOT / "Dockerfile"
_OURS = ("emulator", "service")
#: What idle processes take to end, with the engine's own part in it; a busy machine doubles it.
_STOP_SECONDS = 4.0


def stages() -> dict[str, list[tuple[str, str]]]:
    """Return the instructions of each stage in order: their words in capitals, and what follows."""
    text = re.sub(r"^\s*#.*\n", "", _FILE.read_text(), flags=re.MULTILINE)
    found: dict[str, list[tuple[str, str]]] = {}
    name = ""
    for line in re.sub(r"\\\n", " ", text).splitlines():
        if not line.strip():
            continue
        word, rest = line.split(maxsplit=1)
        if word == "FROM":
            name = rest.split(" AS ")[1].strip()
        found.setdefault(name, []).append((word.upper(), rest.strip()))
    return found


def values(word: str, stage: str) -> list[str]:
    """Return what follows an instruction in a stage, each time that it stands there."""
    return [rest for name, rest in stages()[stage] if name == word]


def test_the_base_comes_as_an_argument() -> None:
    """Every stage stands on the argument or on a stage of ours: no registry is asked for anything nobody named."""
    assert [rest.split()[0] for stage in stages() for rest in values("FROM", stage) if stage] == [
        "${BASE_IMAGE}",
        "${BASE_IMAGE}",
        "runtime",
        "runtime",
    ]
    assert values("ARG", "") == ["BASE_IMAGE=python:3.11-slim"]
    assert not _FILE.read_text().startswith("# syntax")
    for stage in stages().values():
        assert not any("http" in rest for word, rest in stage if word in ("RUN", "COPY", "ADD", "ENV"))


def test_the_service_is_what_a_plain_build_gives() -> None:
    """The last stage is the service: `docker build .` without a target makes it."""
    assert list(stages())[-1] == "service"


def test_everything_installed_is_pinned_by_hash() -> None:
    """pip installs what has a hash, and the project itself without dependencies or a build environment."""
    commands = [command for run in values("RUN", "build") for command in run.split("&&")]
    installs = [command for command in commands if re.search(r"\bpip\b.* install ", command)]
    assert len(installs) == 2
    assert "--require-hashes --only-binary :all: -r requirements.txt" in installs[0]
    assert "--no-build-isolation --no-deps ." in installs[1]
    assert re.search(r"^hatchling==", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert not any("apt" in command or "gcc" in command for command in commands)


def test_the_process_is_nobody_in_particular() -> None:
    """The images run as a user and group of 10000 or more, who owns the data folders and nothing else."""
    (user,) = values("USER", "runtime")
    assert all(int(part) >= 10_000 for part in user.split(":"))
    assert not any(values("USER", stage) for stage in _OURS)
    assert values("VOLUME", "emulator") == ['["/data"]']
    assert values("VOLUME", "service") == ['["/app/data"]']
    assert not any("sudo" in run or "chmod 777" in run for run in values("RUN", "runtime"))


def test_the_entry_is_the_command_itself() -> None:
    """The command is the first process, in exec form, and gets signals; an org's controls stay shut."""
    entry = json.loads(values("ENTRYPOINT", "emulator")[0])
    assert entry[:5] == ["orgbridge", "emulator", "serve", "--host", "0.0.0.0"]
    assert "--control-from-anywhere" not in entry
    assert json.loads(values("ENTRYPOINT", "service")[0]) == ["orgbridge"]
    assert json.loads(values("CMD", "service")[0]) == ["serve"]
    assert values("STOPSIGNAL", "runtime") == ["SIGTERM"]


@pytest.mark.parametrize("stage", _OURS)
def test_the_health_check_needs_nothing_but_python(stage: str) -> None:
    """The check has no shell and no curl, and a time limit of its own."""
    (check,) = values("HEALTHCHECK", stage)
    command = json.loads(check.split("CMD", 1)[1].strip())
    assert command[:2] == ["python", "-c"]
    assert "timeout" in command[2]


def test_only_what_the_images_are_made_of_is_sent() -> None:
    """The ignore file lets nothing in but what the build copies."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    allowed = {line[1:] for line in lines if line.startswith("!")}
    copied = {word for rest in values("COPY", "build") for word in rest.split()[:-1]}
    assert "*" in lines
    assert {name.removeprefix("./") for name in copied} == allowed
    assert all((ROOT / name).exists() for name in allowed)


@pytest.fixture(scope="module")
def emulator_image() -> Iterator[str]:
    """The emulated org's image, built for real."""
    need_engine()
    name = f"orgbridge-emulator-test:{uuid4().hex[:8]}"
    build(name, target="emulator")
    yield name
    docker("image", "rm", "--force", name)


@pytest.mark.timeout(1000)
def test_the_emulator_serves_an_org_and_stops_when_told(emulator_image: str) -> None:
    """A container becomes healthy, keeps its controls shut to others, runs as nobody and ends on SIGTERM."""
    name = f"orgbridge-emulator-{uuid4().hex[:8]}"
    said("run", "--detach", "--name", name, "--read-only", "--tmpfs", "/tmp", emulator_image)
    try:
        health = ("inspect", "--format", "{{.State.Health.Status}}", name)
        wait_until(lambda: said(*health) == "healthy", f"{name} to be healthy")
        address = said("inspect", "--format", "{{.NetworkSettings.IPAddress}}", name)
        asked = "import urllib.request as u; print(u.urlopen('http://{}:8080{}', timeout=5).status)"
        inside = docker("exec", name, "python", "-c", asked.format("127.0.0.1", "/services/data"))
        assert inside.stdout.strip() == "200", inside.stderr
        own = docker("exec", name, "python", "-c", asked.format(address, "/_emulator/health"))
        assert "404" in own.stderr
        assert int(said("exec", name, "python", "-c", "import os; print(os.getuid())")) >= 10_000
        assert seconds_to_stop(name) < _STOP_SECONDS
    finally:
        docker("rm", "--force", "--volumes", name)
