"""jobInfo and batchInfo as the wire shows them: keys in their order, and the item of Bulk API 2.0's list.

Source: facts/salesforce/bulk1.md (recorded order), bulk2.md section 8.
"""

from __future__ import annotations

from orgbridge.emulator.jobs.classic.rows import BatchState, ClassicBatch, ClassicJob, Totals
from orgbridge.kit.json import JSON


def job_info(job: ClassicJob, totals: Totals, *, as_json: bool) -> dict[str, JSON]:
    """Return jobInfo. JSON has null where XML has no element, and numbers where XML has text."""
    count = totals.batches
    info: dict[str, JSON] = {
        "id": job.id,
        "operation": job.operation.value,
        "object": job.object,
        "createdById": job.created_by,
        "createdDate": job.created_at,
        "systemModstamp": job.modified_at,
        "state": job.state.value,
    }
    optional = {"externalIdFieldName": job.external_id_field, "assignmentRuleId": job.assignment_rule_id}
    info |= {key: value for key, value in optional.items() if as_json or value is not None}
    info |= {
        "concurrencyMode": job.concurrency.value,
        "contentType": job.content_type.value,
        "numberBatchesQueued": count.get(BatchState.QUEUED, 0),
        "numberBatchesInProgress": count.get(BatchState.IN_PROGRESS, 0),
        "numberBatchesCompleted": count.get(BatchState.COMPLETED, 0),
        "numberBatchesFailed": count.get(BatchState.FAILED, 0),
        "numberBatchesTotal": sum(count.values()),
        "numberRecordsProcessed": totals.processed,
        "numberRetries": 0,
        "apiVersion": float(job.api_version),
        "numberRecordsFailed": totals.failed,
        "totalProcessingTime": totals.processing_ms,
        "apiActiveProcessingTime": totals.processing_ms,
        "apexProcessingTime": 0,
    }
    if as_json:
        info["fastPathEnabled"] = False
    return info


def batch_info(job: ClassicJob, batch: ClassicBatch, *, as_json: bool) -> dict[str, JSON]:
    """Return batchInfo. XML spells one state with a blank, as a widely used reader expects."""
    state = batch.state.value
    if not as_json and batch.state is BatchState.NOT_PROCESSED:
        state = "Not Processed"
    info: dict[str, JSON] = {"id": batch.id, "jobId": job.id, "state": state}
    if as_json or batch.state_message is not None:
        info["stateMessage"] = batch.state_message
    return info | {
        "createdDate": batch.created_at,
        "systemModstamp": batch.modified_at,
        "numberRecordsProcessed": batch.processed,
        "numberRecordsFailed": batch.failed,
        "totalProcessingTime": batch.processing_ms,
        "apiActiveProcessingTime": batch.processing_ms,
        "apexProcessingTime": 0,
    }


def list_item(job: ClassicJob) -> dict[str, JSON]:
    """Return the job as an item of the list of Bulk API 2.0, where its type is `Classic`."""
    item: dict[str, JSON] = {
        "id": job.id,
        "operation": job.operation.value,
        "object": job.object,
        "createdById": job.created_by,
        "createdDate": job.created_at.removesuffix("Z") + "+0000",
        "systemModstamp": job.modified_at.removesuffix("Z") + "+0000",
        "state": job.state.value,
    }
    if job.external_id_field is not None:
        item["externalIdFieldName"] = job.external_id_field
    return item | {
        "concurrencyMode": job.concurrency.value,
        "contentType": job.content_type.value,
        "apiVersion": float(job.api_version),
        "jobType": "Classic",
    }
