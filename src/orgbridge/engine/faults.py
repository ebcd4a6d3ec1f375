"""Why a step could not go on, as a value that survives a crash in the step log.

Steps return faults instead of raising: what an exception said would otherwise be lost or garbled when a workflow is
replayed by another worker.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from orgbridge.client.errors import (
    AuthenticationFailed,
    ClientError,
    ConnectionFailed,
    InvalidSession,
    LimitExceeded,
    MalformedReply,
    SalesforceError,
    SendingWithheld,
)
from orgbridge.client.verdicts import repeatable
from orgbridge.kit.errors import OrgbridgeError
from orgbridge.orgs.errors import CallWithheld
from orgbridge.store.errors import FilesUnavailable, StoreUnavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One reason, for machines and for people."""

    #: Stable code, e.g. `salesforce.invalid`.
    code: str
    #: One sentence; no secret.
    message: str
    #: Places it points at: line, field, code, message.
    details: tuple[dict[str, Any], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the form that is kept in the step log."""
        return {"code": self.code, "message": self.message, "details": list(self.details)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Fault:
        """Return the fault that the step log keeps."""
        return cls(code=value["code"], message=value["message"], details=tuple(value["details"]))


def first_of(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return why tasks that ran side by side were broken off: what the first of them raised."""
    first: BaseException = errors
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first


def fault_of(error: Exception) -> Fault:
    """Return the fault that an exception stands for."""
    match error:
        case SalesforceError():
            return Fault(code=error.error_code or error.code, message=error.sf_message or error.message)
        case OrgbridgeError():
            return Fault(code=error.code, message=error.message, details=tuple(error.details))
        case OSError():
            return Fault(code="engine.files", message=f"The load's files cannot be read or written: {error.strerror}.")
        case _:
            return Fault(
                code="engine.unexpected",
                message=f"The worker failed inside ({type(error).__name__}); its log tells where.",
            )


def transient(error: Exception) -> bool:
    """Tell whether the same step may succeed a little later without anybody doing anything."""
    match error:
        case SalesforceError():
            # 500 and a spent quota end too, and the step looks before it acts again.
            return repeatable(error) or error.status >= 500 or isinstance(error, LimitExceeded | InvalidSession)
        case MalformedReply():
            # A proxy's or a maintenance page in place of Salesforce.
            return True
        case ClientError():
            return repeatable(error)
        case StoreUnavailable() | FilesUnavailable() | CallWithheld():
            return True
        case OSError():
            # A full disk may be emptied.
            return True
        case _:
            return False


def nothing_sent(error: Exception) -> bool:
    """Tell whether the request certainly never reached Salesforce."""
    return isinstance(error, CallWithheld | SendingWithheld | AuthenticationFailed) or (
        isinstance(error, ConnectionFailed) and not error.sent
    )
