"""Files that say what an emulated org is like."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from orgbridge.emulator.app import EmulatorConfig, build_app
from orgbridge.wiring.emulator import EXIT_UNUSABLE, main
from orgbridge.wiring.org_files import OrgFileError, read_org_file

WHOLE: dict[str, Any] = {
    "users": [
        {"username": "loader@x.org", "password": "p1", "profile": "Read Only Integration"},
        {"username": "ADMIN@local.org", "password": "other", "trusted_address": False},
    ],
    "clients": [{"client_id": "loader", "client_secret": "s", "run_as": "loader@x.org"}],
    "policy": {"soap_login": False, "max_failed_passwords": 3},
    "session_seconds": 900,
    "daily_api_requests": 15,
}


def read(folder: Path, told: object) -> EmulatorConfig:
    """Return the configuration that a file with this JSON makes."""
    path = folder / "org.json"
    path.write_text(json.dumps(told))
    return read_org_file(path, EmulatorConfig())


def test_users_clients_and_policy_of_a_file_hold(tmp_path: Path) -> None:
    """An org of a file signs its users in as the file says, and everything else stays as it was."""
    config = read(tmp_path, WHOLE)
    assert [user.username for user in config.users] == ["ADMIN@local.org", "loader@x.org"]
    assert {client.client_id for client in config.clients} == {"PlatformCLI", "loader"}
    assert (config.policy.soap_login, config.policy.password_flow, config.session_seconds) == (False, True, 900)
    with TestClient(build_app(config)) as http:
        grant = {"grant_type": "client_credentials", "client_id": "loader", "client_secret": "s"}
        token = http.post("/services/oauth2/token", data=grant).json()["access_token"]
        reply = http.get("/services/data/v62.0/sobjects/Account/describe", headers={"Authorization": f"Bearer {token}"})
        assert reply.json()["createable"] is False
        assert reply.headers["Sforce-Limit-Info"] == "api-usage=1/15"


def test_a_list_is_one_of_users(tmp_path: Path) -> None:
    """The short form of a file is the list of its users, who come after the first one."""
    config = read(tmp_path, [{"username": "a@x.org", "password": "p"}])
    assert [user.username for user in config.users] == ["admin@local.org", "a@x.org"]


@pytest.mark.parametrize(
    ("told", "text"),
    [
        ({"colour": 1}, "unknown keys colour"),
        ({"users": [{"username": "a"}]}, "a user needs password"),
        ({"users": [{"username": "a", "password": "p", "role": "x"}]}, "unknown keys role"),
        ({"users": [{"username": "a", "password": "p"}, {"username": "A", "password": "p"}]}, "stands twice"),
        ({"users": "a"}, "a list of objects"),
        ({"users": [{"username": "a", "password": 5}]}, "password has a value of another kind"),
        ({"clients": [{"client_id": "local-client"}]}, "the name of the first one"),
        ({"clients": [{"client_id": "c", "jwt_certificate_file": "/nowhere.pem"}]}, "cannot be read"),
        ({"policy": {"soap_login": "no"}}, "soap_login has a value of another kind"),
        ({"policy": []}, "policy is an object"),
        ({"session_seconds": -1}, "session_seconds has a value of another kind"),
        ({"daily_api_requests": True}, "daily_api_requests has a value of another kind"),
        ("words", "an object, or a list"),
    ],
)
def test_what_is_not_understood_is_refused(tmp_path: Path, told: object, text: str) -> None:
    """A key or a value that means nothing is refused with the file's name, and no secret is repeated."""
    with pytest.raises(OrgFileError, match=text) as refused:
        read(tmp_path, told)
    assert str(tmp_path / "org.json") in str(refused.value)


def test_a_bad_file_stops_the_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that cannot be used ends the command with status 2 and one line."""
    path = tmp_path / "org.json"
    path.write_text("{")
    assert main(["--port", "0", "--users", str(path)]) == EXIT_UNUSABLE
    assert "is no JSON" in capsys.readouterr().err


def test_settings_of_commerce_are_read(tmp_path: Path) -> None:
    """Known settings take effect; one that is not there is told with those that are."""
    path = tmp_path / "org.json"
    path.write_text('{"commerce": {"unknown_store": "GONE:410", "live_search_index": false}}')
    commerce = read_org_file(path, EmulatorConfig()).commerce
    assert (commerce.unknown_store.code, commerce.unknown_store.status) == ("GONE", 410)
    assert commerce.live_search_index is False
    for text in ('{"commerce": []}', '{"commerce": {"nothing": 1}}', '{"commerce": {"unknown_store": "GONE"}}'):
        path.write_text(text)
        with pytest.raises(OrgFileError):
            read_org_file(path, EmulatorConfig())
