"""How the commerce seed writes rows: as the platform, and every bad one stops it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orgbridge.emulator.org.org import Org
from orgbridge.emulator.storage.database import Connection
from orgbridge.emulator.storage.tables import quote


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedWorld:
    """Ids of what the seed made."""

    #: Companies by key.
    accounts: Mapping[str, str]
    #: Users by user name.
    buyers: Mapping[str, str]
    #: Products in the order of their numbers.
    products: Sequence[str]
    #: Price-book entries by name of the buyer group and number of the product.
    entries: Mapping[str, Mapping[int, str]]


class Rows:
    """Writes rows within one transaction.

    Args:
        org: The org.
        connection: The open write transaction.
    """

    def __init__(self, org: Org, connection: Connection) -> None:
        #: The org.
        self.org = org
        #: The open write transaction.
        self.connection = connection

    def add(self, sobject: str, rows: Sequence[Mapping[str, Any]], *, user_id: str | None = None) -> list[str]:
        """Insert rows, as the administrator unless told, and return their ids.

        Raises:
            RuntimeError: A row does not keep the org's rules.
        """
        outcomes = self.org.insert_in(self.connection, sobject, rows, user_id=user_id or self.org.admin_id, system=True)
        bad = next((fault for outcome in outcomes for fault in outcome.errors), None)
        if bad is not None:
            raise RuntimeError(f"the commerce {sobject} rows do not keep the rules: {bad}")
        return [outcome.id or "" for outcome in outcomes]

    def change(self, sobject: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Update rows by their `Id`.

        Raises:
            RuntimeError: A row does not keep the org's rules.
        """
        outcomes = self.org.update_in(self.connection, sobject, rows, user_id=self.org.admin_id, system=True)
        bad = next((fault for outcome in outcomes for fault in outcome.errors), None)
        if bad is not None:
            raise RuntimeError(f"the commerce {sobject} rows do not keep the rules: {bad}")

    def ids(self, sobject: str, start: str = "") -> list[str]:
        """Return the ids of the rows whose name begins so, in the order in which they were made."""
        sql = f"SELECT Id FROM {quote(sobject)} WHERE substr(Name, 1, ?) = ? ORDER BY Id"  # noqa: S608 fixed names
        return [row[0] for row in self.connection.execute(sql, (len(start), start))]

    def prices(self, book: str, prices: Sequence[tuple[str, float]]) -> list[str]:
        """Give products their prices in a price book and return the ids of the entries."""
        return self.add(
            "PricebookEntry",
            [
                {"Pricebook2Id": book, "Product2Id": product, "UnitPrice": price, "IsActive": True}
                for product, price in prices
            ],
        )
