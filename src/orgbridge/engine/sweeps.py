"""At the end of a load: no job of ours is left open at Salesforce."""

from __future__ import annotations

from orgbridge.client.errors import Conflicting, NotFound
from orgbridge.engine.resources import Resources
from orgbridge.kit.errors import OrgbridgeError
from orgbridge.kit.logs import get_logger
from orgbridge.store.records import JobRecord, JobUse
from orgbridge.wire.bulk import TERMINAL_JOB_STATES, JobState

_log = get_logger(__name__)


async def sweep(resources: Resources, load_id: str, org: str) -> int:
    """Abort jobs that were created for a load and are still open; return how many.

    Such jobs come from workers that died between creating a job and recording that in the step log. They hold no
    rows that will be processed. A job whose create call was never answered has no id that we know; Salesforce itself
    deletes it: an open job lives 24 hours at most.

    Source: facts/salesforce/bulk2.md section 3.
    """
    patience = resources.patience()

    async def candidates() -> list[JobRecord]:
        async with resources.database.unit(write=False) as unit:
            jobs = await unit.jobs.list(load_id)
            ended = {part.job_id for part in await unit.parts.list(load_id) if part.job_state in TERMINAL_JOB_STATES}
        return [job for job in jobs if job.use is not JobUse.DISCARDED and job.job_id not in ended]

    aborted = 0
    salesforce = resources.orgs.get(org).salesforce
    for job in await patience.until_done(candidates):
        if job.part is None:
            continue
        try:
            found = await salesforce.bulk.ingest.get(job.job_id)
            if found.state is JobState.OPEN:
                await salesforce.bulk.ingest.abort(job.job_id)
                aborted += 1
        except (NotFound, Conflicting):
            continue
        except (OrgbridgeError, OSError) as error:
            # An orphan harms nobody; the load's own outcome must not wait for it.
            _log.warning("engine.sweep_failed", load_id=load_id, job_id=job.job_id, cause=str(error))
    if aborted:
        _log.info("engine.swept", load_id=load_id, jobs=aborted)
    return aborted
