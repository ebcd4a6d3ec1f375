"""The order in which everything is looked at: settings, this machine, then Salesforce."""

from __future__ import annotations

from pathlib import Path

from orgbridge.kit.clock import Clock, SystemClock
from orgbridge.kit.json import JSONDecodeError, loads
from orgbridge.wiring.checkup import machine, salesforce
from orgbridge.wiring.checkup.findings import Finding, Verdict, aside, fault, good, warning
from orgbridge.wiring.errors import SettingsError
from orgbridge.wiring.local import CLI_FILE, local_settings
from orgbridge.wiring.settings import AuthFlow, Settings, load_settings, unknown_names

_MISSING = "see .env.example; without a Salesforce of your own start `orgbridge up`, which brings one"


async def examine(data: Path | None = None) -> list[Finding]:
    """Look at everything that a service and a worker need, and return what was found, in that order.

    What depends on something faulty is not looked at: one cause gives one fault. Every look ends in seconds, whatever
    hangs; all of them together in less than two minutes.

    Args:
        data: Data folder; None takes ORGBRIDGE_DATA.
    """
    try:
        settings = await aside(lambda: load_settings(orgbridge_data=data))
    except SettingsError as error:
        local = await aside(lambda: _settings_of_up(data))
        if local is None:
            return [fault(f"setting {one.name}", one.reason, _MISSING) for one in error.faults]
        return [_of_up(local), *await look_through(local)]
    return [_names(settings), *_flow(settings), *_transport(settings), *await look_through(settings)]


async def look_through(settings: Settings, clock: Clock | None = None) -> list[Finding]:
    """Look at everything that these settings name: folders, storage, database, workers, Salesforce.

    Args:
        settings: All settings.
        clock: This machine's; None takes the system's.
    """
    clock = clock or SystemClock()
    findings = [await machine.folder(settings), *await machine.exchange(settings)]
    storage = await machine.storage(settings)
    if storage is not None:
        findings.append(storage)
    database = await machine.database(settings)
    findings.append(database)
    tables = database.verdict is not Verdict.FAULT
    if tables:
        findings += await machine.workers(settings, clock)
    return [*findings, *await salesforce.look(settings, clock, tables=tables)]


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
    org = settings.token_url.removesuffix("/services/oauth2/token")
    detail = f"none for a Salesforce of your own; looking at what `orgbridge up` made, with its org at {org}"
    return good("settings", detail)


def _names(settings: Settings) -> Finding:
    unknown = unknown_names()
    if unknown:
        remedy = "correct the name, .env.example lists them all, or remove it"
        return warning("settings", f"{', '.join(unknown)} is read by nothing", remedy)
    return good("settings", f"complete; sign-in by {settings.auth_flow.value}")


def _flow(settings: Settings) -> list[Finding]:
    if settings.auth_flow is not AuthFlow.PASSWORD:
        return []
    detail = "Salesforce is retiring the username-password flow: existing apps keep it until Winter '27"
    remedy = "set up client credentials or JWT bearer and name it in SALESFORCE_AUTH_FLOW"
    return [warning("sign-in flow", detail, remedy)]


def _transport(settings: Settings) -> list[Finding]:
    if settings.plain_host is None:
        return []
    detail = f"the secret and every record travel to {settings.plain_host} unencrypted"
    remedy = "right for an emulated org; else write https:// in SALESFORCE_TOKEN_URL"
    return [warning("Salesforce transport", detail, remedy)]
