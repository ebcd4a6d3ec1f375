"""Product search of a store, suggestions, rules of order, and the search index.

Source: facts/commerce/catalog.md section 2. Assumed: properties of a rule of order and of a suggestion.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import Response

from orgbridge.emulator.commerce import versions
from orgbridge.emulator.commerce.catalog import (
    DEFAULT_FIELDS,
    Category,
    categories_of,
    category_id_of,
    field_texts,
    products_of,
    quantity_rules,
)
from orgbridge.emulator.commerce.contexts import BuyerContext
from orgbridge.emulator.commerce.indexes import indexed_at
from orgbridge.emulator.commerce.pricing import prices_of
from orgbridge.emulator.commerce.searching import FACETS, SORT_RULES, Found, Search, find_products
from orgbridge.emulator.commerce.versions import Shape
from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.resources.commerce import bodies
from orgbridge.emulator.http.resources.commerce.buyers import WS, flag, need_version, number, reading, words
from orgbridge.emulator.http.resources.commerce.products import seen_product, wanted_fields
from orgbridge.emulator.http.routing import Route
from orgbridge.emulator.storage.database import Connection
from orgbridge.kit.json import JSON, JSONDecodeError, loads

#: Source: catalog.md section 2, all of them.
_MOST_WORDS, _MOST_REFINEMENTS, _MOST_VALUES, _MOST_SIZE, _MOST_ROWS = 32, 9, 20, 200, 5000
_TERM_CHARACTERS = 100
_RESULTS: Shape = {"categories": 49, "correlationId": 55, "facets": 49, "locale": 49, "productsPage": 49}
_POST_PAGE: Shape = {"currencyIsoCode": 49, "pageSize": 49, "products": 49, "total": 49}
_GET_PAGE: Shape = {"pageSize": 55, "products": 55, "total": 55}
_POST_SUMMARY: Shape = {
    "defaultImage": 49,
    "fields": 49,
    "id": 49,
    "name": 49,
    "prices": 49,
    "productClass": 50,
    "productSellingModelInformation": 59,
    "purchaseQuantityRule": 52,
    "urlName": 59,
    "variationAttributeSet": 50,
}
_GET_SUMMARY: Shape = {
    "defaultImage": 55,
    "fields": 55,
    "id": 55,
    "isConfigurationAllowed": 65,
    "name": 55,
    "prices": 55,
    "productClass": 55,
    "productSellingModelInformation": 59,
    "productVariationInfo": 63,
    "purchaseQuantityRule": 58,
    "urlName": 59,
    "variationAttributeSet": 55,
}
_FACET: Shape = {
    "attributeType": 49,
    "displayName": 49,
    "displayRank": 49,
    "displayType": 49,
    "facetType": 49,
    "nameOrId": 49,
    "values": 49,
}
_VALUE: Shape = {"displayMetadata": 64, "displayName": 49, "nameOrId": 49, "productCount": 49, "type": 49}
_INPUT = {
    "categoryId": str,
    "fields": list,
    "grouping": dict,
    "includePrices": bool,
    "includeQuantityRule": bool,
    "page": int,
    "pageSize": int,
    "refinements": list,
    "searchTerm": str,
    "sortRuleId": str,
}
_REFINEMENT = {"attributeType": str, "nameOrId": str, "type": str, "values": list}


async def by_post(call: Call) -> Response:
    """Answer POST search/product-search."""
    need_version(call, 49)
    given = await bodies.read_body(call, _INPUT)
    for name in ("page", "pageSize"):
        value = given.get(name, 0)
        if value < 0 or (name == "pageSize" and name in given and value == 0):
            raise call.parts.commerce.policy.bad_input.error(f"The value of {name} isn't valid: {value}")
    return await _search(call, given, is_post=True)


async def by_get(call: Call) -> Response:
    """Answer GET search/products."""
    need_version(call, 58)
    policy = call.parts.commerce.policy
    if not words(call, "fields"):
        raise policy.bad_input.error("You must specify a value for the fields parameter.")
    given: dict[str, Any] = {
        "fields": list(words(call, "fields")),
        "includePrices": flag(call, "includePrices", default=True),
        "includeQuantityRule": flag(call, "includeQuantityRule"),
        "page": number(call, "page", 0, 0, _MOST_ROWS),
        "pageSize": number(call, "pageSize", 20, 1, _MOST_SIZE),
    }
    for name in ("searchTerm", "categoryId", "sortRuleId"):
        if call.query(name):
            given[name] = call.query(name)
    if text := call.query("refinements"):
        try:
            given["refinements"] = loads(base64.b64decode(text, validate=True))
        except (binascii.Error, JSONDecodeError) as error:
            raise policy.bad_input.error("The refinements parameter isn't valid.") from error
        if not isinstance(given["refinements"], list):
            raise policy.bad_input.error("The refinements parameter isn't valid.")
    return await _search(call, given, is_post=False)


async def _search(call: Call, given: Mapping[str, Any], *, is_post: bool) -> Response:
    policy, sobject = call.parts.commerce.policy, seen_product(call)
    size, page = int(given.get("pageSize", 20)), int(given.get("page", 0))
    if size > _MOST_SIZE or size * page > _MOST_ROWS:
        raise policy.bad_input.error(f"Page {page} of {size} products is out of bounds.")
    fields = [name for name in given.get("fields", ()) if isinstance(name, str)]
    names = (wanted_fields(call, sobject, fields) if fields else DEFAULT_FIELDS) or None
    term = str(given.get("searchTerm", "")).lower().split()
    if not term and not given.get("categoryId"):
        raise policy.bad_input.error("Specify a searchTerm, a categoryId, or both.")
    if len(term) > _MOST_WORDS:
        raise policy.bad_input.error(f"A search term has at most {_MOST_WORDS} words.")
    refinements = _refinements(call, given.get("refinements", ()))
    rule = _sort_rule(call, given.get("sortRuleId"))
    now = call.parts.clock.now()

    def work(connection: Connection, buyer: BuyerContext) -> dict[str, JSON]:
        known = categories_of(connection, buyer.store.id)
        category = category_id_of(str(given.get("categoryId", "")))
        if given.get("categoryId") and category not in known:
            raise policy.missing.error(f"The category {given['categoryId']} isn't available.")
        wanted = Search(
            words=tuple(term),
            category_id=category,
            refinements=refinements,
            order=rule[2],
            descending=rule[3],
            indexed_at=None if policy.live_search_index else indexed_at(connection, buyer.store.id),
        )
        found = find_products(connection, buyer, wanted, now)
        ids = found.ids[page * size : (page + 1) * size]
        shape = _POST_SUMMARY if is_post else _GET_SUMMARY
        listed = _summaries(call, connection, buyer, ids, names, given, shape)
        if term:
            call.parts.commerce.searches.note(buyer.store.id, buyer.user_id, " ".join(term))
        shown = {"pageSize": size, "products": listed, "total": len(found.ids)}
        if is_post:
            shown["currencyIsoCode"] = buyer.store.currency
        values: dict[str, JSON] = {
            "categories": _category(known, category, found, call.version),
            "correlationId": None,
            "facets": _facets(found, call.version),
            "locale": buyer.store.languages[0],
            "productsPage": versions.body(_POST_PAGE if is_post else _GET_PAGE, call.version, shown),
        }
        return versions.body(_RESULTS, call.version, values)

    return call.json(await reading(call, work))


def _refinements(call: Call, given: Sequence[Any]) -> dict[str, list[str]]:
    policy = call.parts.commerce.policy
    if len(given) > _MOST_REFINEMENTS:
        raise policy.bad_input.error(f"A search has at most {_MOST_REFINEMENTS} refinements.")
    found: dict[str, list[str]] = {}
    for one in given:
        values = bodies.check_object(one, _REFINEMENT)
        missing = sorted(_REFINEMENT.keys() - values.keys())
        if missing:
            raise policy.bad_input.error(f"You must specify a value for the {missing[0]} parameter.")
        name = next((facet for facet in FACETS if facet.lower() == values["nameOrId"].lower()), None)
        options = [str(value) for value in values["values"]]
        if name is None or not options or len(options) > _MOST_VALUES:
            raise policy.bad_input.error(f"The refinement {values['nameOrId']} isn't valid.")
        found[name] = options
    return found


def _sort_rule(call: Call, given: str | None) -> tuple[str, str, str, bool]:
    if not given or call.version < 52:
        return SORT_RULES[0]
    for rule in SORT_RULES:
        if rule[0][:15] == given[:15]:
            return rule
    raise call.parts.commerce.policy.bad_input.error(f"The sort rule {given} isn't valid.")


def _summaries(
    call: Call,
    connection: Connection,
    buyer: BuyerContext,
    ids: Sequence[str],
    names: Sequence[str] | None,
    given: Mapping[str, Any],
    shape: Shape,
) -> list[JSON]:
    found = products_of(connection, ids)
    texts = field_texts(connection, seen_product(call), ids, names)
    rules = quantity_rules(connection, ids) if given.get("includeQuantityRule") else {}
    with_prices = given.get("includePrices", True)
    prices = prices_of(connection, buyer, ids, call.parts.clock.now()) if with_prices else {}
    listed: list[JSON] = []
    for one in ids:
        hidden = None if one in prices else bodies.hidden_price(call.parts.commerce.policy, one)
        values: dict[str, JSON] = {
            "defaultImage": bodies.default_image(call.version),
            "fields": {name: {"value": text} for name, text in texts[one].items()},
            "id": one,
            "name": found[one].name,
            "prices": bodies.price_line(one, prices.get(one), hidden, call.version) if with_prices else None,
            "productClass": found[one].product_class,
            "purchaseQuantityRule": bodies.quantity_rule(rules.get(one), call.version),
            "urlName": found[one].url_name,
        }
        listed.append(versions.body(shape, call.version, values))
    return listed


def _category(known: Mapping[str, Category], at: str | None, found: Found, version: int) -> dict[str, JSON]:
    """Return a category with those right below it and how many products each has; the whole store at the top."""
    category: JSON = None
    if at is not None:
        category = {"id": at, "name": known[at].name}
        if version >= 59:
            category["urlName"] = known[at].url_name
    return {
        "category": category,
        "children": [
            {
                "category": {"id": one.id, "name": one.name},
                "children": [],
                "productCount": found.by_category.get(one.id, 0),
            }
            for one in known.values()
            if one.parent_id == at and found.by_category.get(one.id, 0)
        ],
        "productCount": len(found.ids),
    }


def _facets(found: Found, version: int) -> list[JSON]:
    listed: list[JSON] = []
    for rank, name in enumerate(FACETS, 1):
        counts = found.by_value[name]
        if not counts:
            continue
        options = [
            versions.body(
                _VALUE,
                version,
                {"displayName": value, "nameOrId": value, "productCount": count, "type": "DistinctValue"},
            )
            for value, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
        ]
        values: dict[str, JSON] = {
            "attributeType": "ProductField",
            "displayName": name,
            "displayRank": rank,
            "displayType": "MultiSelect",
            "facetType": "DistinctValue",
            "nameOrId": name,
            "values": options,
        }
        listed.append(versions.body(_FACET, version, values))
    return listed


async def suggestions(call: Call) -> Response:
    """Answer GET search/suggestions: what the caller searched for before that begins so."""
    need_version(call, 52)
    term = (call.query("searchTerm") or "").lower()
    if len(term) > _TERM_CHARACTERS:
        message = f"The searchTerm parameter has at most {_TERM_CHARACTERS} characters."
        raise call.parts.commerce.policy.bad_input.error(message)
    most = number(call, "maxResults", 10, 1, 10)
    number(call, "maxSuggestedProducts", 6, 1, 10)

    def work(_connection: Connection, buyer: BuyerContext) -> dict[str, JSON]:
        before = call.parts.commerce.searches.of(buyer.store.id, buyer.user_id)
        return {"recentSearchSuggestions": [{"value": text} for text in before if text.startswith(term)][:most]}

    return call.json(await reading(call, work))


async def sort_rules(call: Call) -> Response:
    """Answer GET search/sort-rules."""
    need_version(call, 52)

    def work(_connection: Connection, _buyer: BuyerContext) -> dict[str, JSON]:
        return {
            "sortRules": [
                {
                    "direction": "Descending" if descending else "Ascending",
                    "label": label,
                    "nameOrId": key,
                    "sortOrder": place,
                    "sortRuleId": rule_id,
                    "type": "Relevancy" if key == "relevance" else "ProductField",
                }
                for place, (rule_id, label, key, descending) in enumerate(SORT_RULES, 1)
            ]
        }

    return call.json(await reading(call, work))


ROUTES = (
    Route(pattern=f"{WS}/search/product-search", handlers={"POST": by_post}),
    Route(pattern=f"{WS}/search/products", handlers={"GET": by_get}),
    Route(pattern=f"{WS}/search/suggestions", handlers={"GET": suggestions}),
    Route(pattern=f"{WS}/search/sort-rules", handlers={"GET": sort_rules}),
)
