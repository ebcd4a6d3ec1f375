"""All services of one process, as the faces of the house receive them."""

from __future__ import annotations

from dataclasses import dataclass

from orgbridge.services.audit import AuditTrail
from orgbridge.services.batches import BatchService
from orgbridge.services.commerce.accounts import AccountService
from orgbridge.services.commerce.cart_batches import CartBatchService
from orgbridge.services.commerce.cart_transfers import CartTransferService
from orgbridge.services.commerce.carts import CartService
from orgbridge.services.commerce.diagnosis import DiagnosisService
from orgbridge.services.commerce.documents import DocumentService
from orgbridge.services.commerce.hierarchies import HierarchyService
from orgbridge.services.commerce.machines import MachineService
from orgbridge.services.commerce.mappings import MappingService
from orgbridge.services.commerce.orders import OrderService
from orgbridge.services.commerce.parts import PartService
from orgbridge.services.commerce.placements import PlacementService
from orgbridge.services.commerce.purchasing import Purchasing
from orgbridge.services.composite import CompositeService
from orgbridge.services.events import EventService
from orgbridge.services.health import HealthService
from orgbridge.services.idempotency import IdempotencyService
from orgbridge.services.identity import IdentityService
from orgbridge.services.jobs import JobService
from orgbridge.services.limits import LimitService
from orgbridge.services.loads import LoadService
from orgbridge.services.local_batches import LocalBatchService
from orgbridge.services.organizations import OrganizationService
from orgbridge.services.preflight import PreflightService
from orgbridge.services.queries import QueryService
from orgbridge.services.quotas import Quotas
from orgbridge.services.records import RecordService
from orgbridge.services.retries import RetryService
from orgbridge.services.roles import RoleService
from orgbridge.services.service_accounts import ServiceAccountService
from orgbridge.services.sign_in_links import SignInLinks
from orgbridge.services.telemetry import Telemetry
from orgbridge.services.undo import UndoService
from orgbridge.services.users import UserService
from orgbridge.services.webhooks import WebhookService


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What a face may call."""

    #: One record at a time, describes, limits.
    records: RecordService
    #: Lists of records in one call.
    batches: BatchService
    #: Small files of the input folder, answered at once.
    local_batches: LocalBatchService
    #: SOQL by pages, SOSL.
    queries: QueryService
    #: Several subrequests in one call.
    composite: CompositeService
    #: The org's limits and this service's budget.
    limits: LimitService
    #: Taking in loads and bulk queries.
    loads: LoadService
    #: Looking at inputs without loading them.
    preflight: PreflightService
    #: What became of them.
    jobs: JobService
    #: What becomes of them, as it happens.
    events: EventService
    #: Who is told of their ends.
    webhooks: WebhookService
    #: Signing in, and who a token is.
    identity: IdentityService
    #: Links that sign in once.
    links: SignInLinks
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
    #: Documents of machines.
    documents: DocumentService
    #: Failed rows again, as a load of their own.
    retries: RetryService
    #: Loads taken back.
    undo: UndoService
    #: The same call twice is done once.
    idempotency: IdempotencyService
    #: How many calls a caller may make.
    quotas: Quotas
    #: Who did what.
    audit: AuditTrail
    #: Purchase orders.
    purchasing: Purchasing
    #: Whom callers act for in Salesforce.
    accounts: AccountService
    #: Which account an organization is.
    mappings: MappingService
    #: Accounts as callers see them.
    hierarchies: HierarchyService
    #: Why users can, or cannot, buy.
    diagnosis: DiagnosisService
    #: Machines as callers see them, and the parts that fit.
    machines: MachineService
    parts: PartService
    #: Carts of callers.
    carts: CartService
    #: Many lines at once.
    cart_batches: CartBatchService
    #: What comes into carts from elsewhere.
    cart_transfers: CartTransferService
    #: Carts ordered.
    placements: PlacementService
    #: Orders that were placed.
    orders: OrderService
