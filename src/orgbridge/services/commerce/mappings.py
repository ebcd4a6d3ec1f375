"""Which Salesforce account an organization is: made, changed and taken away by people with `accounts:write`.

A mapping opens an account's machines, carts and orders to everybody who is granted the organization. So an account that
belongs to another organization, itself or as a part of its hierarchy, is taken from it only by somebody who is granted
that one too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from orgbridge.kit.clock import Clock
from orgbridge.kit.json import JSON
from orgbridge.kit.notes import note
from orgbridge.orgs.connections import Orgs
from orgbridge.services.commerce.accounts import AccountService, check_account_id, granted
from orgbridge.services.commerce.conditions import either, equal, select
from orgbridge.services.commerce.errors import AccountAmbiguous, AccountMissing, AccountTaken, NotMapped
from orgbridge.services.commerce.sights import Question, Row, Sight
from orgbridge.services.commerce.trees import AccountTrees
from orgbridge.services.errors import ConditionMissing, InvalidRequest
from orgbridge.services.revisions import new_revision
from orgbridge.services.scopes import Caller, Scope
from orgbridge.soql import tree
from orgbridge.store.account_records import AccountMappingRecord, FoundBy, MappedOrganization
from orgbridge.store.database import Database
from orgbridge.store.errors import NameTaken, RevisionStale
from orgbridge.store.identity_records import Page
from orgbridge.wire.ids import to_18

#: Says that any state of the mapping may be changed.
ANY_REVISION = "*"
#: Accounts that are listed when a text means several.
_CANDIDATES = 10
_TEXT_CHARS = 255
#: Types of external ids that a text can be compared with.
_TEXT_TYPES = frozenset({"string", "email"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """How a caller names an account: by one of these, or by `text`, which is tried as all three."""

    #: Salesforce id, 15 or 18 characters.
    account_id: str | None = None
    #: Value of one of the account's external ids.
    external_id: str | None = None
    #: The account's exact name.
    name: str | None = None
    #: Any of them.
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped:
    """A mapping that was made."""

    #: The organization with it.
    place: MappedOrganization
    #: The mapping's revision.
    revision: str
    #: True when the organization had none before.
    is_new: bool


class MappingService:
    """Maps organizations to accounts."""

    def __init__(
        self, database: Database, orgs: Orgs, accounts: AccountService, trees: AccountTrees, clock: Clock
    ) -> None:
        self._database = database
        self._orgs = orgs
        self._accounts = accounts
        self._trees = trees
        self._clock = clock
        self._sight = Sight(orgs)

    async def page(self, caller: Caller, *, cursor: str | None, limit: int) -> Page[MappedOrganization]:
        """Return one page of the organizations that the caller is granted, with or without a mapping, by name.

        Raises:
            CursorInvalid: The cursor is not one of this list.
        """
        async with self._database.unit(write=False) as unit:
            return await unit.accounts.page(granted=granted(caller), mapped_only=False, cursor=cursor, limit=limit)

    async def portraits(self, caller: Caller, places: Sequence[MappedOrganization]) -> list[dict[str, JSON]]:
        """Return organizations with their mappings; the names of accounts only where the caller may see names.

        Raises:
            ClientError: Salesforce was to be asked for what a policy means, and could not be.
        """
        shows_names = True
        if self._sight.mark(caller, Scope.ACCOUNTS_READ):
            shows_names = bool(await self._sight.fields(caller, Scope.ACCOUNTS_READ, "Account", ["Name"], plain=True))
        return [mapping_portrait(place, shows_name=shows_names) for place in places]

    async def get(self, caller: Caller, organization_id: str) -> tuple[MappedOrganization, str]:
        """Return an organization with its mapping, and the mapping's revision.

        Raises:
            OrganizationUnknown: There is no such organization.
            NotGranted: The caller is not granted it.
            NotMapped: It has no mapping.
        """
        place = await self._accounts.organization(caller, organization_id)
        if place.mapping is None:
            raise NotMapped
        return place, place.mapping.revision

    async def map(self, caller: Caller, organization_id: str, named: Named, *, expected: str | None) -> Mapped:
        """Map an organization to an account.

        Args:
            caller: Who maps; sees candidates as the caller's policy shows accounts.
            organization_id: Our organization.
            named: Which account.
            expected: The revision of the mapping that is to be changed, `ANY_REVISION` for any; None for an
                organization that has no mapping.

        Raises:
            InvalidRequest: The account is named in no way or in several.
            OrganizationUnknown: There is no such organization.
            NotGranted: The caller is not granted it.
            ConditionMissing: It has a mapping by now, and `expected` is None; nothing was changed.
            RevisionStale: It has another mapping, or none; nothing was changed.
            AccountMissing: Salesforce has no such account; nothing was changed.
            AccountAmbiguous: Several accounts are meant; nothing was changed.
            AccountTaken: The account is another organization's; nothing was changed.
            ClientError: Salesforce could not be asked; nothing was changed.
        """
        place = await self._accounts.organization(caller, organization_id)
        _check_expected(place, expected)
        found_by, row = await self._found(caller, named)
        account_id = str(row["Id"])
        note(object_name="Account", account_id=account_id)
        await self._check_owner(caller, place, account_id)
        # As Salesforce has it, whatever of it the caller may see.
        lineage = await self._trees.lineage(account_id)
        now = self._clock.now()
        changes: dict[str, Any] = {
            "account_id": account_id,
            "account_name": lineage.node.name[:_TEXT_CHARS],
            "found_by": found_by,
            "mapped_by": caller.username,
            "revision": new_revision(),
            "updated_at": now,
        }
        identifier = place.organization.id
        began = place.mapping.created_at if place.mapping is not None else now
        record = AccountMappingRecord(organization_id=identifier, created_at=began, **changes)
        try:
            async with self._database.unit() as unit:
                if place.mapping is None:
                    await unit.accounts.add(record)
                else:
                    await unit.accounts.change(identifier, expected=_revision(expected), **changes)
        except NameTaken as error:
            raise AccountTaken(error.message) from error
        self._trees.forget()
        made = MappedOrganization(organization=place.organization, mapping=record)
        return Mapped(place=made, revision=record.revision, is_new=place.mapping is None)

    async def unmap(self, caller: Caller, organization_id: str, *, expected: str | None) -> None:
        """Take away the mapping of an organization.

        Args:
            caller: Who does it.
            organization_id: Our organization.
            expected: The revision that is meant, `ANY_REVISION` for any.

        Raises:
            OrganizationUnknown: There is no such organization.
            NotGranted: The caller is not granted it.
            NotMapped: It has no mapping.
            ConditionMissing: `expected` is None; nothing was changed.
            RevisionStale: It was changed since; nothing was changed.
        """
        place, _ = await self.get(caller, organization_id)
        _check_expected(place, expected)
        async with self._database.unit() as unit:
            await unit.accounts.delete(place.organization.id, expected=_revision(expected))
        note(object_name="Account", account_id=place.mapping.account_id if place.mapping is not None else None)
        self._trees.forget()

    async def _check_owner(self, caller: Caller, place: MappedOrganization, account_id: str) -> None:
        owner = await self._accounts.owner(account_id)
        if owner is None or owner.organization_id == place.organization.id:
            return
        if owner.account_id == account_id:
            raise AccountTaken("The account is mapped to another organization: unmap that one first.")
        if owner.organization_id not in caller.organizations:
            raise AccountTaken(
                "The account is a part of another organization's hierarchy, and would be taken from it: somebody who "
                "is granted that organization too can do this."
            )

    async def _found(self, caller: Caller, named: Named) -> tuple[FoundBy, Row]:
        given = [item for item in (named.account_id, named.external_id, named.name, named.text) if item is not None]
        if len(given) != 1 or not given[0].strip() or len(given[0]) > _TEXT_CHARS:
            raise InvalidRequest(
                "Name the account in one way: account_id, external_id, name, or account for any of them."
            )
        text = given[0]
        keys = await self._external_ids(caller)
        ways: list[tuple[FoundBy, tree.Condition]] = []
        if named.account_id is not None:
            ways.append((FoundBy.ID, equal("Id", check_account_id(text))))
        elif named.text is not None and (full := to_18(text)) is not None and full.startswith("001"):
            ways.append((FoundBy.ID, equal("Id", full)))
        if named.external_id is not None or named.text is not None:
            ways += [(FoundBy.EXTERNAL_ID, equal(key, text)) for key in keys]
        if named.name is not None or named.text is not None:
            ways.append((FoundBy.NAME, equal("Name", text)))
        if not ways:
            raise AccountMissing("No field of Account is an external id for you: name the account by id or name.")
        shown = await self._sight.fields(caller, Scope.ACCOUNTS_WRITE, "Account", ["Id", "Name", *keys], plain=True)
        if shown is None:
            raise AccountMissing
        usable = [(way, condition) for way, condition in ways if way is not FoundBy.NAME or "Name" in shown]
        if not usable:
            raise AccountMissing
        query = select("Account", shown, where=either(one for _, one in usable), limit=_CANDIDATES + 1)
        rows = await self._sight.rows(caller, Scope.ACCOUNTS_WRITE, Question(query=query))
        # Salesforce compares texts in any case; a name is meant as it is written.
        matches = [(way, row) for row in rows if (way := _matched(row, text, keys, {one for one, _ in usable}))]
        if not matches:
            near = [_told(row, keys) for row in rows]
            raise AccountMissing(
                f"Salesforce has no account {text[:100]!r}, or none that you may see."
                + (" Names must agree in every letter; `errors` lists those that nearly do." if near else ""),
                details=near,
            )
        if len(matches) > 1:
            raise AccountAmbiguous(
                text, [_told(row, keys) for _, row in matches[:_CANDIDATES]], more=len(matches) > _CANDIDATES
            )
        return matches[0]

    async def _external_ids(self, caller: Caller) -> list[str]:
        """Return the fields of Account that another system's keys stand in, as far as the caller may see them."""
        described = await self._orgs.get().describe("Account")
        names = [
            str(field["name"])
            for field in described.fields.values()
            if field.get("externalId") and str(field.get("type")) in _TEXT_TYPES
        ]
        return (await self._sight.fields(caller, Scope.ACCOUNTS_WRITE, "Account", names, plain=True)) or []


def _check_expected(place: MappedOrganization, expected: str | None) -> None:
    if place.mapping is None:
        if expected is not None:
            raise RevisionStale("The organization has no mapping: leave If-Match out to make the first one.")
        return
    if expected is None:
        raise ConditionMissing
    if expected not in (ANY_REVISION, place.mapping.revision):
        raise RevisionStale


def _revision(expected: str | None) -> str | None:
    return None if expected == ANY_REVISION else expected


def _matched(row: Row, text: str, keys: Sequence[str], ways: set[FoundBy]) -> FoundBy | None:
    if FoundBy.ID in ways and str(row["Id"]) == to_18(text):
        return FoundBy.ID
    if FoundBy.EXTERNAL_ID in ways and any(str(row.get(key) or "").lower() == text.lower() for key in keys):
        return FoundBy.EXTERNAL_ID
    return FoundBy.NAME if FoundBy.NAME in ways and row.get("Name") == text else None


def _told(row: Row, keys: Sequence[str]) -> dict[str, Any]:
    return {
        "account_id": str(row["Id"]),
        "name": row.get("Name"),
        "external_ids": {key: row[key] for key in keys if row.get(key) is not None},
    }


def mapping_portrait(place: MappedOrganization, *, shows_name: bool) -> dict[str, JSON]:
    """Return an organization with its mapping, whose parts are null where it has none."""
    mapping = place.mapping
    told: dict[str, JSON] = {"organization_id": place.organization.id, "organization_name": place.organization.name}
    told["account_id"] = mapping.account_id if mapping is not None else None
    if shows_name:
        told["account_name"] = mapping.account_name if mapping is not None else None
    return told | {
        "found_by": mapping.found_by.value if mapping is not None else None,
        "mapped_by": mapping.mapped_by if mapping is not None else None,
        "created_at": mapping.created_at.isoformat() if mapping is not None else None,
        "updated_at": mapping.updated_at.isoformat() if mapping is not None else None,
    }
