"""Configured orgs and their live clients: one client, one token and one set of descriptions per org.

Nothing is sent before the first call. The names of settings are not known here; `wiring` fills `OrgConfig`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from orgbridge.client import (
    Credentials,
    DescribeCache,
    RetryPolicy,
    Salesforce,
    Timeouts,
    TokenConfig,
    TransportConfig,
)
from orgbridge.client.errors import MalformedReply
from orgbridge.kit.clock import Clock
from orgbridge.orgs.budget import Budget, BudgetConfig
from orgbridge.orgs.buyers import BuyerConfig, Buyers
from orgbridge.orgs.concurrency import Concurrency, ConcurrencyConfig
from orgbridge.orgs.consents import ConsentGuard, HoldConfig
from orgbridge.orgs.errors import UnknownOrg
from orgbridge.orgs.gate import OrgGate
from orgbridge.orgs.grants import Grants
from orgbridge.store.database import Database
from orgbridge.wire.limits import SESSION_SECONDS
from orgbridge.wire.versions import DEFAULT_VERSION

#: Name of the org that is meant when none is named.
DEFAULT_ORG = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrgConfig:
    """How to reach one org as one user."""

    #: How to sign in.
    credentials: Credentials
    #: Full URL of the token endpoint.
    token_url: str
    #: What the org is called here.
    name: str = DEFAULT_ORG
    #: `v67.0`, `67.0` or `67`.
    api_version: str = DEFAULT_VERSION
    #: Calls go here instead of to the instance that the sign-in names.
    instance_url: str | None = None
    #: Seconds before its assumed end at which a token is renewed.
    refresh_buffer: float = 300.0
    #: Assumed idle life of a session, in seconds.
    session_seconds: float = float(SESSION_SECONDS)
    #: Seconds allowed for the parts of a call.
    timeouts: Timeouts = field(default_factory=Timeouts)
    #: When a failed call is made again.
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    #: Most calls under way at once; fewer while the org is overloaded.
    max_concurrent: int = 20
    #: Seconds that a person's call waits for its turn.
    queue_seconds: float = 30.0
    #: How the org's API requests are shared out.
    budget: BudgetConfig = field(default_factory=BudgetConfig)
    #: Seconds during which a description is not even checked for changes.
    describe_seconds: float = 60.0
    #: How long a sign-in that people must mend is not tried again.
    hold: HoldConfig = field(default_factory=HoldConfig)
    #: How users of Salesforce are acted for; None: nobody can be.
    buyers: BuyerConfig | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldMap:
    """Fields of an object, found by API name in any case."""

    #: API name of the object, in Salesforce's case.
    sobject: str
    #: Salesforce's description of each field, by its API name in lower case.
    fields: Mapping[str, Mapping[str, Any]] = field(repr=False)

    def get(self, name: str) -> Mapping[str, Any] | None:
        """Return the description of a field, or None when the object has no such field."""
        return self.fields.get(name.lower())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self.fields

    @property
    def names(self) -> tuple[str, ...]:
        """API names of all fields, in Salesforce's case and order."""
        return tuple(str(described["name"]) for described in self.fields.values())

    def keys(self) -> tuple[str, ...]:
        """Return API names of the fields by which records can be found: external ids and idLookup fields."""
        return tuple(
            str(described["name"])
            for described in self.fields.values()
            if described.get("externalId") or described.get("idLookup")
        )


class OrgConnection:
    """One org's live client.

    Attributes:
        config: How the org is reached.
        salesforce: The client of the integration user; it signs in at its first call.
        buyers: Clients of users who are acted for.
        budget: What is left of the org's API requests; every call of the clients passes it.
        concurrency: How many calls run at once.
        consent: Whether people must do something before the integration user can sign in again.
        credentials: How the integration user signs in, as it was configured last.
    """

    def __init__(self, config: OrgConfig, clock: Clock, database: Database | None = None) -> None:
        self.config = config
        self.credentials = config.credentials
        self.consent = ConsentGuard(config.name, config.token_url, database, clock, config.hold)
        self.budget = Budget(config.budget, clock)
        self.concurrency = Concurrency(
            ConcurrencyConfig(ceiling=config.max_concurrent, queue_seconds=config.queue_seconds), clock
        )
        gate = OrgGate(self.budget, self.concurrency)
        sign_in = TokenConfig(
            credentials=config.credentials,
            token_url=config.token_url,
            session_seconds=config.session_seconds,
            refresh_buffer=config.refresh_buffer,
            instance_url=config.instance_url,
            connect_timeout=config.timeouts.connect,
        )
        transport = TransportConfig(
            api_version=config.api_version,
            timeouts=config.timeouts,
            retry=config.retry,
            max_concurrent=config.max_concurrent,
        )
        self.salesforce = Salesforce(
            sign_in,
            transport,
            clock=clock,
            describes=DescribeCache(fresh_seconds=config.describe_seconds),
            gate=gate,
            guard=self.consent,
            keeper=Grants(config.name, database, clock) if database is not None else None,
        )
        self.buyers = Buyers(config.buyers, sign_in, transport, clock, gate)

    async def describe(self, sobject: str) -> FieldMap:
        """Return the fields of an object; most calls are answered from what is kept.

        Args:
            sobject: API name, in any case.

        Raises:
            NotFound: The org has no such object, or the user may not see it.
            MalformedReply: The reply is no description.
            ClientError: Salesforce cannot be reached or refuses.
        """
        described = await self.salesforce.describe.sobject(sobject)
        try:
            fields = {str(item["name"]).lower(): item for item in described["fields"]}
            return FieldMap(sobject=str(described["name"]), fields=fields)
        except (KeyError, TypeError) as error:
            raise MalformedReply(f"Salesforce's description of {sobject} has no name or no fields.") from error

    async def check(self, *, once: bool = False) -> None:
        """Sign in if need be, and make one cheap call, to learn whether the org can be used.

        Args:
            once: True tells a failure at once; False tries again first, as any other call does.

        Raises:
            AuthenticationFailed: With cause and remedy.
            ClientError: The org cannot be reached or refuses.
        """
        await self.salesforce.request("GET", "", idempotent=True, once=once)

    async def settled(self) -> None:
        """Wait, for some seconds at most, until nothing is on its way that would be lost with this process."""
        await self.salesforce.tokens.settled()

    async def close(self) -> None:
        """Close all connections; the sessions live on at Salesforce."""
        await self.buyers.close()
        await self.salesforce.close()

    async def use(self, credentials: Credentials, buyers: BuyerConfig | None) -> None:
        """Sign in with other secrets from now on, because they were rotated; living sessions go on."""
        if credentials != self.credentials:
            # Not what was configured before: a refresh token that Salesforce replaced meanwhile stays in use.
            self.credentials = credentials
            self.salesforce.tokens.use(credentials)
        await self.buyers.use(buyers)


class Orgs:
    """All configured orgs by name."""

    def __init__(self, configs: Iterable[OrgConfig], clock: Clock, database: Database | None = None) -> None:
        """Prepare; nothing is sent or read.

        Args:
            configs: The orgs.
            clock: Time.
            database: Where all processes note which orgs need consent again; None: each knows its own.

        Raises:
            ValueError: Two orgs have one name.
        """
        self._connections: dict[str, OrgConnection] = {}
        for config in configs:
            if config.name in self._connections:
                raise ValueError(f"two orgs are configured as {config.name!r}")
            self._connections[config.name] = OrgConnection(config, clock, database)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the configured orgs."""
        return tuple(self._connections)

    def get(self, name: str = DEFAULT_ORG) -> OrgConnection:
        """Return the connection of an org.

        Raises:
            UnknownOrg: None is configured under this name.
        """
        connection = self._connections.get(name)
        if connection is None:
            raise UnknownOrg(name, self.names)
        return connection

    async def buyer(self, sf_username: str | None, name: str = DEFAULT_ORG, *, anew: bool = False) -> Salesforce:
        """Return the client that acts as a Salesforce user; for None the integration user's.

        Args:
            sf_username: Of the user who calls us.
            name: Which org.
            anew: Ask Salesforce again although it refused the user a while ago.

        Raises:
            UnknownOrg: None is configured under this name.
            BuyersNotConfigured: There is no key to sign users in with; nothing is done as somebody else.
            AuthenticationFailed: Salesforce refuses the user.
            SignInUnavailable: The token endpoint cannot be reached.
        """
        connection = self.get(name)
        if sf_username is None:
            return connection.salesforce
        return await connection.buyers.get(sf_username, anew=anew)

    async def settled(self) -> None:
        """Wait, for some seconds at most, until nothing is on its way that would be lost with this process."""
        for connection in self._connections.values():
            await connection.settled()

    async def close(self) -> None:
        """Close all connections of all orgs."""
        for connection in self._connections.values():
            await connection.close()

    async def __aenter__(self) -> Orgs:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
