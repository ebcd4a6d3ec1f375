"""Shapes of the bulk calls."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from orgbridge.api.v1.schemas.records import SOQL_SCHEMA, LoadOperation, ObjectName
from orgbridge.services.handling import HANDLING_OPTIONS, MAX_CANARY, MAX_ROUNDS


class LoadOptions(BaseModel):
    """What every load may say about its input."""

    mapping: dict[str, Any] | str | None = Field(
        None, description="Columns to fields: an object, or the text of a CSV of two columns or of Data Loader's .sdl."
    )
    null_policy: dict[str, Literal["ignore", "clear", "error"]] | str | None = Field(
        None, description="What blank cells mean, for all columns or by column."
    )
    time_zone: str | None = Field(None, max_length=64, description="Zone of instants that name none.")
    date_format: str | None = Field(None, max_length=64, description="Pattern of dates, e.g. dd.MM.yyyy.")
    datetime_format: str | None = Field(None, max_length=64, description="Pattern of instants.")
    decimal_mark: Literal[".", ","] | None = Field(None, description="The other one separates thousands.")
    part_rows: int | None = Field(None, ge=1, le=10_000_000, description="Rows per part.")
    strict: StrictBool = Field(False, description="Check everything first and send nothing on any finding.")
    preflight: StrictBool = Field(False, description="Look at every row first; findings are kept as warnings.")
    dry_run: StrictBool = Field(False, description="Look at every row, tell what is found, send nothing.")
    canary: int | None = Field(None, ge=1, le=MAX_CANARY, description=HANDLING_OPTIONS["canary"])
    max_failure_ratio: float | None = Field(None, ge=0, le=1, description=HANDLING_OPTIONS["max_failure_ratio"])
    row_retry: int | None = Field(None, ge=0, le=MAX_ROUNDS, description=HANDLING_OPTIONS["row_retry"])
    serial: StrictBool | None = Field(None, description=HANDLING_OPTIONS["serial"])
    group_by: str | None = Field(None, min_length=1, max_length=255, description=HANDLING_OPTIONS["group_by"])
    before_images: StrictBool | None = Field(None, description=HANDLING_OPTIONS["before_images"])
    delta: StrictBool | None = Field(None, description=HANDLING_OPTIONS["delta"])
    delta_source: str | None = Field(None, max_length=255, description=HANDLING_OPTIONS["delta_source"])
    delta_verify: StrictBool | None = Field(None, description=HANDLING_OPTIONS["delta_verify"])


class LocalFileRequest(LoadOptions):
    """Load a file of the service's own input folder, or an object of object storage."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "object_name": "Account",
                    "use_bulk_api": True,
                    "file_path": "accounts.csv",
                    "operation_type": "insert",
                }
            ]
        },
    )

    object_name: ObjectName
    use_bulk_api: StrictBool = Field(True, description="false: collections of 200, for files of at most 2,000 records.")
    file_path: str = Field(
        min_length=1,
        max_length=4096,
        description="Relative to DATA_PATH_INPUT, or absolute inside of it; or s3://bucket/key or az://container/key "
        "below one of ORGBRIDGE_IMPORT_URLS.",
    )
    operation_type: LoadOperation
    external_id_field: str | None = Field(None, description="The key of an upsert.")
    encoding: str | None = Field(None, max_length=40, description="When it cannot be told from the bytes.")
    delimiter: str | None = Field(None, max_length=10, description="When it cannot be told from the header.")
    sheet: str | None = Field(None, max_length=31, description="Sheet of a workbook; the first if not given.")


class DirectPayload(LoadOptions):
    """Load records given in the request."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "object_name": "Case",
                    "operation": "update",
                    "records": [{"Id": "500Ob0000000001AAA", "Status": "Closed"}],
                }
            ]
        },
    )

    object_name: ObjectName
    operation: LoadOperation
    records: list[dict[str, Any]] = Field(min_length=1, description="One mapping per record.")
    external_id_field: str | None = Field(None, description="The key of an upsert.")


class QuerySubmit(BaseModel):
    """Start a bulk query."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "object_name": "Contact",
                    "soql_query": "SELECT Id, Email FROM Contact WHERE LastName LIKE 'S%'",
                    "operation": "query",
                }
            ]
        },
    )

    object_name: ObjectName
    soql_query: str = Field(
        min_length=1, max_length=100_000, description="The SOQL text.", json_schema_extra=SOQL_SCHEMA
    )
    operation: str = Field(
        "query",
        max_length=20,
        description="query, or queryAll to see the recycle bin too.",
        json_schema_extra={"enum": ["query", "queryAll"]},
    )
    output_format: Literal["csv", "ndjson", "parquet"] | None = Field(
        None,
        description="How the results are written; null is csv. ndjson and parquet have the types that describe tells: "
        "numbers with all their digits, booleans, dates, instants, null.",
    )
    target: str | None = Field(
        None,
        min_length=1,
        max_length=512,
        description="Where a copy of the results is put: a file inside DATA_PATH_OUTPUT, or an address below one of "
        "ORGBRIDGE_EXPORT_URLS.",
        examples=["contacts.csv"],
    )


class PreflightReply(BaseModel):
    """What a preflight found."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "rows": 3,
                    "complete": True,
                    "summary": "Preflight of 3 rows: 1 kinds of error, 0 of warning. First: line 3: Name is required.",
                    "findings": [
                        {
                            "code": "REQUIRED_FIELD_MISSING",
                            "severity": "error",
                            "field": "Name",
                            "line": 3,
                            "message": "Name is required and blank.",
                            "count": 1,
                            "lines": [3],
                        }
                    ],
                    "fields_to_be_cleared": {"Phone": 1},
                    "columns": ["Name", "Phone"],
                    "estimate": {
                        "rows": 3,
                        "parts": 1,
                        "api_calls": 12,
                        "calls_left": 14998,
                        "calls_a_day": 15000,
                        "share_of_day": 0.0008,
                    },
                    "detected": {"format": "CSV", "encoding": "utf-8", "delimiter": ",", "line_ending": "LF"},
                }
            ]
        }
    )

    rows: int = Field(description="Rows looked at.")
    complete: bool = Field(description="False when the file breaks off or has too many faults to read on.")
    summary: str = Field(description="One sentence.")
    findings: list[dict[str, Any]] = Field(description="One mapping per code and field, errors first.")
    fields_to_be_cleared: dict[str, int] = Field(description="Cells that clear their field, by field.")
    columns: list[str] = Field(description="The columns that would be sent.")
    estimate: dict[str, Any] = Field(description="Parts, API calls, and their share of the org's day.")
    detected: dict[str, Any] = Field(description="How the file was read.")


class JobAccepted(BaseModel):
    """A load was taken in."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "success": True,
                    "message": "The load was accepted.",
                    "job_id": "load_01jd6z7w7kq2m4t8v0x3y5z7b9",
                    "results": None,
                    "status_url": "/api/v1/bulk/job/load_01jd6z7w7kq2m4t8v0x3y5z7b9/status",
                    "receipt_url": "/api/v1/bulk/job/load_01jd6z7w7kq2m4t8v0x3y5z7b9/receipt",
                    "results_url": "/api/v1/bulk/job/load_01jd6z7w7kq2m4t8v0x3y5z7b9/results/all",
                    "input": {"bytes": 1048576, "sha256": "9f86d0...", "format": "CSV", "delimiter": ","},
                }
            ]
        }
    )

    success: bool = Field(description="True; a refusal is a problem.")
    message: str = Field(description="One sentence.")
    job_id: str = Field(description="Id of the load.")
    results: list[dict[str, Any]] | None = Field(description="Null: they come with the load's end.")
    status_url: str = Field(description="Where the load's state is.")
    receipt_url: str = Field(description="Where the proof will be.")
    results_url: str = Field(description="Where the results will be.")
    input: dict[str, Any] = Field(description="What was kept, and how it was read.")
    notify: dict[str, Any] | None = Field(
        None,
        description="With notify_url: the address, and the secret that signs its message, told only here.",
    )


class JobReply(BaseModel):
    """Where a job stands."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "job_id": "load_01jd6z7w7kq2m4t8v0x3y5z7b9",
                    "state": "InProgress",
                    "operation": "insert",
                    "object_name": "Account",
                    "error_message": None,
                    "records_processed": 60000,
                    "records_failed": 600,
                    "job_info_details": {"created_by": "ada", "rows_read": 100000, "api_calls": 41},
                    "results_data": None,
                    "raw_results_csv": None,
                    "truncated": False,
                    "ended": False,
                    "progress": {
                        "rows_read": 100000,
                        "succeeded": 59400,
                        "failed": 600,
                        "unprocessed": 0,
                        "parts": 10,
                        "parts_by_state": {"matched": 6, "committed": 4},
                    },
                    "parts": [],
                    "receipt_url": None,
                    "results_url": None,
                }
            ]
        }
    )

    job_id: str = Field(description="Our id, or Salesforce's for a job that is not ours.")
    state: str = Field(description="Queued, InProgress, JobComplete, Failed or Aborted.")
    operation: str = Field(description="insert, update, upsert, delete, hardDelete, query or queryAll.")
    object_name: str = Field(description="API name of the object.")
    error_message: str | None = Field(description="Why the job as a whole failed.")
    records_processed: int = Field(description="Rows with an outcome, failed ones included.")
    records_failed: int = Field(description="Rows refused.")
    job_info_details: dict[str, Any] = Field(description="All else that is known.")
    results_data: list[dict[str, Any]] | None = Field(description="The first rows of the results, when asked for.")
    raw_results_csv: str | None = Field(description="The same rows as CSV.")
    truncated: bool = Field(False, description="True when results_url has more than results_data.")
    ended: bool = Field(False, description="True when the state will not change any more.")
    progress: dict[str, Any] | None = Field(None, description="Rows by outcome, parts by state.")
    parts: list[dict[str, Any]] | None = Field(None, description="One mapping per part.")
    receipt_url: str | None = Field(None, description="Where the proof is.")
    results_url: str | None = Field(None, description="Where the results are.")


class JobListReply(BaseModel):
    """One page of jobs, newest first."""

    jobs: list[JobReply] = Field(description="The jobs, without their parts.")
    next_cursor: str | None = Field(description="Cursor of the next page; also in the Link header.")
