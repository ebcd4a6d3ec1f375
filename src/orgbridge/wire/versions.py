"""API versions: which the platform still serves, and which this project is tested on.

Source: facts/salesforce/auth.md section 0, rest.md section 1.
"""

from __future__ import annotations

import re

OLDEST, NEWEST = 31, 67
#: What `SALESFORCE_API_VERSION` means when it is not set.
DEFAULT_VERSION = f"v{NEWEST}.0"

_SHAPE = re.compile(r"v?(\d{1,3})(?:\.0)?\Z")
_SEASONS = ("Winter", "Spring", "Summer")


def parse_version(text: str) -> int | None:
    """Return the number in `v58.0`, `58.0` or `58`, or None when the text is no version."""
    found = _SHAPE.match(text.strip())
    return int(found.group(1)) if found else None


def version_label(number: int) -> str:
    """Return the release name of a version, e.g. `Winter '11` for 20."""
    season = _SEASONS[(number - 20) % 3]
    year = 11 + (number - 20) // 3
    return f"{season} '{year:02d}"
