"""Small forms and query strings, read with bounds of their own."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request

from orgbridge.console.errors import FormTooLarge, NoSuchPage
from orgbridge.kit.errors import ErrorKind, OrgbridgeError
from orgbridge.kit.notes import note
from orgbridge.services.errors import InvalidRequest, Trouble, UploadBroken, trouble_of

#: More than the longest query that Salesforce reads, each of its characters as three bytes of percent signs and more.
_FORM_BYTES = 2 * 1024 * 1024
_FORM_FIELDS = 50
#: Rows of a list's page.
PAGE_ROWS = 50
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
#: Kinds of refusals that are told beside the form that they are about, with the page's status; others are pages.
IN_THE_FORM = {
    ErrorKind.INVALID: 422,
    ErrorKind.CONFLICT: 409,
    ErrorKind.STALE: 412,
    ErrorKind.FORBIDDEN: 403,
    ErrorKind.MISSING: 404,
    ErrorKind.TOO_LARGE: 413,
}


def told(error: OrgbridgeError) -> Trouble:
    """Return what a page says of a refusal that it shows by itself, and note its code for the audit."""
    trouble = trouble_of(error)
    note(code=trouble.code)
    return trouble


async def read_form(request: Request) -> dict[str, str]:
    """Return the fields of a form; of a field that comes twice the last one.

    Raises:
        InvalidRequest: It is no form, or a field has a control character.
        FormTooLarge: It has more, or longer, fields than ours have.
        UploadBroken: The caller left before the end.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise InvalidRequest("The body must be a form of this console.")
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > _FORM_BYTES:
                raise FormTooLarge
    except ClientDisconnect as error:
        raise UploadBroken from error
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=_FORM_FIELDS)
    except ValueError as error:
        raise InvalidRequest("The form cannot be read.") from error
    for name, value in pairs:
        check_text(name, value)
    return dict(pairs)


def asked(request: Request, name: str, longest: int = 255) -> str | None:
    """Return what the query string says under a name, None for nothing.

    Raises:
        InvalidRequest: It is longer than such a word can be.
    """
    value = request.query_params.get(name, "").strip()
    if len(value) > longest:
        raise InvalidRequest(f"{name} is too long.")
    check_text(name, value)
    return value or None


def check_text(name: str, value: str) -> None:
    """See that a text is one that people type: databases refuse some control characters, and none is meant.

    Raises:
        InvalidRequest: It has one that is no tab and no line end.
    """
    if any(letter < " " and letter not in "\t\n\r" for letter in value):
        raise InvalidRequest(f"{name[:40]} has a control character.")


def path_id(request: Request, name: str) -> str:
    """Return an id that stands in the path.

    Raises:
        NoSuchPage: It is none that anything of ours or of Salesforce's can have.
    """
    value = str(request.path_params[name])
    if _ID.match(value) is None:
        raise NoSuchPage
    return value
