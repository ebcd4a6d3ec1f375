"""Which Salesforce account a caller acts for: that of an organization that the caller is granted, or one below it.

Laws:
1. An account belongs to the nearest mapped account at or above it: a part of a hierarchy that is mapped to another
   organization is that one's, and never its parent's.
2. A caller acts for the accounts of the organizations that the caller is granted, and for no others. Grants of plants
   and machines show machines; they let nobody act.
3. Nothing is chosen for the caller: whoever may act for several and names none is told which there are.
4. Within the one organization, a caller who names no account acts for the account of the caller's own Salesforce user,
   where that is one of the organization's: it is what Salesforce itself takes, and an organization that is mapped to a
   group has buyers who buy for one of its parts only. Everybody else acts for the account that is mapped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orgbridge.kit.notes import note
from orgbridge.services.commerce.errors import (
    AccountGone,
    ChoiceNeeded,
    NotGranted,
    NotMapped,
    OrganizationAmbiguous,
    OrganizationUnknown,
)
from orgbridge.services.commerce.trees import AccountNode, AccountTrees
from orgbridge.services.errors import InvalidRequest
from orgbridge.services.scopes import Caller, Everything
from orgbridge.store.account_records import AccountMappingRecord, MappedOrganization
from orgbridge.store.database import Database
from orgbridge.store.identity_records import OrganizationRecord, Page
from orgbridge.wire.ids import to_18

#: Organizations that are named to a caller who has to choose.
_CANDIDATES = 50
_ACCOUNT_PREFIX = "001"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuyerAccount:
    """The account that a caller acts for."""

    #: Our organization.
    organization_id: str
    organization_name: str
    #: The account, 18 characters: Salesforce's effective account.
    account_id: str
    #: Its name in Salesforce. For logs and letters: a caller's policy may hide it from the caller.
    account_name: str
    #: The account that the organization is mapped to: this one, or one above it.
    mapped_account_id: str
    #: The Salesforce user that the caller acts as; None for the integration user.
    sf_username: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnedAccount:
    """An account with the organization that it belongs to."""

    #: The account.
    node: AccountNode
    #: Whose it is.
    organization: OrganizationRecord
    #: True for the account that the organization is mapped to.
    is_mapped: bool


class AccountService:
    """Tells whom callers act for."""

    def __init__(self, database: Database, trees: AccountTrees) -> None:
        self._database = database
        self._trees = trees

    async def resolve(
        self, caller: Caller, organization_id: str | None = None, account_id: str | None = None
    ) -> BuyerAccount:
        """Return the account that the caller acts for.

        Args:
            caller: Who calls.
            organization_id: Our organization; None to tell it by the account, or by what the caller is granted.
            account_id: An account of Salesforce, 15 or 18 characters; None for that of the caller's own Salesforce user
                where it is the organization's, else the one that the organization is mapped to.

        Raises:
            InvalidRequest: The account's id is none.
            OrganizationUnknown: There is no such organization.
            NotGranted: The caller may not act for the organization or the account, or for none at all.
            ChoiceNeeded: The caller may act for several organizations and named neither.
            NotMapped: The organization has no account.
            AccountGone: The account was deleted or merged.
            ClientError: Salesforce could not be asked.
        """
        wanted = None if account_id is None else check_account_id(account_id)
        place = await self._place(caller, organization_id, wanted)
        mapping = _mapped(place)
        if wanted is not None and wanted != mapping.account_id:
            owner = await self.owner(wanted)
            if owner is None or owner.organization_id != place.organization.id:
                raise NotGranted(f"The account {wanted} is none of organization {place.organization.id}.")
        if wanted is None:
            wanted = await self._own(caller, mapping)
        lineage = await self._trees.lineage(wanted or mapping.account_id)
        note(organization_id=place.organization.id, account_id=lineage.node.id)
        return BuyerAccount(
            organization_id=place.organization.id,
            organization_name=place.organization.name,
            account_id=lineage.node.id,
            account_name=lineage.node.name,
            mapped_account_id=mapping.account_id,
            sf_username=caller.sf_username,
        )

    async def _own(self, caller: Caller, mapping: AccountMappingRecord) -> str | None:
        """Return the account of the caller's own Salesforce user, where it belongs to a mapped one."""
        own = await self._trees.own(caller.sf_username) if caller.sf_username is not None else None
        if own is None or own == mapping.account_id:
            return None
        owner = await self.owner(own)
        return own if owner is not None and owner.organization_id == mapping.organization_id else None

    async def organization(self, caller: Caller, text: str) -> MappedOrganization:
        """Return the organization of an id, name or key that the caller is granted.

        Raises:
            OrganizationUnknown: There is none.
            OrganizationAmbiguous: Several of them have this name or key.
            NotGranted: The caller is not granted it.
        """
        place = await self.known(caller, text)
        if place.organization.id not in caller.organizations:
            raise NotGranted
        return place

    async def known(self, caller: Caller, text: str) -> MappedOrganization:
        """Return the organization of an id, name or key, granted or not: see what the caller may do with it.

        Raises:
            OrganizationUnknown: There is none.
            OrganizationAmbiguous: Several of them have this name or key.
        """
        async with self._database.unit(write=False) as unit:
            found = await unit.accounts.organization(text)
        if not found:
            raise OrganizationUnknown
        exact = [place for place in found if place.organization.id == text] or found
        if len(exact) > 1:
            raise OrganizationAmbiguous(
                [_candidate(place) for place in exact if place.organization.id in caller.organizations]
            )
        return exact[0]

    async def page(self, caller: Caller, *, cursor: str | None, limit: int) -> Page[MappedOrganization]:
        """Return one page of the organizations that the caller may act for, those without an account left out, by name.

        Raises:
            CursorInvalid: The cursor is not one of this list.
        """
        async with self._database.unit(write=False) as unit:
            return await unit.accounts.page(granted=granted(caller), mapped_only=True, cursor=cursor, limit=limit)

    async def accounts(self, places: Sequence[MappedOrganization]) -> list[OwnedAccount]:
        """Return all accounts of some organizations: those that they are mapped to, and those below.

        An organization whose mapped account is gone has none: `resolve` says what became of it.

        Args:
            places: At most some hundreds, each with a mapping.

        Raises:
            NotMapped: One has no mapping.
            HierarchyTooLarge: There are more accounts than are read at once.
            ClientError: Salesforce could not be asked.
        """
        roots = {_mapped(place).account_id: place.organization for place in places}
        if not roots:
            return []
        there = {node.id: node for node in await self._trees.named(list(roots))}
        below = {node.id: node for node in await self._trees.below(list(there))} if there else {}
        foreign = {mapping.account_id for mapping in await self._mappings_of(below)} - roots.keys()
        tops = [root for root in roots if root in there]
        found = [OwnedAccount(node=there[root], organization=roots[root], is_mapped=True) for root in tops]
        for node in below.values():
            owner = _nearest(node, below, roots.keys() | foreign)
            if node.id not in roots and owner in roots:
                found.append(OwnedAccount(node=node, organization=roots[owner], is_mapped=False))
        return found

    async def _place(self, caller: Caller, organization_id: str | None, account_id: str | None) -> MappedOrganization:
        if organization_id is not None:
            return await self.organization(caller, organization_id)
        if account_id is None:
            return await self._only(caller)
        owner = await self.owner(account_id)
        if owner is None or owner.organization_id not in caller.organizations:
            raise NotGranted(f"You are not granted the account {account_id}.")
        return await self.organization(caller, owner.organization_id)

    async def _only(self, caller: Caller) -> MappedOrganization:
        page = await self.page(caller, cursor=None, limit=_CANDIDATES)
        if not page.items:
            if isinstance(caller.organizations, Everything) or caller.organizations:
                raise NotMapped("None of your organizations is mapped to a Salesforce account.")
            raise NotGranted("You are granted no organization: an administrator grants them.")
        if len(page.items) > 1:
            raise ChoiceNeeded([_candidate(place) for place in page.items], more=page.next_cursor is not None)
        return page.items[0]

    async def owner(self, account_id: str) -> AccountMappingRecord | None:
        """Return the mapping that an account belongs to, None for one of nobody: the nearest at or above it.

        Args:
            account_id: 18 characters; one that Salesforce does not have is nobody's.

        Raises:
            ClientError: Salesforce could not be asked.
        """
        if direct := await self._mappings_of([account_id]):
            return direct[0]
        try:
            lineage = await self._trees.lineage(account_id)
        except AccountGone:
            return None
        line = (account_id, *lineage.above)
        mapped = {mapping.account_id: mapping for mapping in await self._mappings_of(line)}
        return next((mapped[identifier] for identifier in line if identifier in mapped), None)

    async def _mappings_of(self, account_ids: Iterable[str]) -> list[AccountMappingRecord]:
        async with self._database.unit(write=False) as unit:
            return await unit.accounts.of_accounts(list(account_ids))


def granted(caller: Caller) -> frozenset[str] | None:
    """Return the organizations that a caller may act for; None for all."""
    return None if isinstance(caller.organizations, Everything) else caller.organizations


def check_account_id(text: str) -> str:
    """Return the 18-character form of an account's id.

    Raises:
        InvalidRequest: It is none.
    """
    full = to_18(text)
    if full is None or not full.startswith(_ACCOUNT_PREFIX):
        raise InvalidRequest("account_id is no Salesforce id of an Account: they have 15 or 18 characters from 001 on.")
    return full


def _mapped(place: MappedOrganization) -> AccountMappingRecord:
    if place.mapping is None:
        raise NotMapped(f"Organization {place.organization.id} is mapped to no Salesforce account.")
    return place.mapping


def _candidate(place: MappedOrganization) -> dict[str, str | None]:
    mapping = place.mapping
    return {
        "organization_id": place.organization.id,
        "organization_name": place.organization.name,
        "account_id": mapping.account_id if mapping is not None else None,
    }


def _nearest(node: AccountNode, nodes: dict[str, AccountNode], owners: Iterable[str]) -> str:
    """Return the nearest account of some owners at or above a node, an empty text when there is none."""
    marked, at, steps = frozenset(owners), node, 0
    while at.id not in marked and steps <= len(nodes):
        if at.parent_id is None or at.parent_id in marked:
            return at.parent_id or ""
        if at.parent_id not in nodes:
            return ""
        at, steps = nodes[at.parent_id], steps + 1
    return at.id
