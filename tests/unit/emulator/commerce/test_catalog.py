"""Products, categories, prices and search, as buyers of different groups see them."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orgbridge.emulator.commerce import world
from tests.support.commerce_org import ADMIN, APPROVER, KIEL, LYON, OMAHA
from tests.unit.emulator.commerce.conftest import EU, US, Shop, code_of

_GROUP = {KIEL: world.GROUPS[0], LYON: world.GROUPS[1], OMAHA: world.GROUPS[2]}
_STORE = {KIEL: EU, LYON: EU, OMAHA: US}


def _sees(user: str, number: int) -> bool:
    low, high = _GROUP[user].products
    return low <= number <= high and number != world.INACTIVE_PRODUCT


def test_a_product_is_shown_with_its_fields(shown: Shop) -> None:
    """Values are text; the way from the top of the catalogue is told; nothing is called `name`."""
    body = shown.store(KIEL, "GET", f"/products/{shown.product(1)[:15]}").json()
    assert body["id"] == shown.product(1)
    assert body["fields"]["StockKeepingUnit"] == "MP-0001"
    assert body["fields"]["IsActive"] == "true"
    assert [one["name"] for one in body["primaryProductCategoryPath"]["path"]] == ["Cutting", "Knives"]
    assert "name" not in body
    assert body["defaultImage"]["url"] == "/img/b2b/default-product-image.svg"


def test_versions_show_what_they_know_of_a_product(shown: Shop) -> None:
    """The entitlement went after v56, quantity rules came with v52, the name of the address with v59."""
    path = f"/products/{shown.product(10)}"
    old = shown.store(KIEL, "GET", path, version=51).json()
    assert {"entitlement", "fields", "id"} <= set(old)
    assert not {"purchaseQuantityRule", "urlName", "productSellingModels"} & set(old)
    new = shown.store(KIEL, "GET", path, version=59).json()
    assert new["purchaseQuantityRule"] == {"increment": "5.0", "maximum": None, "minimum": "10.0"}
    assert "entitlement" not in new
    assert shown.store(KIEL, "GET", path, version=56).json()["entitlement"]["canViewPrice"] is True


def test_parts_of_a_product_can_be_left_out(shown: Shop) -> None:
    """Fields are chosen in any case; one that is not there is passed over, or refused where that is set."""
    path = f"/products/{shown.product(10)}"
    some = shown.store(KIEL, "GET", f"{path}?fields=name,Family,Nothing").json()
    assert some["fields"] == {"Name": some["fields"]["Name"], "Family": "Spare Parts"}
    less = shown.store(KIEL, "GET", f"{path}?excludeFields=true&excludeMedia=true&excludeQuantityRule=true").json()
    assert (less["fields"], less["defaultImage"], less["purchaseQuantityRule"]) == ({}, None, None)
    assert code_of(shown.store(KIEL, "GET", f"{path}?excludeMedia=perhaps")) == (400, "INVALID_API_INPUT")
    shown.http.patch("/_emulator/commerce", json={"refuse_unknown_fields": "true"})
    assert code_of(shown.store(KIEL, "GET", f"{path}?fields=Nothing")) == (400, "INVALID_API_INPUT")
    shown.http.delete("/_emulator/commerce")


def test_several_products_are_found_by_id_or_by_number(shown: Shop) -> None:
    """Each tells of itself: what this buyer may not see is an error beside the others."""
    body = shown.store(KIEL, "GET", "/products?skus=MP-0001,MP-1501,MP-0011,NONE&includeQuantityRule=true").json()
    assert body["total"] == 4
    assert [one["success"] for one in body["products"]] == [True, False, False, False]
    assert [one["sku"] for one in body["products"]] == ["MP-0001", "MP-1501", "MP-0011", "NONE"]
    assert body["products"][1]["error"]["errorCode"] == "MISSING_RECORD"
    assert body["products"][1]["id"] is None
    ids = f"{shown.product(10)},{shown.product(1800)}"
    first, second = shown.store(LYON, "GET", f"/products?ids={ids}").json()["products"]
    assert (first["success"], second["success"]) == (False, True)
    for query in ("", "?ids=x&skus=y"):
        assert code_of(shown.store(KIEL, "GET", f"/products{query}")) == (400, "INVALID_API_INPUT")
    many = ",".join(["MP-0001"] * 101)
    assert code_of(shown.store(KIEL, "GET", f"/products?skus={many}")) == (400, "MAX_LIMIT_EXCEEDED")


def test_lists_of_products_had_prices_until_v57(shown: Shop) -> None:
    """From v58 on there are none at all."""
    (one,) = shown.store(KIEL, "GET", "/products?skus=MP-0001", version=57).json()["products"]
    assert one["prices"]["unitPrice"] == f"{world.agreed_price(1, world.GROUPS[0]):.2f}"
    (less,) = shown.store(KIEL, "GET", "/products?skus=MP-0001&excludePrices=true", version=57).json()["products"]
    assert less["prices"] is None
    assert "prices" not in shown.store(KIEL, "GET", "/products?skus=MP-0001", version=58).json()["products"][0]


def test_the_children_of_a_set_are_paged(shop: Shop) -> None:
    """A simple product has none; those of a set say whether this buyer may see them."""
    path = f"/products/{shop.product(1)}/children"
    assert code_of(shop.store(KIEL, "GET", path)) == (400, "INVALID_API_INPUT")
    kind = shop.id("ProductRelationshipType", "Name", "Spare Part")
    for child in (1002, 1600):
        row = {
            "ParentProductId": shop.product(1001),
            "ChildProductId": shop.product(child),
            "ProductRelationshipTypeId": kind,
        }
        assert shop.call(ADMIN, "POST", "/sobjects/ProductRelatedComponent", json=row).status_code == 201
    shop.write("UPDATE \"Product2\" SET ProductClass = 'Set' WHERE Id = ?", shop.product(1001))
    first = shop.store(KIEL, "GET", f"/products/{shop.product(1001)}/children?pageSize=1").json()
    assert (first["total"], first["count"], first["productClass"]) == (2, 1, "Set")
    assert first["items"][0]["productInfo"]["id"] == shop.product(1002)
    second = shop.http.get(first["nextPageUrl"], headers={"Authorization": f"Bearer {shop.token(KIEL)}"}).json()
    assert second["items"][0]["isEntitled"] is False
    assert second["items"][0]["productInfo"] is None
    assert second["nextPageUrl"] is None


def test_categories_are_a_tree(shown: Shop) -> None:
    """Top, below, and the way to one."""
    tops = shown.store(KIEL, "GET", "/product-categories/children").json()["productCategories"]
    assert [one["fields"]["Name"] for one in tops] == list(world.CATEGORIES)
    below = shown.store(
        KIEL, "GET", "/product-categories/children", params={"parentProductCategoryId": tops[2]["id"]}
    ).json()["productCategories"]
    assert [one["fields"]["Name"] for one in below] == list(world.CATEGORIES["Drives"])
    assert below[0]["fields"]["NumberOfProducts"] == "100"
    assert below[0]["fields"]["ParentCategoryId"] == tops[2]["id"]
    one = shown.store(KIEL, "GET", f"/product-categories/{below[0]['id']}").json()
    assert one["urlName"] == "motors"
    path = shown.store(KIEL, "GET", f"/product-category-path/product-categories/{below[0]['id']}").json()["path"]
    assert [step["urlSlug"] for step in path] == ["drives", "motors"]
    assert code_of(shown.store(KIEL, "GET", "/product-categories/0ZG000000000999AAA")) == (404, "MISSING_RECORD")
    menu = shown.store(KIEL, "GET", "/category-menu-items?addHomeMenuItem=true&maxLevels=1").json()["menuItems"]
    assert [item["label"] for item in menu] == ["Home", *world.CATEGORIES]
    assert menu[1]["subMenu"] == []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    user=st.sampled_from(sorted(_GROUP)),
    numbers=st.lists(st.integers(1, world.PRODUCTS), min_size=1, max_size=6, unique=True),
)
def test_a_buyer_sees_the_own_prices_and_nobody_elses(shown: Shop, user: str, numbers: list[int]) -> None:
    """Whatever is asked for: a price is the one agreed with the buyer's group, or there is none and no hint of one."""
    lines = [{"productId": shown.product(number)} for number in numbers]
    body = shown.store(user, "POST", "/pricing/products", name=_STORE[user], json={"pricingLineItems": lines}).json()
    assert body["currencyIsoCode"] == world.STORES[_STORE[user]]
    for number, line in zip(numbers, body["pricingLineItemResults"], strict=True):
        assert line["success"] is _sees(user, number)
        if line["success"]:
            group = _GROUP[user]
            assert line["unitPrice"] == f"{world.agreed_price(number, group):.2f}"
            assert line["listPrice"] == f"{world.list_price(number, group.store):.2f}"
        else:
            assert {line[name] for name in ("unitPrice", "listPrice", "lowestUnitPrice", "pricebookEntryId")} == {None}
    listed = ",".join(f"MP-{number:04d}" for number in numbers)
    seen = shown.store(user, "GET", f"/products?skus={listed}", name=_STORE[user]).json()["products"]
    assert [one["success"] for one in seen] == [_sees(user, number) for number in numbers]
    assert all(one["name"] is None for one in seen if not one["success"])


def test_one_price_tells_of_quantities(shown: Shop) -> None:
    """Tiers lower the agreed price; nobody outside the group has them."""
    body = shown.store(KIEL, "GET", f"/pricing/products/{shown.product(20)}").json()
    agreed = world.agreed_price(20, world.GROUPS[0])
    assert body["unitPrice"] == f"{agreed:.2f}"
    assert body["lowestUnitPrice"] == f"{agreed * 0.9:.2f}"
    tiers = body["priceAdjustment"]["priceAdjustmentTiers"]
    assert [(tier["lowerBound"], tier["upperBound"], tier["adjustmentValue"]) for tier in tiers] == [
        ("10.0", "49.0", "5.0"),
        ("50.0", None, "10.0"),
    ]
    assert shown.store(KIEL, "GET", f"/pricing/products/{shown.product(21)}").json()["priceAdjustment"] is None
    assert code_of(shown.store(LYON, "GET", f"/pricing/products/{shown.product(20)}")) == (404, "MISSING_RECORD")


def test_prices_follow_the_effective_account(shown: Shop) -> None:
    """A user of the org sees each account's own price."""
    path = f"/pricing/products?productIds={shown.product(1200)}"
    for key, group in (("ACC-110", world.GROUPS[0]), ("ACC-210", world.GROUPS[1])):
        body = shown.store(ADMIN, "GET", f"{path}&effectiveAccountId={shown.account(key)}").json()
        assert body["pricingLineItemResults"][0]["unitPrice"] == f"{world.agreed_price(1200, group):.2f}"


def test_the_least_price_wins_or_the_first_book(shop: Shop) -> None:
    """A second book of the group counts by its price, or by its priority where the store goes by that."""
    book = shop.call(ADMIN, "POST", "/sobjects/Pricebook2", json={"Name": "Offers", "IsActive": True}).json()["id"]
    entry = {"Pricebook2Id": book, "Product2Id": shop.product(1), "UnitPrice": 1.23, "IsActive": True}
    assert shop.call(ADMIN, "POST", "/sobjects/PricebookEntry", json=entry).status_code == 201
    group = shop.id("BuyerGroup", "Name", "Nordmühle Buyers")
    link = {"BuyerGroupId": group, "Pricebook2Id": book, "IsActive": True, "Priority": 2}
    row = shop.call(ADMIN, "POST", "/sobjects/BuyerGroupPricebook", json=link).json()["id"]
    path, agreed = f"/pricing/products/{shop.product(1)}", f"{world.agreed_price(1, world.GROUPS[0]):.2f}"
    assert shop.store(KIEL, "GET", path).json()["unitPrice"] == "1.23"
    store = f"/sobjects/WebStore/{shop.id('WebStore', 'Name', EU)}"
    assert shop.call(ADMIN, "PATCH", store, json={"PricingStrategy": "Priority"}).status_code == 204
    assert shop.store(KIEL, "GET", path).json()["unitPrice"] == agreed
    changed = shop.call(ADMIN, "PATCH", f"/sobjects/BuyerGroupPricebook/{row}", json={"Priority": 0})
    assert changed.status_code == 204
    assert shop.store(KIEL, "GET", path).json()["unitPrice"] == "1.23"
    assert shop.call(ADMIN, "PATCH", f"/sobjects/Pricebook2/{book}", json={"IsActive": False}).status_code == 204
    assert shop.store(KIEL, "GET", path).json()["unitPrice"] == agreed


def test_more_than_25_price_books_are_refused(shop: Shop) -> None:
    """The platform does not price what resolves to too many."""
    group = shop.id("BuyerGroup", "Name", "Nordmühle Buyers")
    for number in range(24):
        row = {"Name": f"Book {number}", "IsActive": True}
        book = shop.call(ADMIN, "POST", "/sobjects/Pricebook2", json=row).json()["id"]
        link = {"BuyerGroupId": group, "Pricebook2Id": book, "IsActive": True}
        assert shop.call(ADMIN, "POST", "/sobjects/BuyerGroupPricebook", json=link).status_code == 201
    assert code_of(shop.store(KIEL, "GET", f"/pricing/products/{shop.product(1)}")) == (400, "LIMIT_EXCEEDED")


def test_a_policy_can_hide_prices_alone(shop: Shop) -> None:
    """The product is there, its price is not, in every list and by itself."""
    policy = shop.id("CommerceEntitlementPolicy", "Name", "Nordmühle Buyers Policy")
    hidden = shop.call(ADMIN, "PATCH", f"/sobjects/CommerceEntitlementPolicy/{policy}", json={"CanViewPrice": False})
    assert hidden.status_code == 204
    product = shop.product(1)
    assert shop.store(KIEL, "GET", f"/products/{product}").status_code == 200
    assert code_of(shop.store(KIEL, "GET", f"/pricing/products/{product}")) == (403, "INSUFFICIENT_ACCESS")
    (line,) = shop.store(KIEL, "GET", f"/pricing/products?productIds={product}").json()["pricingLineItemResults"]
    assert (line["success"], line["unitPrice"], line["error"]["errorCode"]) == (False, None, "INSUFFICIENT_ACCESS")
    found = shop.store(KIEL, "POST", "/search/product-search", json={"searchTerm": "MP-0001"}).json()
    assert found["productsPage"]["products"][0]["prices"]["unitPrice"] is None


def test_bodies_and_limits_of_prices(shown: Shop) -> None:
    """500 lines, known properties, and a currency that the store sells in."""
    lines = [{"productId": shown.product(1)}] * 501
    reply = shown.store(KIEL, "POST", "/pricing/products", json={"pricingLineItems": lines})
    assert code_of(reply) == (400, "MAX_LIMIT_EXCEEDED")
    for body in ({"pricingLineItems": [{"productId": 1}]}, {"lines": []}, {"pricingLineItems": ["x"]}, {"x": None}):
        reply = shown.store(KIEL, "POST", "/pricing/products", json=body)
        assert code_of(reply) == (400, "JSON_PARSER_ERROR"), body
    assert code_of(shown.store(KIEL, "POST", "/pricing/products", json={})) == (400, "INVALID_API_INPUT")
    path = f"/pricing/products/{shown.product(1)}?currencyIsoCode=USD"
    assert code_of(shown.store(KIEL, "GET", path)) == (400, "INVALID_API_INPUT")
    assert shown.store(KIEL, "GET", path, version=56).status_code == 200


def _find(shop: Shop, user: str, **body: Any) -> dict[str, Any]:
    reply = shop.store(user, "POST", "/search/product-search", name=_STORE[user], json=body)
    assert reply.status_code == 200, reply.text
    return dict(reply.json())


@pytest.mark.parametrize("user", sorted(_GROUP))
def test_a_search_finds_what_the_buyer_may_see(shown: Shop, user: str) -> None:
    """All pages together are the group's active products, each once, with the group's price."""
    found: list[str] = []
    for page in range(20):
        body = _find(shown, user, searchTerm="spare part", page=page, pageSize=200)
        products = body["productsPage"]["products"]
        found += [one["fields"]["StockKeepingUnit"]["value"] for one in products]
        for one in products[:3]:
            number = int(one["fields"]["StockKeepingUnit"]["value"][3:])
            assert one["prices"]["unitPrice"] == f"{world.agreed_price(number, _GROUP[user]):.2f}"
        if len(products) < 200:
            break
    wanted = [world.sku(number) for number in range(1, world.PRODUCTS + 1) if _sees(user, number)]
    assert found == wanted
    assert body["productsPage"]["total"] == len(wanted)
    assert body["productsPage"]["currencyIsoCode"] == world.STORES[_STORE[user]]


def test_a_search_narrows_and_sorts(shown: Shop) -> None:
    """By words, category, values of a field; in the order of a rule."""
    assert _find(shown, KIEL, searchTerm="mp-0042")["productsPage"]["total"] == 1
    drives = shown.id("ProductCategory", "Name", "Drives")
    body = _find(shown, KIEL, categoryId=drives, pageSize=5)
    assert body["categories"]["category"]["name"] == "Drives"
    counts = {one["category"]["name"]: one["productCount"] for one in body["categories"]["children"]}
    assert set(counts) == set(world.CATEGORIES["Drives"])
    assert sum(counts.values()) == body["productsPage"]["total"]
    family = {"nameOrId": "Family", "type": "DistinctValue", "attributeType": "ProductField", "values": ["Hardware"]}
    assert _find(shown, KIEL, categoryId=drives, refinements=[family])["productsPage"]["total"] == 0
    rules = {rule["label"]: rule for rule in shown.store(KIEL, "GET", "/search/sort-rules").json()["sortRules"]}
    for label, key, backwards in (("Price: Low to High", "prices", False), ("Name: Z-A", "name", True)):
        products = _find(shown, KIEL, categoryId=drives, sortRuleId=rules[label]["sortRuleId"], pageSize=200)
        values = [
            float(one["prices"]["unitPrice"]) if key == "prices" else one["name"].casefold()
            for one in products["productsPage"]["products"]
        ]
        assert values == sorted(values, reverse=backwards)


def test_the_other_search_takes_parameters(shown: Shop) -> None:
    """Fields are required, refinements come in base64, and there is no currency on the page."""
    text = base64.b64encode(
        json.dumps(
            [
                {
                    "nameOrId": "Family",
                    "type": "DistinctValue",
                    "attributeType": "ProductField",
                    "values": ["Spare Parts"],
                }
            ]
        ).encode()
    ).decode()
    query = {"fields": "Name", "searchTerm": "blade", "refinements": text, "pageSize": "3"}
    body = shown.store(KIEL, "GET", "/search/products", params=query).json()
    assert len(body["productsPage"]["products"]) == 3
    assert set(body["productsPage"]["products"][0]["fields"]) == {"Name"}
    assert "currencyIsoCode" not in body["productsPage"]
    assert code_of(shown.store(KIEL, "GET", "/search/products?searchTerm=x")) == (400, "INVALID_API_INPUT")
    assert code_of(shown.store(KIEL, "GET", "/search/products", params=query, version=57)) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"searchTerm": " ".join(["word"] * 33)},
        {"searchTerm": "x", "pageSize": 201},
        {"searchTerm": "x", "page": 26, "pageSize": 200},
        {"searchTerm": "x", "page": -1},
        {"searchTerm": "x", "pageSize": 0},
        {"searchTerm": "x", "sortRuleId": "none"},
        {"searchTerm": "x", "refinements": [{"nameOrId": "Family"}]},
    ],
)
def test_searches_out_of_bounds_are_refused(shown: Shop, body: dict[str, Any]) -> None:
    """Limits of words, pages and refinements are told as input that is not valid."""
    reply = shown.store(KIEL, "POST", "/search/product-search", json=body)
    assert code_of(reply) == (400, "INVALID_API_INPUT")


def test_new_products_wait_for_an_index_where_it_is_not_live(shop: Shop) -> None:
    """With the switch off nothing is found before an index was built."""
    shop.http.patch("/_emulator/commerce", json={"live_search_index": False})
    assert _find(shop, KIEL, searchTerm="MP-0001")["productsPage"]["total"] == 0
    path = f"/commerce/management/webstores/{shop.id('WebStore', 'Name', EU)}/search/indexes"
    built = shop.call(ADMIN, "POST", path)
    assert built.status_code == 201
    assert built.json()["indexUsage"] == "Live"
    assert _find(shop, KIEL, searchTerm="MP-0001")["productsPage"]["total"] == 1
    assert shop.call(ADMIN, "GET", f"{path}/{built.json()['id']}").json()["indexStatus"] == "Completed"
    assert len(shop.call(ADMIN, "GET", path).json()["indexes"]) == 1
    assert code_of(shop.call(KIEL, "POST", path)) == (403, "INSUFFICIENT_ACCESS")


def test_suggestions_are_ones_own_searches(shop: Shop) -> None:
    """What one buyer looked for is not suggested to another."""
    _find(shop, KIEL, searchTerm="Blade 100")
    _find(shop, KIEL, searchTerm="belt")
    path = "/search/suggestions?searchTerm=b"
    body = shop.store(KIEL, "GET", path).json()
    assert [one["value"] for one in body["recentSearchSuggestions"]] == ["belt", "blade 100"]
    assert shop.store(APPROVER, "GET", path).json() == {"recentSearchSuggestions": []}


def test_featured_products_are_listed_by_relation(shop: Shop) -> None:
    """Related products come in their order, those the buyer may not see and parts of bundles left out."""
    kinds = {}
    for name, role in (
        ("Spare Part", "AddOnComponent"),
        ("Goes with it", "AddOnComponent"),
        ("Box", "BundleComponent"),
    ):
        row = {"Name": name, "AssociatedProductRoleCat": role}
        kinds[name] = shop.call(ADMIN, "POST", "/sobjects/ProductRelationshipType", json=row).json()["id"]
    for place, (kind, number) in enumerate(
        [("Spare Part", 4), ("Spare Part", 3), ("Goes with it", 5), ("Spare Part", 1999), ("Box", 6)]
    ):
        row = {
            "ParentProductId": shop.product(1),
            "ChildProductId": shop.product(number),
            "ProductRelationshipTypeId": kinds[kind],
            "Sequence": 9 - place,
        }
        assert shop.call(ADMIN, "POST", "/sobjects/ProductRelatedComponent", json=row).status_code == 201
    path = f"/products/{shop.product(1)}/featured-products"
    found = shop.store(KIEL, "GET", f"{path}?fields=StockKeepingUnit").json()["featuredProductsByRelationshipType"]
    skus = {key: [one["fields"]["StockKeepingUnit"] for one in listed] for key, listed in found.items()}
    assert skus == {"goesWithIt": ["MP-0005"], "sparePart": ["MP-0003", "MP-0004"]}
    one = shop.store(KIEL, "GET", f"{path}?relationshipTypes=sparePart").json()["featuredProductsByRelationshipType"]
    assert list(one) == ["sparePart"]
    assert shop.store(KIEL, "GET", f"/products/{shop.product(1999)}/featured-products").status_code == 404
    assert shop.store(KIEL, "GET", path, version=63).status_code == 404
