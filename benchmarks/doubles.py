"""Servers that cost next to nothing, so that what is measured is what stands before them.

`python -m benchmarks.doubles org PORT` answers sign-ins, and any record with the same kilobyte. `sink PORT` takes in
uploads and throws them away. `proxy PORT TARGET` is a record GET as it is usually written: FastAPI and one httpx
client, the JSON parsed, nothing checked.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import httpx
import uvicorn
import uvloop
from fastapi import FastAPI

from orgbridge.cli.demo.processes import free_port

RECORD_ID = "001000000000001AAA"
RECORD = json.dumps({"attributes": {"type": "Account"}, "Id": RECORD_ID, "Description": "x" * 900}).encode()
_READY_SECONDS = 30


@contextmanager
def serving(kind: str, *arguments: str) -> Iterator[str]:
    """Run a double as a process of its own; give its URL, and end it afterwards."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.doubles", kind, str(port), *arguments])
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(url)
        yield url
    finally:
        process.terminate()
        process.wait()


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while True:
        try:
            urllib.request.urlopen(url, timeout=1).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


class _Answers(asyncio.Protocol):
    """HTTP/1.1 as far as these benchmarks need it; bodies are counted, not kept."""

    def __init__(self, port: int) -> None:
        token = {"access_token": "00D!t", "instance_url": f"http://127.0.0.1:{port}", "id": "i", "token_type": "Bearer"}
        self._token = json.dumps(token).encode()
        self._head = b""
        self._left = 0
        self._answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's is none of asyncio's classes.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._left:
            taken = min(self._left, len(data))
            self._left -= taken
            data = data[taken:]
            if not self._left:
                self._transport.write(self._answer)
            if not data:
                return
        self._head += data
        while (end := self._head.find(b"\r\n\r\n")) >= 0:
            head, self._head = self._head[:end], self._head[end + 4 :]
            self._answer = self._answer_to(head)
            if re.search(rb"(?i)\nexpect: *100-continue", head):
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            length = re.search(rb"(?i)\ncontent-length: *(\d+)", head)
            self._left = int(length[1]) if length else 0
            taken = min(self._left, len(self._head))
            self._left -= taken
            self._head = self._head[taken:]
            if self._left:
                return
            self._transport.write(self._answer)

    def _answer_to(self, head: bytes) -> bytes:
        if head.startswith(b"PUT"):
            return b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"
        body = self._token if b"/oauth2/token" in head.split(b"\r\n", 1)[0] else RECORD
        return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


async def _serve(port: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Answers(port), "127.0.0.1", port)
    await server.serve_forever()


def _proxy(port: int, target: str) -> None:
    app = FastAPI()
    client = httpx.AsyncClient(base_url=target, timeout=30)

    @app.get("/records/{sobject}/{record_id}")
    async def read(sobject: str, record_id: str) -> dict[str, Any]:
        answer = await client.get(f"/services/data/v60.0/sobjects/{sobject}/{record_id}")
        answer.raise_for_status()
        return {"success": True, "record_id": record_id, "data": answer.json()}

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", access_log=False)


def main(kind: str, port: str, *rest: str) -> None:
    """Serve until told to stop."""
    if kind == "proxy":
        _proxy(int(port), *rest)
        return
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(_serve(int(port)))


if __name__ == "__main__":
    main(*sys.argv[1:])
