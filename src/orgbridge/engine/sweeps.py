"""At the end of a load: no job of ours is left open at Salesforce, and nobody else's is touched."""

from __future__ import annotations

from orgbridge.client import Salesforce
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
    rows that will be processed. A job whose create call was never answered has no id that we know: see `orphans`.

    Source: facts/salesforce/bulk2.md section 3.
    """
    patience = resources.patience()

    async def candidates() -> list[JobRecord]:
        async with resources.database.unit(write=False) as unit:
            jobs = await unit.jobs.list(load_id)
            sendings = [*await unit.parts.list(load_id)]
            sendings += [found.sending for found in await unit.sequels.rounds(load_id)]
        ended = {sending.job_id for sending in sendings if sending.job_state in TERMINAL_JOB_STATES}
        return [job for job in jobs if job.use is not JobUse.DISCARDED and job.job_id not in ended]

    salesforce = resources.orgs.get(org).salesforce
    known = await patience.until_done(candidates)
    aborted = 0
    for job in known:
        if job.part is not None:
            aborted += await abort_open(salesforce, load_id, job.job_id)
    if aborted:
        _log.info("engine.swept", load_id=load_id, jobs=aborted)
    return aborted


async def abort_open(salesforce: Salesforce, load_id: str, job_id: str) -> int:
    """Abort a job if it is open; return whether it was, as 0 or 1."""
    try:
        found = await salesforce.bulk.ingest.get(job_id)
        if found.state is not JobState.OPEN:
            return 0
        await salesforce.bulk.ingest.abort(job_id)
    except (NotFound, Conflicting):
        return 0
    except (OrgbridgeError, OSError) as error:
        # An orphan harms nobody; the load's own outcome must not wait for it.
        _log.warning("engine.sweep_failed", load_id=load_id, job_id=job_id, cause=str(error))
        return 0
    return 1
