"""What is refused about purchase orders.

ServiceError
+-- PurchaseOrderNotFound     purchase_orders.not_found
+-- PurchaseOrderMoved        purchase_orders.conflict
+-- PurchaseOrderStale        purchase_orders.stale
+-- OwnPurchaseOrder          purchase_orders.own
+-- NotTheRequester           purchase_orders.not_requester
+-- NotAnApprover             purchase_orders.not_approver
+-- AmountBeyondLimit         purchase_orders.amount_limit
+-- NoApprover                purchase_orders.no_approver
+-- OrderChanged              purchase_orders.order_changed
+-- OrderUnderWay             purchase_orders.ordering
+-- OrderingUnavailable       purchase_orders.ordering_unavailable
+-- CartUnavailable           purchase_orders.cart_unavailable
+-- CartPending               purchase_orders.cart_pending
+-- CartUnpriced              purchase_orders.cart_unpriced
+-- LinkInvalid               purchase_orders.link_invalid
+-- LinkNotYours              purchase_orders.link_not_yours
+-- NotInOrg                  purchase_orders.not_in_org
+-- DocumentMissing           purchase_orders.document_missing
+-- DocumentRefused           purchase_orders.document_refused
+-- DocumentTooLarge          purchase_orders.document_too_large
+-- DocumentBusy              purchase_orders.document_busy
+-- DocumentBroken            purchase_orders.document_broken

Organizations are refused as everywhere in commerce: `OrganizationUnknown` and `NotGranted` of `errors`.
"""

from __future__ import annotations

from typing import Any, ClassVar

from orgbridge.kit.errors import ErrorKind
from orgbridge.services.errors import ServiceError
from orgbridge.store.purchase_order_states import PurchaseState, PurchaseStep, steps_from


class PurchaseOrderNotFound(ServiceError):
    """There is no such purchase order."""

    code: ClassVar[str] = "purchase_orders.not_found"
    kind: ClassVar[ErrorKind] = ErrorKind.MISSING


class PurchaseOrderMoved(ServiceError):
    """The purchase order is not in a state for this, or somebody else acted at the same moment."""

    code: ClassVar[str] = "purchase_orders.conflict"
    kind: ClassVar[ErrorKind] = ErrorKind.CONFLICT

    def __init__(self, state: PurchaseState, version: int, step: PurchaseStep) -> None:
        self.state = state
        possible = ", ".join(one.value for one in steps_from(state)) or "nothing more"
        super().__init__(
            f"The purchase order is {state.value} in version {version}: {step.value} is not possible now; "
            f"from here there is {possible}. Nothing was changed.",
            details=[{"state": state.value, "version": version}],
        )


class PurchaseOrderStale(ServiceError):
    """The purchase order was changed since it was read: read it again. Nothing was changed."""

    code: ClassVar[str] = "purchase_orders.stale"
    kind: ClassVar[ErrorKind] = ErrorKind.STALE


class OwnPurchaseOrder(ServiceError):
    """Nobody decides about their own purchase order: another approver has to."""

    code: ClassVar[str] = "purchase_orders.own"
    kind: ClassVar[ErrorKind] = ErrorKind.FORBIDDEN


class NotTheRequester(ServiceError):
    """Only whoever asked for the purchase order may do this."""

    code: ClassVar[str] = "purchase_orders.not_requester"
    kind: ClassVar[ErrorKind] = ErrorKind.FORBIDDEN


class NotAnApprover(ServiceError):
    """You are not among the approvers of this organization: an administrator can name you in its rules."""

    code: ClassVar[str] = "purchase_orders.not_approver"
    kind: ClassVar[ErrorKind] = ErrorKind.FORBIDDEN


class AmountBeyondLimit(ServiceError):
    """The amount is beyond what your roles may approve."""

    code: ClassVar[str] = "purchase_orders.amount_limit"
    kind: ClassVar[ErrorKind] = ErrorKind.FORBIDDEN

    def __init__(self, total: str, limit: str, currency: str) -> None:
        super().__init__(
            f"The purchase order is over {total} {currency}, and your roles approve up to {limit} {currency}: "
            "an approver with a higher limit has to decide.",
            details=[{"total": total, "limit": limit, "currency": currency}],
        )


class NoApprover(ServiceError):
    """Nobody may approve this purchase order. Nothing was changed."""

    code: ClassVar[str] = "purchase_orders.no_approver"
    kind: ClassVar[ErrorKind] = ErrorKind.CONFLICT


class OrderChanged(ServiceError):
    """Prices, stock or products are not as they were approved: nothing was ordered, the approval stands."""

    code: ClassVar[str] = "purchase_orders.order_changed"
    kind: ClassVar[ErrorKind] = ErrorKind.CONFLICT

    def __init__(self, findings: list[dict[str, Any]]) -> None:
        super().__init__(details=findings)


class OrderUnderWay(ServiceError):
    """An order is being made of this purchase order at this moment: ask again in a few seconds."""

    code: ClassVar[str] = "purchase_orders.ordering"
    kind: ClassVar[ErrorKind] = ErrorKind.CONFLICT
    retryable: ClassVar[bool] = True

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.retry_after_seconds = seconds


class OrderingUnavailable(ServiceError):
    """This service is not set up to place orders. Nothing was changed."""

    code: ClassVar[str] = "purchase_orders.ordering_unavailable"
    kind: ClassVar[ErrorKind] = ErrorKind.UNAVAILABLE


class CartUnavailable(ServiceError):
    """This service is not set up to read carts: give the lines."""

    code: ClassVar[str] = "purchase_orders.cart_unavailable"
    kind: ClassVar[ErrorKind] = ErrorKind.UNAVAILABLE


class CartPending(ServiceError):
    """Salesforce still computes the cart, so that its prices do not count yet: ask again."""

    code: ClassVar[str] = "purchase_orders.cart_pending"
    kind: ClassVar[ErrorKind] = ErrorKind.UNAVAILABLE
    retryable: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        self.retry_after_seconds = 2.0


class CartUnpriced(ServiceError):
    """A line of the cart has no price that you may see, so that nobody could approve it: give the lines."""

    code: ClassVar[str] = "purchase_orders.cart_unpriced"
    kind: ClassVar[ErrorKind] = ErrorKind.CONTRADICTION


class LinkInvalid(ServiceError):
    """The link is unknown, was used, or its time is over: sign in and decide there."""

    code: ClassVar[str] = "purchase_orders.link_invalid"
    kind: ClassVar[ErrorKind] = ErrorKind.MISSING


class LinkNotYours(ServiceError):
    """The link was made for another approver than the one who is signed in."""

    code: ClassVar[str] = "purchase_orders.link_not_yours"
    kind: ClassVar[ErrorKind] = ErrorKind.FORBIDDEN


class NotInOrg(ServiceError):
    """The Salesforce org cannot hold purchase orders."""

    code: ClassVar[str] = "purchase_orders.not_in_org"
    kind: ClassVar[ErrorKind] = ErrorKind.CONFLICT


class DocumentMissing(ServiceError):
    """The purchase order has no document."""

    code: ClassVar[str] = "purchase_orders.document_missing"
    kind: ClassVar[ErrorKind] = ErrorKind.MISSING


class DocumentRefused(ServiceError):
    """The file is no PDF. Nothing was kept."""

    code: ClassVar[str] = "purchase_orders.document_refused"
    kind: ClassVar[ErrorKind] = ErrorKind.INVALID


class DocumentTooLarge(ServiceError):
    """The file is too large. Nothing was kept."""

    code: ClassVar[str] = "purchase_orders.document_too_large"
    kind: ClassVar[ErrorKind] = ErrorKind.TOO_LARGE

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"A document may have {limit_bytes} bytes. Nothing was kept.")


class DocumentBusy(ServiceError):
    """The same file is being sent to Salesforce at this moment: ask again in a few seconds."""

    code: ClassVar[str] = "purchase_orders.document_busy"
    kind: ClassVar[ErrorKind] = ErrorKind.CONFLICT
    retryable: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        self.retry_after_seconds = 5.0


class DocumentBroken(ServiceError):
    """Salesforce holds another file than the one that was uploaded here: somebody replaced it there."""

    code: ClassVar[str] = "purchase_orders.document_broken"
    kind: ClassVar[ErrorKind] = ErrorKind.UPSTREAM
