"""What a product costs an account: the best entry of the price books of the store and of the account's buyer groups.

    LowestPrice   the least price of all books
    Priority      the book with the least priority number that has the product; books without a number come last

The list price is that of the store's strike-through book, else of the standard one. Tiers of an active schedule of the
book that gave the price lower it by quantity.

Source: facts/commerce/catalog.md section 3, carts.md section 7. Assumed: a schedule belongs to a price by its
`Pricebook2Id` (any book where empty), a tier to a product by its `Product2Id` (any product where empty); bounds are
inclusive; only `Volume` schedules are applied as such, others alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from orgbridge.emulator.commerce.amounts import cents, exact
from orgbridge.emulator.commerce.contexts import BuyerContext
from orgbridge.emulator.commerce.entitlements import NO_RIGHTS, chunks, rights_of
from orgbridge.emulator.schema.errors import SFError
from orgbridge.emulator.storage.database import Connection
from orgbridge.wire.dates import bulk_datetime

#: Price books that account and store may resolve to. Source: catalog.md section 3.
MOST_PRICEBOOKS = 25
_LAST = 1 << 31
_HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """A price by quantity."""

    #: Row of PriceAdjustmentTier.
    id: str
    #: Least quantity.
    lower: Decimal
    #: Greatest quantity; None for no end.
    upper: Decimal | None
    #: `PercentageBasedAdjustment` or `AmountBasedAdjustment`.
    type: str
    #: Percent, or money off each piece.
    value: Decimal
    #: What a piece costs then.
    unit_price: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The tiers of a price."""

    #: Row of PriceAdjustmentSchedule.
    id: str
    #: `Range` or `Slab`.
    method: str
    #: `Volume` and the like.
    type: str
    #: By rising quantity.
    tiers: tuple[Tier, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What a product costs."""

    #: The product.
    product_id: str
    #: ISO code.
    currency: str
    #: What one piece costs; None when no book has the product.
    unit_price: Decimal | None = None
    #: What it costs without agreement.
    list_price: Decimal | None = None
    #: The entry that gave `unit_price`.
    entry_id: str | None = None
    #: The book of that entry.
    pricebook_id: str | None = None
    #: Prices by quantity, if there are any.
    schedule: Schedule | None = None

    def unit_price_for(self, quantity: Decimal) -> Decimal | None:
        """Return what one piece costs of this many."""
        for tier in self.schedule.tiers if self.schedule else ():
            if tier.lower <= quantity and (tier.upper is None or quantity <= tier.upper):
                return tier.unit_price
        return self.unit_price

    @property
    def lowest_unit_price(self) -> Decimal | None:
        """What one piece costs of the best quantity."""
        if self.unit_price is None or self.schedule is None:
            return self.unit_price
        return min([self.unit_price, *(tier.unit_price for tier in self.schedule.tiers)])


def pricebooks_of(connection: Connection, buyer: BuyerContext, now: datetime) -> dict[str, int]:
    """Return the active price books of a buyer with their priority; the least number is the first.

    Raises:
        SFError: There are more than 25.
    """
    today, books = now.date().isoformat(), dict[str, int]()
    alive = (
        ' JOIN "Pricebook2" b ON b.Id = x.Pricebook2Id WHERE x.IsActive = 1 AND x.IsDeleted = 0 AND b.IsActive = 1'
        " AND b.IsDeleted = 0 AND (b.ValidFrom IS NULL OR substr(b.ValidFrom, 1, 10) <= ?)"
        " AND (b.ValidTo IS NULL OR substr(b.ValidTo, 1, 10) >= ?)"
    )
    own = f'SELECT b.Id FROM "WebStorePricebook" x{alive} AND x.WebStoreId = ?'  # noqa: S608 fixed names
    for (book,) in connection.execute(own, (today, today, buyer.store.id)):
        books[book] = _LAST
    if buyer.groups:
        marks = ", ".join("?" * len(buyer.groups))
        agreed = f'SELECT b.Id, x.Priority FROM "BuyerGroupPricebook" x{alive} AND x.BuyerGroupId IN ({marks})'  # noqa: S608
        for book, priority in connection.execute(agreed, (today, today, *buyer.group_ids)):
            books[book] = min(books.get(book, _LAST), _LAST if priority is None else int(priority))
    if len(books) > MOST_PRICEBOOKS:
        # Assumed: the code.
        raise SFError("LIMIT_EXCEEDED", f"The account and store resolve to more than {MOST_PRICEBOOKS} price books.")
    return books


def prices_of(
    connection: Connection, buyer: BuyerContext, product_ids: Iterable[str], now: datetime
) -> dict[str, Price]:
    """Return the prices of the products whose price a buyer may see, by product; others are not in it.

    Args:
        connection: Open for reading.
        buyer: Who asks.
        product_ids: Ids of 18 characters.
        now: The instant at which price books and tiers hold.

    Raises:
        SFError: The buyer has more than 25 price books.
    """
    wanted = list(dict.fromkeys(product_ids))
    rights = rights_of(connection, buyer, wanted)
    allowed = [product for product in wanted if rights.get(product, NO_RIGHTS).price]
    books = pricebooks_of(connection, buyer, now)
    listed = _list_prices(connection, buyer, allowed)
    prices: dict[str, Price] = {}
    for some in chunks(allowed):
        best = _best(connection, buyer, books, some)
        schedules = _schedules(connection, best, now)
        for product in some:
            entry = best.get(product)
            if entry is None:
                prices[product] = Price(
                    product_id=product, currency=buyer.store.currency, list_price=listed.get(product)
                )
                continue
            prices[product] = Price(
                product_id=product,
                currency=buyer.store.currency,
                unit_price=entry.price,
                list_price=listed.get(product, entry.price),
                entry_id=entry.id,
                pricebook_id=entry.book,
                schedule=schedules.get(product),
            )
    return prices


@dataclass(frozen=True, slots=True)
class _Entry:
    id: str
    book: str
    price: Decimal


def _entries(
    connection: Connection, books: Iterable[str], products: list[str]
) -> Iterable[tuple[str, str, str, float]]:
    known = list(books)
    if not known or not products:
        return ()
    sql = (
        'SELECT Product2Id, Pricebook2Id, Id, UnitPrice FROM "PricebookEntry" WHERE IsActive = 1 AND IsDeleted = 0'  # noqa: S608
        f" AND Product2Id IN ({', '.join('?' * len(products))}) AND Pricebook2Id IN ({', '.join('?' * len(known))})"
        " ORDER BY Id"
    )
    return connection.execute(sql, (*products, *known)).fetchall()


def _best(
    connection: Connection, buyer: BuyerContext, books: Mapping[str, int], products: list[str]
) -> dict[str, _Entry]:
    by_priority = buyer.store.pricing_strategy == "Priority"
    best: dict[str, tuple[tuple[int, Decimal], _Entry]] = {}
    for product, book, entry_id, amount in _entries(connection, books, products):
        price = exact(amount) or Decimal(0)
        rank = (books[book] if by_priority else 0, price)
        if product not in best or rank < best[product][0]:
            best[product] = (rank, _Entry(entry_id, book, price))
    return {product: entry for product, (_, entry) in best.items()}


def _list_prices(connection: Connection, buyer: BuyerContext, products: list[str]) -> dict[str, Decimal]:
    book = buyer.store.strikethrough_pricebook_id
    if book is None:
        row = connection.execute('SELECT Id FROM "Pricebook2" WHERE IsStandard = 1 AND IsDeleted = 0').fetchone()
        if row is None:
            return {}
        book = str(row[0])
    return {
        row[0]: exact(row[3]) or Decimal(0) for some in chunks(products) for row in _entries(connection, (book,), some)
    }


def _schedules(connection: Connection, best: Mapping[str, _Entry], now: datetime) -> dict[str, Schedule]:
    """Return the tiers of the given prices, by product; of several schedules the first that was made."""
    moment = bulk_datetime(now)
    live = "{0}.IsDeleted = 0 AND ({0}.EffectiveFrom IS NULL OR {0}.EffectiveFrom <= ?)"
    live += " AND ({0}.EffectiveTo IS NULL OR {0}.EffectiveTo > ?)"
    sql = (
        "SELECT s.Id, s.AdjustmentMethod, s.ScheduleType, s.Pricebook2Id, t.Id, t.Product2Id, t.LowerBound,"  # noqa: S608
        ' t.UpperBound, t.TierType, t.TierValue FROM "PriceAdjustmentSchedule" s JOIN "PriceAdjustmentTier" t'
        f" ON t.PriceAdjustmentScheduleId = s.Id WHERE s.IsActive = 1 AND {live.format('s')} AND {live.format('t')}"
        " ORDER BY s.Id, t.LowerBound, t.Id"
    )
    found: dict[str, Schedule] = {}
    for schedule, method, kind, book, *tier in connection.execute(sql, (moment, moment, moment, moment)):
        tier_id, product, lower, upper, tier_type, value = tier
        for one in [product] if product else list(best):
            entry = best.get(one)
            if entry is None or (book is not None and book != entry.book):
                continue
            known = found.get(one)
            if known is not None and known.id != schedule:
                continue
            new = _tier(tier_id, lower, upper, tier_type, value, entry.price)
            found[one] = Schedule(id=schedule, method=method, type=kind, tiers=(*(known.tiers if known else ()), new))
    return found


def _tier(tier_id: str, lower: float, upper: float | None, kind: str, value: float, price: Decimal) -> Tier:
    amount = exact(value) or Decimal(0)
    match kind:
        case "AdjustmentPercentage":
            off = price * amount / _HUNDRED
        case "OverrideAmount":
            off = amount = price - amount
        case _:
            off = amount
    return Tier(
        id=tier_id,
        lower=exact(lower) or Decimal(0),
        upper=exact(upper),
        type="PercentageBasedAdjustment" if kind == "AdjustmentPercentage" else "AmountBasedAdjustment",
        value=amount,
        unit_price=max(Decimal(0), cents(price - off)),
    )
