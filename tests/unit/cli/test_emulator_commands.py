"""The commands that work the controls of a running emulated org."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from orgbridge.cli.controls import EmulatorRefused, EmulatorUnreachable
from orgbridge.cli.errors import UsageError
from orgbridge.cli.main import app
from orgbridge.wiring.hosting import HostedOrg, OrgHost


@pytest.fixture(scope="module")
def host() -> Iterator[OrgHost]:
    """What orgs run on."""
    with OrgHost() as running:
        yield running


@pytest.fixture
def org(host: OrgHost) -> Iterator[HostedOrg]:
    """A fresh org."""
    with host.org() as fresh:
        yield fresh


def emulator(org: HostedOrg, *words: str) -> Result:
    """Run `orgbridge emulator ...` against the org."""
    return CliRunner().invoke(app, ["emulator", *words, "--url", org.url])


def document(org: HostedOrg, *words: str) -> dict[str, object]:
    """Run a command with `--json` and return its document."""
    result = emulator(org, *words, "--json")
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.stdout))


def test_states_of_the_org(org: HostedOrg) -> None:
    """Snapshots and branches are made, listed, gone back to and dropped; reset makes the org new."""
    assert document(org, "seed", "--accounts", "4", "--number", "2")["made"]["Account"] == 4  # type: ignore[index]
    assert "Account" in emulator(org, "seed", "--accounts", "4", "--number", "3").stdout
    assert emulator(org, "snapshot", "full").exit_code == 0
    assert "full" in emulator(org, "snapshot").stdout
    assert document(org, "branch", "side") == {"branch": "side", "made": True}
    assert "side *" in emulator(org, "branch").stdout
    assert emulator(org, "reset").exit_code == 0
    assert emulator(org, "restore", "full").exit_code == 0
    assert emulator(org, "snapshot", "full", "--drop").exit_code == 0
    result = emulator(org, "restore", "full")
    assert isinstance(result.exception, EmulatorRefused)
    assert "no snapshot 'full'" in result.exception.message


def test_the_clock(org: HostedOrg) -> None:
    """Spans are understood, and the clock says where it stands."""
    assert document(org, "clock", "--advance", "2h")["ahead_seconds"] == pytest.approx(7200, abs=5)
    assert document(org, "clock", "--advance", "-1h")["ahead_seconds"] == pytest.approx(3600, abs=5)
    assert "frozen" in emulator(org, "clock", "--set", "2026-01-31T12:00:00Z", "--freeze").stdout
    assert "2026-01-31T12:00:00" in emulator(org, "clock").stdout
    assert abs(float(str(document(org, "clock", "--restart", "--run")["ahead_seconds"]))) < 5
    assert isinstance(emulator(org, "clock", "--advance", "soon").exception, UsageError)


def test_faults_and_requests(org: HostedOrg) -> None:
    """Orders are made with their options, listed with their strikes, and called off; requests are shown."""
    assert "unavailable" in emulator(org, "faults").output
    made = document(org, "faults", "unavailable", "-o", "path=/services/data$", "-o", "times=2", "--durable")
    assert made["ids"]
    status = org.control.ask("GET", "health")
    assert status == {"status": "ok"}
    listed = document(org, "faults")["faults"]
    assert [one["order"] for one in listed] == [  # type: ignore[attr-defined]
        {"kind": "unavailable", "path": "/services/data$", "times": 2, "durable": True}
    ]
    assert "unavailable" in emulator(org, "faults").stdout
    assert emulator(org, "faults", "--clear").exit_code == 0
    assert document(org, "faults")["faults"] == []
    org.access_token()
    assert "/services/oauth2/token" in emulator(org, "requests", "--method", "POST").stdout
    assert document(org, "requests", "--status", "503")["requests"] == []
    assert emulator(org, "requests", "--clear").exit_code == 0
    for words in (["--option", "times=1"], ["unavailable", "-o", "times"]):
        assert isinstance(emulator(org, "faults", *words).exception, UsageError)


def test_what_is_no_emulated_org_is_told(host: OrgHost) -> None:
    """Nothing there, and an org that has gone, are one clear sentence with the way out."""
    with host.org() as gone:
        pass
    host.settle()
    result = emulator(gone, "reset")
    assert isinstance(result.exception, EmulatorUnreachable)
    assert "emulator serve" in result.exception.message


def test_an_unknown_seed_is_refused_before_anything_starts() -> None:
    """`serve --seed` knows two words."""
    result = CliRunner().invoke(app, ["emulator", "serve", "--seed", "everything"])
    assert isinstance(result.exception, UsageError)


def test_descriptions_are_copied_from_any_org(org: HostedOrg, tmp_path: Path) -> None:
    """Named objects come as one file each, as Salesforce gives them."""
    words = ["emulator", "snapshot-schema", "account", "Contact", "-o", str(tmp_path), "--base-url", org.url]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["Account.json", "Contact.json"]
    described = json.loads((tmp_path / "Account.json").read_bytes())
    assert (described["name"], described["fields"][0]["name"]) == ("Account", "Id")


def test_all_descriptions_are_copied_when_none_is_named(org: HostedOrg, tmp_path: Path) -> None:
    """Without names every object that can be queried is copied."""
    words = ["emulator", "snapshot-schema", "-o", str(tmp_path), "--base-url", org.url, "--json"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    files = json.loads(result.stdout.splitlines()[-1])["files"]
    assert len(files) == len(list(tmp_path.iterdir())) > 20


def test_objects_of_a_running_org(org: HostedOrg, tmp_path: Path) -> None:
    """Objects and fields are made, listed, shown, changed and deleted; what is refused says why."""
    assert emulator(org, "objects", "create", "Engine__c", "-o", "label=Engine").exit_code == 0
    words = ("objects", "field", "Engine__c", "Serial__c", "-o", "type=string", "-o", "length=20", "-o", "unique=true")
    assert document(org, *words)["fields"][0]["unique"] is True  # type: ignore[index]
    assert "Serial__c" in emulator(org, "objects", "list").stdout
    assert "unique" in emulator(org, "objects", "show", "Engine__c").stdout
    assert document(org, "objects", "alter", "Engine__c", "Serial__c", "-o", "length=30")["length"] == 30
    file = tmp_path / "objects.json"
    file.write_text(json.dumps([{"name": "Part__c", "label": "Part"}, {"name": "Bolt__c", "label": "Bolt"}]))
    assert emulator(org, "objects", "create", "--file", str(file)).exit_code == 0
    assert emulator(org, "objects", "delete", "Engine__c", "Serial__c").exit_code == 0
    assert emulator(org, "objects", "delete", "Engine__c").exit_code == 0
    result = emulator(org, "objects", "show", "Engine__c")
    assert isinstance(result.exception, EmulatorRefused)
    assert "no object Engine__c" in result.exception.message
    assert isinstance(emulator(org, "objects", "create").exception, UsageError)
