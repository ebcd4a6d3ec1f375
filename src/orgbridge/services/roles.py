"""Roles: scopes and an optional policy under a name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from orgbridge.kit.clock import Clock
from orgbridge.kit.json import dumps
from orgbridge.services.errors import BuiltInRole, InvalidRequest, NotOurs
from orgbridge.services.identity import check_scopes
from orgbridge.services.principals import Principals, admin_roles, scopes_of_role
from orgbridge.services.revisions import new_revision
from orgbridge.services.users import see_admin_left
from orgbridge.store.database import Database
from orgbridge.store.identity_records import Page, RoleRecord

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_MAX_POLICY_BYTES = 256 * 1024


def check_policy(policy: Mapping[str, Any] | None) -> None:
    """See that a policy can be kept with a role. The one place where a policy is looked at before it is written.

    Raises:
        InvalidRequest: It cannot; nothing was written.
    """
    if policy is None:
        return
    if len(dumps(policy)) > _MAX_POLICY_BYTES:
        raise InvalidRequest(f"A policy has at most {_MAX_POLICY_BYTES} bytes.")


class RoleService:
    """Makes, changes and deletes roles."""

    def __init__(self, database: Database, principals: Principals, clock: Clock) -> None:
        self._database = database
        self._principals = principals
        self._clock = clock

    async def page(self, *, cursor: str | None, limit: int) -> Page[RoleRecord]:
        """Return one page of roles, by name, built-in ones with the scopes of this version.

        Raises:
            CursorInvalid: The cursor is not one of this list.
        """
        async with self._database.unit(write=False) as unit:
            page = await unit.roles.page(cursor=cursor, limit=limit)
        return Page(items=[_shown(role) for role in page.items], next_cursor=page.next_cursor)

    async def get(self, name: str) -> RoleRecord:
        """Return a role.

        Raises:
            NotOurs: There is none of this name.
        """
        async with self._database.unit(write=False) as unit:
            role = await unit.roles.get(name)
        if role is None:
            raise NotOurs(f"There is no role {name}.")
        return _shown(role)

    async def create(
        self,
        name: str,
        *,
        scopes: Sequence[str],
        policy: dict[str, Any] | None = None,
        description: str = "",
    ) -> RoleRecord:
        """Make a role.

        Raises:
            InvalidRequest: Name, scopes or policy are not acceptable; nothing was written.
            NameTaken: There is a role of this name; nothing was written.
        """
        if not _NAME.fullmatch(name):
            raise InvalidRequest("A role's name has 1 to 64 of a-z, 0-9, - and _, and begins with a letter.")
        check_scopes(tuple(scopes))
        check_policy(policy)
        now = self._clock.now()
        role = RoleRecord(
            name=name,
            description=description,
            scopes=tuple(sorted(set(scopes))),
            policy=policy,
            built_in=False,
            revision=new_revision(),
            created_at=now,
            updated_at=now,
        )
        async with self._database.unit() as unit:
            await unit.roles.add(role)
        return role

    async def update(self, name: str, changes: dict[str, Any], *, expected: str | None) -> RoleRecord:
        """Change a role; whoever has it is another caller within seconds.

        Args:
            name: Which.
            changes: `description`, `scopes`, `policy`; what is absent stays.
            expected: The revision that it must still have; None for any.

        Raises:
            NotOurs: There is none of this name.
            BuiltInRole: It is one of ours; nothing was changed.
            InvalidRequest: Scopes or policy are not acceptable; nothing was changed.
            RevisionStale: It was changed since; nothing was changed.
            LastAdmin: Nobody would be left who may administrate; nothing was changed.
        """
        given = dict(changes)
        if "scopes" in given:
            check_scopes(tuple(given["scopes"]))
            given["scopes"] = sorted(set(given["scopes"]))
        if "policy" in given:
            check_policy(given["policy"])
        async with self._database.unit() as unit:
            role = await unit.roles.get(name)
            if role is None:
                raise NotOurs(f"There is no role {name}.")
            if role.built_in:
                raise BuiltInRole
            before = await unit.users.admins(admin_roles(await unit.roles.all()))
            await unit.roles.update(
                name, expected=expected, **given, updated_at=self._clock.now(), revision=new_revision()
            )
            await see_admin_left(unit, before)
            changed = await unit.roles.get(name)
        assert changed is not None, "updated a line above, in the same transaction"
        self._principals.forget()
        return changed

    async def delete(self, name: str, *, expected: str | None) -> None:
        """Delete a role that nobody has.

        Raises:
            NotOurs: There is none of this name.
            BuiltInRole: It is one of ours; nothing was changed.
            RevisionStale: It was changed since; nothing was changed.
            StillInUse: Somebody has it; nothing was changed.
        """
        async with self._database.unit() as unit:
            role = await unit.roles.get(name)
            if role is None:
                raise NotOurs(f"There is no role {name}.")
            if role.built_in:
                raise BuiltInRole
            await unit.roles.delete(name, expected=expected)
        self._principals.forget()


def _shown(role: RoleRecord) -> RoleRecord:
    return replace(role, scopes=tuple(sorted(scopes_of_role(role))))
