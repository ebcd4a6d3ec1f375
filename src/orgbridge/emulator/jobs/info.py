"""JobInfo as the wire shows it: which keys, in which reply.

Source: facts/salesforce/bulk2.md sections 2, 3, 8 and 9.
"""

from __future__ import annotations

from enum import StrEnum
from typing import assert_never

from orgbridge.emulator.jobs.rows import Job, JobKind
from orgbridge.kit.json import JSON
from orgbridge.wire.bulk import JobState


class View(StrEnum):
    """Which reply a JobInfo is for."""

    #: POST, and PATCH.
    SHORT = "short"
    #: GET of the job.
    FULL = "full"
    #: An item of the list.
    ITEM = "item"


def _stamp(text: str) -> str:
    return text.removesuffix("Z") + "+0000"


def job_info(job: Job, view: View) -> dict[str, JSON]:
    """Return the JSON of a job."""
    info: dict[str, JSON] = {
        "id": job.id,
        "operation": job.operation,
        "object": job.object,
        "createdById": job.created_by,
        "createdDate": _stamp(job.created_at),
        "systemModstamp": _stamp(job.modified_at),
        "state": job.state.value,
    }
    if job.external_id_field is not None:
        info["externalIdFieldName"] = job.external_id_field
    if job.assignment_rule_id is not None:
        info["assignmentRuleId"] = job.assignment_rule_id
    info |= {"concurrencyMode": "Parallel", "contentType": "CSV", "apiVersion": float(job.api_version)}
    if view is not View.SHORT:
        info["jobType"] = "V2Ingest" if job.kind is JobKind.INGEST else "V2Query"
    if job.state is JobState.OPEN and view is not View.ITEM:
        info["contentUrl"] = f"services/data/v{job.api_version}.0/jobs/ingest/{job.id}/batches"
    info |= {"lineEnding": job.line_ending.value, "columnDelimiter": job.delimiter.value}
    if view is View.FULL:
        info |= _counters(job)
    return info


def _counters(job: Job) -> dict[str, JSON]:
    match job.kind:
        case JobKind.INGEST:
            counters: dict[str, JSON] = {
                "numberRecordsProcessed": job.processed,
                "numberRecordsFailed": job.failed,
                "retries": 0,
                "totalProcessingTime": job.processing_ms,
                "apiActiveProcessingTime": job.processing_ms,
                "apexProcessingTime": 0,
                "isPkChunkingSupported": False,
            }
        case JobKind.QUERY:
            counters = {
                "numberRecordsProcessed": job.processed,
                "retries": 0,
                "totalProcessingTime": job.processing_ms,
                "isPkChunkingSupported": True,
            }
        case _:
            assert_never(job.kind)
    if job.error_message is not None:
        counters["errorMessage"] = job.error_message
    return counters
