"""Products, prices and quantity rules as plain values, and how they are read from Connect's bodies. No I/O.

Source: facts/commerce/catalog.md sections 1 to 3, carts.md section 5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from orgbridge.client.commerce.values import decimal, flag, items, part, text, texts
from orgbridge.client.errors import SalesforceFault
from orgbridge.client.replies import parse_fault


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantityRule:
    """How many of a product can be bought."""

    #: The least.
    minimum: Decimal | None = None
    #: The most.
    maximum: Decimal | None = None
    #: The step.
    increment: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A product as a buyer sees it."""

    #: Id.
    product_id: str
    #: Name.
    name: str | None = None
    #: SKU.
    sku: str | None = None
    #: `Simple`, `Variation`, `VariationParent`, `Set`, `Bundle`.
    product_class: str | None = None
    #: Fields that were asked for, as texts.
    fields: Mapping[str, str | None] = field(default_factory=dict)
    #: How many can be bought; None for any number, and where it was not asked for.
    rule: QuantityRule | None = None
    #: Address of its picture; None for a placeholder or none.
    image_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductFound:
    """The answer for one product of several."""

    #: Id or SKU that it is about, as Salesforce repeats it; None where it does not.
    product_id: str | None
    #: SKU, where known.
    sku: str | None
    #: The product; None when the buyer may not see it or there is none.
    product: Product | None
    #: Why not.
    fault: SalesforceFault | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceTier:
    """A price from a quantity on."""

    #: From.
    lower: Decimal | None
    #: To, exclusive; None for no end.
    upper: Decimal | None
    #: Price of one piece.
    unit_price: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What one piece of a product costs this account."""

    #: The product.
    product_id: str
    #: ISO code.
    currency: str | None
    #: The account's price; None when there is none or the buyer may not see it.
    unit_price: Decimal | None
    #: The price to compare with.
    list_price: Decimal | None
    #: Id of the price-book entry that it comes from.
    pricebook_entry_id: str | None = None
    #: Prices by quantity.
    tiers: tuple[PriceTier, ...] = ()
    #: Why there is no price.
    fault: SalesforceFault | None = None


def parse_rule(body: Mapping[str, Any]) -> QuantityRule | None:
    """Return a quantity rule; None when nothing is limited."""
    rule = QuantityRule(
        minimum=decimal(body, "minimum"), maximum=decimal(body, "maximum"), increment=decimal(body, "increment")
    )
    return None if rule == QuantityRule() else rule


def parse_cart_product(body: Mapping[str, Any]) -> Product | None:
    """Return a product as a cart line or a wishlist shows it; None without an id."""
    product_id = text(body, "productId")
    if product_id is None:
        return None
    return Product(
        product_id=product_id,
        name=text(body, "name"),
        sku=text(body, "sku"),
        product_class=text(body, "productClass"),
        fields=texts(part(body, "fields")),
        rule=parse_rule(part(body, "purchaseQuantityRule")),
        image_url=_image(part(body, "thumbnailImage")),
    )


def parse_product(body: Mapping[str, Any]) -> Product | None:
    """Return a product of the catalogue or of a search; None without an id. Its name may be a field only."""
    product_id = text(body, "id")
    if product_id is None:
        return None
    fields = texts(part(body, "fields"))
    return Product(
        product_id=product_id,
        name=text(body, "name") or fields.get("Name"),
        sku=text(body, "sku") or fields.get("StockKeepingUnit"),
        product_class=text(body, "productClass"),
        fields=fields,
        rule=parse_rule(part(body, "purchaseQuantityRule")),
        image_url=_image(part(body, "defaultImage")),
    )


def parse_found(body: Mapping[str, Any]) -> ProductFound:
    """Return the answer for one product of several."""
    fault = body.get("error")
    refused = isinstance(fault, dict) or body.get("success") is False
    product = None if refused else parse_product(body)
    return ProductFound(
        product_id=text(body, "id"),
        sku=text(body, "sku") or (product.sku if product is not None else None),
        product=product,
        fault=parse_fault(fault) if isinstance(fault, dict) else None,
    )


def parse_price(body: Mapping[str, Any], currency: str | None, product_id: str | None = None) -> Price | None:
    """Return a price; None when it does not say which product it is about."""
    about = text(body, "productId") or product_id
    if about is None:
        return None
    fault = body.get("error")
    refused = isinstance(fault, dict) or (body.get("success") is not None and not flag(body, "success"))
    return Price(
        product_id=about,
        currency=text(body, "currencyIsoCode") or currency,
        unit_price=None if refused else decimal(body, "unitPrice"),
        list_price=None if refused else decimal(body, "listPrice"),
        pricebook_entry_id=text(body, "pricebookEntryId"),
        tiers=tuple(
            PriceTier(
                lower=decimal(tier, "lowerBound"),
                upper=decimal(tier, "upperBound"),
                unit_price=decimal(tier, "tierUnitPrice"),
            )
            for tier in items(part(body, "priceAdjustment"), "priceAdjustmentTiers")
        ),
        fault=parse_fault(fault) if isinstance(fault, dict) else None,
    )


def _image(body: Mapping[str, Any]) -> str | None:
    url = text(body, "url")
    return None if url is None or "default-product-image" in url else url
