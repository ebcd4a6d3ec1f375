"""Why a cart does not come to an order, as a value that the caller of the placement will read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from orgbridge.client.errors import (
    AccessRefused,
    AuthenticationFailed,
    CheckoutConflict,
    ClientError,
    Conflicting,
    NotFound,
    SalesforceError,
)
from orgbridge.engine.faults import fault_of
from orgbridge.kit.errors import OrgbridgeError


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One reason, for machines and for people."""

    #: Stable code, e.g. `order.cart_empty`.
    code: str
    #: One sentence or two: cause and remedy.
    message: str
    #: Places it points at.
    details: tuple[dict[str, Any], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the form that the store keeps."""
        return {"code": self.code, "message": self.message, "details": list(self.details)}


class PlacementRefused(OrgbridgeError):
    """A step of a placement was refused for good. No order came of this step.

    Attributes:
        refusal: Why.
    """

    code = "order.refused"

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


class SessionLost(OrgbridgeError):
    """The checkout session is gone: somebody changed the cart. No order came of it."""

    code = "order.session_lost"


class CalledOff(OrgbridgeError):
    """Somebody called the placement off while it waited. No order came of it."""

    code = "order.called_off"


def refuse(code: str, message: str, *details: dict[str, Any]) -> PlacementRefused:
    """Return a refusal to raise."""
    return PlacementRefused(Refusal(code=code, message=message, details=details))


def refusal_of(error: Exception) -> Refusal:
    """Return the refusal that an error of a call stands for."""
    upstream = tuple(
        {"errorCode": fault.error_code, "message": fault.message}
        for fault in (error.faults if isinstance(error, SalesforceError) else ())
    )
    match error:
        case PlacementRefused():
            return error.refusal
        case CheckoutConflict():
            return Refusal(
                code="commerce.checkout_conflict",
                message="Something else kept changing the cart or its checkout. See what does, then order again.",
                details=upstream,
            )
        case AccessRefused():
            return Refusal(
                code="commerce.not_entitled",
                message=f"Salesforce does not let this buyer do that: {error.sf_message}",
                details=upstream,
            )
        case AuthenticationFailed():
            return Refusal(code="commerce.upstream_auth", message=f"{error.cause} {error.remedy}")
        case NotFound() | Conflicting() | SalesforceError():
            return Refusal(
                code="order.refused",
                message=f"Salesforce refused: {error.sf_message or error.message}",
                details=upstream,
            )
        case ClientError():
            return Refusal(code=error.code, message=error.message)
        case _:
            fault = fault_of(error)
            return Refusal(code=fault.code, message=fault.message, details=fault.details)
