"""The error catalogue: every code that a row, a job or a call can end with, why, what to do, and whether to try again.

Pure data for the receipt, for `GET /errors/{code}`, for the command line and for `docs/reference/error-catalogue.md`.
Source: facts/salesforce/errors.md section 2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from orgbridge.loads.causes import JOB_RETRIES
from orgbridge.loads.remedies import ROW_RETRIES, known_codes, remedy_for
from orgbridge.wire.errorcodes import ERROR_CODES, Retry


class Origin(StrEnum):
    """Who says a code."""

    #: Salesforce, of a row or a call.
    SALESFORCE = "salesforce"
    #: Salesforce, of a bulk job as a whole.
    SALESFORCE_JOB = "salesforce_job"
    #: This service.
    ORGBRIDGE = "orgbridge"


#: What a code says of trying again, in words.
RETRY_WORDS: Final[Mapping[Retry, str]] = MappingProxyType(
    {
        Retry.NEVER: "not without a change",
        Retry.SAFE: "yes, after a pause: nothing was written",
        Retry.REAUTHENTICATE: "once, after signing in anew",
        Retry.WAIT: "after hours, when the quota frees itself",
        Retry.UNKNOWN: "only after looking: it may have been written",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is known of one code."""

    #: The code, as it stands in results and replies.
    code: str
    #: Who says it.
    origin: Origin
    #: Why it happens, one sentence.
    cause: str
    #: What to do, one sentence.
    remedy: str
    #: What may be done after it.
    retry: Retry
    #: HTTP status of a reply that carries it alone; None for codes of rows and jobs only.
    http_status: int | None
    #: Rows that end with it are sent again by themselves.
    sent_again: bool

    def to_json(self) -> dict[str, Any]:
        """Return the entry for a reply."""
        return {
            "code": self.code,
            "origin": self.origin.value,
            "cause": self.cause,
            "remedy": self.remedy,
            "retry": self.retry.value,
            "retry_in_words": RETRY_WORDS[self.retry],
            "http_status": self.http_status,
            "sent_again_by_itself": self.sent_again,
        }


def entry_of(code: str) -> Entry | None:
    """Return what is known of a code, in any letter case; None for one that is not in the catalogue."""
    return CATALOGUE.get(code) or _BY_FOLDED.get(code.casefold())


def _entry(code: str) -> Entry:
    known = ERROR_CODES.get(code)
    remedy = remedy_for(code)
    if code in JOB_RETRIES:
        origin = Origin.SALESFORCE_JOB
    elif known is not None:
        origin = Origin.SALESFORCE
    else:
        origin = Origin.ORGBRIDGE
    return Entry(
        code=code,
        origin=origin,
        cause=remedy.cause,
        remedy=remedy.remedy,
        retry=remedy.retry,
        http_status=known.status if known is not None else None,
        sent_again=code in ROW_RETRIES,
    )


#: All entries, by code, in alphabetical order.
CATALOGUE: Final[Mapping[str, Entry]] = MappingProxyType(
    {code: _entry(code) for code in sorted({*ERROR_CODES, *known_codes()})}
)
_BY_FOLDED: Final = {code.casefold(): entry for code, entry in CATALOGUE.items()}
