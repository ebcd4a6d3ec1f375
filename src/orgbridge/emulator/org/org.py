"""The org: its identity, its users, and every way in which rows are saved, deleted and read one by one.

Methods without `_in` open their own transaction; those with a `connection` work inside the caller's. All of them
block: call them in threads.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from orgbridge.emulator.org import columns, founding
from orgbridge.emulator.org.batches import table_of
from orgbridge.emulator.org.contexts import Context
from orgbridge.emulator.org.duplicates import check_duplicate_rules
from orgbridge.emulator.org.locks import RowLocks
from orgbridge.emulator.org.lookups import ids_by_key
from orgbridge.emulator.org.outcomes import SaveOutcome, ValueMode
from orgbridge.emulator.org.policies import Policies
from orgbridge.emulator.org.recycling import Recycling
from orgbridge.emulator.org.rights import Rights
from orgbridge.emulator.org.rules import Rulebook
from orgbridge.emulator.org.saving import Saving, external_key, roll_back_all
from orgbridge.emulator.org.sharing import shared_ids
from orgbridge.emulator.org.showing import RowViews
from orgbridge.emulator.org.values import is_unicode
from orgbridge.emulator.schema.errors import Fault, SFError
from orgbridge.emulator.schema.model import Catalogue, Field, SObject
from orgbridge.emulator.storage.database import Connection, Storage
from orgbridge.emulator.storage.tables import quote
from orgbridge.kit.clock import Clock
from orgbridge.kit.json import JSON
from orgbridge.wire.bulk import IngestOperation
from orgbridge.wire.fieldtypes import FieldType
from orgbridge.wire.ids import to_18

_NO_RESOURCE = "The requested resource does not exist"


@dataclass(frozen=True, slots=True, kw_only=True)
class UserInfo:
    """What signing in needs to know about a user."""

    #: Record id.
    id: str
    #: User name, as stored.
    username: str
    #: Full name.
    name: str
    #: E-mail address.
    email: str
    #: False for one who may not sign in.
    is_active: bool


class Org:
    """One emulated org on its storage.

    Args:
        storage: Where the rows are; tables and the org's first rows are made when they are not there.
        catalogue: The objects of the org.
        clock: Gives the instants of system fields.
        policies: What the org asks beyond its objects; a new org's when None.

    Raises:
        UnknownObjectError: A duplicate rule compares what is not there. Nothing was written.
    """

    def __init__(self, storage: Storage, catalogue: Catalogue, clock: Clock, policies: Policies | None = None) -> None:
        self.storage = storage
        self.clock = clock
        #: What the org asks beyond its objects.
        self.policies = policies or Policies()
        check_duplicate_rules(catalogue, self.policies.duplicate_rules)
        #: Who holds which rows.
        self.locks = RowLocks(clock, self.policies.lock_seconds, self.policies.lock_rows)
        self._take(catalogue)
        storage.migrate(catalogue)
        with storage.write() as connection:
            found = founding.found_org(
                self._saving,
                catalogue,
                connection,
                clock.now(),
                self.policies.profiles,
            )
        #: Id of the org, `00D…`.
        self.org_id = found.org_id
        #: Id of the first administrator, `005…`.
        self.admin_id = found.admin_id
        #: Id of the standard price book, `01s…`.
        self.standard_pricebook_id = found.standard_pricebook_id

    def _take(self, catalogue: Catalogue) -> None:
        #: The objects of the org.
        self.catalogue = catalogue
        self._rights = Rights(catalogue, self.policies.profiles)
        self._book = Rulebook(catalogue, self.locks, self.policies.duplicate_rules)
        self._saving = Saving(self._book)
        self._recycling = Recycling(catalogue)
        self._views = RowViews()

    def use(self, catalogue: Catalogue, connection: Connection) -> None:
        """Have other objects from now on; their record types get their rows.

        Args:
            catalogue: The objects; their tables are there.
            connection: The open write transaction, in which nobody else can be saving.
        """
        self._take(catalogue)
        founding.add_record_types(self._saving, catalogue, self._context(connection, self.admin_id, system=True))

    def through(self, storage: Storage) -> Org:
        """Return this org as it is seen through another storage of the same file, such as one open transaction."""
        twin = copy.copy(self)
        twin.storage = storage
        return twin

    # -- names ---------------------------------------------------------------------------------------------------

    def sobject(self, name: str, *, user_id: str | None = None) -> SObject:
        """Return the object of that API name, as a user sees it when one is named.

        Raises:
            SFError: 404 NOT_FOUND, there is no such object.
        """
        found = (self.catalogue if user_id is None else self.view(user_id)).sobject(name)
        if found is None:
            raise SFError("NOT_FOUND", _NO_RESOURCE)
        return found

    def external_key(self, sobject: str, name: str, *, user_id: str | None = None) -> Field:
        """Return the field that an upsert may find records by.

        Raises:
            SFError: 404 NOT_FOUND, there is no such object or the field is neither external id nor id lookup.
        """
        return external_key(self.sobject(sobject, user_id=user_id), name)

    def check_header(
        self,
        sobject: str,
        operation: IngestOperation,
        header: Sequence[str],
        external_id_field: str | None = None,
        *,
        user_id: str | None = None,
    ) -> None:
        """Refuse a CSV header with which an ingest job cannot begin.

        Raises:
            SFError: `{code} : {message}` is the job's `errorMessage`.
        """
        seen = self.catalogue if user_id is None else self.view(user_id)
        target = seen.sobject(sobject) or self.sobject(sobject)
        columns.check_header(seen, target, operation, header, external_id_field)

    def view(self, user_id: str) -> Catalogue:
        """Return the objects and fields as a user may see and write them."""
        with self.storage.read() as connection:
            return self._rights.view(connection, user_id) or self.catalogue

    def may_hard_delete(self, user_id: str) -> bool:
        """Tell whether a user may delete past the recycle bin. Source: facts/salesforce/bulk2.md section 2."""
        with self.storage.read() as connection:
            return self._rights.may_hard_delete(connection, user_id)

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
        names, cells = table_of(rows)
        target = self._target(context, sobject)
        if not names:
            names, cells = ("Id",), [[None] * len(rows)]
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
        names, cells = table_of(rows)
        if not names:
            names, cells = ("Id",), [[None] * len(rows)]
        target = self._target(context, sobject)
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
        names, cells = table_of(rows)
        if not names:
            names, cells = ("Id",), [[None] * len(rows)]
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

    # -- reading -------------------------------------------------------------------------------------------------

    def require(self, sobject: str, record_id: str, *, user_id: str | None = None) -> str:
        """Return the 18-character id of a live row, of an object that the user may see when one is named.

        Raises:
            SFError: 404 NOT_FOUND, there is no such object or row; 404 ENTITY_IS_DELETED, it is in the recycle bin.
        """
        target = self.sobject(sobject, user_id=user_id)
        with self.storage.read() as connection:
            return self._find(connection, target, record_id, user_id)

    def require_in(self, connection: Connection, sobject: str, record_id: str, *, user_id: str | None = None) -> str:
        """Do `require` inside the caller's transaction."""
        target = self.sobject(sobject)
        if user_id is not None and (view := self._rights.view(connection, user_id)) is not None:
            target = view.sobject(sobject) or target
        return self._find(connection, target, record_id, user_id)

    def reaches_little(self, sobject: SObject, row: Mapping[str, Any]) -> bool:
        """Tell whether saving a row reads and writes a few rows found by index at most, whatever the org holds."""
        return self._book.rules(sobject).reaches_little(row)

    def get(
        self, sobject: str, record_id: str, fields: Iterable[str] | None = None, *, user_id: str | None = None
    ) -> dict[str, JSON]:
        """Return a row as REST shows it, without `attributes`: values by API name, in the order asked for.

        Base64 fields show as 1 or 0, whether there are bytes: the address to read them at is the caller's work.

        Args:
            sobject: API name of the object.
            record_id: 15 or 18 characters.
            fields: API names in any case; None for all. `Id` is added when it is not among them.
            user_id: Who reads: what is hidden from that user is not there; None for the platform itself.

        Raises:
            SFError: 404 as `require`; 400 INVALID_FIELD, the object has no such field.
        """
        with self.storage.read() as connection:
            seen = self.catalogue if user_id is None else self._rights.view(connection, user_id) or self.catalogue
            target = seen.sobject(sobject)
            if target is None:
                raise SFError("NOT_FOUND", _NO_RESOURCE)
            view = self._views.view(target, fields)
            found = to_18(record_id)
            row = None if found is None else connection.execute(view.sql, (found,)).fetchone()
            if row is not None and found is not None and user_id is not None and target.sharing is not None:
                row = row if shared_ids(connection, target, (found,), user_id) else None
        if row is None:
            raise SFError("NOT_FOUND", _NO_RESOURCE)
        if row[-1]:
            raise SFError("ENTITY_IS_DELETED", "entity is deleted", fields=())
        return view.values(row)

    def find_by_key(self, sobject: str, field: str, value: str, *, user_id: str | None = None) -> list[str]:
        """Return the ids of the live rows whose external id (or other lookup field) has a value, in order.

        Raises:
            SFError: 404, there is no such object or field to look by.
        """
        target, key = self.sobject(sobject), self.external_key(sobject, field, user_id=user_id)
        if key.type is FieldType.ID:
            found = to_18(value)
            keys: set[str | int | float] = {found} if found else set()
        elif not is_unicode(value):
            return []
        else:
            stored = self._book.rules(target).checks[key.name](value)
            if isinstance(stored, Fault) or not isinstance(stored, str | int | float):
                return []
            keys = {key.key_of(stored) if isinstance(stored, str) and key.has_key else stored}
        with self.storage.read() as connection:
            return [record_id for ids in ids_by_key(connection, target, key, keys).values() for record_id in ids]

    def find_user(self, username: str) -> UserInfo | None:
        """Return the user of that name, or None. Case does not matter."""
        return self._user('"Username$key" = ?', username.casefold())

    def user(self, user_id: str) -> UserInfo | None:
        """Return the user of that id, or None."""
        return self._user("Id = ?", user_id)

    def _user(self, condition: str, value: str) -> UserInfo | None:
        sql = f'SELECT Id, Username, Name, Email, IsActive FROM "User" WHERE {condition}'  # noqa: S608 two fixed texts
        with self.storage.read() as connection:
            row = connection.execute(sql, (value,)).fetchone()
        if row is None:
            return None
        return UserInfo(id=row[0], username=row[1], name=row[2], email=row[3] or "", is_active=bool(row[4]))

    def _find(self, connection: Connection, target: SObject, record_id: str, user_id: str | None) -> str:
        found = to_18(record_id)
        row = None
        if found is not None:
            sql = f"SELECT IsDeleted FROM {quote(target.name)} WHERE Id = ?"  # noqa: S608 names come from the catalogue
            row = connection.execute(sql, (found,)).fetchone()
        if row is None or found is None:
            raise SFError("NOT_FOUND", _NO_RESOURCE)
        if user_id is not None and found not in shared_ids(connection, target, (found,), user_id):
            raise SFError("NOT_FOUND", _NO_RESOURCE)
        if row[0]:
            raise SFError("ENTITY_IS_DELETED", "entity is deleted", fields=())
        return found

    # -- transactions --------------------------------------------------------------------------------------------

    def _context(
        self,
        connection: Connection,
        user_id: str,
        *,
        system: bool = False,
        allow_duplicates: bool = False,
        writer: str | None = None,
    ) -> Context:
        return Context(
            connection=connection,
            user_id=user_id,
            now=self.clock.now(),
            system=system,
            view=None if system else self._rights.view(connection, user_id),
            allow_duplicates=allow_duplicates,
            writer=writer,
        )

    def _target(self, context: Context, name: str) -> SObject:
        """Return an object whose rows are to be written; one that is hidden from the user is not there."""
        found = self.sobject(name)
        if context.hides(found):
            raise SFError("NOT_FOUND", _NO_RESOURCE)
        return found

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
