"""Who a user is right now: rights, roles, policies and grants, read from the store and believed for a few seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orgbridge.kit.clock import Clock
from orgbridge.services.scopes import ALL, BUILT_IN_ROLES, SCOPES, Caller, Grant, Scope
from orgbridge.store.database import Database, Unit
from orgbridge.store.identity_records import Place, RoleRecord
from orgbridge.store.records import UserRecord

#: How long what was read from the store is believed. A disabled user is out after this at the latest.
BELIEVED_SECONDS = 5.0
_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """A user with all that follows from roles and grants."""

    #: The user.
    user: UserRecord
    #: The user's roles, by name.
    roles: tuple[RoleRecord, ...]
    #: What the user may do: own scopes and those of the roles; everything for an administrator.
    scopes: frozenset[str]
    #: What the user is granted.
    organizations: Grant
    plants: Grant
    machines: Grant

    def caller(self, scopes: frozenset[str], session_id: str | None) -> Caller:
        """Return the user as somebody who calls with a token of these scopes."""
        user = self.user
        policies, role_scopes = limits_of(self.roles, is_admin=user.is_admin)
        return Caller(
            user_id=user.id,
            username=user.username,
            scopes=self.scopes & scopes,
            kind=user.kind,
            roles=tuple(role.name for role in self.roles),
            policies=policies,
            role_scopes=role_scopes,
            organizations=self.organizations,
            plants=self.plants,
            machines=self.machines,
            sf_username=user.sf_username,
            session_id=session_id,
        )


def scopes_of_role(role: RoleRecord) -> tuple[str, ...]:
    """Return what a role lets do; for a built-in one as this version has it."""
    return BUILT_IN_ROLES.get(role.name, role.scopes) if role.built_in else role.scopes


def scopes_of(user: UserRecord, roles: tuple[RoleRecord, ...] = ()) -> set[str]:
    """Return the scopes that a user has: all of them for an admin."""
    if user.is_admin:
        return set(SCOPES)
    return set(user.scopes).union(*(scopes_of_role(role) for role in roles)) & set(SCOPES)


def limits_of(
    roles: Sequence[RoleRecord], *, is_admin: bool
) -> tuple[tuple[Mapping[str, Any] | None, ...], tuple[frozenset[str], ...]]:
    """Return the policies of roles, and the scopes that each of them is about."""
    policies: tuple[Mapping[str, Any] | None, ...] = tuple(role.policy for role in roles)
    scopes = tuple(frozenset(scopes_of_role(role)) for role in roles)
    if is_admin and policies:
        # Whoever may do everything can take off any policy: a role only adds to it.
        return (*policies, None), (*scopes, frozenset(SCOPES))
    return policies, scopes


def admin_roles(roles: list[RoleRecord]) -> list[str]:
    """Return the names of the roles that let administrate."""
    return [role.name for role in roles if Scope.ADMIN in scopes_of_role(role)]


async def read_principal(unit: Unit, user_id: str) -> Principal | None:
    """Return a user as a transaction sees it; None when there is none."""
    user = await unit.users.get(user_id)
    if user is None:
        return None
    roles = tuple(await unit.roles.of_user(user_id))
    grants = await unit.roles.grants(user_id)
    scopes = frozenset(scopes_of(user, roles))
    everything = Scope.ADMIN in scopes
    return Principal(
        user=user,
        roles=roles,
        scopes=scopes,
        organizations=_grant(grants[Place.ORGANIZATION], everything or user.all_organizations),
        plants=_grant(grants[Place.PLANT], everything or user.all_plants),
        machines=_grant(grants[Place.MACHINE], everything or user.all_machines),
    )


class Principals:
    """Reads users with roles and grants, once for all requests of a few seconds."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._known: dict[str, tuple[float, Principal | None]] = {}
        self._reading: dict[str, asyncio.Task[Principal | None]] = {}
        #: Grows when somebody changed something in this process: what was read before counts no more.
        self.generation = 0

    async def get(self, user_id: str) -> Principal | None:
        """Return a user, at most a few seconds old; None when there is none."""
        known = self._known.get(user_id)
        if known is not None and self._clock.monotonic() - known[0] < BELIEVED_SECONDS:
            return known[1]
        task = self._reading.get(user_id)
        if task is None:
            # One reading for all who wait for it; it goes on when one of them leaves.
            task = asyncio.create_task(self._read(user_id))
            self._reading[user_id] = task
            task.add_done_callback(lambda _done: self._reading.pop(user_id, None))
        return await asyncio.shield(task)

    async def read(self, user_id: str) -> Principal | None:
        """Return a user as the store has it now; None when there is none."""
        async with self._database.unit(write=False) as unit:
            return await read_principal(unit, user_id)

    def forget(self) -> None:
        """Read everybody again when next asked: something was changed in this process."""
        self._known.clear()
        self._reading.clear()
        self.generation += 1

    async def _read(self, user_id: str) -> Principal | None:
        generation, began = self.generation, self._clock.monotonic()
        found = await self.read(user_id)
        if generation == self.generation:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[user_id] = (began, found)
        return found


def _grant(ids: tuple[str, ...], everything: bool) -> Grant:
    return ALL if everything else frozenset(ids)
