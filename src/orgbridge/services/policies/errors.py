"""What a policy refuses, and what is wrong with a policy itself.

ServiceError
+-- PolicyError
    +-- PolicyInvalid      policy.invalid: the policy of a role cannot be used
    +-- OperationRefused   policy.operation_refused: the object is known to the caller, the operation is not allowed
    +-- UnknownName        policy.unknown_name: an object or field that is not there, for this caller
    +-- ObjectMissing      policy.object_not_found: no such object, for this caller
    +-- QueryRefused       policy.query_refused: a part of a query that may not be, or that cannot be analysed
    +-- RowsRefused        policy.rows_refused: written rows would lie outside of what the caller may see
    +-- RecordMissing      policy.record_not_found: no such record, for this caller

What is hidden is told in the same words as what does not exist, so that a refusal confirms nothing.
"""

from __future__ import annotations

from typing import Any, ClassVar

from orgbridge.kit.errors import ErrorKind
from orgbridge.services.errors import ServiceError
from orgbridge.soql import pointed


class PolicyError(ServiceError):
    """The policy of the caller's roles does not allow it."""


class PolicyInvalid(PolicyError):
    """The policy cannot be used.

    Attributes:
        path: Where in the policy, e.g. `objects.Account.where`.
    """

    code: ClassVar[str] = "policy.invalid"
    kind: ClassVar[ErrorKind] = ErrorKind.INVALID

    def __init__(self, path: str, message: str) -> None:
        self.path = path
        super().__init__(
            f"{path}: {message}" if path else message, details=[{"field": path or "policy", "message": message}]
        )


class OperationRefused(PolicyError):
    """No role of yours allows this operation on the object."""

    code: ClassVar[str] = "policy.operation_refused"
    kind: ClassVar[ErrorKind] = ErrorKind.FORBIDDEN


class _Placed(PolicyError):
    """A refusal that may point into a query."""

    def __init__(self, message: str, *, soql: str = "", position: int | None = None, field: str = "") -> None:
        self.position = position
        detail: dict[str, Any] = {"message": message}
        if field:
            detail["field"] = field
        if position is not None:
            detail["position"] = position
        told = message if position is None or not soql else pointed(soql, position, message)
        super().__init__(told, details=[detail])


class UnknownName(_Placed):
    """There is no such object or field."""

    code: ClassVar[str] = "policy.unknown_name"
    kind: ClassVar[ErrorKind] = ErrorKind.INVALID


class ObjectMissing(PolicyError):
    """There is no such object."""

    code: ClassVar[str] = "policy.object_not_found"
    kind: ClassVar[ErrorKind] = ErrorKind.MISSING


class QueryRefused(_Placed):
    """The query asks for more than the roles of its caller allow."""

    code: ClassVar[str] = "policy.query_refused"
    kind: ClassVar[ErrorKind] = ErrorKind.FORBIDDEN


class RowsRefused(PolicyError):
    """The rows would lie outside of what the roles of the caller allow. Nothing was sent."""

    code: ClassVar[str] = "policy.rows_refused"
    kind: ClassVar[ErrorKind] = ErrorKind.FORBIDDEN


class RecordMissing(PolicyError):
    """There is no such record, or it lies outside of what you may see."""

    code: ClassVar[str] = "policy.record_not_found"
    kind: ClassVar[ErrorKind] = ErrorKind.MISSING
