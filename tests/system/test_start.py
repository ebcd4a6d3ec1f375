"""What stops a process before it serves is told in one line per fault, without a secret and without a traceback."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from tests.support.processes import Town, orgbridge, salesforce_settings

pytestmark = pytest.mark.system
_SECRET = "hunter2-not-for-logs"


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_missing_settings_are_listed_one_per_line(command: str, tmp_path: Path) -> None:
    """Every missing or wrong setting has its own line that begins with its name."""
    settings = {"SALESFORCE_USERNAME": "a@b.c", "SALESFORCE_TOKEN_REFRESH_BUFFER": "soon", "LOG_LEVEL": "LOUD"}
    done = orgbridge(command, folder=tmp_path, settings=settings)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    lines = done.stderr.splitlines()
    for name in ("SALESFORCE_TOKEN_REFRESH_BUFFER", "LOG_LEVEL"):
        assert sum(f"{name}:" in line for line in lines) == 1, done.stderr


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_missing_credentials_are_listed(command: str, tmp_path: Path) -> None:
    """A password sign-in without its other words names each of them."""
    done = orgbridge(command, folder=tmp_path, settings={"SALESFORCE_USERNAME": "a@b.c"})
    assert done.returncode == 2
    for name in ("SALESFORCE_CLIENT_ID", "SALESFORCE_CLIENT_SECRET", "SALESFORCE_PASSWORD"):
        assert f"{name}:" in done.stderr


@pytest.mark.parametrize("command", [("serve",), ("emulator", "serve")], ids=["serve", "emulator"])
def test_port_in_use_is_told(command: tuple[str, ...], tmp_path: Path) -> None:
    """A taken port is named together with the way out."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        settings = salesforce_settings("http://127.0.0.1:9", tmp_path) if command == ("serve",) else {}
        if settings:
            assert orgbridge("db", "upgrade", folder=tmp_path, settings=settings).returncode == 0
        done = orgbridge(*command, "--port", port, folder=tmp_path, settings=settings)
    assert done.returncode == 2, done.stderr
    assert port in done.stderr
    assert "--port" in done.stderr
    assert "Traceback" not in done.stderr


def test_doctor_names_an_unreachable_salesforce(tmp_path: Path) -> None:
    """Nothing listening at the token URL is told with the address and a remedy."""
    settings = salesforce_settings("http://127.0.0.1:9", tmp_path)
    assert orgbridge("db", "upgrade", folder=tmp_path, settings=settings).returncode == 0
    done = orgbridge("doctor", folder=tmp_path, settings=settings)
    assert done.returncode == 2, done.stderr
    assert "127.0.0.1:9" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_doctor_names_a_refused_login_without_the_secret(town: Town, tmp_path: Path) -> None:
    """A wrong password is told as Salesforce's refusal, with cause and remedy, and never shown."""
    settings = {**salesforce_settings(town.org_url, tmp_path), "SALESFORCE_PASSWORD": _SECRET}
    assert orgbridge("db", "upgrade", folder=tmp_path, settings=settings).returncode == 0
    done = orgbridge("doctor", folder=tmp_path, settings=settings)
    said = done.stdout + done.stderr
    assert done.returncode == 2, said
    assert "invalid_grant" in said or "refused" in said.lower()
    assert _SECRET not in said


def test_doctor_finds_nothing_wrong_in_a_healthy_house(town: Town) -> None:
    """Every check passes where everything runs."""
    flow = {"SALESFORCE_AUTH_FLOW": "client_credentials"}
    done = orgbridge("doctor", folder=town.folder, settings={**town.settings, **flow})
    assert done.returncode == 0, done.stdout + done.stderr


def test_doctor_warns_of_what_will_end(town: Town) -> None:
    """The username-password flow works and is being retired: a warning, told as one for machines too."""
    done = orgbridge("doctor", "--json", folder=town.folder, settings=town.settings)
    assert done.returncode == 1, done.stdout + done.stderr
    told = {one["name"]: one for one in json.loads(done.stdout) if one["verdict"] != "ok"}
    assert set(told) == {"sign-in flow"}
    assert told["sign-in flow"]["verdict"] == "warning"
    assert "SALESFORCE_AUTH_FLOW" in told["sign-in flow"]["remedy"]


def test_service_that_is_not_there_is_told(tmp_path: Path) -> None:
    """A command without a service says so and how to get one."""
    settings = {"ORGBRIDGE_URL": "http://127.0.0.1:9", "ORGBRIDGE_TOKEN": "x"}
    done = orgbridge("jobs", "list", folder=tmp_path, settings=settings)
    assert done.returncode == 2
    assert "127.0.0.1:9" in done.stderr
    done = orgbridge("jobs", "list", folder=tmp_path)
    assert done.returncode == 2
    assert "ORGBRIDGE_URL" in done.stderr
