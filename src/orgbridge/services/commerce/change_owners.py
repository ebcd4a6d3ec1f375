"""Whose organization the records of an account are: the nearest mapped one at or above it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from orgbridge.services.commerce.accounts import AccountService
from orgbridge.services.commerce.change_events import ABOVE, Watched
from orgbridge.store.change_records import ChangeRecord
from orgbridge.store.database import Database

Line = tuple[str, ...]


class ChangeOwners:
    """Tells organizations by lines of accounts."""

    def __init__(self, database: Database, accounts: AccountService) -> None:
        self._database = database
        self._accounts = accounts

    async def of(self, lines: Iterable[Line]) -> dict[Line, str | None]:
        """Return the organization of each line; None for one of nobody.

        Args:
            lines: Accounts with those above them, the nearest first, of 18 characters.

        Raises:
            ClientError: A hierarchy is deeper than its line, and Salesforce could not be asked for the rest.
        """
        wanted = dict.fromkeys(lines)
        ids = {one for line in wanted for one in line}
        if not ids:
            return dict.fromkeys(wanted)
        async with self._database.unit(write=False) as unit:
            mapped = {one.account_id: one.organization_id for one in await unit.accounts.of_accounts(sorted(ids))}
        found: dict[Line, str | None] = {}
        for line in wanted:
            owner = next((mapped[one] for one in line if one in mapped), None)
            if owner is None and len(line) > ABOVE:
                mapping = await self._accounts.owner(line[0])
                owner = mapping.organization_id if mapping is not None else None
            found[line] = owner
        return found

    async def remembered(
        self, watched: Watched, record_ids: Sequence[str], seen: Mapping[str, ChangeRecord]
    ) -> dict[str, tuple[str, str | None]]:
        """Return account and organization of records that Salesforce does not know any more, as far as we do.

        Those are carts of the mirror, orders that were placed here, and what a look saw before it was gone.

        Args:
            watched: Their object.
            record_ids: Which.
            seen: What looks saw of them.

        Raises:
            ClientError: Salesforce could not be asked for the hierarchy of an account.
        """
        async with self._database.unit(write=False) as unit:
            match watched.sobject:
                case "WebCart":
                    accounts = await unit.carts.accounts_of(record_ids)
                case "Order":
                    accounts = await unit.placements.accounts_of(record_ids)
                case _:
                    accounts = {}
        # What the org itself said last goes before what was kept here.
        accounts = {**accounts, **_accounts(record_ids, seen)}
        organizations: dict[str, str | None] = {}
        for account_id in dict.fromkeys(accounts.values()):
            mapping = await self._accounts.owner(account_id)
            organizations[account_id] = mapping.organization_id if mapping is not None else None
        return {one: (account_id, organizations[account_id]) for one, account_id in accounts.items()}


def _accounts(record_ids: Sequence[str], seen: Mapping[str, ChangeRecord]) -> dict[str, str]:
    known = {one: seen[one].account_id for one in record_ids if one in seen}
    return {one: account for one, account in known.items() if account is not None}
