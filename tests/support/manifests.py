"""Kubernetes manifests as data, and the rules that schemas do not know: what selects what, which names must agree."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.support.containers.places import kubectl

Manifest = dict[str, Any]
ROOT = Path(__file__).resolve().parents[2]
BASE = ROOT / "kubernetes"
OVERLAYS = ROOT / "kubernetes-overlays"
_WORKLOADS = ("Deployment", "StatefulSet", "Job")
_PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
_UNITS = {"m": 0.001, "": 1, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What manifests may refer to outside of themselves."""

    #: Names of settings of the service.
    settings: frozenset[str]
    #: Paths that the processes answer GET on.
    paths: frozenset[str]
    #: Names of our metrics.
    metrics: frozenset[str]
    #: Secrets that are made by hand beforehand.
    secrets: frozenset[str] = frozenset()


def read(text: str) -> list[Manifest]:
    """Return the objects of a file."""
    return [item for item in yaml.safe_load_all(text) if item]


def base() -> list[Manifest]:
    """Return the objects that the base's kustomization names."""
    listed = yaml.safe_load((BASE / "kustomization.yaml").read_text())["resources"]
    return [item for name in listed for item in read((BASE / name).read_text())]


def rendered(overlay: str) -> list[Manifest] | None:
    """Return an overlay as kubectl renders it, without a cluster; None where there is no kubectl."""
    program = kubectl()
    if program is None:
        return None
    words = [program, "kustomize", str(OVERLAYS / overlay)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return read(done.stdout)


def find(objects: list[Manifest], kind: str, name: str | None = None) -> list[Manifest]:
    """Return the objects of a kind, of one name if given."""
    return [one for one in objects if one["kind"] == kind and name in (None, one["metadata"]["name"])]


def pods(objects: list[Manifest]) -> Iterator[tuple[str, Manifest]]:
    """Yield the pod template of each workload with the workload's name."""
    for one in objects:
        if one["kind"] in _WORKLOADS:
            yield f"{one['kind']}/{one['metadata']['name']}", one["spec"]["template"]


def faults(objects: list[Manifest], world: World) -> list[str]:
    """Return everything that is wrong, one line each; empty for manifests that hold together."""
    found: list[str] = []
    for name, pod in pods(objects):
        found += [f"{name}: {fault}" for fault in _pod_faults(pod, objects, world)]
    for rule in (_names, _selectors, _services, _autoscalers, _budgets, _network, _monitors):
        found += rule(objects, world)
    found += _settings(objects, world)
    return found


def _names(objects: list[Manifest], _: World) -> list[str]:
    seen: set[tuple[str, str]] = set()
    found = []
    for one in objects:
        key = (one["kind"], one["metadata"]["name"])
        if key in seen:
            found.append(f"{key}: is there twice")
        seen.add(key)
    return found


def _pod_faults(pod: Manifest, objects: list[Manifest], world: World) -> Iterator[str]:
    spec = pod["spec"]
    context = spec.get("securityContext", {})
    if not context.get("runAsNonRoot") or not context.get("runAsUser"):
        yield "may run as root"
    if context.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield "has no seccomp profile"
    if spec.get("automountServiceAccountToken") is not False:
        yield "gets a token of the cluster"
    account = spec.get("serviceAccountName")
    if account and not find(objects, "ServiceAccount", account):
        yield f"names the service account {account}, which is not there"
    if any(spec.get(name) for name in ("hostNetwork", "hostPID", "hostIPC")):
        yield "shares the node"
    volumes = {volume["name"]: volume for volume in spec.get("volumes", [])}
    for volume in volumes.values():
        if "hostPath" in volume:
            yield f"volume {volume['name']} lies on the node"
        claim = volume.get("persistentVolumeClaim", {}).get("claimName")
        if claim and not find(objects, "PersistentVolumeClaim", claim):
            yield f"volume {volume['name']} claims {claim}, which is not there"
    for spread in spec.get("topologySpreadConstraints", []):
        if not _selects(spread["labelSelector"], pod):
            yield f"is spread over {spread['topologyKey']} by labels that it has not"
    for container in spec["containers"]:
        yield from _container_faults(container, spec, volumes, objects, world)


def _container_faults(
    container: Manifest, spec: Manifest, volumes: Mapping[str, Any], objects: list[Manifest], world: World
) -> Iterator[str]:
    name, _, tag = container["image"].rpartition(":")
    if not name or tag == "latest" or "/" in tag:
        yield f"image {container['image']} has no version"
    own = container.get("securityContext", {})
    if own.get("allowPrivilegeEscalation") is not False or own.get("privileged"):
        yield "may gain rights"
    if own.get("readOnlyRootFilesystem") is not True:
        yield "may write to its image"
    if own.get("capabilities", {}).get("drop") != ["ALL"]:
        yield "keeps capabilities"
    resources = container.get("resources", {})
    for what in ("cpu", "memory"):
        asked = resources.get("requests", {}).get(what)
        limit = resources.get("limits", {}).get(what)
        if asked is None or limit is None:
            yield f"has no request or no limit of {what}"
        elif quantity(asked) > quantity(limit):
            yield f"asks for more {what} than its limit"
    for source in container.get("envFrom", []):
        yield from _source_faults(source, objects, world)
    for mount in container.get("volumeMounts", []):
        if mount["name"] not in volumes and not _claimed(mount["name"], spec, objects):
            yield f"mounts {mount['name']}, which is no volume"
    unmounted = set(volumes) - {mount["name"] for mount in container.get("volumeMounts", [])}
    yield from (f"volume {left} is mounted nowhere" for left in sorted(unmounted))
    ports = {port["name"] for port in container.get("ports", [])}
    yield from (f"port name {port} is longer than 15" for port in ports if len(port) > 15)
    for kind in _PROBES:
        probe = container.get(kind, {}).get("httpGet")
        if probe and probe["port"] not in ports:
            yield f"{kind} asks the port {probe['port']}, which has no such name"
        if probe and probe["path"] not in world.paths:
            yield f"{kind} asks {probe['path']}, which nothing answers"
    if ports and not all(kind in container for kind in _PROBES):
        yield "listens and lacks a probe"


def _source_faults(source: Manifest, objects: list[Manifest], world: World) -> Iterator[str]:
    for key, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
        name = source.get(key, {}).get("name")
        if name and not find(objects, kind, name) and not (kind == "Secret" and name in world.secrets):
            yield f"reads the {kind} {name}, which is not there"


def _claimed(mount: str, spec: Manifest, objects: list[Manifest]) -> bool:
    """Return whether a mount is of a stateful set's own claims."""
    for one in find(objects, "StatefulSet"):
        if one["spec"]["template"]["spec"] is spec:
            return mount in {claim["metadata"]["name"] for claim in one["spec"].get("volumeClaimTemplates", [])}
    return False


def quantity(value: str) -> float:
    """Return the number that a quantity means."""
    digits = value.rstrip("KMGim")
    return float(digits) * _UNITS[value[len(digits) :]]


def _selects(selector: Manifest, pod: Manifest) -> bool:
    labels = pod["metadata"]["labels"].items()
    return set(selector.get("matchLabels", {}).items()) <= set(labels)


def _selected(selector: Manifest, objects: list[Manifest]) -> list[tuple[str, Manifest]]:
    return [(name, pod) for name, pod in pods(objects) if _selects(selector, pod)]


def _selectors(objects: list[Manifest], _: World) -> list[str]:
    return [
        f"{one['kind']}/{one['metadata']['name']}: does not select its own pods"
        for one in objects
        if one["kind"] in ("Deployment", "StatefulSet")
        and not _selects(one["spec"]["selector"], one["spec"]["template"])
    ]


def _services(objects: list[Manifest], _: World) -> list[str]:
    found = []
    for one in find(objects, "Service"):
        name = f"Service/{one['metadata']['name']}"
        chosen = _selected({"matchLabels": one["spec"]["selector"]}, objects)
        if len(chosen) != 1:
            found.append(f"{name}: selects {len(chosen)} workloads and not one")
        for _name, pod in chosen:
            named = {port["name"] for container in pod["spec"]["containers"] for port in container.get("ports", [])}
            found += [
                f"{name}: sends to the port {port['targetPort']}, which has no such name"
                for port in one["spec"]["ports"]
                if port["targetPort"] not in named
            ]
    return found


def _autoscalers(objects: list[Manifest], world: World) -> list[str]:
    found = []
    for one in find(objects, "HorizontalPodAutoscaler"):
        name, spec = f"HorizontalPodAutoscaler/{one['metadata']['name']}", one["spec"]
        if not 1 <= spec["minReplicas"] <= spec["maxReplicas"]:
            found.append(f"{name}: has a minimum above its maximum")
        target = spec["scaleTargetRef"]
        if not find(objects, target["kind"], target["name"]):
            found.append(f"{name}: scales {target['name']}, which is not there")
        kinds = [metric["type"] for metric in spec["metrics"]]
        if "Resource" not in kinds:
            found.append(f"{name}: has nothing to go by without a metrics adapter")
        for metric in spec["metrics"]:
            told = metric.get("external", {}).get("metric", {}).get("name")
            if told and told not in world.metrics:
                found.append(f"{name}: goes by {told}, which is no metric of ours")
    return found


def _budgets(objects: list[Manifest], _: World) -> list[str]:
    found = []
    fewest = {
        one["spec"]["scaleTargetRef"]["name"]: one["spec"]["minReplicas"]
        for one in find(objects, "HorizontalPodAutoscaler")
    }
    for one in find(objects, "PodDisruptionBudget"):
        name = f"PodDisruptionBudget/{one['metadata']['name']}"
        chosen = _selected(one["spec"]["selector"], objects)
        if len(chosen) != 1:
            found.append(f"{name}: guards {len(chosen)} workloads and not one")
        for guarded, _pod in chosen:
            if one["spec"]["minAvailable"] >= fewest.get(guarded.split("/")[1], 1):
                found.append(f"{name}: lets no node of {guarded} be drained")
    return found


def _network(objects: list[Manifest], _: World) -> list[str]:
    found = []
    for one in find(objects, "NetworkPolicy"):
        name = f"NetworkPolicy/{one['metadata']['name']}"
        chosen = _selected(one["spec"]["podSelector"], objects)
        if not chosen:
            found.append(f"{name}: selects nothing")
        listened = {
            port["containerPort"]
            for _, pod in chosen
            for container in pod["spec"]["containers"]
            for port in container.get("ports", [])
        }
        found += [
            f"{name}: lets in to {port['port']}, where nothing listens"
            for rule in one["spec"].get("ingress", [])
            for port in rule["ports"]
            if port["port"] not in listened
        ]
        for rule in one["spec"].get("egress", []):
            for target in rule.get("to", []):
                if not _selected(target["podSelector"], objects):
                    found.append(f"{name}: lets out to pods that are not there")
    return found


def _monitors(objects: list[Manifest], world: World) -> list[str]:
    found = []
    for one in find(objects, "ServiceMonitor"):
        name = f"ServiceMonitor/{one['metadata']['name']}"
        wanted = set(one["spec"]["selector"]["matchLabels"].items())
        chosen = [s for s in find(objects, "Service") if wanted <= set(s["metadata"].get("labels", {}).items())]
        if not chosen:
            found.append(f"{name}: selects no service")
        named = {port["name"] for service in chosen for port in service["spec"]["ports"]}
        for endpoint in one["spec"]["endpoints"]:
            if endpoint["port"] not in named:
                found.append(f"{name}: scrapes the port {endpoint['port']}, which has no such name")
            if endpoint["path"] not in world.paths:
                found.append(f"{name}: scrapes {endpoint['path']}, which nothing answers")
    for one in find(objects, "PodMonitor"):
        name = f"PodMonitor/{one['metadata']['name']}"
        scraped = _selected(one["spec"]["selector"], objects)
        if len(scraped) != 1:
            found.append(f"{name}: selects {len(scraped)} workloads and not one")
        named = {
            port["name"]
            for _, pod in scraped
            for container in pod["spec"]["containers"]
            for port in container.get("ports", [])
        }
        for endpoint in one["spec"]["podMetricsEndpoints"]:
            if endpoint["port"] not in named:
                found.append(f"{name}: scrapes the port {endpoint['port']}, which has no such name")
            if endpoint["path"] not in world.paths:
                found.append(f"{name}: scrapes {endpoint['path']}, which nothing answers")
    return found


def _settings(objects: list[Manifest], world: World) -> list[str]:
    """Return names of variables that no setting reads, in what our own containers get."""
    own: set[str] = set()
    for _, pod in pods(objects):
        for container in pod["spec"]["containers"]:
            if container.get("args"):
                for source in container.get("envFrom", []):
                    own |= {reference["name"] for reference in source.values()}
    return [
        f"{one['kind']}/{one['metadata']['name']}: {name} is no setting"
        for one in objects
        if one["kind"] in ("ConfigMap", "Secret") and one["metadata"]["name"] in own
        for name in {**one.get("data", {}), **one.get("stringData", {})}
        if name.removesuffix("_FILE") not in world.settings and name not in world.settings
    ]
