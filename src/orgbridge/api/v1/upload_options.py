"""The options of an uploaded load: query parameters, or form fields before the file. Unknown ones are refused."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from fastapi import Request

from orgbridge.api.uploads import Upload
from orgbridge.services.errors import InvalidRequest
from orgbridge.services.loads import LoadRequest

#: Largest number of rows of one part that may be asked for.
MAX_PART_ROWS = 10_000_000
FORM_OPTIONS = frozenset({"object_name", "operation_type", "external_id_field", "encoding", "delimiter", "part_rows"})
RAW_OPTIONS = FORM_OPTIONS | {"filename"}
#: Query parameters of every upload; no fields of a form.
QUERY_OPTIONS = frozenset({"notify_url"})


def check_query(request: Request, known: Collection[str]) -> None:
    """See that every query parameter is one that the call knows.

    An option that were overlooked, `dry_run` say, would change records that the caller meant to keep.

    Raises:
        InvalidRequest: One is not known; nothing was read.
    """
    _check(request.query_params.keys(), {*known, *QUERY_OPTIONS})


def form_request(upload: Upload, query: Mapping[str, str | int | None]) -> LoadRequest:
    """Return what a form asks for: its fields, and the query's words, which go first.

    Args:
        upload: Opened, so that its fields are known.
        query: The query parameters by name; None or empty for those not given.

    Raises:
        InvalidRequest: An option is missing, unknown or out of range.
    """
    _check(upload.fields, FORM_OPTIONS)
    given: dict[str, str] = {name: text for name, text in upload.fields.items() if text}
    given |= {name: str(value) for name, value in query.items() if value not in (None, "")}
    return LoadRequest(
        object_name=_needed("object_name", given),
        operation=_needed("operation_type", given),
        external_id_field=given.get("external_id_field"),
        original_name=upload.filename,
        content_type=upload.content_type,
        encoding=given.get("encoding"),
        delimiter=given.get("delimiter"),
        part_rows=_rows(given.get("part_rows")),
    )


def _check(names: Collection[str], known: Collection[str]) -> None:
    unknown = sorted(set(names) - set(known))
    if unknown:
        choices = ", ".join(sorted(known))
        raise InvalidRequest(
            f"There is no option {unknown[0][:100]!r}; there are {choices}.",
            details=[{"field": name[:100], "code": "option.unknown", "message": "unknown"} for name in unknown[:100]],
        )


def _needed(name: str, given: Mapping[str, str]) -> str:
    value = given.get(name)
    if value is None:
        raise InvalidRequest(f"{name} is missing: give it in the query, or as a form field before the file.")
    return value


def _rows(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 8 and 1 <= int(text) <= MAX_PART_ROWS):
        raise InvalidRequest(f"part_rows must be a whole number from 1 to {MAX_PART_ROWS}.")
    return int(text)
