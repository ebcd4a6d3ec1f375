"""All services of one process, as the faces of the house receive them."""

from __future__ import annotations

from dataclasses import dataclass

from orgbridge.services.audit import AuditTrail
from orgbridge.services.batches import BatchService
from orgbridge.services.events import EventService
from orgbridge.services.health import HealthService
from orgbridge.services.idempotency import IdempotencyService
from orgbridge.services.identity import IdentityService
from orgbridge.services.jobs import JobService
from orgbridge.services.loads import LoadService
from orgbridge.services.local_batches import LocalBatchService
from orgbridge.services.organizations import OrganizationService
from orgbridge.services.queries import QueryService
from orgbridge.services.quotas import Quotas
from orgbridge.services.records import RecordService
from orgbridge.services.roles import RoleService
from orgbridge.services.service_accounts import ServiceAccountService
from orgbridge.services.telemetry import Telemetry
from orgbridge.services.users import UserService


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
    #: What became of them.
    jobs: JobService
    #: What becomes of them, as it happens.
    events: EventService
    #: Signing in, and who a token is.
    identity: IdentityService
    #: People.
    users: UserService
    #: Programs.
    service_accounts: ServiceAccountService
    #: Roles.
    roles: RoleService
    #: Organizations, plants, machines.
    organizations: OrganizationService
    #: Can this service work.
    health: HealthService
    #: Figures.
    telemetry: Telemetry
    #: The same call twice is done once.
    idempotency: IdempotencyService
    #: How many calls a caller may make.
    quotas: Quotas
    #: Who did what.
    audit: AuditTrail
