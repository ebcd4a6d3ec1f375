"""The org with every way in which rows are saved and deleted.

Methods without `_in` open their own transaction; those with a `connection` work inside the caller's. All of them
block: call them in threads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from orgbridge.emulator.org.batches import table_of
from orgbridge.emulator.org.outcomes import SaveOutcome, ValueMode
from orgbridge.emulator.org.planned import PlannedOrg
from orgbridge.emulator.org.saving import external_key, roll_back_all
from orgbridge.emulator.storage.database import Connection
from orgbridge.wire.bulk import IngestOperation


class Org(PlannedOrg):
    """One emulated org: what `FoundedOrg` is made of, with rows to read, save and delete."""

    # -- saving --------------------------------------------------------------------------------------------------

    def insert(
        self,
        sobject: str,
        rows: Sequence[Mapping[str, Any]],
        *,
        user_id: str,
        mode: ValueMode = ValueMode.JSON,
        all_or_none: bool = False,
        allow_duplicates: bool = False,
    ) -> list[SaveOutcome]:
        """Insert records, in one transaction; a bad record does not stop the others.

        Args:
            sobject: API name of the object.
            rows: One mapping per record; keys are field names or relationships, `attributes` is ignored.
            user_id: Who inserts.
            mode: How the values are written.
            all_or_none: Keep nothing when one record is bad.
            allow_duplicates: Save what duplicate rules only warn of (`allowSave` of Sforce-Duplicate-Rule-Header).

        Raises:
            SFError: 404, there is no such object. Nothing was saved.
        """
        with self.storage.write() as connection:
            return self.insert_in(
                connection,
                sobject,
                rows,
                user_id=user_id,
                mode=mode,
                all_or_none=all_or_none,
                allow_duplicates=allow_duplicates,
            )

    def insert_in(
        self,
        connection: Connection,
        sobject: str,
        rows: Sequence[Mapping[str, Any]],
        *,
        user_id: str,
        mode: ValueMode = ValueMode.JSON,
        all_or_none: bool = False,
        system: bool = False,
        allow_duplicates: bool = False,
        writer: str | None = None,
    ) -> list[SaveOutcome]:
        """Do `insert` inside the caller's write transaction; `system` lets read-only fields be given."""
        context = self._context(connection, user_id, system=system, allow_duplicates=allow_duplicates, writer=writer)
        if not rows:
            return []
        target = self._target(context, sobject)
        if _is_one(rows, mode) and (saved := self._plans.insert(context, target, rows[0])) is not None:
            return [saved]
        names, cells = _columns_of(rows)
        self._begin(connection, all_or_none)
        outcomes = self._saving.insert(context, target, names, cells, mode)
        return self._end(connection, all_or_none, outcomes)

    def update(
        self,
        sobject: str,
        rows: Sequence[Mapping[str, Any]],
        *,
        user_id: str,
        mode: ValueMode = ValueMode.JSON,
        all_or_none: bool = False,
        allow_duplicates: bool = False,
    ) -> list[SaveOutcome]:
        """Update records, each found by its `Id`, in one transaction. As `insert` in all else."""
        with self.storage.write() as connection:
            return self.update_in(
                connection,
                sobject,
                rows,
                user_id=user_id,
                mode=mode,
                all_or_none=all_or_none,
                allow_duplicates=allow_duplicates,
            )

    def update_in(
        self,
        connection: Connection,
        sobject: str,
        rows: Sequence[Mapping[str, Any]],
        *,
        user_id: str,
        mode: ValueMode = ValueMode.JSON,
        all_or_none: bool = False,
        system: bool = False,
        allow_duplicates: bool = False,
        writer: str | None = None,
    ) -> list[SaveOutcome]:
        """Do `update` inside the caller's write transaction."""
        context = self._context(connection, user_id, system=system, allow_duplicates=allow_duplicates, writer=writer)
        if not rows:
            return []
        target = self._target(context, sobject)
        if _is_one(rows, mode) and "Id" in rows[0]:
            row = dict(rows[0])
            if (saved := self._plans.update(context, target, row.pop("Id"), row)) is not None:
                return [saved]
        names, cells = _columns_of(rows)
        self._begin(connection, all_or_none)
        outcomes = self._saving.update(context, target, names, cells, mode)
        return self._end(connection, all_or_none, outcomes)

    def upsert(
        self,
        sobject: str,
        external_id_field: str,
        rows: Sequence[Mapping[str, Any]],
        *,
        user_id: str,
        mode: ValueMode = ValueMode.JSON,
        all_or_none: bool = False,
        allow_duplicates: bool = False,
    ) -> list[SaveOutcome]:
        """Insert or update records, each found by the field, in one transaction. As `insert` in all else.

        Raises:
            SFError: 404, there is no such object, or records cannot be found by that field. Nothing was saved.
        """
        with self.storage.write() as connection:
            return self.upsert_in(
                connection,
                sobject,
                external_id_field,
                rows,
                user_id=user_id,
                mode=mode,
                all_or_none=all_or_none,
                allow_duplicates=allow_duplicates,
            )

    def upsert_in(
        self,
        connection: Connection,
        sobject: str,
        external_id_field: str,
        rows: Sequence[Mapping[str, Any]],
        *,
        user_id: str,
        mode: ValueMode = ValueMode.JSON,
        all_or_none: bool = False,
        allow_duplicates: bool = False,
        writer: str | None = None,
    ) -> list[SaveOutcome]:
        """Do `upsert` inside the caller's write transaction."""
        context = self._context(connection, user_id, allow_duplicates=allow_duplicates, writer=writer)
        target = self._target(context, sobject)
        key = external_key(context.seen(target), external_id_field)
        if not rows:
            return []
        if _is_one(rows, mode) and (saved := self._plans.upsert(context, target, key, rows[0])) is not None:
            return [saved]
        names, cells = _columns_of(rows)
        self._begin(connection, all_or_none)
        outcomes = self._saving.upsert(context, target, key, names, cells, mode)
        return self._end(connection, all_or_none, outcomes)

    def dml_cells(
        self,
        connection: Connection,
        sobject: str,
        operation: IngestOperation,
        header: Sequence[str],
        rows: Sequence[Sequence[str]],
        *,
        external_id_field: str | None = None,
        user_id: str,
        now: datetime | None = None,
        writer: str | None = None,
    ) -> list[SaveOutcome]:
        """Do what an ingest job does with a batch of CSV rows, inside the caller's write transaction.

        Args:
            connection: The open write transaction.
            sobject: API name of the object.
            operation: What to do with each row.
            header: A header that `check_header` let pass.
            rows: One sequence of cells per record, as many as the header has names.
            external_id_field: For an upsert; `Id` when None.
            user_id: Who does it.
            now: The instant for system fields; the clock's when None.
            writer: The job, which keeps the parents of its rows locked as long as the org's policies say.

        Returns:
            One outcome per row, in their order.

        Raises:
            ValueError: A row has more or fewer cells than the header. Nothing was saved.
            SFError: 404, there is no such object, or records cannot be found by that field. Nothing was saved.
        """
        if not rows:
            return []
        cells: list[Sequence[str]] = list(zip(*rows, strict=True))
        return list(
            self.dml_columns(
                connection,
                sobject,
                operation,
                header,
                cells,
                external_id_field=external_id_field,
                user_id=user_id,
                now=now,
                writer=writer,
            )
        )

    def dml_columns(
        self,
        connection: Connection,
        sobject: str,
        operation: IngestOperation,
        header: Sequence[str],
        cells: Sequence[Sequence[str]],
        *,
        external_id_field: str | None = None,
        user_id: str,
        now: datetime | None = None,
        writer: str | None = None,
    ) -> Sequence[SaveOutcome]:
        """Do `dml_cells` with at least one record, given by column."""
        context = replace(self._context(connection, user_id, writer=writer), now=now or self.clock.now())
        target = self._target(context, sobject)
        if len(cells) != len(header):
            raise ValueError(f"rows of {len(cells)} cells under a header of {len(header)}")
        match operation:
            case IngestOperation.INSERT:
                return self._saving.insert(context, target, header, cells, ValueMode.CSV)
            case IngestOperation.UPDATE:
                return self._saving.update(context, target, header, cells, ValueMode.CSV)
            case IngestOperation.UPSERT:
                key = external_key(context.seen(target), external_id_field or "Id")
                return self._saving.upsert(context, target, key, header, cells, ValueMode.CSV)
            case IngestOperation.DELETE | IngestOperation.HARD_DELETE:
                place = [name.lower() for name in header].index("id")
                hard = operation is IngestOperation.HARD_DELETE
                return self._recycling.delete(context, cells[place], sobject=target, hard=hard)

    # -- deleting ------------------------------------------------------------------------------------------------

    def delete(
        self,
        ids: Sequence[str],
        *,
        user_id: str,
        hard: bool = False,
        all_or_none: bool = False,
        sobject: str | None = None,
    ) -> list[SaveOutcome]:
        """Delete rows of any objects with their cascade of children, in one transaction; outcomes in order."""
        with self.storage.write() as connection:
            return self.delete_in(connection, ids, user_id=user_id, hard=hard, all_or_none=all_or_none, sobject=sobject)

    def delete_in(
        self,
        connection: Connection,
        ids: Sequence[str],
        *,
        user_id: str,
        hard: bool = False,
        all_or_none: bool = False,
        sobject: str | None = None,
    ) -> list[SaveOutcome]:
        """Do `delete` inside the caller's write transaction."""
        context = self._context(connection, user_id)
        target = self._target(context, sobject) if sobject else None
        self._begin(connection, all_or_none)
        outcomes = self._recycling.delete(context, ids, sobject=target, hard=hard)
        return self._end(connection, all_or_none, outcomes)

    def undelete(self, ids: Sequence[str], *, user_id: str) -> list[SaveOutcome]:
        """Bring rows back from the recycle bin, with what was deleted along with them; outcomes in order."""
        with self.storage.write() as connection:
            return self._recycling.undelete(self._context(connection, user_id), ids)

    # -- transactions --------------------------------------------------------------------------------------------

    def _begin(self, connection: Connection, all_or_none: bool) -> None:
        if all_or_none:
            connection.execute("SAVEPOINT all_or_none")

    def _end(self, connection: Connection, all_or_none: bool, outcomes: Sequence[SaveOutcome]) -> list[SaveOutcome]:
        outcomes = list(outcomes)
        if not all_or_none:
            return outcomes
        good = all(outcome.success for outcome in outcomes)
        if not good:
            connection.execute("ROLLBACK TO all_or_none")
        connection.execute("RELEASE all_or_none")
        return outcomes if good else roll_back_all(outcomes)


def _is_one(rows: Sequence[Mapping[str, Any]], mode: ValueMode) -> bool:
    """Tell whether a call is about one record, for which there may be a plan."""
    return len(rows) == 1 and mode is ValueMode.JSON


def _columns_of(rows: Sequence[Mapping[str, Any]]) -> tuple[Sequence[str], Sequence[Sequence[Any]]]:
    """Return records as columns; of records that name no field, a column of ids that are not given."""
    names, cells = table_of(rows)
    return (names, cells) if names else (("Id",), [[None] * len(rows)])
