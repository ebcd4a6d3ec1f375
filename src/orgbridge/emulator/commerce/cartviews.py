"""Carts and their lines as Connect bodies show them.

Source: facts/commerce/carts.md sections 1, 4 and 5. Assumed: that lines for delivery are in the totals only; the text
of `status`; that the totals of a first payment are null in a store without subscriptions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orgbridge.emulator.commerce import shapes
from orgbridge.emulator.commerce.deals import Deal, Row
from orgbridge.emulator.commerce.money import money_text, of_row, quantity_text
from orgbridge.emulator.commerce.offers import entitled, quantity_rules
from orgbridge.emulator.commerce.settling import Work
from orgbridge.emulator.commerce.versions import body
from orgbridge.emulator.schema.rendering import rest_value
from orgbridge.kit.json import JSON

#: What stands for a product without a picture. Source: facts/commerce/carts.md section 5.
NO_PICTURE = {
    "alternateText": "",
    "mediaType": "Image",
    "sortOrder": 0,
    "title": "",
    "url": "/img/b2b/default-product-image.svg",
}
_MESSAGE_TYPES = ("Inventory", "Taxes", "Pricing", "Shipping", "Entitlement", "SystemError")
#: Product fields that a call may ask for: at first, and from which version on how many. Source: carts.md section 3.
FEW_FIELDS, MANY_FIELDS, MANY_SINCE = 5, 15, 56


def summary(deal: Deal, cart: Row | None, work: Work | None) -> dict[str, JSON]:
    """Return a cart summary; of no cart, one whose id is null."""
    return body(shapes.CART_SUMMARY, deal.version, _summary_values(deal, cart, work))


def _summary_values(deal: Deal, cart: Row | None, work: Work | None) -> dict[str, JSON]:
    if cart is None:
        return {
            "accountId": deal.buyer.account_id,
            "currencyIsoCode": deal.buyer.store.currency,
            "grandTotalAmount": "0.00",
            "ownerId": deal.buyer.user_id,
            "totalProductAmount": "0.00",
            "totalProductCount": "0.0",
            "totalProductLineItemCount": 0,
            "uniqueProductCount": 0,
            "webstoreId": deal.buyer.store.id,
        }
    reduced = money_text(of_row(cart["TotalProductAmount"]) + of_row(cart["TotalCartLevelAdjAmount"]))
    return {
        "accountId": cart["AccountId"],
        "asyncOperationStatus": None if work is None else work.state.value,
        "cartId": cart["Id"],
        "currencyIsoCode": deal.buyer.store.currency,
        "grandTotalAmount": money_text(cart["GrandTotalAmount"]),
        "hasGift": False,
        "isSecondary": bool(cart["IsSecondary"]),
        "name": cart["Name"],
        "ownerId": cart["OwnerId"],
        "orderOwnerId": cart["OwnerId"],
        "purchaseOrderNumber": cart["PoNumber"],
        "status": cart["Status"],
        "taxType": cart["TaxType"],
        "totalAmountWithItemAdjustment": money_text(cart["TotalProductAmount"]),
        "totalCartLevelAdjustmentAmount": money_text(cart["TotalCartLevelAdjAmount"]),
        "totalChargeAmount": money_text(cart["TotalChargeAmount"]),
        "totalListPrice": money_text(cart["TotalListAmount"]),
        "totalProductAmount": money_text(cart["TotalProductAmount"]),
        "totalProductAmountAfterAdjustments": reduced,
        "totalProductCount": quantity_text(cart["TotalProductCount"]),
        "totalProductLineItemCount": cart["TotalProductLineItemCount"],
        "totalProductListAmount": money_text(cart["TotalProductListAmount"]),
        "totalPromotionalAdjustmentAmount": money_text(cart["TotalPromoAdjustmentAmount"]),
        "totalSubProductCount": "0.0",
        "totalTaxAmount": money_text(cart["TotalTaxAmount"]),
        "type": cart["Type"],
        "uniqueProductCount": cart["UniqueProductCount"],
        "webstoreId": cart["WebStoreId"],
    }


def compact_summary(deal: Deal, cart: Row | None) -> dict[str, JSON]:
    """Return the short summary of a cart."""
    values = _summary_values(deal, cart, None)
    return body(
        shapes.CART_COMPACT_SUMMARY, deal.version, {name: values.get(name) for name in shapes.CART_COMPACT_SUMMARY}
    )


class ItemViews:
    """Bodies of several lines of one cart, whose products and messages are read once.

    Args:
        deal: The business.
        lines: The lines.
        fields: Names of product fields to be shown; `*` for all.
    """

    def __init__(self, deal: Deal, lines: Sequence[Row], fields: Sequence[str]) -> None:
        self._deal = deal
        products = {line["Product2Id"] for line in lines}
        self._products = deal.by_id("Product2", products)
        self._rules = quantity_rules(deal, products)
        self._visible = entitled(deal, products)
        self._messages: dict[str, list[Row]] = {}
        for row in deal.rows("CartValidationOutput", {"RelatedEntityId": [line["Id"] for line in lines]}):
            self._messages.setdefault(row["RelatedEntityId"], []).append(row)
        self._fields = _product_fields(deal, fields)

    def product(self, product_id: str) -> dict[str, JSON]:
        """Return the details of a line's product."""
        row = self._products.get(product_id, {})
        rule = self._rules.get(product_id)
        return body(
            shapes.CART_ITEM_PRODUCT,
            self._deal.version,
            {
                "fields": {name: _field_text(self._deal, name, row) for name in self._fields},
                "isConfigurationAllowed": row.get("ConfigureDuringSale") == "Allowed",
                "name": row.get("Name"),
                "productClass": row.get("ProductClass") or "Simple",
                "productId": product_id,
                "purchaseQuantityRule": None
                if rule is None
                else {
                    "increment": quantity_text(rule.increment),
                    "maximum": quantity_text(rule.maximum),
                    "minimum": quantity_text(rule.minimum),
                },
                "sku": row.get("StockKeepingUnit"),
                "thumbnailImage": body(shapes.PRODUCT_MEDIA, self._deal.version, NO_PICTURE),
                "variationAttributes": {},
            },
        )

    def item(self, line: Row, *, named: bool = True) -> dict[str, JSON]:
        """Return the body of a line; one that was only just added has no id yet where the store works prices out later.

        Args:
            line: The line.
            named: Whether the id is told.
        """
        values: dict[str, JSON] = {
            "cartDeliveryGroupId": line["CartDeliveryGroupId"],
            "cartId": line["CartId"],
            "cartItemId": line["Id"] if named else None,
            "childProductCount": line["ChildProductCount"] or 0,
            "currencyIsoCode": self._deal.buyer.store.currency,
            "isShippingChargeNotApplicable": bool(line["IsShippingChargeNotApplicable"]),
            "itemizedAdjustmentAmount": money_text(line["ItemizedAdjustmentAmount"]),
            "listPrice": money_text(line["ListPrice"]),
            "messagesSummary": messages(self._deal, line["Id"], self._messages.get(line["Id"], [])),
            "name": line["Name"],
            "parentCartItemId": line["ParentCartItemId"],
            "productClass": line["ProductClass"],
            "productDetails": self.product(line["Product2Id"]),
            "productId": line["Product2Id"],
            "quantity": quantity_text(line["Quantity"]),
            "salesPrice": money_text(line["SalesPrice"]),
            "sellingModelType": line["SellingModelType"],
            "subType": "Gift" if line["SubType"] == "GiftWrap" else line["SubType"],
            "totalAdjustmentAmount": money_text(line["TotalPromoAdjustmentAmount"]),
            "totalAmount": money_text(line["TotalAmount"]),
            "totalListPrice": money_text(line["TotalListPrice"]),
            "totalPrice": money_text(line["TotalPrice"]),
            "totalTax": money_text(line["TotalTaxAmount"]),
            "type": "Product",
            "unitAdjustedPrice": money_text(line["UnitAdjustedPrice"]),
            "unitAdjustedPriceWithItemAdj": money_text(line["UnitAdjustedPriceWithItemAdj"]),
            "unitAdjustmentAmount": money_text(line["UnitAdjustmentAmount"]),
            "unitItemAdjustmentAmount": money_text(line["UnitItemAdjustmentAmount"]),
        }
        return body(shapes.CART_ITEM, self._deal.version, values)

    def result(self, line: Row) -> dict[str, JSON]:
        """Return a line as it stands in a collection."""
        values = {"cartItem": self.item(line), "message": None, "status": "Success"}
        return body(shapes.CART_ITEM_RESULT, self._deal.version, values)


def messages(deal: Deal, about: str, rows: Sequence[Row], lines_with_errors: int | None = None) -> dict[str, JSON]:
    """Return the summary of what is wrong with a line or a cart."""
    errors = [row for row in rows if row["Level"] == "Error"]
    shown = [
        {
            "message": row["Message"],
            "messageId": row["Id"],
            "relatedEntityId": row["RelatedEntityId"],
            "severity": row["Level"],
            "type": row["Type"] if row["Type"] in _MESSAGE_TYPES else "Other",
            "visible": not row["IsDismissed"],
        }
        for row in rows
    ]
    values: dict[str, JSON] = {
        "errorCount": len(errors),
        "hasErrors": bool(errors),
        "limitedMessages": shown,
        "relatedEntityId": about,
        "totalLineItemsWithErrors": lines_with_errors,
    }
    return body(shapes.CART_MESSAGES_SUMMARY, deal.version, values)


def _product_fields(deal: Deal, names: Sequence[str]) -> list[str]:
    sobject = deal.org.sobject("Product2")
    if "*" in names:
        return [field.name for field in sobject.stored_fields]
    return [field.name for field in map(sobject.field, names) if field is not None and field.is_stored]


def _field_text(deal: Deal, name: str, row: Mapping[str, Any]) -> str | None:
    field = deal.org.sobject("Product2").field(name)
    value = None if field is None else rest_value(field, row.get(name))
    if value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)
