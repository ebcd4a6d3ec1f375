"""Commands that are imported when they are called."""

from __future__ import annotations

import os
import subprocess
import sys

from typer.testing import CliRunner

from orgbridge.cli.main import app

_MODULES = """
import sys
from typer.testing import CliRunner
from orgbridge.cli.main import app
result = CliRunner().invoke(app, ["emulator", "serve", "--help"])
assert result.exit_code == 0 and "--port" in result.stdout, result.output
print(*sys.modules)
"""


def test_serving_the_org_waits_for_nothing_else() -> None:
    """Neither the HTTP client nor the settings nor other commands are imported for `emulator serve`."""
    environment = {"PATH": os.defpath, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(
        [sys.executable, "-c", _MODULES], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    modules = set(done.stdout.split())
    assert "orgbridge.cli.commands.emulator_serve" in modules
    assert not modules & {"aiohttp", "cryptography", "pydantic_settings", "sqlalchemy", "orgbridge.cli.commands.load"}


def test_a_slip_is_met_with_what_was_meant() -> None:
    """A command that is not there is refused, and the nearest one is named without being imported."""
    result = CliRunner().invoke(app, ["emulator", "snapshoot"])
    assert result.exit_code == 2
    assert "Did you mean 'snapshot'" in result.output.replace("\n", " ")
