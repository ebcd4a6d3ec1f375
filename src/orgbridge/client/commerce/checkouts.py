"""Checkout sessions of one buyer in one webstore (v55).

Every change is answered before it is computed: at least one `find` is due before the next change. Salesforce knows no
idempotency key: `place` is sent once, and whoever does not get its reply looks for the order.

Source: facts/commerce/checkout.md sections 1 to 6.
"""

from __future__ import annotations

from collections.abc import Mapping

from orgbridge.client.commerce.checkout_values import (
    Checkout,
    CheckoutFault,
    PaymentKind,
    PlacedCheckout,
    address_input,
    parse_checkout,
    parse_checkout_faults,
    parse_placed,
)
from orgbridge.client.commerce.resources import ACCEPTED, UNPROCESSABLE, Asked, StoreResource, retry_after_of
from orgbridge.client.errors import NotFound, SalesforceError
from orgbridge.client.replies import parse_object
from orgbridge.client.transport.requests import Guard, segment
from orgbridge.kit.json import JSON

ACTIVE = "active"
#: Since when a session is made sure of by PUT, and a payment may be given again.
_PUT_VERSION, _REPAY_VERSION = 57, 63


class Checkouts(StoreResource):
    """Checkout sessions."""

    @property
    def may_pay_again(self) -> bool:
        """Whether a payment given a second time replaces the first (v63)."""
        return self.version >= _REPAY_VERSION

    async def start(self, cart_id: str) -> Checkout:
        """Make sure that a cart has a session, with the buyer's default address where there is one.

        Before v57 a session that is there is refused as a conflict: look first.

        Raises:
            ConnectionFailed: With `sent` true there may be a session: look.
            SalesforceError: The cart cannot be checked out, or something changes it at this moment (409).
        """
        body: dict[str, JSON] = {"cartId": cart_id}
        if self.version >= 61:
            body["deliveryAddressInput"] = {"shouldUseDefaultAddress": True}
        put = self.version >= _PUT_VERSION
        reply = await self.send("PUT" if put else "POST", "checkouts", body, repeatable=put)
        return parse_checkout(parse_object(reply.body, "a checkout"), accepted=reply.status == ACCEPTED)

    async def find(self, checkout_id: str = ACTIVE) -> Asked[Checkout]:
        """Return a session, whether Salesforce still computes on it or not; a value of None when there is none.

        A session whose computation failed is answered 422: it is returned as errored.

        Raises:
            ClientError: Salesforce refused, or could not be reached.
        """
        try:
            reply = await self.ask(f"checkouts/{segment(checkout_id)}")
        except NotFound:
            return Asked(value=None, pending=False)
        except SalesforceError as error:
            if error.status != UNPROCESSABLE:
                raise
            faults = tuple(
                CheckoutFault(type=fault.error_code.rpartition("/")[2], message=fault.message or fault.error_code)
                for fault in error.faults
            )
            return Asked(value=_errored(checkout_id, faults), pending=False)
        found = parse_checkout(parse_object(reply.body, "a checkout"), accepted=reply.status == ACCEPTED)
        return Asked(value=found, pending=found.processing, retry_after=retry_after_of(reply))

    async def deliver_to(
        self,
        checkout_id: str,
        address: Mapping[str, JSON] | None,
        *,
        desired_date: str | None = None,
        instructions: str | None = None,
    ) -> None:
        """Give a session its delivery address, or a wished date and instructions, or any of these together.

        Raises:
            ConnectionFailed: With `sent` true it may have been taken; it may be given again.
            SalesforceError: The address is refused, or something changes the session at this moment (409).
        """
        body: dict[str, JSON] = {}
        if address is not None:
            body["deliveryAddress"] = address_input(address)
        if desired_date is not None:
            body["desiredDeliveryDate"] = desired_date
        if instructions is not None:
            body["shippingInstructions"] = instructions
        await self._patch(checkout_id, body)

    async def contact(self, checkout_id: str, contact: Mapping[str, JSON]) -> None:
        """Give a session whom to ask.

        Raises:
            The same as `deliver_to`.
        """
        await self._patch(checkout_id, {"contactInfo": dict(contact)})

    async def choose(self, checkout_id: str, method_id: str) -> None:
        """Choose the way of delivery. It clears a payment that was given before.

        Raises:
            The same as `deliver_to`.
        """
        await self._patch(checkout_id, {"deliveryMethodId": method_id})

    async def pay(
        self,
        checkout_id: str,
        kind: PaymentKind,
        token: str,
        *,
        billing: Mapping[str, JSON] | None = None,
        data: Mapping[str, JSON] | None = None,
    ) -> tuple[CheckoutFault, ...]:
        """Give a session its payment, and return what is wrong with it; nothing when it was taken.

        A purchase order's number may be given again at any version, a reference of a gateway from v63 on.

        Raises:
            ConnectionFailed: With `sent` true it may have been taken.
            SalesforceError: It was refused.
        """
        body: dict[str, JSON] = {"requestType": kind.value, "paymentToken": token}
        if billing is not None:
            body["billingAddress"] = address_input(billing)
        if data and kind is PaymentKind.POST_AUTH:
            body["paymentsData"] = dict(data)
        repeatable = kind is PaymentKind.PURCHASE_ORDER or self.may_pay_again
        path = f"checkouts/{segment(checkout_id)}/payments"
        told = await self.change("POST", path, body, repeatable=repeatable)
        faults = parse_checkout_faults(told)
        result = str(told.get("salesforceResultCode") or "Success")
        if not faults and result != "Success":
            faults = (CheckoutFault(type="payment-failure", message=f"The payment ended as {result}."),)
        return faults

    async def place(
        self, checkout_id: str, *, seconds: float | None = None, guard: Guard | None = None
    ) -> PlacedCheckout:
        """Make the order. Sent once, and again only when nothing of the first sending got out.

        Args:
            checkout_id: The session.
            seconds: For one exchange; None as usual.
            guard: Asked right before each sending.

        Raises:
            ConnectionFailed: With `sent` true the order may be there: look for it.
            SalesforceError: With `outcome_unknown` the order may be there; else it is not.
        """
        path = f"checkouts/{segment(checkout_id)}/orders"
        return parse_placed(await self.change("POST", path, seconds=seconds, guard=guard))

    async def end(self, checkout_id: str = ACTIVE) -> None:
        """End a session without an order, which gives the cart back; one that is gone is ended.

        Raises:
            ClientError: Salesforce refused, or could not be reached.
        """
        try:
            await self.send("DELETE", f"checkouts/{segment(checkout_id)}", repeatable=True)
        except NotFound:
            return

    async def _patch(self, checkout_id: str, body: dict[str, JSON]) -> None:
        await self.send("PATCH", f"checkouts/{segment(checkout_id)}", body, repeatable=True)


def _errored(checkout_id: str, faults: tuple[CheckoutFault, ...]) -> Checkout:
    return Checkout(
        checkout_id=None if checkout_id == ACTIVE else checkout_id,
        processing=False,
        errored=True,
        faults=faults,
        reference=None,
        address={},
        chosen_method=None,
        methods=(),
        grand_total=None,
    )
