"""A process told to end does so, with the status that says what became of its work."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

_HEAD = "import signal, sys; from orgbridge.wiring import signals\n"


def ended(program: str) -> int:
    """Return the exit status of a program in a process of its own."""
    words = [sys.executable, "-c", _HEAD + program]
    return subprocess.run(words, timeout=30, check=False, env={"PYTHONPATH": ":".join(sys.path)}).returncode


@pytest.mark.parametrize(
    ("program", "status"),
    [
        ("with signals.termination_is_an_end(): signal.raise_signal(signal.SIGTERM)\nsys.exit(3)", 0),
        ("with signals.termination_is_an_end(): pass\nsignal.raise_signal(signal.SIGTERM)", -signal.SIGTERM),
        ("signals.end_when_told(); signal.raise_signal(signal.SIGTERM)", -signal.SIGTERM),
        (
            "signals._FIRST_PROCESS = __import__('os').getpid(); signals.end_when_told()\n"
            "signal.raise_signal(signal.SIGTERM)",
            128 + signal.SIGTERM,
        ),
    ],
    ids=["while serving", "after serving", "any process", "first process"],
)
def test_termination_ends_the_process(program: str, status: int) -> None:
    """In order while it serves, by the signal elsewhere, and as process 1 by a handler of our own."""
    assert ended(program) == status
