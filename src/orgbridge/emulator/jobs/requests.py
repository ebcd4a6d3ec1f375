"""Bodies that create jobs or change their state: checked, and refused with the code of Bulk API 2.0.

Source: facts/salesforce/bulk2.md sections 2, 6 and 9. Texts that section 6 does not quote are Assumed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from orgbridge.emulator.schema.errors import SFError
from orgbridge.emulator.schema.model import Catalogue, SObject
from orgbridge.kit.json import JSON
from orgbridge.wire.bulk import ColumnDelimiter, IngestOperation, JobState, LineEnding, QueryOperation
from orgbridge.wire.ids import to_18

_E = TypeVar("_E", bound=StrEnum)
_INGEST_KEYS = frozenset(
    {
        "object",
        "operation",
        "externalIdFieldName",
        "contentType",
        "columnDelimiter",
        "lineEnding",
        "assignmentRuleId",
        "concurrencyMode",
    }
)
_QUERY_KEYS = frozenset({"operation", "query", "contentType", "columnDelimiter", "lineEnding", "concurrencyMode"})
#: Objects whose rows assignment rules run on.
_ASSIGNED = frozenset({"Case", "Lead"})


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestRequest:
    """What a new ingest job is to do."""

    #: The object.
    sobject: SObject
    #: What happens to each row.
    operation: IngestOperation
    #: Key of an upsert, in the catalogue's spelling.
    external_id_field: str | None
    #: Echoed.
    assignment_rule_id: str | None
    #: Of the file.
    delimiter: ColumnDelimiter
    #: Of the file.
    line_ending: LineEnding


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryRequest:
    """What a new query job is to read."""

    #: Whether deleted rows are read too.
    operation: QueryOperation
    #: The SOQL.
    query: str
    #: Of the results.
    delimiter: ColumnDelimiter
    #: Of the results.
    line_ending: LineEnding


def read_ingest_request(catalogue: Catalogue, body: Mapping[str, JSON], seen: Catalogue | None = None) -> IngestRequest:
    """Return the request of POST /jobs/ingest.

    Args:
        catalogue: The objects of the org.
        body: The request's JSON.
        seen: The objects as the caller may see them; None for all as they are.

    Raises:
        SFError: A key or a value is not understood.
    """
    _check_keys(body, _INGEST_KEYS)
    operation = _choice(IngestOperation, body, "operation", "INVALIDOPERATION")
    name = _text(body, "object")
    sobject = catalogue.sobject(name) if name else None
    if not name:
        raise SFError("INVALIDJOB", "object is required")
    shown = (seen or catalogue).sobject(name)
    if sobject is None or shown is None or not sobject.createable:
        raise SFError("INVALIDENTITY", f"Entity '{name}' is not supported by the Bulk API.")
    rule = _text(body, "assignmentRuleId")
    if rule is not None and (sobject.name not in _ASSIGNED or to_18(rule) is None):
        raise SFError("INVALIDJOB", f"assignmentRuleId {rule!r} is not valid for {sobject.name}")
    return IngestRequest(
        sobject=sobject,
        operation=operation,
        external_id_field=_key_field(shown, operation, _text(body, "externalIdFieldName")),
        assignment_rule_id=rule,
        delimiter=_choice(ColumnDelimiter, body, "columnDelimiter", "CLIENTINPUTERROR", ColumnDelimiter.COMMA),
        line_ending=_choice(LineEnding, body, "lineEnding", "CLIENTINPUTERROR", LineEnding.LF),
    )


def read_query_request(body: Mapping[str, JSON]) -> QueryRequest:
    """Return the request of POST /jobs/query; the SOQL itself is not looked at.

    Raises:
        SFError: A key or a value is not understood.
    """
    _check_keys(body, _QUERY_KEYS)
    query = _text(body, "query")
    if not query:
        raise SFError("INVALIDJOB", "query is required")
    return QueryRequest(
        operation=_choice(QueryOperation, body, "operation", "INVALIDOPERATION"),
        query=query,
        delimiter=_choice(ColumnDelimiter, body, "columnDelimiter", "CLIENTINPUTERROR", ColumnDelimiter.COMMA),
        line_ending=_choice(LineEnding, body, "lineEnding", "CLIENTINPUTERROR", LineEnding.LF),
    )


def read_state(body: Mapping[str, JSON]) -> JobState:
    """Return the state that a PATCH asks for.

    Raises:
        SFError: The body asks for anything but UploadComplete or Aborted.
    """
    _check_keys(body, frozenset({"state"}))
    state = _choice(JobState, body, "state", "INVALIDJOBSTATE")
    if state not in (JobState.UPLOAD_COMPLETE, JobState.ABORTED):
        raise SFError("INVALIDJOBSTATE", f"The state of a job cannot be set to {state.value}")
    return state


def _check_keys(body: Mapping[str, JSON], known: frozenset[str]) -> None:
    for key in body:
        if key not in known:
            raise SFError("JSON_PARSER_ERROR", f'Unrecognized field "{key}" at [line:1, column:1]')
    if _text(body, "contentType") not in (None, "CSV"):
        raise SFError("CLIENTINPUTERROR", f"contentType {body['contentType']!r} is not supported; use CSV")
    if _text(body, "concurrencyMode") not in (None, "Parallel"):
        raise SFError("CLIENTINPUTERROR", f"concurrencyMode {body['concurrencyMode']!r} is not supported")


def _text(body: Mapping[str, JSON], key: str) -> str | None:
    value = body.get(key)
    if value is None or isinstance(value, str):
        return value
    raise SFError("JSON_PARSER_ERROR", f"Cannot deserialize {key}: a string is expected at [line:1, column:1]")


def _choice(kind: type[_E], body: Mapping[str, JSON], key: str, code: str, default: _E | None = None) -> _E:
    text = _text(body, key)
    if text is None:
        if default is None:
            raise SFError(code, f"{key} is required")
        return default
    for value in kind:
        if value.value == text:
            return value
    raise SFError(code, f"{key} {text!r} is not one of {', '.join(value.value for value in kind)}")


def _key_field(sobject: SObject, operation: IngestOperation, name: str | None) -> str | None:
    if operation is not IngestOperation.UPSERT:
        if name is not None:
            raise SFError("INVALIDJOB", f"externalIdFieldName is not allowed for {operation.value}")
        return None
    if name is None:
        raise SFError("INVALIDJOB", "externalIdFieldName is required for upsert")
    field = sobject.field(name)
    if field is None or not (field.external_id or field.id_lookup):
        raise SFError("INVALIDJOB", f"Field name provided, {name} does not match an External ID for {sobject.name}")
    return field.name
