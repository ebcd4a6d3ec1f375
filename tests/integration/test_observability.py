"""What a running service, its processes and its workers tell: log lines, and figures that a real Prometheus scrapes."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from orgbridge.wiring.settings import load_settings
from tests.support.databases import migrate
from tests.support.forks import Fork
from tests.support.local_house import LocalHouse, lone_service, start_house, stop_house
from tests.support.metrics_reference import of_services
from tests.support.parts import PROMETHEUS

_VALUE = "Hidden Treasure Ltd"
_TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
_ENTRY = """
import sys
from orgbridge.wiring.settings import load_settings
settings = load_settings()
if sys.argv[1] == "serve":
    from orgbridge.wiring.service import serve
    serve(settings, port=int(sys.argv[2]), workers=int(sys.argv[3]))
else:
    from orgbridge.wiring.worker import work
    work(settings)
"""


def _until(condition: Callable[[], Any], seconds: float = 30.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)
    return found


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LocalHouse, Path]]:
    """Give a house that logs into a file."""
    folder = tmp_path_factory.mktemp("logged")
    house = start_house(folder, {"LOG_FILENAME": str(folder / "service.log"), "LOG_LEVEL": "DEBUG"})
    yield house, folder / "service.log"
    stop_house(house)


def _samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def _metrics(url: str, token: str, accept: str = "text/plain") -> httpx2.Response:
    return httpx2.get(f"{url}/metrics", headers={"Authorization": f"Bearer {token}", "Accept": accept}, timeout=30)


def _line(log: Path, request_id: str) -> dict[str, Any]:
    def found() -> dict[str, Any] | None:
        for line in log.read_text().splitlines():
            told: dict[str, Any] = json.loads(line)
            if told.get("event") == "request" and told.get("request_id") == request_id:
                return told
        return None

    line: dict[str, Any] = _until(found)
    return line


def test_a_request_is_one_line_that_says_who_what_and_how_long(logged: tuple[LocalHouse, Path]) -> None:
    """The access log has the caller's ids, the route's template, and what the request cost at Salesforce."""
    house, log = logged
    with house.client() as client:
        told = {"X-Request-ID": "mine-1", "traceparent": _TRACEPARENT}
        made = client.post("/records/create", json={"object_name": "Account", "data": {"Name": _VALUE}}, headers=told)
        assert made.headers["X-Request-ID"] == "mine-1"
        record = made.json().get("id") or made.json()["record_id"]
        client.get(f"/records/Account/{record}", headers={"X-Request-ID": "mine-2"})
        fresh = client.get("/nowhere/secret-path", headers={"X-Request-ID": "no\ttabs"}).headers["X-Request-ID"]
    line = _line(log, "mine-1")
    assert line["method"] == "POST"
    assert line["route"] == "/api/v1/records/create"
    assert line["status"] == 201
    assert line["user"].startswith("user_")
    assert line["trace_id"] == _TRACEPARENT[3:35]
    assert line["salesforce_calls"] >= 1
    assert 0 < line["salesforce_milliseconds"] <= line["milliseconds"]
    second = _line(log, "mine-2")
    assert second["route"] == "/api/v1/records/{object_name}/{record_id}"
    assert second["salesforce_calls"] == 1
    assert "trace_id" not in second
    assert _line(log, fresh)["route"] == "(none)"
    assert "secret-path" not in log.read_text()


def test_no_value_and_no_secret_is_in_the_log(logged: tuple[LocalHouse, Path]) -> None:
    """At DEBUG, after a create, a query, a load and a refused sign-in, the log has none of what was sent."""
    house, log = logged
    with house.client() as client:
        client.post("/records/create", json={"object_name": "Account", "data": {"Name": _VALUE}})
        client.post("/query", json={"soql": f"SELECT Id FROM Account WHERE Name = '{_VALUE}'"})
        client.get("/records/Account/External_Id__c/key-4711")
        query = {"object_name": "Account", "operation_type": "insert"}
        rows = f"Name,External_Id__c\n{_VALUE},key-4711\n".encode()
        job = client.post("/bulk/dml-file-upload", params=query, files={"file": ("a.csv", rows)}).json()["job_id"]
    house.wait(job)
    httpx2.post(f"{house.url}/token", data={"username": "someone", "password": "hunter2-hunter2"})
    text = _until(lambda: (told := log.read_text()) and '"status": 401' in told and told)
    for secret in (_VALUE, "Hidden", "key-4711", house.token, "localpass", "local-secret", "hunter2"):
        assert secret not in text
    assert not re.search(r"eyJ[\w-]{10,}\.", text)


def test_figures_are_what_happened(logged: tuple[LocalHouse, Path]) -> None:
    """Requests by route, calls by kind, sign-ins, the budget, stages of parts, loads and rows: all in one scrape."""
    house, _ = logged
    with house.client() as client:
        query = {"object_name": "Account", "operation_type": "insert"}
        made = client.post("/bulk/dml-file-upload", params=query, files={"file": ("a.csv", b"Name\nx\ny\n")})
    house.wait(made.json()["job_id"])
    reply = _metrics(house.url, house.token)
    assert reply.headers["content-type"].startswith("text/plain; version=")
    told = _samples(reply.text)

    def of(name: str, **labels: str) -> float:
        return told[(name, frozenset(labels.items()))]

    route = {"method": "POST", "route": "/api/v1/bulk/dml-file-upload", "status": "202"}
    assert of("orgbridge_http_request_duration_seconds_count", **route) >= 1
    assert of("orgbridge_salesforce_call_duration_seconds_count", kind="jobs/ingest", outcome="ok") >= 5
    assert of("orgbridge_salesforce_token_refreshes_total", outcome="ok") >= 1
    assert of("orgbridge_salesforce_token_refreshes_total", outcome="refused") == 0
    assert of("orgbridge_salesforce_api_used_requests") > 0
    assert of("orgbridge_salesforce_api_reserve_requests") < of("orgbridge_salesforce_api_limit_requests")
    assert of("orgbridge_part_stage_duration_seconds_count", stage="match", outcome="done") >= 1
    assert of("orgbridge_loads", state="JobComplete") >= 1
    assert of("orgbridge_load_rows", outcome="succeeded") >= 2
    assert of("orgbridge_webhook_deliveries", state="dead") == 0
    assert of("process_resident_memory_bytes") > 10_000_000
    names = {name for name, _ in told}
    absent = {"orgbridge_workers", "orgbridge_workers_lost", "orgbridge_lease_oldest_age_seconds"}  # PostgreSQL's
    absent |= {"orgbridge_carts", "orgbridge_purchase_orders"}  # there are none
    assert {metric.name for metric in of_services()} - names == absent
    figures = _metrics(house.url, house.token, "application/json").json()
    assert set(figures) == {"system", "application"}
    assert figures["application"]["rows"]["succeeded"] == of("orgbridge_load_rows", outcome="succeeded")
    assert figures["system"]["memory_total_bytes"] > 0


async def test_figures_are_for_administrators(tmp_path: Path) -> None:
    """Nobody else sees what the service does."""
    async with lone_service(tmp_path) as service:
        assert (await service.client.get("/metrics")).status_code == 401
        token = await service.token("records:read")
        reply = await service.client.get("/metrics", headers={"Authorization": f"Bearer {token}"})
        assert reply.status_code == 403


@pytest.mark.skipif(not PROMETHEUS.present(), reason=PROMETHEUS.remedy)
def test_what_is_told_keeps_the_conventions(logged: tuple[LocalHouse, Path]) -> None:
    """promtool finds nothing to say against names, types and texts."""
    house, _ = logged
    text = _metrics(house.url, house.token).text
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.skipif(not PROMETHEUS.present(), reason=PROMETHEUS.remedy)
def test_a_real_prometheus_scrapes_and_evaluates_the_rules(logged: tuple[LocalHouse, Path], tmp_path: Path) -> None:
    """Prometheus itself signs in as a service account, takes every figure, and works out the recording rules."""
    house, _ = logged
    rules = Path(__file__).parents[2] / "deploy" / "prometheus" / "rules.yml"
    with house.client() as client:
        account = client.post("/service-accounts", json={"name": "prometheus", "scopes": ["admin"]}).json()
    (tmp_path / "rules.yml").write_text(rules.read_text().replace("interval: 30s", "interval: 1s"))
    target = house.url.removeprefix("http://")
    (tmp_path / "prometheus.yml").write_text(
        f"""
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [rules.yml]
scrape_configs:
  - job_name: orgbridge
    static_configs: [{{targets: ["{target}"]}}]
    oauth2:
      client_id: "{account["client_id"]}"
      client_secret: "{account["client_secret"]}"
      token_url: "{house.url}/token"
"""
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (tmp_path / "out").open("wb") as out:
        server = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={tmp_path / 'prometheus.yml'}",
                f"--storage.tsdb.path={tmp_path / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=out,
            stderr=subprocess.STDOUT,
        )

    def asked(query: str) -> list[Any]:
        try:
            reply = httpx2.get(f"http://127.0.0.1:{port}/api/v1/query", params={"query": query}, timeout=5)
        except httpx2.TransportError:
            assert server.poll() is None, (tmp_path / "out").read_text()[-2000:]
            return []
        found: list[Any] = reply.json()["data"]["result"] if reply.status_code == 200 else []
        return found

    try:
        assert _until(lambda: asked('up{job="orgbridge"} == 1'))
        assert _until(lambda: asked("orgbridge:http_errors:ratio5m"))
        assert _until(lambda: asked("orgbridge:http_requests:rate5m > 0"))
        assert asked("orgbridge_store_up")[0]["value"][1] == "1"
        assert asked('ALERTS{alertstate="firing"}') == []
    finally:
        server.terminate()
        server.wait(timeout=20)


@contextmanager
def _process(folder: Path, *words: str, **settings: str) -> Iterator[Fork]:
    environment = {
        "PATH": os.defpath,
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "ORGBRIDGE_DATA": str(folder / "data"),
        "SALESFORCE_CLIENT_ID": "x",
        "SALESFORCE_CLIENT_SECRET": "a-client-s3cret",
        "SALESFORCE_USERNAME": "x",
        "SALESFORCE_PASSWORD": "a-p4ssword",
        "SALESFORCE_TOKEN_URL": "http://127.0.0.1:9/services/oauth2/token",
        "LOG_FILENAME": str(folder / "processes.log"),
        "ORGBRIDGE_ADMIN_USERNAME": "root",
        "ORGBRIDGE_ADMIN_PASSWORD": "correct horse battery",
        **settings,
    }
    process = Fork(["-c", _ENTRY, *words], environment=environment, folder=folder, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def _port_of(log: Path, event: str) -> int:
    def found() -> int | None:
        lines = log.read_text().splitlines() if log.exists() else []
        return next((int(told["port"]) for line in lines if (told := json.loads(line))["event"] == event), None)

    port: int = _until(found)
    return port


def test_several_processes_tell_one_sum_and_share_one_log(tmp_path: Path) -> None:
    """With two processes every scrape tells all requests, whoever answers, and the log has each request once."""
    with _process(tmp_path, "serve", "0", "2"):
        url = f"http://127.0.0.1:{_port_of(tmp_path / 'processes.log', 'service_listens')}"

        def signed_in() -> str | None:
            try:
                form = {"username": "root", "password": "correct horse battery"}
                return str(httpx2.post(f"{url}/token", data=form, timeout=10).json()["access_token"])
            except (httpx2.TransportError, KeyError):
                return None

        token: str = _until(signed_in)
        seen = [httpx2.get(f"{url}/health/live").headers["X-Request-ID"] for _ in range(20)]
        series = frozenset({"method": "GET", "route": "/health/live", "status": "200"}.items())
        for _ in range(4):
            told = _samples(_metrics(url, token).text)
            assert told[("orgbridge_http_request_duration_seconds_count", series)] == 20
            assert told[("orgbridge_processes", frozenset())] == 2
            assert told[("orgbridge_http_requests_in_flight", frozenset())] == 1
    lines = [json.loads(line) for line in (tmp_path / "processes.log").read_text().splitlines()]
    logged = [line["request_id"] for line in lines if line.get("route") == "/health/live"]
    assert sorted(logged) == sorted(seen)


def test_a_worker_shows_its_own_figures(tmp_path: Path) -> None:
    """At ORGBRIDGE_WORKER_METRICS_PORT a worker answers Prometheus and probes without a sign-in, not of the store."""
    migrate(load_settings(env_file=None, needs_salesforce=False, orgbridge_data=tmp_path / "data").database_url)
    with _process(tmp_path, "work", ORGBRIDGE_WORKER_METRICS_PORT="0"):
        port = _port_of(tmp_path / "processes.log", "worker_figures_shown")
        root = f"http://127.0.0.1:{port}"
        told = _samples(httpx2.get(f"{root}/metrics", timeout=10).text)
        assert httpx2.get(f"{root}/health/live", timeout=10).status_code == 200
        assert _until(lambda: httpx2.get(f"{root}/health/ready", timeout=10).status_code == 200)
        assert '"event": "worker_ready"' in (tmp_path / "processes.log").read_text()
    assert told[("orgbridge_salesforce_token_refreshes_total", frozenset({("outcome", "ok")}))] == 0
    assert told[("orgbridge_processes", frozenset())] == 1
    assert ("orgbridge_store_up", frozenset()) not in told
