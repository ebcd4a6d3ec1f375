"""Names of the commerce seed: stores, groups of companies, buyers. Made up; tests may rely on every one of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedAccount:
    """One company of the seed."""

    #: `External_Id__c`.
    key: str
    #: Its name.
    name: str
    #: `External_Id__c` of the company it belongs to, or empty.
    parent: str = ""
    #: Where it is.
    city: str
    #: Postal code.
    postal_code: str
    #: ISO code of the state, or empty.
    state: str = ""
    #: ISO code.
    country: str
    #: Whether it may buy.
    buys: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedBuyer:
    """One user of the seed who comes through a store's site."""

    #: Signs in with it.
    username: str
    #: Given name.
    first: str
    #: Family name.
    last: str
    #: `External_Id__c` of the company.
    account: str
    #: Companies that the user may buy for as well.
    also: tuple[str, ...] = ()
    #: Name of the permission set.
    permission_set: str = "B2BBuyer"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedGroup:
    """One buyer group with its price book and what it may see."""

    #: Its name.
    name: str
    #: Begin of the keys of its companies.
    accounts: str
    #: Name of the store.
    store: str
    #: First and last number of the products that it may see.
    products: tuple[int, int]
    #: Share of the store's list price that it pays.
    share: float


STORES = {"Machine Parts EU": "EUR", "Machine Parts US": "USD"}
#: Path of each store's site.
SITES = {"Machine Parts EU": "parts-eu", "Machine Parts US": "parts-us"}
ACCOUNTS = (
    SeedAccount(key="ACC-100", name="Nordmühle Group", city="Hamburg", postal_code="20457", country="DE"),
    SeedAccount(
        key="ACC-110", name="Nordmühle Werk Kiel", parent="ACC-100", city="Kiel", postal_code="24103", country="DE"
    ),
    SeedAccount(
        key="ACC-120", name="Nordmühle Werk Bremen", parent="ACC-100", city="Bremen", postal_code="28195", country="DE"
    ),
    SeedAccount(
        key="ACC-130",
        name="Nordmühle Werk Rostock",
        parent="ACC-120",
        city="Rostock",
        postal_code="18055",
        country="DE",
    ),
    SeedAccount(key="ACC-200", name="Castell Foods Group", city="Paris", postal_code="75008", country="FR"),
    SeedAccount(key="ACC-210", name="Castell Lyon", parent="ACC-200", city="Lyon", postal_code="69001", country="FR"),
    SeedAccount(
        key="ACC-220", name="Castell Nantes", parent="ACC-200", city="Nantes", postal_code="44000", country="FR"
    ),
    SeedAccount(
        key="ACC-300", name="Prairie Baking Inc", city="Kansas City", postal_code="64105", state="MO", country="US"
    ),
    SeedAccount(
        key="ACC-310",
        name="Prairie Omaha",
        parent="ACC-300",
        city="Omaha",
        postal_code="68102",
        state="NE",
        country="US",
    ),
    SeedAccount(
        key="ACC-320",
        name="Prairie Tulsa",
        parent="ACC-300",
        city="Tulsa",
        postal_code="74103",
        state="OK",
        country="US",
    ),
    SeedAccount(key="ACC-900", name="Unbuyer GmbH", city="Köln", postal_code="50667", country="DE", buys=False),
)
BUYERS = (
    SeedBuyer(username="buyer.kiel@nordmuehle.example", first="Karin", last="Kieler", account="ACC-110"),
    SeedBuyer(username="buyer.bremen@nordmuehle.example", first="Bernd", last="Bremer", account="ACC-120"),
    SeedBuyer(
        username="approver@nordmuehle.example",
        first="Astrid",
        last="Nordmann",
        account="ACC-100",
        also=("ACC-110", "ACC-120", "ACC-130"),
        permission_set="B2BBuyerManager",
    ),
    SeedBuyer(username="buyer.lyon@castell.example", first="Lucie", last="Lyonnet", account="ACC-210"),
    SeedBuyer(username="buyer.omaha@prairie.example", first="Oliver", last="Omar", account="ACC-310"),
    SeedBuyer(username="nobody@unbuyer.example", first="Nora", last="Niemand", account="ACC-900"),
)
GROUPS = (
    SeedGroup(name="Nordmühle Buyers", accounts="ACC-1", store="Machine Parts EU", products=(1, 1500), share=0.85),
    SeedGroup(name="Castell Buyers", accounts="ACC-2", store="Machine Parts EU", products=(1001, 2000), share=0.9),
    SeedGroup(name="Prairie Buyers", accounts="ACC-3", store="Machine Parts US", products=(1001, 2000), share=0.92),
)
#: Products of the catalogue, `MP-0001` and so on.
PRODUCTS = 2000
#: With quantity rules: at least ten, in steps of five.
RULED_PRODUCT = 10
#: Not active.
INACTIVE_PRODUCT = 11
#: With prices by quantity for the Nordmühle group: 5 % off from ten, 10 % off from fifty.
TIERED_PRODUCT = 20
#: Top categories with those below.
CATEGORIES = {
    "Cutting": ("Blades", "Knives", "Wires", "Sharpeners"),
    "Conveying": ("Belts", "Rollers", "Chains", "Guides"),
    "Drives": ("Motors", "Gears", "Bearings", "Couplings"),
    "Sealing": ("Gaskets", "O-Rings", "Seal Kits", "Hoses"),
    "Electrics": ("Sensors", "Switches", "Panels", "Cables"),
}
#: Machines of each company.
MACHINES_EACH = 6


def sku(number: int) -> str:
    """Return the stock-keeping unit of a product: `MP-0001`."""
    return f"MP-{number:04d}"


def list_price(number: int, store: str) -> float:
    """Return what a product costs in a store without agreement."""
    cents = 495 + number * 37 % 4000 * 10
    return round(cents * (1.1 if STORES[store] == "USD" else 1.0) / 100, 2)


def agreed_price(number: int, group: SeedGroup) -> float:
    """Return what a buyer group pays for a product."""
    return round(list_price(number, group.store) * group.share, 2)
