"""The database and its unit of work: one transaction, opened and committed by whoever needs it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from orgbridge.kit.sealing import Sealer
from orgbridge.store.addresses import StoreAddress, parse_address
from orgbridge.store.errors import StoreUnavailable
from orgbridge.store.repositories.accounts import AccountRepository
from orgbridge.store.repositories.audit import AuditRepository
from orgbridge.store.repositories.carts import CartRepository
from orgbridge.store.repositories.changes import ChangeRepository
from orgbridge.store.repositories.consents import ConsentRepository
from orgbridge.store.repositories.documents import DocumentRepository
from orgbridge.store.repositories.grants import GrantRepository
from orgbridge.store.repositories.idempotency import IdempotencyRepository
from orgbridge.store.repositories.jobs import JobRepository
from orgbridge.store.repositories.leases import LeaseRepository
from orgbridge.store.repositories.loads import LoadRepository
from orgbridge.store.repositories.machine_names import MachineNameRepository
from orgbridge.store.repositories.mails import MailRepository
from orgbridge.store.repositories.organizations import MachineRepository, OrganizationRepository, PlantRepository
from orgbridge.store.repositories.pages import PageRepository
from orgbridge.store.repositories.parts import PartRepository
from orgbridge.store.repositories.placements import PlacementRepository
from orgbridge.store.repositories.purchase_orders import PurchaseOrderRepository
from orgbridge.store.repositories.purchase_rules import (
    ApprovalLinkRepository,
    PurchaseDocumentRepository,
    PurchaseRulesRepository,
)
from orgbridge.store.repositories.roles import RoleRepository
from orgbridge.store.repositories.rounds import RoundRepository, SequelRepository
from orgbridge.store.repositories.sessions import SessionRepository
from orgbridge.store.repositories.signing_keys import SigningKeyRepository
from orgbridge.store.repositories.tasks import TaskRepository
from orgbridge.store.repositories.throttles import ThrottleRepository
from orgbridge.store.repositories.users import UserRepository
from orgbridge.store.repositories.uses import UseRepository
from orgbridge.store.repositories.webhooks import WebhookRepository

#: Seconds for a new connection, for a free place in the pool, and for one statement.
CONNECT_SECONDS, POOL_SECONDS, STATEMENT_SECONDS = 10, 20, 30
#: Seconds after which PostgreSQL ends a session that stands still inside a transaction, and frees its locks. Ours
#: never wait for anybody inside one, so whoever does is frozen or gone.
IDLE_SECONDS = 10


class Unit:
    """The repositories of one transaction."""

    def __init__(self, connection: AsyncConnection, sealer: Sealer | None = None) -> None:
        #: Loads.
        self.loads = LoadRepository(connection)
        #: Parts of loads.
        self.parts = PartRepository(connection)
        #: Pages of exports.
        self.pages = PageRepository(connection)
        #: Salesforce jobs that we created.
        self.jobs = JobRepository(connection)
        #: Users of this service.
        self.users = UserRepository(connection)
        #: Roles, and what users are granted.
        self.roles = RoleRepository(connection)
        #: Sign-ins and secrets.
        self.sessions = SessionRepository(connection)
        #: Failed sign-ins.
        self.throttles = ThrottleRepository(connection)
        #: Public keys.
        self.signing_keys = SigningKeyRepository(connection)
        #: Organizations, plants, machines.
        self.organizations = OrganizationRepository(connection)
        self.plants = PlantRepository(connection)
        self.machines = MachineRepository(connection)
        #: Salesforce accounts of organizations.
        self.accounts = AccountRepository(connection)
        #: The carts' mirror.
        self.carts = CartRepository(connection)
        #: Webhooks.
        self.webhooks = WebhookRepository(connection, sealer)
        #: Changes of an org that are followed.
        self.changes = ChangeRepository(connection)
        #: Tasks that one worker of many does.
        self.tasks = TaskRepository(connection)
        #: Leases of workers.
        self.leases = LeaseRepository(connection)
        #: Rounds of rows sent again, links between loads, intents, baselines.
        self.sequels = SequelRepository(connection)
        #: Calls under an Idempotency-Key.
        self.idempotency = IdempotencyRepository(connection)
        #: The audit's chain.
        self.audit = AuditRepository(connection)
        #: Purchase orders, how organizations decide about them, their files, links and mails.
        self.purchase_orders = PurchaseOrderRepository(connection)
        self.purchase_rules = PurchaseRulesRepository(connection)
        self.purchase_documents = PurchaseDocumentRepository(connection)
        self.approval_links = ApprovalLinkRepository(connection)
        self.mails = MailRepository(connection)
        #: Machines by any of their names.
        self.machine_names = MachineNameRepository(connection)
        #: Documents of machines.
        self.documents = DocumentRepository(connection)
        #: Carts on their way to orders.
        self.placements = PlacementRepository(connection)
        #: Orgs that need consent again.
        self.consents = ConsentRepository(connection)
        #: Refresh tokens that Salesforce replaces.
        self.grants = GrantRepository(connection)
        #: Calls that several processes count together.
        self.uses = UseRepository(connection)
        self._connection = connection

    def sendings(self, round_number: int) -> PartRepository:
        """Return the parts themselves for round 0, else a round of rows sent again."""
        return self.parts if round_number == 0 else RoundRepository(self._connection, round_number)

    def round(self, round_number: int) -> RoundRepository:
        """Return a round of rows sent again."""
        return RoundRepository(self._connection, round_number)

    async def ping(self) -> None:
        """Make the database answer something."""
        await self._connection.execute(sa.select(1))


class Database:
    """One database with its pool of connections. Make it in `wiring`; close it at the end."""

    def __init__(self, url: str, *, pool_size: int = 10, sealer: Sealer | None = None) -> None:
        """Prepare the pool; nothing is connected yet.

        Args:
            url: A connection string as `addresses.parse_address` takes it.
            pool_size: Connections kept open; as many again may be opened under load.
            sealer: Seals secrets that must be read again, such as those of webhooks; None: they lie open.

        Raises:
            StoreAddressInvalid: The string is of no known kind.
        """
        self.address: StoreAddress = parse_address(url)
        self._sealer = sealer
        self._engine = (
            _sqlite_engine(self.address) if self.address.is_sqlite else _postgres_engine(self.address, pool_size)
        )

    @asynccontextmanager
    async def unit(self, *, write: bool = True) -> AsyncIterator[Unit]:
        """Open one transaction; it is committed when the block ends, rolled back when the block raises.

        Args:
            write: False when the block only reads: on SQLite it then waits for no writer.

        Raises:
            StoreUnavailable: The database cannot be reached or did not answer in time. What the block wrote is gone,
                unless the answer to the commit itself was lost.
        """
        try:
            async with self._engine.connect() as connection:
                # Chosen before the transaction begins; see `_begin_sqlite`.
                options = await connection.execution_options(orgbridge_write=write)
                async with options.begin():
                    yield Unit(options, self._sealer)
        except (OperationalError, InterfaceError, PoolTimeout) as error:
            raise StoreUnavailable(_reason(error)) from error
        except DBAPIError as error:
            if error.connection_invalidated:
                raise StoreUnavailable(_reason(error)) from error
            raise

    def observe(self, observer: Callable[[Any], object]) -> None:
        """Hand SQLAlchemy's engine to somebody who watches statements, such as a tracer."""
        observer(self._engine.sync_engine)

    async def close(self) -> None:
        """Close all connections."""
        await self._engine.dispose()


def _reason(error: Exception) -> str:
    # The driver's first line names host and cause; the statement and its values stay out of messages.
    cause = str(getattr(error, "orig", None) or error).strip().split("\n", 1)[0]
    return f"The database does not answer: {cause}"


def _postgres_engine(address: StoreAddress, pool_size: int) -> AsyncEngine:
    milliseconds = STATEMENT_SECONDS * 1000
    return create_async_engine(
        address.asynchronous,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=POOL_SECONDS,
        pool_pre_ping=True,
        pool_recycle=1800,
        connect_args={
            "connect_timeout": CONNECT_SECONDS,
            # A host that went away without a word is noticed in seconds, not in the two hours of TCP's default.
            "keepalives_idle": 15,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": milliseconds,
            "options": f"-c statement_timeout={milliseconds} -c lock_timeout={milliseconds} "
            f"-c idle_in_transaction_session_timeout={IDLE_SECONDS * 1000}",
            "application_name": "orgbridge",
            # Safe behind a transaction pooler too.
            "prepare_threshold": None,
        },
    )


def _sqlite_engine(address: StoreAddress) -> AsyncEngine:
    engine = create_async_engine(
        address.asynchronous,
        pool_size=5,
        max_overflow=5,
        pool_timeout=POOL_SECONDS,
        connect_args={"timeout": STATEMENT_SECONDS},
    )
    event.listen(engine.sync_engine, "connect", prepare_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def prepare_sqlite(connection: Any, _record: Any) -> None:
    """Set what every SQLite connection of ours needs: WAL, waiting for the lock, foreign keys, explicit BEGIN."""
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout={STATEMENT_SECONDS * 1000}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    # A deferred transaction that turns into a writer fails at once when another writer is at work, busy_timeout or
    # not. IMMEDIATE takes its turn instead.
    writes = connection.get_execution_options().get("orgbridge_write", True)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
