"""Carts: which one is meant, making and deleting them, and when they may be changed.

Source: facts/commerce/carts.md sections 1 to 3. Assumed: that a new primary cart demotes the earlier one, as it is
documented for `preserve`; that changes said of `active` go to the buyer's primary cart whatever its status.
"""

from __future__ import annotations

from collections.abc import Mapping

from orgbridge.emulator.commerce import inputs, quotedlines, sessions, settling
from orgbridge.emulator.commerce.calculation import calculate
from orgbridge.emulator.commerce.deals import Deal, Row, bad_input, missing
from orgbridge.emulator.commerce.settling import Stage, State, Work
from orgbridge.emulator.schema.errors import SFError
from orgbridge.kit.json import JSON
from orgbridge.wire.ids import to_18

#: Statuses of a cart that its buyer goes on with.
OPEN = ("Active", "Processing", "Checkout")
_TYPES = {"cart": "Cart", "template": "Template", "paynowreadonly": "PayNowReadOnly", "readonly": "ReadOnly"}
#: First version with `current`, and the first that shows an empty cart where there is none.
_CURRENT, _EMPTY = 50, 63
#: Rows below a cart that go with it, beside what the platform deletes along with it.
_BELOW = ("CartTax", "CartItemPriceAdjustment", "WebCartAdjustmentGroup", "WebCartAdjustmentBasis")
_OF_CART = ("CartDeliveryGroupMethod", "CartCheckoutSession")


def primary(deal: Deal, statuses: tuple[str, ...]) -> Row | None:
    """Return the buyer's newest primary cart in one of these statuses, or None."""
    where = {
        "WebStoreId": deal.buyer.store.id,
        "AccountId": deal.buyer.account_id,
        "OwnerId": deal.buyer.user_id,
        "Status": statuses,
        "IsSecondary": 0,
    }
    found = [row for row in deal.rows("WebCart", where, "Id DESC") if row["Type"] in ("Cart", None)]
    return found[0] if found else None


def find(deal: Deal, key: str) -> Row | None:
    """Return the cart that `active`, `current` or an id names; None for a word that names none now.

    Raises:
        SFError: The id is none, or names no cart of this buyer.
    """
    match key.lower():
        case "active":
            return primary(deal, ("Active", "Processing"))
        case "current" if deal.version >= _CURRENT:
            return primary(deal, (*OPEN, "PendingClosed"))
    found = to_18(key)
    if found is None or not found.startswith("0a6"):
        raise SFError("INVALID_ID_FIELD", f"The cart state or ID {key[:80]} isn't valid.", 400)
    row = deal.find("WebCart", found)
    if row is None or not _is_own(deal, row):
        raise missing("cart", key)
    return row


def _is_own(deal: Deal, cart: Row) -> bool:
    """Tell whether a cart is this buyer's, in this store and for this account. Assumed: others see it as missing."""
    buyer = deal.buyer
    same = cart["WebStoreId"] == buyer.store.id and cart["AccountId"] == buyer.account_id
    return bool(same and cart["OwnerId"] == buyer.user_id)


def to_read(deal: Deal, key: str) -> Row | None:
    """Return the cart to be shown; None where the version shows an empty one.

    Raises:
        SFError: There is none.
    """
    row = find(deal, key)
    if row is None and not (key.lower() == "current" and deal.version >= _EMPTY):
        raise deal.policy.no_active_cart.error("There is no active cart.")
    return row


def to_change(deal: Deal, key: str, *, create: bool = False) -> Row:
    """Return the cart to be changed, which can be edited now; a checkout of it is cancelled.

    Args:
        deal: The business.
        key: `active`, `current` or an id.
        create: Whether a cart is made where a word names none.

    Raises:
        SFError: There is none, or it cannot be changed. Nothing was changed.
    """
    row = find(deal, key) or primary(deal, OPEN)
    if row is None:
        if not create:
            raise deal.policy.no_active_cart.error("There is no active cart.")
        return deal.get("WebCart", create_cart(deal, {}))
    check_editable(deal, row)
    if row["Status"] == "Checkout" and not deal.policy.cart_cleanup:
        sessions.cancel(deal, row)
    return deal.get("WebCart", row["Id"])


def check_editable(deal: Deal, cart: Row) -> None:
    """Refuse the change of a cart that is not to be changed.

    Raises:
        SFError: As the org's settings say.
    """
    if cart["Status"] not in ("Active", "Checkout") or cart["Type"] in ("PayNowReadOnly", "ReadOnly"):
        raise deal.policy.closed_cart.error(f"The cart can't be changed. Its status is {cart['Status']}.")


def create_cart(deal: Deal, body: Mapping[str, JSON]) -> str:
    """Make a cart for the buyer and return its id.

    Raises:
        SFError: A value of the body makes no sense. Nothing was made.
    """
    body = inputs.check(inputs.CART, body, deal.version)
    check_currency(deal, inputs.text(body, "currencyIsoCode"))
    kind = _TYPES.get((inputs.text(body, "typeAsString") or inputs.text(body, "type") or "Cart").lower())
    if kind is None:
        raise bad_input(f"The cart type {body.get('type')} isn't valid.")
    secondary = inputs.flag(body, "isSecondary") or kind != "Cart"
    if not secondary:
        demote(deal)
    row: dict[str, JSON] = {
        "Name": inputs.text(body, "name") or "Cart",
        "WebStoreId": deal.buyer.store.id,
        "AccountId": deal.buyer.account_id,
        "OwnerId": deal.buyer.user_id,
        "Status": "Active",
        "Type": kind,
        "IsSecondary": secondary,
        "TaxLocaleType": deal.buyer.store.tax_type,
        **dict.fromkeys(("TotalAmount", "TotalTaxAmount", "GrandTotalAmount", "TotalAmountAfterAllAdjustments"), 0),
        **inputs.custom_fields(deal, "WebCart", body),
    }
    return deal.add("WebCart", [row])[0]


def check_currency(deal: Deal, code: str | None) -> None:
    """Refuse a currency other than the cart's. A cart has one currency, here that of its store.

    Raises:
        SFError: INVALID_API_INPUT.
    """
    if code and code.upper() != deal.buyer.store.currency:
        raise bad_input(f"The currency {code[:10]} isn't supported in this web store.")


def demote(deal: Deal) -> None:
    """Make the buyer's primary carts secondary ones."""
    while (row := primary(deal, OPEN)) is not None:
        deal.change("WebCart", [{"Id": row["Id"], "IsSecondary": True}])


def make_primary(deal: Deal, cart: Row) -> None:
    """Make a cart the buyer's primary one.

    Raises:
        SFError: It cannot be changed. Nothing was changed.
    """
    check_editable(deal, cart)
    demote(deal)
    deal.change("WebCart", [{"Id": cart["Id"], "IsSecondary": False}])


def delete_cart(deal: Deal, cart: Row) -> None:
    """Delete a cart with everything below it.

    Raises:
        SFError: It is not to be deleted. Nothing was deleted.
    """
    if cart["Status"] in ("PendingClosed", "Closed", "PendingDelete"):
        raise deal.policy.closed_cart.error(f"The cart can't be deleted. Its status is {cart['Status']}.")
    groups = deal.rows("CartDeliveryGroup", {"CartId": cart["Id"]})
    if groups:
        deal.change("CartDeliveryGroup", [{"Id": group["Id"], "SelectedDeliveryMethodId": None} for group in groups])
    for sobject in (*_BELOW, "CartValidationOutput", "CartItem"):
        name = "WebCartId" if sobject == "WebCartAdjustmentBasis" else "CartId"
        ids = [row["Id"] for row in deal.rows(sobject, {name: cart["Id"]})]
        deal.remove(ids, hard=True)
        if sobject == "CartItem":
            quotedlines.forget(deal, ids)
    for sobject in _OF_CART:
        deal.remove([row["Id"] for row in deal.rows(sobject, {"WebCartId": cart["Id"]})], hard=True)
    deal.remove([group["Id"] for group in groups], hard=True)
    sessions.forget_payment(deal, cart["Id"])
    settling.forget(deal, cart["Id"])
    deal.remove([cart["Id"]])


def is_async(deal: Deal) -> bool:
    """Tell whether the store answers before prices are known ("faster add-to-cart")."""
    return "OptionsCartAsyncProcessingEnabled" in deal.buyer.store.options


def recalculate(deal: Deal, cart_id: str) -> None:
    """Let a cart be worked out anew after a change: now, or in the background where the store does so."""
    if settling.begin(deal, cart_id, Stage.CART, at_once=not is_async(deal)):
        calculate(deal, cart_id)
    work = settling.work_of(deal, cart_id)
    if work.state is State.ERRORED:
        note_failure(deal, cart_id)
    elif work.state is State.PROCESSING and deal.policy.processing_locks:
        deal.change("WebCart", [{"Id": cart_id, "Status": "Processing"}])


def settle(deal: Deal, cart: Row) -> tuple[Row, Work]:
    """Ask after the computation of a cart, which brings it nearer to its end; return the cart and where it stands."""
    before = settling.work_of(deal, cart["Id"])
    if before.stage is Stage.CHECKOUT:
        return cart, before  # Whoever asks after the checkout brings that nearer to its end.
    work, done = settling.ask(deal, cart["Id"])
    if work.stage is Stage.ORDER and done and cart["Status"] == "PendingClosed":
        deal.change("WebCart", [{"Id": cart["Id"], "Status": "Closed"}])
    elif done:
        calculate(deal, cart["Id"])
    elif work.state is State.ERRORED and before.state is State.PROCESSING:
        note_failure(deal, cart["Id"])
    if work.state is not State.PROCESSING and cart["Status"] == "Processing":
        deal.change("WebCart", [{"Id": cart["Id"], "Status": "Active"}])
    return deal.get("WebCart", cart["Id"]), work


def note_failure(deal: Deal, cart_id: str) -> None:
    """Note on a cart that an integration failed."""
    row = {
        "CartId": cart_id,
        "Name": "System error",
        "Level": "Error",
        "Type": "SystemError",
        "Message": "An integration failed. Try again.",
        "RelatedEntityId": cart_id,
    }
    deal.add("CartValidationOutput", [row])
