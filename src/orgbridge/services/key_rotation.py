"""Which key signs now, which still verify, and how all processes come to agree without a restart.

Laws:
1. A private key never leaves its file. The public half of every key that signs stands in the store, with the instant
   until which tokens of it may be valid; it is there BEFORE the first such token is handed out.
2. A new key signs as soon as a process sees its file changed; the old one verifies for as long as its tokens live,
   because nobody prolongs it any more. There is no state to be cleaned up, whoever dies in between.
3. A revoked key verifies nothing and signs nothing, in any process, a few seconds later.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

from orgbridge.kit.clock import Clock
from orgbridge.kit.logs import get_logger
from orgbridge.services.errors import UnusableKey
from orgbridge.services.keys import KeyConfig, KeyRing, SigningKey, load_signing_key, make_key
from orgbridge.store.database import Database
from orgbridge.store.errors import StoreUnavailable
from orgbridge.store.identity_records import SigningKeyRecord

#: How long files and store are believed to be as they were seen.
_FRESH_SECONDS = 5.0
#: A token that names an unknown key makes the store be asked, but not more often than this.
_UNKNOWN_SECONDS = 1.0
#: A key is published for this much longer than its tokens need, so that not every token writes.
_AHEAD = timedelta(hours=1)
#: Keys are kept in the list for so long after their last token ended.
_REMEMBERED = timedelta(days=30)
log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyState:
    """One key, as `keys list` shows it."""

    #: RFC 7638 thumbprint.
    kid: str
    #: EdDSA, ES256 or RS256.
    algorithm: str
    #: signing, verifying, expired or revoked.
    state: str
    #: When it was first used.
    created_at: datetime
    #: No token of it is valid after this.
    tokens_until: datetime


class SigningKeys:
    """The key ring of one process, kept as the files and the store say."""

    def __init__(self, ring: KeyRing, config: KeyConfig, database: Database, clock: Clock) -> None:
        self.ring = ring
        self._config = config
        self._database = database
        self._clock = clock
        self._seen_file: tuple[int, int, int] | None = None
        self._seen_pem: str | None = None
        self._checked: float | None = None
        self._asked: float | None = None
        self._until: dict[str, datetime] = {}
        self._turn = asyncio.Lock()
        #: Grows when a key stopped verifying: what was verified before has to be verified again.
        self.generation = 0

    @property
    def kid(self) -> str:
        """Name of the key that signs."""
        return self.ring.kid

    def use(self, config: KeyConfig) -> None:
        """Sign with what this configuration names, as soon as it was looked at; what is no key changes nothing."""
        self._config = config
        self._checked = None

    async def refresh(self, *, unknown_key: bool = False) -> None:
        """See what files and store say, unless that was done a moment ago.

        A store that does not answer leaves all as it was, and so does a file that holds no key (yet).

        Args:
            unknown_key: A token names a key that is not known here: look again sooner.
        """
        pause, last = (_UNKNOWN_SECONDS, self._asked) if unknown_key else (_FRESH_SECONDS, self._checked)
        if last is not None and self._clock.monotonic() - last < pause:
            return
        async with self._turn:
            last = self._asked if unknown_key else self._checked
            if last is not None and self._clock.monotonic() - last < pause:
                return
            self._checked = self._clock.monotonic()
            if unknown_key:
                self._asked = self._checked
            signing = self.ring.signing
            try:
                signing = await asyncio.to_thread(self._read_file)
            except UnusableKey as error:
                # Perhaps it is just being written.
                log.warning("signing_key_unusable", detail=error.message, kept=signing.kid)
            try:
                await self._read_store(signing)
            except StoreUnavailable:
                log.warning("signing_keys_not_read", remedy="see whether the database answers")

    async def prepare(self, expires_at: datetime) -> None:
        """Make sure that whoever is shown a token of the signing key until then can verify it.

        Raises:
            StoreUnavailable: The key cannot be published; hand out no token.
            UnusableKey: The key was revoked.
        """
        await self.refresh()
        kid = self.ring.kid
        known = self._until.get(kid)
        if known is None or known < expires_at:
            await self._publish(self.ring.signing, expires_at + _AHEAD)

    async def rotate(self, *, revoke_old: bool = False) -> KeyState:
        """Make a new key that signs from now on; the old one verifies until its tokens have expired.

        Args:
            revoke_old: Refuse the tokens of the old key at once: for a key that got into wrong hands.

        Raises:
            UnusableKey: The key comes from JWT_PRIVATE_KEY_PATH, so that only its owner can replace it.
        """
        if self._config.private_path is not None:
            raise UnusableKey(
                "The key comes from JWT_PRIVATE_KEY_PATH: replace that file. Every process signs with the new key "
                "within seconds, and the old one verifies until its tokens have expired."
            )
        if self._config.pem is not None:
            raise UnusableKey(
                "The key comes from JWT_PRIVATE_KEY: replace that secret. Every process that reads it from Key Vault "
                "signs with the new key soon after, and the old one verifies until its tokens have expired."
            )
        old = self.ring.signing
        # Published first: a process that dies between leaves an old key that is still good.
        await self._publish(old, self._clock.now())
        await asyncio.to_thread(make_key, self._config, replacing=True)
        if revoke_old:
            await self.revoke(old.kid)
        self._checked = None
        await self.refresh()
        await self._publish(self.ring.signing, self._clock.now() + _AHEAD)
        (state,) = [key for key in await self.list() if key.kid == self.ring.kid]
        return state

    async def revoke(self, kid: str) -> bool:
        """Refuse every token of a key from now on, and return whether there is such a key."""
        async with self._database.unit() as unit:
            found = await unit.signing_keys.revoke(kid, self._clock.now())
        self._checked = None
        return found

    async def list(self) -> list[KeyState]:
        """Return all keys that were ever published and not long forgotten, oldest first."""
        now = self._clock.now()
        async with self._database.unit(write=False) as unit:
            records = await unit.signing_keys.all()
        signing = self.ring.signing
        if all(record.kid != signing.kid for record in records):
            # It has signed nothing yet.
            records.append(_record(signing, now, now))
        states = []
        for record in records:
            if record.revoked_at is not None:
                state = "revoked"
            elif record.kid == self.ring.kid:
                state = "signing"
            else:
                state = "verifying" if record.tokens_until > now else "expired"
            states.append(
                KeyState(
                    kid=record.kid,
                    algorithm=record.algorithm,
                    state=state,
                    created_at=record.created_at,
                    tokens_until=record.tokens_until,
                )
            )
        return states

    async def _publish(self, key: SigningKey, until: datetime) -> None:
        now = self._clock.now()
        async with self._database.unit() as unit:
            await unit.signing_keys.publish(_record(key, now, until))
            await unit.signing_keys.purge(now - _REMEMBERED)
            records = {record.kid: record for record in await unit.signing_keys.all()}
        if records[key.kid].revoked_at is not None:
            raise UnusableKey(f"The signing key {key.kid} was revoked: replace it.")
        self._until[key.kid] = records[key.kid].tokens_until

    async def _read_store(self, signing: SigningKey) -> None:
        now = self._clock.now()
        async with self._database.unit(write=False) as unit:
            records = await unit.signing_keys.all()
        self._until = {record.kid: record.tokens_until for record in records}
        usable = {r.kid: r.jwk for r in records if r.revoked_at is None and r.tokens_until > now}
        revoked = {record.kid for record in records if record.revoked_at is not None}
        others = [jwk for kid, jwk in usable.items() if kid != signing.kid]
        before = {jwk["kid"] for jwk in self.ring.jwks()["keys"]}
        if signing.kid != self.ring.kid:
            log.info("signing_key_changed", kid=signing.kid, before=self.ring.kid)
        self.ring.replace(signing, others)
        if signing.kid in revoked:
            self.ring.forget(signing.kid)
        if before - {jwk["kid"] for jwk in self.ring.jwks()["keys"]}:
            self.generation += 1

    def _read_file(self) -> SigningKey:
        pem = self._config.pem
        if pem is not None:
            if pem == self._seen_pem:
                return self.ring.signing
            signing = load_signing_key(self._config)
            self._seen_pem = pem
            return signing
        try:
            found = self._config.path.stat()
        except FileNotFoundError:
            # Somebody removed the file: go on with what is in memory, a restart will say so.
            return self.ring.signing
        seen = (found.st_ino, found.st_mtime_ns, found.st_size)
        if seen == self._seen_file:
            return self.ring.signing
        signing = load_signing_key(self._config)
        self._seen_file = seen
        return signing


def _record(key: SigningKey, now: datetime, until: datetime) -> SigningKeyRecord:
    return SigningKeyRecord(
        kid=key.kid, algorithm=key.algorithm, jwk=key.jwk, created_at=now, tokens_until=until, revoked_at=None
    )
