"""What can go wrong with configured orgs.

OrgError
+-- UnknownOrg     no org is configured under this name
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
