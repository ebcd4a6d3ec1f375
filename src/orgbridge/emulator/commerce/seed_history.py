"""What the companies of the commerce seed have: machines with warranties and service, orders, purchase orders."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from orgbridge.emulator.commerce import world
from orgbridge.emulator.commerce.seed_rows import Rows, SeedWorld
from orgbridge.emulator.commerce.seed_shipping import SeedOrder, activate_orders

_DAY = date(2024, 2, 5)
_PARTS_EACH = 40
#: Machine models: products of the sample.
_MODELS = ("Slicer 200", "Slicer 400", "Dough Divider")
_FAULTS = ("Blade is blunt", "Belt slips", "Motor is hot", "Panel shows E12")


def add_history(rows: Rows, made: SeedWorld) -> None:
    """Make the rows."""
    models = [rows.ids("Product2", name)[0] for name in _MODELS]
    _parts(rows, made, models)
    assets = _machines(rows, made, models)
    _service(rows, made, assets)
    _orders(rows, made)


def _parts(rows: Rows, made: SeedWorld, models: list[str]) -> None:
    """Say which parts fit which machine: some of every buyer's range."""
    (kind,) = rows.add(
        "ProductRelationshipType",
        [{"Name": "Spare Part", "MainProductRoleCat": "MainProduct", "AssociatedProductRoleCat": "AddOnComponent"}],
    )
    step = world.PRODUCTS // _PARTS_EACH
    rows.add(
        "ProductRelatedComponent",
        [
            {
                "ParentProductId": model,
                "ChildProductId": made.products[(place * step + offset) % world.PRODUCTS],
                "ProductRelationshipTypeId": kind,
                "Quantity": 1 + place % 4,
                "Sequence": place + 1,
            }
            for offset, model in enumerate(models)
            for place in range(_PARTS_EACH)
        ],
    )


def _machines(rows: Rows, made: SeedWorld, models: list[str]) -> dict[str, list[str]]:
    """Make the machines of each company with a warranty each; return their ids by key of the company."""
    keys = [one.key for one in world.ACCOUNTS if one.buys]
    places = [(key, n) for key in keys for n in range(1, world.MACHINES_EACH + 1)]
    assets = rows.add("Asset", [_asset(made, models, key, n) for key, n in places])
    rows.add(
        "AssetWarranty",
        [
            {
                "AssetId": asset,
                "StartDate": _installed(n).isoformat(),
                # Half of them have ended by 2026, whatever the day.
                "EndDate": (_installed(n) + timedelta(days=730 if n % 2 else 3650)).isoformat(),
                "WarrantyType": "Standard",
                "LaborCovered": 100 if n % 2 else 50,
                "PartsCovered": 100,
            }
            for asset, (_, n) in zip(assets, places, strict=True)
        ],
    )
    found: dict[str, list[str]] = {}
    for asset, (key, _) in zip(assets, places, strict=True):
        found.setdefault(key, []).append(asset)
    return found


def _installed(number: int) -> date:
    return date(2022, 1, 10) + timedelta(days=120 * number)


def _asset(made: SeedWorld, models: list[str], key: str, number: int) -> dict[str, Any]:
    model = number % len(models)
    return {
        "Name": f"{_MODELS[model]} no. {number}",
        "AccountId": made.accounts[key],
        "Product2Id": models[model],
        "SerialNumber": f"SN-{key[4:]}-{number:03d}",
        "InstallDate": _installed(number).isoformat(),
        "PurchaseDate": (_installed(number) - timedelta(days=30)).isoformat(),
        "Status": "Installed",
        "Quantity": 1,
        "External_Id__c": f"AST-{key[4:]}-{number:03d}",
    }


def _service(rows: Rows, made: SeedWorld, assets: dict[str, list[str]]) -> None:
    """Make two cases and two work orders for every machine, one of each done."""
    places = [(key, asset, n) for key, own in assets.items() for asset in own for n in range(2)]
    cases = rows.add(
        "Case",
        [
            {
                "Subject": _FAULTS[(place + n) % len(_FAULTS)],
                "AccountId": made.accounts[key],
                "AssetId": asset,
                "Status": "New" if n else "Closed",
                "Priority": "Medium",
                "Origin": "Phone",
            }
            for place, (key, asset, n) in enumerate(places)
        ],
    )
    rows.add(
        "WorkOrder",
        [
            {
                "Subject": "Repair" if n else "Yearly service",
                "AccountId": made.accounts[key],
                "AssetId": asset,
                "CaseId": case,
                "Status": "New" if n else "Completed",
                "StartDate": f"{(_DAY + timedelta(days=9 * place)).isoformat()}T08:00:00.000Z",
                "EndDate": f"{(_DAY + timedelta(days=9 * place)).isoformat()}T12:00:00.000Z",
            }
            for place, ((key, asset, n), case) in enumerate(zip(places, cases, strict=True))
        ],
    )


def _ordered(number: int) -> date:
    return _DAY + timedelta(days=30 * number)


def _orders(rows: Rows, made: SeedWorld) -> None:
    """Make four orders for each company that a buyer belongs to, two of them with a purchase order."""
    places = [
        (one, group, n)
        for one in world.BUYERS
        for group in world.GROUPS
        if one.account.startswith(group.accounts)
        for n in range(4)
    ]
    papers = [(one, n) for one, _, n in places if n < 2]
    numbers = {(one.username, n): f"PO-{one.account[4:]}-{n + 1:03d}" for one, n in papers}
    purchase_orders = rows.add(
        "Purchase_Order__c",
        [
            {
                "Name": numbers[one.username, n],
                "UUID__c": f"00000000-0000-4000-8000-{int(one.account[4:]):08d}{n:04d}",
                "OwnerId": made.buyers[one.username],
                "Account__c": made.accounts[one.account],
                "Purchase_Order_Number__c": numbers[one.username, n],
                "Approver_Email__c": "approver@nordmuehle.example",
                "Approval_Status__c": "Approved" if n == 0 else "Approval Pending",
                "Approval_Decision_Date__c": f"{_DAY.isoformat()}T10:00:00.000Z" if n == 0 else None,
                "Total__c": 100.0 * (n + 1),
            }
            for one, n in papers
        ],
    )
    paper_ids = dict(zip(numbers, purchase_orders, strict=True))
    books = {group.name: rows.ids("Pricebook2", f"{group.name} Prices")[0] for group in world.GROUPS}
    stores = {name: rows.ids("WebStore", name)[0] for name in world.STORES}
    companies = {one.key: one.name for one in world.ACCOUNTS}
    orders = rows.add(
        "Order",
        [
            {
                "AccountId": made.accounts[one.account],
                "OwnerId": made.buyers[one.username],
                "EffectiveDate": _ordered(n).isoformat(),
                "OrderedDate": f"{_ordered(n).isoformat()}T09:00:00.000Z",
                "Status": "Draft",
                "SalesStoreId": stores[group.store],
                "Pricebook2Id": books[group.name],
                "PoNumber": numbers.get((one.username, n)),
                "Purchase_Order__c": paper_ids.get((one.username, n)),
                "Urgent__c": n == 1,
            }
            for one, group, n in places
        ],
    )
    rows.add(
        "OrderItem",
        [
            {
                "OrderId": order,
                "PricebookEntryId": made.entries[group.name][group.products[0] + 11 * n + step],
                "Quantity": step + 1,
            }
            for order, (_, group, n) in zip(orders, places, strict=True)
            for step in range(2)
        ],
    )
    activate_orders(
        rows,
        [
            SeedOrder(
                id=order,
                user_id=made.buyers[one.username],
                store_id=stores[group.store],
                company=companies[one.account],
                day=_ordered(n),
                shipped=n == 0,
            )
            for order, (one, group, n) in zip(orders, places, strict=True)
            if n % 2 == 0
        ],
    )
