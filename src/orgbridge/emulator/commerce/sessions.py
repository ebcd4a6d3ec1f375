"""Sessions of checkout: one for each cart that is being checked out, and how it ends.

Source: facts/commerce/checkout.md section 2. Assumed: which rows a cancelled checkout leaves.
"""

from __future__ import annotations

from orgbridge.emulator.commerce.deals import Deal, Row

#: Fields of the cart that hold what was given for paying.
_BILLING = ("BillingStreet", "BillingCity", "BillingState", "BillingPostalCode", "BillingCountry")


def live_session(deal: Deal, cart_id: str) -> Row | None:
    """Return the session of a cart's checkout, or None."""
    rows = deal.rows("CartCheckoutSession", {"WebCartId": cart_id, "IsArchived": 0}, "Id DESC")
    return rows[0] if rows else None


def forget_payment(deal: Deal, cart_id: str) -> None:
    """Forget what was given for paying. Documented: DELETE of a checkout wipes the billing address, too."""
    deal.change("WebCart", [{"Id": cart_id, "PoNumber": None, **dict.fromkeys(_BILLING)}])
    deal.connection.execute("DELETE FROM ob_cart_payments WHERE cart_id = ?", (cart_id,))


def cancel(deal: Deal, cart: Row) -> None:
    """End a checkout without an order: the cart can be edited again, and what the checkout brought is gone."""
    session = live_session(deal, cart["Id"])
    if session is not None:
        deal.change("CartCheckoutSession", [{"Id": session["Id"], "IsArchived": True, "IsProcessing": False}])
    groups = deal.rows("CartDeliveryGroup", {"CartId": cart["Id"]})
    if groups:
        deal.change("CartDeliveryGroup", [{"Id": group["Id"], "SelectedDeliveryMethodId": None} for group in groups])
    methods = deal.rows("CartDeliveryGroupMethod", {"WebCartId": cart["Id"]})
    deal.remove([row["Id"] for row in methods], hard=True)
    forget_payment(deal, cart["Id"])
    deal.change("WebCart", [{"Id": cart["Id"], "Status": "Active"}])
