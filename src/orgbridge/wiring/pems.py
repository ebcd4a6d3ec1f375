"""Private keys as settings hold them: PEM text, PEM on one line, or what Key Vault makes of a certificate."""

from __future__ import annotations

import base64
import binascii
import re

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

_BLOCK = re.compile(r"-----BEGIN (?P<kind>[A-Z ]*PRIVATE KEY)-----.+?-----END (?P=kind)-----", re.DOTALL)


def private_key_pem(text: str) -> str:
    """Return the private key of a secret as PEM.

    Args:
        text: PEM, perhaps with a certificate beside the key, perhaps with `\\n` for its line ends; or PKCS#12 in
            base64, as Key Vault keeps certificates.

    Raises:
        ValueError: There is no private key in it. The message does not quote it.
    """
    plain = text.replace("\\n", "\n") if "\n" not in text.strip() else text
    if found := _BLOCK.search(plain):
        return found.group(0) + "\n"
    try:
        key, _, _ = pkcs12.load_key_and_certificates(base64.b64decode(plain, validate=True), None)
    except (binascii.Error, ValueError, TypeError):
        raise ValueError("it is neither a PEM private key nor a certificate in PKCS#12") from None
    if key is None:
        raise ValueError("it is a certificate without its private key")
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode("ascii")
