"""`orgbridge api`: what is picked out of replies, and what of a command line is refused before anybody is asked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from orgbridge.cli.commands.api import _rows, api
from orgbridge.cli.errors import UsageError

_REPLY = {"lines": [{"sku": "A", "price": {"now": "1.50"}}, {"sku": "B", "price": None}], "count": 2, "names": {"ä": 1}}


@pytest.mark.parametrize(
    ("select", "lines"),
    [
        ("count", ["2"]),
        ("lines.0.sku", ["A"]),
        ("lines.*.sku", ["A", "B"]),
        ("lines.*.sku,price.now", ["A\t1.50", "B\tnull"]),
        ("count,lines.0.sku", ["2\tA"]),
        ("names", ['{"ä":1}']),
    ],
)
def test_what_is_selected_is_written(select: str, lines: list[str]) -> None:
    """A path leads to one value, a star to one line of each; behind a comma a path begins where the star was."""
    assert _rows(_REPLY, select) == lines


@pytest.mark.parametrize(
    ("select", "told"),
    [("cuont", "'cuont'.*lines, count"), ("lines.sku", "list of 2"), ("lines.7", "list of 2"), ("count.x", "below 2")],
)
def test_what_is_not_there_is_told(select: str, told: str) -> None:
    """A path that leads nowhere ends with what there is instead, and writes nothing."""
    with pytest.raises(UsageError, match=told):
        _rows(_REPLY, select)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"method": "FETCH", "path": "/x"}, "no method"),
        ({"method": "GET", "path": "x"}, "slash"),
        ({"method": "GET", "path": "/x", "field": ["a=1"]}, "no body"),
        ({"method": "POST", "path": "/x", "field": ["a"]}, "Key=Value"),
        ({"method": "POST", "path": "/x", "header": ["a"]}, "Name: value"),
    ],
)
def test_bad_usage_asks_nobody(arguments: dict[str, Any], told: str) -> None:
    """What cannot be meant is refused before a service is looked for."""
    with pytest.raises(UsageError, match=told):
        api(**arguments)


@pytest.fixture
def slow_service() -> Iterator[tuple[str, list[str]]]:
    """A service whose work is done at the third look, with what it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            asked.append(f"{self.command} {self.path}")
            done = len(asked) >= 3
            body = b'{"status":"placed"}' if done else b'{"status":"processing"}'
            self.send_response(200 if done else 202)
            if not done:
                self.send_header("Retry-After", "0")
            if self.command == "POST":
                self.send_header("Location", "/api/v1/things/1")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = _answer

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize("wait", [True, False])
def test_waiting_asks_where_the_reply_says(
    wait: bool,
    slow_service: tuple[str, list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With --wait the call is made once and its Location read until it names no time; without it nothing is read."""
    url, asked = slow_service
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ORGBRIDGE_URL", url)
    monkeypatch.setenv("ORGBRIDGE_TOKEN", "t")
    api("POST", "/things", field=["n=1"], wait=wait, select="status")
    assert capsys.readouterr().out == ("placed\n" if wait else "processing\n")
    assert asked == ["POST /api/v1/things", *(["GET /api/v1/things/1"] * 2 if wait else [])]
