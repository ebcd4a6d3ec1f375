"""The emulator as a process: killed, restarted, cut off, stopped, and refused a port."""

from __future__ import annotations

import csv
import gzip
import http.client
import io
import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.emulator_server import CLIENT_ID, CLIENT_SECRET, EmulatorServer

V = "/services/data/v62.0"
CSV = {"Content_Type": "text/csv"}


def sign_in(server: EmulatorServer) -> dict[str, str]:
    """Return the headers of a session."""
    form = f"grant_type=client_credentials&client_id={CLIENT_ID}&client_secret={CLIENT_SECRET}".encode()
    status, body = server.request(
        "POST", "/services/oauth2/token", form, Content_Type="application/x-www-form-urlencoded"
    )
    assert status == 200, body
    return {"Authorization": f"Bearer {body['access_token']}"}


def open_job(server: EmulatorServer, headers: dict[str, str], data: bytes) -> str:
    """Create a job, upload the data, and return its id; the job stays open."""
    job = {"object": "Account", "operation": "insert"}
    job_id = str(server.request("POST", f"{V}/jobs/ingest", job, **headers)[1]["id"])
    status, body = server.request("PUT", f"{V}/jobs/ingest/{job_id}/batches", data, **{**headers, **CSV})
    assert status == 201, body
    return job_id


def wait_for(server: EmulatorServer, headers: dict[str, str], job_id: str, *, processed: int = 0) -> dict[str, Any]:
    """Return JobInfo once so many records are processed, or, with 0, once the job has ended."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        info = server.request("GET", f"{V}/jobs/ingest/{job_id}", **headers)[1]
        ended = info["state"] in ("JobComplete", "Failed", "Aborted")
        if ended or (processed and info["numberRecordsProcessed"] >= processed):
            return dict(info)
        time.sleep(0.02)
    raise AssertionError(f"job {job_id} got stuck: {info}")


@pytest.mark.system
def test_kills_in_the_middle_of_a_job_double_and_lose_nothing(tmp_path: Path) -> None:
    """Killed three times while it works, the job ends with every row in exactly one result, and in the org once."""
    rows = 3_000
    data = b"Name,External_Id__c\n" + b"".join(
        b"%s,k-%d\n" % (b"" if n % 50 == 0 else b"Firma %d" % n, n) for n in range(rows)
    )
    with EmulatorServer(tmp_path / "org.db", batch_rows=50, batch_delay_seconds=0.005) as server:
        headers = sign_in(server)
        job_id = open_job(server, headers, data)
        server.restart()
        assert server.request("GET", f"{V}/jobs/ingest/{job_id}", **headers)[1]["state"] == "Open"
        status, body = server.request("PATCH", f"{V}/jobs/ingest/{job_id}", {"state": "UploadComplete"}, **headers)
        assert (status, body["state"]) == (200, "UploadComplete")
        for share in (1, 2, 3):
            wait_for(server, headers, job_id, processed=rows * share // 5)
            server.restart()
        info = wait_for(server, headers, job_id)
        assert (info["state"], info["numberRecordsProcessed"], info["numberRecordsFailed"]) == ("JobComplete", rows, 60)
        seen: list[str] = []
        for name in ("successfulResults", "failedResults", "unprocessedrecords"):
            body = server.request("GET", f"{V}/jobs/ingest/{job_id}/{name}", **headers)[1]
            seen += [row["External_Id__c"] for row in csv.DictReader(io.StringIO(body.decode()))]
        assert sorted(seen) == sorted(f"k-{n}" for n in range(rows))
        count = server.request("GET", f"{V}/query?q=SELECT+COUNT()+FROM+Account", **headers)[1]
        assert count["totalSize"] == rows - 60
        assert server.stats()["upload_complete_commits"] == {job_id: 1}


@pytest.mark.system
def test_an_upload_that_breaks_off_leaves_an_open_job_without_data(tmp_path: Path) -> None:
    """Half a body counts for nothing: the job takes the whole one afterwards."""
    with EmulatorServer(tmp_path / "org.db") as server:
        headers = sign_in(server)
        job = server.request("POST", f"{V}/jobs/ingest", {"object": "Account", "operation": "insert"}, **headers)[1]
        path = f"{V}/jobs/ingest/{job['id']}/batches"
        broken = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        broken.putrequest("PUT", path)
        for name, value in {**headers, "Content-Type": "text/csv", "Content-Length": "1000"}.items():
            broken.putheader(name, value)
        broken.endheaders()
        broken.send(b"Name\nhalf")
        broken.close()
        status, _ = server.request("PUT", path, b"Name\nwhole\n", **{**headers, **CSV})
        assert status == 201
        server.request("PATCH", f"{V}/jobs/ingest/{job['id']}", {"state": "UploadComplete"}, **headers)
        assert wait_for(server, headers, job["id"])["numberRecordsProcessed"] == 1


@pytest.mark.system
def test_connections_are_cut_on_a_real_socket(tmp_path: Path) -> None:
    """A cut request gets no reply at all; cut after its effect, the row is there."""
    with EmulatorServer(tmp_path / "org.db") as server:
        headers = sign_in(server)
        for cut, expected in (("before", 0), ("after", 1)):
            server.fault(method="POST", path="/sobjects/Account", cut=cut)
            with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected)):
                server.request("POST", f"{V}/sobjects/Account", {"Name": cut}, **headers)
            count = server.request("GET", f"{V}/query?q=SELECT+COUNT()+FROM+Account", **headers)[1]
            assert count["totalSize"] == expected
        server.fault(path="/limits", delay_ms=200)
        started = time.monotonic()
        assert server.request("GET", f"{V}/limits", **headers)[0] == 200
        assert time.monotonic() - started >= 0.2


@pytest.mark.system
def test_every_form_of_a_reply_is_whole_on_a_real_socket(tmp_path: Path) -> None:
    """Replies come whole and by the rules of HTTP: kept alive, closed on demand, to HEAD, packed, and two in a row."""
    with EmulatorServer(tmp_path / "org.db") as server:
        token = sign_in(server)["Authorization"]

        def told(*requests: str) -> bytes:
            with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
                for request in requests:
                    line, _, more = request.partition("|")
                    head = f"{line} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {token}\r\n{more}\r\n"
                    connection.sendall(head.encode())
                return b"".join(iter(lambda: connection.recv(65_536), b""))

        list_of_versions, close = "/services/data", "Connection: close\r\n"
        head, _, body = told(f"GET {list_of_versions}|{close}").partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\ndate: ")
        assert b"\r\nconnection: close" in head
        assert f"\r\ncontent-length: {len(body)}\r\n".encode() in head
        assert json.loads(body)[-1]["version"]
        assert told(f"HEAD {list_of_versions}|{close}").endswith(b"\r\n\r\n"), "no body"
        packed = told(f"GET {list_of_versions}|Accept-Encoding: gzip\r\n{close}").partition(b"\r\n\r\n")[2]
        assert gzip.decompress(packed) == body
        both = told(f"GET {list_of_versions}|", f"GET {list_of_versions}|{close}")
        assert both.count(b"HTTP/1.1 200 OK\r\n") == 2
        assert both.count(body) == 2
        missing = told(f"DELETE {V}/sobjects/Account/001Ob000000zzzzAAA|{close}")
        assert missing.startswith(b"HTTP/1.1 404 Not Found\r\n")
        assert b"\r\nsforce-limit-info: api-usage=" in missing


@pytest.mark.system
def test_sigterm_is_a_clean_end_and_a_taken_port_one_clear_line(tmp_path: Path) -> None:
    """Stopped, the process exits 0; started on a taken port, it exits 2 with a line that names the port."""
    server = EmulatorServer(tmp_path / "org.db").start()
    second = EmulatorServer(tmp_path / "other.db", port=server.port)
    found = subprocess.run(second.command(), capture_output=True, timeout=30, check=False)
    assert found.returncode == 2
    lines = found.stderr.decode().splitlines()
    assert len(lines) == 1
    assert f"port {server.port}: Address already in use" in lines[0]
    assert server.stop() == 0


@pytest.mark.system
def test_a_wrong_certificate_is_one_clear_line(tmp_path: Path) -> None:
    """A file that is no certificate, and one that is not there, stop the start with exit 2."""
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("hello")
    for name in (wrong, tmp_path / "missing.pem"):
        command = [sys.executable, "-m", "orgbridge.wiring.emulator", "--port", "0", "--jwt-certificate", str(name)]
        found = subprocess.run(command, capture_output=True, timeout=30, check=False)
        assert (found.returncode, len(found.stderr.decode().splitlines())) == (2, 1)


@pytest.mark.system
def test_a_file_that_cannot_be_used_is_one_clear_line(tmp_path: Path) -> None:
    """A file of another kind, a folder, and a file that another emulator runs on stop the start with exit 2."""
    text = tmp_path / "notes.txt"
    text.write_text("This is no database at all.")
    with EmulatorServer(tmp_path / "org.db") as server:
        for path in (text, tmp_path, server.path):
            found = subprocess.run(EmulatorServer(path).command(), capture_output=True, timeout=30, check=False)
            assert (found.returncode, len(found.stderr.decode().splitlines())) == (2, 1), found.stderr
    assert text.read_text() == "This is no database at all."


@pytest.mark.system
def test_transfers_are_cut_in_the_middle_on_a_real_socket(tmp_path: Path) -> None:
    """Of a download some bytes come and not all; an upload that is cut leaves the job open for a whole one."""
    rows = b"Name\n" + b"".join(b"Firma %d\n" % n for n in range(2_000))
    with EmulatorServer(tmp_path / "org.db") as server:
        headers = sign_in(server)
        job = server.request("POST", f"{V}/jobs/ingest", {"object": "Account", "operation": "insert"}, **headers)[1]
        path = f"{V}/jobs/ingest/{job['id']}"
        server.fault(kind="cut_upload", after_bytes=3_000)
        with pytest.raises((ConnectionResetError, BrokenPipeError, http.client.RemoteDisconnected)):
            server.request("PUT", f"{path}/batches", rows, **{**headers, **CSV})
        assert server.request("PUT", f"{path}/batches", rows, **{**headers, **CSV})[0] == 201
        server.request("PATCH", path, {"state": "UploadComplete"}, **headers)
        assert wait_for(server, headers, job["id"])["numberRecordsProcessed"] == 2_000
        server.fault(kind="cut_download", path="successfulResults", after_bytes=10_000)
        with pytest.raises((http.client.IncompleteRead, ConnectionResetError)) as caught:
            server.request("GET", f"{path}/successfulResults", **headers)
        if isinstance(caught.value, http.client.IncompleteRead):
            assert 0 < len(caught.value.partial) <= 10_000
        assert len(server.request("GET", f"{path}/successfulResults", **headers)[1].splitlines()) == 2_001
