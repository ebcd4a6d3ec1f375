"""Conditional headers on rows: dates on every row, ETags on accounts.

Source: facts/salesforce/rest.md section 3. Assumed: what an ETag is made of; two saves within a second differ in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from starlette.responses import Response

from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.errors import ReplyNow
from orgbridge.emulator.org.org import Org
from orgbridge.emulator.schema.errors import SFError
from orgbridge.kit.json import JSON, dumps
from orgbridge.wire.dates import parse_datetime

_DATES = ("if-modified-since", "if-unmodified-since")
_TAGS = ("if-match", "if-none-match")
_CONDITIONS = frozenset({*_DATES, *_TAGS})
_TAGGED = "Account"


def header_instant(call: Call, name: str) -> datetime | None:
    """Return the instant in a conditional header, or None when the header is missing.

    Raises:
        SFError: It is no HTTP date.
    """
    text = call.header(name)
    if text is None:
        return None
    try:
        value = parsedate_to_datetime(text)
    except ValueError as error:
        # Assumed: code and text; that an invalid value is refused with 400 is documented for PATCH and POST.
        raise SFError("INVALID_FIELD", f"{name} is no valid HTTP date") from error
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def check_read(call: Call, sobject: str, row: Mapping[str, JSON]) -> dict[str, str]:
    """Answer the conditions of a GET.

    Args:
        call: The call.
        sobject: API name of the row's object.
        row: All of the row.

    Returns:
        Headers for the reply.

    Raises:
        ReplyNow: 304 or 412.
        SFError: A header says what it cannot.
    """
    _refuse_tags(call, sobject)
    _check_dates(call, row.get("LastModifiedDate"))
    if not has_tag(sobject):
        return {}
    tag = row_tag(row)
    headers = {"ETag": tag}
    match, none_match = (call.header(name) for name in _TAGS)
    if match is not None and not _names(match, tag):
        raise ReplyNow(Response(status_code=412))
    if none_match is not None and _names(none_match, tag):
        raise ReplyNow(Response(status_code=304, headers=headers))
    return headers


def check_write(call: Call, org: Org, sobject: str, record_id: str) -> None:
    """Answer the conditions of a PATCH, in the transaction that `org` works in.

    Raises:
        ReplyNow: 304 or 412.
        SFError: A header says what it cannot, or there is no such row.
    """
    _refuse_tags(call, sobject)
    if not is_conditional(call):
        return
    row = org.get(sobject, record_id)
    _check_dates(call, row.get("LastModifiedDate"))
    match, none_match = (call.header(name) for name in _TAGS)
    tag = row_tag(row)
    if (match is not None and not _names(match, tag)) or (none_match is not None and _names(none_match, tag)):
        raise ReplyNow(Response(status_code=412))


def refuse_on_delete(call: Call) -> None:
    """Refuse conditions on DELETE, which knows none.

    Raises:
        SFError: There is one. Assumed: code and text.
    """
    if is_conditional(call):
        raise SFError("FUNCTIONALITY_NOT_ENABLED", "Conditional headers are not supported on DELETE")


def is_conditional(call: Call) -> bool:
    """Tell whether a call has a condition."""
    return not _CONDITIONS.isdisjoint(call.headers)


def has_tag(sobject: str) -> bool:
    """Tell whether rows of an object have an ETag: accounts only."""
    return sobject == _TAGGED


def row_tag(row: Mapping[str, JSON]) -> str:
    """Return the ETag of a whole row."""
    return '"' + hashlib.sha256(dumps(row)).hexdigest()[:8] + '"'


def _names(header: str, tag: str) -> bool:
    texts = [text.strip().removeprefix("W/") for text in header.split(",")]
    # A reply that was packed on its way may have come with `-gzip` inside the quotes, as recorded.
    return "*" in texts or tag in texts or f'{tag[:-1]}-gzip"' in texts


def _refuse_tags(call: Call, sobject: str) -> None:
    for name in _TAGS:
        if call.header(name) is not None and not has_tag(sobject):
            # Assumed: code and text; that only accounts have ETags is documented.
            raise SFError("FUNCTIONALITY_NOT_ENABLED", f"The header {name} is supported on Account rows only")


def _check_dates(call: Call, modified: JSON) -> None:
    """Answer If-Modified-Since and If-Unmodified-Since.

    Raises:
        ReplyNow: 304 or 412.
    """
    since, unless = (header_instant(call, name) for name in _DATES)
    changed = parse_datetime(str(modified)) if modified else None
    if changed is None:
        return
    changed = changed.replace(microsecond=0)
    if since is not None and changed <= since:
        raise ReplyNow(Response(status_code=304))
    if unless is not None and changed > unless:
        raise ReplyNow(Response(status_code=412))
