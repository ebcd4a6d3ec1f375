"""The container images: the rules of their file, and a real build where a Docker engine is at hand."""

from __future__ import annotations

import json
import re
import subprocess
from uuid import uuid4

import pytest

from tests.support.containers.engine import ROOT, Engine, wait_until
from tests.support.containers.images import Images

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


def container(engine: Engine, image: str, *words: str, settings: tuple[str, ...] = ()) -> str:
    """Start a container as the manifests would, with a read-only root and no capability, and return its name."""
    name = f"orgbridge-test-{uuid4().hex[:8]}"
    guards = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL")
    engine.said("run", "--detach", "--name", name, *guards, *settings, image, *words)
    return name


def inside(engine: Engine, name: str, code: str) -> subprocess.CompletedProcess[str]:
    """Run Python code in a container."""
    return engine.docker("exec", name, "python", "-c", code)


def healthy(engine: Engine, name: str) -> bool:
    """Return whether the image's own check says that the container is well."""
    return engine.said("inspect", "--format", "{{.State.Health.Status}}", name) == "healthy"


@pytest.mark.timeout(1000)
def test_the_emulator_serves_an_org_and_stops_when_told(engine: Engine, images: Images) -> None:
    """A container becomes healthy, keeps its controls shut to others, runs as nobody and ends on SIGTERM."""
    name = container(engine, images.emulator)
    try:
        wait_until(lambda: healthy(engine, name), f"{name} to be healthy")
        address = engine.said("inspect", "--format", "{{.NetworkSettings.IPAddress}}", name)
        asked = "import urllib.request as u; print(u.urlopen('http://{}:8080{}', timeout=5).status)"
        served = inside(engine, name, asked.format("127.0.0.1", "/services/data"))
        assert served.stdout.strip() == "200", served.stderr
        assert "404" in inside(engine, name, asked.format(address, "/_emulator/health")).stderr
        assert int(inside(engine, name, "import os; print(os.getuid())").stdout) >= 10_000
        assert engine.seconds_to_stop(name) < _STOP_SECONDS
    finally:
        engine.docker("rm", "--force", "--volumes", name)


@pytest.mark.timeout(1000)
def test_the_service_runs_alone_on_a_root_it_cannot_write_to(engine: Engine, images: Images) -> None:
    """A lone container becomes healthy as nobody, writes to its data and to nothing else, and ends on SIGTERM."""
    settings = ("--env", "SALESFORCE_CLIENT_ID=c", "--env", "SALESFORCE_CLIENT_SECRET=s")
    name = container(engine, images.service, settings=settings)
    try:
        wait_until(lambda: healthy(engine, name), f"{name} to be healthy")
        ids = inside(engine, name, "import os; print(os.getuid(), os.getgid())").stdout.split()
        assert all(int(one) >= 10_000 for one in ids)
        write = "import pathlib, sys; pathlib.Path({!r}).write_text('x')"
        assert inside(engine, name, write.format("/app/data/output/mine")).returncode == 0
        for path in ("/app/intruder", "/opt/orgbridge/bin/intruder", "/etc/intruder"):
            assert "Read-only file system" in inside(engine, name, write.format(path)).stderr
        assert engine.seconds_to_stop(name) < _STOP_SECONDS
    finally:
        engine.docker("rm", "--force", "--volumes", name)


@pytest.mark.timeout(1000)
def test_the_image_is_small_labelled_and_has_no_compiler(engine: Engine, images: Images) -> None:
    """What we add to the base is under 320 MB, the labels are there, and neither a compiler nor pip is."""
    added = [
        int(engine.said("image", "inspect", "--format", "{{.Size}}", name)) for name in (images.service, engine.base)
    ]
    assert added[0] - added[1] < 320_000_000
    labels = json.loads(engine.said("image", "inspect", "--format", "{{json .Config.Labels}}", images.service))
    assert {"title", "description", "licenses", "version", "revision", "created"} <= {
        name.removeprefix("org.opencontainers.image.") for name in labels
    }
    code = (
        "import importlib.util as u, shutil; print([n for n in ('cc', 'gcc', 'g++', 'make', 'ld') if shutil.which(n)],"
        " u.find_spec('pip'), u.find_spec('hatchling'))"
    )
    assert engine.said("run", "--rm", "--entrypoint", "python", images.service, "-c", code) == "[] None None"
