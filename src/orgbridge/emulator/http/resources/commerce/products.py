"""Products of a store as its buyer sees them: one, several, children of a set.

Source: facts/commerce/catalog.md section 1. Assumed: the code for a product that is not to be seen; without `fields`
one product shows all its fields, several show those of a search.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.responses import Response

from orgbridge.emulator.commerce import versions
from orgbridge.emulator.commerce.catalog import (
    DEFAULT_FIELDS,
    Product,
    QuantityRule,
    categories_of,
    field_texts,
    ids_by_sku,
    path_of,
    primary_category,
    products_of,
    quantity_rules,
)
from orgbridge.emulator.commerce.contexts import BuyerContext
from orgbridge.emulator.commerce.entitlements import NO_RIGHTS, Rights, product_id_of, rights_of
from orgbridge.emulator.commerce.pricing import prices_of
from orgbridge.emulator.commerce.versions import Shape
from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.resources.commerce import bodies, paging
from orgbridge.emulator.http.resources.commerce.buyers import WS, flag, need_version, reading, words
from orgbridge.emulator.http.routing import Route
from orgbridge.emulator.schema.model import SObject
from orgbridge.emulator.storage.database import Connection
from orgbridge.kit.json import JSON

#: Products that one call names. Assumed.
_MOST = 100
_DETAIL: Shape = {
    "attributeSetInfo": 50,
    "defaultImage": 49,
    "dynamicAttributeCount": 66,
    "entitlement": (49, 56),
    "fields": 49,
    "id": 49,
    "mediaGroups": 49,
    "primaryProductCategoryPath": 49,
    "productClass": 50,
    "productSellingModels": 56,
    "purchaseQuantityRule": 52,
    "urlName": 59,
    "variationAttributeSet": 50,
    "variationInfo": 50,
    "variationParentId": 50,
}
_ENTITLEMENT: Shape = {"canViewPrice": 49, "canViewProduct": 49}
_OVERVIEW: Shape = {
    "defaultImage": 54,
    "error": 54,
    "fields": 54,
    "id": 54,
    "isConfigurationAllowed": 65,
    "name": 63,
    "prices": (54, 57),
    "productClass": 63,
    "productSellingModels": 63,
    "purchaseQuantityRule": 63,
    "sku": 54,
    "success": 54,
    "urlName": 63,
    "variationAttributeSet": 63,
    "variationInfo": 63,
}
_CHILDREN: Shape = {
    "count": 57,
    "currentPageToken": 57,
    "currentPageUrl": 57,
    "items": 57,
    "nextPageToken": 57,
    "nextPageUrl": 57,
    "previousPageToken": 57,
    "previousPageUrl": 57,
    "productClass": 62,
    "total": 57,
}
_CHILD: Shape = {
    "componentGroup": 65,
    "defaultQuantity": 57,
    "isDefault": 65,
    "isEntitled": 62,
    "isPriceIncludedInParent": 65,
    "isRequired": 65,
    "productInfo": 57,
}
_SETS = ("Set", "Bundle")


def seen_product(call: Call) -> SObject:
    """Return Product2 as the caller may see it; as it is for callers to whom the object itself is hidden."""
    org = call.parts.org
    return org.view(call.user_id).sobject("Product2") or org.sobject("Product2")


def wanted_fields(call: Call, sobject: SObject, names: Sequence[str] | None = None) -> tuple[str, ...] | None:
    """Return the fields that the parameter `fields` (or a body) names; None when it names none.

    Raises:
        SFError: One of them is not there, where the settings refuse that.
    """
    given = words(call, "fields") if names is None else tuple(names)
    if not given or "*" in given:
        return None
    policy = call.parts.commerce.policy
    for name in given:
        if policy.refuse_unknown_fields and sobject.field(name) is None:
            raise policy.bad_input.error(f"The field {name} isn't valid.")
    return given


async def product(call: Call) -> Response:
    """Answer GET products/{id}."""
    need_version(call, 49)
    sobject, policy = seen_product(call), call.parts.commerce.policy
    names = wanted_fields(call, sobject)
    given = call.args["id"]

    def work(connection: Connection, buyer: BuyerContext) -> dict[str, JSON]:
        product_id = product_id_of(given)
        rights = rights_of(connection, buyer, [product_id] if product_id else [])
        found = products_of(connection, rights)
        if product_id is None or product_id not in found:
            raise bodies.missing_product(policy, given)
        return detail(call, connection, buyer, found[product_id], rights[product_id], sobject, names)

    return call.json(await reading(call, work))


def detail(
    call: Call,
    connection: Connection,
    buyer: BuyerContext,
    found: Product,
    rights: Rights,
    sobject: SObject,
    names: Sequence[str] | None,
) -> dict[str, JSON]:
    """Return a product with all that there is of it, as far as the call does not leave it out."""
    version = call.version
    fields = {} if flag(call, "excludeFields") else field_texts(connection, sobject, [found.id], names)[found.id]
    path: JSON = None
    if not flag(call, "excludePrimaryProductCategory"):
        category = primary_category(connection, found.id, buyer.store.id)
        path = category and bodies.category_path(path_of(categories_of(connection, buyer.store.id), category), version)
    rule = None if flag(call, "excludeQuantityRule") else quantity_rules(connection, [found.id]).get(found.id)
    entitlement = versions.body(_ENTITLEMENT, version, {"canViewPrice": rights.price, "canViewProduct": True})
    values: dict[str, JSON] = {
        "attributeSetInfo": None if flag(call, "excludeAttributeSetInfo") else {},
        "defaultImage": None if flag(call, "excludeMedia") else bodies.default_image(version),
        "dynamicAttributeCount": 0,
        "entitlement": None if flag(call, "excludeEntitlementDetails") else entitlement,
        "fields": dict(fields),
        "id": found.id,
        "mediaGroups": [],
        "primaryProductCategoryPath": path,
        "productClass": found.product_class,
        "productSellingModels": [],
        "purchaseQuantityRule": bodies.quantity_rule(rule, version),
        "urlName": found.url_name,
    }
    return versions.body(_DETAIL, version, values)


async def products(call: Call) -> Response:
    """Answer GET products: by ids or by stock-keeping units; what cannot be seen is an error of its own."""
    need_version(call, 54)
    policy, sobject = call.parts.commerce.policy, seen_product(call)
    ids, skus = words(call, "ids"), words(call, "skus")
    if bool(ids) == bool(skus):
        raise policy.bad_input.error("Specify either the ids or the skus parameter.")
    if len(ids or skus) > _MOST:
        raise policy.too_many.error(f"You can specify up to {_MOST} products.")
    names = wanted_fields(call, sobject) or DEFAULT_FIELDS

    def work(connection: Connection, buyer: BuyerContext) -> dict[str, JSON]:
        by_sku = ids_by_sku(connection, skus)
        asked = [(text, product_id_of(text) if ids else by_sku.get(text)) for text in (ids or skus)]
        rights = rights_of(connection, buyer, [product_id for _, product_id in asked if product_id])
        found = products_of(connection, rights)
        fields = field_texts(connection, sobject, found, names)
        rules = quantity_rules(connection, found) if flag(call, "includeQuantityRule") else {}
        priced = {} if flag(call, "excludePrices") else prices_of(connection, buyer, found, call.parts.clock.now())
        listed: list[JSON] = []
        for text, product_id in asked:
            if product_id is None or product_id not in found:
                error = bodies.missing_product(policy, text)
                key = "id" if ids else "sku"
                values: dict[str, JSON] = {"error": bodies.error_body(error), key: text, "success": False}
                listed.append(versions.body(_OVERVIEW, call.version, values))
                continue
            one = found[product_id]
            values = _overview(call, one, fields[product_id], rules.get(product_id))
            if not flag(call, "excludePrices"):
                hidden = None if rights[product_id].price else bodies.hidden_price(policy, product_id)
                values["prices"] = bodies.price_line(product_id, priced.get(product_id), hidden, call.version)
            listed.append(versions.body(_OVERVIEW, call.version, values))
        return {"products": listed, "total": len(listed)}

    return call.json(await reading(call, work))


def _overview(call: Call, one: Product, fields: dict[str, str | None], rule: QuantityRule | None) -> dict[str, JSON]:
    return {
        "defaultImage": None if flag(call, "excludeMedia") else bodies.default_image(call.version),
        "fields": dict(fields),
        "id": one.id,
        "isConfigurationAllowed": one.configurable,
        "name": one.name,
        "productClass": one.product_class,
        "productSellingModels": [] if flag(call, "includeProductSellingModels") else None,
        "purchaseQuantityRule": bodies.quantity_rule(rule, call.version),
        "sku": one.sku,
        "success": True,
        "urlName": one.url_name,
    }


async def children(call: Call) -> Response:
    """Answer GET products/{id}/children: what a set or a bundle is made of."""
    need_version(call, 57)
    policy, sobject, given = call.parts.commerce.policy, seen_product(call), call.args["id"]
    names = wanted_fields(call, sobject)
    page = paging.page_of(call, default=20, most=100)

    def work(connection: Connection, buyer: BuyerContext) -> dict[str, JSON]:
        product_id = product_id_of(given)
        parent = products_of(connection, rights_of(connection, buyer, [product_id] if product_id else []))
        if product_id is None or product_id not in parent:
            raise bodies.missing_product(policy, given)
        kind = parent[product_id].product_class
        if kind not in _SETS:
            # Assumed: the code.
            raise policy.bad_input.error("The product isn't a set or a bundle.")
        sql = (
            "SELECT ChildProductId, Quantity, IsDefaultComponent, DoesBundlePriceIncludeChild, IsComponentRequired"
            ' FROM "ProductRelatedComponent" WHERE ParentProductId = ? AND IsDeleted = 0 ORDER BY Sequence, Id'
        )
        rows = [row for row in connection.execute(sql, (product_id,)) if row[0]]
        shown = page.cut(rows)
        rights = rights_of(connection, buyer, [row[0] for row in shown])
        found = products_of(connection, [row[0] for row in shown])
        items: list[JSON] = []
        for child, quantity, default, included, required in shown:
            right = rights.get(child, NO_RIGHTS)
            info = detail(call, connection, buyer, found[child], right, sobject, names) if right.view else None
            values: dict[str, JSON] = {
                "defaultQuantity": None if quantity is None else str(quantity),
                "isDefault": bool(default),
                "isEntitled": right.view,
                "isPriceIncludedInParent": bool(included),
                "isRequired": bool(required),
                "productInfo": info,
            }
            items.append(versions.body(_CHILD, call.version, values))
        values = {"count": len(items), "items": items, "productClass": kind, "total": len(rows)}
        return versions.body(_CHILDREN, call.version, values | page.links(len(rows)))

    return call.json(await reading(call, work))


ROUTES = (
    Route(pattern=f"{WS}/products", handlers={"GET": products}),
    Route(pattern=f"{WS}/products/{{id}}", handlers={"GET": product}),
    Route(pattern=f"{WS}/products/{{id}}/children", handlers={"GET": children}),
)
