"""Machines of an organization: Assets of its accounts with product, warranty and service history.

A page costs two calls of Salesforce, a machine three, however many rows they have.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from orgbridge.kit.clock import Clock
from orgbridge.kit.json import JSON, dumps_sorted
from orgbridge.kit.notes import note
from orgbridge.services.commerce.conditions import among, both, compare, contains, either, equal, select, within
from orgbridge.services.commerce.errors import MachineAmbiguous, MachineMissing, NotGranted, NotKept, NotMapped
from orgbridge.services.commerce.histories import Histories, History
from orgbridge.services.commerce.reaches import Reach, Reaches
from orgbridge.services.commerce.sights import Question, Row, Sight, settled
from orgbridge.services.commerce.warranties import (
    CONTRACT_FIELDS,
    ENTITLEMENT_FIELDS,
    WARRANTY_FIELDS,
    Cover,
    condition,
    covers_portrait,
    warranty_portrait,
)
from orgbridge.services.cursors import Cursors
from orgbridge.services.errors import InvalidRequest
from orgbridge.services.policies.policy import policy_of
from orgbridge.services.scopes import Caller, Scope
from orgbridge.soql import tree
from orgbridge.store.identity_records import MachineRecord
from orgbridge.wire.dates import parse_date
from orgbridge.wire.ids import to_18

_SCOPE = Scope.MACHINES_READ
_ASSET_PREFIX, _PRODUCT_PREFIX = "02i", "01t"
#: Of an Asset and of its product, with what they are called here.
_FIELDS = {
    "Name": "name", "SerialNumber": "serial_number", "Status": "status", "AccountId": "account_id",
    "Product2Id": "product_id", "Quantity": "quantity", "InstallDate": "install_date",
    "PurchaseDate": "purchase_date", "ManufactureDate": "manufacture_date", "UsageEndDate": "usage_end_date",
    "Description": "description", "DigitalAssetStatus": "digital_status", "City": "city", "Country": "country",
    "ExternalIdentifier": "external_identifier", "External_Id__c": "external_id",
}  # fmt: skip
_PRODUCT_FIELDS = {
    "Name": "name", "ProductCode": "product_code", "StockKeepingUnit": "sku", "Family": "family",
    "IsActive": "is_active",
}  # fmt: skip
_RELATIVE_FIELDS = ("Id", "Name", "SerialNumber", "Status", "ParentId")
#: Rows about one machine, or about a page of machines, that are read at most.
_MOST_ABOUT = 2_000
#: Machines that are listed when a serial number means several.
_CANDIDATES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineFilter:
    """Which machines are wanted; all of what is given must fit."""

    #: The serial number, in any case.
    serial: str | None = None
    #: Id, product code or SKU of the product.
    product: str | None = None
    #: Status, as the org calls it.
    status: str | None = None
    #: A plant of the organization, as this service knows it.
    plant: str | None = None
    #: What the warranties come to on the day.
    warranty: Cover | None = None
    #: A part of name, serial number or product code, in any case.
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MachinePage:
    """One page of machines."""

    #: JSON-ready.
    machines: list[dict[str, JSON]]
    #: The day that warranties are told for.
    at: date
    #: For the next page; None at the end.
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundMachine:
    """A machine that a caller may see."""

    #: What else the caller may see.
    reach: Reach
    #: Its row, as the caller may see it; `Id` is always there.
    row: Row


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryPage:
    """One page of a machine's history."""

    #: JSON-ready, newest first; None when none of it is there for the caller.
    entries: list[dict[str, JSON]] | None
    #: What of it is not there for the caller, or not kept by the org.
    missing: tuple[str, ...]
    #: For the next page; None at the end.
    next_cursor: str | None


class MachineService:
    """Shows machines to callers."""

    def __init__(self, reaches: Reaches, sight: Sight, cursors: Cursors, clock: Clock) -> None:
        self._reaches = reaches
        self._sight = sight
        self._histories = Histories(sight)
        self._cursors = cursors
        self._clock = clock

    async def page(
        self,
        caller: Caller,
        organization_id: str,
        wanted: MachineFilter,
        *,
        at: date | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> MachinePage:
        """Return one page of the machines of an organization that the caller may see, in Salesforce's order of ids.

        Args:
            caller: Who asks.
            organization_id: Which organization.
            wanted: Which machines; the same for every page.
            at: The day that warranties are told for; None for today in UTC.
            cursor: `next_cursor` of the page before; None for the first page.
            limit: Most machines of the page, up to 200.

        Raises:
            OrganizationUnknown: There is no such organization.
            NotGranted: The caller is granted nothing of it.
            NotMapped: It has no account in Salesforce.
            AccountGone: Its account was deleted or merged.
            MachineMissing: It has no such plant, or the org keeps no machines that the caller may see.
            NotKept: The caller filters by what is not there for the caller.
            InvalidRequest: The cursor is not one of these pages.
            ClientError: Salesforce refused, or could not be reached.
        """
        asked = _fingerprint(organization_id, wanted, at)
        start = self._opened(caller, cursor, asked) if cursor is not None else {}
        day = parse_date(str(start.get("d", ""))) or at or self._clock.now().date()
        reach = await self._reaches.of(caller, organization_id, plant_id=wanted.plant)
        names = await self._names(caller)
        if reach.assets is None:
            return MachinePage(machines=[], at=day, next_cursor=None)
        where = await self._where(caller, wanted, day)
        query = select("Asset", names, where=where, order=[("Id", False)], limit=limit + 1)
        behind = compare("Id", tree.Operator.GREATER, str(start["i"])) if "i" in start else None
        rows = await self._sight.rows(caller, _SCOPE, Question(query=query, own=both(reach.assets, behind)))
        shown = rows[:limit]
        machines = await self._told(caller, reach, shown, day)
        following = None
        if len(rows) > limit:
            content = {"k": "machines", "f": asked, "i": shown[-1]["Id"], "d": day.isoformat(), "p": self._mark(caller)}
            following = self._cursors.seal(caller.user_id, content)
        return MachinePage(machines=machines, at=day, next_cursor=following)

    async def find(self, caller: Caller, organization_id: str, key: str) -> FoundMachine:
        """Return a machine by the id of its Asset or by its serial number.

        Raises:
            OrganizationUnknown: There is no such organization.
            NotGranted: The caller is granted nothing of it.
            NotMapped: It has no account in Salesforce.
            AccountGone: Its account was deleted or merged.
            MachineMissing: There is no such machine, or none that the caller may see.
            MachineAmbiguous: Several machines have this serial number.
            ClientError: Salesforce refused, or could not be reached.
        """
        reach = await self._reaches.of(caller, organization_id)
        names = await self._names(caller)
        if reach.assets is None:
            raise MachineMissing
        rows: list[Row] = []
        identifier = to_18(key)
        if identifier is not None and identifier.startswith(_ASSET_PREFIX):
            rows = await self._found(caller, reach, names, equal("Id", identifier))
        if not rows and await self._sight.fields(caller, _SCOPE, "Asset", ["SerialNumber"], plain=True):
            rows = await self._found(caller, reach, names, equal("SerialNumber", key))
            # Salesforce compares in any case: of several the one that is written exactly so is meant.
            rows = [row for row in rows if row.get("SerialNumber") == key] or rows
        if not rows:
            raise MachineMissing
        if len(rows) > 1:
            raise MachineAmbiguous([{"machine_id": row["Id"], "name": row.get("Name")} for row in rows[:_CANDIDATES]])
        note(object_name="Asset", asset_id=str(rows[0]["Id"]))
        return FoundMachine(reach=reach, row=rows[0])

    def is_limited(self, caller: Caller) -> bool:
        """Tell whether policies limit what the caller sees of machines."""
        return not policy_of(caller, _SCOPE).is_unrestricted

    async def shows(self, caller: Caller) -> bool:
        """Tell whether there are machines for the caller at all.

        Raises:
            ClientError: The object could not be described.
        """
        return await self._sight.fields(caller, _SCOPE, "Asset", ["Id"]) is not None

    async def owns(self, caller: Caller, organization_id: str, asset_id: str) -> bool:
        """Tell whether an Asset is of one of the organization's accounts, and the caller may see it.

        Args:
            caller: Who asks.
            organization_id: Which organization.
            asset_id: Id of the Asset, or its serial number.

        Raises:
            AccountGone: The organization's account was deleted or merged.
            ClientError: Salesforce refused, or could not be reached.
        """
        try:
            await self.find(caller, organization_id, asset_id)
        except (MachineMissing, NotGranted, NotMapped):
            return False
        return True

    async def machine(
        self, caller: Caller, organization_id: str, key: str, *, at: date | None = None, history: int = 20
    ) -> dict[str, JSON]:
        """Return a machine with all that is known of it on a day.

        Args:
            caller: Who asks.
            organization_id: Which organization.
            key: Id of the Asset, or serial number.
            at: The day that warranties, entitlements and contracts are told for; None for today in UTC.
            history: Most entries of the history; `history` gives the rest.

        Raises:
            As of `find`.
        """
        found = await self.find(caller, organization_id, key)
        reach, identifier, day = found.reach, str(found.row["Id"]), at or self._clock.now().date()
        product, warranties, entitlements, contracts, relatives = await self._sight.many(
            caller,
            _SCOPE,
            [
                await self._about_product(caller, [found.row]),
                await self._about(caller, "AssetWarranty", WARRANTY_FIELDS, equal("AssetId", identifier)),
                await self._about(
                    caller, "Entitlement", ENTITLEMENT_FIELDS, both(equal("AssetId", identifier), reach.rows())
                ),
                await self._about(caller, "ServiceContract", CONTRACT_FIELDS, await self._covering(caller, found)),
                await self._about(caller, "Asset", _RELATIVE_FIELDS, both(reach.assets, _relatives(found.row))),
            ],
        )
        page = await self._history(caller, found, None, history)
        books = await self._books(reach, [found.row])
        told = _portrait(found.row, _by_id(settled(product)), books)
        covers = {"warranties": warranties, "entitlements": entitlements, "contracts": contracts}
        rows = {name: settled(item) for name, item in covers.items()}
        own = rows["warranties"]
        told["warranty"] = None if own is None else dict(warranty_portrait(own, day))
        told["coverage"] = {
            "at": day.isoformat(),
            **{name: None if item is None else list(covers_portrait(item, day)) for name, item in rows.items()},
        }
        told["history"] = {
            "entries": None if page.entries is None else list(page.entries),
            "missing": [*page.missing],
            "next_cursor": page.next_cursor,
        }
        return told | _family(found.row, settled(relatives) or [])

    async def history(
        self, caller: Caller, organization_id: str, key: str, *, cursor: str | None = None, limit: int = 50
    ) -> HistoryPage:
        """Return one page of a machine's cases and work orders, newest first.

        Raises:
            InvalidRequest: The cursor is not one of these pages.
            And those of `find`.
        """
        found = await self.find(caller, organization_id, key)
        return await self._history(caller, found, cursor, limit)

    async def _history(self, caller: Caller, found: FoundMachine, cursor: str | None, limit: int) -> HistoryPage:
        identifier = str(found.row["Id"])
        asked = f"history {found.reach.organization.id} {identifier}"
        start = self._opened(caller, cursor, asked).get("h") if cursor is not None else None
        page: History = await self._histories.page(caller, found.reach, identifier, place=start, limit=limit)
        following = None
        if page.place is not None:
            content = {"k": "machines", "f": asked, "h": page.place, "p": self._mark(caller)}
            following = self._cursors.seal(caller.user_id, content)
        return HistoryPage(entries=page.entries, missing=page.missing, next_cursor=following)

    # Queries -----------------------------------------------------------------------------------------------------

    async def _names(self, caller: Caller) -> list[str]:
        names = await self._sight.fields(caller, _SCOPE, "Asset", ["Id", *_FIELDS])
        if names is None:
            raise MachineMissing("The org keeps no machines, or none that your roles show.")
        return names

    async def _found(self, caller: Caller, reach: Reach, names: Sequence[str], where: tree.Condition) -> list[Row]:
        above = ["ParentId"] if await self._has(caller, "ParentId") else []
        query = select("Asset", [*names, *above], where=where, limit=_CANDIDATES + 1)
        return await self._sight.rows(caller, _SCOPE, Question(query=query, own=reach.assets))

    async def _has(self, caller: Caller, name: str) -> bool:
        return bool(await self._sight.fields(caller, _SCOPE, "Asset", [name], plain=True))

    async def _where(self, caller: Caller, wanted: MachineFilter, day: date) -> tree.Condition | None:
        """Return what the caller chooses by. All of it goes through the policy, which limits what may be asked."""
        items: list[tree.Condition] = []
        if wanted.serial is not None:
            items.append(await self._any(caller, "serial", ["SerialNumber"], wanted.serial))
        if wanted.status is not None:
            items.append(await self._any(caller, "status", ["Status"], wanted.status))
        if wanted.product is not None:
            identifier = to_18(wanted.product)
            if identifier is not None and identifier.startswith(_PRODUCT_PREFIX):
                items.append(await self._any(caller, "product", ["Product2Id"], identifier))
            else:
                items.append(await self._of_product(caller, wanted.product))
        if wanted.text is not None:
            there = await self._plain(caller, "text", ["Name", "SerialNumber", "ProductCode"])
            items.append(either(contains(name, wanted.text) for name in there))
        if wanted.warranty is not None:
            items += await self._warranty(caller, wanted.warranty, day)
        return both(*items)

    async def _any(self, caller: Caller, what: str, names: Sequence[str], text: str) -> tree.Condition:
        return either(equal(name, text) for name in await self._plain(caller, what, names))

    async def _of_product(self, caller: Caller, text: str) -> tree.Condition:
        names = await self._sight.fields(caller, _SCOPE, "Product2", ["ProductCode", "StockKeepingUnit"], plain=True)
        if not names or not await self._has(caller, "Product2Id"):
            raise NotKept("Machines cannot be chosen by product: the org keeps none for them, or you may not see it.")
        return either(equal(f"Product2.{name}", text) for name in names)

    async def _plain(self, caller: Caller, what: str, names: Sequence[str]) -> list[str]:
        there = await self._sight.fields(caller, _SCOPE, "Asset", names, plain=True)
        if not there:
            raise NotKept(f"Machines cannot be chosen by {what}: the org does not keep it, or you may not see it.")
        return there

    async def _warranty(self, caller: Caller, cover: Cover, day: date) -> tuple[tree.Condition, ...]:
        names = ("AssetId", "StartDate", "EndDate")
        there = await self._sight.fields(caller, _SCOPE, "AssetWarranty", names, plain=True)
        if there is None or len(there) < len(names):
            raise NotKept("Machines cannot be chosen by warranty: the org keeps none, or you may not see them.")
        return condition(cover, day)

    async def _about(
        self, caller: Caller, sobject: str, fields: Sequence[str], own: tree.Condition | None
    ) -> Question | None:
        """Return the query for rows about machines; None when there are none for the caller."""
        names = await self._sight.fields(caller, _SCOPE, sobject, fields)
        if not names or own is None:
            return None
        return Question(query=select(sobject, ["Id", *names], order=[("Id", False)], limit=_MOST_ABOUT), own=own)

    async def _about_product(self, caller: Caller, rows: Sequence[Row]) -> Question | None:
        ids = sorted({str(row["Product2Id"]) for row in rows if row.get("Product2Id")})
        return await self._about(caller, "Product2", ["Id", *_PRODUCT_FIELDS], among("Id", ids) if ids else None)

    async def _covering(self, caller: Caller, found: FoundMachine) -> tree.Condition | None:
        """Return the condition on service contracts with a line about a machine; None where lines cannot be seen."""
        names = ("AssetId", "ServiceContractId")
        there = await self._sight.fields(caller, _SCOPE, "ContractLineItem", names, plain=True)
        if there is None or len(there) < len(names):
            return None
        lines = select("ContractLineItem", ["ServiceContractId"], where=equal("AssetId", str(found.row["Id"])))
        return both(within("Id", lines), found.reach.rows())

    # What is told ------------------------------------------------------------------------------------------------

    async def _told(self, caller: Caller, reach: Reach, rows: Sequence[Row], day: date) -> list[dict[str, JSON]]:
        if not rows:
            return []
        ids = [str(row["Id"]) for row in rows]
        product, warranty = await self._sight.many(
            caller,
            _SCOPE,
            [
                await self._about_product(caller, rows),
                await self._about(caller, "AssetWarranty", WARRANTY_FIELDS, among("AssetId", ids)),
            ],
        )
        products, warranties = _by_id(settled(product)), settled(warranty)
        books = await self._books(reach, rows)
        told = []
        for row in rows:
            portrait = _portrait(row, products, books)
            if warranties is None or any("AssetId" not in one for one in warranties):
                # Which machine a warranty is for may be hidden; then nothing is said.
                portrait["warranty"] = None
            else:
                portrait["warranty"] = dict(
                    warranty_portrait((one for one in warranties if one["AssetId"] == row["Id"]), day)
                )
            told.append(portrait)
        return told

    async def _books(self, reach: Reach, rows: Sequence[Row]) -> list[MachineRecord]:
        serials = [str(row["SerialNumber"]) for row in rows if row.get("SerialNumber")]
        return await self._reaches.stands(reach.organization.id, [str(row["Id"]) for row in rows], serials)

    # Cursors -----------------------------------------------------------------------------------------------------

    def _opened(self, caller: Caller, cursor: str, asked: str) -> dict[str, Any]:
        content = self._cursors.open(caller.user_id, cursor)
        if content.get("k") != "machines" or content.get("f") != asked:
            raise InvalidRequest("The cursor is one of another list: ask as you did for the page before.")
        if content.get("p", "") != self._mark(caller):
            raise InvalidRequest("Your roles are not what they were when the list began: begin it again.")
        return content

    def _mark(self, caller: Caller) -> str:
        return self._sight.mark(caller, _SCOPE)


def _fingerprint(organization_id: str, wanted: MachineFilter, at: date | None) -> str:
    asked = {"o": organization_id, "at": at.isoformat() if at is not None else None, **asdict(wanted)}
    return hashlib.sha256(dumps_sorted(asked).encode()).hexdigest()[:24]


def _relatives(row: Row) -> tree.Condition:
    ways = [equal("ParentId", str(row["Id"]))]
    if row.get("ParentId"):
        ways.append(equal("Id", str(row["ParentId"])))
    return either(ways)


def _family(row: Row, relatives: Sequence[Row]) -> dict[str, JSON]:
    """Return the machine that this one is a part of, and its own parts, as far as the caller may see them."""
    above = [one for one in relatives if one["Id"] == row.get("ParentId")]
    below = [one for one in relatives if one["Id"] != row.get("ParentId")]
    return {
        "parent": _relative(above[0]) if above else None,
        "components": [_relative(one) for one in below],
    }


def _relative(row: Row) -> dict[str, JSON]:
    return {"machine_id": row["Id"]} | {
        _FIELDS[field]: row[field] for field in ("Name", "SerialNumber", "Status") if field in row
    }


def _by_id(rows: Sequence[Row] | None) -> dict[str, Row] | None:
    return None if rows is None else {str(row["Id"]): row for row in rows}


def _portrait(row: Row, products: Mapping[str, Row] | None, books: Sequence[MachineRecord]) -> dict[str, JSON]:
    """Return a machine; what the caller may not see is not there."""
    identifier = str(row["Id"])
    told: dict[str, JSON] = {"machine_id": identifier}
    told |= {name: row[field] for field, name in _FIELDS.items() if field in row}
    product = (products or {}).get(str(row.get("Product2Id")))
    if "Product2Id" in row:
        told["product"] = (
            None
            if product is None
            else {
                "product_id": product["Id"],
                **{name: product[field] for field, name in _PRODUCT_FIELDS.items() if field in product},
            }
        )
    own = [one for one in books if one.asset_id == identifier]
    own = own or [one for one in books if not one.asset_id and one.serial_number == row.get("SerialNumber")]
    told["plant_id"] = own[0].plant_id if len(own) == 1 else None
    return told
