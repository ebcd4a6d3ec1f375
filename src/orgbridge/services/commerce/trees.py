"""Which accounts stand above and below an account in Salesforce: what rights hang on, so no caller's policy is asked.

What was read is believed for some seconds, by each process for itself: a change in Salesforce counts after that.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from orgbridge.kit.clock import Clock
from orgbridge.orgs.connections import Orgs
from orgbridge.services.commerce.conditions import among, either, equal, select
from orgbridge.services.commerce.errors import AccountGone, HierarchyTooLarge
from orgbridge.soql import print_query, tree

#: How long what Salesforce says of an account is believed.
BELIEVED_SECONDS = 30.0
#: Accounts below some others that are read at most.
MOST_BELOW = 2_000
#: Levels that one query reaches: a path has five relationships. Source: facts/salesforce/soql.md section 4.
_LEVELS = 6
#: Rounds of such queries after which a hierarchy counts as endless: Salesforce lets none have a circle.
_ROUNDS = 20
_KEPT = 2_000
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountNode:
    """An account in its hierarchy."""

    #: 18 characters.
    id: str
    #: Its name.
    name: str
    #: The account above it; None at the top.
    parent_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """An account with those above it."""

    #: The account.
    node: AccountNode
    #: Ids of the accounts above it, the nearest first.
    above: tuple[str, ...]


class _Believed(Generic[_T]):
    """Values that are believed for some seconds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: OrderedDict[str, tuple[float, _T]] = OrderedDict()

    def get(self, key: str) -> _T | None:
        known = self._known.get(key)
        if known is None or self._clock.monotonic() - known[0] >= BELIEVED_SECONDS:
            return None
        return known[1]

    def put(self, key: str, value: _T) -> None:
        self._known[key] = (self._clock.monotonic(), value)
        self._known.move_to_end(key)
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)

    def forget(self) -> None:
        self._known.clear()


class AccountTrees:
    """Reads hierarchies of accounts from one org, as the integration user."""

    def __init__(self, orgs: Orgs, clock: Clock, org: str = "default") -> None:
        self._orgs = orgs
        self._org = org
        self._lineages: _Believed[Lineage] = _Believed(clock)
        self._below: _Believed[tuple[AccountNode, ...]] = _Believed(clock)
        #: By user name: the account of the user's contact, an empty text for none.
        self._own: _Believed[str] = _Believed(clock)

    def forget(self) -> None:
        """Believe nothing any more that was read: something was changed here."""
        self._lineages.forget()
        self._below.forget()
        self._own.forget()

    async def lineage(self, account_id: str) -> Lineage:
        """Return an account and those above it.

        Args:
            account_id: 18 characters.

        Raises:
            AccountGone: Salesforce does not have it any more.
            ClientError: Salesforce could not be asked.
        """
        known = self._lineages.get(account_id)
        if known is not None:
            return known
        names = ["Id", "Name", "IsDeleted", "MasterRecordId", *_parents()]
        rows = await self._rows(select("Account", names, where=equal("Id", account_id), limit=1), deleted=True)
        if not rows or rows[0].get("IsDeleted"):
            row = rows[0] if rows else {}
            merged = row.get("MasterRecordId")
            raise AccountGone(
                account_id, str(row.get("Name") or ""), str(merged) if merged else None, is_in_bin=bool(rows)
            )
        row = rows[0]
        above = _above(row)
        for _ in range(_ROUNDS):
            if len(above) % _LEVELS or not above:
                break
            higher = await self._rows(select("Account", ["Id", *_parents()], where=equal("Id", above[-1]), limit=1))
            more = [item for item in (_above(higher[0]) if higher else []) if item not in above]
            if not more:
                break
            above += more
        found = Lineage(node=_node(row), above=tuple(above))
        self._lineages.put(account_id, found)
        return found

    async def named(self, account_ids: Sequence[str]) -> list[AccountNode]:
        """Return those of some accounts that Salesforce has.

        Args:
            account_ids: At most some hundreds, of 18 characters.

        Raises:
            ClientError: Salesforce could not be asked.
        """
        known = [self._lineages.get(identifier) for identifier in account_ids]
        if all(known):
            return [one.node for one in known if one is not None]
        where = among("Id", list(account_ids))
        query = select("Account", ["Id", "Name", "ParentId"], where=where, limit=len(account_ids))
        return [_node(row) for row in await self._rows(query)]

    async def below(self, roots: Sequence[str]) -> tuple[AccountNode, ...]:
        """Return all accounts below some others, at whatever depth; these themselves are not among them.

        Args:
            roots: At most some hundreds, of 18 characters.

        Raises:
            HierarchyTooLarge: There are more than are read at once.
            ClientError: Salesforce could not be asked.
        """
        key = ",".join(sorted(roots))
        known = self._below.get(key)
        if known is not None:
            return known
        found: dict[str, AccountNode] = {}
        tops: list[str] = list(dict.fromkeys(roots))
        for _ in range(_ROUNDS):
            where = either(among(name, tops) for name in _parents())
            query = select("Account", ["Id", "Name", "ParentId"], where=where, limit=MOST_BELOW + 1)
            fresh = [node for node in map(_node, await self._rows(query)) if node.id not in found]
            found |= {node.id: node for node in fresh}
            if len(found) > MOST_BELOW:
                raise HierarchyTooLarge(
                    f"More than {MOST_BELOW} accounts lie below {', '.join(tops[:3])}: map the organization lower down."
                )
            tops = _deepest(fresh, tops)
            if not tops:
                break
        nodes = tuple(node for node in found.values() if node.id not in roots)
        self._below.put(key, nodes)
        return nodes

    async def own(self, sf_username: str) -> str | None:
        """Return the account of the contact that a Salesforce user is; None for a user who is no contact.

        Args:
            sf_username: The user's name.

        Raises:
            ClientError: Salesforce could not be asked.
        """
        known = self._own.get(sf_username)
        if known is None:
            rows: list[dict[str, Any]] = []
            # Orgs without sites have no such field of users.
            if "ContactId" in await self._orgs.get(self._org).describe("User"):
                where = equal("Username", sf_username)
                rows = await self._rows(select("User", ["Id", "Contact.AccountId"], where=where, limit=2))
            contact = rows[0].get("Contact") if len(rows) == 1 else None
            known = str(contact.get("AccountId") or "") if isinstance(contact, dict) else ""
            self._own.put(sf_username, known)
        return known or None

    async def _rows(self, query: tree.Query, *, deleted: bool = False) -> list[dict[str, Any]]:
        query_client = self._orgs.get(self._org).salesforce.query
        page = await query_client.page(print_query(query), deleted)
        rows = list(page.records)
        while page.next_records_url is not None:
            page = await query_client.next(page.next_records_url)
            rows += page.records
        return rows


def _parents() -> list[str]:
    return ["Parent." * level + "ParentId" for level in range(_LEVELS)]


def _above(row: dict[str, Any]) -> list[str]:
    """Return the ids that `_parents` gave, the nearest first."""
    found: list[str] = []
    at: Any = row
    while isinstance(at, dict) and at.get("ParentId"):
        found.append(str(at["ParentId"]))
        at = at.get("Parent")
    return found


def _node(row: dict[str, Any]) -> AccountNode:
    parent = row.get("ParentId")
    return AccountNode(id=str(row["Id"]), name=str(row.get("Name") or ""), parent_id=str(parent) if parent else None)


def _deepest(nodes: Iterable[AccountNode], tops: Sequence[str]) -> list[str]:
    """Return the accounts at the lowest level that a query reaches: there may be more below them."""
    parents = {node.id: node.parent_id for node in nodes}
    deepest = []
    for identifier in parents:
        level, at = 0, identifier
        while at in parents and at not in tops and level < _LEVELS:
            at, level = parents[at] or "", level + 1
        if level >= _LEVELS:
            deepest.append(identifier)
    return deepest
