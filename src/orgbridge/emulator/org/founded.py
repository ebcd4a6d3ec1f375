"""The org itself: its identity, its objects, and what of them each user may see."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Self

from orgbridge.emulator.org import columns, founding
from orgbridge.emulator.org.contexts import Context
from orgbridge.emulator.org.duplicates import check_duplicate_rules
from orgbridge.emulator.org.leaves import Leaves
from orgbridge.emulator.org.locks import RowLocks
from orgbridge.emulator.org.policies import Policies
from orgbridge.emulator.org.recycling import Recycling
from orgbridge.emulator.org.rights import Rights
from orgbridge.emulator.org.rowplans import RowPlans
from orgbridge.emulator.org.rules import Rulebook
from orgbridge.emulator.org.saving import Saving, external_key
from orgbridge.emulator.org.showing import RowViews
from orgbridge.emulator.schema.errors import SFError
from orgbridge.emulator.schema.model import Catalogue, Field, SObject
from orgbridge.emulator.storage.database import Connection, Storage
from orgbridge.kit.clock import Clock
from orgbridge.wire.bulk import IngestOperation

#: Salesforce's words for what is not there.
NO_RESOURCE = "The requested resource does not exist"


class FoundedOrg:
    """An org on its storage: its objects, and who may see which.

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
        self._plans = RowPlans(self._book)
        self._leaves = Leaves(self._book)
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

    def through(self, storage: Storage) -> Self:
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
            raise SFError("NOT_FOUND", NO_RESOURCE)
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
            raise SFError("NOT_FOUND", NO_RESOURCE)
        return found
