"""The manifests of kubernetes-overlays/emulated for real: rendered by kubectl, run by podman, to a proven load."""

from __future__ import annotations

import base64
import csv
import io
import json
import shlex
import time
from secrets import token_hex
from typing import Any

import pytest

from tests.support.containers.engine import EngineFailed, wait_until
from tests.support.containers.pods import Pods, pod_manifests, service_names
from tests.support.manifests import Manifest, find, rendered

pytestmark = [pytest.mark.system, pytest.mark.timeout(1200)]
_ROWS = 2_000
_WRONG_EVERY = 100
_STOP_SECONDS = 10.0
#: One request from inside a pod: address, token; the body comes by standard input. It prints the status, then the body.
_ASK = """
import sys, urllib.error, urllib.request as u
url, token, kind = sys.argv[1:]
head = {"Content-Type": kind} | ({"Authorization": "Bearer " + token} if token else {})
try:
    reply = u.urlopen(u.Request(url, sys.stdin.buffer.read() or None, head), timeout=60)
except u.HTTPError as error:
    reply = error
print(reply.status, reply.read().decode())
"""
_WRITE = "import sys; open(sys.argv[1], 'wb').write(sys.stdin.buffer.read())"


class Cluster:
    """The overlay's workloads as running pods, started in the order in which a cluster lets them come up.

    Args:
        pods: Podman with the images.
        objects: The overlay as kubectl renders it.
    """

    def __init__(self, pods: Pods, objects: list[Manifest]) -> None:
        self.pods = pods
        self.objects = objects
        self.password = token_hex(12)
        self._token = ""

    def workload(self, name: str) -> Manifest:
        """Return a workload of the overlay."""
        (found,) = [one for kind in ("Deployment", "StatefulSet", "Job") for one in find(self.objects, kind, name)]
        return found

    def names(self, workload: str) -> list[str]:
        """Return the names of a workload's pods."""
        return [pod["metadata"]["name"] for pod in pod_manifests(self.objects, self.workload(workload))]

    def start(self, workload: str) -> None:
        """Start a workload and wait until the kubelet would call every pod of it ready.

        Raises:
            EngineFailed: It does not start, or ended.
        """
        for pod in self.pods.play(self.objects, self.workload(workload)):
            wait_until(lambda pod=pod: self.ready(workload, pod), f"{pod} to be ready")  # type: ignore[misc]

    def ready(self, workload: str, pod: str) -> bool:
        """Ask what the readiness probe asks, from inside the pod; a pod without one is ready when it runs."""
        state = self.pods.inspect(pod)["State"]
        if not state["Running"]:
            log = self.pods.podman("logs", "--tail", "30", self.pods.container(pod))
            raise EngineFailed(f"{pod} ended with {state['ExitCode']}: {log.stdout}{log.stderr}")
        (container,) = self.workload(workload)["spec"]["template"]["spec"]["containers"]
        return all(self.probe(pod, container, container[kind]) for kind in ("readinessProbe",) if kind in container)

    def probe(self, pod: str, container: Manifest, probe: Manifest) -> bool:
        """Return whether a probe of a container comes out well."""
        if command := probe.get("exec", {}).get("command"):
            return self.run(pod, *command).returncode == 0
        asked = probe["httpGet"]
        (port,) = [one["containerPort"] for one in container["ports"] if one["name"] == asked["port"]]
        status, _ = self.ask(pod, f"http://127.0.0.1:{port}{asked['path']}")
        return 200 <= status < 400

    def run(self, pod: str, *command: str, given: str = "") -> Any:
        """Run a command in the container of a pod."""
        return self.pods.podman("exec", "--interactive", self.pods.container(pod), *command, given=given)

    def has_administrator(self) -> bool:
        """Make the user ada; False when podman's name server, which reads its names anew for each pod, was not there.

        Raises:
            EngineFailed: The command ended with another fault.
        """
        words = ("orgbridge", "users", "create", "ada", "--admin", "--password-stdin")
        done = self.run(self.names("orgbridge")[0], *words, given=self.password)
        if done.returncode != 0 and "in name resolution" not in done.stderr:
            raise EngineFailed(done.stderr)
        return bool(done.returncode == 0)

    def ask(
        self, pod: str, url: str, body: str = "", *, token: str = "", kind: str = "application/json"
    ) -> tuple[int, str]:
        """Send a request from inside a pod and return status and body; status 0 says that nobody answered."""
        done = self.run(pod, "python", "-c", _ASK, url, token, kind, given=body)
        if done.returncode != 0:
            return 0, done.stderr
        status, _, text = done.stdout.partition(" ")
        return int(status), text

    def orgbridge(self, pod: str, *words: str) -> str:
        """Run a command of ours in a pod, signed in through the Service, and return what it wrote.

        Raises:
            EngineFailed: It ended with a fault.
        """
        if not self._token:
            form = f"grant_type=password&username=ada&password={self.password}"
            url = "http://orgbridge:8000/token"
            status, text = self.ask(pod, url, form, kind="application/x-www-form-urlencoded")
            assert status == 200, text
            self._token = json.loads(text)["access_token"]
        told = ("env", "ORGBRIDGE_URL=http://orgbridge:8000", f"ORGBRIDGE_TOKEN={self._token}", "orgbridge", *words)
        done = self.run(pod, *told)
        if done.returncode != 0:
            raise EngineFailed(f"orgbridge {shlex.join(words)}: {done.stdout}{done.stderr}")
        return str(done.stdout)


@pytest.fixture(scope="module")
def cluster(pods: Pods) -> Cluster:
    """Database, tables, org, two services and two workers, each ready."""
    objects = rendered("emulated")
    assert objects is not None
    made = Cluster(pods, objects)
    pods.keep_secrets(objects)
    made.start("postgres")
    (migration,) = pods.play(objects, made.workload("orgbridge-migrate"))
    wait_until(lambda: not pods.inspect(migration)["State"]["Running"], "the tables to be made")
    assert pods.inspect(migration)["State"]["ExitCode"] == 0, pods.said("logs", pods.container(migration))
    for name in ("org", "orgbridge", "orgbridge-worker"):
        made.start(name)
    wait_until(lambda: made.has_administrator(), "the names of the pods to be known everywhere")
    return made


def test_every_probe_comes_out_well(cluster: Cluster) -> None:
    """Startup, liveness and readiness of every container answer as the kubelet asks them."""
    asked = 0
    for workload in ("postgres", "org", "orgbridge"):
        (container,) = cluster.workload(workload)["spec"]["template"]["spec"]["containers"]
        for pod in cluster.names(workload):
            for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
                assert cluster.probe(pod, container, container[kind]), (pod, kind)
                asked += 1
    assert asked == 12


def test_the_pods_are_as_restricted_as_the_manifests_say(cluster: Cluster) -> None:
    """Every container is nobody, without capabilities or new rights, within its memory, on a read-only root."""
    for workload in ("postgres", "org", "orgbridge", "orgbridge-worker"):
        for pod in cluster.names(workload):
            found = cluster.pods.inspect(pod)
            assert found["HostConfig"]["ReadonlyRootfs"], pod
            assert not found["EffectiveCaps"], pod
            assert "no-new-privileges" in found["HostConfig"]["SecurityOpt"], pod
            assert found["HostConfig"]["Memory"] > 0, pod
            assert cluster.run(pod, "id", "-u").stdout.strip() in ("70", "10001"), pod
            assert cluster.run(pod, "sh", "-c", "echo > /etc/intruder").returncode != 0, pod


def test_a_load_goes_through_the_pods(cluster: Cluster) -> None:
    """Rows given to one service are carried out by the workers, and the receipt from the other one balances."""
    first, second = cluster.names("orgbridge")
    text = io.StringIO(newline="")
    names = ["" if number % _WRONG_EVERY == 7 else f"Pod {number}" for number in range(_ROWS)]
    csv.writer(text).writerows([["External_Id__c", "Name"], *([f"P-{n:05d}", name] for n, name in enumerate(names))])
    put = cluster.run(first, "python", "-c", _WRITE, "/app/data/input/rows.csv", given=text.getvalue())
    assert put.returncode == 0, put.stderr
    taken = json.loads(
        cluster.orgbridge(first, "load", "rows.csv", "--on-server", "--object", "Account", "--no-wait", "--json")
    )

    def told(what: str) -> dict[str, Any]:
        url = f"http://127.0.0.1:8000/api/v1/bulk/job/{taken['job_id']}/{what}"
        status, reply = cluster.ask(second, url, token=cluster._token)
        assert status == 200, reply
        return dict(json.loads(reply))

    wait_until(lambda: told("status")["state"] in ("JobComplete", "Failed", "Aborted"), "the load to end", seconds=240)
    receipt = told("receipt")
    wrong = names.count("")
    assert receipt["balanced"]
    assert (receipt["rows"]["read"], receipt["rows"]["sent"]) == (_ROWS, _ROWS)
    assert (receipt["rows"]["succeeded"], receipt["rows"]["failed"]) == (_ROWS - wrong, wrong)


def test_the_org_keeps_its_controls_to_its_own_pod(cluster: Cluster) -> None:
    """Another pod reaches the org by its Service's name, and is refused what is under /_emulator."""
    (worker, *_) = cluster.names("orgbridge-worker")
    assert cluster.ask(worker, "http://org:8080/services/data")[0] == 200
    assert cluster.ask(worker, "http://org:8080/_emulator/health")[0] == 404


def test_settings_come_from_config_map_and_secret(cluster: Cluster) -> None:
    """What a service runs with is what both objects hold: nothing is lost between kubectl and the process."""
    (pod, *_) = cluster.names("orgbridge")
    own = dict(line.split("=", 1) for line in cluster.run(pod, "env").stdout.splitlines() if "=" in line)
    (container,) = cluster.workload("orgbridge")["spec"]["template"]["spec"]["containers"]
    held: dict[str, str] = {}
    for source in container["envFrom"]:
        for key, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            if key in source:
                (one,) = find(cluster.objects, kind, source[key]["name"])
                secret = kind == "Secret"
                held |= {k: base64.b64decode(v).decode() if secret else v for k, v in one["data"].items()}
    assert held.items() <= own.items()
    assert "PSQL_CONNECTION_STRING" in held


def test_every_service_of_the_overlay_leads_to_pods(cluster: Cluster) -> None:
    """Each Service is a name that leads to as many pods as it selects."""
    (worker, *_) = cluster.names("orgbridge-worker")
    code = "import socket, sys; print(len({a[4][0] for a in socket.getaddrinfo(sys.argv[1], 0, socket.AF_INET)}))"
    for service in find(cluster.objects, "Service"):
        name = service["metadata"]["name"]
        selected = [
            pod
            for kind in ("Deployment", "StatefulSet")
            for one in find(cluster.objects, kind)
            if name in service_names(cluster.objects, one)
            for pod in pod_manifests(cluster.objects, one)
        ]
        assert cluster.run(worker, "python", "-c", code, name).stdout.strip() == str(len(selected)), name


@pytest.mark.parametrize("workload", ["orgbridge-worker", "orgbridge", "org"])
def test_pods_end_within_their_grace(cluster: Cluster, workload: str) -> None:
    """SIGTERM ends each of our processes long before the grace of its manifest is over."""
    (pod, *_) = cluster.names(workload)
    grace = cluster.workload(workload)["spec"]["template"]["spec"].get("terminationGracePeriodSeconds", 30)
    began = time.monotonic()
    cluster.pods.said("stop", "--time", str(grace), cluster.pods.container(pod))
    assert time.monotonic() - began < _STOP_SECONDS
    assert cluster.pods.inspect(pod)["State"]["ExitCode"] == 0
