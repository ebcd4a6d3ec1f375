"""Salesforce's error codes: their HTTP status, and whether the same call may be tried again.

Source: facts/salesforce/errors.md section 2. A code that is not here is kept as its text wherever it appears.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Retry(StrEnum):
    """What may be done after an error."""

    NEVER = "never"
    #: Nothing was written: the same call may be made again after a pause.
    SAFE = "safe"
    #: Sign in anew, then make the identical call once.
    REAUTHENTICATE = "reauthenticate"
    #: The quota is spent: stop for hours, then go on.
    WAIT = "wait"
    #: The outcome may be unknown: ask for the state before anything else.
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """One code of the platform."""

    #: Salesforce's own name, e.g. `INVALID_FIELD`.
    name: str
    #: HTTP status of a REST reply that carries it alone.
    status: int
    #: What may be done after it.
    retry: Retry = Retry.NEVER


_N, _R, _U = Retry.NEVER, Retry.SAFE, Retry.UNKNOWN
_TABLE: tuple[tuple[str, int, Retry], ...] = (
    ("INVALID_SESSION_ID", 401, Retry.REAUTHENTICATE),
    ("INVALID_AUTH_HEADER", 401, _N),
    ("API_DISABLED_FOR_ORG", 403, _N),
    ("API_CURRENTLY_DISABLED", 403, _N),
    ("REQUEST_LIMIT_EXCEEDED", 403, Retry.WAIT),
    ("LIMIT_EXCEEDED", 400, Retry.WAIT),
    ("EXCEEDED_ID_LIMIT", 400, _N),
    ("INSUFFICIENT_ACCESS", 403, _N),
    ("INSUFFICIENT_ACCESS_OR_READONLY", 400, _N),
    ("INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", 400, _N),
    ("FUNCTIONALITY_NOT_ENABLED", 403, _N),
    ("OPERATION_NOT_ALLOWED", 403, _N),
    ("FORBIDDEN", 403, _N),
    ("NOT_FOUND", 404, _N),
    ("ENTITY_IS_DELETED", 404, _N),
    ("METHOD_NOT_ALLOWED", 405, _N),
    ("UNSUPPORTED_MEDIA_TYPE", 415, _N),
    ("UNSUPPORTED_API_VERSION", 410, _N),
    ("JSON_PARSER_ERROR", 400, _N),
    ("INVALID_FIELD", 400, _N),
    ("INVALID_TYPE", 400, _N),
    ("INVALID_FIELD_FOR_INSERT_UPDATE", 400, _N),
    ("INVALID_TYPE_ON_FIELD_IN_RECORD", 400, _N),
    ("REQUIRED_FIELD_MISSING", 400, _N),
    ("STRING_TOO_LONG", 400, _N),
    ("NUMBER_OUTSIDE_VALID_RANGE", 400, _N),
    ("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", 400, _N),
    ("INVALID_EMAIL_ADDRESS", 400, _N),
    ("MALFORMED_ID", 400, _N),
    ("INVALID_ID_FIELD", 400, _N),
    ("MISSING_ARGUMENT", 400, _N),
    ("DUPLICATE_VALUE", 400, _N),
    ("DUPLICATE_EXTERNAL_ID", 400, _N),
    ("DUPLICATES_DETECTED", 400, _N),
    ("FIELD_CUSTOM_VALIDATION_EXCEPTION", 400, _N),
    ("FIELD_INTEGRITY_EXCEPTION", 400, _N),
    ("FIELD_FILTER_VALIDATION_EXCEPTION", 400, _N),
    ("INVALID_CROSS_REFERENCE_KEY", 400, _N),
    ("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", 400, _N),
    ("CANNOT_EXECUTE_FLOW_TRIGGER", 400, _N),
    ("INVALID_CURRENCY_ISO", 400, _N),
    ("MIXED_DML_OPERATION", 400, _N),
    ("CIRCULAR_DEPENDENCY", 400, _N),
    ("DELETE_FAILED", 400, _N),
    ("DEPENDENCY_EXISTS", 400, _N),
    ("INACTIVE_OWNER_OR_USER", 400, _N),
    ("UNABLE_TO_LOCK_ROW", 400, _R),
    ("STORAGE_LIMIT_EXCEEDED", 400, _N),
    ("ALL_OR_NONE_OPERATION_ROLLED_BACK", 400, _N),
    ("PROCESSING_HALTED", 400, _N),
    ("MALFORMED_QUERY", 400, _N),
    ("INVALID_QUERY_FILTER_OPERATOR", 400, _N),
    ("INVALID_QUERY_LOCATOR", 400, _N),
    ("QUERY_TIMEOUT", 400, _R),
    ("QUERY_TOO_COMPLICATED", 400, _N),
    ("OPERATION_TOO_LARGE", 400, _N),
    ("REQUEST_RUNNING_TOO_LONG", 400, _U),
    ("BATCH_PROCESSING_HALTED", 412, _N),
    ("TXN_SECURITY_NO_ACCESS", 403, _N),
    ("TXN_SECURITY_METERING_ERROR", 400, _N),
    ("INVALID_LOGIN", 500, _N),
    ("LOGIN_MUST_USE_SECURITY_TOKEN", 500, _N),
    ("PASSWORD_LOCKOUT", 500, _N),
    ("API_ERROR", 400, _N),
    ("INVALIDJOB", 400, _N),
    ("INVALIDJOBSTATE", 400, _N),
    ("INVALIDBATCH", 400, _N),
    ("INVALIDENTITY", 400, _N),
    ("INVALIDOPERATION", 400, _N),
    ("FEATURENOTENABLED", 400, _N),
    ("EXCEEDEDQUOTA", 400, Retry.WAIT),
    ("CLIENTINPUTERROR", 400, _N),
    ("APEX_ERROR", 500, _N),
    ("UNKNOWN_EXCEPTION", 500, _U),
    ("SERVER_UNAVAILABLE", 503, _R),
)
ERROR_CODES: dict[str, ErrorCode] = {name: ErrorCode(name, status, retry) for name, status, retry in _TABLE}


def status_of(code: str) -> int:
    """Return the HTTP status that a code comes with; 400 for a code not in the table."""
    known = ERROR_CODES.get(code)
    return known.status if known else 400


def retry_of(code: str) -> Retry:
    """Return what may be done after a code; `NEVER` for a code not in the table."""
    known = ERROR_CODES.get(code)
    return known.retry if known else Retry.NEVER
