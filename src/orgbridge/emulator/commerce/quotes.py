"""Quotes of buyers: a cart becomes a quote, whose rows are ordinary ones.

Source: the Apex reference of `ConnectApi.CommerceCart`: `createQuoteFromCart` (66) with `CreateQuoteFromCartInput` and
`QuoteError`, and what may be in such a cart. Assumed: codes and texts of `errors`; that each quote has an opportunity
of its own, as `Quote.OpportunityId` must have a value, and belongs to the org's administrator; that the cart's tax and
delivery go along, and its billing and delivery address; that the comments become a Note.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal, InvalidOperation

from orgbridge.emulator.commerce import bundles, carts, inputs, lines
from orgbridge.emulator.commerce.deals import Deal, Row, bad_input
from orgbridge.emulator.commerce.money import of_row
from orgbridge.emulator.commerce.promotions import applied
from orgbridge.emulator.commerce.settling import State, work_of
from orgbridge.emulator.commerce.versions import Shape
from orgbridge.emulator.schema.errors import SFError
from orgbridge.emulator.schema.model import Field
from orgbridge.kit.json import JSON
from orgbridge.wire.dates import parse_date
from orgbridge.wire.fieldtypes import FieldType

_QUOTE: Shape = {"additionalFields": 66, "comments": 66, "contextDefinitionName": 66, "deleteCart": 66}
#: Fields that the call works out itself.
_OWN = frozenset({"OpportunityId", "Pricebook2Id", "OwnerId", "Status", "Tax", "ShippingHandling"})
_NUMBERS = (FieldType.DOUBLE, FieldType.CURRENCY, FieldType.PERCENT, FieldType.INT)
_ADDRESS = ("Street", "City", "State", "PostalCode", "Country")
#: What an opportunity of a quote request is like. Assumed.
_STAGE, _OPEN_FOR = "Proposal/Price Quote", timedelta(days=30)


@dataclass(frozen=True, slots=True)
class QuoteError:
    """One reason why a quote or a cart was not made, as `errors` of the reply tell it."""

    #: `code`.
    code: str
    #: `message`.
    message: str


class QuoteRefused(Exception):
    """A quote or a cart was not made. The transaction is not to be kept."""

    def __init__(self, errors: Sequence[QuoteError]) -> None:
        super().__init__(", ".join(error.message for error in errors))
        #: Why, each for itself.
        self.errors = tuple(errors)


def from_cart(deal: Deal, cart: Row, given: JSON) -> str:
    """Make a quote of a cart's products at the cart's prices; return its id. The cart stays unless it is to go.

    Raises:
        SFError: The body makes no sense, or the cart is being worked out. Nothing was made.
        QuoteRefused: The cart cannot become a quote.
    """
    body = inputs.check(_QUOTE, given, deal.version)
    fields = _fields(deal, body)
    comments, delete = inputs.text(body, "comments"), inputs.flag(body, "deleteCart")
    inputs.text(body, "contextDefinitionName")
    if work_of(deal, cart["Id"]).state is State.PROCESSING:
        raise SFError("ALREADY_IN_PROCESS", "The cart is being recalculated. Try again later.", 422)
    rows = lines.product_lines(deal, cart["Id"])
    book, entries = _priced(deal, cart, rows)
    quote_id = deal.add("Quote", [{**_head(deal, cart, fields), "Pricebook2Id": book, **fields}])[0]
    fresh = [_quote_line(quote_id, row, entries[row["Id"]], n) for n, row in enumerate(rows, 1)]
    made = dict(zip((row["Id"] for row in rows), deal.add("QuoteLineItem", fresh), strict=True))
    bundles.carry(deal, bundles.CART, bundles.QUOTE, made)
    _relate(deal, quote_id, rows, made)
    if comments is not None:
        deal.add("Note", [{"ParentId": quote_id, "Title": "Comments of the buyer", "Body": comments}])
    if delete:
        carts.delete_cart(deal, deal.get("WebCart", cart["Id"]))
    return quote_id


def _fields(deal: Deal, body: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return the fields of the quote that a body gives, each a text there and as rows hold it here."""
    given = body.get("additionalFields")
    if not isinstance(given, Mapping):
        raise bad_input("You must specify a value for the additionalFields parameter.")
    known = deal.org.sobject("Quote")
    values: dict[str, JSON] = {}
    for name, value in given.items():
        field = known.field(name)
        if field is None or not field.createable or field.name in _OWN:
            raise SFError("INVALID_FIELD", f"No such column '{name[:80]}' on sobject of type Quote", 400)
        if value is not None and not isinstance(value, str):
            raise bad_input(f"The value of {name} must be a text.")
        values[field.name] = None if value is None else _value(field, value)
    return values


def _value(field: Field, text: str) -> JSON:
    if field.type is FieldType.BOOLEAN:
        return inputs.flag({field.name: text}, field.name)
    if field.type not in _NUMBERS:
        return text
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or (field.type is FieldType.INT and number != number.to_integral_value()):
        raise bad_input(f"The value of {field.name} must be a number.")
    return int(number) if field.type is FieldType.INT else float(number)


def _priced(deal: Deal, cart: Row, rows: Sequence[Row]) -> tuple[str, dict[str, str]]:
    """Return the price book of a quote and each line's entry in it.

    Raises:
        QuoteRefused: The cart is empty, or holds what cannot be quoted. Documented: an empty cart, promotions, bonus
            products and subscriptions; bundles without Revenue Cloud.
    """
    if not rows:
        raise QuoteRefused([QuoteError("EMPTY_CART", "A cart without products can't become a quote.")])
    errors = [QuoteError("UNSUPPORTED_PROMOTION", f"{one.name} can't be quoted.") for one in applied(deal, cart["Id"])]
    products = deal.by_id("Product2", {row["Product2Id"] for row in rows})
    for row in rows:
        product = products.get(row["Product2Id"], {})
        if row["SubType"] is not None:
            errors.append(QuoteError("UNSUPPORTED_PRODUCT", f"{row['Name']} is a bonus or a gift."))
        elif row["SellingModelType"] not in (None, "OneTime"):
            errors.append(QuoteError("UNSUPPORTED_PRODUCT", f"{row['Name']} is a subscription."))
        elif not deal.policy.revenue_cloud and (product.get("ProductClass") == "Bundle" or row["ParentCartItemId"]):
            errors.append(QuoteError("UNSUPPORTED_PRODUCT", f"{row['Name']} is a bundle or a part of one."))
        elif row["PriceBookEntryId"] is None:
            errors.append(QuoteError("MISSING_PRICE", f"{row['Name']} has no price."))
    if errors:
        raise QuoteRefused(errors)
    return _one_book(deal, rows)


def _one_book(deal: Deal, rows: Sequence[Row]) -> tuple[str, dict[str, str]]:
    """Return a price book that has every product, the one of most lines first, and each line's entry in it.

    Assumed: that a cart with prices of several books becomes a quote in one that has all the products, at the prices
    of the cart.
    """
    own = deal.by_id("PricebookEntry", {row["PriceBookEntryId"] for row in rows})
    books = [own[row["PriceBookEntryId"]]["Pricebook2Id"] for row in rows if row["PriceBookEntryId"] in own]
    for book in sorted(set(books), key=lambda one: (-books.count(one), one)):
        found = deal.rows(
            "PricebookEntry", {"Pricebook2Id": book, "IsActive": 1, "Product2Id": [row["Product2Id"] for row in rows]}
        )
        entries = {entry["Product2Id"]: str(entry["Id"]) for entry in found}
        if all(row["Product2Id"] in entries for row in rows):
            return str(book), {row["Id"]: entries[row["Product2Id"]] for row in rows}
    raise QuoteRefused([QuoteError("MISSING_PRICE", "No price book has prices of all products of the cart.")])


def _head(deal: Deal, cart: Row, fields: Mapping[str, JSON]) -> dict[str, JSON]:
    groups = deal.rows("CartDeliveryGroup", {"CartId": cart["Id"]}, '"IsDefault" DESC, Id')
    contact = deal.find("Contact", deal.buyer.contact_id) or {}
    name = f"Quote for {deal.buyer.account_name}"
    closes = parse_date(str(fields.get("ExpirationDate") or "")) or (deal.org.clock.now() + _OPEN_FOR).date()
    opportunity = {
        "Name": name[:120],
        "AccountId": deal.buyer.account_id,
        "OwnerId": deal.org.admin_id,
        "StageName": _STAGE,
        "CloseDate": closes.isoformat(),
        "Amount": of_row(cart["TotalProductAmount"]),
    }
    return {
        "Name": name[:255],
        "OpportunityId": deal.add("Opportunity", [opportunity])[0],
        "OwnerId": deal.org.admin_id,
        "ContactId": deal.buyer.contact_id,
        "Email": contact.get("Email"),
        "Phone": contact.get("Phone"),
        # Where prices have tax in them it is not added once more.
        "Tax": None if cart["TaxType"] == "Gross" else of_row(cart["TotalTaxAmount"]),
        "ShippingHandling": of_row(cart["TotalChargeAmount"]),
        **{f"Billing{part}": cart[f"Billing{part}"] for part in _ADDRESS},
        **{f"Shipping{part}": groups[0][f"DeliverTo{part}"] for part in _ADDRESS if groups},
        **({"ShippingName": groups[0]["DeliverToName"]} if groups else {}),
    }


def _quote_line(quote_id: str, row: Row, entry_id: str, number: int) -> dict[str, JSON]:
    return {
        "QuoteId": quote_id,
        "PricebookEntryId": entry_id,
        "Product2Id": row["Product2Id"],
        "Quantity": row["Quantity"],
        "UnitPrice": of_row(row["SalesPrice"]),
        "SortOrder": number,
    }


def _relate(deal: Deal, quote_id: str, rows: Sequence[Row], made: Mapping[str, str]) -> None:
    """Say which lines of a quote are parts of others."""
    above = {row["Id"]: row for row in rows}
    relations = []
    for row in rows:
        if row["ParentCartItemId"] not in above:
            continue
        main = above[row["ParentCartItemId"]]
        component = bundles.components_of(deal, main["Product2Id"]).get(row["Product2Id"])
        if component is None:
            raise QuoteRefused([QuoteError("UNSUPPORTED_PRODUCT", f"{row['Name']} is no longer a part of a bundle.")])
        relations.append(
            {
                "QuoteId": quote_id,
                "MainQuoteLineId": made[main["Id"]],
                "AssociatedQuoteLineId": made[row["Id"]],
                "AssociatedQuantScaleMethod": row["QuantityScaleMethod"],
                "AssociatedQuoteLinePricing": row["AssociatedItemPricing"],
                "ProductRelatedComponentId": component["Id"],
                "ProductRelationshipTypeId": component["ProductRelationshipTypeId"],
            }
        )
    if relations:
        deal.add("QuoteLineRelationship", relations)
