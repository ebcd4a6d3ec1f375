"""Related rows of any size that look like a company's, the same for the same number and day everywhere.

Rows are made block by block of accounts with all that hangs on them, each block in one transaction: memory does not
grow with the size, other writers get their turn, and a population that was interrupted goes on where it stood. Names
are put together from lists and belong to nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from random import Random
from typing import Any

from orgbridge.emulator.org import inventions
from orgbridge.emulator.org.org import Org
from orgbridge.emulator.storage.counters import get_meta, set_meta
from orgbridge.emulator.storage.database import Connection
from orgbridge.kit.json import JSON, dumps, loads

#: Accounts of a block.
BLOCK = 500
#: Rows of an object at most, so that external ids keep their width.
MOST = 99_999_999

Row = dict[str, Any]


class PopulationError(ValueError):
    """The rows cannot be made as asked; blocks already made stay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """How many rows of each object. What is None follows from the number of accounts."""

    #: Chooses all values; two populations of one org need two numbers.
    number: int = 1
    #: Companies; one in five belongs to another one of its block.
    accounts: int = 100
    #: Persons, with who reports to whom.
    contacts: int | None = None
    #: Deals in all stages, two in three with one to four products.
    opportunities: int | None = None
    #: Requests for service.
    cases: int | None = None
    #: Products, each with an entry in the standard price book and in a second one.
    products: int | None = None
    #: Orders of one to four items.
    orders: int | None = None
    #: Machines that the companies have.
    assets: int | None = None

    def counts(self) -> dict[str, int]:
        """Return rows by kind, with the defaults filled in.

        Raises:
            PopulationError: A number is negative or too large, or rows would have no account to hang on.
        """
        ratios = {"contacts": 3.0, "opportunities": 1.0, "cases": 1.0, "orders": 0.5, "assets": 1.0}
        counts = {name: int(self.accounts * ratio) for name, ratio in ratios.items()}
        counts["products"] = min(200, max(8, self.accounts // 10))
        given = {name: value for name, value in asdict(self).items() if name != "number" and value is not None}
        counts.update(given)
        if any(not 0 <= count <= MOST for count in counts.values()):
            raise PopulationError(f"a number of rows lies between 0 and {MOST}")
        if counts["accounts"] == 0 and any(counts[name] for name in ratios):
            raise PopulationError("without accounts there is nothing that the other rows could hang on")
        if counts["products"] == 0 and (counts["orders"] or counts["assets"]):
            raise PopulationError("orders and assets need products")
        return counts


def read_population(given: Mapping[str, Any]) -> Population:
    """Return the population that a JSON object stands for.

    Raises:
        PopulationError: A key is unknown, or a value is no whole number.
    """
    known = {field.name for field in fields(Population)}
    if unknown := sorted(set(given) - known):
        raise PopulationError(f"unknown keys: {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    for name, value in given.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            raise PopulationError(f"{name} must be a whole number")
    return Population(**given)


def populate(org: Org, population: Population) -> dict[str, int]:
    """Make the rows and return how many of each object were made now; what was made before is not made again.

    Raises:
        PopulationError: The numbers make no sense, or this `number` was used with other sizes. Nothing was made.
        RuntimeError: A row does not keep the org's rules. Blocks before it stay.
    """
    counts = population.counts()
    work = _Work(org, population.number, counts)
    made: dict[str, int] = {}
    for block in range(work.first, work.blocks):
        with org.storage.write() as connection:
            for sobject, ids in work.block(connection, block):
                made[sobject] = made.get(sobject, 0) + len(ids)
            set_meta(connection, work.key, dumps({"counts": counts, "done": block + 1}).decode())
    return made


class _Work:
    """One population under way."""

    def __init__(self, org: Org, number: int, counts: dict[str, int]) -> None:
        self.key = f"population.{number}"
        self.blocks = max(1, -(-counts["accounts"] // BLOCK))
        self._org = org
        self._number = number
        self._counts = counts
        self._today = org.clock.now().date()
        with org.storage.read() as connection:
            text = get_meta(connection, self.key)
        kept: dict[str, JSON] = loads(text) if text else {"counts": counts, "done": 0}
        if kept["counts"] != counts:
            raise PopulationError(f"number {number} was used with other sizes: {kept['counts']}; choose another number")
        #: The first block that is not made yet.
        self.first = int(kept["done"])

    def block(self, connection: Connection, block: int) -> list[tuple[str, list[str]]]:
        """Make one block; return object and ids of what was made."""
        made: list[tuple[str, list[str]]] = []

        def add(sobject: str, rows: Sequence[Row]) -> list[str]:
            ids = self._insert(connection, sobject, rows)
            made.append((sobject, ids))
            return ids

        entries = self._products(connection, add, block)
        accounts = self._accounts(add, block)
        if accounts:
            contacts = self._contacts(connection, add, block, accounts)
            self._opportunities(add, block, accounts, entries)
            add("Case", self._rows("cases", block, inventions.case, accounts, contacts))
            if entries:
                add("Asset", self._rows("assets", block, inventions.asset, accounts, contacts, entries))
                self._orders(add, block, accounts, entries)
        return [(sobject, ids) for sobject, ids in made if ids]

    def _products(self, connection: Connection, add: _Add, block: int) -> list[inventions.Entry]:
        count = self._counts["products"]
        if block == 0 and count:
            rows = [inventions.product(self._random("products", n), self._number, n) for n in range(count)]
            products = add("Product2", rows)
            (book,) = add("Pricebook2", [{"Name": f"Partner Prices {self._number}", "IsActive": True}])
            set_meta(connection, f"{self.key}.book", book)
            prices = [inventions.price(self._random("prices", n)) for n in range(count)]
            for pricebook, share in ((self._org.standard_pricebook_id, 1.0), (book, 0.85)):
                add(
                    "PricebookEntry",
                    [
                        {
                            "Pricebook2Id": pricebook,
                            "Product2Id": product,
                            "UnitPrice": round(price * share, 2),
                            "IsActive": True,
                        }
                        for product, price in zip(products, prices, strict=True)
                    ],
                )
        return self._entries(connection)

    def _entries(self, connection: Connection) -> list[inventions.Entry]:
        """Return this population's entries of the standard price book, also when an earlier block made them."""
        sql = (
            'SELECT e.Id, e.Product2Id, e.UnitPrice, p.Name FROM "PricebookEntry" e JOIN "Product2" p'
            " ON p.Id = e.Product2Id WHERE e.Pricebook2Id = ? AND p.External_Id__c >= ? AND p.External_Id__c < ?"
            " AND e.IsDeleted = 0 ORDER BY p.External_Id__c"
        )
        low = inventions.external_id(self._number, "P", 0)
        values = (self._org.standard_pricebook_id, low, low[:-8] + "~")
        return [inventions.Entry(*row) for row in connection.execute(sql, values)]

    def _accounts(self, add: _Add, block: int) -> list[str]:
        first, last = self._range("accounts", block)
        rows = [inventions.account(self._random("accounts", n), self._number, n) for n in range(first, last)]
        # Heads of groups come first, so that the others can name them.
        heads = max(1, len(rows) // 25)
        ids = add("Account", rows[:heads])
        for n, row in enumerate(rows[heads:], heads):
            if n % 5 == 0:
                row["ParentId"] = ids[self._random("groups", first + n).randrange(heads)]
        return ids + add("Account", rows[heads:])

    def _contacts(self, connection: Connection, add: _Add, block: int, accounts: Sequence[str]) -> list[str]:
        rows = self._rows("contacts", block, inventions.contact, accounts)
        ids = add("Contact", rows)
        chiefs: dict[str, str] = {}
        reports = []
        for record_id, row in zip(ids, rows, strict=True):
            chief = chiefs.setdefault(row["AccountId"], record_id)
            if chief != record_id:
                reports.append({"Id": record_id, "ReportsToId": chief})
        if reports:
            self._org.update_in(connection, "Contact", reports, user_id=self._org.admin_id)
        return ids

    def _opportunities(
        self, add: _Add, block: int, accounts: Sequence[str], entries: Sequence[inventions.Entry]
    ) -> None:
        """Make deals; most of them have products, which then make their amount."""
        first, last = self._range("opportunities", block)
        rows = self._rows("opportunities", block, inventions.opportunity, accounts, self._today)
        items: list[list[Row]] = [
            inventions.line_items(self._random("lines", n), entries) if entries else [] for n in range(first, last)
        ]
        for row, own in zip(rows, items, strict=True):
            if own:
                row["Pricebook2Id"] = self._org.standard_pricebook_id
        ids = add("Opportunity", rows)
        lines = [{**line, "OpportunityId": i} for i, own in zip(ids, items, strict=True) for line in own]
        add("OpportunityLineItem", lines)

    def _orders(self, add: _Add, block: int, accounts: Sequence[str], entries: Sequence[inventions.Entry]) -> None:
        first, last = self._range("orders", block)
        places = range(first, last)
        orders = [inventions.order(self._random("orders", n), accounts, self._today) for n in places]
        for order in orders:
            order["Pricebook2Id"] = self._org.standard_pricebook_id
        items = [
            {**item, "OrderId": order_id}
            for n, order_id in zip(places, add("Order", orders), strict=True)
            for item in inventions.order_items(self._random("items", n), entries)
        ]
        add("OrderItem", items)

    def _rows(self, kind: str, block: int, invent: Callable[..., Row], *related: Any) -> list[Row]:
        first, last = self._range(kind, block)
        return [invent(self._random(kind, n), self._number, n, *related) for n in range(first, last)]

    def _range(self, kind: str, block: int) -> tuple[int, int]:
        """Return which rows of a kind belong to a block: as large a share as its accounts have of all accounts."""
        accounts, count = max(1, self._counts["accounts"]), self._counts[kind]
        first, last = min(block * BLOCK, accounts), min((block + 1) * BLOCK, accounts)
        return count * first // accounts, count * last // accounts

    def _random(self, kind: str, place: int) -> Random:
        return Random(f"{self._number}/{kind}/{place}")

    def _insert(self, connection: Connection, sobject: str, rows: Sequence[Row]) -> list[str]:
        if not rows or self._org.catalogue.sobject(sobject) is None:
            return []
        outcomes = self._org.insert_in(connection, sobject, rows, user_id=self._org.admin_id)
        bad = next((fault for outcome in outcomes for fault in outcome.errors), None)
        if bad is not None:
            raise RuntimeError(f"made-up {sobject} rows do not keep the rules: {bad}")
        return [outcome.id or "" for outcome in outcomes]


_Add = Callable[[str, Sequence[Row]], list[str]]
