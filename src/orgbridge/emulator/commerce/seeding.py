"""The commerce seed: two stores, three groups of companies, their buyers, 2,000 products with agreed prices.

One transaction, in bulk. Running it again changes nothing. Numbers decide all values: every org is the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orgbridge.emulator.commerce import world
from orgbridge.emulator.commerce.seed_history import add_history
from orgbridge.emulator.commerce.seed_rows import Rows, SeedWorld
from orgbridge.emulator.org.org import Org
from orgbridge.emulator.storage.counters import get_meta, set_meta
from orgbridge.emulator.storage.database import Connection

#: Profile of the buyers; see `schema.profiles.COMMUNITY`.
PROFILE = "Customer Community Plus User"
_DONE = "seed.commerce"
_COUNTRIES = {"DE": "Germany", "FR": "France", "US": "United States"}
_LOCALES = {"DE": ("de_DE", "Europe/Berlin"), "FR": ("fr_FR", "Europe/Paris"), "US": ("en_US", "America/Chicago")}


def seed_commerce(org: Org) -> None:
    """Fill an org that has the sample rows; one that was filled before stays as it is.

    Raises:
        RuntimeError: A row does not keep the org's rules; nothing was saved.
    """
    with org.storage.write() as connection:
        if get_meta(connection, _DONE) is not None:
            return
        rows = Rows(org, connection)
        accounts = _accounts(rows)
        buyers = _buyers(rows, connection, accounts)
        products = _products(rows)
        stores = _stores(rows, buyers)
        entries = _groups(rows, accounts, products, stores, org.standard_pricebook_id)
        _promotions(rows)
        add_history(rows, SeedWorld(accounts=accounts, buyers=buyers, products=products, entries=entries))
        set_meta(connection, _DONE, "1")


def _accounts(rows: Rows) -> dict[str, str]:
    """Make the companies, those above before those below; return ids by key."""
    ids: dict[str, str] = {}
    waiting = list(world.ACCOUNTS)
    while waiting:
        ready = [one for one in waiting if not one.parent or one.parent in ids]
        made = rows.add("Account", [_account(one, ids) for one in ready])
        ids.update(zip((one.key for one in ready), made, strict=True))
        waiting = [one for one in waiting if one not in ready]
    buying = [one for one in world.ACCOUNTS if one.buys]
    rows.add(
        "BuyerAccount",
        [
            {
                "Name": one.name,
                "BuyerId": ids[one.key],
                "IsActive": True,
                "BuyerStatus": "Active",
                "CreditLimit": 50_000,
            }
            for one in buying
        ],
    )
    rows.add("ContactPointAddress", [_address(one, ids[one.key], kind) for one in buying for kind in _KINDS])
    return ids


_KINDS = ("Shipping", "Billing")


def _account(one: world.SeedAccount, ids: Mapping[str, str]) -> dict[str, Any]:
    return {
        "Name": one.name,
        "External_Id__c": one.key,
        "AccountNumber": one.key,
        "ParentId": ids[one.parent] if one.parent else None,
        "Type": "Customer",
        "Industry": "Food & Beverage",
        "IsBuyer": one.buys,
        "IsCustomerPortal": True,
        **{
            f"{kind}{part}": value
            for kind in _KINDS
            for part, value in {
                "Street": "Werkstraße 1" if one.country == "DE" else "1 Mill Road",
                "City": one.city,
                "PostalCode": one.postal_code,
                "State": one.state or None,
                "Country": _COUNTRIES[one.country],
            }.items()
        },
    }


def _address(one: world.SeedAccount, account_id: str, kind: str) -> dict[str, Any]:
    return {
        "Name": f"{one.name} ({kind})",
        "ParentId": account_id,
        "AddressType": kind,
        "IsDefault": True,
        "Street": "Werkstraße 1" if one.country == "DE" else "1 Mill Road",
        "City": one.city,
        "PostalCode": one.postal_code,
        "State": one.state or None,
        "Country": one.country,
    }


def _buyers(rows: Rows, connection: Connection, accounts: Mapping[str, str]) -> dict[str, str]:
    """Make the contacts with their users and rights; return user ids by user name."""
    contacts = rows.add(
        "Contact",
        [
            {
                "FirstName": one.first,
                "LastName": one.last,
                "Email": one.username,
                "AccountId": accounts[one.account],
                "Title": "Buyer",
                "External_Id__c": f"CON-{one.account[4:]}-{place}",
            }
            for place, one in enumerate(world.BUYERS)
        ],
    )
    profile = get_meta(connection, f"profile_id.{PROFILE}")
    countries = {one.key: one.country for one in world.ACCOUNTS}
    users = rows.add(
        "User",
        [
            _user(one, contact, profile, countries[one.account])
            for one, contact in zip(world.BUYERS, contacts, strict=True)
        ],
    )
    ids = dict(zip((one.username for one in world.BUYERS), users, strict=True))
    sets = dict(
        zip(
            ("B2BBuyer", "B2BBuyerManager"),
            rows.add(
                "PermissionSet",
                [
                    {"Name": "B2BBuyer", "Label": "Buyer", "PermissionsApiEnabled": True},
                    {"Name": "B2BBuyerManager", "Label": "Buyer Manager", "PermissionsApiEnabled": True},
                ],
            ),
            strict=True,
        )
    )
    rows.add(
        "PermissionSetAssignment",
        [
            {"PermissionSetId": sets[one.permission_set], "AssigneeId": ids[one.username], "IsActive": True}
            for one in world.BUYERS
        ],
    )
    names = {one.key: one.name for one in world.ACCOUNTS}
    rows.add(
        "DelegatedAccount",
        [
            {"Name": names[key], "ManagedById": ids[one.username], "TargetId": accounts[key], "AccessBuyFor": True}
            for one in world.BUYERS
            for key in one.also
        ],
    )
    return ids


def _user(one: world.SeedBuyer, contact: str, profile: str | None, country: str) -> dict[str, Any]:
    locale, zone = _LOCALES[country]
    return {
        "Username": one.username,
        "FirstName": one.first,
        "LastName": one.last,
        "Email": one.username,
        "Alias": one.first.lower()[:8],
        "ContactId": contact,
        "ProfileId": profile,
        "IsPortalEnabled": True,
        "TimeZoneSidKey": zone,
        "LocaleSidKey": locale,
        "EmailEncodingKey": "UTF-8",
        "LanguageLocaleKey": "en_US",
    }


def _products(rows: Rows) -> list[str]:
    """Make the products, their catalogue and quantity rule; return product ids in the order of their numbers."""
    kinds = [kind for below in world.CATEGORIES.values() for kind in below]
    numbers = range(1, world.PRODUCTS + 1)
    products = rows.add("Product2", [_product(number, kinds[number % len(kinds)]) for number in numbers])
    (catalog,) = rows.add("ProductCatalog", [{"Name": "Machine Parts", "Code": "MACHINE-PARTS"}])
    each = world.PRODUCTS // len(kinds)
    tops = rows.add(
        "ProductCategory",
        [
            {
                "Name": name,
                "CatalogId": catalog,
                "IsNavigational": True,
                "SortOrder": place,
                "NumberOfProducts": each * len(below),
                "Description": f"Everything for {name.lower()}.",
            }
            for place, (name, below) in enumerate(world.CATEGORIES.items())
        ],
    )
    categories = rows.add(
        "ProductCategory",
        [
            {
                "Name": name,
                "CatalogId": catalog,
                "ParentCategoryId": top,
                "IsNavigational": True,
                "SortOrder": place,
                "NumberOfProducts": each,
                "Description": f"All {name.lower()}.",
            }
            for top, below in zip(tops, world.CATEGORIES.values(), strict=True)
            for place, name in enumerate(below)
        ],
    )
    rows.add(
        "ProductCategoryProduct",
        [
            {
                "CatalogId": catalog,
                "ProductCategoryId": categories[number % len(kinds)],
                "ProductId": product,
                "IsPrimaryCategory": True,
                "Status": "Active",
            }
            for number, product in zip(numbers, products, strict=True)
        ],
    )
    (rule,) = rows.add("PurchaseQuantityRule", [{"Name": "Packs of five, two at least", "Minimum": 10, "Increment": 5}])
    rows.add(
        "ProductQuantityRule",
        [{"ProductId": products[world.RULED_PRODUCT - 1], "PurchaseQuantityRuleId": rule}],
    )
    return products


def _product(number: int, kind: str) -> dict[str, Any]:
    code = world.sku(number)
    name = f"{kind.removesuffix('s')} {100 + number * 7 % 900} {'ABCDE'[number % 5]}{number}"
    return {
        "Name": name,
        "ProductCode": code,
        "StockKeepingUnit": code,
        "External_Id__c": code,
        "Family": "Spare Parts",
        "Description": f"{name}, spare part {code} for slicers and dividers.",
        "IsActive": number != world.INACTIVE_PRODUCT,
        "ProductClass": "Simple",
        "QuantityUnitOfMeasure": "Each",
    }


def _stores(rows: Rows, buyers: Mapping[str, str]) -> dict[str, str]:
    """Make the stores with their sites; return store ids by name."""
    books = rows.add(
        "Pricebook2", [{"Name": f"List Prices {currency}", "IsActive": True} for currency in world.STORES.values()]
    )
    stores = rows.add(
        "WebStore",
        [
            {
                "Name": name,
                "Type": "B2B",
                "CurrencyIsoCode": currency,
                "SupportedCurrencies": currency,
                "SupportedLanguages": "en_US;de;fr" if currency == "EUR" else "en_US",
                "DefaultLanguage": "en_US",
                "Country": "DE" if currency == "EUR" else "US",
                "StrikethroughPricebookId": book,
                "PricingStrategy": "LowestPrice",
                "OrderActivationStatus": "Activated",
                "DefaultTaxLocaleType": "Net",
                "PaginationSize": 25,
                "GuestCartTimeToLive": 168,
                "OptionsCartToOrderAutoCustomFieldMapping": True,
            }
            for (name, currency), book in zip(world.STORES.items(), books, strict=True)
        ],
    )
    (catalog,) = rows.ids("ProductCatalog")
    rows.add("WebStoreCatalog", [{"SalesStoreId": store, "ProductCatalogId": catalog} for store in stores])
    rows.add(
        "WebStorePricebook",
        [
            {"WebStoreId": store, "Pricebook2Id": book, "IsActive": True}
            for store, book in zip(stores, books, strict=True)
        ],
    )
    networks = rows.add("Network", [_network(name, path) for name, path in world.SITES.items()])
    rows.add(
        "WebStoreNetwork",
        [{"WebStoreId": store, "NetworkId": site} for store, site in zip(stores, networks, strict=True)],
    )
    american = {one.key for one in world.ACCOUNTS if one.country == "US"}
    rows.add(
        "NetworkMember",
        [
            {"NetworkId": networks[one.account in american], "MemberId": buyers[one.username], **_NOTIFICATIONS}
            for one in world.BUYERS
        ],
    )
    return dict(zip(world.STORES, stores, strict=True))


_NOTIFICATIONS = {"DefaultGroupNotificationFrequency": "N", "DigestFrequency": "N", "ReputationPoints": 0}


def _network(store: str, path: str) -> dict[str, Any]:
    return {
        "Name": store,
        "UrlPathPrefix": path,
        "Status": "Live",
        "EmailSenderAddress": f"{path}@machine-parts.example",
        "EmailSenderName": store,
    }


def _groups(
    rows: Rows,
    accounts: Mapping[str, str],
    products: Sequence[str],
    stores: Mapping[str, str],
    standard_book: str,
) -> dict[str, dict[int, str]]:
    """Make buyer groups, what they may see and pay; return entry ids by name of the group and number of the product."""
    numbers = range(1, world.PRODUCTS + 1)
    listed = dict(zip(world.STORES, rows.ids("Pricebook2", "List Prices "), strict=True))
    first = next(iter(world.STORES))
    rows.prices(standard_book, [(products[n - 1], world.list_price(n, first)) for n in numbers])
    for store, book in listed.items():
        seen = [group.products for group in world.GROUPS if group.store == store]
        some = range(min(low for low, _ in seen), max(high for _, high in seen) + 1)
        rows.prices(book, [(products[n - 1], world.list_price(n, store)) for n in some])
    groups = rows.add("BuyerGroup", [{"Name": group.name} for group in world.GROUPS])
    books = rows.add("Pricebook2", [{"Name": f"{group.name} Prices", "IsActive": True} for group in world.GROUPS])
    policies = rows.add(
        "CommerceEntitlementPolicy",
        [
            {"Name": f"{group.name} Policy", "IsActive": True, "CanViewProduct": True, "CanViewPrice": True}
            for group in world.GROUPS
        ],
    )
    entries: dict[str, dict[int, str]] = {}
    for group, group_id, book, policy in zip(world.GROUPS, groups, books, policies, strict=True):
        some = range(group.products[0], group.products[1] + 1)
        rows.add("WebStoreBuyerGroup", [{"WebStoreId": stores[group.store], "BuyerGroupId": group_id}])
        rows.add(
            "BuyerGroupMember",
            [
                {"BuyerGroupId": group_id, "BuyerId": accounts[one.key]}
                for one in world.ACCOUNTS
                if one.buys and one.key.startswith(group.accounts)
            ],
        )
        rows.add(
            "BuyerGroupPricebook",
            [{"BuyerGroupId": group_id, "Pricebook2Id": book, "IsActive": True, "Priority": 1}],
        )
        rows.add("CommerceEntitlementBuyerGroup", [{"PolicyId": policy, "BuyerGroupId": group_id}])
        rows.add("CommerceEntitlementProduct", [{"PolicyId": policy, "ProductId": products[n - 1]} for n in some])
        made = rows.prices(book, [(products[n - 1], world.agreed_price(n, group)) for n in some])
        entries[group.name] = dict(zip(some, made, strict=True))
    _tiers(rows, books[0], products[world.TIERED_PRODUCT - 1])
    return entries


def _tiers(rows: Rows, book: str, product: str) -> None:
    (schedule,) = rows.add(
        "PriceAdjustmentSchedule",
        [
            {
                "Name": "Volume discount",
                "Pricebook2Id": book,
                "IsActive": True,
                "AdjustmentMethod": "Range",
                "ScheduleType": "Volume",
            }
        ],
    )
    rows.add(
        "PriceAdjustmentTier",
        [
            {
                "PriceAdjustmentScheduleId": schedule,
                "Product2Id": product,
                "LowerBound": lower,
                "UpperBound": upper,
                "TierType": "AdjustmentPercentage",
                "TierValue": percent,
            }
            for lower, upper, percent in ((10, 49, 5), (50, None, 10))
        ],
    )


def _promotions(rows: Rows) -> None:
    promotions = rows.add(
        "Promotion",
        [
            {"Name": "Ten off", "DisplayName": "10 % off", "IsActive": True, "PriorityNumber": 1},
            {"Name": "Free delivery", "DisplayName": "Free delivery", "IsActive": True, "PriorityNumber": 2},
        ],
    )
    rows.add(
        "PromotionTarget",
        [
            {"PromotionId": promotion, "TargetType": target, "AdjustmentValue": percent}
            for promotion, target, percent in zip(promotions, ("Cart", "Delivery"), (10, 100), strict=True)
        ],
    )
    rows.add(
        "Coupon",
        [
            {"PromotionId": promotion, "CouponCode": code, "Status": "Active"}
            for promotion, code in zip(promotions, ("SAVE10", "SHIPFREE"), strict=True)
        ],
    )
