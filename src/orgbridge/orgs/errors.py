"""What can go wrong with configured orgs.

OrgError
+-- UnknownOrg            no org is configured under this name
+-- BuyersNotConfigured   nobody can be acted for
"""

from __future__ import annotations

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
