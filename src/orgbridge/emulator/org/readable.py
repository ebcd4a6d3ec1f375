"""The org as rows are read from it one by one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from orgbridge.emulator.org.founded import NO_RESOURCE, FoundedOrg
from orgbridge.emulator.org.lookups import ids_by_key
from orgbridge.emulator.org.sharing import shared_ids
from orgbridge.emulator.org.values import is_unicode
from orgbridge.emulator.schema.errors import Fault, SFError
from orgbridge.emulator.schema.model import SObject
from orgbridge.emulator.storage.database import Connection
from orgbridge.emulator.storage.tables import quote
from orgbridge.kit.json import JSON
from orgbridge.wire.fieldtypes import FieldType
from orgbridge.wire.ids import to_18


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


class ReadableOrg(FoundedOrg):
    """An org whose rows and users can be looked up."""

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
                raise SFError("NOT_FOUND", NO_RESOURCE)
            view = self._views.view(target, fields)
            found = to_18(record_id)
            row = None if found is None else connection.execute(view.sql, (found,)).fetchone()
            if row is not None and found is not None and user_id is not None and target.sharing is not None:
                row = row if shared_ids(connection, target, (found,), user_id) else None
        if row is None:
            raise SFError("NOT_FOUND", NO_RESOURCE)
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
            raise SFError("NOT_FOUND", NO_RESOURCE)
        if user_id is not None and found not in shared_ids(connection, target, (found,), user_id):
            raise SFError("NOT_FOUND", NO_RESOURCE)
        if row[0]:
            raise SFError("ENTITY_IS_DELETED", "entity is deleted", fields=())
        return found
