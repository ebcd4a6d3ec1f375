"""The org as single records are saved and deleted that need nothing but their own row: short work, fit for an event
loop.

Each method opens its own transaction, and returns None, with nothing written, when the record needs more than that:
what is wrong with it, if anything, only the methods of `Org` can tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orgbridge.emulator.org.outcomes import SaveOutcome
from orgbridge.emulator.org.readable import ReadableOrg


class PlannedOrg(ReadableOrg):
    """An org that saves sound records by plans.

    Every method raises SFError, 404, when there is no such object for the user; nothing was written then.
    """

    def insert_by_plan(self, sobject: str, row: Mapping[str, Any], *, user_id: str) -> SaveOutcome | None:
        """Insert a record."""
        with self.storage.write_once() as connection:
            context = self._context(connection, user_id)
            return self._plans.insert(context, self._target(context, sobject), row)

    def update_by_plan(
        self, sobject: str, record_id: str, row: Mapping[str, Any], *, user_id: str
    ) -> SaveOutcome | None:
        """Update a record by its id of 18 characters."""
        with self.storage.write_once() as connection:
            context = self._context(connection, user_id)
            return self._plans.update(context, self._target(context, sobject), record_id, row)

    def upsert_by_plan(
        self, sobject: str, external_id_field: str, row: Mapping[str, Any], *, user_id: str
    ) -> SaveOutcome | None:
        """Insert or update a record, found by the field, which it names as describe does."""
        with self.storage.write_once() as connection:
            context = self._context(connection, user_id)
            target = self._target(context, sobject)
            key = target.field(external_id_field)
            return None if key is None else self._plans.upsert(context, target, key, row)

    def delete_leaf(self, sobject: str, record_id: str, *, user_id: str) -> SaveOutcome | None:
        """Delete a row that nothing hangs below and no row points to, by its id of 18 characters."""
        with self.storage.write() as connection:
            context = self._context(connection, user_id)
            return self._leaves.delete(context, self._target(context, sobject), record_id)
