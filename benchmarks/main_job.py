"""The demo without the kill: seconds, rows per second and memory of a whole load, proof included in the run."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile

from benchmarks.figures import Figure

_ROWS = 100_000
_MEBIBYTE = 1024 * 1024


def figures() -> list[Figure]:
    """Load 100,000 accounts into an emulated org in processes of their own."""
    with tempfile.TemporaryDirectory(prefix="orgbridge-bench-") as folder:
        done = subprocess.run(
            [sys.executable, "-m", "orgbridge.cli", "demo", "--rows", str(_ROWS), "--no-crash", "--json"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
    if done.returncode != 0:
        raise RuntimeError(f"the demo failed: {done.stdout}{done.stderr}")
    story = json.loads(done.stdout)
    memory = {name: story[f"{name}_bytes_above_idle"] / _MEBIBYTE for name in ("service", "worker")}
    return [
        Figure(name=f"load of {_ROWS:,} rows", value=story["seconds"], unit="s"),
        Figure(name="rows per second", value=_ROWS / story["seconds"], unit="rows/s", more_is_better=True),
        Figure(name="service above idle", value=memory["service"], unit="MiB", target=100),
        Figure(name="worker above idle", value=memory["worker"], unit="MiB", target=100),
    ]
