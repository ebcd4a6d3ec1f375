"""What `orgbridge doctor` looks at, from the settings outwards: each finding says what was seen and how to mend it."""

from __future__ import annotations

import asyncio
import fcntl
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from orgbridge.client.errors import AuthenticationFailed, ConsentNeeded, SalesforceError
from orgbridge.kit.clock import SystemClock
from orgbridge.kit.errors import OrgbridgeError
from orgbridge.kit.json import JSONDecodeError, loads
from orgbridge.orgs.connections import OrgConnection
from orgbridge.store.database import Database
from orgbridge.store.schema import check_schema
from orgbridge.wire.versions import parse_version
from orgbridge.wiring.errors import SettingsError
from orgbridge.wiring.local import CLI_FILE, local_settings
from orgbridge.wiring.settings import Settings, load_settings, unknown_names
from orgbridge.wiring.startup import make_data_folder, org_config

_GIBIBYTE = 1024**3
#: A load needs its input about three times: as it came, in parts, and in results.
_LOW_DISK_BYTES = 2 * _GIBIBYTE
_SALESFORCE_SECONDS = 20.0
_MISSING = "see .env.example; without a Salesforce of your own start `orgbridge up`, which brings one"
#: Share of the daily API requests from which people should know.
_FEW_REQUESTS_LEFT = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at. Never holds a secret."""

    #: What was looked at.
    name: str
    #: Whether it is as it should be.
    holds: bool
    #: What was seen.
    detail: str
    #: How to mend it; empty when there is nothing to mend.
    remedy: str = ""


async def examine(data: Path | None = None) -> list[Finding]:
    """Look at everything that a service and a worker need, and return what was found, in that order.

    What depends on something faulty is not looked at: one cause gives one fault.

    Args:
        data: Data folder; None takes ORGBRIDGE_DATA.
    """
    try:
        settings = await asyncio.to_thread(lambda: load_settings(orgbridge_data=data))
    except SettingsError as error:
        local = await asyncio.to_thread(_settings_of_up, data)
        if local is None:
            return [
                Finding(name=f"setting {fault.name}", holds=False, detail=fault.reason, remedy=_MISSING)
                for fault in error.faults
            ]
        settings, first = local, _of_up(local)
    else:
        first = _names(settings)
    findings = [first, await asyncio.to_thread(_folder, settings)]
    database = await asyncio.to_thread(_tables, settings)
    findings.append(database)
    if database.holds:
        findings.append(await _worker(settings))
    findings += await _salesforce(settings, tables=database.holds)
    return findings


def _settings_of_up(data: Path | None) -> Settings | None:
    """Return the settings of the house that `up` made in this folder; None when there is none or others are given."""
    try:
        given = load_settings(needs_salesforce=False, orgbridge_data=data)
        if any(name.startswith(("salesforce_", "sfcc_", "orgbridge_salesforce_")) for name in given.model_fields_set):
            return None
        folder = given.orgbridge_data.absolute()
        org_url = loads((folder / CLI_FILE).read_bytes())["org_url"]
        return local_settings(folder, str(org_url))
    except (SettingsError, OSError, JSONDecodeError, KeyError, TypeError):
        return None


def _of_up(settings: Settings) -> Finding:
    detail = (
        f"none for a Salesforce of your own; looking at what `orgbridge up` made, with its org at {settings.token_url}"
    )
    return Finding(name="settings", holds=True, detail=detail.removesuffix("/services/oauth2/token"))


def _names(settings: Settings) -> Finding:
    unknown = unknown_names()
    if unknown:
        return Finding(
            name="settings",
            holds=False,
            detail=f"{', '.join(unknown)} is read by nothing",
            remedy="correct the name, .env.example lists them all, or remove it",
        )
    return Finding(name="settings", holds=True, detail=f"complete; sign-in by {settings.auth_flow.value}")


def _folder(settings: Settings) -> Finding:
    try:
        folder = make_data_folder(settings)
    except SettingsError as error:
        return Finding(name="data folder", holds=False, detail=error.faults[0].reason, remedy="set ORGBRIDGE_DATA")
    free = shutil.disk_usage(folder).free
    if free < _LOW_DISK_BYTES:
        return Finding(
            name="data folder",
            holds=False,
            detail=f"{folder} has {free / _GIBIBYTE:.1f} GiB left; a load needs three times its file",
            remedy="free space, or set ORGBRIDGE_DATA to another disk",
        )
    return Finding(name="data folder", holds=True, detail=f"{folder}, {free / _GIBIBYTE:.0f} GiB free")


def _tables(settings: Settings) -> Finding:
    kind = "SQLite" if settings.psql_connection_string is None else "PostgreSQL"
    try:
        check_schema(settings.database_url)
    except OrgbridgeError as error:
        remedy = "orgbridge db upgrade" if error.code == "store.schema_outdated" else "check PSQL_CONNECTION_STRING"
        return Finding(name="database", holds=False, detail=error.message, remedy=remedy)
    return Finding(name="database", holds=True, detail=f"{kind}, tables up to date")


async def _worker(settings: Settings) -> Finding:
    remedy = "start `orgbridge worker`"
    database = Database(settings.database_url)
    try:
        if database.address.file is not None:
            file = database.address.file.parent / "engine.sqlite"
            held = await asyncio.to_thread(_locked, file.with_name(file.name + ".lock"))
            count = int(held)
        else:
            async with database.unit(write=False) as unit:
                count = len(await unit.leases.living())
    except OrgbridgeError as error:
        return Finding(name="worker", holds=False, detail=error.message, remedy="mend the database")
    finally:
        await database.close()
    if count == 0:
        return Finding(name="worker", holds=False, detail="none runs; loads wait until one does", remedy=remedy)
    return Finding(name="worker", holds=True, detail=f"{count} running")


def _locked(path: Path) -> bool:
    """Return whether a process holds the worker's lock."""
    try:
        with path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            fcntl.flock(file, fcntl.LOCK_UN)
    except OSError:
        pass
    return False


async def _salesforce(settings: Settings, *, tables: bool) -> list[Finding]:
    try:
        config = org_config(settings)
    except SettingsError as error:
        return [
            Finding(name="Salesforce sign-in", holds=False, detail=fault.reason, remedy=f"set {fault.name}")
            for fault in error.faults
        ]
    # What is found out counts for all processes: a sign-in that goes well lets parked loads go on.
    database = Database(settings.database_url) if tables else None
    connection = OrgConnection(config, SystemClock(), database)
    connection.consent.insist()
    findings: list[Finding] = []
    steps: tuple[Callable[[OrgConnection, Settings], object], ...] = (_sign_in, _version, _limits)
    try:
        for step in steps:
            async with asyncio.timeout(_SALESFORCE_SECONDS):
                finding = await step(connection, settings)  # type: ignore[misc]  # each is a coroutine function
            findings.append(finding)
            if not finding.holds:
                break
    except TimeoutError:
        findings.append(
            Finding(
                name="Salesforce",
                holds=False,
                detail=f"no answer within {_SALESFORCE_SECONDS:.0f} s from {settings.token_url}",
                remedy="check SALESFORCE_TOKEN_URL, proxies and firewalls",
            )
        )
    finally:
        await connection.close()
        if database is not None:
            await database.close()
    return findings


async def _sign_in(connection: OrgConnection, settings: Settings) -> Finding:
    name = "Salesforce sign-in"
    try:
        token = await connection.salesforce.tokens.get()
    except AuthenticationFailed as error:
        word = f" ({error.error})" if error.error else ""
        if isinstance(error, ConsentNeeded):
            word += "; the org is marked needs_reconsent: its loads wait and go on by themselves"
        return Finding(name=name, holds=False, detail=f"{error.cause}{word}", remedy=error.remedy)
    except OrgbridgeError as error:
        detail = f"{settings.token_url} does not answer: {error.message}"
        return Finding(name=name, holds=False, detail=detail, remedy="check SALESFORCE_TOKEN_URL and the network")
    return Finding(name=name, holds=True, detail=f"as the user of {token.instance_url}")


async def _version(connection: OrgConnection, settings: Settings) -> Finding:
    name, wanted = "Salesforce API version", settings.salesforce_api_version
    try:
        await connection.check()
    except SalesforceError as error:
        return Finding(
            name=name,
            holds=False,
            detail=f"the org refuses {wanted}: {error.message}",
            remedy="set SALESFORCE_API_VERSION to one that the org serves",
        )
    except OrgbridgeError as error:
        return Finding(name=name, holds=False, detail=error.message, remedy="check the network to the org's instance")
    return Finding(name=name, holds=True, detail=f"v{parse_version(wanted)}.0 is served")


async def _limits(connection: OrgConnection, _settings: Settings) -> Finding:
    name = "Salesforce API requests"
    try:
        limits = await connection.salesforce.limits.get()
    except OrgbridgeError as error:
        return Finding(
            name=name,
            holds=False,
            detail=f"the limits cannot be read: {error.message}",
            remedy="give the user the permission View Setup and Configuration",
        )
    daily = limits.get("DailyApiRequests") or {}
    allowed, left = int(daily.get("Max", 0)), int(daily.get("Remaining", 0))
    if allowed and left < allowed * _FEW_REQUESTS_LEFT:
        return Finding(
            name=name,
            holds=False,
            detail=f"{left:,} of {allowed:,} are left for these 24 hours",
            remedy="wait, or let fewer systems call the org",
        )
    return Finding(name=name, holds=True, detail=f"{left:,} of {allowed:,} left for these 24 hours")
