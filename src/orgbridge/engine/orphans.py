"""Open jobs of create calls that were never answered, found in the org's list and aborted. Nobody else's is touched.

Every worker looks now and then, for loads that have ended too; to find the same orphan twice does no harm.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta

from orgbridge.client import JobInfo, Salesforce
from orgbridge.engine.intents import orphans
from orgbridge.engine.resources import Resources
from orgbridge.engine.sweeps import abort_open
from orgbridge.kit.errors import OrgbridgeError
from orgbridge.kit.logs import get_logger
from orgbridge.store.records import LoadRecord
from orgbridge.store.round_records import IntentRecord
from orgbridge.wire.bulk import JobState

#: Pages of the org's list of jobs that one sweep reads at most: an org keeps jobs for seven days.
_PAGES = 50
#: Intents looked at in one sweep.
_BATCH = 200
#: After so long Salesforce itself has deleted an open job. Source: bulk2.md section 3.
_FORGET_AFTER = timedelta(hours=24)
#: An intent without a job in the org for so long has come to nothing: the call never arrived.
_SETTLED_AFTER = timedelta(minutes=15)
_log = get_logger(__name__)


async def sweep_orphans(resources: Resources) -> int:
    """Abort what came of create calls that were never answered; return how many jobs.

    Source: facts/salesforce/bulk2.md sections 3 and 8.
    """
    now = resources.clock.now()
    age = timedelta(seconds=resources.config.orphan_seconds)
    async with resources.database.unit(write=False) as unit:
        unanswered = await unit.sequels.unanswered_before(now - age, _BATCH)
        loads = [await unit.loads.get(load_id) for load_id in {intent.load_id for intent in unanswered}]
    if not unanswered:
        return 0
    by_org: dict[str, list[IntentRecord]] = defaultdict(list)
    orgs = {load.id: load.org for load in loads if load is not None and not _is_under_way(load)}
    for intent in unanswered:
        if intent.load_id in orgs:
            by_org[orgs[intent.load_id]].append(intent)
    aborted = 0
    for org, intents in by_org.items():
        aborted += await _sweep_org(resources, org, intents, age)
    return aborted


def _is_under_way(load: LoadRecord) -> bool:
    # Its own workflow may be waiting for the answer just now.
    return load.finished_at is None


async def _sweep_org(resources: Resources, org: str, intents: list[IntentRecord], age: timedelta) -> int:
    salesforce = resources.orgs.get(org).salesforce
    try:
        token = await salesforce.tokens.get()
        jobs = await _open_jobs(salesforce)
    except (OrgbridgeError, OSError) as error:
        _log.warning("engine.orphans_not_listed", org=org, cause=str(error))
        return 0
    async with resources.database.unit(write=False) as unit:
        ours = await unit.sequels.known_jobs([job.id for job in jobs])
    now = resources.clock.now()
    strangers = [job for job in jobs if job.id not in ours]
    found = orphans(intents, strangers, user_id=token.user_id, now=now, age=age)
    aborted = 0
    for intent, job in found:
        aborted += await abort_open(salesforce, intent.load_id, job.id)
        _log.info("engine.orphan_aborted", load_id=intent.load_id, job_id=job.id)
    matched = {intent.id for intent, _ in found}
    async with resources.database.unit() as unit:
        for intent, job in found:
            await unit.sequels.answer_intent(intent.id, job.id)
        for intent in intents:
            old = now - intent.begun_at
            if intent.id not in matched and (old > _FORGET_AFTER or (old > _SETTLED_AFTER and not strangers)):
                await unit.sequels.drop_intent(intent.id)
    return aborted


async def _open_jobs(salesforce: Salesforce) -> list[JobInfo]:
    jobs: list[JobInfo] = []
    url: str | None = None
    for _ in range(_PAGES):
        page = await salesforce.bulk.ingest.list(url)
        jobs += [job for job in page.jobs if job.state is JobState.OPEN]
        url = page.next_records_url
        if url is None:
            break
    return jobs
