"""A fork of the fork server is what `python` would have started, as far as tests can tell."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.forks import Fork, run

_TELL = """
import json, os, sys
print(json.dumps([sys.argv, os.getcwd(), dict(os.environ), __name__, os.getsid(0) == os.getpid()]))
print("beside", file=sys.stderr)
"""
_WAIT = "import time\nprint('here', flush=True)\ntime.sleep(60)"


@pytest.mark.parametrize(
    ("program", "status"),
    [
        ("pass", 0),
        ("raise SystemExit", 0),
        ("raise SystemExit(7)", 7),
        ("raise SystemExit('why')", 1),
        ("1 / 0", 1),
        ("import os; os._exit(70)", 70),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
    ],
)
def test_the_exit_status_is_the_programs(program: str, status: int, tmp_path: Path) -> None:
    """However a program ends, its caller hears it as from a process of its own."""
    assert run(["-c", program], folder=tmp_path, environment={}).returncode == status


def test_a_fork_knows_what_it_was_given_and_nothing_else(tmp_path: Path) -> None:
    """Arguments, folder and environment are those of the call, and the two streams are apart."""
    done = run(["-c", _TELL, "one", "two"], folder=tmp_path, environment={"ONLY": "this"})
    assert json.loads(done.stdout) == [["-c", "one", "two"], str(tmp_path), {"ONLY": "this"}, "__main__", False]
    assert done.stderr == "beside\n"


def test_a_module_runs_as_the_program(tmp_path: Path) -> None:
    """`-m` runs the command line, and what goes wrong in it is said on the stream for errors."""
    done = run(["-m", "orgbridge.cli", "nonsense"], folder=tmp_path, environment={"PATH": os.defpath})
    assert (done.returncode, "nonsense" in done.stderr) == (2, True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_fork_takes_signals(number: signal.Signals, tmp_path: Path) -> None:
    """It runs until it is told to end, has a process id of its own, and tells which signal ended it."""
    fork = Fork(["-c", _WAIT], folder=tmp_path, environment={}, stdout=subprocess.PIPE)
    assert fork.stdout is not None
    with fork.stdout:
        assert fork.stdout.readline() == b"here\n"
        assert fork.poll() is None
        assert fork.pid != os.getpid()
        fork.send_signal(number)
        assert fork.wait(10) == fork.poll() == -number


def test_threads_and_exit_functions_are_waited_for(tmp_path: Path) -> None:
    """What a program has begun is finished before it ends, in the interpreter's order."""
    program = (
        "import atexit, threading\n"
        "go = threading.Event()\n"
        "atexit.register(print, 'last')\n"
        "threading.Thread(target=lambda: (go.wait(), print('thread'))).start()\n"
        "print('main')\ngo.set()"
    )
    assert run(["-c", program], folder=tmp_path, environment={}).stdout.split() == ["main", "thread", "last"]


def test_a_fork_that_runs_too_long_is_ended(tmp_path: Path) -> None:
    """`run` gives up when the time is over, and leaves no process behind."""
    with pytest.raises(subprocess.TimeoutExpired) as late:
        run(["-c", _WAIT], folder=tmp_path, environment={}, timeout=0.2)
    number = int(str(late.value.cmd).split()[1])
    assert not Path(f"/proc/{number}").exists()
