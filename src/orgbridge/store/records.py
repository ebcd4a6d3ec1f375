"""Rows of the store as frozen values. No SQLAlchemy here: services and engine read and write these."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from orgbridge.loads.states import LoadState, PartState


class LoadKind(StrEnum):
    """What a load moves: rows into the org, or rows out of it."""

    INGEST = "ingest"
    QUERY = "query"


class JobUse(StrEnum):
    """What became of a Salesforce job that we created."""

    #: The create call was answered; nothing else is certain.
    CREATED = "created"
    #: The job was sent for processing: it carries rows of the load.
    COMMITTED = "committed"
    #: The job was given up before it processed anything, and is aborted or gone at Salesforce.
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRecord:
    """One load: an ingest of a file, or a bulk query."""

    #: Our identifier, sortable by time.
    id: str
    #: Ingest or query.
    kind: LoadKind
    #: API name of the SObject.
    object_name: str
    #: insert, update, upsert, delete, hardDelete, query or queryAll.
    operation: str
    #: Where the load stands; the names are Salesforce's.
    state: LoadState
    #: Who asked for it.
    created_by: str
    #: When it was asked for.
    created_at: datetime
    #: Field that names the record of an upsert.
    external_id_field: str | None = None
    #: The query, for kind `query`.
    soql: str | None = None
    #: What the caller chose: encoding, content_type, original_name, delimiter, part_rows.
    options: dict[str, Any] = field(default_factory=dict)
    #: Key of the input in the file store.
    input_key: str | None = None
    #: Bytes of the input as received.
    input_bytes: int = 0
    #: Hash of the input as received, hexadecimal.
    input_sha256: str = ""
    #: Records found in the input, or rows read by a query; None until they were counted.
    rows_read: int | None = None
    #: Number of parts; 0 until the input was split.
    parts: int = 0
    #: Rows that the org accepted.
    rows_succeeded: int = 0
    #: Rows that the org refused.
    rows_failed: int = 0
    #: Rows that were never processed.
    rows_unprocessed: int = 0
    #: Rows that were not sent because nothing in them had changed.
    rows_skipped: int = 0
    #: HTTP requests made to Salesforce for this load.
    api_calls: int = 0
    #: Stable code of the reason why the load as a whole failed.
    error_code: str | None = None
    #: The reason in one sentence; while the load has not ended: why it waits just now.
    error_message: str | None = None
    #: Places in the input that the reason points at: line, field, code, message.
    error_details: list[dict[str, Any]] = field(default_factory=list)
    #: Somebody asked to stop the load.
    cancel_requested: bool = False
    #: When a worker took it up.
    started_at: datetime | None = None
    #: When it reached its last state.
    finished_at: datetime | None = None
    #: The proof, once the load ended.
    receipt: dict[str, Any] | None = None
    #: Key of the results file, once written.
    results_key: str | None = None
    #: Key of the file of failed rows, once written; loadable again as it is.
    failed_key: str | None = None
    #: Name of the configured Salesforce org.
    org: str = "default"
    #: When a worker handed the load to the durable engine.
    dispatched_at: datetime | None = None
    #: Salesforce's id of the query job, for kind `query`.
    job_id: str | None = None
    #: What the worker found the input to be, once it had read its head: format, encoding, delimiter, line_ending,
    #: has_bom, columns, header_record, first_line, first_offset, line_count, and upload warnings.
    input_facts: dict[str, Any] | None = None
    #: When its input and results were removed, their time being over.
    cleaned_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PartRecord:
    """One part of an ingest: the rows that travel in one Salesforce job."""

    #: The load it belongs to.
    load_id: str
    #: 0 for the first part.
    number: int
    #: Where the part stands.
    state: PartState
    #: Records in the part.
    rows: int
    #: Bytes of the part's records, header not counted.
    bytes: int
    #: Hash of these bytes, hexadecimal.
    sha256: str
    #: Line of the input on which the part's first record begins.
    first_line: int
    #: Number of the part's first record in the input; the first record of all is 1.
    first_row: int
    #: Key of the part's records in the file store.
    input_key: str
    #: How the upload differs from the records: line_ending, upload_line_ending, upload_bytes, mixed_cell_newlines.
    upload: dict[str, Any] = field(default_factory=dict)
    #: Salesforce's id of the part's job.
    job_id: str | None = None
    #: The job to which an upload was begun; written BEFORE the upload.
    upload_job_id: str | None = None
    #: Salesforce's state of the job when it was last asked.
    job_state: str | None = None
    #: Rows accepted.
    succeeded: int = 0
    #: Rows refused.
    failed: int = 0
    #: Rows never processed.
    unprocessed: int = 0
    #: HTTP requests made for this part.
    api_calls: int = 0
    #: Key of the part's matched results.
    results_key: str | None = None
    #: Hash of the part's matched results, hexadecimal.
    results_sha256: str | None = None
    #: What matching found besides the counts: ambiguous, stray_results, missing_results, errors grouped by code.
    findings: dict[str, Any] | None = None
    #: Why the part failed.
    error_message: str | None = None
    #: Jobs created for this part; the last one is the one that counts.
    attempt: int = 0
    #: When this row last changed.
    updated_at: datetime | None = None
    #: Rows not sent because nothing in them had changed.
    skipped: int = 0
    #: Since when the part's job shows no progress; None while it does.
    stalled_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord:
    """One Salesforce job that we created: what the sweep of orphans looks at."""

    #: Salesforce's id, 18 characters.
    job_id: str
    #: The load it was created for.
    load_id: str
    #: The part, or None for a query.
    part: int | None
    #: What became of it.
    use: JobUse
    #: When it was recorded.
    created_at: datetime
    #: 0 for the part's first sending, else the round of rows that were sent again.
    round: int = 0


class UserKind(StrEnum):
    """Who signs in: a person by password, a program by client secret."""

    USER = "user"
    SERVICE_ACCOUNT = "service_account"


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRecord:
    """One user of this service."""

    #: Our identifier.
    id: str
    #: Sign-in name, unique.
    username: str
    #: Argon2id hash; never the password.
    password_hash: str
    #: What the user may do, e.g. `bulk:write`.
    scopes: tuple[str, ...]
    #: May do everything.
    is_admin: bool = False
    #: May not sign in.
    disabled: bool = False
    #: When the user was made.
    created_at: datetime
    #: A person or a program.
    kind: UserKind = UserKind.USER
    #: For people.
    display_name: str | None = None
    #: Where to reach the user.
    email: str | None = None
    #: `sub` at the external issuer, when the user signs in there.
    external_subject: str | None = None
    #: The Salesforce user that the user acts as in commerce.
    sf_username: str | None = None
    #: Granted every organization, every plant, every machine.
    all_organizations: bool = False
    all_plants: bool = False
    all_machines: bool = False
    #: When the password was last set.
    password_changed_at: datetime | None = None
    #: When an administrator or the user last changed anything.
    updated_at: datetime | None = None
    #: Changes with every write by an administrator; what an ETag says.
    revision: str = "1"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPage:
    """One page of loads, newest first."""

    #: The loads.
    items: list[LoadRecord]
    #: What to pass as `cursor` for the next page; None at the end.
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadProgress:
    """How far a load has come, summed over its parts."""

    #: Number of parts in each state; states without parts are absent.
    parts: dict[PartState, int]
    #: Rows in all parts.
    rows: int
    #: Rows accepted so far; provisional while a job runs.
    succeeded: int
    #: Rows refused so far; provisional while a job runs.
    failed: int
    #: Rows known to stay unprocessed.
    unprocessed: int
    #: HTTP requests made by the parts.
    api_calls: int
    #: Rows not sent because nothing in them had changed.
    skipped: int = 0
