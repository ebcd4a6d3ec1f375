"""What is about to be created at Salesforce, written down before: the only mark by which an orphan is known.

A Bulk API 2.0 job carries no name of ours. A job whose create call was never answered is taken for ours only if our own
user created it, it is `Open`, nobody of ours knows its id, and everything that Salesforce says of it (object,
operation, key, line ending, delimiter, time) is what we were about to create just then.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from orgbridge.client import IngestJobRequest, JobInfo
from orgbridge.engine.resources import Resources
from orgbridge.kit.identifiers import new_identifier
from orgbridge.store.records import LoadRecord
from orgbridge.store.round_records import IntentRecord
from orgbridge.wire.bulk import JobState

#: How far Salesforce's clock and ours may be apart, and how long a create call may take.
_SLACK = timedelta(minutes=5)


async def begin(resources: Resources, load: LoadRecord, request: IngestJobRequest) -> str:
    """Write down that a job is about to be created; return the intent's id."""
    now = resources.clock.now()
    intent = IntentRecord(
        id=new_identifier("intent", now),
        load_id=load.id,
        object_name=request.object,
        operation=request.operation.value,
        external_id_field=request.external_id_field,
        line_ending=request.line_ending.value,
        column_delimiter=request.column_delimiter.value,
        begun_at=now,
    )
    async with resources.database.unit() as unit:
        await unit.sequels.add_intent(intent)
    return intent.id


async def drop(resources: Resources, intent_id: str) -> None:
    """Forget a job that was certainly not created."""
    async with resources.database.unit() as unit:
        await unit.sequels.drop_intent(intent_id)


def orphans(
    intents: Sequence[IntentRecord], jobs: Sequence[JobInfo], *, user_id: str | None, now: datetime, age: timedelta
) -> list[tuple[IntentRecord, JobInfo]]:
    """Return the jobs that came of create calls which were never answered, each with its intent.

    Args:
        intents: Those without an answer, oldest first.
        jobs: Jobs of the org that are none of those we have on record.
        user_id: Our own user; None when it is not known: then no job is ours.
        now: The present instant.
        age: Younger jobs are left alone.
    """
    found: list[tuple[IntentRecord, JobInfo]] = []
    if user_id is None:
        return found
    free = [
        job for job in jobs if job.state is JobState.OPEN and str(job.raw.get("createdById", ""))[:15] == user_id[:15]
    ]
    for intent in intents:
        for job in free:
            if _is_of(job, intent) and (made := _instant(job.created_date)) is not None and now - made >= age:
                found.append((intent, job))
                free.remove(job)
                break
    return found


def _is_of(job: JobInfo, intent: IntentRecord) -> bool:
    made = _instant(job.created_date)
    said = (job.object, job.operation, job.external_id_field, job.raw.get("lineEnding"), job.raw.get("columnDelimiter"))
    meant = (
        intent.object_name,
        intent.operation,
        intent.external_id_field,
        intent.line_ending,
        intent.column_delimiter,
    )
    return said == meant and made is not None and abs(made - intent.begun_at) <= _SLACK


def _instant(text: str) -> datetime | None:
    try:
        # Salesforce writes the zone as +0000.
        return datetime.fromisoformat(text)
    except ValueError:
        return None
