"""What can go wrong with configured orgs.

OrgError
+-- UnknownOrg          no org is configured under this name
+-- CallWithheld        a call was not made; nothing was sent
    +-- Parked              a load waits until the org has API requests to spare
    +-- CallerShareSpent    a caller has used up the share of one caller
    +-- QueueTimedOut       no slot came free in time
+-- UnknownOrg            no org is configured under this name
+-- BuyersNotConfigured   nobody can be acted for
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from orgbridge.kit.errors import ErrorKind, OrgbridgeError


class OrgError(OrgbridgeError):
    """A configured org cannot be used."""

    code: ClassVar[str] = "org.failed"


class UnknownOrg(OrgError):
    """No Salesforce org is configured under this name.

    Attributes:
        name: The name asked for.
    """

    code: ClassVar[str] = "org.unknown"
    kind: ClassVar[ErrorKind] = ErrorKind.MISSING

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(f"No Salesforce org is configured as {name!r}; there is {', '.join(known) or 'none'}.")
        self.name = name


class CallWithheld(OrgError):
    """A call to Salesforce was not made; nothing was sent."""

    code: ClassVar[str] = "org.call_withheld"
    kind: ClassVar[ErrorKind] = ErrorKind.LIMITED
    retryable: ClassVar[bool] = True


class Parked(CallWithheld):
    """A load waits until the org has API requests to spare.

    Attributes:
        until: When it is looked at again.
    """

    code: ClassVar[str] = "org.parked"

    def __init__(self, message: str, *, until: datetime) -> None:
        super().__init__(message)
        self.until = until


class CallerShareSpent(CallWithheld):
    """The caller has used up the share of one caller in the org's API requests of the day."""

    code: ClassVar[str] = "org.caller_share_spent"


class QueueTimedOut(CallWithheld):
    """Too many calls to Salesforce run at once, and this one's turn did not come in time."""

    code: ClassVar[str] = "org.queue_timed_out"
    kind: ClassVar[ErrorKind] = ErrorKind.UNAVAILABLE


class BuyersNotConfigured(OrgError):
    """No Salesforce user can be acted for: there is no key to sign users in with.

    Attributes:
        sf_username: The Salesforce user.
    """

    code: ClassVar[str] = "org.buyers_not_configured"
    kind: ClassVar[ErrorKind] = ErrorKind.UNAVAILABLE

    def __init__(self, sf_username: str) -> None:
        super().__init__(
            f"The Salesforce user {sf_username[:255]!r} cannot be acted for: this service has no key to sign users in "
            "with. Set ORGBRIDGE_SALESFORCE_JWT_KEY_PATH or ORGBRIDGE_SALESFORCE_JWT_KEY."
        )
        self.sf_username = sf_username
