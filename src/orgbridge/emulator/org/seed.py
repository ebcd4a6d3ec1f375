"""A small sample of rows, the same in every org: people, companies, products, orders, machines.

Names are made up. Running it again changes nothing: rows are found by their external ids.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

from orgbridge.emulator.org.org import Org
from orgbridge.emulator.storage.counters import get_meta, set_meta


class Seed(StrEnum):
    """What a new org holds."""

    #: Itself, an administrator and the standard price book.
    EMPTY = "empty"
    #: The sample rows as well.
    SAMPLE = "sample"
    #: The sample rows, and two web stores with buyers, prices and history: see `commerce.seeding`.
    COMMERCE = "commerce"


_COMPANIES = (
    ("Alpenblick Brot AG", "Zürich", "Switzerland", "Food & Beverage"),
    ("Boulangerie Étoile", "Lyon", "France", "Food & Beverage"),
    ("Cascade Cutting Systems", "Portland", "United States", "Machinery"),
    ("Dunkelfeld Papier GmbH", "Köln", "Germany", "Manufacturing"),
    ("Ebro Conservas", "Zaragoza", "Spain", "Food & Beverage"),
    ("Fjordlys Fisk AS", "Bergen", "Norway", "Food & Beverage"),
    ("Grünwald Möbel KG", "München", "Germany", "Manufacturing"),
    ("Harbour & Vale Ltd", "Bristol", "United Kingdom", "Retail"),
    ("Isola Ceramiche", "Modena", "Italy", "Construction"),
    ("Järvi Timber Oy", "Tampere", "Finland", "Manufacturing"),
    ("Kestrel Packaging", "Leeds", "United Kingdom", "Manufacturing"),
    ("Lumière Emballage", "Nantes", "France", "Manufacturing"),
    ("Mokum Koffie BV", "Amsterdam", "Netherlands", "Food & Beverage"),
    ("Nordstern Logistik", "Hamburg", "Germany", "Transportation"),
    ("Oresund Dairy", "Malmö", "Sweden", "Food & Beverage"),
    ("Pico Alto Vinhos", "Porto", "Portugal", "Food & Beverage"),
    ("Quarry Lane Bakeries", "Dublin", "Ireland", "Food & Beverage"),
    ("Río Claro Textil", "Valencia", "Spain", "Apparel"),
    ("Śląsk Automatyka", "Katowice", "Poland", "Machinery"),
    ("Tōkai Precision KK", "Nagoya", "Japan", "Machinery"),
)
_FIRST = ("Anna", "Björn", "Chloé", "Dmitri", "Elif", "Frank", "Gülay", "Hana", "Ivo", "Júlia")
_LAST = ("Ackermann", "Bouchard", "Čapek", "Duarte", "Eriksen", "Fischer", "García", "Huber", "Ito", "Jansen")
_PRODUCTS = (
    ("Slicer 200", "SL-200", "Hardware", 4900.0),
    ("Slicer 400", "SL-400", "Hardware", 8900.0),
    ("Dough Divider", "DD-10", "Hardware", 12900.0),
    ("Blade, round", "SP-001", "Spare Parts", 89.5),
    ("Conveyor belt", "SP-002", "Spare Parts", 240.0),
    ("Drive motor", "SP-003", "Spare Parts", 615.25),
    ("Control panel", "SP-004", "Spare Parts", 1180.0),
    ("Service visit", "SV-001", "Service", 350.0),
)
_DAY = date(2025, 1, 6)


def seed_org(org: Org, seed: Seed) -> None:
    """Fill a new org; one that was filled before stays as it is.

    Raises:
        RuntimeError: A sample row does not keep the org's rules; nothing was saved.
    """
    if seed is Seed.EMPTY:
        return
    with org.storage.write() as connection:
        if get_meta(connection, "seed") is not None:
            return

        def add(sobject: str, rows: Sequence[Mapping[str, Any]]) -> list[str]:
            outcomes = org.insert_in(connection, sobject, rows, user_id=org.admin_id)
            bad = [fault for outcome in outcomes for fault in outcome.errors]
            if bad:
                raise RuntimeError(f"the sample {sobject} rows do not keep the rules: {bad[0]}")
            return [outcome.id or "" for outcome in outcomes]

        profile = get_meta(connection, "admin_profile_id")
        users = add("User", [_user(first, profile) for first in _FIRST[:3]])
        accounts = add("Account", [_account(n, users) for n in range(len(_COMPANIES))])
        contacts = add("Contact", [_contact(n, accounts) for n in range(40)])
        add("Lead", [_lead(n) for n in range(10)])
        add("Opportunity", [_opportunity(n, accounts) for n in range(12)])
        add("Case", [_case(n, accounts, contacts) for n in range(8)])
        add("Task", [_task(n, accounts, contacts) for n in range(6)])
        _sell(org, add, accounts)
        set_meta(connection, "seed", seed)


def _user(first: str, profile: str | None) -> dict[str, Any]:
    name = first.encode("ascii", "ignore").decode().lower()
    return {
        "Username": f"{name}@local.org",
        "FirstName": first,
        "LastName": "Example",
        "Email": f"{name}@local.org",
        "Alias": name[:8],
        "ProfileId": profile,
        "TimeZoneSidKey": "Europe/Zurich",
        "LocaleSidKey": "en_GB",
        "EmailEncodingKey": "UTF-8",
        "LanguageLocaleKey": "en_US",
    }


def _account(number: int, users: Sequence[str]) -> dict[str, Any]:
    name, city, country, industry = _COMPANIES[number]
    return {
        "Name": name,
        "BillingStreet": f"Example Street {number + 1}",
        "BillingCity": city,
        "BillingCountry": country,
        "Industry": industry,
        "Phone": f"+00 555 01{number:02d}",
        "AnnualRevenue": 250_000 * (number + 1),
        "NumberOfEmployees": 15 * (number + 1),
        "Type": "Customer" if number % 3 else "Prospect",
        "OwnerId": users[number % len(users)],
        "External_Id__c": f"ACME-{number + 1:04d}",
    }


def _contact(number: int, accounts: Sequence[str]) -> dict[str, Any]:
    first, last = _FIRST[number % 10], _LAST[(number // 2 + number % 7) % 10]
    return {
        "FirstName": first,
        "LastName": last,
        "Email": f"contact{number + 1}@example.com",
        "AccountId": accounts[number % len(accounts)],
        "Title": ("Buyer", "Plant manager", "Technician")[number % 3],
        "External_Id__c": f"CON-{number + 1:04d}",
    }


def _lead(number: int) -> dict[str, Any]:
    return {
        "FirstName": _FIRST[number],
        "LastName": _LAST[number],
        "Company": f"Prospect {number + 1}",
        "Email": f"lead{number + 1}@example.com",
        "LeadSource": "Website",
        "External_Id__c": f"LEAD-{number + 1:04d}",
    }


def _opportunity(number: int, accounts: Sequence[str]) -> dict[str, Any]:
    stage = ("Prospecting", "Qualification", "Negotiation/Review", "Closed Won", "Closed Lost")[number % 5]
    return {
        "Name": f"Line {number + 1}",
        "AccountId": accounts[number],
        "StageName": stage,
        "CloseDate": (_DAY + timedelta(days=14 * number)).isoformat(),
        "Amount": 5_000.0 * (number + 1),
    }


def _case(number: int, accounts: Sequence[str], contacts: Sequence[str]) -> dict[str, Any]:
    return {
        "Subject": f"Machine stops after {number + 2} hours",
        "Status": "Closed" if number % 4 == 3 else "New",
        "Origin": ("Phone", "Email", "Web")[number % 3],
        "AccountId": accounts[number],
        "ContactId": contacts[number],
    }


def _task(number: int, accounts: Sequence[str], contacts: Sequence[str]) -> dict[str, Any]:
    return {
        "Subject": "Call",
        "Status": "Completed" if number % 2 else "Not Started",
        "Priority": "Normal",
        "WhoId": contacts[number],
        "WhatId": accounts[number],
        "ActivityDate": (_DAY + timedelta(days=number)).isoformat(),
    }


def _sell(org: Org, add: Any, accounts: Sequence[str]) -> None:
    products = add(
        "Product2",
        [
            {"Name": name, "ProductCode": code, "Family": family, "IsActive": True, "External_Id__c": code}
            for name, code, family, _ in _PRODUCTS
        ],
    )
    entries = add(
        "PricebookEntry",
        [
            {"Pricebook2Id": org.standard_pricebook_id, "Product2Id": product, "UnitPrice": price, "IsActive": True}
            for product, (_, _, _, price) in zip(products, _PRODUCTS, strict=True)
        ],
    )
    orders = add(
        "Order",
        [
            {
                "AccountId": accounts[number],
                "EffectiveDate": (_DAY + timedelta(days=7 * number)).isoformat(),
                "Status": "Draft",
                "Pricebook2Id": org.standard_pricebook_id,
            }
            for number in range(5)
        ],
    )
    add(
        "OrderItem",
        [
            {"OrderId": order, "PricebookEntryId": entries[(number + step) % len(entries)], "Quantity": step + 1}
            for number, order in enumerate(orders)
            for step in range(2)
        ],
    )
    add(
        "Asset",
        [
            {
                "Name": f"{_PRODUCTS[number % 3][0]} #{number + 1}",
                "AccountId": accounts[number],
                "Product2Id": products[number % 3],
                "SerialNumber": f"SN{number + 1:05d}",
                "Status": "Installed",
                "External_Id__c": f"AST-{number + 1:04d}",
            }
            for number in range(10)
        ],
    )
    machines = add(
        "Machine__c",
        [
            {
                "Name": f"Machine {number + 1}",
                "Account__c": accounts[number],
                "Product__c": products[number % 3],
                "Serial_Number__c": f"M-{number + 1:05d}",
                "Status__c": "Installed",
                "Operating_Hours__c": 100.5 * number,
            }
            for number in range(5)
        ],
    )
    add(
        "Machine_Reading__c",
        [{"Machine__c": machine, "Value__c": 20.5 + n, "Unit__c": "°C"} for machine in machines for n in range(2)],
    )
