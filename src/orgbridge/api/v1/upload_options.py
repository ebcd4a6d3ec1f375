"""The options of an uploaded load: query parameters, or form fields before the file. Unknown ones are refused."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, Any

from fastapi import Query, Request

from orgbridge.loads.mapping_files import spec_of_options
from orgbridge.services.errors import InvalidRequest
from orgbridge.services.handling import HANDLING_OPTIONS, MAX_CANARY, MAX_ROUNDS
from orgbridge.services.loads import LoadRequest
from orgbridge.services.uploads import Upload

#: Largest number of rows of one part that may be asked for.
MAX_PART_ROWS = 10_000_000
_FORMATS = ("time_zone", "date_format", "datetime_format", "decimal_mark")
_FLAGS = ("strict", "preflight", "dry_run")
FORM_OPTIONS = frozenset(
    {
        "object_name",
        "operation_type",
        "external_id_field",
        "encoding",
        "delimiter",
        "part_rows",
        "sheet",
        "mapping",
        "null_policy",
        *_FORMATS,
        *_FLAGS,
        *HANDLING_OPTIONS,
    }
)
RAW_OPTIONS = FORM_OPTIONS | {"filename"}
#: Query parameters of every upload; no fields of a form.
QUERY_OPTIONS = frozenset({"notify_url"})
#: Texts of a flag.
#: Of a mapping in the URL, all of which the server takes up to 64 KiB, some characters three bytes each.
_URL_MAPPING_CHARS = 12_000
_YES, _NO = frozenset({"true", "1", "yes", "on"}), frozenset({"false", "0", "no", "off"})


def query_options(
    sheet: Annotated[
        str | None,
        Query(max_length=31, description="Sheet of a workbook; the first if not given.", examples=["Accounts"]),
    ] = None,
    mapping: Annotated[
        str | None,
        Query(
            max_length=_URL_MAPPING_CHARS,
            description="Columns to fields: JSON, a CSV of two columns, or Data Loader's .sdl. Longer: a form field.",
            examples=['{"columns": {"Company": "Name", "Parent code": "Parent.External_Id__c"}}'],
        ),
    ] = None,
    null_policy: Annotated[
        str | None,
        Query(
            max_length=2_000,
            description="What blank cells mean: ignore, clear or error; or Phone:clear,*:ignore.",
            examples=["Phone:clear,*:ignore"],
        ),
    ] = None,
    time_zone: Annotated[
        str | None,
        Query(
            max_length=64,
            description="Zone of instants that name none, e.g. Europe/Berlin.",
            examples=["Europe/Berlin"],
        ),
    ] = None,
    date_format: Annotated[
        str | None, Query(max_length=64, description="Pattern of dates, e.g. dd.MM.yyyy.", examples=["dd.MM.yyyy"])
    ] = None,
    datetime_format: Annotated[
        str | None,
        Query(max_length=64, description="Pattern of instants, e.g. dd.MM.yyyy HH:mm.", examples=["dd.MM.yyyy HH:mm"]),
    ] = None,
    decimal_mark: Annotated[
        str | None,
        Query(max_length=1, description="A point or a comma; the other one separates thousands.", examples=[","]),
    ] = None,
    strict: Annotated[bool | None, Query(description="Check everything first and send nothing on any finding.")] = None,
    preflight: Annotated[
        bool | None, Query(description="Look at every row first; findings are kept as warnings.")
    ] = None,
    dry_run: Annotated[bool | None, Query(description="Look at every row, tell what is found, send nothing.")] = None,
) -> dict[str, str | bool | None]:
    """Return the options of a load that every upload takes, as the query gives them."""
    return {
        "sheet": sheet,
        "mapping": mapping,
        "null_policy": null_policy,
        "time_zone": time_zone,
        "date_format": date_format,
        "datetime_format": datetime_format,
        "decimal_mark": decimal_mark,
        "strict": strict,
        "preflight": preflight,
        "dry_run": dry_run,
    }


def option_fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return options as fields of a `LoadRequest`.

    Args:
        given: Options by name, as texts or JSON; those not given absent or None.

    Raises:
        InvalidRequest: A flag is neither true nor false.
        BadMapping: The mapping or a format cannot be read.
    """
    spec = spec_of_options(
        mapping=given.get("mapping"),
        null_policy=given.get("null_policy"),
        formats={name: given.get(name) for name in _FORMATS},
    )
    return {
        "sheet": given.get("sheet") or None,
        "mapping": spec,
        **{name: _flag(name, given.get(name)) for name in _FLAGS},
    }


def handling_fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return how a load is to be carried out, of options that say other things too."""
    return {name: given[name] for name in HANDLING_OPTIONS if given.get(name) is not None}


def _flag(name: str, value: str | bool | None) -> bool:
    if value is None or isinstance(value, bool):
        return bool(value)
    if value.strip().lower() in _YES:
        return True
    if value.strip().lower() in _NO:
        return False
    raise InvalidRequest(f"{name} must be true or false.")


def check_query(request: Request, known: Collection[str]) -> None:
    """See that every query parameter is one that the call knows.

    An option that were overlooked would change records that the caller meant to keep.

    Raises:
        InvalidRequest: One is not known; nothing was read.
    """
    _check(request.query_params.keys(), {*known, *QUERY_OPTIONS})


def form_request(upload: Upload, query: Mapping[str, Any]) -> LoadRequest:
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
        **option_fields(given),
        object_name=_needed("object_name", given),
        operation=_needed("operation_type", given),
        external_id_field=given.get("external_id_field"),
        original_name=upload.filename,
        content_type=upload.content_type,
        encoding=given.get("encoding"),
        delimiter=given.get("delimiter"),
        part_rows=_rows(given.get("part_rows")),
        handling=given,
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


def handling_query(
    canary: Annotated[
        int | None, Query(ge=1, le=MAX_CANARY, description=HANDLING_OPTIONS["canary"], examples=[200])
    ] = None,
    max_failure_ratio: Annotated[
        float | None, Query(ge=0, le=1, description=HANDLING_OPTIONS["max_failure_ratio"], examples=[0.1])
    ] = None,
    row_retry: Annotated[
        int | None, Query(ge=0, le=MAX_ROUNDS, description=HANDLING_OPTIONS["row_retry"], examples=[3])
    ] = None,
    serial: Annotated[bool | None, Query(description=HANDLING_OPTIONS["serial"])] = None,
    group_by: Annotated[
        str | None, Query(max_length=255, description=HANDLING_OPTIONS["group_by"], examples=["ParentId"])
    ] = None,
    before_images: Annotated[bool | None, Query(description=HANDLING_OPTIONS["before_images"])] = None,
    delta: Annotated[bool | None, Query(description=HANDLING_OPTIONS["delta"])] = None,
    delta_source: Annotated[
        str | None, Query(max_length=255, description=HANDLING_OPTIONS["delta_source"], examples=["erp-accounts"])
    ] = None,
    delta_verify: Annotated[bool | None, Query(description=HANDLING_OPTIONS["delta_verify"])] = None,
) -> dict[str, Any]:
    """Return how a load is to be carried out, as the query says; None for what it does not say."""
    return {
        "canary": canary,
        "max_failure_ratio": max_failure_ratio,
        "row_retry": row_retry,
        "serial": serial,
        "group_by": group_by,
        "before_images": before_images,
        "delta": delta,
        "delta_source": delta_source,
        "delta_verify": delta_verify,
    }
