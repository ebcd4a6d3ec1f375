"""Checks on the words that callers give and that end up in a path at Salesforce: objects, fields, ids, operations."""

from __future__ import annotations

import re
from difflib import get_close_matches

from orgbridge.services.errors import InvalidRequest
from orgbridge.wire.bulk import IngestOperation
from orgbridge.wire.ids import to_18

#: An API name of an object or a field. Nothing else is ever put into a path.
API_NAME = r"^[A-Za-z][A-Za-z0-9_]{0,254}$"
_API_NAME = re.compile(API_NAME)
_COLUMN = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z][A-Za-z0-9_]*){0,5}\Z")
#: What the first document calls an insert in `/records/batch`.
_SYNONYMS = {"create": IngestOperation.INSERT, "harddelete": IngestOperation.HARD_DELETE}


def check_object(name: str) -> str:
    """Return the object's name.

    Raises:
        InvalidRequest: It is not an API name.
    """
    if not _API_NAME.match(name) or name.endswith("\n"):
        raise InvalidRequest("object_name must be an API name: a letter, then letters, digits and underscores.")
    return name


def check_field(name: str, what: str = "external_id_field") -> str:
    """Return the field's name.

    Raises:
        InvalidRequest: It is not an API name.
    """
    if not _API_NAME.match(name) or name.endswith("\n"):
        raise InvalidRequest(f"{what} must be an API name: a letter, then letters, digits and underscores.")
    return name


def check_fields(text: str | None) -> list[str] | None:
    """Return the names in a comma-separated list, None for none.

    Raises:
        InvalidRequest: One of them is not a field name.
    """
    if text is None or not text.strip():
        return None
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if not _COLUMN.match(name):
            raise InvalidRequest(f"fields: {name[:80]!r} is not a field name.")
    return names


def check_id(text: str) -> str:
    """Return the 18-character form of a record id.

    Raises:
        InvalidRequest: It is not an id of 15 or 18 characters.
    """
    full = to_18(text)
    if full is None:
        raise InvalidRequest("record_id must be a Salesforce id of 15 or 18 letters and digits.")
    return full


def check_operation(text: str) -> IngestOperation:
    """Return the operation that a word stands for; `create` means insert.

    Raises:
        InvalidRequest: It is no operation; the message names the nearest.
    """
    word = text.strip()
    for operation in IngestOperation:
        if operation.value.lower() == word.lower():
            return operation
    if word.lower() in _SYNONYMS:
        return _SYNONYMS[word.lower()]
    known = [operation.value for operation in IngestOperation]
    near = get_close_matches(word, known, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise InvalidRequest(f"The operation must be one of {', '.join(known)}.{hint}")


def check_upsert_field(operation: IngestOperation, field: str | None) -> str | None:
    """Return the external id field of an upsert, None for any other operation.

    Raises:
        InvalidRequest: An upsert without the field, or a field that is no API name.
    """
    if operation is not IngestOperation.UPSERT:
        return None
    if not field:
        raise InvalidRequest("An upsert needs external_id_field: the field that tells which record a row is.")
    return check_field(field)
