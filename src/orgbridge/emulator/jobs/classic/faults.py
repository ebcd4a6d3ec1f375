"""Refusals of Bulk API 1.0: a code of AsyncExceptionCode and a text.

Source: facts/salesforce/bulk1.md (errors), bulk2.md section 5 (list of codes).
"""

from __future__ import annotations


class ClassicFault(Exception):
    """A call of Bulk API 1.0 that is refused with HTTP 400."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        self.message = message
        super().__init__(f"{code}: {message}")


class BatchFault(Exception):
    """A batch that fails as a whole; the message is its `stateMessage`."""
