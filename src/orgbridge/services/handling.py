"""How a load is carried out, as its caller chooses: canary, locks, before-images, delta. Kept in the load's options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from orgbridge.services.errors import InvalidRequest
from orgbridge.wire.bulk import IngestOperation

#: Rows of a canary, and rounds of rows that could not be locked, at most.
MAX_CANARY, MAX_ROUNDS = 100_000, 20
_TRUTH: Final = {
    "true": True,
    "1": True,
    "yes": True,
    "on": True,
    "false": False,
    "0": False,
    "no": False,
    "off": False,
}
#: Name -> what it means, for documents.
HANDLING_OPTIONS: Final[dict[str, str]] = {
    "canary": "So many rows go first, alone; the rest follows only when few enough of them fail.",
    "max_failure_ratio": "Share of failed rows, 0 to 1, above which nothing more is sent; 0.1 with a canary.",
    "row_retry": "Rounds in which rows that could not be locked are sent again; 5 unless said, 0 for none.",
    "serial": "One batch of rows at a time, for children that share few parents.",
    "group_by": (
        "Column of the file that names the parent: all its rows go in one job, so that jobs do not lock each other out."
    ),
    "before_images": "Keep what an update or upsert overwrites, for undo; by itself up to 10,000 rows.",
    "delta": "Leave out rows that are as they were when the same source was last loaded (update and upsert).",
    "delta_source": "What the source is called; the file's name unless said.",
    "delta_verify": "With delta: look a sample of the rows that are left out up in the org.",
}


def read_handling(given: Mapping[str, Any], operation: str) -> dict[str, Any]:
    """Return the options of a load as the worker reads them; what was not given is absent.

    Args:
        given: Options by name, as text or as JSON has them; names of others are passed over.
        operation: The load's operation.

    Raises:
        InvalidRequest: A value is out of range, or does not go with the operation; nothing was done.
    """
    found: dict[str, Any] = {}
    for name in HANDLING_OPTIONS:
        value = given.get(name)
        if value is None or value == "":
            continue
        match name:
            case "canary":
                found[name] = _whole(name, value, 1, MAX_CANARY)
            case "row_retry":
                found[name] = _whole(name, value, 0, MAX_ROUNDS)
            case "max_failure_ratio":
                found[name] = _share(name, value)
            case "delta_source" | "group_by":
                found[name] = str(value)[:255]
            case _:
                found[name] = _truth(name, value)
    if found.get("delta") and operation.casefold() not in (IngestOperation.UPDATE, IngestOperation.UPSERT):
        raise InvalidRequest("delta goes with update and upsert: other rows have no key by which they are known again.")
    return found


def _whole(name: str, value: Any, least: int, most: int) -> int:
    text = str(value)
    if not (text.isascii() and text.isdigit() and len(text) <= 8 and least <= int(text) <= most):
        raise InvalidRequest(f"{name} must be a whole number from {least} to {most}.")
    return int(text)


def _share(name: str, value: Any) -> float:
    try:
        share = float(value)
    except (TypeError, ValueError):
        share = -1.0
    if not 0 <= share <= 1:
        raise InvalidRequest(f"{name} must be a number from 0 to 1.")
    return share


def _truth(name: str, value: Any) -> bool:
    known = _TRUTH.get(str(value).casefold())
    if known is None:
        raise InvalidRequest(f"{name} must be true or false.")
    return known
