"""What a call was and what became of it, in few words: labels of figures and names of spans, never a value."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from orgbridge.kit.metrics import CALL_SECONDS, counter, histogram

#: Resources below `/services/data/vXX.X/`; of those with a second word the second is told too.
_RESOURCES: Final = frozenset(
    {"sobjects", "query", "queryAll", "search", "parameterizedSearch", "limits", "recent", "tooling", "ui-api"}
)
_WITH_SECOND: Final = {
    "jobs": frozenset({"ingest", "query"}),
    "composite": frozenset({"sobjects", "batch", "tree", "graph"}),
    "commerce": frozenset({"webstores", "quotes", "orders"}),
    "connect": frozenset({"files", "communities"}),
}
CALLS = histogram(
    "orgbridge_salesforce_call_duration_seconds",
    "Time from a call to Salesforce until the headers of its reply came, by kind of call and outcome.",
    ("kind", "outcome"),
    CALL_SECONDS,
)
RETRIES = counter("orgbridge_salesforce_retries_total", "Calls to Salesforce that were made again.", ("kind",))


class Outcome(StrEnum):
    """What became of a call."""

    OK = "ok"
    UNCHANGED = "unchanged"
    UNAUTHORIZED = "unauthorized"
    THROTTLED = "throttled"
    REFUSED = "refused"
    FAILED = "failed"
    #: The connection could not be made; nothing was sent.
    UNSENT = "unsent"
    #: The connection broke after sending; nobody knows.
    LOST = "lost"


def kind_of(path: str) -> str:
    """Return the kind of a call: its resource, without names, ids or values of it."""
    parts = path.split("/", 7)
    if len(parts) < 5 or parts[1] != "services" or parts[2] != "data":
        return "apexrest" if parts[1:3] == ["services", "apexrest"] else "other"
    resource = parts[4]
    second = parts[5] if len(parts) > 5 else ""
    if resource == "sobjects":
        return "describe" if "describe" in parts[5:7] or not second else "sobjects"
    if (seconds := _WITH_SECOND.get(resource)) is not None:
        return f"{resource}/{second}" if second in seconds else resource
    if resource in _RESOURCES:
        return resource
    return "versions" if not resource else "other"


def outcome_of(status: int) -> Outcome:
    """Return the outcome of a reply."""
    match status:
        case 304:
            return Outcome.UNCHANGED
        case 401:
            return Outcome.UNAUTHORIZED
        case 429:
            return Outcome.THROTTLED
        case _ if status >= 500:
            return Outcome.FAILED
        case _ if status >= 300:
            return Outcome.REFUSED
        case _:
            return Outcome.OK
