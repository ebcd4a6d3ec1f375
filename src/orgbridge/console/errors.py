"""What the console refuses by itself.

OrgbridgeError
+-- ConsoleError
    +-- CrossSite          console.cross_site
    +-- FormTooLarge       console.form_too_large
    +-- NoSuchPage         console.no_such_page
"""

from __future__ import annotations

from typing import ClassVar

from orgbridge.kit.errors import ErrorKind, OrgbridgeError


class ConsoleError(OrgbridgeError):
    """The console refused."""


class CrossSite(ConsoleError):
    """The form was not sent from a page of this console: open the page here and send it again. Nothing was done."""

    code: ClassVar[str] = "console.cross_site"
    kind: ClassVar[ErrorKind] = ErrorKind.FORBIDDEN


class FormTooLarge(ConsoleError):
    """The form has more, or longer, fields than any page of the console sends. Nothing was done."""

    code: ClassVar[str] = "console.form_too_large"
    kind: ClassVar[ErrorKind] = ErrorKind.TOO_LARGE


class NoSuchPage(ConsoleError):
    """There is no such page."""

    code: ClassVar[str] = "console.no_such_page"
    kind: ClassVar[ErrorKind] = ErrorKind.MISSING
