"""Bodies that several families of commerce resources share: media, quantity rules, prices, products in lists.

Source: facts/commerce/catalog.md, carts.md section 5. Assumed: which values media have that are not there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orgbridge.emulator.commerce import shapes, versions
from orgbridge.emulator.commerce.amounts import money_text, quantity_text
from orgbridge.emulator.commerce.catalog import Category, Product, QuantityRule
from orgbridge.emulator.commerce.policy import CommercePolicy
from orgbridge.emulator.commerce.pricing import Price, Schedule
from orgbridge.emulator.commerce.versions import Shape
from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.schema.errors import SFError
from orgbridge.kit.json import JSON

#: Source: catalog.md section 1, "Media".
PLACEHOLDER = "/img/b2b/default-product-image.svg"
PRICING_LINE: Shape = {
    "error": 49,
    "listPrice": 49,
    "lowestUnitPrice": 59,
    "pricebookEntryId": 49,
    "productId": 49,
    "success": 49,
    "unitPrice": 49,
}
_SCHEDULE: Shape = {"adjustmentMethod": 59, "id": 49, "priceAdjustmentTiers": 49, "scheduleType": 59}
_TIER: Shape = {
    "adjustmentType": 49,
    "adjustmentValue": 49,
    "id": 49,
    "lowerBound": 49,
    "tierUnitPrice": 49,
    "upperBound": 49,
}
_PATH: Shape = {"id": 49, "name": 49, "description": 49, "urlSlug": 59}


def default_image(version: int) -> dict[str, JSON]:
    """Return the image of a product that has none."""
    values: dict[str, JSON] = {
        "alternateText": "",
        "mediaType": "Image",
        "sortOrder": 0,
        "title": "",
        "url": PLACEHOLDER,
    }
    return versions.body(shapes.PRODUCT_MEDIA, version, values)


def quantity_rule(rule: QuantityRule | None, version: int) -> JSON:
    """Return a quantity rule, or null."""
    if rule is None:
        return None
    values = {
        "increment": quantity_text(rule.increment),
        "maximum": quantity_text(rule.maximum),
        "minimum": quantity_text(rule.minimum),
    }
    return versions.body(shapes.PURCHASE_QUANTITY_RULE, version, values)


def cart_product(
    product: Product, fields: Mapping[str, JSON], rule: QuantityRule | None, version: int
) -> dict[str, JSON]:
    """Return a product as lists and carts show it."""
    values: dict[str, JSON] = {
        "fields": dict(fields),
        "isConfigurationAllowed": product.configurable,
        "name": product.name,
        "productClass": product.product_class,
        "productId": product.id,
        "productUrlName": product.url_name,
        "purchaseQuantityRule": quantity_rule(rule, version),
        "sku": product.sku,
        "thumbnailImage": default_image(version),
        "variationAttributes": {},
    }
    return versions.body(shapes.CART_ITEM_PRODUCT, version, values)


def error_body(error: SFError) -> dict[str, JSON]:
    """Return one failed part of a call that goes on. Assumed: the names of its properties."""
    return {"errorCode": error.code, "message": error.message}


def price_line(product_id: str, price: Price | None, error: SFError | None, version: int) -> dict[str, JSON]:
    """Return the price of one product among others; `error` says why there is none."""
    values: dict[str, JSON] = {
        "error": None if error is None else error_body(error),
        "productId": product_id,
        "success": error is None,
    }
    if price is not None and error is None:
        values |= {
            "listPrice": money_text(price.list_price),
            "lowestUnitPrice": money_text(price.lowest_unit_price),
            "pricebookEntryId": price.entry_id,
            "unitPrice": money_text(price.unit_price),
        }
    return versions.body(PRICING_LINE, version, values)


def schedule(found: Schedule | None, version: int) -> JSON:
    """Return the prices by quantity, or null."""
    if found is None:
        return None
    tiers = [
        versions.body(
            _TIER,
            version,
            {
                "adjustmentType": tier.type,
                "adjustmentValue": f"{tier.value:f}",
                "id": tier.id,
                "lowerBound": quantity_text(tier.lower),
                "tierUnitPrice": money_text(tier.unit_price),
                "upperBound": quantity_text(tier.upper),
            },
        )
        for tier in found.tiers
    ]
    values: dict[str, JSON] = {
        "adjustmentMethod": found.method,
        "id": found.id,
        "priceAdjustmentTiers": tiers,
        "scheduleType": found.type,
    }
    return versions.body(_SCHEDULE, version, values)


def category_path(path: list[Category], version: int) -> dict[str, JSON]:
    """Return the way from the top to a category."""
    return {
        "path": [
            versions.body(
                _PATH,
                version,
                {"id": one.id, "name": one.name, "description": one.description, "urlSlug": one.url_name},
            )
            for one in path
        ]
    }


def missing_product(policy: CommercePolicy, product_id: str) -> SFError:
    """Return the error for a product that is not there for this buyer: nobody learns which of the two it is."""
    return policy.missing.error(f"The product {product_id} isn't available or you don't have access to it.")


def hidden_price(policy: CommercePolicy, product_id: str) -> SFError:
    """Return the error for a price that this buyer may not see."""
    return policy.no_access.error(f"You don't have access to the price of the product {product_id}.")


async def read_body(call: Call, known: Mapping[str, type | tuple[type, ...]]) -> dict[str, Any]:
    """Return a JSON body whose keys are all known and whose values have the right form; null counts as left out.

    Raises:
        SFError: JSON_PARSER_ERROR, a key is unknown or a value has another form.
    """
    given = await call.json_object()
    return check_object(given, known)


def check_object(given: JSON, known: Mapping[str, type | tuple[type, ...]]) -> dict[str, Any]:
    """Return an object of a body as `read_body` does.

    Raises:
        SFError: JSON_PARSER_ERROR.
    """
    if not isinstance(given, dict):
        raise SFError("JSON_PARSER_ERROR", "Can not deserialize: unexpected value at [line:1, column:1]")
    for name, value in given.items():
        if name not in known:
            raise SFError("JSON_PARSER_ERROR", f'Unrecognized field "{name}" at [line:1, column:1]')
        wanted = known[name]
        kinds = wanted if isinstance(wanted, tuple) else (wanted,)
        if value is None:
            continue
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise SFError("JSON_PARSER_ERROR", f'Can not deserialize the value of "{name}" at [line:1, column:1]')
    return {name: value for name, value in given.items() if value is not None}
