"""What Salesforce's refusals of commerce calls mean to a caller: the one table of the error contract.

Salesforce's 401 and 403 are never the caller's own: a session that Salesforce does not take is our trouble, a right
that the buyer lacks there is told as such, with Salesforce's own words beside it.

    SalesforceRefusal
    +-- UpstreamAuth       commerce.upstream_auth       502   Salesforce does not take the buyer's session or sign-in
    +-- NotEntitled        commerce.not_entitled        403   the buyer may not, at Salesforce
    +-- NotThere           commerce.not_found           404   no such cart, line, product, for this buyer
    +-- CheckoutConflict   commerce.checkout_conflict   409   the cart or checkout changed under the call
    +-- CartLimit          commerce.cart_limit          422   a cap of Salesforce was passed
    +-- RefusedValue       commerce.refused             400   a value that Salesforce does not take
    +-- StillComputing     commerce.processing          503   Salesforce computes for longer than was waited
    +-- UpstreamBusy       commerce.upstream_busy       503   a limit of the org, or Salesforce is away

Source: facts/commerce/needs.md section 4, carts.md section 6.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

from orgbridge.client.errors import (
    AccessRefused,
    AuthenticationFailed,
    CartLimitExceeded,
    ClientError,
    Conflicting,
    InvalidRequest,
    InvalidSession,
    LimitExceeded,
    NotFound,
    RequestLimitExceeded,
    SalesforceError,
    ServerUnavailable,
    SignInLimited,
    SignInUnavailable,
)
from orgbridge.kit.errors import ErrorKind
from orgbridge.services.errors import SalesforceRefusal

#: What Salesforce says when it computes for longer. Source: carts.md section 2.
_UNPROCESSABLE = 422
_LATER_SECONDS = 5.0


class UpstreamAuth(SalesforceRefusal):
    """Salesforce does not let this service act as your Salesforce user: an administrator looks at it."""

    code: ClassVar[str] = "commerce.upstream_auth"
    kind: ClassVar[ErrorKind] = ErrorKind.UPSTREAM


class NotEntitled(SalesforceRefusal):
    """Your Salesforce user may not do this: the store, the account or the product is not open to it."""

    code: ClassVar[str] = "commerce.not_entitled"
    kind: ClassVar[ErrorKind] = ErrorKind.FORBIDDEN


class NotThere(SalesforceRefusal):
    """Salesforce has no such thing, or none that your Salesforce user may see."""

    code: ClassVar[str] = "commerce.not_found"
    kind: ClassVar[ErrorKind] = ErrorKind.MISSING


class CheckoutConflict(SalesforceRefusal):
    """The cart or its checkout changed under the call, or its state does not allow it: read it, then repeat."""

    code: ClassVar[str] = "commerce.checkout_conflict"
    kind: ClassVar[ErrorKind] = ErrorKind.CONFLICT
    retryable: ClassVar[bool] = True


class CartLimit(SalesforceRefusal):
    """A cap of Salesforce on carts, lists or coupons was passed; nothing was changed by this call."""

    code: ClassVar[str] = "commerce.cart_limit"
    kind: ClassVar[ErrorKind] = ErrorKind.CONTRADICTION


class RefusedValue(SalesforceRefusal):
    """Salesforce does not take a value of the request; nothing was changed."""

    code: ClassVar[str] = "commerce.refused"
    kind: ClassVar[ErrorKind] = ErrorKind.INVALID


class StillComputing(SalesforceRefusal):
    """Salesforce still computes the cart: ask again."""

    code: ClassVar[str] = "commerce.processing"
    kind: ClassVar[ErrorKind] = ErrorKind.UNAVAILABLE
    retryable: ClassVar[bool] = True


class UpstreamBusy(SalesforceRefusal):
    """Salesforce takes no more calls for now."""

    code: ClassVar[str] = "commerce.upstream_busy"
    kind: ClassVar[ErrorKind] = ErrorKind.UNAVAILABLE
    retryable: ClassVar[bool] = True


def refusal_of(error: ClientError) -> SalesforceRefusal | None:
    """Return what a failure of a commerce call means; None for one that speaks for itself, e.g. a lost connection."""
    kind = _kind(error)
    if kind is None:
        return None
    words = error.sf_message.rstrip(".") if isinstance(error, SalesforceError) else ""
    own = (kind.__doc__ or "").split("\n", 1)[0]
    refusal = kind(error, f"{own} Salesforce says: {words}." if words else own)
    if kind in (StillComputing, UpstreamBusy):
        told = error.retry_after if isinstance(error, SalesforceError) else None
        refusal.retry_after_seconds = told if told is not None else error.retry_after_seconds or _LATER_SECONDS
    return refusal


@contextmanager
def refusals_told() -> Iterator[None]:
    """Tell failures of the commerce calls inside by the error contract.

    Raises:
        SalesforceRefusal: In place of the client's error that it is the meaning of.
    """
    try:
        yield
    except ClientError as error:
        refusal = refusal_of(error)
        if refusal is None:
            raise
        raise refusal from error


def _kind(error: ClientError) -> type[SalesforceRefusal] | None:
    match error:
        case SignInLimited() | SignInUnavailable():
            return UpstreamBusy
        case AuthenticationFailed() | InvalidSession():
            return UpstreamAuth
        case RequestLimitExceeded() | ServerUnavailable():
            return UpstreamBusy
        case AccessRefused():
            return NotEntitled
        case CartLimitExceeded() | LimitExceeded():
            return CartLimit
        case NotFound():
            return NotThere
        case Conflicting():
            return CheckoutConflict
        case SalesforceError() if error.status == _UNPROCESSABLE:
            return StillComputing
        case InvalidRequest():
            return RefusedValue
        case _:
            return None
