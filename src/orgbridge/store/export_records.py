"""Rows of the store that tell of exports."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRecord:
    """One page of a query job's results that lies safely in the file store."""

    #: The export it belongs to.
    load_id: str
    #: 0 for the first page.
    number: int
    #: Salesforce's name of the page; None for the first.
    locator: str | None
    #: Salesforce's name of the next page, as this page's own header said; None on the last.
    following: str | None
    #: Key in the file store.
    key: str
    #: Records, the header not counted.
    rows: int
    #: Bytes, the header counted.
    bytes: int
    #: Hash of these bytes, hexadecimal.
    sha256: str
