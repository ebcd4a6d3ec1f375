"""Purchase orders over a real database: people of one organization, a clock moved by hand, no Salesforce."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from orgbridge.client.mails import MailSender
from orgbridge.kit.identifiers import new_identifier
from orgbridge.services.audit import AuditTrail
from orgbridge.services.commerce.mails import MailConfig, Mailer
from orgbridge.services.commerce.purchase_decisions import PurchaseDecisions
from orgbridge.services.commerce.purchase_ordering import PurchaseOrdering
from orgbridge.services.commerce.purchase_orders import PurchaseDraft, PurchaseOrderService
from orgbridge.services.commerce.purchase_ports import PurchasePlacer
from orgbridge.services.commerce.purchase_rules import PurchaseRules
from orgbridge.services.commerce.purchase_upkeep import PurchaseUpkeep
from orgbridge.services.principals import Principals
from orgbridge.services.scopes import Caller
from orgbridge.store.audit_records import AuditFilter, AuditRecord
from orgbridge.store.database import Database
from orgbridge.store.identity_records import OrganizationRecord, Place
from orgbridge.store.purchase_order_records import PurchaseOrderRecord
from orgbridge.store.records import UserRecord
from tests.support.clocks import HandClock

#: Where the links of mails lead.
DECISION_URL = "https://api.example.com/api/v1/salesforce_purchase_orders/decision"
LINES: list[dict[str, Any]] = [
    {"sku": "MP-0001", "name": "Seal kit", "quantity": "2", "unit_price": "110.00"},
    {"sku": "MP-0002", "name": "Bearing", "quantity": "1", "unit_price": "30.50"},
]


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchAccount:
    """The account bought for."""

    organization_id: str
    account_id: str = "001000000000001AAA"


class BenchAccounts:
    """Takes the organization named, or the first that is granted."""

    async def resolve(
        self, caller: Caller, organization_id: str | None = None, account_id: str | None = None
    ) -> BenchAccount:
        """Return the account."""
        granted = sorted(caller.organizations) if isinstance(caller.organizations, frozenset) else []
        return BenchAccount(organization_id=organization_id or granted[0])


class PurchaseBench:
    """The services, and people by name: `ada` asks, `ben` and `cora` approve, `dan` belongs to another organization."""

    def __init__(
        self,
        database: Database,
        *,
        placer: PurchasePlacer | None = None,
        sender: MailSender | None = None,
        pauses: tuple[float, ...] = (5, 30),
        decision_url: str | None = DECISION_URL,
    ) -> None:
        self.database, self.clock = database, HandClock()
        self.trail = AuditTrail(database, self.clock)
        self.rules = PurchaseRules(database, Principals(database, self.clock), self.clock)
        mails = sender is not None
        parts = (database, self.clock, self.rules)
        self.orders = PurchaseOrderService(*parts, self.trail, accounts=BenchAccounts(), mail_configured=mails)
        self.decisions = PurchaseDecisions(*parts, self.trail, mail_configured=mails)
        self.ordering = PurchaseOrdering(*parts, placer, mail_configured=mails)
        config = MailConfig(decision_url=decision_url, pauses=pauses)
        self.mailer = Mailer(database, self.clock, sender, config) if sender is not None else None
        self.upkeep = PurchaseUpkeep(*parts, self.trail, None, self.mailer)
        self.organizations: dict[str, str] = {}
        self.users: dict[str, str] = {}

    async def settle(self) -> None:
        """Make the organizations and people."""
        now = self.clock.now()
        async with self.database.unit() as unit:
            for name in ("North", "South"):
                self.organizations[name] = new_identifier("org", now)
                await unit.organizations.add(
                    OrganizationRecord(
                        id=self.organizations[name],
                        name=name,
                        external_id=None,
                        revision="1",
                        created_at=now,
                        updated_at=now,
                    )
                )
        for name, place in {"ada": "North", "ben": "North", "cora": "North", "dan": "South"}.items():
            await self.person(name, place)
        await self.rule(approvers=["ada", "ben", "cora"])

    async def person(self, name: str, place: str, **more: Any) -> None:
        """Make somebody who is granted an organization."""
        self.users[name] = new_identifier("user", self.clock.now())
        user = UserRecord(
            id=self.users[name],
            username=name,
            password_hash="x",
            scopes=("orders:read", "orders:write"),
            created_at=self.clock.now(),
            **({"email": f"{name}@people.example"} | more),
        )
        async with self.database.unit() as unit:
            await unit.users.add(user)
            await unit.roles.grant(user.id, Place.ORGANIZATION, (self.organizations[place],))

    async def rule(self, place: str = "North", **values: Any) -> None:
        """Write the rules of an organization."""
        given = {"approvers": ["ben", "cora"], "expires_days": 10, "remind_days": 3} | values
        await self.rules.put(self.organizations[place], given, expected=None)

    async def caller(self, name: str) -> Caller:
        """Return somebody as a caller."""
        found = await self.rules.caller_of(self.users[name])
        assert found is not None
        return found

    async def draft(self, name: str = "ada", **more: Any) -> PurchaseOrderRecord:
        """Make a draft of two lines over 250.50 EUR."""
        values = {"lines": LINES, "currency": "EUR"} | more
        return await self.orders.create(await self.caller(name), PurchaseDraft(**values))

    async def pending(self, name: str = "ada", **more: Any) -> PurchaseOrderRecord:
        """Make a draft and hand it in."""
        made = await self.draft(name, **more)
        return await self.orders.submit(await self.caller(name), made.id)

    async def audit(self) -> list[AuditRecord]:
        """Return all entries of the audit about purchase orders, oldest first."""
        async with self.database.unit(write=False) as unit:
            return await unit.audit.after(0, 1_000, AuditFilter(action="purchase_orders"))


@asynccontextmanager
async def purchase_bench(url: str, **options: Any) -> AsyncIterator[PurchaseBench]:
    """Give a bench over a database whose tables are up to date."""
    database = Database(url)
    bench = PurchaseBench(database, **options)
    try:
        await bench.settle()
        yield bench
    finally:
        await bench.trail.close()
        await database.close()
