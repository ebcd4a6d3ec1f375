"""The org's own key: id tokens of OpenID Connect, and the public half that checks them.

The key is made when it is first needed and kept in the org's file.

Source: facts/salesforce/auth.md, head (RS256, `/id/keys`). Assumed: the claims and their lifetime.
"""

from __future__ import annotations

import base64
import hashlib

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.storage.counters import get_meta, set_meta
from orgbridge.emulator.storage.database import Storage
from orgbridge.kit.json import JSON

_META = "oidc.key"
_BITS = 2048
_ID_TOKEN_SECONDS = 120


def org_key(storage: Storage) -> RSAPrivateKey:
    """Return the org's key. Makes it the first time, which takes a while: call it in a thread."""
    with storage.read() as connection:
        pem = get_meta(connection, _META)
    if pem is None:
        made = rsa.generate_private_key(public_exponent=65537, key_size=_BITS)
        text = made.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()
        with storage.write() as connection:
            pem = get_meta(connection, _META) or text
            set_meta(connection, _META, pem)
    key = serialization.load_pem_private_key(pem.encode(), None)
    if not isinstance(key, RSAPrivateKey):
        raise TypeError("the org's key is no RSA key")
    return key


def _number(value: int) -> str:
    raw = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def public_jwk(storage: Storage) -> dict[str, JSON]:
    """Return the public half as a JSON web key."""
    numbers = org_key(storage).public_key().public_numbers()
    modulus = _number(numbers.n)
    key_id = hashlib.sha256(modulus.encode()).hexdigest()[:16]
    return {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": key_id, "n": modulus, "e": _number(numbers.e)}


def id_token(call: Call, identity: str, client_id: str, access_token: str, nonce: str | None) -> str:
    """Return a signed statement of who signed in. Call it in a thread."""
    storage, now = call.parts.storage, int(call.parts.clock.now().timestamp())
    half = hashlib.sha256(access_token.encode()).digest()[:16]
    claims: dict[str, JSON] = {
        "at_hash": base64.urlsafe_b64encode(half).rstrip(b"=").decode(),
        "sub": identity,
        "aud": client_id,
        "iss": call.base_url,
        "iat": now,
        "exp": now + _ID_TOKEN_SECONDS,
    }
    if nonce is not None:
        claims["nonce"] = nonce
    return jwt.encode(claims, org_key(storage), algorithm="RS256", headers={"kid": public_jwk(storage)["kid"]})
