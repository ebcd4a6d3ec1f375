"""Manifests as podman can run them: each pod of a workload, in a network where services have names.

Podman takes pods, volumes and ConfigMaps as they stand. What a cluster does besides is done here and nowhere else: as
many pods of a workload as it has replicas, a claim's volume under the claim's name, a Service's name as a name in the
network for the pods that it selects, and a Secret as a secret of podman's, for podman 4 cannot read variables from one
that it was given in a file. Probes are left to the test, which asks what the kubelet would ask: podman would need curl
in the image for them.
"""

from __future__ import annotations

import copy
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.support.containers.cell import Cell, open_cell
from tests.support.containers.engine import Engine, EngineFailed
from tests.support.manifests import Manifest, find

_ENVIRONMENT = dict(os.environ)  # noqa: TID251 - Podman's own command needs it
_NETWORK = "cluster"
#: The parts of a container that the test itself does; and its ports, which podman 4 would open on the machine.
_ASKED = ("startupProbe", "livenessProbe", "readinessProbe", "lifecycle", "ports")
_SETTINGS = """
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=2048:2048"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
helper_binaries_dir = ["/usr/libexec/podman", "/usr/lib/podman", "/usr/bin"]
[network]
network_backend = "netavark"
network_config_dir = "{folder}/networks"
"""


def pod_manifests(objects: list[Manifest], workload: Manifest) -> list[Manifest]:
    """Return a workload as the pods that a cluster would make of it, named `<workload>-<number>`."""
    name, spec = workload["metadata"]["name"], workload["spec"]
    made = []
    for number in range(spec.get("replicas", 1)):
        pod = copy.deepcopy(spec["template"])
        pod |= {"apiVersion": "v1", "kind": "Pod"}
        pod["metadata"]["name"] = f"{name}-{number}"
        for container in pod["spec"]["containers"]:
            for asked in _ASKED:
                container.pop(asked, None)
        _own_folders(pod)
        for claim in spec.get("volumeClaimTemplates", []):
            own = claim["metadata"]["name"]
            source = {"claimName": f"{own}-{name}-{number}"}
            pod["spec"].setdefault("volumes", []).append({"name": own, "persistentVolumeClaim": source})
        made.append(pod)
    return made


def _own_folders(pod: Manifest) -> None:
    """Name empty folders after their pod: podman 4 would give pods with a volume of one name the same one."""
    own = {
        one["name"]: f"{pod['metadata']['name']}-{one['name']}" for one in pod["spec"]["volumes"] if "emptyDir" in one
    }
    mounts = [mount for container in pod["spec"]["containers"] for mount in container["volumeMounts"]]
    for one in [*pod["spec"]["volumes"], *mounts]:
        one["name"] = own.get(one["name"], one["name"])


def service_names(objects: list[Manifest], workload: Manifest) -> list[str]:
    """Return the names of the services that send to a workload's pods."""
    labels = workload["spec"]["template"]["metadata"]["labels"].items()
    services = find(objects, "Service")
    return [one["metadata"]["name"] for one in services if one["spec"]["selector"].items() <= labels]


class Pods:
    """Podman, with storage and settings of its own.

    Args:
        folder: Where everything of it lies.
        cell: The namespaces that it runs in; None where it runs as an ordinary user, who has them from podman.
    """

    def __init__(self, folder: Path, cell: Cell | None) -> None:
        self._folder = folder
        self._cell = cell
        self._data = cell.data if cell else folder
        self._settings = folder / "containers.conf"
        self._settings.write_text(_SETTINGS.format(folder=folder))
        (folder / "networks").mkdir()

    def podman(self, *words: str, timeout: float = 120.0, given: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run podman to its end, whatever comes of it."""
        places = [f"--{name}={self._data / name}" for name in ("root", "runroot", "tmpdir")]
        told = (f"CONTAINERS_CONF={self._settings}", f"TMPDIR={self._data}")
        command = ["env", *told, "podman", *places, *words]
        return subprocess.run(
            self._cell.inside(*command) if self._cell else command,
            cwd=self._folder,
            env=_ENVIRONMENT,
            input=given,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def said(self, *words: str, timeout: float = 120.0, given: str | None = None) -> str:
        """Run podman and return what it wrote.

        Raises:
            EngineFailed: It ended with a fault.
        """
        done = self.podman(*words, timeout=timeout, given=given)
        if done.returncode != 0:
            raise EngineFailed(f"podman {' '.join(words)}: {done.stdout[-1000:]}{done.stderr[-4000:]}")
        return done.stdout.strip()

    def take(self, engine: Engine, image: str, name: str) -> None:
        """Take an image over from an engine under another name.

        Raises:
            EngineFailed: One of the two failed.
        """
        archive = self._folder / "image.tar"
        engine.said("save", "--output", str(archive), image, timeout=300)
        loaded = self.said("load", "--quiet", "--input", str(archive), timeout=600).splitlines()[-1]
        # "Loaded image: localhost/orgbridge-test:1a2b3c4d"
        self.said("tag", loaded.rpartition(": ")[2].strip(), f"localhost/{name}")
        archive.unlink()

    def keep_secrets(self, objects: list[Manifest]) -> None:
        """Make every Secret known under its name.

        Raises:
            EngineFailed: Podman refused one.
        """
        for secret in find(objects, "Secret"):
            # The form that every podman reads variables from: names with their values in base64.
            self.said("secret", "create", secret["metadata"]["name"], "-", given=json.dumps(secret["data"]))

    def play(self, objects: list[Manifest], workload: Manifest) -> list[str]:
        """Start every pod of a workload and return their names.

        Raises:
            EngineFailed: Podman refused one, or one did not start.
        """
        given = find(objects, "ConfigMap")
        names = []
        for pod in pod_manifests(objects, workload):
            file = self._folder / "pod.yaml"
            file.write_text(yaml.safe_dump_all([*given, pod]))
            aliases = "".join(f",alias={name}" for name in service_names(objects, workload)).removeprefix(",")
            network = f"{_NETWORK}:{aliases}" if aliases else _NETWORK
            self.said("kube", "play", "--network", network, str(file), timeout=240)
            names.append(pod["metadata"]["name"])
        return names

    def container(self, pod: str) -> str:
        """Return the name of the one container of a pod."""
        said = self.said("ps", "--all", "--filter", f"pod={pod}", "--format", "{{.Names}}")
        (name,) = [line for line in said.splitlines() if not line.endswith("-infra")]
        return name

    def inspect(self, pod: str) -> dict[str, Any]:
        """Return what podman knows of the one container of a pod."""
        found: dict[str, Any] = json.loads(self.said("inspect", self.container(pod)))[0]
        return found


@contextmanager
def open_pods(folder: Path) -> Iterator[Pods]:
    """Give podman out with an empty network, and end it with every pod.

    Args:
        folder: An empty folder.

    Raises:
        CellRefusedError: The kernel gives no namespaces.
        EngineFailed: Podman does not work here.
    """
    if os.geteuid() == 0:
        with open_cell(folder, outward=False) as cell:
            pods = Pods(folder, cell)
            pods.said("network", "create", _NETWORK)
            # Every pod ends with the cell, and what it kept goes with it.
            yield pods
        return
    pods = Pods(folder, None)
    pods.said("network", "create", _NETWORK)
    try:
        yield pods
    finally:
        pods.podman("pod", "rm", "--all", "--force", "--time", "2", timeout=300)
        # In its storage are files of users that exist in podman's own namespace alone.
        pods.podman("unshare", "rm", "-rf", str(folder / "root"), timeout=300)
