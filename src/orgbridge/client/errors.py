"""What can go wrong between here and Salesforce.

    ClientError
    +-- ConnectionFailed            the request or its reply was lost; `sent` tells whether it may have been carried out
    |   +-- TimedOut                the same, because Salesforce took too long
    +-- AuthenticationFailed        Salesforce refused the sign-in: `cause` and `remedy`
    |   +-- ConsentNeeded           until somebody consents again or mends the user, the app or the secret
    |   +-- SignInLimited           too many sign-ins
    |   +-- SignInUnavailable       the sign-in service is down
    +-- MalformedReply              a reply that is not what the platform documents
    +-- ReplyTooLarge               a reply beyond the size that is held in memory
    +-- RedirectRefused             a redirect that would carry the token to another host
    +-- SendingWithheld             the caller's own guard: the request must not leave any more
    +-- RequestTooLong              URL and headers beyond what the platform reads
    |   +-- QueryTooLong            a SOQL text too long for a URL
    +-- BodyMismatch                the body's source gave another number of bytes than announced
    +-- SalesforceError             Salesforce answered with an error
        +-- InvalidRequest          a value, a field, a name: the caller's to mend
        |   +-- MalformedQuery
        |   +-- CartLimitExceeded   a cap of carts, lists or coupons
        +-- InvalidSession          401 even after a new sign-in
        +-- AccessRefused           403
        +-- NotFound                404
        |   +-- RecordDeleted
        |   +-- UnknownWebstore     no such webstore or buyer account for this user
        +-- Conflicting
        |   +-- DuplicateValue      a unique or external id value is taken, or a duplicate rule matched
        |   +-- AmbiguousKey        300: several records carry the external id
        |   +-- PreconditionFailed  412
        |   +-- RowLocked
        |   +-- JobStateError
        |   +-- CheckoutConflict    a cart or checkout changed under the call: read, then repeat
        +-- LimitExceeded
        |   +-- RequestLimitExceeded
        |       +-- ConcurrencyExceeded
        +-- ServerFault             500, or anything unknown
        +-- ServerUnavailable       502, 503, 504

Salesforce's 401 is `UPSTREAM`, never the caller's own `UNAUTHENTICATED`. No message holds a token or a query string.

Source: facts/salesforce/errors.md sections 1 and 2, http status rows; auth.md section 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from orgbridge.kit.errors import ErrorKind, OrgbridgeError


@dataclass(frozen=True, slots=True, kw_only=True)
class SalesforceFault:
    """One error of Salesforce's list: of a whole call, or of one record in a collections reply."""

    #: Salesforce's own code, e.g. `REQUIRED_FIELD_MISSING`; empty when the reply named none.
    error_code: str
    #: Salesforce's own words.
    message: str
    #: API names of the fields that it is about; often empty.
    fields: tuple[str, ...] = ()


class ClientError(OrgbridgeError):
    """A call to Salesforce failed."""

    code: ClassVar[str] = "salesforce.failed"
    kind: ClassVar[ErrorKind] = ErrorKind.UPSTREAM


class ConnectionFailed(ClientError):
    """The connection to Salesforce failed.

    Attributes:
        sent: False only when nothing of the request can have reached Salesforce. True means: the outcome is unknown.
        host: Host and port that were tried.
    """

    code: ClassVar[str] = "salesforce.connection_failed"
    kind: ClassVar[ErrorKind] = ErrorKind.UNAVAILABLE
    retryable: ClassVar[bool] = True

    def __init__(self, message: str, *, sent: bool, host: str = "") -> None:
        super().__init__(message)
        self.sent = sent
        self.host = host


class TimedOut(ConnectionFailed):
    """Salesforce took longer than the time allowed.

    Attributes:
        phase: `connect`, `read` or `total`: which allowance ran out.
    """

    code: ClassVar[str] = "salesforce.timed_out"

    def __init__(self, message: str, *, sent: bool, phase: str, host: str = "") -> None:
        super().__init__(message, sent=sent, host=host)
        self.phase = phase


class AuthenticationFailed(ClientError):
    """Salesforce refused the sign-in.

    Attributes:
        error: OAuth error word, e.g. `invalid_grant`; empty when the fault lies on our side.
        cause: What is wrong, as far as Salesforce tells.
        remedy: What to change, and where.
    """

    code: ClassVar[str] = "salesforce.sign_in_refused"
    kind: ClassVar[ErrorKind] = ErrorKind.UPSTREAM

    def __init__(self, *, cause: str, remedy: str, error: str = "", host: str = "") -> None:
        super().__init__(f"Salesforce sign-in failed at {host or 'the token endpoint'}: {cause} {remedy}")
        self.error = error
        self.cause = cause
        self.remedy = remedy
        self.host = host


class ConsentNeeded(AuthenticationFailed):
    """Salesforce refused the sign-in until somebody consents again, or mends the user, the app or the secret."""

    code: ClassVar[str] = "salesforce.consent_needed"


class SignInLimited(AuthenticationFailed):
    """Salesforce takes no more sign-ins for now."""

    code: ClassVar[str] = "salesforce.sign_in_limited"
    kind: ClassVar[ErrorKind] = ErrorKind.LIMITED
    retryable: ClassVar[bool] = True


class SignInUnavailable(AuthenticationFailed):
    """The sign-in service of Salesforce is down or is not there."""

    code: ClassVar[str] = "salesforce.sign_in_unavailable"
    kind: ClassVar[ErrorKind] = ErrorKind.UNAVAILABLE
    retryable: ClassVar[bool] = True


class MalformedReply(ClientError):
    """Salesforce's reply is not of the documented shape."""

    code: ClassVar[str] = "salesforce.malformed_reply"


class ReplyTooLarge(ClientError):
    """Salesforce's reply is larger than what is held in memory."""

    code: ClassVar[str] = "salesforce.reply_too_large"


class RedirectRefused(ClientError):
    """Salesforce redirected the call to another host, where the token may not go."""

    code: ClassVar[str] = "salesforce.redirect_refused"


class SendingWithheld(ClientError):
    """The request was not sent, because its time had passed or somebody else has taken it over."""

    code = "salesforce.withheld"


class RequestTooLong(ClientError):
    """URL and headers are longer than Salesforce reads. Nothing was sent.

    Attributes:
        uri_bytes: Bytes of URL and headers together.
    """

    code: ClassVar[str] = "salesforce.request_too_long"
    kind: ClassVar[ErrorKind] = ErrorKind.TOO_LARGE

    def __init__(self, message: str, *, uri_bytes: int) -> None:
        super().__init__(message)
        self.uri_bytes = uri_bytes


class QueryTooLong(RequestTooLong):
    """The SOQL text is too long for a URL. Nothing was sent."""

    code: ClassVar[str] = "salesforce.query_too_long"


class BodyMismatch(ClientError):
    """The body's source gave another number of bytes than was announced; the upload was broken off."""

    code: ClassVar[str] = "salesforce.body_mismatch"
    kind: ClassVar[ErrorKind] = ErrorKind.INTERNAL


class SalesforceError(ClientError):
    """Salesforce answered with an error.

    Attributes:
        status: HTTP status of the reply.
        error_code: Salesforce's code; empty when the reply was not JSON.
        sf_message: Salesforce's own words; empty when it gave none.
        fields: API names of the fields that it is about.
        faults: All errors of the reply, the first of which the attributes above repeat.
        method: HTTP method of the call.
        path: Path of the call, without its query string.
        repeated: True when an earlier try of the same call was lost after sending and may have been carried out.
        retry_after: Seconds that Salesforce asked to wait, if it did.
    """

    code: ClassVar[str] = "salesforce.error"

    def __init__(
        self,
        *,
        status: int,
        faults: Sequence[SalesforceFault],
        method: str,
        path: str,
        repeated: bool = False,
        retry_after: float | None = None,
    ) -> None:
        first = faults[0] if faults else SalesforceFault(error_code="", message="")
        self.status = status
        self.error_code = first.error_code
        self.sf_message = first.message
        self.fields = first.fields
        self.faults = tuple(faults)
        self.method = method
        self.path = path
        self.repeated = repeated
        self.retry_after = retry_after
        said = self.sf_message or "no message"
        where = f"{self.error_code or 'no error code'}, HTTP {status}, {method} {path}"
        super().__init__(f"Salesforce answered: {said} ({where})", details=[_detail(fault) for fault in faults])


class InvalidRequest(SalesforceError):
    """Salesforce refused a value, a field or a name of the request."""

    code: ClassVar[str] = "salesforce.invalid"
    kind: ClassVar[ErrorKind] = ErrorKind.INVALID


class MalformedQuery(InvalidRequest):
    """Salesforce cannot run this SOQL."""

    code: ClassVar[str] = "salesforce.malformed_query"


class CartLimitExceeded(InvalidRequest):
    """A cap of carts, lists or coupons was passed; nothing was changed."""

    code: ClassVar[str] = "salesforce.cart_limit"
    kind: ClassVar[ErrorKind] = ErrorKind.CONTRADICTION


class InvalidSession(SalesforceError):
    """Salesforce refused a token that it had just given out."""

    code: ClassVar[str] = "salesforce.invalid_session"


class AccessRefused(SalesforceError):
    """The Salesforce user of this connection may not do that."""

    code: ClassVar[str] = "salesforce.access_refused"
    kind: ClassVar[ErrorKind] = ErrorKind.FORBIDDEN


class NotFound(SalesforceError):
    """Salesforce has no such record, object, job or resource."""

    code: ClassVar[str] = "salesforce.not_found"
    kind: ClassVar[ErrorKind] = ErrorKind.MISSING


class RecordDeleted(NotFound):
    """The record lies in the recycle bin."""

    code: ClassVar[str] = "salesforce.record_deleted"


class UnknownWebstore(NotFound):
    """There is no such webstore, or no such buyer account, for this user."""

    code: ClassVar[str] = "salesforce.webstore_not_found"


class Conflicting(SalesforceError):
    """The request conflicts with what the org holds."""

    code: ClassVar[str] = "salesforce.conflict"
    kind: ClassVar[ErrorKind] = ErrorKind.CONFLICT


class DuplicateValue(Conflicting):
    """A value that must be unique is taken, or a duplicate rule matched."""

    code: ClassVar[str] = "salesforce.duplicate"


class AmbiguousKey(Conflicting):
    """Several records carry this external id; the message lists their URLs."""

    code: ClassVar[str] = "salesforce.ambiguous_key"


class PreconditionFailed(Conflicting):
    """The record changed since the caller read it."""

    code: ClassVar[str] = "salesforce.precondition_failed"


class RowLocked(Conflicting):
    """Another transaction held the record; nothing was written."""

    code: ClassVar[str] = "salesforce.row_locked"
    retryable: ClassVar[bool] = True


class JobStateError(Conflicting):
    """The bulk job is not in a state that allows this."""

    code: ClassVar[str] = "salesforce.job_state"


class CheckoutConflict(Conflicting):
    """The cart or the checkout changed under the call; nothing was done. Read it, then repeat: a blind repeat fails."""

    code: ClassVar[str] = "salesforce.checkout_conflict"


class LimitExceeded(SalesforceError):
    """A limit of the org is used up."""

    code: ClassVar[str] = "salesforce.limit_exceeded"
    kind: ClassVar[ErrorKind] = ErrorKind.LIMITED


class RequestLimitExceeded(LimitExceeded):
    """The org's API requests of the rolling day are used up; nothing was done."""

    code: ClassVar[str] = "salesforce.request_limit_exceeded"


class ConcurrencyExceeded(RequestLimitExceeded):
    """Too many long requests run in the org at once; nothing was done."""

    code: ClassVar[str] = "salesforce.concurrency_exceeded"
    retryable: ClassVar[bool] = True


class ServerFault(SalesforceError):
    """Salesforce failed inside."""

    code: ClassVar[str] = "salesforce.server_fault"


class ServerUnavailable(SalesforceError):
    """Salesforce is not available for now."""

    code: ClassVar[str] = "salesforce.unavailable"
    kind: ClassVar[ErrorKind] = ErrorKind.UNAVAILABLE
    retryable: ClassVar[bool] = True


def _detail(fault: SalesforceFault) -> dict[str, Any]:
    return {"code": fault.error_code, "message": fault.message, "fields": list(fault.fields)}
