"""The commands about users, roles, service accounts, organizations and keys, over a real SQLite file."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from orgbridge.cli.main import app
from orgbridge.kit.errors import OrgbridgeError


class Shell:
    """Runs commands over one data folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def run(self, *words: str, stdin: str | None = None) -> str:
        """Return what a command wrote to standard output; its error is raised."""
        done = CliRunner().invoke(app, [*words, "--data", str(self._folder)], input=stdin)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == 0, done.output
        return done.stdout

    def json(self, *words: str, stdin: str | None = None) -> Any:
        """Return the JSON that a command wrote."""
        return json.loads(self.run(*words, "--json", stdin=stdin).splitlines()[-1])


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Give a shell over a fresh folder."""
    monkeypatch.chdir(tmp_path)
    return Shell(tmp_path / "data")


def test_users_are_made_listed_changed_and_deleted(shell: Shell) -> None:
    """Each step is seen by the next; the made password is shown once and never again."""
    made = shell.json("users", "create", "ada", "--role", "reader")
    assert (made["roles"], made["scopes"], len(made["password"])) == (["reader"], [], 24)
    shell.run("users", "create", "root", "--admin", "--password-stdin", stdin="correct horse battery\n")
    assert [user["username"] for user in shell.json("users", "list")["users"]] == ["ada", "root"]
    changed = shell.json("users", "update", "ada", "--disable", "--no-roles", "--scope", "bulk:read")
    assert (changed["disabled"], changed["roles"], changed["scopes"]) == (True, [], ["bulk:read"])
    assert [user["username"] for user in shell.json("users", "list", "--disabled")["users"]] == ["ada"]
    assert "password" not in shell.json("users", "show", "ada")
    assert len(shell.json("users", "password", "ada")["password"]) == 24
    shell.run("users", "unlock", "ada")
    with pytest.raises(OrgbridgeError, match="--yes"):
        shell.run("users", "delete", "ada")
    shell.run("users", "delete", "ada", "--yes")
    with pytest.raises(OrgbridgeError, match="no user ada"):
        shell.run("users", "show", "ada")
    with pytest.raises(OrgbridgeError) as caught:
        shell.run("users", "delete", "root", "--yes")
    assert caught.value.code == "identity.last_admin"


def test_roles_carry_a_policy_from_a_file(shell: Shell, tmp_path: Path) -> None:
    """The policy is kept as it was given; one that is no JSON object is refused."""
    policy = tmp_path / "policy.json"
    policy.write_text('{"objects": {"Account": {"operations": ["read"]}}}')
    made = shell.json("roles", "create", "sales", "--scope", "records:read", "--policy", str(policy))
    assert made["policy"] == {"objects": {"Account": {"operations": ["read"]}}}
    assert shell.json("roles", "update", "sales", "--no-policy")["policy"] is None
    policy.write_text("[]")
    with pytest.raises(OrgbridgeError, match="JSON object"):
        shell.run("roles", "update", "sales", "--policy", str(policy))
    assert json.loads(shell.run("roles", "show", "sales"))["scopes"] == ["records:read"]
    assert "sales" in shell.run("roles", "list")
    shell.run("roles", "delete", "sales", "--yes")
    assert [role["name"] for role in shell.json("roles", "list")["roles"]] == [
        "admin",
        "buyer",
        "integrator",
        "reader",
    ]


def test_service_accounts_get_secrets(shell: Shell) -> None:
    """Two secrets, of which one is taken away; neither is shown again."""
    made = shell.json("service-accounts", "create", "nightly", "--role", "integrator")
    second = shell.json("service-accounts", "add-secret", "nightly", "--expires-in-days", "30")
    assert second["client_id"] == made["client_id"]
    shell.run("service-accounts", "delete-secret", "nightly", made["secret_id"])
    shown = shell.run("service-accounts", "show", "nightly", "--json")
    assert [secret["id"] for secret in json.loads(shown)["secrets"]] == [second["secret_id"]]
    assert second["client_secret"] not in shown
    assert shell.json("service-accounts", "update", "nightly", "--disable")["disabled"]
    assert len(shell.json("service-accounts", "list")["service_accounts"]) == 1
    shell.run("service-accounts", "delete", "nightly", "--yes")
    with pytest.raises(OrgbridgeError, match="--role or --scope"):
        shell.run("service-accounts", "create", "idle")


def test_organizations_are_granted(shell: Shell) -> None:
    """Made top down, granted to a user, deleted bottom up."""
    org = shell.json("organizations", "create", "Acme")["id"]
    plant = shell.json("organizations", "create", "North", "--organization", org)["id"]
    machine = shell.json("organizations", "create", "Press", "--organization", org, "--plant", plant)["id"]
    shell.run("users", "create", "ada")
    granted = shell.json("users", "grant", "ada", "--organization", org, "--machine", "*")["grants"]
    assert granted == {"organizations": [org], "plants": [], "machines": "*"}
    assert [item["id"] for item in shell.json("organizations", "list", org, "--plant", plant)["items"]] == [machine]
    assert [item["id"] for item in shell.json("organizations", "list", org)["items"]] == [plant]
    with pytest.raises(OrgbridgeError, match="still has plants"):
        shell.run("organizations", "delete", org, "--yes")
    shell.run("organizations", "delete", org, "--plant", plant, "--machine", machine, "--yes")
    shell.run("organizations", "delete", org, "--plant", plant, "--yes")
    shell.run("organizations", "delete", org, "--yes")
    assert shell.json("organizations", "list")["items"] == []


def test_keys_are_rotated_and_revoked(shell: Shell) -> None:
    """The list says which one signs; a key that nobody has cannot be revoked."""
    (first,) = shell.json("keys", "list")["keys"]
    second = shell.json("keys", "rotate")
    assert (first["state"], second["state"]) == ("signing", "signing")
    assert second["kid"] != first["kid"]
    shell.run("keys", "revoke", first["kid"], "--yes")
    states = {key["kid"]: key["state"] for key in shell.json("keys", "list")["keys"]}
    assert states == {first["kid"]: "revoked", second["kid"]: "signing"}
    with pytest.raises(OrgbridgeError, match="no key"):
        shell.run("keys", "revoke", "k", "--yes")


def test_the_audit_is_exported_proven_and_pruned(shell: Shell, tmp_path: Path) -> None:
    """What commands did is in it; a noted head is still held; a changed entry and a wrong note are told with exit 1."""
    shell.run("users", "create", "ada", "--role", "reader")
    shell.run("roles", "create", "sales", "--scope", "records:read")
    lines = tmp_path / "audit.ndjson"
    assert shell.run("audit", "export", "-o", str(lines)) == "2\n"
    entries = [json.loads(line) for line in lines.read_text().splitlines()]
    assert [entry["seq"] for entry in entries] == [1, 2]
    assert [entry["action"] for entry in entries] == ["cli.users.create", "cli.roles.create"]
    assert [entry["ids"] for entry in entries] == [["ada"], ["sales"]]
    assert all("@" in entry["actor"]["name"] for entry in entries)
    assert shell.run("audit", "export", "-o", str(lines), "--action", "cli.roles") == "1\n"
    word, noted = shell.run("audit", "verify").split()
    assert (word, noted) == ("whole", f"2:{entries[1]['hash']}")
    assert shell.json("audit", "verify", "--expect", noted)["whole"] is True
    with pytest.raises(OrgbridgeError, match="NUMBER:HASH"):
        shell.run("audit", "verify", "--expect", "2")
    for wrong in (f"2:{'0' * 64}", f"7:{entries[1]['hash']}"):
        with pytest.raises(AssertionError, match="NOT WHOLE"):
            shell.run("audit", "verify", "--expect", wrong)
    with pytest.raises(OrgbridgeError, match="--yes"):
        shell.run("audit", "prune", "--days", "1")
    assert shell.run("audit", "prune", "--days", "1", "--yes").splitlines()[-1] == "0"
    assert shell.run("audit", "verify").split()[0] == "whole"
    file = next((tmp_path / "data").glob("*.sqlite"))
    with sqlite3.connect(file) as connection:
        connection.execute("DROP TRIGGER audit_entries_fixed")
        connection.execute("UPDATE audit_entries SET actor_name = 'somebody' WHERE seq = 1")
    connection.close()
    with pytest.raises(AssertionError, match="NOT WHOLE"):
        shell.run("audit", "verify")
