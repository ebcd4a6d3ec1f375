"""Texts that lie sealed where others may read them: AES-256-GCM, bound to the place where they lie.

Several keys may be known: the first seals, all open. A sealed text names its key by a short hash, so that nobody has to
guess why it does not open.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_PREFIX: Final = "sealed:"
_NONCE_BYTES: Final = 12
#: Fewer characters are no key but a password, which could be guessed from what it sealed.
MIN_KEY_CHARS: Final = 32


class SealBroken(ValueError):
    """The text was not sealed with a key that is known here, or not for this place."""


class Sealer:
    """Seals and opens texts for one purpose."""

    def __init__(self, keys: Sequence[bytes], purpose: str) -> None:
        """Derive what seals.

        Args:
            keys: Secrets of full strength, each for itself; the first seals.
            purpose: What is sealed: the same key opens nothing of another purpose.
        """
        if not keys:
            raise ValueError("a sealer needs a key")
        self._ciphers: dict[str, AESGCM] = {}
        for key in keys:
            derived = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=purpose.encode()).derive(key)
            self._ciphers.setdefault(hashlib.sha256(derived).hexdigest()[:8], AESGCM(derived))
        self._name = next(iter(self._ciphers))

    def seal(self, text: str, place: str) -> str:
        """Return a text sealed for one place, such as the id of its row: it opens nowhere else."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + self._ciphers[self._name].encrypt(nonce, text.encode(), place.encode())
        return f"{self.prefix}{base64.urlsafe_b64encode(sealed).decode().rstrip('=')}"

    def open(self, sealed: str, place: str) -> str:
        """Return the text.

        Raises:
            SealBroken: With another key, for another place, or changed.
        """
        name, _, content = sealed.removeprefix(_PREFIX).partition(":")
        cipher = self._ciphers.get(name)
        if cipher is None:
            raise SealBroken(f"it is sealed with the key {name[:8]}, which is not known here")
        try:
            raw = base64.b64decode(content + "=" * (-len(content) % 4), altchars=b"-_", validate=True)
            return cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], place.encode()).decode()
        except (binascii.Error, ValueError, InvalidTag) as error:
            raise SealBroken("it was changed, or sealed for another place") from error

    @property
    def prefix(self) -> str:
        """What every text begins with that is sealed with the key that seals now."""
        return f"{_PREFIX}{self._name}:"


def is_sealed(text: str) -> bool:
    """Return whether a text lies sealed."""
    return text.startswith(_PREFIX)
