"""The emulated org asked for single records, as fast as 8 and 32 kept-alive connections can.

Beside each figure stands what the same server answers for the list of API versions, which touches no row: the rest of
a call is what a row costs.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.support.emulator_server import EmulatorServer

from benchmarks.figures import Figure
from benchmarks.houses import sign_in_to_emulator
from benchmarks.knocking import calls_per_second, request_bytes
from orgbridge.kit.json import dumps

_SECONDS = 4.0
_CONNECTIONS = (8, 32)
_BASE = "/services/data/v60.0"


def figures() -> list[Figure]:
    """Measure one org in a file."""
    with tempfile.TemporaryDirectory(prefix="orgbridge-bench-") as name:
        server = EmulatorServer(Path(name) / "org.sqlite").start()
        try:
            return [figure for connections in _CONNECTIONS for figure in _figures(server, connections)]
        finally:
            server.kill()


def _figures(server: EmulatorServer, connections: int) -> list[Figure]:
    headers = {"Authorization": f"Bearer {sign_in_to_emulator(server)}", "Content-Type": "application/json"}
    row = {"LastName": "Single", "FirstName": "A", "Email": "a@example.com"}
    _, made = server.request("POST", f"{_BASE}/sobjects/Contact", row, **headers)
    address = f"{_BASE}/sobjects/Contact/{made['id']}"
    soql = f"{_BASE}/query?q=SELECT+Id,Name+FROM+Contact+WHERE+Id='{made['id']}'"
    asked = {
        "no row": ("GET", "/services/data", b"", None),
        "reads": ("GET", address, b"", 2000),
        "creates": ("POST", f"{_BASE}/sobjects/Contact", dumps(row), 2000),
        "updates": ("PATCH", address, dumps({"Title": "Chief", "FirstName": "B"}), 2000),
        "SOQL by id": ("GET", soql, b"", None),
    }
    return [
        Figure(
            name=f"emulator, {what}, {connections} connections",
            value=calls_per_second(server.port, request_bytes(method, path, headers, body), connections, _SECONDS),
            unit="calls/s",
            target=target,
            more_is_better=True,
        )
        for what, (method, path, body, target) in asked.items()
    ]


if __name__ == "__main__":
    for figure in figures():
        print(f"{figure.name:<60}{figure.value:>12.2f} {figure.unit}")
