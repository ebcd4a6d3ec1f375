"""What of container engines this machine has: programs, folders, and what is missing in words."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.containers.cell import refusal

_ENVIRONMENT = dict(os.environ)  # noqa: TID251 - settings of the tests and of Docker's own command
#: `make engine` puts there what it unpacks and makes.
FOLDER = Path(sys.prefix) / "engine"
#: Debian's Python on the smallest Debian, for machines that reach no image registry.
STAND_IN = FOLDER / "base.tar"
#: What the Dockerfile stands on where the real image is there.
BASE = _ENVIRONMENT.get("BASE_IMAGE", "python:3.11-slim")
#: Whether an absent part is a fault.
REQUIRED = _ENVIRONMENT.get("CI") == "true" or _ENVIRONMENT.get("TEST_ENGINE") == "required"
_OWN = ("dockerd", "containerd", "runc", "iptables", "slirp4netns", "unshare", "nsenter", "ip")
_PODS = ("podman", "conmon")
_SECONDS = 20.0
REMEDY = "start Docker with compose and pull python:3.11-slim, or, as root on Debian, `make engine CI=true`"
PODS_REMEDY = "install podman, netavark, aardvark-dns and catatonit, or `make engine CI=true`"
KUBECTL_REMEDY = "install kubectl, or `make engine CI=true`"


def kubectl() -> str | None:
    """Return the program kubectl, the machine's or the one that `make engine` unpacked."""
    own = FOLDER / "bin" / "kubectl"
    return shutil.which("kubectl") or (str(own) if own.exists() else None)


def docker_program() -> str | None:
    """Return Docker's command; Debian's own before one that was put beside it, which may lack BuildKit."""
    own = Path("/usr/bin/docker")
    return str(own) if own.exists() else shutil.which("docker")


def answers(program: str, *words: str, settings: dict[str, str] | None = None) -> bool:
    """Return whether a command ends well and soon."""
    try:
        tried = subprocess.run(
            [program, *words],
            env={**_ENVIRONMENT, **(settings or {})},
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return tried.returncode == 0


@functools.cache
def running() -> str | None:
    """Return the command of an engine with compose that runs on this machine and answers, if there is one."""
    for program in filter(None, (shutil.which("docker"), docker_program())):
        if answers(program, "version") and answers(program, "compose", "version"):
            return program
    return None


@functools.cache
def missing_engine() -> str | None:
    """Return why no container can be run here, or None where one can: by a running engine, or by one of our own."""
    if program := running():
        if answers(program, "image", "inspect", BASE) or STAND_IN.exists():
            return None
        return f"the engine has no {BASE}: pull it, or name another by BASE_IMAGE"
    program = docker_program()
    absent = [name for name in _OWN if _found(name) is None]
    if program is None or absent:
        return f"no Docker engine answers, and for one of our own there is no {', '.join(absent) or 'docker'}"
    if not answers(program, "compose", "version", settings={"DOCKER_CONFIG": str(FOLDER / "config")}):
        return "docker has no compose"
    if not STAND_IN.exists():
        return f"{STAND_IN.name} was not made"
    return refusal()


@functools.cache
def missing_pods() -> str | None:
    """Return why no pod can be run here, or None where one can."""
    absent = [name for name in _PODS if _found(name) is None]
    if absent:
        return f"there is no {', '.join(absent)}"
    if os.geteuid() == 0:
        return refusal()
    return None


def _found(name: str) -> str | None:
    # Debian keeps servers where an ordinary user's path does not lead.
    return shutil.which(name, path=os.defpath + ":/usr/sbin:/sbin") or shutil.which(name)
