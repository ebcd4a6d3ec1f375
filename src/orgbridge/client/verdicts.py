"""What a reply or a broken connection means: which error stands for it, and whether a call may be made again."""

from __future__ import annotations

from collections.abc import Mapping

import aiohttp

from orgbridge.client.errors import (
    AccessRefused,
    AmbiguousKey,
    CartLimitExceeded,
    CheckoutConflict,
    ClientError,
    ConcurrencyExceeded,
    Conflicting,
    ConnectionFailed,
    DuplicateValue,
    InvalidRequest,
    InvalidSession,
    JobStateError,
    LimitExceeded,
    MalformedQuery,
    MalformedReply,
    NotFound,
    PreconditionFailed,
    RecordDeleted,
    ReplyTooLarge,
    RequestLimitExceeded,
    RowLocked,
    SalesforceError,
    SalesforceFault,
    ServerFault,
    ServerUnavailable,
    TimedOut,
    UnknownWebstore,
)
from orgbridge.wire.errorcodes import Retry, retry_of

_BY_CODE: Mapping[str, type[SalesforceError]] = {
    "INVALID_SESSION_ID": InvalidSession,
    "INVALID_AUTH_HEADER": InvalidSession,
    "REQUEST_LIMIT_EXCEEDED": RequestLimitExceeded,
    "LIMIT_EXCEEDED": LimitExceeded,
    "EXCEEDEDQUOTA": LimitExceeded,
    "STORAGE_LIMIT_EXCEEDED": LimitExceeded,
    "NOT_FOUND": NotFound,
    "ENTITY_IS_DELETED": RecordDeleted,
    "DUPLICATE_VALUE": DuplicateValue,
    "DUPLICATE_EXTERNAL_ID": DuplicateValue,
    "DUPLICATES_DETECTED": DuplicateValue,
    "UNABLE_TO_LOCK_ROW": RowLocked,
    "INVALIDJOBSTATE": JobStateError,
    "MALFORMED_QUERY": MalformedQuery,
    "INVALID_QUERY_FILTER_OPERATOR": MalformedQuery,
    "INVALID_QUERY_LOCATOR": MalformedQuery,
    "QUERY_TOO_COMPLICATED": MalformedQuery,
    "INSUFFICIENT_ACCESS": AccessRefused,
    "INSUFFICIENT_ACCESS_OR_READONLY": AccessRefused,
    "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY": AccessRefused,
    "API_DISABLED_FOR_ORG": AccessRefused,
    "API_CURRENTLY_DISABLED": AccessRefused,
    "SERVER_UNAVAILABLE": ServerUnavailable,
    # Connect API of B2B Commerce. Source: facts/commerce/carts.md section 6, checkout.md section 4.
    "WEBSTORE_NOT_FOUND": UnknownWebstore,
    "EFFECTIVE_ACCOUNT_NOT_FOUND": UnknownWebstore,
    "MISSING_RECORD": NotFound,
    "ITEM_NOT_FOUND": NotFound,
    "GUEST_INSUFFICIENT_ACCESS": AccessRefused,
    "MAX_LIMIT_EXCEEDED": CartLimitExceeded,
    "TOO_MANY_RECORDS": CartLimitExceeded,
    "INVALID_BATCH_SIZE": CartLimitExceeded,
    "CART_ITEM_LIMIT_EXCEEDED_FOR_COUPONS": CartLimitExceeded,
    "COUPON_REDEMPTION_LIMIT_EXCEEDED": CartLimitExceeded,
    "CHECKOUT_CONFLICT": CheckoutConflict,
    "APEX_ERROR": ServerFault,
    "UNKNOWN_EXCEPTION": ServerFault,
}
_BY_STATUS: Mapping[int, type[SalesforceError]] = {
    300: AmbiguousKey,
    401: InvalidSession,
    403: AccessRefused,
    404: NotFound,
    409: Conflicting,
    # Our own mistake or the org's end, not the caller's: a wrong call, a retired version, no route to the org.
    405: SalesforceError,
    410: SalesforceError,
    415: SalesforceError,
    420: SalesforceError,
    412: PreconditionFailed,
    429: RequestLimitExceeded,
    502: ServerUnavailable,
    503: ServerUnavailable,
    504: ServerUnavailable,
}


def error_class(status: int, fault: SalesforceFault) -> type[SalesforceError]:
    """Return the class that stands for a reply: by its error code first, then by its HTTP status.

    Args:
        status: HTTP status, 300 or more.
        fault: The first error of the reply.
    """
    by_code = _BY_CODE.get(fault.error_code)
    if by_code is RequestLimitExceeded and fault.message.startswith("Concurrent"):
        return ConcurrencyExceeded
    # A trigger's text may wrap a lock error in another code; nothing was written then either.
    if fault.error_code == "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY" and "UNABLE_TO_LOCK_ROW" in fault.message:
        return RowLocked
    if status == 409 and "CHECKOUT_CONFLICT" in fault.message:
        return CheckoutConflict
    if by_code is not None:
        return by_code
    by_status = _BY_STATUS.get(status)
    if by_status is not None:
        return by_status
    return InvalidRequest if 400 <= status < 500 else ServerFault


def repeatable(error: ClientError) -> bool:
    """Tell whether a call whose repetition does no harm should be made again after this error."""
    match error:
        case SalesforceError():
            return error.retryable or (error.status < 500 and retry_of(error.error_code) is Retry.SAFE)
        case _:
            return error.retryable


def outcome_unknown(error: ClientError) -> bool:
    """Tell whether the call may have been carried out although it failed: look before doing it again.

    True after a lost reply, a reply that made no sense, and a gateway's or server's failure. A trigger's failure is a
    500 too, but undid everything.
    """
    match error:
        case ConnectionFailed():
            return error.sent
        case MalformedReply() | ReplyTooLarge():
            return True
        case SalesforceError():
            failed_inside = error.status >= 500 and error.error_code != "APEX_ERROR"
            return failed_inside or retry_of(error.error_code) is Retry.UNKNOWN
        case _:
            return False


def connection_error(error: Exception, host: str) -> ConnectionFailed:
    """Return our error for what aiohttp (or the socket under it) raised.

    Args:
        error: An `aiohttp.ClientError`, a `TimeoutError` or an `OSError` of an exchange.
        host: Host and port that were called; the URL itself may hold data and stays out of the message.
    """
    match error:
        case aiohttp.ConnectionTimeoutError():
            return TimedOut(
                f"{host} took no connection in time; nothing was sent.", sent=False, phase="connect", host=host
            )
        case aiohttp.SocketTimeoutError():
            return TimedOut(f"{host} stopped answering; the outcome is unknown.", sent=True, phase="read", host=host)
        case TimeoutError():
            return TimedOut(
                f"{host} did not finish in time; the outcome is unknown.", sent=True, phase="total", host=host
            )
        case aiohttp.ClientConnectorDNSError():
            return ConnectionFailed(f"The name of {host} cannot be resolved; nothing was sent.", sent=False, host=host)
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
            return ConnectionFailed(f"TLS with {host} failed: {error}; nothing was sent.", sent=False, host=host)
        case aiohttp.ClientConnectorError():
            why = error.os_error.strerror or type(error.os_error).__name__
            return ConnectionFailed(f"{host} takes no connection ({why}); nothing was sent.", sent=False, host=host)
        case _:
            why = type(error.__cause__ or error).__name__
            return ConnectionFailed(
                f"The connection to {host} broke ({why}); the outcome is unknown.", sent=True, host=host
            )
