"""The manifests hold together: what selects what, which names must agree, and each rule can fail."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import yaml

from orgbridge.kit.clock import SystemClock
from orgbridge.kit.metrics import CATALOGUE
from orgbridge.wiring.pulse import Pulse
from orgbridge.wiring.service import build_app
from orgbridge.wiring.settings import Settings
from tests.support.local_house import lone_settings
from tests.support.manifests import BASE, OVERLAYS, Manifest, World, base, faults, find, pods, quantity, read, rendered

_OVERLAYS = ("production", "emulated")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """What the service has, read from the service."""
    app = build_app(lone_settings(tmp_path_factory.mktemp("house")))
    return World(
        settings=frozenset(name.upper() for name in Settings.model_fields),
        # The last is the org's own: the list of API versions.
        paths=frozenset(app.openapi()["paths"]) | {"/services/data"},
        metrics=frozenset(CATALOGUE),
        secrets=frozenset({"orgbridge-secrets"}),
    )


@pytest.fixture(params=["base", *_OVERLAYS])
def objects(request: pytest.FixtureRequest) -> list[Manifest]:
    """The base, and each overlay as kubectl renders it."""
    if request.param == "base":
        return base()
    found = rendered(request.param)
    if found is None:
        pytest.skip("there is no kubectl to render overlays with")
    return found


def test_nothing_is_wrong(objects: list[Manifest], world: World) -> None:
    """Selectors, ports, probes, names of settings, limits, rights and references of all manifests are in order."""
    assert faults(objects, world) == []


def test_the_monitor_finds_the_service(world: World) -> None:
    """The ServiceMonitor selects the service and a port of it, and signs in at an address that is there."""
    monitor = read((BASE / "servicemonitor.yaml").read_text())
    assert faults([*base(), *monitor], world) == []
    address = monitor[0]["spec"]["endpoints"][0]["oauth2"]["tokenUrl"]
    (service,) = find(base(), "Service")
    name = yaml.safe_load((OVERLAYS / "production/kustomization.yaml").read_text())["namespace"]
    host, path = address.removeprefix("http://").split("/", 1)
    assert host == f"{service['metadata']['name']}.{name}.svc"
    assert f"/{path}" in world.paths


def test_the_other_monitor_finds_the_workers(world: World) -> None:
    """The PodMonitor selects the workers alone, at the port that they open, under the rules' name of the job."""
    (monitor,) = read((BASE / "podmonitor.yaml").read_text())
    assert faults([*base(), monitor], world) == []
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    (container,) = _pod(base(), "orgbridge-worker")["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    (config,) = find(base(), "ConfigMap")
    assert str(ports[endpoint["port"]]) == config["data"]["ORGBRIDGE_WORKER_METRICS_PORT"]
    assert config["data"]["ORGBRIDGE_WORKER_METRICS_HOST"] == "0.0.0.0"
    assert endpoint["relabelings"] == [{"targetLabel": "job", "replacement": "orgbridge-worker"}]
    probes = {container[kind]["httpGet"]["path"] for kind in container if kind.endswith("Probe")}
    assert probes == set(Pulse(SystemClock()).probes)


@pytest.mark.parametrize(
    ("slip", "words"),
    [
        (lambda m: m["selector"]["matchLabels"].update(a="b"), "selects 0 workloads"),
        (lambda m: m["selector"]["matchLabels"].pop("app.kubernetes.io/component"), "selects 3 workloads"),
        (lambda m: m["podMetricsEndpoints"][0].update(port="http"), "scrapes the port http"),
        (lambda m: m["podMetricsEndpoints"][0].update(path="/figures"), "scrapes /figures"),
    ],
)
def test_each_slip_of_the_other_monitor_is_seen(slip: Callable[[Manifest], object], words: str, world: World) -> None:
    """A PodMonitor that scrapes nothing, or too much, is refused with words that name why."""
    (monitor,) = read((BASE / "podmonitor.yaml").read_text())
    slip(monitor["spec"])
    assert any(words in fault for fault in faults([*base(), monitor], world))


def test_the_example_of_secrets_names_settings(world: World) -> None:
    """Every name in the example is a setting, none has a value that would work, and the name is the one read."""
    (secret,) = read((BASE / "secrets.yaml.example").read_text())
    assert set(secret["stringData"]) <= world.settings
    assert {secret["metadata"]["name"]} == world.secrets
    assert set(secret["stringData"].values()) - {""} == {
        "postgresql://orgbridge:PASSWORD@postgres.example.svc:5432/orgbridge"
    }


def test_every_file_is_used_or_says_why_not() -> None:
    """A file of the folder is in the kustomization, or is one of four that its head names."""
    text = (BASE / "kustomization.yaml").read_text()
    listed = set(yaml.safe_load(text)["resources"])
    left = {path.name for path in BASE.iterdir()} - listed - {"kustomization.yaml"}
    assert left == {"secrets.yaml.example", "pv.yaml", "servicemonitor.yaml", "podmonitor.yaml"}
    assert all(name in text for name in left)


def test_the_example_volume_fits_the_claim() -> None:
    """The volume has the claim's class and access, and room for it."""
    (volume,) = read((BASE / "pv.yaml").read_text())
    (claim,) = find(base(), "PersistentVolumeClaim")
    assert volume["spec"]["storageClassName"] == claim["spec"]["storageClassName"]
    assert volume["spec"]["accessModes"] == claim["spec"]["accessModes"] == ["ReadWriteMany"]
    asked = claim["spec"]["resources"]["requests"]["storage"]
    assert quantity(volume["spec"]["capacity"]["storage"]) >= quantity(asked)
    assert "hostPath" not in volume["spec"]


@pytest.mark.parametrize("component", ["api", "worker"])
def test_there_is_time_to_stop(component: str) -> None:
    """The grace is longer than the pause before SIGTERM and what the process may take then."""
    for _, pod in pods(base()):
        if pod["metadata"]["labels"]["app.kubernetes.io/component"] == component:
            grace = pod["spec"]["terminationGracePeriodSeconds"]
            hook = pod["spec"]["containers"][0].get("lifecycle", {}).get("preStop", {}).get("exec", {})
            pause = 5 if hook else 0
            assert not hook or "time.sleep(5)" in hook["command"][-1]
            assert grace >= pause + 30


def test_production_brings_no_secret_and_no_local_image() -> None:
    """The production overlay holds no Secret, and each image comes from a registry with a version or a digest."""
    found = rendered("production")
    if found is None:
        pytest.skip("there is no kubectl to render overlays with")
    assert find(found, "Secret") == []
    images = {container["image"] for _, pod in pods(found) for container in pod["spec"]["containers"]}
    assert images == {"registry.example.com/orgbridge:0.1.0"}
    (claim,) = find(found, "PersistentVolumeClaim")
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]


def _pod(objects: list[Manifest], name: str = "orgbridge") -> Manifest:
    return dict(find(objects, "Deployment", name)[0]["spec"]["template"]["spec"])


def _container(objects: list[Manifest], name: str = "orgbridge") -> Manifest:
    found: Manifest = _pod(objects, name)["containers"][0]
    return found


def _hpa(objects: list[Manifest]) -> Manifest:
    found: Manifest = find(objects, "HorizontalPodAutoscaler", "orgbridge-worker")[0]["spec"]
    return found


#: One slip each, and words of the fault that must be found.
_SLIPS: list[tuple[Callable[[list[Manifest]], object], str]] = [
    (lambda o: _hpa(o).update(minReplicas=11), "minimum above its maximum"),
    (lambda o: _hpa(o)["scaleTargetRef"].update(name="worker"), "which is not there"),
    (lambda o: _hpa(o)["metrics"].pop(1), "without a metrics adapter"),
    (lambda o: _hpa(o)["metrics"][0]["external"]["metric"].update(name="queue"), "no metric of ours"),
    (lambda o: find(o, "PodDisruptionBudget")[0]["spec"].update(minAvailable=2), "be drained"),
    (lambda o: find(o, "PodDisruptionBudget")[0]["spec"]["selector"]["matchLabels"].update(a="b"), "guards 0"),
    (lambda o: find(o, "Service")[0]["spec"]["selector"].update(a="b"), "selects 0 workloads"),
    (lambda o: find(o, "Service")[0]["spec"]["selector"].pop("app.kubernetes.io/component"), "selects 3 workloads"),
    (lambda o: find(o, "Service")[0]["spec"]["ports"][0].update(targetPort="web"), "sends to the port web"),
    (lambda o: find(o, "NetworkPolicy")[0]["spec"]["podSelector"]["matchLabels"].update(a="b"), "selects nothing"),
    (lambda o: find(o, "NetworkPolicy")[1]["spec"]["ingress"][0]["ports"][0].update(port=80), "nothing listens"),
    (lambda o: find(o, "ConfigMap")[0]["data"].update(ORGBRIDGE_PROT="1"), "ORGBRIDGE_PROT is no setting"),
    (lambda o: find(o, "Deployment")[0]["spec"]["selector"]["matchLabels"].update(a="b"), "not select its own pods"),
    (lambda o: o.remove(find(o, "ConfigMap")[0]), "ConfigMap orgbridge-config, which is not there"),
    (lambda o: o.remove(find(o, "PersistentVolumeClaim")[0]), "claims orgbridge-data"),
    (lambda o: o.remove(find(o, "ServiceAccount")[0]), "service account"),
    (lambda o: o.append(o[0]), "is there twice"),
    (lambda o: _container(o).update(image="orgbridge:latest"), "has no version"),
    (lambda o: _container(o).update(image="mirror:5000/orgbridge"), "has no version"),
    (lambda o: _container(o)["readinessProbe"]["httpGet"].update(path="/healthz"), "which nothing answers"),
    (lambda o: _container(o)["livenessProbe"]["httpGet"].update(port="web"), "which has no such name"),
    (lambda o: _container(o).pop("startupProbe"), "lacks a probe"),
    (lambda o: _container(o)["resources"].pop("limits"), "no limit of memory"),
    (lambda o: _container(o)["resources"]["requests"].update(memory="2Gi"), "more memory than its limit"),
    (lambda o: _container(o)["securityContext"].update(readOnlyRootFilesystem=False), "write to its image"),
    (lambda o: _container(o)["securityContext"].update(privileged=True), "may gain rights"),
    (lambda o: _container(o)["securityContext"].pop("capabilities"), "keeps capabilities"),
    (lambda o: _container(o)["volumeMounts"].append({"name": "logs"}), "mounts logs"),
    (lambda o: _container(o)["volumeMounts"].pop(), "mounted nowhere"),
    (lambda o: _pod(o)["securityContext"].pop("runAsNonRoot"), "may run as root"),
    (lambda o: _pod(o)["securityContext"].pop("seccompProfile"), "no seccomp profile"),
    (lambda o: _pod(o)["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"].update(a="b"), "is spread over"),
    (lambda o: _pod(o)["volumes"].append({"name": "host", "hostPath": {"path": "/"}}), "lies on the node"),
]


@pytest.mark.parametrize(("slip", "words"), _SLIPS, ids=[words for _, words in _SLIPS])
def test_each_slip_is_seen(slip: Callable[[list[Manifest]], object], words: str, world: World) -> None:
    """Manifests that are wrong in one place are refused with words that name it."""
    broken = copy.deepcopy(base())
    slip(broken)
    assert any(words in fault for fault in faults(broken, world))
