"""Carts from quotes: a quote's lines go into the buyer's cart, at the prices that were agreed or at the store's.

Source: the Apex reference of `ConnectApi.CommerceCart`: `createCartFromQuote` (67) with `CartFromQuoteInput`: which
statuses a quote must have, that nothing is done in part, that a quote is ordered once, and that products of the quote
must not be in the cart. Assumed: codes and texts of `errors`; that a quote past its day is not converted; that a quote
is of an account and not of a store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orgbridge.emulator.commerce import bundles, carts, inputs, lines, quotedlines
from orgbridge.emulator.commerce.deals import Deal, Row, bad_input, missing, required
from orgbridge.emulator.commerce.money import of_row
from orgbridge.emulator.commerce.offers import entitled
from orgbridge.emulator.commerce.quotes import QuoteError, QuoteRefused
from orgbridge.emulator.commerce.versions import Shape
from orgbridge.emulator.schema.errors import SFError
from orgbridge.kit.json import JSON

_CART: Shape = {"operationType": 67}
_AGREED = ("Approved", "Accepted")


def find(deal: Deal, quote_id: str) -> Row:
    """Return a quote of the account.

    Raises:
        SFError: There is none.
    """
    row = deal.find("Quote", quote_id)
    if row is None or row["AccountId"] != deal.buyer.account_id:
        raise missing("quote", quote_id[:40])
    return row


def to_cart(deal: Deal, quote: Row, given: JSON) -> str:
    """Put the products of a quote into the buyer's cart, which is made if there is none; return the cart's id.

    Raises:
        SFError: The body makes no sense, or the cart cannot be changed. Nothing was changed.
        QuoteRefused: The quote cannot be bought, or not by this buyer, or not beside what is in the cart.
    """
    operation = required(inputs.check(_CART, given, deal.version), "operationType")
    if operation not in ("CONVERT_TO_CART", "DUPLICATE_TO_CART"):
        raise bad_input(f"The operationType {operation[:40]} isn't valid.")
    converts = operation == "CONVERT_TO_CART"
    _check_status(deal, quote, converts=converts)
    cart = carts.to_change(deal, "current", create=True)
    rows = deal.rows("QuoteLineItem", {"QuoteId": quote["Id"]}, '"SortOrder", Id')
    if not rows:
        raise QuoteRefused([QuoteError("EMPTY_QUOTE", "The quote has no products.")])
    products = deal.by_id("Product2", {row["Product2Id"] for row in rows})
    there = {line["Product2Id"] for line in lines.product_lines(deal, cart["Id"])}
    twice = [str(row["Product2Id"]) for row in rows if row["Product2Id"] in there]
    if twice:
        raise QuoteRefused(
            [QuoteError("MATCHING_PRODUCT", f"{products[one]['Name']} is in the cart.") for one in twice]
        )
    made = _add(deal, cart, rows, products)
    if converts:
        for row in rows:
            quotedlines.note(deal, made[row["Id"]], quotedlines.agreed(row))
    bundles.carry(deal, bundles.QUOTE, bundles.CART, made)
    lines.finish(deal, cart["Id"])
    return str(cart["Id"])


def _add(deal: Deal, cart: Row, rows: Sequence[Row], products: Mapping[str, Row]) -> dict[str, str]:
    """Add the lines of a quote to a cart, parts below what they are parts of; return the lines' ids by quote line."""
    relations = {
        str(one["AssociatedQuoteLineId"]): one
        for one in deal.rows("QuoteLineRelationship", {"MainQuoteLineId": [row["Id"] for row in rows]})
    }
    made: dict[str, str] = {}
    errors: list[QuoteError] = []
    for row in sorted(rows, key=lambda one: one["Id"] in relations):
        product = products.get(row["Product2Id"], {})
        try:
            if row["Id"] in relations:
                made[row["Id"]] = _add_part(deal, made, row, relations[row["Id"]], product)
            else:
                given = {"productId": row["Product2Id"], "quantity": f"{of_row(row['Quantity']):f}", "type": "Product"}
                made[row["Id"]] = lines.add_line(deal, cart, given, merge=False)
        except SFError as error:
            errors.append(QuoteError(error.code, f"{product.get('Name')}: {error.message}"))
    if errors:
        raise QuoteRefused(errors)
    return made


def _add_part(deal: Deal, made: Mapping[str, str], row: Row, relation: Row, product: Row) -> str:
    main = deal.find("CartItem", made.get(relation["MainQuoteLineId"]))
    if main is None or row["Product2Id"] not in entitled(deal, [row["Product2Id"]]):
        raise deal.policy.not_entitled.error("You don't have access to this product.")
    component = {
        "QuantityScaleMethod": relation["AssociatedQuantScaleMethod"],
        "DoesBundlePriceIncludeChild": relation["AssociatedQuoteLinePricing"] == bundles.INCLUDED,
    }
    parts = (main["ChildProductCount"] or 0) + 1
    deal.change("CartItem", [{"Id": main["Id"], "ProductClass": "Bundle", "ChildProductCount": parts}])
    return deal.add("CartItem", [bundles.part(main, product, component, of_row(row["Quantity"]))])[0]


def _check_status(deal: Deal, quote: Row, *, converts: bool) -> None:
    status, agreed = quote["Status"], quote["Status"] in _AGREED
    if converts and not agreed:
        raise QuoteRefused([QuoteError("INVALID_QUOTE_STATUS", f"A quote that is {status} can't be converted.")])
    if not converts and agreed:
        raise QuoteRefused([QuoteError("INVALID_QUOTE_STATUS", f"A quote that is {status} can't be duplicated.")])
    if not converts:
        return
    if deal.rows("Order", {"QuoteId": quote["Id"]}):
        raise QuoteRefused([QuoteError("QUOTE_ALREADY_ORDERED", "An order was placed for the quote.")])
    if quotedlines.carts_of(deal, quote["Id"]):
        raise QuoteRefused([QuoteError("QUOTE_ALREADY_CONVERTED", "A cart has the products of the quote.")])
    if quote["ExpirationDate"] and quote["ExpirationDate"] < deal.now[:10]:
        raise QuoteRefused([QuoteError("QUOTE_EXPIRED", f"The quote was good until {quote['ExpirationDate']}.")])
