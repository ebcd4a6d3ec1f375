"""Users as administrators see them: made, changed, granted, disabled, deleted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from orgbridge.kit.clock import Clock
from orgbridge.kit.identifiers import new_identifier
from orgbridge.services.errors import InvalidRequest, LastAdmin, UnknownUser
from orgbridge.services.identity import check_scopes, check_username
from orgbridge.services.passwords import NO_PASSWORD, Passwords
from orgbridge.services.principals import Principals, admin_roles, scopes_of
from orgbridge.services.revisions import new_revision
from orgbridge.services.sessions import Sessions
from orgbridge.services.throttling import Throttle
from orgbridge.store.database import Database, Unit
from orgbridge.store.errors import RecordMissing
from orgbridge.store.identity_records import Page, Place, Revoked, RoleRecord
from orgbridge.store.records import UserKind, UserRecord

_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,190}")
_MAX_GRANTS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class UserView:
    """A user with the names of the roles."""

    #: The user.
    user: UserRecord
    #: Names of the roles, sorted.
    roles: tuple[str, ...]
    #: Own scopes and those of the roles, sorted; None in lists.
    effective_scopes: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Grants:
    """What a user is granted; None stands for everything of its kind."""

    #: Ids of organizations.
    organizations: tuple[str, ...] | None
    #: Ids of plants.
    plants: tuple[str, ...] | None
    #: Ids of machines.
    machines: tuple[str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewUser:
    """What a user is made of."""

    #: Sign-in name.
    username: str
    #: None makes a user who cannot sign in by password.
    password: str | None = None
    #: Rights besides those of the roles.
    scopes: Sequence[str] = ()
    #: Names of roles.
    roles: Sequence[str] = ()
    #: May do everything.
    is_admin: bool = False
    #: For people.
    display_name: str | None = None
    email: str | None = None
    #: `sub` at the external issuer.
    external_subject: str | None = None
    #: The Salesforce user that the user acts as.
    sf_username: str | None = None


class Accounts:
    """What users and service accounts have in common for whoever administrates them."""

    def __init__(self, database: Database, principals: Principals, clock: Clock, kind: UserKind) -> None:
        self._database = database
        self._principals = principals
        self._clock = clock
        self._kind = kind

    async def page(
        self, *, cursor: str | None, limit: int, role: str | None = None, disabled: bool | None = None
    ) -> Page[UserView]:
        """Return one page, by name.

        Raises:
            CursorInvalid: The cursor is not one of this list.
        """
        async with self._database.unit(write=False) as unit:
            page = await unit.users.page(kind=self._kind, cursor=cursor, limit=limit, role=role, disabled=disabled)
            names = await unit.roles.names_of([user.id for user in page.items])
        items = [UserView(user=user, roles=names.get(user.id, ())) for user in page.items]
        return Page(items=items, next_cursor=page.next_cursor)

    async def get(self, user_id: str) -> UserView:
        """Return one.

        Raises:
            UnknownUser: There is none of this id and kind.
        """
        async with self._database.unit(write=False) as unit:
            return await self._view(unit, user_id)

    async def find(self, name: str) -> UserView:
        """Return one by id or by name.

        Raises:
            UnknownUser: There is none of this kind.
        """
        async with self._database.unit(write=False) as unit:
            user = await unit.users.get(name) or await unit.users.get_by_username(name)
            if user is None:
                raise UnknownUser(f"There is no {self._kind.value.replace('_', ' ')} {name}.")
            return await self._view(unit, user.id)

    async def update(self, user_id: str, changes: dict[str, Any], *, expected: str | None) -> UserView:
        """Change one, and end the sign-ins of somebody who is disabled.

        Args:
            user_id: Which.
            changes: New values by name in `UserRecord`, and `roles`; what is absent stays.
            expected: The revision that it must still have; None for any.

        Raises:
            UnknownUser: There is none of this id and kind.
            InvalidRequest: A value is not acceptable; nothing was changed.
            RevisionStale: It was changed since; nothing was changed.
            UsernameTaken: The name is taken; nothing was changed.
            ReferenceMissing: A role does not exist; nothing was changed.
            LastAdmin: Nobody would be left who may administrate; nothing was changed.
        """
        given = dict(changes)
        roles = given.pop("roles", None)
        _check(given)
        now = self._clock.now()
        async with self._database.unit() as unit:
            await self._view(unit, user_id)
            before = await unit.users.admins(admin_roles(await unit.roles.all()))
            await unit.users.update(user_id, expected=expected, **given, updated_at=now, revision=new_revision())
            if roles is not None:
                await unit.roles.assign(user_id, roles)
            await see_admin_left(unit, before)
            if given.get("disabled"):
                await unit.sessions.revoke_all(user_id, now, Revoked.ADMIN)
            view = await self._view(unit, user_id)
        self._principals.forget()
        return view

    async def delete(self, user_id: str, *, expected: str | None) -> None:
        """Delete one, with grants, sign-ins and secrets. What it made in the past keeps its name.

        Raises:
            UnknownUser: There is none of this id and kind.
            RevisionStale: It was changed since; nothing was changed.
            LastAdmin: Nobody would be left who may administrate; nothing was changed.
        """
        async with self._database.unit() as unit:
            await self._view(unit, user_id)
            before = await unit.users.admins(admin_roles(await unit.roles.all()))
            await unit.users.delete(user_id, expected=expected)
            await see_admin_left(unit, before)
        self._principals.forget()

    async def grants(self, user_id: str) -> tuple[UserRecord, Grants]:
        """Return what one is granted.

        Raises:
            UnknownUser: There is none of this id and kind.
        """
        async with self._database.unit(write=False) as unit:
            user = (await self._view(unit, user_id)).user
            ids = await unit.roles.grants(user_id)
        return user, Grants(
            organizations=None if user.all_organizations else ids[Place.ORGANIZATION],
            plants=None if user.all_plants else ids[Place.PLANT],
            machines=None if user.all_machines else ids[Place.MACHINE],
        )

    async def grant(self, user_id: str, grants: Grants, *, expected: str | None) -> tuple[UserRecord, Grants]:
        """Let one have these grants and no others.

        Raises:
            UnknownUser: There is none of this id and kind.
            InvalidRequest: There are too many; nothing was changed.
            ReferenceMissing: One names nothing; nothing was changed.
            RevisionStale: The user was changed since; nothing was changed.
        """
        places = {
            Place.ORGANIZATION: grants.organizations,
            Place.PLANT: grants.plants,
            Place.MACHINE: grants.machines,
        }
        if any(len(ids or ()) > _MAX_GRANTS for ids in places.values()):
            raise InvalidRequest(f"A user can be granted {_MAX_GRANTS} of a kind one by one, or all.")
        async with self._database.unit() as unit:
            await self._view(unit, user_id)
            await unit.users.update(
                user_id,
                expected=expected,
                all_organizations=grants.organizations is None,
                all_plants=grants.plants is None,
                all_machines=grants.machines is None,
                updated_at=self._clock.now(),
                revision=new_revision(),
            )
            for place, ids in places.items():
                await unit.roles.grant(user_id, place, ids or ())
        self._principals.forget()
        return await self.grants(user_id)

    async def _view(self, unit: Unit, user_id: str) -> UserView:
        user = await unit.users.get(user_id)
        if user is None or user.kind is not self._kind:
            raise UnknownUser(f"There is no {self._kind.value.replace('_', ' ')} {user_id}.")
        roles: tuple[RoleRecord, ...] = tuple(await unit.roles.of_user(user_id))
        effective = tuple(sorted(scopes_of(user, roles)))
        return UserView(user=user, roles=tuple(role.name for role in roles), effective_scopes=effective)

    async def _add(self, new: NewUser, password_hash: str, unit: Unit) -> UserView:
        now = self._clock.now()
        prefix = "user" if self._kind is UserKind.USER else "svc"
        user = UserRecord(
            id=new_identifier(prefix, now),
            username=new.username,
            password_hash=password_hash,
            scopes=tuple(sorted(set(new.scopes))),
            is_admin=new.is_admin,
            created_at=now,
            kind=self._kind,
            display_name=new.display_name,
            email=new.email,
            external_subject=new.external_subject,
            sf_username=new.sf_username,
            updated_at=now,
            revision=new_revision(),
        )
        await unit.users.add(user)
        await unit.roles.assign(user.id, new.roles)
        return await self._view(unit, user.id)


class UserService(Accounts):
    """People."""

    def __init__(
        self,
        database: Database,
        principals: Principals,
        passwords: Passwords,
        throttle: Throttle,
        sessions: Sessions,
        clock: Clock,
    ) -> None:
        super().__init__(database, principals, clock, UserKind.USER)
        self._sessions = sessions
        self._passwords = passwords
        self._throttle = throttle

    async def create(self, new: NewUser) -> UserView:
        """Make a user.

        Raises:
            InvalidRequest: A value is not acceptable; nothing was written.
            UsernameTaken: A user or service account of this name exists; nothing was written.
            NameTaken: Another user has the external subject; nothing was written.
            ReferenceMissing: A role does not exist; nothing was written.
        """
        _check({"username": new.username, "scopes": new.scopes, "email": new.email})
        hashed = NO_PASSWORD if new.password is None else await self._passwords.hash(new.password)
        async with self._database.unit() as unit:
            return await self._add(replace(new, password=None), hashed, unit)

    async def reset_password(self, user_id: str, password: str) -> None:
        """Set somebody's password, end all of the user's sign-ins, and pardon what was tried on the account.

        Raises:
            UnknownUser: There is none of this id.
            InvalidRequest: The password is not acceptable; nothing was changed.
        """
        view = await self.get(user_id)
        hashed = await self._passwords.hash(password)
        now = self._clock.now()
        async with self._database.unit() as unit:
            try:
                await unit.users.update(user_id, password_hash=hashed, password_changed_at=now)
            except RecordMissing as error:
                raise UnknownUser from error
            await unit.sessions.revoke_all(user_id, now, Revoked.PASSWORD)
        self._principals.forget()
        await self._throttle.forgive(view.user.username)

    async def end_sessions(self, user_id: str, session_id: str | None = None) -> None:
        """End one sign-in of a user, or all, with the tokens that came from it.

        Raises:
            UnknownUser: There is none of this id.
            NotOurs: The user has no such sign-in.
        """
        await self.get(user_id)
        if session_id is None:
            await self._sessions.end_all(user_id, Revoked.ADMIN)
        else:
            await self._sessions.end(user_id, session_id, Revoked.ADMIN)

    async def unlock(self, user_id: str) -> None:
        """Pardon what was tried on an account.

        Raises:
            UnknownUser: There is none of this id.
        """
        await self._throttle.forgive((await self.get(user_id)).user.username)


async def see_admin_left(unit: Unit, before: int) -> None:
    """See that somebody may administrate at the end of a change, if somebody did before it.

    Raises:
        LastAdmin: Nobody would.
    """
    if before and not await unit.users.admins(admin_roles(await unit.roles.all())):
        raise LastAdmin


def _check(values: dict[str, Any]) -> None:
    if "username" in values:
        check_username(values["username"])
    if "scopes" in values:
        check_scopes(tuple(values["scopes"]))
        values["scopes"] = sorted(set(values["scopes"]))
    email = values.get("email")
    if email is not None and not _EMAIL.fullmatch(email):
        raise InvalidRequest("An e-mail address has a name, an @ and a host.")
