"""The key that signs our access tokens: loaded or made once, named by its thumbprint, published as a key set."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from orgbridge.kit.json import dumps, loads
from orgbridge.kit.logs import get_logger
from orgbridge.services.errors import NotSignedIn, UnusableKey

#: Signatures that a token may carry; nothing else is ever tried.
ALGORITHMS = ("EdDSA", "ES256", "RS256")
_MIN_RSA_BITS = 2048
_THUMBPRINT_MEMBERS = {"OKP": ("crv", "kty", "x"), "EC": ("crv", "kty", "x", "y"), "RSA": ("e", "kty", "n")}

PrivateKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
PublicKey = ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey | rsa.RSAPublicKey

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyConfig:
    """Which key signs."""

    #: One of `ALGORITHMS`.
    algorithm: str
    #: PEM file of the private key; None makes one under `folder`.
    private_path: Path | None
    #: PEM file of the public key; None derives it.
    public_path: Path | None
    #: Where a made key lies, mode 0600.
    folder: Path


class KeyRing:
    """Signs and checks tokens with one key."""

    def __init__(self, private: PrivateKey, algorithm: str) -> None:
        self._private = private
        self.algorithm = algorithm
        self._public = private.public_key()
        self._jwk = _public_jwk(self._public, algorithm)
        self.kid = str(self._jwk["kid"])

    def sign(self, claims: dict[str, Any]) -> str:
        """Return the claims as a signed token whose header names the key."""
        return jwt.encode(claims, self._private, algorithm=self.algorithm, headers={"kid": self.kid})

    def verify(self, token: str, *, audience: str, issuer: str, now: float) -> dict[str, Any]:
        """Return the claims of a token that this key signed and that is valid at `now` (unix seconds).

        Raises:
            NotSignedIn: The token is malformed, of another key or algorithm, expired, or for somebody else.
        """
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._public,
                algorithms=[self.algorithm],
                audience=audience,
                issuer=issuer,
                options={"require": ["exp", "iat", "sub"], "verify_exp": False, "verify_iat": False},
            )
        except jwt.PyJWTError as error:
            raise NotSignedIn("The bearer token is not valid here: get a new one at POST /token.") from error
        # Expiry is checked here and not by the library, because time comes in as a value.
        expires = claims["exp"]
        if not isinstance(expires, int | float) or expires <= now:
            raise NotSignedIn("The bearer token has expired: get a new one at POST /token.")
        return claims

    def derived(self, purpose: str) -> bytes:
        """Return a secret of 32 bytes that every process with this key has, one for each purpose."""
        form = (serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return hmac.digest(hashlib.sha256(self._private.private_bytes(*form)).digest(), purpose.encode(), "sha256")

    def jwks(self) -> dict[str, Any]:
        """Return the public key set (RFC 7517)."""
        return {"keys": [self._jwk]}


def load_key_ring(config: KeyConfig) -> KeyRing:
    """Load the signing key, or make it once when none is configured. Blocks; call it before serving.

    Raises:
        UnusableKey: A file is not a PEM key, the two keys are not a pair, or the key does not fit the algorithm.
    """
    if config.private_path is not None:
        private = _read_private(config.private_path, "JWT_PRIVATE_KEY_PATH")
        if config.public_path is not None:
            _check_pair(private, config.public_path)
    else:
        path = config.folder / f"jwt-{config.algorithm.lower()}.pem"
        if not path.exists():
            _make(path, config.algorithm)
        private = _read_private(path, "the made key")
    _check_fits(private, config.algorithm)
    return KeyRing(private, config.algorithm)


def _make(path: Path, algorithm: str) -> None:
    private: PrivateKey
    match algorithm:
        case "EdDSA":
            private = ed25519.Ed25519PrivateKey.generate()
        case "ES256":
            private = ec.generate_private_key(ec.SECP256R1())
        case _:
            private = rsa.generate_private_key(public_exponent=65537, key_size=3072)
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    try:
        # A link and not a rename: when several processes start at once, the first one's key is everybody's.
        path.hardlink_to(temporary)
    except FileExistsError:
        return
    finally:
        temporary.unlink()
    log.info(
        "signing_key_made",
        algorithm=algorithm,
        path=str(path),
        remedy="set JWT_PRIVATE_KEY_PATH to a key of your own when more than one machine serves",
    )


def _read_private(path: Path, name: str) -> PrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise UnusableKey(f"{name}: {path.name} is not a readable PEM private key without a passphrase.") from error
    if not isinstance(key, ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise UnusableKey(f"{name}: {path.name} is not an Ed25519, P-256 or RSA key.")
    return key


def _check_pair(private: PrivateKey, public_path: Path) -> None:
    try:
        public = serialization.load_pem_public_key(public_path.read_bytes())
    except (OSError, ValueError, InvalidSignature) as error:
        raise UnusableKey(f"JWT_PUBLIC_KEY_PATH: {public_path.name} is not a readable PEM public key.") from error
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    if public.public_bytes(*form) != private.public_key().public_bytes(*form):
        raise UnusableKey("JWT_PUBLIC_KEY_PATH: it is not the public half of JWT_PRIVATE_KEY_PATH.")


def _check_fits(private: PrivateKey, algorithm: str) -> None:
    match algorithm:
        case "EdDSA":
            fits = isinstance(private, ed25519.Ed25519PrivateKey)
        case "ES256":
            fits = isinstance(private, ec.EllipticCurvePrivateKey) and isinstance(private.curve, ec.SECP256R1)
        case "RS256":
            fits = isinstance(private, rsa.RSAPrivateKey) and private.key_size >= _MIN_RSA_BITS
        case _:
            fits = False
    if not fits:
        raise UnusableKey(
            f"JWT_ALGORITHM: the signing key does not fit {algorithm}. "
            f"EdDSA needs Ed25519, ES256 needs P-256, RS256 needs RSA of at least {_MIN_RSA_BITS} bits."
        )


def _public_jwk(public: PublicKey, algorithm: str) -> dict[str, Any]:
    maker = jwt.get_algorithm_by_name(algorithm)
    jwk: dict[str, Any] = loads(maker.to_jwk(public))
    members = {name: jwk[name] for name in _THUMBPRINT_MEMBERS[jwk["kty"]]}
    thumbprint = hashlib.sha256(dumps(dict(sorted(members.items())))).digest()
    kid = base64.urlsafe_b64encode(thumbprint).rstrip(b"=").decode()
    return {**members, "kid": kid, "use": "sig", "alg": algorithm}
