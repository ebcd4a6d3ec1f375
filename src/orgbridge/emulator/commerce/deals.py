"""One piece of buyers' business: who deals, in which transaction, by which rules, and the rows it reads and writes.

Everything that one call changes is written through one `Deal`, whose transaction commits or vanishes as a whole.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from orgbridge.emulator.commerce.contexts import BuyerContext
from orgbridge.emulator.commerce.policy import CommercePolicy
from orgbridge.emulator.faults import Faults
from orgbridge.emulator.org.lookups import json_list
from orgbridge.emulator.org.org import Org
from orgbridge.emulator.schema.errors import SFError
from orgbridge.emulator.storage.database import Connection
from orgbridge.emulator.storage.tables import quote
from orgbridge.kit.json import JSON
from orgbridge.wire.dates import bulk_datetime
from orgbridge.wire.ids import to_18

#: A row as its columns hold it, by API name.
Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deal:
    """One call's business in one write transaction."""

    #: The org.
    org: Org
    #: The open write transaction.
    connection: Connection
    #: Who buys, for whom and where.
    buyer: BuyerContext
    #: API version of the call.
    version: int
    #: How the org behaves.
    policy: CommercePolicy
    #: Orders for trouble.
    faults: Faults

    @property
    def now(self) -> str:
        """The instant as rows hold it."""
        return bulk_datetime(self.org.clock.now())

    # -- reading -------------------------------------------------------------------------------------------------

    def find(self, sobject: str, record_id: str | None) -> Row | None:
        """Return a live row, or None."""
        found = None if record_id is None else to_18(record_id)
        rows = [] if found is None else self.rows(sobject, {"Id": found})
        return rows[0] if rows else None

    def get(self, sobject: str, record_id: str | None) -> Row:
        """Return a live row.

        Raises:
            SFError: MISSING_RECORD, there is none.
        """
        found = self.find(sobject, record_id)
        if found is None:
            raise missing(sobject, record_id)
        return found

    def rows(self, sobject: str, where: Mapping[str, object], order: str = "Id") -> list[Row]:
        """Return live rows, in the order of an SQL expression.

        Args:
            sobject: API name.
            where: Columns and the value each must have; a list stands for any of its values, None for no value.
            order: Columns to sort by.
        """
        tests, values = ["IsDeleted = 0"], list[object]()
        for name, value in where.items():
            if value is None:
                tests.append(f"{quote(name)} IS NULL")
            elif isinstance(value, list | tuple | set | frozenset):
                tests.append(f"{quote(name)} IN (SELECT value FROM json_each(?))")  # noqa: S608 names are ours
                values.append(json_list(value))
            else:
                tests.append(f"{quote(name)} = ?")
                values.append(value)
        sql = f"SELECT * FROM {quote(sobject)} WHERE {' AND '.join(tests)} ORDER BY {order}"  # noqa: S608 names are ours
        cursor = self.connection.execute(sql, values)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def by_id(self, sobject: str, ids: Collection[str]) -> dict[str, Row]:
        """Return live rows by their ids."""
        return {row["Id"]: row for row in self.rows(sobject, {"Id": list(ids)})} if ids else {}

    # -- writing -------------------------------------------------------------------------------------------------

    def add(self, sobject: str, rows: Sequence[Mapping[str, Any]]) -> list[str]:
        """Insert rows as the platform does for the buyer; return their ids.

        Raises:
            SFError: A row breaks a rule. The transaction is not to be kept.
        """
        outcomes = self.org.insert_in(
            self.connection, sobject, [_plain(row) for row in rows], user_id=self.buyer.user_id, system=True
        )
        ids = []
        for outcome in outcomes:
            if outcome.id is None or not outcome.success:
                raise SFError.from_fault(outcome.errors[0])
            ids.append(outcome.id)
        return ids

    def change(self, sobject: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Update rows, each with its `Id`.

        Raises:
            SFError: A row breaks a rule. The transaction is not to be kept.
        """
        outcomes = self.org.update_in(
            self.connection, sobject, [_plain(row) for row in rows], user_id=self.buyer.user_id, system=True
        )
        for outcome in outcomes:
            if not outcome.success:
                raise SFError.from_fault(outcome.errors[0])

    def remove(self, ids: Sequence[str], *, hard: bool = False) -> None:
        """Delete rows with their children, past the recycle bin if need be.

        Raises:
            SFError: A row cannot be deleted. The transaction is not to be kept.
        """
        if not ids:
            return
        for outcome in self.org.delete_in(self.connection, ids, user_id=self.org.admin_id, hard=hard):
            if not outcome.success:
                raise SFError.from_fault(outcome.errors[0])


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: float(value) if isinstance(value, Decimal) else value for name, value in row.items()}


def missing(what: str, record_id: str | None) -> SFError:
    """Return the error for a record that is not there for this buyer. Assumed: status and text."""
    return SFError("MISSING_RECORD", f"The {what} {record_id or ''} could not be found.".replace("  ", " "), 404)


def bad_input(text: str) -> SFError:
    """Return the error for a parameter or a body that is malformed. Source: facts/commerce/carts.md section 6."""
    return SFError("INVALID_API_INPUT", text, 400)


def required(body: Mapping[str, JSON], name: str) -> str:
    """Return a text that a body must have.

    Raises:
        SFError: It has none.
    """
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise bad_input(f"You must specify a value for the {name} parameter.")
    return value
