"""docker-compose.yml for real: images built, PostgreSQL, two workers of which one is killed, an emulated org."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest

from orgbridge.cli.demo.processes import free_port
from tests.support.containers.engine import Engine, EngineFailed, wait_until
from tests.support.containers.images import Images

pytestmark = [pytest.mark.system, pytest.mark.timeout(1200)]
_ROWS = 20_000
_PART_ROWS = 1_000
_WRONG_EVERY = 100
_STOP_SECONDS = 4.0
#: One request to the service from inside its container: method, path, token; the body comes by standard input.
_ASK = """
import sys, urllib.error, urllib.request as u
method, path, token, kind = sys.argv[1:]
head = {"Content-Type": kind} | ({"Authorization": "Bearer " + token} if token else {})
asked = u.Request("http://127.0.0.1:8000" + path, sys.stdin.buffer.read() or None, head, method=method)
try:
    print(u.urlopen(asked, timeout=60).read().decode())
except u.HTTPError as error:
    sys.exit(f"{error.code} {error.read().decode()}")
"""
_WRITE = "import sys; open(sys.argv[1], 'wb').write(sys.stdin.buffer.read())"


class Deployment:
    """A running project of compose.

    Args:
        engine: Where it runs.
        folder: Holds the file of settings, in the place of `.env`.
        image: The image of the service.
        postgres: The image of the database.
    """

    def __init__(self, engine: Engine, folder: Path, image: str, postgres: str) -> None:
        self.engine = engine
        self.name = f"orgbridge-test-{token_hex(4)}"
        self.image = image
        self.port = free_port()
        self.password = token_hex(12)
        self._file = folder / "settings.env"
        settings = {
            "DEPLOY_IMAGE": image,
            "DEPLOY_ENV_FILE": str(self._file),
            "DEPLOY_PORT": str(self.port),
            "POSTGRES_IMAGE": postgres,
            "POSTGRES_PASSWORD": token_hex(8),
            "ORGBRIDGE_ADMIN_USERNAME": "ada",
            "ORGBRIDGE_ADMIN_PASSWORD": self.password,
            "ORGBRIDGE_PART_ROWS": str(_PART_ROWS),
            "ORGBRIDGE_PARTS_IN_PARALLEL": "2",
            # Ten rounds of two parts at least: the kill comes in their midst however slow this machine's engine is.
            "ORGBRIDGE_POLL_SECONDS": "2",
            "ORGBRIDGE_LEASE_SECONDS": "5",
        }
        self._file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))

    def compose(self, *words: str, timeout: float = 180.0, given: str | None = None) -> str:
        """Run `docker compose` on the project and return what it wrote.

        Raises:
            EngineFailed: It ended with a fault.
        """
        done = self.engine.docker(
            "compose", "--project-name", self.name, "--env-file", str(self._file), *words, timeout=timeout, given=given
        )
        if done.returncode != 0:
            raise EngineFailed(f"compose {' '.join(words)}: {done.stdout[-1000:]}{done.stderr[-4000:]}")
        return done.stdout.strip()

    def containers(self, service: str) -> list[str]:
        """Return the ids of a service's containers."""
        return self.compose("ps", "--quiet", service).splitlines()

    def ask(self, method: str, path: str, body: str = "", *, kind: str = "application/json") -> Any:
        """Send a request to the service as the administrator and return the reply's JSON."""
        token = "" if path.endswith("/token") else self.token
        return json.loads(self.read(method, path, body, token=token, kind=kind))

    def read(self, method: str, path: str, body: str = "", *, token: str = "", kind: str = "text/plain") -> str:
        """Send a request to the service and return the reply's text."""
        return self.compose("exec", "-T", "api", "python", "-c", _ASK, method, path, token, kind, given=body)

    @cached_property
    def token(self) -> str:
        """An access token of the administrator that the settings name."""
        form = f"grant_type=password&username=ada&password={self.password}"
        reply = self.ask("POST", "/token", form, kind="application/x-www-form-urlencoded")
        return str(reply["access_token"])

    def orgbridge(self, *words: str) -> str:
        """Run a command of ours in the service's container, signed in, and return what it wrote."""
        signed_in = ("--env", "ORGBRIDGE_URL=http://127.0.0.1:8000", "--env", f"ORGBRIDGE_TOKEN={self.token}")
        return self.compose("exec", "-T", *signed_in, "api", "orgbridge", *words)


@pytest.fixture(scope="module")
def deployment(engine: Engine, images: Images, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """The whole of docker-compose.yml, up and healthy."""
    made = Deployment(engine, tmp_path_factory.mktemp("deployment"), images.service, images.postgres)
    try:
        made.compose("up", "--detach", "--no-build")
        health = ("inspect", "--format", "{{.State.Health.Status}}", *made.containers("api"))
        wait_until(lambda: engine.docker(*health).stdout.strip() == "healthy", "the service to be healthy")
        yield made
    finally:
        made.compose("down", "--volumes", "--timeout", "5")


def rows() -> Iterator[list[str]]:
    """Yield the rows of the load; every hundredth has no name, which the org refuses."""
    for number in range(_ROWS):
        yield [f"D-{number:06d}", "" if number % _WRONG_EVERY == 7 else f"Deployed {number}"]


def test_everything_is_up_and_reached_from_this_machine_only(deployment: Deployment) -> None:
    """Service, two workers, org and database run; the one published port is bound to loopback."""
    assert len(deployment.containers("worker")) == 2
    assert deployment.compose("port", "api", "8000") == f"127.0.0.1:{deployment.port}"
    # The service answers before the last worker has begun its first beat.
    wait_until(lambda: deployment.ask("GET", "/health/ready")["status"] == "ok", "every part to be ready")
    ready = deployment.ask("GET", "/health/ready")
    assert {check["status"] for check in ready["checks"].values()} == {"ok"}
    (postgres,) = deployment.containers("postgres")
    ports = deployment.engine.said("inspect", "--format", "{{json .NetworkSettings.Ports}}", postgres)
    assert "HostPort" not in ports


def test_people_find_the_console(deployment: Deployment) -> None:
    """The image has the pages, and the files that they load."""
    page = deployment.read("GET", "/console/sign-in")
    assert 'name="password"' in page
    for url in re.findall(r'(?:href|src)="(/console/static/[^"]+)"', page):
        assert deployment.read("GET", url)


def test_the_root_is_read_only_and_nobody_is_root(deployment: Deployment) -> None:
    """The service runs as an unprivileged user that can write to its data and to nothing of the image."""
    for path in ("/app/intruder", "/opt/orgbridge/intruder"):
        with pytest.raises(EngineFailed, match="Read-only file system"):
            deployment.compose("exec", "-T", "api", "python", "-c", _WRITE, path, given="")
    assert int(deployment.compose("exec", "-T", "api", "python", "-c", "import os; print(os.getuid())")) >= 10_000


def test_a_load_outlives_the_container_of_a_worker(deployment: Deployment) -> None:
    """Of 20,000 rows every one is accounted for once, in its order, though a worker was killed half way."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows([["External_Id__c", "Name"], *rows()])
    write = ("exec", "-T", "api", "python", "-c", _WRITE, "/app/data/input/rows.csv")
    deployment.compose(*write, given=text.getvalue())
    doomed = deployment.containers("worker")[0]
    taken = deployment.orgbridge("load", "rows.csv", "--on-server", "--object", "Account", "--no-wait", "--json")
    job = json.loads(taken)["job_id"]

    def status() -> dict[str, Any]:
        return dict(deployment.ask("GET", f"/api/v1/bulk/job/{job}/status"))

    wait_until(lambda: status()["progress"]["parts_by_state"].get("matched", 0) >= 2, "two parts to be done")
    deployment.engine.said("kill", "--signal", "KILL", doomed)
    assert (
        deployment.engine.said("inspect", "--format", "{{.State.Running}} {{.State.ExitCode}}", doomed) == "false 137"
    )
    assert status()["progress"]["parts_by_state"]["matched"] < _ROWS // _PART_ROWS
    wait_until(lambda: status()["state"] in ("JobComplete", "Failed", "Aborted"), "the load to end", seconds=240)
    receipt = deployment.ask("GET", f"/api/v1/bulk/job/{job}/receipt")
    wrong = sum(not name for _, name in rows())
    assert receipt["balanced"]
    assert (receipt["rows"]["read"], receipt["rows"]["sent"]) == (_ROWS, _ROWS)
    assert (receipt["rows"]["succeeded"], receipt["rows"]["failed"]) == (_ROWS - wrong, wrong)
    results = list(csv.reader(io.StringIO(deployment.orgbridge("jobs", "results", job), newline="")))
    assert [row[-2:] for row in results[1:]] == list(rows())
    held = list(csv.reader(io.StringIO(deployment.orgbridge("query", "SELECT External_Id__c FROM Account"))))
    # Every row once: nothing that the killed worker had sent was sent again.
    assert sorted(row[0] for row in held[1:]) == [number for number, name in rows() if name]


def test_parquet_comes_out_of_the_slimmed_image(deployment: Deployment) -> None:
    """An export to Parquet, typed by describe, is written and read in the container: nothing needed was cut off."""
    target = "/app/data/output/accounts.parquet"
    deployment.orgbridge("export", "SELECT Id, Name, NumberOfEmployees FROM Account", "--output", target)
    read = f"import pyarrow.parquet as p; t = p.read_table({target!r}); print(t.num_rows, t.schema.field(2).type)"
    wrong = sum(not name for _, name in rows())
    assert deployment.compose("exec", "-T", "api", "python", "-c", read) == f"{_ROWS - wrong} int64"


def test_a_scrape_signs_in_by_a_service_account(deployment: Deployment) -> None:
    """What the ServiceMonitor is set to do works: client credentials at the token endpoint open /metrics."""
    made = json.loads(deployment.orgbridge("service-accounts", "create", "prometheus", "--scope", "admin", "--json"))
    form = f"grant_type=client_credentials&client_id={made['client_id']}&client_secret={made['client_secret']}"
    token = deployment.ask("POST", "/token", form, kind="application/x-www-form-urlencoded")
    code = (
        "import sys, urllib.request as u; print(u.urlopen(u.Request('http://127.0.0.1:8000/metrics',"
        " headers={'Authorization': 'Bearer ' + sys.argv[1], 'Accept': 'text/plain'}), timeout=30).read().decode())"
    )
    text = deployment.compose("exec", "-T", "api", "python", "-c", code, token["access_token"])
    assert "\norgbridge_parts_waiting 0.0\n" in text


@pytest.mark.parametrize("service", ["worker", "api", "org"])
def test_processes_stop_when_told(deployment: Deployment, service: str) -> None:
    """As the first process of its container each command ends on SIGTERM, long before it would be killed."""
    running = deployment.containers(service)
    assert running
    assert deployment.engine.seconds_to_stop(running[-1]) < _STOP_SECONDS


def test_a_process_that_is_still_starting_stops_when_told(deployment: Deployment) -> None:
    """SIGTERM between the first word of the log and the first request is not lost."""
    name = f"{deployment.name}-starting"
    settings = ("--env", "SALESFORCE_CLIENT_ID=c", "--env", "SALESFORCE_CLIENT_SECRET=s", "--tmpfs", "/tmp")
    deployment.engine.said("run", "--detach", "--name", name, *settings, deployment.image)
    try:
        wait_until(lambda: bool(deployment.engine.docker("logs", name).stderr), "the first word")
        assert deployment.engine.seconds_to_stop(name, codes=("0", "143")) < _STOP_SECONDS
    finally:
        deployment.engine.docker("rm", "--force", "--volumes", name)
