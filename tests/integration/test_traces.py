"""One trace through everything: the caller, the service, the worker, Salesforce, a webhook's receiver."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.support.local_house import start_house, stop_house
from tests.support.otlp_sink import otlp_sink

_TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
_TRACEPARENT = f"00-{_TRACE}-00f067aa0ba902b7-01"
_VALUE = "Hidden Treasure Ltd"


def _until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_load_is_one_trace_from_the_request_to_salesforce(tmp_path: Path) -> None:
    """Request, statements, steps of the worker and calls to Salesforce are one tree, with no value or secret in it."""
    with otlp_sink() as sink:
        house = start_house(tmp_path, {"ORGBRIDGE_TRACES_ENDPOINT": sink.url})
        try:
            with house.client() as client:
                client.headers["traceparent"] = _TRACEPARENT
                client.headers["baggage"] = "card=4111111111111111"
                rows = f"Name,External_Id__c\n{_VALUE},key-4711\n".encode()
                query = {"object_name": "Account", "operation_type": "insert"}
                made = client.post("/bulk/dml-file-upload", params=query, files={"file": ("a.csv", rows)})
                assert made.status_code == 202, made.text
                found = client.get("/query", params={"soql": f"SELECT Id FROM Account WHERE Name = '{_VALUE}'"})
                client.get("/records/Account/External_Id__c/key-4711")
            job = made.json()["job_id"]
            assert house.wait(job)["state"] == "JobComplete"
            _until(lambda: any(span.name == "step tidy" for span in sink.spans))
        finally:
            assert stop_house(house) == 0
        ours = {span.span_id: span for span in sink.spans if span.trace_id == _TRACE}
        upload = next(span for span in ours.values() if span.name == "POST /api/v1/bulk/dml-file-upload")
        assert upload.parent_id == "00f067aa0ba902b7"
        assert upload.attributes["http.route"] == "/api/v1/bulk/dml-file-upload"
        steps = {span.name for span in ours.values() if span.parent_id == upload.span_id}
        assert {f"step {name}" for name in ("prepare", "split", "create", "upload", "commit", "wait", "match")} <= steps
        create = next(span for span in ours.values() if span.name == "step create")
        assert create.attributes["orgbridge.load_id"] == job
        assert create.attributes["orgbridge.part"] == "0"
        calls = [span for span in ours.values() if span.parent_id == create.span_id]
        assert any(span.attributes.get("http.url", "").endswith("/jobs/ingest") for span in calls)
        assert any("INSERT INTO jobs" in span.attributes.get("db.statement", "") for span in calls)
        # Whoever looks around for work makes no traces.
        assert all(span.name.startswith(("GET /", "POST /")) for span in sink.spans if not span.parent_id)
        assert found.status_code in (200, 400, 404, 422)
        everything = b"".join(sink.bodies)
        for secret in (_VALUE, "Hidden", "key-4711", house.token, "localpass", "local-secret", "4111111111111111"):
            assert secret.encode() not in everything


def test_nothing_of_opentelemetry_is_loaded_without_a_collector() -> None:
    """Neither a command nor a service without a collector pays for traces; a command pays for no figures either."""
    looked = """
import sys
from orgbridge.cli.main import app
assert not any(name.startswith(("opentelemetry", "prometheus_client")) for name in sys.modules)
from orgbridge.wiring import local, service, worker
kept = [name for name in sys.modules if name.startswith(("opentelemetry.sdk", "opentelemetry.instrumentation"))]
assert not kept, kept
assert not [name for name in sys.modules if name.startswith("opentelemetry.exporter")]
"""
    environment = {"PATH": os.defpath, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", looked], env=environment, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
