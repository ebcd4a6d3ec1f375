"""All services of one process, as the faces of the house receive them."""

from __future__ import annotations

from dataclasses import dataclass

from orgbridge.services.batches import BatchService
from orgbridge.services.health import HealthService
from orgbridge.services.identity import IdentityService
from orgbridge.services.jobs import JobService
from orgbridge.services.loads import LoadService
from orgbridge.services.local_batches import LocalBatchService
from orgbridge.services.preflight import PreflightService
from orgbridge.services.queries import QueryService
from orgbridge.services.records import RecordService
from orgbridge.services.telemetry import Telemetry


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What a face may call."""

    #: One record at a time, describes, limits.
    records: RecordService
    #: Lists of records in one call.
    batches: BatchService
    #: Small files of the input folder, answered at once.
    local_batches: LocalBatchService
    #: SOQL by pages.
    queries: QueryService
    #: Taking in loads and bulk queries.
    loads: LoadService
    #: Looking at inputs without loading them.
    preflight: PreflightService
    #: What became of them.
    jobs: JobService
    #: Users and tokens.
    identity: IdentityService
    #: Can this service work.
    health: HealthService
    #: Figures.
    telemetry: Telemetry
