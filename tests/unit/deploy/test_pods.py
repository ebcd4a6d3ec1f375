"""What stands between manifests and podman: pods as a cluster would make them; and nothing is got unasked."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.containers.pods import pod_manifests, service_names
from tests.support.manifests import OVERLAYS, ROOT, Manifest, base, find, read

_INSTALL = ROOT / "tests/support/containers/install.sh"


def workload(name: str) -> tuple[list[Manifest], Manifest]:
    """Return the emulated overlay's objects, as they are written, and one of its workloads."""
    files = [
        *base(),
        *(one for name in ("org", "postgres") for one in read((OVERLAYS / f"emulated/{name}.yaml").read_text())),
    ]
    (found,) = [one for kind in ("Deployment", "StatefulSet", "Job") for one in find(files, kind, name)]
    return files, found


@pytest.mark.parametrize(
    ("name", "pods", "services"),
    [("orgbridge", 2, ["orgbridge"]), ("orgbridge-worker", 2, []), ("org", 1, ["org"]), ("orgbridge-migrate", 1, [])],
)
def test_a_workload_becomes_its_pods(name: str, pods: int, services: list[str]) -> None:
    """As many pods as replicas, each with its template's labels and rights, under its services' names."""
    files, found = workload(name)
    made = pod_manifests(files, found)
    assert [pod["metadata"]["name"] for pod in made] == [f"{name}-{number}" for number in range(pods)]
    template = found["spec"]["template"]
    for pod in made:
        assert pod["metadata"]["labels"] == template["metadata"]["labels"]
        assert pod["spec"]["securityContext"] == template["spec"]["securityContext"]
        for container, told in zip(pod["spec"]["containers"], template["spec"]["containers"], strict=True):
            left = set(told) - set(container)
            assert left <= {"startupProbe", "livenessProbe", "readinessProbe", "lifecycle", "ports"}
            assert container["securityContext"] == told["securityContext"]
    assert service_names(files, found) == services


def test_pods_share_claims_and_no_folder() -> None:
    """Two pods have the same claim, and empty folders of their own, each mounted where the template says."""
    files, found = workload("orgbridge")
    first, second = pod_manifests(files, found)
    folders, claims = [], []
    for pod in (first, second):
        volumes = {one["name"]: one for one in pod["spec"]["volumes"]}
        mounts = {mount["mountPath"]: volumes[mount["name"]] for mount in pod["spec"]["containers"][0]["volumeMounts"]}
        claims.append(mounts["/app/data"]["persistentVolumeClaim"])
        folders.append(mounts["/tmp"]["name"])
    assert claims[0] == claims[1]
    assert folders[0] != folders[1]


def test_a_stateful_set_has_a_claim_per_pod() -> None:
    """A template of claims becomes a volume named as a cluster names it."""
    (pod,) = pod_manifests(*workload("postgres"))
    claims = [one["persistentVolumeClaim"]["claimName"] for one in pod["spec"]["volumes"] if "emptyDir" not in one]
    assert claims == ["data-postgres-0"]


def test_nothing_is_installed_unless_ci_asks(tmp_path: Path) -> None:
    """Outside CI the script that gets engines does nothing at all, and it names no address."""
    environment = {"PATH": os.defpath}
    done = subprocess.run(["sh", str(_INSTALL), str(tmp_path / "engine")], env=environment, timeout=30, check=False)
    assert done.returncode == 0
    assert not (tmp_path / "engine").exists()
    assert "://" not in _INSTALL.read_text()
