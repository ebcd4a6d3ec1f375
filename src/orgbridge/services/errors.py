"""What a use-case refuses, and how an error of Salesforce is told to a caller.

OrgbridgeError
+-- ServiceError
|   +-- IdentityError
|   |   +-- NotSignedIn              identity.not_signed_in
|   |   +-- WrongCredentials         identity.wrong_credentials
|   |   +-- ScopeMissing             identity.scope_missing
|   |   +-- ScopeNotGranted          identity.scope_not_granted
|   |   +-- UnsupportedGrant         identity.unsupported_grant
|   |   +-- TokenRequestInvalid      identity.token_request_invalid
|   |   +-- RefreshTokenInvalid      identity.refresh_token_invalid
|   |   +-- ClientRefused            identity.client_refused
|   |   +-- SignInThrottled          identity.sign_in_throttled
|   |   +-- WrongPassword            identity.wrong_password
|   |   +-- LastAdmin                identity.last_admin
|   |   +-- BuiltInRole              identity.role_built_in
|   |   +-- NotOurs                  identity.not_found
|   |   +-- KeysUnreachable          identity.issuer_unreachable
|   |   +-- UnknownUser              identity.user_not_found
|   |   +-- UnusableKey              identity.unusable_key
|   +-- InvalidRequest               request.invalid
|   +-- ConditionMissing             request.condition_missing
|   +-- ColumnsRefused               load.columns_refused
|   +-- LoadNotFound                 load.not_found
|   +-- LoadNotFinished              load.not_finished
|   +-- ResultsMissing               load.results_missing
|   +-- NothingToDo                  load.nothing_to_do
|   +-- SequelExists                 load.sequel_exists
|   +-- CannotUndo                   load.cannot_undo
|   +-- UnknownErrorCode             catalogue.unknown_code
|   +-- PathRefused                  load.path_refused
|   +-- FileNotFound                 load.file_not_found
|   +-- UploadBroken                 load.upload_broken
|   +-- OutcomeUnknown               salesforce.outcome_unknown
|   +-- SalesforceRefusal            see services.commerce.refusals
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from orgbridge.client.errors import (
    AuthenticationFailed,
    ClientError,
    ConnectionFailed,
    SalesforceError,
    SalesforceFault,
)
from orgbridge.kit.errors import ErrorKind, OrgbridgeError

_REACH = "See whether Salesforce is up and this machine reaches it (DNS, proxy, firewall); then try again."


class ServiceError(OrgbridgeError):
    """The use-case refused."""


class IdentityError(ServiceError):
    """Signing in, or a right, was refused."""


class NotSignedIn(IdentityError):
    """A bearer token is needed: get one at POST /token."""

    code: ClassVar[str] = "identity.not_signed_in"
    kind: ClassVar[ErrorKind] = ErrorKind.UNAUTHENTICATED
    #: True when a token was given and is refused.
    token_given: ClassVar[bool] = False


class TokenRefused(NotSignedIn):
    """The bearer token is not valid here: get a new one at POST /token."""

    token_given: ClassVar[bool] = True


class WrongCredentials(IdentityError):
    """The user name or the password is wrong."""

    code: ClassVar[str] = "identity.wrong_credentials"
    kind: ClassVar[ErrorKind] = ErrorKind.UNAUTHENTICATED


class ScopeMissing(IdentityError):
    """The token lacks a scope that this call needs."""

    code: ClassVar[str] = "identity.scope_missing"
    kind: ClassVar[ErrorKind] = ErrorKind.FORBIDDEN

    def __init__(self, missing: list[str]) -> None:
        self.missing = missing
        super().__init__(
            f"The token lacks the scope {' '.join(missing)}: sign in as a user that has it, and ask for it.",
            details=[{"scope": scope, "message": "missing"} for scope in missing],
        )


class ScopeNotGranted(IdentityError):
    """A scope was asked for that the user does not have."""

    code: ClassVar[str] = "identity.scope_not_granted"
    kind: ClassVar[ErrorKind] = ErrorKind.INVALID


class UnsupportedGrant(IdentityError):
    """The grant type is not served: use password, refresh_token or client_credentials."""

    code: ClassVar[str] = "identity.unsupported_grant"
    kind: ClassVar[ErrorKind] = ErrorKind.INVALID


class TokenRequestInvalid(IdentityError):
    """The token request lacks a parameter of its grant, or has two ways of saying who the client is."""

    code: ClassVar[str] = "identity.token_request_invalid"
    kind: ClassVar[ErrorKind] = ErrorKind.INVALID


class RefreshTokenInvalid(IdentityError):
    """The refresh token is unknown, used, expired or revoked: sign in again."""

    code: ClassVar[str] = "identity.refresh_token_invalid"
    kind: ClassVar[ErrorKind] = ErrorKind.INVALID


class ClientRefused(IdentityError):
    """The client id or the client secret is wrong."""

    code: ClassVar[str] = "identity.client_refused"
    kind: ClassVar[ErrorKind] = ErrorKind.UNAUTHENTICATED


class SignInThrottled(IdentityError):
    """Too many sign-ins have failed: wait, then try again."""

    code: ClassVar[str] = "identity.sign_in_throttled"
    kind: ClassVar[ErrorKind] = ErrorKind.LIMITED
    retryable: ClassVar[bool] = True

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.retry_after_seconds = seconds


class WrongPassword(IdentityError):
    """The present password is not this one; nothing was changed."""

    code: ClassVar[str] = "identity.wrong_password"
    kind: ClassVar[ErrorKind] = ErrorKind.INVALID


class LastAdmin(IdentityError):
    """Nobody would be left who may administrate: make another administrator first."""

    code: ClassVar[str] = "identity.last_admin"
    kind: ClassVar[ErrorKind] = ErrorKind.CONFLICT


class BuiltInRole(IdentityError):
    """The roles that come with the service stay as they are: make one of your own."""

    code: ClassVar[str] = "identity.role_built_in"
    kind: ClassVar[ErrorKind] = ErrorKind.CONFLICT


class NotOurs(IdentityError):
    """There is no such thing."""

    code: ClassVar[str] = "identity.not_found"
    kind: ClassVar[ErrorKind] = ErrorKind.MISSING


class KeysUnreachable(IdentityError):
    """The keys of the external issuer cannot be fetched, so that its tokens cannot be checked."""

    code: ClassVar[str] = "identity.issuer_unreachable"
    kind: ClassVar[ErrorKind] = ErrorKind.UNAVAILABLE
    retryable: ClassVar[bool] = True


class UnknownUser(IdentityError):
    """There is no such user."""

    code: ClassVar[str] = "identity.user_not_found"
    kind: ClassVar[ErrorKind] = ErrorKind.MISSING


class UnusableKey(IdentityError):
    """The key that signs tokens cannot be used."""

    code: ClassVar[str] = "identity.unusable_key"
    kind: ClassVar[ErrorKind] = ErrorKind.INVALID


class InvalidRequest(ServiceError):
    """The request cannot be carried out as it stands."""

    code: ClassVar[str] = "request.invalid"
    kind: ClassVar[ErrorKind] = ErrorKind.INVALID


class ConditionMissing(ServiceError):
    """The change needs If-Match with the ETag that the thing was read with, so that nobody's change is lost."""

    code: ClassVar[str] = "request.condition_missing"
    kind: ClassVar[ErrorKind] = ErrorKind.UNCONDITIONAL


class ColumnsRefused(ServiceError):
    """Columns of the input do not fit the object and the operation."""

    code: ClassVar[str] = "load.columns_refused"
    kind: ClassVar[ErrorKind] = ErrorKind.INVALID


class LoadNotFound(ServiceError):
    """There is no such job."""

    code: ClassVar[str] = "load.not_found"
    kind: ClassVar[ErrorKind] = ErrorKind.MISSING


class LoadNotFinished(ServiceError):
    """The job has not ended yet: ask again when its state is JobComplete, Failed or Aborted."""

    code: ClassVar[str] = "load.not_finished"
    kind: ClassVar[ErrorKind] = ErrorKind.CONFLICT
    retryable: ClassVar[bool] = True


class ResultsMissing(ServiceError):
    """The job left no results."""

    code: ClassVar[str] = "load.results_missing"
    kind: ClassVar[ErrorKind] = ErrorKind.MISSING


class NothingToDo(ServiceError):
    """The job has no such rows."""

    code: ClassVar[str] = "load.nothing_to_do"
    kind: ClassVar[ErrorKind] = ErrorKind.CONFLICT


class SequelExists(ServiceError):
    """This was done to the job before."""

    code: ClassVar[str] = "load.sequel_exists"
    kind: ClassVar[ErrorKind] = ErrorKind.CONFLICT

    def __init__(self, what: str, child_id: str) -> None:
        self.child_id = child_id
        super().__init__(
            f"The job was {what} before, by {child_id}: go on from that one.",
            details=[{"job_id": child_id, "message": what}],
        )


class CannotUndo(ServiceError):
    """The job cannot be undone."""

    code: ClassVar[str] = "load.cannot_undo"
    kind: ClassVar[ErrorKind] = ErrorKind.CONFLICT


class UnknownErrorCode(ServiceError):
    """The catalogue has no such code. Codes of an org's own validation rules and triggers are not in it."""

    code: ClassVar[str] = "catalogue.unknown_code"
    kind: ClassVar[ErrorKind] = ErrorKind.MISSING


class PathRefused(ServiceError):
    """The path lies outside of DATA_PATH_INPUT."""

    code: ClassVar[str] = "load.path_refused"
    kind: ClassVar[ErrorKind] = ErrorKind.FORBIDDEN


class FileNotFound(ServiceError):
    """There is no such file in DATA_PATH_INPUT."""

    code: ClassVar[str] = "load.file_not_found"
    kind: ClassVar[ErrorKind] = ErrorKind.MISSING


class UploadBroken(ServiceError):
    """The upload ended before the whole file had arrived. Nothing was kept."""

    code: ClassVar[str] = "load.upload_broken"
    kind: ClassVar[ErrorKind] = ErrorKind.INVALID
    retryable: ClassVar[bool] = True


class OutcomeUnknown(ServiceError):
    """Whether Salesforce did it is not known: look whether the record exists before sending it again."""

    code: ClassVar[str] = "salesforce.outcome_unknown"
    kind: ClassVar[ErrorKind] = ErrorKind.UPSTREAM

    def __init__(self, cause: ClientError, what: str = "the record was created") -> None:
        self.cause = cause
        super().__init__(
            f"Whether {what} is not known: {cause.message.rstrip('.')}. "
            "Look whether it exists before sending it again; an upsert by external id may be repeated."
        )


class SalesforceRefusal(ServiceError):
    """Salesforce refused what was asked on the caller's behalf.

    Attributes:
        cause: Salesforce's own error.
    """

    code: ClassVar[str] = "salesforce.refused"
    kind: ClassVar[ErrorKind] = ErrorKind.UPSTREAM

    def __init__(self, cause: ClientError, message: str | None = None) -> None:
        self.cause = cause
        super().__init__(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """An error as the faces of the house tell it."""

    #: Stable text for machines.
    code: str
    #: What the caller can do about it.
    kind: ErrorKind
    #: True when the identical call may succeed later.
    retryable: bool
    #: One or two sentences: cause and remedy.
    detail: str
    #: Places inside the request.
    errors: list[dict[str, Any]]
    #: Salesforce's own faults: `errorCode`, `message`, `fields`.
    upstream: list[dict[str, Any]]
    #: How long to wait before the identical call, when that is known.
    retry_after_seconds: float | None = None


def trouble_of(error: OrgbridgeError) -> Trouble:
    """Return what a caller is told about an error.

    A refusal that Salesforce gave to us (our login, our session, our rights) is never the caller's own 401 or 403.
    """
    kind = error.kind
    detail = error.message
    if isinstance(error, ClientError):
        if kind in (ErrorKind.UNAUTHENTICATED, ErrorKind.FORBIDDEN):
            kind = ErrorKind.UPSTREAM
        if isinstance(error, AuthenticationFailed):
            detail = f"{error.cause} {error.remedy}"
        elif isinstance(error, ConnectionFailed):
            detail = f"{detail} {_REACH}"
    # What a service could add to it, such as which type a field has.
    detail = " ".join([detail, *getattr(error, "__notes__", ())])
    return Trouble(
        code=error.code,
        kind=kind,
        retryable=error.retryable,
        detail=detail,
        errors=error.details,
        upstream=upstream_of(error),
        retry_after_seconds=error.retry_after_seconds,
    )


def upstream_of(error: OrgbridgeError) -> list[dict[str, Any]]:
    """Return Salesforce's faults as Salesforce wrote them, empty when the error is not Salesforce's."""
    if isinstance(error, OutcomeUnknown | SalesforceRefusal):
        return upstream_of(error.cause)
    if not isinstance(error, SalesforceError):
        return []
    return [fault_json(fault) for fault in error.faults]


def fault_json(fault: SalesforceFault) -> dict[str, Any]:
    """Return one fault of Salesforce in Salesforce's own spelling."""
    return {"errorCode": fault.error_code, "message": fault.message, "fields": list(fault.fields)}
