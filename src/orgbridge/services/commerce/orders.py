"""Orders that were placed: a buyer's own and, where the organization is granted, those of colleagues; and orders again.

Which rows a caller gets is told by the grants of this service, by the account that is acted for and by the policy of
the caller's roles, so that orders which a colleague or the integration placed are there too, whoever owns them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from orgbridge.client import Salesforce, SalesforceFault
from orgbridge.client.commerce.cart_values import NewLine
from orgbridge.client.commerce.carts import BATCH_LINES, CURRENT, Carts
from orgbridge.client.errors import ClientError, NotFound
from orgbridge.client.verdicts import outcome_unknown
from orgbridge.kit.json import JSON
from orgbridge.kit.notes import note
from orgbridge.orgs.connections import Orgs
from orgbridge.services.commerce.accounts import AccountService, BuyerAccount
from orgbridge.services.commerce.conditions import both, compare, either, equal, path, within
from orgbridge.services.commerce.order_errors import NoMachineField, OrderMissing
from orgbridge.services.commerce.refusals import refusals_told
from orgbridge.services.commerce.shops import NoBuyer, Shops
from orgbridge.services.commerce.sights import Question, Row, Sight
from orgbridge.services.cursors import Cursors
from orgbridge.services.errors import InvalidRequest, OutcomeUnknown
from orgbridge.services.scopes import Caller, Scope
from orgbridge.soql import bind, tree
from orgbridge.wire.dates import parse_datetime
from orgbridge.wire.ids import to_18

#: What is shown of an order. Fields that the org does not have or a policy hides are left out.
_ORDER = (
    *("Id", "OrderNumber", "Status", "StatusCode", "EffectiveDate", "Pricebook2Id", "AccountId", "OwnerId"),
    *("TotalAmount", "GrandTotalAmount", "CurrencyIsoCode", "PoNumber", "OrderReferenceNumber", "SalesStoreId"),
    *("ShippingStreet", "ShippingCity", "ShippingState", "ShippingPostalCode", "ShippingCountry"),
    *("BillingStreet", "BillingCity", "BillingState", "BillingPostalCode", "BillingCountry"),
    *("Purchase_Order__c", "Urgent__c", "OrderedDate", "CreatedDate"),
)
_ITEM = (
    *("Id", "OrderItemNumber", "Type", "Product2Id", "PricebookEntryId", "Quantity", "UnitPrice", "ListPrice"),
    *("TotalPrice", "TotalLineAmount", "CurrencyIsoCode", "Description"),
)
_PRODUCT = ("Id", "Name", "ProductCode", "StockKeepingUnit")
#: Fields of a line that name the machine it is for, in orgs that have one.
_MACHINE = ("Asset__c", "AssetId", "Machine__c")
_PREFIX = "801"
_ITEMS_OF = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFilter:
    """Which orders."""

    #: Our organization; None to tell it.
    organization_id: str | None = None
    #: The account; None to tell it.
    account_id: str | None = None
    #: Orders of colleagues, and of the integration for this account, too.
    colleagues: bool = False
    #: First day, inclusive.
    since: date | None = None
    #: Last day, inclusive.
    until: date | None = None
    #: The org's word, e.g. `Draft`.
    status: str | None = None
    #: Number of the buyer's purchase order, exactly.
    po_number: str | None = None
    #: Id of the Asset that lines are for.
    machine: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPage:
    """One page of orders, the newest first."""

    #: As Salesforce wrote them, with their items under `OrderItems`.
    records: list[Row]
    #: For the next page; None at the end.
    next_cursor: str | None


class OrderService:
    """Shows orders, and puts them into a cart again."""

    def __init__(
        self, orgs: Orgs, accounts: AccountService, shops: Shops, cursors: Cursors, org: str = "default"
    ) -> None:
        self._orgs = orgs
        self._accounts = accounts
        self._shops = shops
        self._cursors = cursors
        self._org = org
        self._sight = Sight(orgs, org)

    async def page(self, caller: Caller, chosen: OrderFilter, *, cursor: str | None, limit: int) -> OrderPage:
        """Return one page of orders with all their items.

        Args:
            caller: Who asks.
            chosen: Which orders.
            cursor: Where to go on; None for the newest.
            limit: Most orders.

        Raises:
            InvalidRequest: The cursor is not one given for this list, or a value is malformed.
            NoBuyer: One's own orders were asked for by somebody who is nobody in Salesforce.
            NoMachineField: A machine was named where lines name none.
            NotGranted: The account is not the caller's to see.
            PolicyError: The caller's roles hide orders.
            ClientError: Salesforce could not be asked.
        """
        buyer = await self._accounts.resolve(caller, chosen.organization_id, chosen.account_id)
        last = self._opened(caller, cursor, buyer, chosen)
        fields = await self._fields(caller, "Order", _ORDER, needed=("Id", "CreatedDate"))
        own = both(equal("AccountId", buyer.account_id), await self._whose(caller, chosen), _after(last))
        query = tree.Query(
            select=(*_columns(fields), *await self._items_column(caller)),
            sources=(tree.FromItem(path=("Order",)),),
            where=await self._asked(caller, chosen),
            order_by=(_descending("CreatedDate"), _descending("Id")),
            limit=limit + 1,
        )
        rows = await self._sight.rows(caller, Scope.ORDERS_READ, Question(query=query, own=own))
        more = len(rows) > limit
        shown = rows[:limit]
        sealed = None
        if more:
            content = {"at": shown[-1]["CreatedDate"], "id": shown[-1]["Id"], "of": _print(buyer, chosen)}
            sealed = self._cursors.seal(caller.user_id, content)
        return OrderPage(records=[await self._whole(caller, row) for row in shown], next_cursor=sealed)

    async def one(self, caller: Caller, order_id: str, chosen: OrderFilter) -> Row:
        """Return an order with all its items.

        Raises:
            OrderMissing: There is none, or it is not the caller's to see.
            NotGranted: The account is not the caller's to see.
            PolicyError: The caller's roles hide orders.
            ClientError: Salesforce could not be asked.
        """
        buyer = await self._accounts.resolve(caller, chosen.organization_id, chosen.account_id)
        found = await self._found(caller, _order_id(order_id), buyer, chosen)
        return await self._whole(caller, found)

    async def reorder(
        self, caller: Caller, order_id: str, chosen: OrderFilter, webstore_id: str | None
    ) -> dict[str, JSON]:
        """Put an order's products into the buyer's cart, and tell of each that it did not take.

        An order that the store keeps a summary of is put there by the store itself; any other one line by line.

        Raises:
            OrderMissing: There is none, or it is not the caller's to see.
            OutcomeUnknown: The products may be in the cart: look before doing it again.
            NoBuyer: The caller is nobody in Salesforce.
            SalesforceRefusal: Salesforce refused.
            ClientError: Salesforce could not be reached.
        """
        buyer = await self._accounts.resolve(caller, chosen.organization_id, chosen.account_id)
        identifier = _order_id(order_id)
        found = await self._found(caller, identifier, buyer, chosen)
        store = await self._shops.store(caller, buyer.account_id, webstore_id)
        salesforce = await self._orgs.buyer(caller.sf_username, self._org)
        summary = await _summary_of(salesforce, identifier)
        note(ids=[identifier], object_name="Order")
        try:
            with refusals_told():
                if summary is not None:
                    done = await store.order_summaries.add_to_cart(summary, CURRENT)
                    unadded: list[JSON] = [
                        {"product_id": one.product_id, "sku": one.sku, "name": one.name, "code": one.code}
                        | {"message": one.message}
                        for one in done.unadded
                    ]
                    return {"cart_id": done.cart_id, "added": done.added, "unadded": unadded}
                return await self._line_by_line(store.carts, (await self._whole(caller, found))["OrderItems"])
        except ClientError as error:
            if outcome_unknown(error):
                raise OutcomeUnknown(error, "the products were put into the cart") from error
            raise

    async def _line_by_line(self, carts: Carts, items: Any) -> dict[str, JSON]:
        lines: list[NewLine] = []
        unadded: list[JSON] = []
        for one in (items or {}).get("records", ()):
            product = one.get("Product2Id") or (one.get("Product2") or {}).get("Id")
            if product is None:
                refusal = {"code": "no_product", "message": "The line is a charge and no product."}
                unadded.append({"product_id": None, "sku": None, "name": one.get("Description"), **refusal})
            else:
                lines.append(NewLine(product_id=str(product), quantity=_quantity(one)))
        cart_id, added = (await carts.ensure()).cart_id, 0
        for start in range(0, len(lines), BATCH_LINES):
            batch = lines[start : start + BATCH_LINES]
            for line, outcome in zip(batch, await carts.add_many(cart_id, batch), strict=True):
                if outcome.succeeded:
                    added += 1
                else:
                    fault = outcome.faults[0] if outcome.faults else SalesforceFault(error_code="", message="")
                    refusal = {"code": fault.error_code, "message": fault.message}
                    unadded.append({"product_id": line.product_id, "sku": None, "name": None, **refusal})
        return {"cart_id": cart_id, "added": added, "unadded": unadded}

    async def _found(self, caller: Caller, order_id: str, buyer: BuyerAccount, chosen: OrderFilter) -> Row:
        fields = await self._fields(caller, "Order", _ORDER, needed=("Id",))
        own = both(equal("AccountId", buyer.account_id), await self._whose(caller, chosen))
        query = tree.Query(
            select=(*_columns(fields), *await self._items_column(caller)),
            sources=(tree.FromItem(path=("Order",)),),
            where=equal("Id", order_id),
            limit=1,
        )
        rows = await self._sight.rows(caller, Scope.ORDERS_READ, Question(query=query, own=own))
        if not rows:
            raise OrderMissing
        return rows[0]

    async def _whose(self, caller: Caller, chosen: OrderFilter) -> tree.Condition | None:
        if chosen.colleagues:
            return None
        if caller.sf_username is None:
            raise NoBuyer
        asked = bind("SELECT Id FROM User WHERE Username = :name LIMIT 2", {"name": caller.sf_username})
        page = await self._orgs.get(self._org).salesforce.query.page(asked)
        ids = [str(row["Id"]) for row in page.records]
        if len(ids) != 1:
            raise NoBuyer
        return either([equal("OwnerId", ids[0]), equal("CreatedById", ids[0])])

    async def _asked(self, caller: Caller, chosen: OrderFilter) -> tree.Condition | None:
        conditions: list[tree.Condition | None] = [
            compare("EffectiveDate", tree.Operator.GREATER_OR_EQUAL, chosen.since) if chosen.since else None,
            compare("EffectiveDate", tree.Operator.LESS_OR_EQUAL, chosen.until) if chosen.until else None,
            equal("Status", chosen.status) if chosen.status else None,
            equal("PoNumber", chosen.po_number) if chosen.po_number else None,
        ]
        if chosen.machine:
            asset = to_18(chosen.machine)
            if asset is None or not asset.startswith("02i"):
                raise InvalidRequest("machine is no Salesforce id of an Asset: they begin with 02i.")
            named = await self._sight.fields(caller, Scope.ORDERS_READ, "OrderItem", _MACHINE, plain=True)
            if not named:
                raise NoMachineField
            lines = tree.Query(
                select=(tree.SelectExpression(expression=path("OrderId")),),
                sources=(tree.FromItem(path=("OrderItem",)),),
                where=equal(named[0], asset),
            )
            conditions.append(within("Id", lines))
        return both(*conditions)

    async def _items_column(self, caller: Caller) -> tuple[Any, ...]:
        fields = await self._sight.fields(caller, Scope.ORDERS_READ, "OrderItem", (*_ITEM, *_MACHINE))
        if not fields:
            return ()
        products = await self._sight.fields(caller, Scope.ORDERS_READ, "Product2", _PRODUCT) or []
        names = [*fields, *(f"Product2.{name}" for name in products)]
        query = tree.Query(
            select=_columns(names),
            sources=(tree.FromItem(path=("OrderItems",)),),
            order_by=(tree.OrderItem(expression=path("Id"), direction=tree.Direction.ASC, nulls=tree.Nulls.LAST),),
        )
        return (tree.SelectQuery(query=query),)

    async def _fields(
        self, caller: Caller, sobject: str, wanted: Sequence[str], *, needed: Sequence[str]
    ) -> Sequence[str]:
        found = await self._sight.fields(caller, Scope.ORDERS_READ, sobject, wanted)
        # Asked for all the same when hidden: the policy then refuses the query, in words.
        return list(dict.fromkeys([*(found or ()), *needed]))

    async def _whole(self, caller: Caller, row: Row) -> Row:
        """Return an order whose items are complete: Salesforce may tell only the first of them."""
        items = row.get("OrderItems")
        if not isinstance(items, dict) or items.get("done", True) is True:
            return row
        fields = await self._sight.fields(caller, Scope.ORDERS_READ, "OrderItem", (*_ITEM, *_MACHINE)) or ["Id"]
        products = await self._sight.fields(caller, Scope.ORDERS_READ, "Product2", _PRODUCT) or []
        query = tree.Query(
            select=_columns([*fields, *(f"Product2.{name}" for name in products)]),
            sources=(tree.FromItem(path=("OrderItem",)),),
            where=equal("OrderId", str(row["Id"])),
            order_by=(tree.OrderItem(expression=path("Id"), direction=tree.Direction.ASC, nulls=tree.Nulls.LAST),),
            limit=_ITEMS_OF,
        )
        found = await self._sight.rows(caller, Scope.ORDERS_READ, Question(query=query))
        return {**row, "OrderItems": {"totalSize": len(found), "done": True, "records": found}}

    def _opened(self, caller: Caller, cursor: str | None, buyer: BuyerAccount, chosen: OrderFilter) -> Any:
        if cursor is None:
            return None
        content = self._cursors.open(caller.user_id, cursor)
        if content.get("of") != _print(buyer, chosen):
            raise InvalidRequest("The cursor belongs to another list: ask with the filters that it was given for.")
        return content


def _print(buyer: BuyerAccount, chosen: OrderFilter) -> list[JSON]:
    dates = [day.isoformat() if day else None for day in (chosen.since, chosen.until)]
    return [buyer.account_id, chosen.colleagues, *dates, chosen.status, chosen.po_number, chosen.machine]


def _columns(names: Sequence[str]) -> tuple[tree.SelectExpression, ...]:
    return tuple(tree.SelectExpression(expression=path(name)) for name in names)


def _descending(name: str) -> tree.OrderItem:
    return tree.OrderItem(expression=path(name), direction=tree.Direction.DESC, nulls=tree.Nulls.LAST)


def _after(last: Any) -> tree.Condition | None:
    if last is None:
        return None
    instant = parse_datetime(str(last["at"]))
    assert instant is not None, "the cursor was sealed here with Salesforce's own instant"
    at = tree.DateTimeValue(value=instant)
    created = path("CreatedDate")
    older = tree.Comparison(left=created, operator=tree.Operator.LESS, right=at)
    same = tree.Comparison(left=created, operator=tree.Operator.EQUAL, right=at)
    below = compare("Id", tree.Operator.LESS, str(last["id"]))
    return either([older, tree.And(items=(same, below))])


def _order_id(text: str) -> str:
    found = to_18(text)
    if found is None or not found.startswith(_PREFIX):
        raise OrderMissing
    return found


def _quantity(item: Row) -> Decimal:
    return Decimal(str(item["Quantity"]))


async def _summary_of(salesforce: Salesforce, order_id: str) -> str | None:
    soql = bind("SELECT Id FROM OrderSummary WHERE OriginalOrderId = :order LIMIT 1", {"order": order_id})
    try:
        page = await salesforce.query.page(soql)
    except NotFound:
        return None
    except ClientError as error:
        if outcome_unknown(error) or error.retryable:
            raise
        # The buyer sees no summaries: line by line then.
        return None
    return str(page.records[0]["Id"]) if page.records else None
