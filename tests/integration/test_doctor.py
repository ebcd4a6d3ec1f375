"""`orgbridge doctor` against set-ups that are broken in one place each: the place is named, with what mends it."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orgbridge.emulator.app import EmulatorConfig, EmulatorUser
from orgbridge.emulator.http.directory import SignInPolicy
from orgbridge.kit.clock import SystemClock
from orgbridge.loads.states import LoadState
from orgbridge.store.database import Database
from orgbridge.store.records import LoadKind, LoadRecord
from orgbridge.store.schema import SchemaState, upgrade
from orgbridge.wiring.checkup import Finding, Verdict, examine, look_through
from orgbridge.wiring.checkup.findings import aside, fault, good, warning, within, worst
from orgbridge.wiring.checkup.machine import judge_schema
from orgbridge.wiring.checkup.salesforce import judge_clock, judge_limits, judge_versions
from orgbridge.wiring.hosting import HostedOrg, OrgHost
from orgbridge.wiring.settings import Settings, load_settings
from tests.support.postgres import Server


@pytest.fixture(scope="module")
def host() -> Iterator[OrgHost]:
    """Orgs of this module."""
    with OrgHost() as running:
        yield running


@pytest.fixture(scope="module")
def org(host: OrgHost) -> Iterator[HostedOrg]:
    """An org in which nothing is wrong."""
    with host.org() as running:
        yield running


def settings_for(org: HostedOrg, folder: Path, **overrides: Any) -> Settings:
    """Return the settings of a house whose tables are there and whose Salesforce is this org."""
    settings = load_settings(
        env_file=None,
        **{
            "orgbridge_data": folder / "data",
            "data_path_input": folder,
            "salesforce_auth_flow": "client_credentials",
            "salesforce_client_id": org.client_id,
            "salesforce_client_secret": org.client_secret,
            "salesforce_token_url": org.token_url,
            **overrides,
        },
    )
    if "psql_connection_string" not in overrides:
        upgrade(settings.database_url)
    return settings


async def looked(settings: Settings, clock: SystemClock | None = None) -> dict[str, Finding]:
    """Return what was found, by name; each thing once, and each that is wrong with its remedy."""
    findings = await look_through(settings, clock)
    assert len({finding.name for finding in findings}) == len(findings)
    assert all(bool(finding.remedy) != finding.holds for finding in findings)
    return {finding.name: finding for finding in findings}


def wrong(found: dict[str, Finding]) -> dict[str, Verdict]:
    """Return what is not as it should be; the worker is none of these tests'."""
    return {name: one.verdict for name, one in found.items() if not one.holds and name != "worker"}


async def test_a_sound_set_up_has_nothing_but_its_missing_worker(org: HostedOrg, tmp_path: Path) -> None:
    """Every check is made and holds; the worker that nobody started is the one fault."""
    found = await looked(settings_for(org, tmp_path))
    assert wrong(found) == {}
    assert found["worker"].verdict is Verdict.FAULT
    assert "orgbridge worker" in found["worker"].remedy
    assert set(found) >= {
        *("data folder", "input folder", "output folder", "database", "queue", "clock", "Salesforce sign-in"),
        *("Salesforce API access", "Salesforce API version", "Salesforce API requests"),
        *("permission View Setup and Configuration", "permission Bulk API Hard Delete"),
    }
    assert found["permission Bulk API Hard Delete"].detail == "given"


@pytest.mark.parametrize(
    ("overrides", "name", "word"),
    [
        ({"salesforce_client_secret": "wr0ng-s3cret"}, "Salesforce sign-in", "invalid_client"),
        ({"salesforce_token_url": "http://127.0.0.1:9/token"}, "Salesforce sign-in", "127.0.0.1:9"),
        ({"data_path_output": Path("/proc/nowhere")}, "output folder", "DATA_PATH_OUTPUT"),
        ({"data_path_failed": Path("/proc/nowhere")}, "folder of failed rows", "DATA_PATH_FAILED"),
        ({"psql_connection_string": "postgresql://a:hidden@127.0.0.1:9/b"}, "database", "PSQL_CONNECTION_STRING"),
        (
            {
                "orgbridge_files_url": "s3://bucket/prefix",
                "orgbridge_files_endpoint": "http://127.0.0.1:9",
                "orgbridge_files_region": "eu-central-1",
                "orgbridge_files_access_key_id": "key",
                "orgbridge_files_secret_access_key": "hidden",
            },
            "file storage",
            "ORGBRIDGE_FILES_URL",
        ),
    ],
    ids=["secret", "address", "output", "failed rows", "database", "object storage"],
)
async def test_one_broken_thing_is_one_fault(
    org: HostedOrg, tmp_path: Path, overrides: dict[str, Any], name: str, word: str
) -> None:
    """The broken thing is the only fault, told with the setting or the word of the other side, without a secret."""
    found = await looked(settings_for(org, tmp_path, **overrides))
    assert wrong(found) == {name: Verdict.FAULT}
    said = f"{found[name].detail} {found[name].remedy}"
    assert word in said
    assert "wr0ng-s3cret" not in said
    assert "hidden" not in said


async def test_a_data_folder_that_cannot_be_is_told(org: HostedOrg, tmp_path: Path) -> None:
    """A file in the place of the folder is named with its setting."""
    (tmp_path / "taken").write_text("x")
    settings = settings_for(org, tmp_path).model_copy(update={"orgbridge_data": tmp_path / "taken"})
    found = await looked(settings)
    assert found["data folder"].verdict is Verdict.FAULT
    assert "ORGBRIDGE_DATA" in found["data folder"].remedy


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
async def test_an_input_folder_that_may_not_be_read_is_told(org: HostedOrg, tmp_path: Path) -> None:
    """The folder is named with its setting."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o000)
    found = await looked(settings_for(org, tmp_path, data_path_input=closed))
    assert wrong(found) == {"input folder": Verdict.FAULT}


async def test_a_user_without_the_api_is_told(host: OrgHost, tmp_path: Path) -> None:
    """The missing permission API Enabled is the one fault: nothing is asked that would be refused for it."""
    admin = EmulatorUser(username="admin@local.org", password="p", security_token="t", api_enabled=False)
    with host.org(EmulatorConfig(users=(admin,))) as org:
        found = await looked(settings_for(org, tmp_path))
    assert wrong(found) == {"Salesforce API access": Verdict.FAULT}
    assert "API Enabled" in found["Salesforce API access"].remedy


async def test_an_org_without_the_api_is_told(host: OrgHost, tmp_path: Path) -> None:
    """An edition without the API is told as such."""
    with host.org(EmulatorConfig(policy=SignInPolicy(api_enabled=False))) as org:
        found = await looked(settings_for(org, tmp_path))
    assert wrong(found) == {"Salesforce API access": Verdict.FAULT}


async def test_a_user_who_may_not_hard_delete_is_warned_of(host: OrgHost, tmp_path: Path) -> None:
    """A profile without Bulk API Hard Delete gives a warning and no fault."""
    user = EmulatorUser(username="reader@local.org", password="p", profile="Read Only Integration")
    with host.org(EmulatorConfig(users=(user,))) as org:
        found = await looked(settings_for(org, tmp_path))
    assert wrong(found) == {"permission Bulk API Hard Delete": Verdict.WARNING}
    assert "hardDelete" in found["permission Bulk API Hard Delete"].detail


async def test_limits_that_may_not_be_read_are_warned_of(org: HostedOrg, tmp_path: Path) -> None:
    """Salesforce's refusal of /limits is told as the missing permission View Setup."""
    order = org.control.fault(
        path="/services/data/v[0-9.]+/limits",
        status=403,
        errorCode="INSUFFICIENT_ACCESS",
        message="no",
    )
    try:
        found = await looked(settings_for(org, tmp_path))
    finally:
        org.control.clear_faults()
    assert order
    assert wrong(found) == {"permission View Setup and Configuration": Verdict.WARNING}


async def test_versions_that_cannot_be_read_are_told(org: HostedOrg, tmp_path: Path) -> None:
    """A proxy that answers for the org is one fault, and nothing behind it is asked."""
    org.control.fault(path="/services/data/?$", status=404, errorCode="NOT_FOUND", message="no")
    try:
        found = await looked(settings_for(org, tmp_path))
    finally:
        org.control.clear_faults()
    assert wrong(found) == {"Salesforce API version": Verdict.FAULT}
    assert "prox" in found["Salesforce API version"].remedy
    assert "Salesforce API access" not in found


@pytest.mark.parametrize(
    ("given", "name", "verdict", "word"),
    [
        ({"SALESFORCE_CLIENT_SECRET": ""}, "setting SALESFORCE_CLIENT_SECRET", Verdict.FAULT, "missing"),
        ({"SALESFORCE_API_VERSION": "v9.0"}, "setting SALESFORCE_API_VERSION", Verdict.FAULT, "v58.0"),
        ({"ORGBRIDGE_PROT": "1"}, "settings", Verdict.WARNING, "ORGBRIDGE_PROT"),
        ({"SALESFORCE_TOKEN_URL": "http://org.invalid/t"}, "setting SALESFORCE_TOKEN_URL", Verdict.FAULT, "https://"),
        (
            {"SALESFORCE_TOKEN_URL": "http://org.invalid/t", "ORGBRIDGE_SALESFORCE_HTTP_HOSTS": "org.invalid"},
            "Salesforce transport",
            Verdict.WARNING,
            "org.invalid",
        ),
    ],
    ids=["missing", "out of range", "unknown", "in clear", "in clear, allowed"],
)
async def test_settings_are_looked_at_first(
    org: HostedOrg,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    given: dict[str, str],
    name: str,
    verdict: Verdict,
    word: str,
) -> None:
    """As the command reads them: what is missing, wrong, misspelt or unsafe is named, each with what mends it."""
    for setting in ("SALESFORCE_USERNAME", "SALESFORCE_PASSWORD", "SALESFORCE_AUTH_FLOW"):
        monkeypatch.delenv(setting, raising=False)
    whole = {
        "ORGBRIDGE_DATA": str(tmp_path),
        "DATA_PATH_INPUT": str(tmp_path),
        "SALESFORCE_CLIENT_ID": org.client_id,
        "SALESFORCE_CLIENT_SECRET": org.client_secret,
        "SALESFORCE_TOKEN_URL": org.token_url,
    }
    for setting, value in {**whole, **given}.items():
        monkeypatch.setenv(setting, value)
    monkeypatch.chdir(tmp_path)
    found = {finding.name: finding for finding in await examine()}
    assert found[name].verdict is verdict
    assert found[name].remedy
    assert word in f"{found[name].detail} {found[name].remedy}"


async def test_used_up_requests_are_told(host: OrgHost, tmp_path: Path) -> None:
    """An org with few requests left for the day gives a warning with both figures."""
    with host.org(EmulatorConfig(daily_api_requests=25)) as org:
        settings = settings_for(org, tmp_path)
        found: dict[str, Finding] = {}
        for _ in range(10):
            found = await looked(settings)
            if wrong(found):
                break
    assert wrong(found) == {"Salesforce API requests": Verdict.WARNING}
    assert "of 25" in found["Salesforce API requests"].detail


class _Fast(SystemClock):
    """A machine's clock that is ten minutes ahead."""

    def now(self) -> datetime:
        return super().now() + timedelta(minutes=10)


async def test_a_clock_that_goes_wrong_is_told(org: HostedOrg, tmp_path: Path) -> None:
    """Ten minutes ahead of Salesforce's replies is a fault that names NTP."""
    found = await looked(settings_for(org, tmp_path), _Fast())
    assert wrong(found) == {"clock": Verdict.FAULT}
    assert "ahead" in found["clock"].detail
    assert "NTP" in found["clock"].remedy


@pytest.mark.parametrize(
    ("behind", "verdict"), [(0, Verdict.OK), (29, Verdict.OK), (31, Verdict.WARNING), (91, Verdict.FAULT)]
)
def test_clocks_are_judged_by_their_difference(behind: int, verdict: Verdict) -> None:
    """Half a minute is let pass, a minute and a half is not; either way of being wrong counts."""
    date = "Sun, 22 Nov 2026 12:00:00 GMT"
    noon = datetime(2026, 11, 22, 12, tzinfo=UTC)
    for now in (noon - timedelta(seconds=behind), noon + timedelta(seconds=behind)):
        assert judge_clock({"Date": date}, now).verdict is verdict
    assert judge_clock({}, noon).holds
    assert judge_clock({"Date": "soon"}, noon).holds


def test_a_version_must_be_served() -> None:
    """A version outside of what the org lists is told with what it lists; an empty list serves nothing."""
    assert judge_versions({57, 58}, 58).holds
    old = judge_versions({57, 58}, 67)
    assert old.verdict is Verdict.FAULT
    assert "v58.0" in old.detail
    assert judge_versions(set(), 58).verdict is Verdict.FAULT


def test_limits_are_judged_one_by_one() -> None:
    """None left is a fault, a tenth a warning, and what an org does not tell is not made up."""
    told = {
        "DailyApiRequests": {"Max": 1000, "Remaining": 0},
        "DailyBulkApiBatches": {"Max": 1000, "Remaining": 99},
        "DataStorageMB": {"Max": 5, "Remaining": 5},
    }
    assert [one.verdict for one in judge_limits(told)] == [Verdict.FAULT, Verdict.WARNING, Verdict.OK]
    assert judge_limits({"DataStorageMB": {"Max": 0, "Remaining": 0}}) == []


async def test_old_tables_are_told(org: HostedOrg, postgres: Server, tmp_path: Path) -> None:
    """No tables, older ones and those of this program are told apart, each with the one command that mends it."""
    url = postgres.create_database()
    settings = settings_for(org, tmp_path, psql_connection_string=url)
    found = await looked(settings)
    assert "no tables" in found["database"].detail
    assert "worker" not in found
    upgrade(url, "0007")
    found = await looked(settings)
    assert "0007" in found["database"].detail
    assert found["database"].remedy == "orgbridge db upgrade"
    upgrade(url)
    found = await looked(settings)
    assert found["database"].holds
    assert "PostgreSQL 1" in found["database"].detail


@pytest.mark.parametrize(
    ("server", "applied", "verdict"),
    [
        ("PostgreSQL 17.2", "0005", Verdict.OK),
        ("PostgreSQL 12.9", "0005", Verdict.WARNING),
        ("PostgreSQL 17.2", "0006", Verdict.WARNING),
        ("SQLite 3.40.1", "0004", Verdict.FAULT),
        ("SQLite 3.40.1", None, Verdict.FAULT),
    ],
)
def test_tables_are_judged_by_their_migration(server: str, applied: str | None, verdict: Verdict) -> None:
    """Tables of a newer program are no fault: an upgrade is on its way; old servers are warned of."""
    state = SchemaState(applied=applied, wanted="0005", server=server.split()[1])
    assert judge_schema("database", server, state).verdict is verdict


async def test_a_load_that_nobody_takes_up_is_told(org: HostedOrg, postgres: Server, tmp_path: Path) -> None:
    """With a living worker, a load that waits for minutes is a warning that names it."""
    url = postgres.create_database()
    upgrade(url)
    database = Database(url)
    now = datetime.now(UTC)
    async with database.unit() as unit:
        await unit.leases.renew("somebody", timedelta(minutes=5))
        await unit.loads.add(
            LoadRecord(
                id="load-1",
                kind=LoadKind.INGEST,
                object_name="Account",
                operation="insert",
                state=LoadState.QUEUED,
                created_by="tester",
                created_at=now - timedelta(minutes=7),
                input_sha256="0" * 64,
            )
        )
    await database.close()
    found = await looked(settings_for(org, tmp_path, psql_connection_string=url))
    assert found["worker"].detail == "1 running"
    assert wrong(found) == {"queue": Verdict.WARNING}
    assert "load-1" in found["queue"].detail


async def test_what_hangs_is_left_in_time() -> None:
    """A look that never ends gives its finding after its time, and its thread keeps nobody."""
    late, held = fault("disk", "no answer", "mend it"), threading.Event()

    def hang() -> Finding:
        held.wait()
        return good("disk", "late")

    assert await within(0.05, late, aside(hang)) is late
    assert any(thread.name == "checkup" and thread.daemon for thread in threading.enumerate())
    held.set()
    assert await asyncio.wait_for(aside(lambda: 5), 5) == 5


async def test_what_fails_aside_fails_here() -> None:
    """An error of a look is raised to whoever asked for it."""
    with pytest.raises(ZeroDivisionError):
        await aside(lambda: 1 // 0)


def test_the_worst_finding_decides() -> None:
    """A fault outweighs a warning, a warning outweighs what holds, nothing is fine."""
    assert worst([]) is Verdict.OK
    assert worst([good("a", ""), warning("b", "", "x")]) is Verdict.WARNING
    assert worst([fault("c", "", "x"), warning("b", "", "x")]) is Verdict.FAULT
