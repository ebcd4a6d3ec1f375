"""Passwords: what one may look like, its Argon2id hash, and the same work for a user who does not exist."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from orgbridge.services.errors import InvalidRequest

MIN_PASSWORD_CHARS = 8
MAX_PASSWORD_CHARS = 1024
#: What stands in the place of a hash for somebody who has no password.
NO_PASSWORD = "!"  # noqa: S105 - matches no password
#: Passwords that hash at once; others wait their turn.
_HASHES_AT_ONCE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class HashCost:
    """Parameters of Argon2id.

    The defaults are OWASP's profile with the smallest memory (19 MiB), so that sign-ins do not spend the promise of
    constant memory.
    """

    #: Passes over the memory.
    time_cost: int = 2
    #: Memory in KiB.
    memory_kib: int = 19 * 1024


class Passwords:
    """Hashes and checks passwords in threads, few at a time."""

    def __init__(self, cost: HashCost | None = None) -> None:
        chosen = cost or HashCost()
        hasher = Argon2Hasher(time_cost=chosen.time_cost, memory_cost=chosen.memory_kib, parallelism=1)
        self._hasher = PasswordHash((hasher,))
        self._slots = asyncio.Semaphore(_HASHES_AT_ONCE)
        self._decoy = self._hasher.hash(secrets.token_urlsafe(16))

    async def hash(self, password: str) -> str:
        """Return the hash to be stored.

        Raises:
            InvalidRequest: The password is too short or too long.
        """
        if not MIN_PASSWORD_CHARS <= len(password) <= MAX_PASSWORD_CHARS:
            raise InvalidRequest(f"A password has {MIN_PASSWORD_CHARS} to {MAX_PASSWORD_CHARS} characters.")
        async with self._slots:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def verify(self, password: str, stored: str | None) -> tuple[bool, str | None]:
        """Return whether a password is right, and a new hash when the stored one was made at another cost.

        The work is the same for somebody without a usable hash (`stored` None or not Argon2): the answer is then no.
        """
        usable = stored is not None and stored.startswith("$argon2")
        against = stored if usable and stored is not None else self._decoy
        async with self._slots:
            right, fresh = await asyncio.to_thread(
                self._hasher.verify_and_update, password[:MAX_PASSWORD_CHARS], against
            )
        right = right and usable and len(password) <= MAX_PASSWORD_CHARS
        return right, fresh if right else None
