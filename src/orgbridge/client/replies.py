"""Shapes of Salesforce's replies as plain frozen values, and how they are read from JSON and headers.

Missing keys are tolerated where the platform is known to leave them out; a reply that lacks what a caller cannot do
without is a `MalformedReply`. No I/O here.

Source: facts/salesforce/bulk2.md section 3, rest.md sections 1 and 3, soql.md section 1, composite.md section 5.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qs, urlsplit

from orgbridge.client.errors import MalformedReply, SalesforceFault
from orgbridge.kit.json import JSON, Envelope, JSONDecodeError, Raw, loads, loads_as
from orgbridge.wire.bulk import ColumnDelimiter, IngestOperation, JobState, LineEnding

#: Characters of a non-JSON error body that are kept: enough to recognise a proxy's or an Edge page.
_TEXT_KEPT = 200
_USAGE = re.compile(r"(?<![\w-])api-usage=(\d+)/(\d+)")
_APP_USAGE = re.compile(r"per-app-api-usage=(\d+)/(\d+)(?:\(appName=([^)]*)\))?")
_TAG = re.compile(r"<[^>]*>")


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitInfo:
    """API requests of the rolling day, as the `Sforce-Limit-Info` header tells."""

    #: Requests used.
    used: int
    #: Requests allowed.
    allowed: int
    #: Used by this connected app, when it has a share of its own.
    app_used: int | None = None
    #: Allowed to this connected app.
    app_allowed: int | None = None
    #: Name of the connected app.
    app_name: str | None = None

    @property
    def remaining(self) -> int:
        """Requests left to the org, never below 0."""
        return max(0, self.allowed - self.used)


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveResult:
    """Outcome of one record in a collections call."""

    #: The record's id; None for a record that failed.
    id: str | None
    #: True when the record was saved.
    success: bool
    #: For an upsert: whether the record is new. None otherwise.
    created: bool | None = None
    #: Why it failed; empty on success.
    errors: tuple[SalesforceFault, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UpsertResult:
    """Outcome of an upsert by external id."""

    #: The record's id.
    id: str
    #: True when the record is new, as the last try saw it.
    created: bool
    #: True when an earlier try was lost after sending: it may be that one which created the record.
    repeated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryPage:
    """One page of a SOQL query."""

    #: Records of the whole query, not of this page.
    total_size: int
    #: True on the last page.
    done: bool
    #: Where the next page is; None on the last one.
    next_records_url: str | None
    #: Records with their `attributes`, in Salesforce's order.
    records: list[dict[str, Any]]


class QueryWay(StrEnum):
    """How a query reached Salesforce."""

    #: As the query resource's own URL.
    QUERY = "query"
    #: As a subrequest of a composite call, because its text does not fit a URL.
    COMPOSITE = "composite"


@dataclass(frozen=True, slots=True, kw_only=True)
class RawPage:
    """One page of a SOQL query whose records were not read."""

    #: Records of the whole query, not of this page.
    total_size: int
    #: True on the last page.
    done: bool
    #: Where the next page is; None on the last one.
    next_records_url: str | None
    #: A JSON list of the records, as Salesforce wrote it.
    records: bytes = field(repr=False)
    #: How the query went.
    way: QueryWay = QueryWay.QUERY


class _PageEnvelope(Envelope, rename="camel"):
    total_size: int
    done: bool
    records: Raw
    next_records_url: str | None = None


class Subreply(Envelope, rename="camel"):
    """What became of one subrequest of a composite call."""

    #: Status of its own.
    http_status_code: int
    #: Name that the subrequest was given.
    reference_id: str
    #: Its body as Salesforce wrote it; `null` for none.
    body: Raw
    #: Headers of its own, as Salesforce wrote them.
    http_headers: Raw


class _CompositeEnvelope(Envelope, rename="camel"):
    composite_response: list[Subreply]


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestJobRequest:
    """What an ingest job is to do."""

    #: API name of the object.
    object: str
    #: What happens to each row.
    operation: IngestOperation
    #: The key column of an upsert; None otherwise.
    external_id_field: str | None = None
    #: Must be what the CSV uses, byte for byte.
    line_ending: LineEnding = LineEnding.LF
    #: Must be what the CSV uses.
    column_delimiter: ColumnDelimiter = ColumnDelimiter.COMMA
    #: A Case or Lead assignment rule to run.
    assignment_rule_id: str | None = None

    def to_json(self) -> dict[str, str]:
        """Return the request's JSON."""
        body = {
            "object": self.object,
            "operation": self.operation.value,
            "contentType": "CSV",
            "lineEnding": self.line_ending.value,
            "columnDelimiter": self.column_delimiter.value,
        }
        if self.external_id_field is not None:
            body["externalIdFieldName"] = self.external_id_field
        if self.assignment_rule_id is not None:
            body["assignmentRuleId"] = self.assignment_rule_id
        return body


@dataclass(frozen=True, slots=True, kw_only=True)
class JobInfo:
    """State of a Bulk API 2.0 job. Which numbers are there depends on the call and on the state."""

    #: The job's id, `750…`.
    id: str
    #: Where the job stands.
    state: JobState
    #: `insert`, `upsert`, `query` …; empty when the reply left it out.
    operation: str = ""
    #: API name of the object; empty when the reply left it out.
    object: str = ""
    #: Rows processed, failed ones included; None when the reply left it out.
    number_records_processed: int | None = None
    #: Rows failed; None when the reply left it out.
    number_records_failed: int | None = None
    #: Why the whole job failed.
    error_message: str | None = None
    #: The key column of an upsert.
    external_id_field: str | None = None
    #: `V2Ingest`, `V2Query`; empty when the reply left it out.
    job_type: str = ""
    #: When it was created, in Salesforce's words.
    created_date: str = ""
    #: All that Salesforce said.
    raw: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPage:
    """One page of a list of jobs."""

    #: Bulk API 2.0 jobs; those of Bulk API 1.0 share the list and are left out.
    jobs: tuple[JobInfo, ...]
    #: True on the last page.
    done: bool
    #: Where the next page is; None on the last one.
    next_records_url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultPages:
    """One page of the list of a query job's result pages."""

    #: Locators of result pages, in order; None stands for the first page.
    locators: tuple[str | None, ...]
    #: Where the list goes on; None at its end.
    next_records_url: str | None


def parse_limit_info(header: str | None) -> LimitInfo | None:
    """Return what a `Sforce-Limit-Info` header says, with or without the share of the app; None if it says nothing."""
    found = _USAGE.search(header) if header else None
    if header is None or found is None:
        return None
    app = _APP_USAGE.search(header)
    return LimitInfo(
        used=int(found[1]),
        allowed=int(found[2]),
        app_used=int(app[1]) if app else None,
        app_allowed=int(app[2]) if app else None,
        app_name=app[3] if app else None,
    )


def parse_faults(body: bytes) -> tuple[SalesforceFault, ...]:
    """Return the errors in an error reply: an array, one object, an array of URLs, or the start of a page's text.

    Never raises: an Edge or proxy page gives one fault without a code. Empty for an empty body.
    """
    if not body.strip():
        return ()
    try:
        value = loads(body)
    except JSONDecodeError:
        text = " ".join(_TAG.sub(" ", body[:4096].decode("utf-8", "replace")).split())[:_TEXT_KEPT]
        return (SalesforceFault(error_code="", message=text),)
    items = value if isinstance(value, list) else [value]
    if isinstance(value, dict) and isinstance(value.get("errors"), list) and value["errors"]:
        # A checkout's body: `{"errors": [{"type", "title", "detail", ...}], ...}`.
        items = value["errors"]
    if items and all(isinstance(item, str) for item in items):
        listed = ", ".join(items)
        return (SalesforceFault(error_code="", message=f"several records carry this external id: {listed}"),)
    return tuple(parse_fault(item) for item in items if isinstance(item, dict))


def parse_fault(item: Mapping[str, Any]) -> SalesforceFault:
    """Return one error in any of Salesforce's spellings of it.

    Collections call the code `statusCode`, OAuth `error`, checkouts put it at the end of `type`, all else `errorCode`.
    """
    code = item.get("errorCode") or item.get("statusCode") or item.get("error") or _tail(item.get("type")) or ""
    message = item.get("message") or item.get("error_description") or item.get("detail") or item.get("title") or ""
    fields = item.get("fields") or _names(item.get("invalidParameters"))
    names = tuple(str(name) for name in fields) if isinstance(fields, list) else ()
    return SalesforceFault(error_code=str(code), message=str(message), fields=names)


def _tail(kind: Any) -> str:
    return kind.rpartition("/")[2] if isinstance(kind, str) else ""


def _names(parameters: Any) -> list[str]:
    named = [item.get("name") for item in parameters if isinstance(item, dict)] if isinstance(parameters, list) else []
    return [str(name) for name in named if name]


def parse_object(body: bytes, what: str) -> dict[str, Any]:
    """Return a JSON object.

    Raises:
        MalformedReply: The body is not a JSON object.
    """
    value = parse_json(body, what)
    if not isinstance(value, dict):
        raise MalformedReply(f"Salesforce's reply to {what} is no JSON object.")
    return value


def parse_json(body: bytes, what: str) -> JSON:
    """Return the JSON of a successful reply.

    Raises:
        MalformedReply: The body is not JSON, e.g. because a proxy answered.
    """
    try:
        return loads(body)
    except JSONDecodeError as error:
        raise MalformedReply(f"Salesforce's reply to {what} is not JSON: {error}") from error


def parse_query_page(body: bytes) -> QueryPage:
    """Return a page of a query.

    Raises:
        MalformedReply: It is no query reply, or promises a next page without saying where.
    """
    value = parse_object(body, "a query")
    records, done, url = value.get("records"), value.get("done"), value.get("nextRecordsUrl")
    total = _count(value, "totalSize")
    if not isinstance(done, bool) or total is None or not isinstance(records, list | None):
        raise MalformedReply("Salesforce's reply to a query lacks `done`, `totalSize` or `records`.")
    if not done and not url:
        raise MalformedReply("Salesforce's reply to a query is not done and names no next page.")
    return QueryPage(
        total_size=total,
        done=done,
        next_records_url=None if done else str(url),
        records=records or [],
    )


def parse_raw_page(body: bytes, way: QueryWay = QueryWay.QUERY) -> RawPage:
    """Return a page of a query with its records unread.

    Raises:
        MalformedReply: It is no query reply, or promises a next page without saying where.
    """
    try:
        value = loads_as(body, _PageEnvelope)
    except JSONDecodeError as error:
        raise MalformedReply(f"Salesforce's reply to a query is not of its documented shape: {error}") from error
    if not value.done and not value.next_records_url:
        raise MalformedReply("Salesforce's reply to a query is not done and names no next page.")
    return RawPage(
        total_size=value.total_size,
        done=value.done,
        next_records_url=None if value.done else value.next_records_url,
        records=bytes(value.records),
        way=way,
    )


def parse_composite(body: bytes, expected: int) -> list[Subreply]:
    """Return what became of the subrequests of a composite call, in their order.

    Raises:
        MalformedReply: It is no such reply, or has another number of answers than there were subrequests.
    """
    try:
        answers = loads_as(body, _CompositeEnvelope).composite_response
    except JSONDecodeError as error:
        raise MalformedReply(f"Salesforce's reply to a composite call is not of its shape: {error}") from error
    if len(answers) != expected:
        raise MalformedReply(f"Salesforce gave {len(answers)} answers to {expected} subrequests.")
    return answers


def parse_save_results(body: bytes, expected: int) -> list[SaveResult]:
    """Return the outcomes of a collections call, in the order of its records.

    Raises:
        MalformedReply: It is no such reply, or has another number of outcomes than there were records.
    """
    items = parse_json(body, "a collections call")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise MalformedReply("Salesforce's reply to a collections call is no list of outcomes.")
    if len(items) != expected:
        raise MalformedReply(f"Salesforce gave {len(items)} outcomes for {expected} records.")
    return [
        SaveResult(
            id=item.get("id") or None,
            success=item.get("success") is True,
            created=item.get("created"),
            errors=tuple(parse_fault(fault) for fault in item.get("errors") or ()),
        )
        for item in items
    ]


def parse_job(body: bytes) -> JobInfo:
    """Return a job.

    Raises:
        MalformedReply: It has no id or no state that Bulk API 2.0 knows.
    """
    return read_job(parse_object(body, "a bulk job"))


def read_job(value: Mapping[str, Any]) -> JobInfo:
    """Return a job from its JSON object.

    Raises:
        MalformedReply: It has no id or no state that Bulk API 2.0 knows.
    """
    try:
        state = JobState(value.get("state", ""))
    except ValueError as error:
        raise MalformedReply(f"Salesforce gave a bulk job the state {value.get('state')!r}.") from error
    if not value.get("id"):
        raise MalformedReply("Salesforce's reply to a bulk job call has no id.")
    return JobInfo(
        id=str(value["id"]),
        state=state,
        operation=str(value.get("operation") or ""),
        object=str(value.get("object") or ""),
        number_records_processed=_count(value, "numberRecordsProcessed"),
        number_records_failed=_count(value, "numberRecordsFailed"),
        error_message=str(value["errorMessage"]) if value.get("errorMessage") else None,
        external_id_field=str(value["externalIdFieldName"]) if value.get("externalIdFieldName") else None,
        job_type=str(value.get("jobType") or ""),
        created_date=str(value.get("createdDate") or ""),
        raw=dict(value),
    )


def parse_job_page(body: bytes) -> JobPage:
    """Return one page of a list of jobs, without those of Bulk API 1.0.

    Raises:
        MalformedReply: It is no such list.
    """
    value = parse_object(body, "a list of bulk jobs")
    records, url = value.get("records"), value.get("nextRecordsUrl")
    if not isinstance(records, list) or not all(isinstance(item, dict) for item in records):
        raise MalformedReply("Salesforce's list of bulk jobs has no `records`.")
    jobs = tuple(read_job(item) for item in records if item.get("jobType") not in ("Classic", "BigObjectIngest"))
    return JobPage(jobs=jobs, done=not url, next_records_url=str(url) if url else None)


def parse_result_pages(body: bytes) -> ResultPages:
    """Return one page of the list of a query job's result pages.

    Raises:
        MalformedReply: It is no such list.
    """
    value = parse_object(body, "a list of result pages")
    pages = value.get("resultPages")
    if not isinstance(pages, list):
        raise MalformedReply("Salesforce's list of result pages has no `resultPages`.")
    urls = [page.get("resultUrl") if isinstance(page, dict) else None for page in pages]
    if not all(isinstance(url, str) for url in urls):
        raise MalformedReply("Salesforce's list of result pages has a page without `resultUrl`.")
    locators = tuple(parse_qs(urlsplit(str(url)).query).get("locator", [None])[0] for url in urls)
    # The guide's prose spells the key without the s, its sample with it.
    url = value.get("nextRecordsUrl") or value.get("nextRecordUrl")
    return ResultPages(locators=locators, next_records_url=str(url) if url and not value.get("done") else None)


def _count(value: Mapping[str, Any], key: str) -> int | None:
    number = value.get(key)
    if number is None:
        return None
    try:
        return int(number)
    except (TypeError, ValueError) as error:
        raise MalformedReply(f"Salesforce gave {key} as {number!r}.") from error
