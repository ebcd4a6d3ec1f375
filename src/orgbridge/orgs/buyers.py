"""Sessions of Salesforce users whom this service acts for: one per user, by JWT bearer, in memory only.

Laws:
* Whoever has a Salesforce user acts as that user or not at all; never silently as the integration user.
* However many calls of a user begin at one moment, there is one sign-in.
* At most so many sessions are held: the one that was not used for longest goes first, and whoever is not used for a
  while goes anyway. A session that goes is closed only when no call can be under way on it any more.
* Nothing of a session is ever written anywhere.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field, replace

from orgbridge.client import DescribeCache, JWTCredentials, Salesforce, Secret, TokenConfig, TransportConfig
from orgbridge.client.transport.gates import Gate
from orgbridge.kit.clock import Clock
from orgbridge.kit.notes import note
from orgbridge.orgs.errors import BuyersNotConfigured

_MAX_USERNAME_CHARS = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class BuyerConfig:
    """How users are signed in."""

    #: Consumer key of the app that holds the certificate.
    client_id: str
    #: RSA key of the certificate, in PEM form.
    private_key: Secret
    #: Whom the assertion is for; None derives it from the token URL.
    audience: str | None = None
    #: The token endpoint, when users sign in elsewhere than the integration user: an Experience Cloud site.
    token_url: str | None = None
    #: Sessions held at most.
    max_sessions: int = 500
    #: A session that is not used for so long is let go.
    idle_seconds: float = 1800.0
    #: Calls of one user at once.
    max_concurrent: int = 5


@dataclass(slots=True)
class _Session:
    salesforce: Salesforce = field(repr=False)
    used_at: float


class Buyers:
    """Live clients by Salesforce user name."""

    def __init__(
        self,
        config: BuyerConfig | None,
        sign_in: TokenConfig,
        transport: TransportConfig,
        clock: Clock,
        gate: Gate | None = None,
    ) -> None:
        """Prepare; nothing is sent before the first call.

        Args:
            config: None when no key was given: then nobody can be acted for.
            sign_in: The integration user's, for what is the same: addresses and patience.
            transport: The integration user's.
            clock: Time.
            gate: What every call passes; the integration user's, for the org counts both.
        """
        self._config = config
        self._gate = gate
        self._sign_in = sign_in
        self._transport = transport
        self._clock = clock
        self._sessions: OrderedDict[str, _Session] = OrderedDict()
        self._leaving: deque[_Session] = deque()
        # Descriptions differ by user: no two share one.

    def __len__(self) -> int:
        """Return how many sessions are held."""
        return len(self._sessions)

    async def get(self, sf_username: str, *, anew: bool = False) -> Salesforce:
        """Return the client that acts as a user, signed in.

        Args:
            sf_username: As Salesforce knows the user, in any case.
            anew: Ask Salesforce again although it refused a while ago: somebody may have mended the cause.

        Raises:
            BuyersNotConfigured: There is no key to sign users in with.
            AuthenticationFailed: Salesforce refuses the user; the refusal is repeated for some minutes without asking.
            SignInUnavailable: The token endpoint cannot be reached.
        """
        config = self._config
        if config is None or not 1 <= len(sf_username) <= _MAX_USERNAME_CHARS:
            raise BuyersNotConfigured(sf_username)
        note(acted_as=sf_username)
        await self._let_go()
        name = sf_username.lower()
        session = self._sessions.get(name)
        if session is None:
            session = _Session(salesforce=self._make(config, sf_username), used_at=self._clock.monotonic())
            self._sessions[name] = session
        session.used_at = self._clock.monotonic()
        self._sessions.move_to_end(name)
        if anew:
            session.salesforce.tokens.forget_refusal()
        while len(self._sessions) > config.max_sessions:
            self._leaving.append(self._sessions.popitem(last=False)[1])
        # One sign-in for all who wait here: the token is shared, and so is the way to it.
        await session.salesforce.tokens.get()
        return session.salesforce

    async def use(self, config: BuyerConfig | None) -> None:
        """Sign in with another key from now on; sessions that live go on, and sign in anew with the new key."""
        self._config = config
        if config is None:
            return
        for session in self._sessions.values():
            session.salesforce.tokens.use_key(config.private_key)

    async def close(self) -> None:
        """Close all clients; the sessions live on at Salesforce until they end there."""
        sessions = [*self._leaving, *self._sessions.values()]
        self._sessions.clear()
        self._leaving.clear()
        for session in sessions:
            await session.salesforce.close()

    def _make(self, config: BuyerConfig, sf_username: str) -> Salesforce:
        credentials = JWTCredentials(
            client_id=config.client_id,
            username=sf_username,
            private_key=config.private_key,
            audience=config.audience,
        )
        return Salesforce(
            replace(self._sign_in, credentials=credentials, token_url=config.token_url or self._sign_in.token_url),
            replace(self._transport, max_concurrent=config.max_concurrent),
            clock=self._clock,
            describes=DescribeCache(),
            gate=self._gate,
        )

    async def _let_go(self) -> None:
        now = self._clock.monotonic()
        idle = self._config.idle_seconds if self._config is not None else 0.0
        while self._sessions:
            oldest = next(iter(self._sessions.values()))
            if now - oldest.used_at < idle:
                break
            self._leaving.append(self._sessions.popitem(last=False)[1])
        # Longer than any call can last since the session was last handed out.
        grace = self._transport.timeouts.total * 2
        while self._leaving and now - self._leaving[0].used_at >= grace:
            await self._leaving.popleft().salesforce.close()
