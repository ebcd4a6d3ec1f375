"""ETag and If-Match: nobody overwrites what they have not seen (RFC 9110 section 13)."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import Header

from orgbridge.services.errors import ConditionMissing

#: Declared by every route that changes something that has an ETag.
IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        max_length=500,
        description="The ETag that the thing was read with; `*` for any. Without it the answer is 428.",
        examples=['"1f0c2a7be4d95a60"'],
    ),
]
_TAG = re.compile(r'\s*(W/)?"([^"]*)"\s*')
#: Matches no revision.
_NO_REVISION = "-"


def expected_revision(if_match: str | None) -> str | None:
    """Return the revision that a change is meant for, None for any.

    A weak tag, or a text that is no tag, matches nothing.

    Raises:
        ConditionMissing: The caller did not say.
    """
    if if_match is None:
        raise ConditionMissing
    if if_match.strip() == "*":
        return None
    found = _TAG.fullmatch(if_match)
    if found is None or found.group(1) is not None:
        return _NO_REVISION
    return found.group(2) or _NO_REVISION


def given_revision(if_match: str | None) -> str | None:
    """Return the revision that a change is meant for, `*` for any, None where the caller did not say."""
    if if_match is None:
        return None
    return expected_revision(if_match) or "*"


def etag(revision: str) -> dict[str, str]:
    """Return the ETag header of a revision."""
    return {"ETag": f'"{revision}"'}
