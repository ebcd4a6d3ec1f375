"""Which profile a user has, and the org as the users of that profile see it."""

from __future__ import annotations

from collections.abc import Sequence

from orgbridge.emulator.schema.model import Catalogue
from orgbridge.emulator.schema.profiles import ProfileRights, view
from orgbridge.emulator.storage.database import Connection


class Rights:
    """The rights of an org's users.

    Args:
        catalogue: The objects of the org.
        profiles: Profiles with rights of their own; users of any other may do everything.
    """

    def __init__(self, catalogue: Catalogue, profiles: Sequence[ProfileRights]) -> None:
        self._catalogue = catalogue
        self._profiles = {rights.name.lower(): rights for rights in profiles}
        self._views: dict[str, Catalogue] = {}

    def view(self, connection: Connection, user_id: str) -> Catalogue | None:
        """Return the org as a user sees it; None for one who sees and may do everything."""
        rights = self._of(connection, user_id)
        if rights is None:
            return None
        known = self._views.get(rights.name)
        if known is None:
            known = self._views[rights.name] = view(self._catalogue, rights)
        return known

    def may_hard_delete(self, connection: Connection, user_id: str) -> bool:
        """Tell whether a user has the permission "Bulk API Hard Delete"."""
        rights = self._of(connection, user_id)
        return rights is None or rights.hard_delete

    def _of(self, connection: Connection, user_id: str) -> ProfileRights | None:
        row = connection.execute(
            'SELECT p.Name FROM "User" u JOIN "Profile" p ON p.Id = u.ProfileId WHERE u.Id = ?', (user_id,)
        ).fetchone()
        return None if row is None else self._profiles.get(str(row[0]).lower())
