"""What a new job of Bulk API 1.0 is to do, checked.

Source: facts/salesforce/bulk1.md. Texts that it does not quote are Assumed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from orgbridge.emulator.jobs.classic.faults import ClassicFault
from orgbridge.emulator.jobs.classic.rows import ClassicOperation, ClassicState, Concurrency, ContentType
from orgbridge.emulator.schema.model import Catalogue, SObject
from orgbridge.kit.json import JSON
from orgbridge.wire.ids import to_18

_E = TypeVar("_E", bound=StrEnum)
_KEYS = frozenset(
    {
        "operation",
        "object",
        "externalIdFieldName",
        "concurrencyMode",
        "contentType",
        "assignmentRuleId",
        "state",
    }
)
#: Objects whose rows assignment rules run on.
_ASSIGNED = frozenset({"Case", "Lead"})


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """What a new job is to do."""

    #: The object.
    sobject: SObject
    #: What is done.
    operation: ClassicOperation
    #: Key of an upsert, in the catalogue's spelling.
    external_id_field: str | None
    #: Echoed.
    assignment_rule_id: str | None
    #: Whether batches wait for each other.
    concurrency: Concurrency
    #: Form of batches and results.
    content_type: ContentType


def read_job_request(catalogue: Catalogue, body: Mapping[str, JSON], seen: Catalogue | None = None) -> JobRequest:
    """Return the request of POST /job.

    Args:
        catalogue: The objects of the org.
        body: What the request says.
        seen: The objects as the caller may see them; None for all as they are.

    Raises:
        ClassicFault: A key or a value is not understood.
    """
    for key in body:
        if key not in _KEYS:
            raise ClassicFault("InvalidJob", f"Unknown element in jobInfo: {key}")
    operation = _choice(ClassicOperation, body, "operation", "InvalidOperation")
    if (_text(body, "state") or ClassicState.OPEN) != ClassicState.OPEN:
        raise ClassicFault("InvalidJobState", "A new job must be Open")
    sobject = _sobject(catalogue, operation, _text(body, "object"))
    shown = (seen or catalogue).sobject(sobject.name)
    if shown is None:
        raise ClassicFault("InvalidEntity", f"Entity '{sobject.name}' is not supported by the Bulk API.")
    rule = _text(body, "assignmentRuleId")
    if rule is not None and (sobject.name not in _ASSIGNED or to_18(rule) is None):
        raise ClassicFault("InvalidJob", f"assignmentRuleId {rule} is not valid for {sobject.name}")
    return JobRequest(
        sobject=sobject,
        operation=operation,
        external_id_field=_key_field(shown, operation, _text(body, "externalIdFieldName")),
        assignment_rule_id=rule,
        concurrency=_concurrency(body),
        content_type=_content_type(body),
    )


def read_state(body: Mapping[str, JSON], job_id: str) -> ClassicState:
    """Return the state that a change of a job asks for; the job may be named again.

    Raises:
        ClassicFault: The body asks for anything but Closed or Aborted.
    """
    for key in body:
        if key not in ("state", "id"):
            raise ClassicFault("InvalidJob", f"Only the state of a job can be changed, not {key}")
    named = _text(body, "id")
    if named is not None and to_18(named) != to_18(job_id):
        raise ClassicFault("InvalidJob", f"Invalid job id: {named}")
    state = _choice(ClassicState, body, "state", "InvalidJobState")
    if state not in (ClassicState.CLOSED, ClassicState.ABORTED):
        raise ClassicFault("InvalidJobState", f"The state of a job cannot be set to {state.value}")
    return state


def _sobject(catalogue: Catalogue, operation: ClassicOperation, name: str | None) -> SObject:
    if not name:
        raise ClassicFault("InvalidJob", "object is required")
    sobject = catalogue.sobject(name)
    if sobject is None or not (operation.reads or sobject.createable):
        raise ClassicFault("InvalidEntity", f"Entity '{name}' is not supported by the Bulk API.")
    return sobject


def _concurrency(body: Mapping[str, JSON]) -> Concurrency:
    value = body.get("concurrencyMode")
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(Concurrency):
        # Source: bulk1.md, "simple-salesforce sends the integer enum ordinal".
        return list(Concurrency)[value]
    return _choice(Concurrency, body, "concurrencyMode", "InvalidJob", Concurrency.PARALLEL)


def _content_type(body: Mapping[str, JSON]) -> ContentType:
    text = _text(body, "contentType")
    if text in ("ZIP_XML", "ZIP_CSV", "ZIP_JSON"):
        raise ClassicFault("UnsupportedContentType", f"The emulated org takes no zipped batches: {text}")
    return _choice(ContentType, body, "contentType", "UnsupportedContentType", ContentType.XML)


def _text(body: Mapping[str, JSON], key: str) -> str | None:
    value = body.get(key)
    if value is None or isinstance(value, str):
        return value
    raise ClassicFault("InvalidJob", f"{key} must be a text")


def _choice(kind: type[_E], body: Mapping[str, JSON], key: str, code: str, default: _E | None = None) -> _E:
    text = _text(body, key)
    if text is None:
        if default is None:
            raise ClassicFault("InvalidJob", f"{key} is required")
        return default
    for value in kind:
        if value.value == text:
            return value
    raise ClassicFault(code, f"{key} {text} is not one of {', '.join(value.value for value in kind)}")


def _key_field(sobject: SObject, operation: ClassicOperation, name: str | None) -> str | None:
    if operation is not ClassicOperation.UPSERT:
        return None  # simple-salesforce and Data Loader may leave it in; it means nothing then.
    if not name:
        raise ClassicFault("InvalidJob", "External ID was blank for " + sobject.name)
    field = sobject.field(name)
    if field is None or not (field.external_id or field.id_lookup):
        text = f"Field name provided, {name} does not match an External ID for {sobject.name}"
        raise ClassicFault("InvalidJob", text)
    return field.name
