"""Salesforce's errors, as the emulator raises and records them.

SFError   a call cannot go on: the HTTP handler renders it
Fault     one thing wrong with one record: a value, part of a record's outcome
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from orgbridge.kit.json import JSON
from orgbridge.wire.errorcodes import status_of


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with one record."""

    #: Salesforce's code, e.g. `REQUIRED_FIELD_MISSING`.
    code: str
    #: Salesforce's text.
    message: str
    #: API names of the fields it is about.
    fields: tuple[str, ...] = ()
    #: What else a REST reply says of it: `duplicateResult` of DUPLICATES_DETECTED; None for nothing.
    extra: JSON = None


class SFError(Exception):
    """A call that Salesforce would refuse.

    Attributes:
        code: Salesforce's code.
        message: Salesforce's text.
        status: HTTP status of the reply.
        fields: API names of the fields it is about; None when the reply carries no `fields` key at all.
    """

    def __init__(self, code: str, message: str, status: int | None = None, fields: Iterable[str] | None = None) -> None:
        self.code = code
        self.message = message
        self.status = status if status is not None else status_of(code)
        self.fields = None if fields is None else tuple(fields)
        #: What else the reply says, by key; None for nothing.
        self.extra: JSON = None
        super().__init__(f"{code}: {message}")

    @classmethod
    def from_fault(cls, fault: Fault, status: int | None = None) -> SFError:
        """Return the error that refuses a whole call because of one fault."""
        error = cls(fault.code, fault.message, status, fault.fields)
        error.extra = fault.extra
        return error
