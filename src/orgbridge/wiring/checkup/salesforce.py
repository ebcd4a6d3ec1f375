"""Checks at Salesforce: sign-in, API access, version, clock, permissions, what is left of the org's limits."""

from __future__ import annotations

from collections.abc import Mapping, Set
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from orgbridge.client import RefreshCredentials
from orgbridge.client.errors import AccessRefused, AuthenticationFailed, ConsentNeeded, NotFound
from orgbridge.client.transport.exchange import Reply
from orgbridge.kit.clock import Clock
from orgbridge.kit.errors import OrgbridgeError
from orgbridge.kit.json import JSON
from orgbridge.orgs.connections import OrgConnection
from orgbridge.soql.quoting import bind
from orgbridge.store.database import Database
from orgbridge.wire.versions import parse_version
from orgbridge.wiring.checkup.findings import Finding, fault, good, warning, within
from orgbridge.wiring.errors import SettingsError
from orgbridge.wiring.settings import Settings
from orgbridge.wiring.startup import org_config

SIGN_IN, ACCESS, VERSION, CLOCK = "Salesforce sign-in", "Salesforce API access", "Salesforce API version", "clock"
SETUP, HARD_DELETE = "permission View Setup and Configuration", "permission Bulk API Hard Delete"
_SECONDS = 15.0
#: A JWT is good for three minutes, so a clock that goes wrong by more than half of it will be refused now and then.
#: Source: facts/salesforce/auth.md (JWT bearer).
_SKEW_WARNING, _SKEW_FAULT = 30.0, 90.0
#: What is asked of the org's limits, what it is called here, and what mends it.
_LIMITS = (
    ("DailyApiRequests", "Salesforce API requests", "for these 24 hours", "wait, or let fewer systems call the org"),
    ("DailyBulkApiBatches", "Salesforce bulk batches", "for these 24 hours", "wait, or load in larger parts"),
    ("DataStorageMB", "Salesforce data storage", "MB", "delete records, or buy storage: inserts will be refused"),
)
#: Share of a limit from which people should know.
_LITTLE_LEFT = 0.1
_PERMISSIONS = (
    "SELECT PermissionSet.PermissionsBulkApiHardDelete FROM PermissionSetAssignment WHERE AssigneeId = :user LIMIT 2000"
)
_NO_ACCESS = "give the user the permission API Enabled, by profile or permission set, in an edition that has the API"


async def look(settings: Settings, clock: Clock, *, tables: bool = False) -> list[Finding]:
    """Sign in and look at the org, as far as one thing does not depend on another that is faulty.

    Args:
        settings: All settings.
        clock: This machine's.
        tables: Whether the database holds: then what is found out counts for all processes, and a sign-in that goes
            well lets parked loads go on.
    """
    try:
        config = org_config(settings)
    except SettingsError as error:
        return [fault(SIGN_IN, one.reason, f"set {one.name}") for one in error.faults]
    if not tables and isinstance(config.credentials, RefreshCredentials):
        return [fault(SIGN_IN, "not tried: which refresh token is good now is in the database", "mend that first")]
    database = Database(settings.database_url) if tables else None
    connection = OrgConnection(config, clock, database)
    connection.consent.insist()
    try:
        found = [await within(_SECONDS, _late(SIGN_IN, settings.token_url), _sign_in(connection, settings))]
        if found[-1].holds:
            found += await _signed_in(connection, settings, clock)
    finally:
        await connection.close()
        if database is not None:
            await database.close()
    return found


def _late(name: str, place: str) -> Finding:
    remedy = "check SALESFORCE_TOKEN_URL, proxies and firewalls"
    return fault(name, f"no answer within {_SECONDS:.0f} s from {place}", remedy)


async def _signed_in(connection: OrgConnection, settings: Settings, clock: Clock) -> list[Finding]:
    instance = (await connection.salesforce.tokens.get()).instance_url
    heard: list[Reply] = []
    version = await within(_SECONDS, _late(VERSION, instance), _version(connection, settings, heard))
    found = [version]
    if heard:
        found.append(judge_clock(heard[0].headers, clock.now()))
    if not version.holds:
        return found
    access = await within(_SECONDS, _late(ACCESS, instance), _access(connection))
    found.append(access)
    if not access.holds:
        return found
    limits: list[Finding] = []
    setup = await within(_SECONDS, _late(SETUP, instance), _setup(connection, limits))
    deleting = await within(_SECONDS, _late(HARD_DELETE, instance), _hard_delete(connection))
    return [*found, setup, deleting, *limits]


async def _sign_in(connection: OrgConnection, settings: Settings) -> Finding:
    try:
        token = await connection.salesforce.tokens.get()
    except AuthenticationFailed as error:
        word = f" ({error.error})" if error.error else ""
        if isinstance(error, ConsentNeeded):
            word += "; the org is marked needs_reconsent: its loads wait and go on by themselves"
        return fault(SIGN_IN, f"{error.cause}{word}", error.remedy)
    except OrgbridgeError as error:
        detail = f"{settings.token_url} does not answer: {error.message}"
        return fault(SIGN_IN, detail, "check SALESFORCE_TOKEN_URL and the network")
    return good(SIGN_IN, f"by {settings.auth_flow.value} at {token.instance_url}")


async def _version(connection: OrgConnection, settings: Settings, heard: list[Reply]) -> Finding:
    wanted = parse_version(settings.salesforce_api_version)
    assert wanted is not None, "the settings were checked"
    try:
        reply = await connection.salesforce.request("GET", "/services/data/", idempotent=True)
        heard.append(reply)
        served = _versions(reply.json())
    except OrgbridgeError as error:
        detail = f"the versions that the org serves cannot be read: {error.message}"
        return fault(VERSION, detail, "check the network to the org's instance, and proxies that answer for it")
    return judge_versions(served, wanted)


def judge_versions(served: Set[int], wanted: int) -> Finding:
    """Return whether the wanted version of the API is among those that the org serves."""
    if wanted not in served:
        known = f"v{min(served)}.0 to v{max(served)}.0" if served else "none"
        remedy = "set SALESFORCE_API_VERSION to one that the org serves"
        return fault(VERSION, f"the org does not serve v{wanted}.0; it serves {known}", remedy)
    return good(VERSION, f"v{wanted}.0 is served; the newest is v{max(served)}.0")


def _versions(value: JSON) -> set[int]:
    rows = value if isinstance(value, list) else []
    numbers = (parse_version(str(row.get("version"))) for row in rows if isinstance(row, dict))
    return {number for number in numbers if number is not None}


def judge_clock(headers: Mapping[str, str], now: datetime) -> Finding:
    """Return how far this machine's clock is from Salesforce's, by the Date of a reply that has just come.

    Args:
        headers: Of the reply.
        now: This machine's time.
    """
    try:
        there = parsedate_to_datetime(headers.get("Date", ""))
    except ValueError:
        return good(CLOCK, "the reply had no date to compare with")
    skew = (now - there.replace(tzinfo=there.tzinfo or UTC)).total_seconds()
    if abs(skew) < _SKEW_WARNING:
        return good(CLOCK, "agrees with Salesforce's")
    detail = f"{abs(skew):,.0f} s {'ahead of' if skew > 0 else 'behind'} Salesforce's; signed sign-ins will be refused"
    remedy = "let NTP or chrony set this machine's clock"
    return fault(CLOCK, detail, remedy) if abs(skew) >= _SKEW_FAULT else warning(CLOCK, detail, remedy)


async def _access(connection: OrgConnection) -> Finding:
    try:
        await connection.check()
    except AccessRefused as error:
        return fault(ACCESS, error.message, _NO_ACCESS)
    except OrgbridgeError as error:
        return fault(ACCESS, error.message, "see what the message says, and Salesforce's status page")
    return good(ACCESS, "the user may use the API")


async def _setup(connection: OrgConnection, limits: list[Finding]) -> Finding:
    try:
        told = await connection.salesforce.limits.get()
    except (AccessRefused, NotFound) as error:
        # The service goes on by the header that every reply carries; only the answer of /limits is missed.
        detail = f"missing: the org's limits cannot be read ({error.message})"
        return warning(SETUP, detail, "give the user View Setup and Configuration, by profile or permission set")
    except OrgbridgeError as error:
        return fault(SETUP, f"the org's limits cannot be read: {error.message}", "see what the message says")
    limits += judge_limits(told)
    return good(SETUP, "given: the org's limits can be read")


def judge_limits(told: Mapping[str, Any]) -> list[Finding]:
    """Return how much is left of each limit that loads need; limits that the org does not tell are left out.

    Args:
        told: The answer of `/limits`.
    """
    found = []
    for key, name, unit, remedy in _LIMITS:
        limit = told.get(key)
        if not isinstance(limit, dict) or not limit.get("Max"):
            continue
        most, left = int(limit["Max"]), int(limit.get("Remaining", 0))
        detail = f"{left:,} of {most:,} {'left ' + unit if unit.startswith('for') else unit + ' left'}"
        if left <= 0:
            found.append(fault(name, detail, remedy))
        elif left < most * _LITTLE_LEFT:
            found.append(warning(name, detail, remedy))
        else:
            found.append(good(name, detail))
    return found


async def _hard_delete(connection: OrgConnection) -> Finding:
    """Ask for the permission sets of the user, among which is the one that stands for the profile.

    Source: facts/salesforce/bulk2.md (the permission); Assumed: an org lets its integration user read these objects.
    """
    remedy = "give it by permission set if loads shall use the operation hardDelete; without it use delete"
    user = (await connection.salesforce.tokens.get()).user_id
    if user is None:
        return good(HARD_DELETE, "not told: the sign-in does not name the user")
    soql = bind(_PERMISSIONS, {"user": user})
    try:
        rows = (await connection.salesforce.query.page(soql)).records
    except OrgbridgeError as error:
        return good(HARD_DELETE, f"not told: the user's permission sets cannot be read ({error.message})")
    given = [(row.get("PermissionSet") or {}).get("PermissionsBulkApiHardDelete") for row in rows]
    if any(given):
        return good(HARD_DELETE, "given")
    if not given:
        return good(HARD_DELETE, "not told: the org names no permission set of the user")
    return warning(HARD_DELETE, "missing: loads with the operation hardDelete are refused", remedy)
