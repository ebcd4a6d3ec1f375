"""Coupons on carts, and what promotions take off: rows of Promotion, PromotionTarget and Coupon.

Source: facts/commerce/carts.md sections 3 and 6. Assumed: that shares of a cart's products are taken one after the
other from what the former left; that a coupon is redeemed once a cart with it has become an order; most texts.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from orgbridge.emulator.commerce.amounts import cents
from orgbridge.emulator.commerce.deals import Deal, Row, bad_input, missing, required
from orgbridge.emulator.commerce.money import ZERO, of_row
from orgbridge.emulator.schema.errors import SFError
from orgbridge.kit.json import JSON

_USED = ("PendingClosed", "Closed")
#: Promotions that are looked at: so many with a coupon, so many without. Source: facts/commerce/carts.md section 3.
_LOOKED_AT = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """One promotion that works on a cart."""

    #: Row of Promotion.
    id: str
    #: Name that buyers see.
    name: str
    #: Small print.
    terms: str | None
    #: `Cart`, `Item` or `Delivery`.
    target: str
    #: `PercentageDiscount` or `FixedAmountOffPrice`.
    kind: str
    #: Percent, or an amount.
    value: Decimal
    #: Code of the coupon that brought it; None for one that needs none.
    code: str | None

    @property
    def is_percent(self) -> bool:
        """Tell whether it takes a share."""
        return self.kind == "PercentageDiscount"


def coupons(deal: Deal, cart_id: str) -> list[Row]:
    """Return the coupons of a cart, first come first."""
    return deal.rows("WebCartAdjustmentBasis", {"WebCartId": cart_id})


def applied(deal: Deal, cart_id: str) -> list[Promotion]:
    """Return the promotions that work on a cart: those for everybody, then those of its coupons."""
    codes = {row["AdjustmentBasisDetail"]: str(row["Name"]) for row in coupons(deal, cart_id)}
    automatic = deal.rows("Promotion", {"IsActive": 1, "IsAutomatic": 1}, '"PriorityNumber", Id')[:_LOOKED_AT]
    by_coupon = deal.by_id("Promotion", list(codes))
    chosen = [row for row in automatic if _is_current(deal, row)]
    chosen += [by_coupon[key] for key in codes if key in by_coupon and _is_current(deal, by_coupon[key])]
    found = []
    for row in chosen:
        for target in deal.rows("PromotionTarget", {"PromotionId": row["Id"]}):
            promotion = Promotion(
                id=row["Id"],
                name=str(row["DisplayName"] or row["Name"]),
                terms=row["TermsAndConditions"],
                target=str(target["TargetType"]),
                kind=str(target["AdjustmentType"]),
                value=of_row(target["AdjustmentValue"]),
                code=codes.get(row["Id"]),
            )
            found.append(promotion)
    return found


def _is_current(deal: Deal, row: Row) -> bool:
    begun = row["StartDateTime"] is None or row["StartDateTime"] <= deal.now
    return bool(row.get("IsActive", 1)) and begun and (row["EndDateTime"] is None or deal.now < row["EndDateTime"])


def reductions(deal: Deal, promotions: list[Promotion], products: Decimal) -> list[tuple[Promotion, Decimal]]:
    """Return what each promotion takes off the products of a cart, as amounts of zero or less."""
    left, taken = products, []
    for promotion in promotions:
        if promotion.target == "Delivery" or not left or products < _minimum(deal, promotion.code):
            continue
        amount = cents(left * promotion.value / 100) if promotion.is_percent else promotion.value
        amount = min(amount, left)
        left -= amount
        taken.append((promotion, -amount))
    return taken


def _minimum(deal: Deal, code: str | None) -> Decimal:
    return deal.policy.coupon_minimum.get((code or "").upper(), ZERO)


def off_delivery(promotions: list[Promotion], fee: Decimal) -> tuple[Promotion, Decimal] | None:
    """Return the promotion that lowers a delivery fee, and by what amount of zero or less; None for none."""
    for promotion in promotions:
        if promotion.target == "Delivery":
            amount = cents(fee * promotion.value / 100) if promotion.is_percent else promotion.value
            return promotion, -min(amount, fee)
    return None


def take_coupon(deal: Deal, cart: Row, body: dict[str, JSON]) -> str:
    """Put a coupon on a cart; return its id there.

    Raises:
        SFError: It is unknown, there already, excluded or used up; the cart does not qualify; or it has too many.
            Nothing changed.
    """
    code = required(body, "couponCode").strip()
    coupon = _coupon(deal, code)
    there = coupons(deal, cart["Id"])
    if any(row["Name"] == coupon["CouponCode"] for row in there):
        raise SFError("ALREADY_APPLIED", f"The coupon {coupon['CouponCode']} is already applied to the cart.", 400)
    if len(there) >= deal.policy.cart_coupons:
        raise SFError("LIMIT_EXCEEDED", f"A cart takes {deal.policy.cart_coupons} coupons at most.", 400)
    names = {str(row["Name"]).upper() for row in there}
    if names and (code.upper() in deal.policy.exclusive_coupons or names & deal.policy.exclusive_coupons):
        raise SFError("BLOCKED_EXCLUSIVE", "Another promotion of the cart excludes this coupon.", 400)
    lines = deal.rows("CartItem", {"CartId": cart["Id"], "Type": "Product"})
    if len(lines) > deal.policy.coupon_cart_lines:
        text = f"A cart with a coupon takes {deal.policy.coupon_cart_lines} items at most."
        raise SFError("CART_ITEM_LIMIT_EXCEEDED_FOR_COUPONS", text, 400)
    if sum((of_row(line["TotalPrice"]) for line in lines), ZERO) < _minimum(deal, code):
        raise SFError("UNQUALIFIED_CART", f"The cart does not qualify for the coupon {coupon['CouponCode']}.", 400)
    _check_redemptions(deal, coupon)
    row = {"WebCartId": cart["Id"], "Name": coupon["CouponCode"], "AdjustmentBasisDetail": coupon["PromotionId"]}
    return deal.add("WebCartAdjustmentBasis", [row])[0]


def _coupon(deal: Deal, code: str) -> Row:
    for row in deal.rows("Coupon", {"Status": "Active"}):
        if str(row["CouponCode"]).casefold() == code.casefold():
            promotion = deal.find("Promotion", row["PromotionId"])
            if promotion is not None and _is_current(deal, row) and _is_current(deal, promotion):
                return row
    # Assumed: the code of a coupon that does not exist.
    raise bad_input(f"The coupon code {code[:80]} is not valid.")


def _check_redemptions(deal: Deal, coupon: Row) -> None:
    uses = deal.rows("WebCartAdjustmentBasis", {"Name": coupon["CouponCode"]})
    carts = deal.by_id("WebCart", [row["WebCartId"] for row in uses])
    used = [cart for cart in carts.values() if cart["Status"] in _USED]
    own = [cart for cart in used if cart["AccountId"] == deal.buyer.account_id]
    for limit, count in ((coupon["RedemptionLimitAllBuyers"], used), (coupon["RedemptionLimitPerBuyer"], own)):
        if limit is not None and len(count) >= limit:
            text = f"The coupon {coupon['CouponCode']} was used up."
            raise SFError("COUPON_REDEMPTION_LIMIT_EXCEEDED", text, 400)


def drop_coupon(deal: Deal, cart: Row, coupon_id: str) -> None:
    """Take a coupon off a cart.

    Raises:
        SFError: The cart has no such coupon. Nothing changed.
    """
    row = deal.find("WebCartAdjustmentBasis", coupon_id)
    if row is None or row["WebCartId"] != cart["Id"]:
        raise missing("cart coupon", coupon_id)
    deal.remove([row["Id"]], hard=True)
