"""Made-up records: every function gets its own dice and returns one record's fields."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Any

Row = dict[str, Any]

_STEMS = (
    "Alder", "Amber", "Arbor", "Aster", "Basalt", "Birch", "Borealis", "Canal", "Cedar", "Cobalt", "Copper",
    "Corvid", "Delta", "Drift", "Ember", "Estuary", "Fathom", "Fern", "Fjord", "Flint", "Foundry", "Garnet",
    "Glacier", "Granite", "Harbour", "Hawthorn", "Heron", "Indigo", "Ivory", "Juniper", "Kestrel", "Lantern",
    "Larch", "Linden", "Lupine", "Maple", "Meridian", "Mistral", "Moss", "Nordlys", "Oak", "Onyx", "Osprey",
    "Pine", "Quarry", "Rowan", "Saffron", "Sequoia", "Slate", "Sorrel", "Spruce", "Sterling", "Summit",
    "Tamarack", "Tern", "Thistle", "Tundra", "Umber", "Vale", "Verdant", "Willow", "Zephyr",
)  # fmt: skip
_TRADES = (
    "Bakeries", "Ceramics", "Dairy", "Electronics", "Energy", "Foods", "Freight", "Furniture", "Glassworks",
    "Instruments", "Labs", "Logistics", "Machinery", "Marine", "Medical", "Metals", "Mills", "Optics",
    "Packaging", "Paper", "Plastics", "Power", "Printing", "Robotics", "Software", "Supply", "Systems",
    "Textiles", "Tools", "Works",
)  # fmt: skip
_FORMS = ("AG", "AS", "BV", "GmbH", "Inc.", "KK", "Ltd", "Oy", "S.A.", "SpA", "Sp. z o.o.")
_PLACES = (
    ("Aarhus", "", "8000", "Denmark"), ("Antwerp", "", "2000", "Belgium"),
    ("Austin", "TX", "73301", "United States"), ("Bergen", "", "5003", "Norway"),
    ("Bilbao", "", "48001", "Spain"), ("Bristol", "", "BS1 4DJ", "United Kingdom"),
    ("Chicago", "IL", "60601", "United States"), ("Cork", "", "T12 X8", "Ireland"),
    ("Gdańsk", "", "80-001", "Poland"), ("Graz", "", "8010", "Austria"), ("Köln", "", "50667", "Germany"),
    ("Lyon", "", "69001", "France"), ("Malmö", "", "211 18", "Sweden"), ("Modena", "", "41121", "Italy"),
    ("Nagoya", "", "450-0002", "Japan"), ("Porto", "", "4000-001", "Portugal"),
    ("Portland", "OR", "97201", "United States"), ("Tampere", "", "33100", "Finland"),
    ("Toronto", "ON", "M5H 2N2", "Canada"), ("Utrecht", "", "3511", "Netherlands"),
    ("Zürich", "", "8001", "Switzerland"),
)  # fmt: skip
_STREETS = ("Dock Road", "Factory Lane", "Gallery Street", "Mill Street", "Station Square", "Weaver Street")
_INDUSTRIES = (
    "Agriculture", "Construction", "Electronics", "Energy", "Food & Beverage", "Healthcare", "Machinery",
    "Manufacturing", "Retail", "Technology", "Transportation", "Utilities",
)  # fmt: skip
_FIRST = (
    "Aino", "Amira", "Anton", "Beatriz", "Björn", "Chloé", "Daniel", "Dmitri", "Elif", "Emma", "Farid", "Frida",
    "Gülay", "Hana", "Hugo", "Ines", "Ivo", "Jakub", "Júlia", "Kenji", "Lars", "Leila", "Liam", "Lucía",
    "Maëlle", "Marta", "Mehmet", "Mina", "Nils", "Nora", "Oskar", "Paula", "Pedro", "Priya", "Quinn", "Rafael",
    "Rosa", "Sanna", "Sofia", "Tariq", "Théo", "Uma", "Viktor", "Wanda", "Xenia", "Yuki", "Zoë",
)  # fmt: skip
_LAST = (
    "Aalto", "Ackermann", "Almeida", "Andersen", "Bakker", "Berg", "Bouchard", "Čapek", "Clarke", "Costa",
    "Dahl", "Duarte", "Eriksen", "Faure", "Fischer", "García", "Greco", "Haddad", "Huber", "Ito", "Jansen",
    "Kaya", "Keller", "Kowalski", "Laine", "Lambert", "Lopes", "Maier", "Moreau", "Müller", "Nakamura", "Novák",
    "O'Brien", "Olsen", "Patel", "Petrov", "Quist", "Ricci", "Rossi", "Sato", "Schmid", "Silva", "Smith",
    "Svensson", "Tanaka", "Ueda", "Varga", "Weber", "Young", "Zhang",
)  # fmt: skip
_TITLES = ("Buyer", "CEO", "CFO", "Engineer", "Head of Operations", "Plant Manager", "Quality Lead", "Technician")
_STAGES = (
    "Prospecting", "Qualification", "Needs Analysis", "Proposal/Price Quote", "Negotiation/Review",
    "Closed Won", "Closed Won", "Closed Lost",
)  # fmt: skip
_SOURCES = ("Web", "Phone Inquiry", "Partner Referral", "Other")
_FAULTS = ("leaks oil", "makes a noise", "shows error E{n}", "stops after {n} hours", "vibrates", "will not start")
_MACHINES = ("Slicer", "Divider", "Proofer", "Mixer", "Oven", "Conveyor", "Labeller", "Packer", "Cooler", "Press")


@dataclass(frozen=True, slots=True)
class Entry:
    """A product's entry in the standard price book."""

    #: Of the entry.
    id: str
    #: Of the product.
    product_id: str
    #: List price.
    price: float
    #: Of the product.
    product_name: str


def external_id(number: int, letter: str, place: int) -> str:
    """Return the external id of a row: sorts by population, kind and place."""
    return f"POP{number}-{letter}-{place:08d}"


def account(dice: Random, number: int, place: int) -> Row:
    """Return a company."""
    name = f"{dice.choice(_STEMS)} {dice.choice(_TRADES)} {dice.choice(_FORMS)}"
    city, state, code, country = dice.choice(_PLACES)
    staff = int(dice.lognormvariate(4.5, 1.4)) + 1
    row: Row = {
        "Name": name,
        "Type": dice.choice(("Customer", "Customer", "Prospect", "Other")),
        "Industry": dice.choice(_INDUSTRIES),
        "NumberOfEmployees": staff,
        "AnnualRevenue": staff * dice.randrange(60, 240) * 1000,
        "Phone": f"+00 555 {dice.randrange(10_000_000):07d}",
        "Website": f"https://account-{number}-{place}.example",
        "BillingStreet": f"{dice.choice(_STREETS)} {dice.randrange(1, 200)}",
        "BillingCity": city,
        "BillingState": state or None,
        "BillingPostalCode": code,
        "BillingCountry": country,
        "External_Id__c": external_id(number, "A", place),
        "ParentId": None,
    }
    return row


def contact(dice: Random, number: int, place: int, accounts: Sequence[str]) -> Row:
    """Return a person who works for one of the accounts."""
    return {
        "FirstName": dice.choice(_FIRST),
        "LastName": dice.choice(_LAST),
        "AccountId": dice.choice(accounts),
        "Email": f"person-{number}-{place}@example.com",
        "Title": dice.choice(_TITLES),
        "MobilePhone": f"+00 555 {dice.randrange(10_000_000):07d}",
        "Birthdate": date(1955 + dice.randrange(50), dice.randrange(1, 13), dice.randrange(1, 29)).isoformat(),
        "External_Id__c": external_id(number, "C", place),
    }


def opportunity(dice: Random, _number: int, place: int, accounts: Sequence[str], today: date) -> Row:
    """Return a deal; closed ones lie in the past."""
    stage = dice.choice(_STAGES)
    days = -dice.randrange(1, 720) if stage.startswith("Closed") else dice.randrange(1, 240)
    return {
        "Name": f"{dice.choice(_MACHINES)} line {place + 1}",
        "AccountId": dice.choice(accounts),
        "StageName": stage,
        "CloseDate": (today + timedelta(days=days)).isoformat(),
        "Amount": round(dice.lognormvariate(9.5, 1.1), 2),
        "LeadSource": dice.choice(_SOURCES),
    }


def line_items(dice: Random, entries: Sequence[Entry]) -> list[Row]:
    """Return the products of a deal, each with a discount of its own; one deal in three has none."""
    return [] if dice.random() < 1 / 3 else _items(dice, entries, lambda: dice.choice((1.0, 1.0, 0.95, 0.9)))


def case(dice: Random, _number: int, _place: int, accounts: Sequence[str], contacts: Sequence[str]) -> Row:
    """Return a request for service."""
    fault = dice.choice(_FAULTS).format(n=dice.randrange(1, 99))
    return {
        "Subject": f"{dice.choice(_MACHINES)} {fault}",
        "Status": dice.choice(("New", "Working", "Escalated", "Closed", "Closed")),
        "Priority": dice.choice(("High", "Medium", "Medium", "Low")),
        "Origin": dice.choice(("Phone", "Email", "Web")),
        "AccountId": dice.choice(accounts),
        "ContactId": dice.choice(contacts) if contacts and dice.random() < 0.8 else None,
    }


def product(dice: Random, number: int, place: int) -> Row:
    """Return a product."""
    code = f"P{number}-{place:05d}"
    spare = dice.random() < 0.6
    name = f"{dice.choice(_MACHINES)} {dice.randrange(100, 999)}"
    return {
        "Name": f"Spare part for {name}" if spare else name,
        "ProductCode": code,
        "Family": "Spare Parts" if spare else "Hardware",
        "IsActive": True,
        "External_Id__c": external_id(number, "P", place),
    }


def price(dice: Random) -> float:
    """Return a list price."""
    return round(dice.lognormvariate(5.5, 1.5) + 1, 2)


def asset(
    dice: Random, number: int, place: int, accounts: Sequence[str], contacts: Sequence[str], entries: Sequence[Entry]
) -> Row:
    """Return a machine that a company has."""
    entry = dice.choice(entries)
    installed = date(2015 + dice.randrange(10), dice.randrange(1, 13), dice.randrange(1, 29))
    return {
        "Name": f"{entry.product_name} #{place + 1}"[:255],
        "AccountId": dice.choice(accounts),
        "ContactId": dice.choice(contacts) if contacts else None,
        "Product2Id": entry.product_id,
        "SerialNumber": f"SN{number}-{place:08d}",
        "InstallDate": installed.isoformat(),
        "Status": dice.choice(("Shipped", "Installed", "Installed", "Registered", "Obsolete")),
        "Price": entry.price,
        "External_Id__c": external_id(number, "S", place),
    }


def order(dice: Random, accounts: Sequence[str], today: date) -> Row:
    """Return an order, still a draft."""
    return {
        "AccountId": dice.choice(accounts),
        "EffectiveDate": (today - timedelta(days=dice.randrange(720))).isoformat(),
        "Status": "Draft",
    }


def order_items(dice: Random, entries: Sequence[Entry]) -> list[Row]:
    """Return one to four items of an order, for products that differ."""
    return _items(dice, entries, lambda: 1.0)


def _items(dice: Random, entries: Sequence[Entry], share: Callable[[], float]) -> list[Row]:
    chosen = dice.sample(entries, k=min(len(entries), dice.randrange(1, 5)))
    return [
        {
            "PricebookEntryId": entry.id,
            "Quantity": dice.randrange(1, 12),
            "UnitPrice": round(entry.price * share(), 2),
        }
        for entry in chosen
    ]
