"""Saving rows from within a commerce call: as the platform, and one bad row refuses the call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.org.outcomes import SaveOutcome
from orgbridge.emulator.schema.errors import SFError
from orgbridge.emulator.storage.database import Connection


def insert_row(call: Call, connection: Connection, sobject: str, row: Mapping[str, Any]) -> str:
    """Insert one row for the caller and return its id.

    Raises:
        SFError: The row does not keep the org's rules; nothing was written.
    """
    return _kept(call.parts.org.insert_in(connection, sobject, [row], user_id=call.user_id, system=True))


def update_row(call: Call, connection: Connection, sobject: str, row: Mapping[str, Any]) -> None:
    """Update one row by its `Id`.

    Raises:
        SFError: The row does not keep the org's rules; nothing was written.
    """
    _kept(call.parts.org.update_in(connection, sobject, [row], user_id=call.user_id, system=True))


def delete_rows(call: Call, connection: Connection, sobject: str, ids: list[str]) -> None:
    """Delete rows with what hangs on them, as the administrator: whether the caller may was asked before.

    Raises:
        SFError: One of them cannot be deleted; the caller's transaction undoes the others.
    """
    for outcome in call.parts.org.delete_in(connection, ids, user_id=call.parts.org.admin_id, sobject=sobject):
        _kept([outcome])


def _kept(outcomes: list[SaveOutcome]) -> str:
    (outcome,) = outcomes
    if outcome.errors:
        raise SFError.from_fault(outcome.errors[0])
    return outcome.id or ""
