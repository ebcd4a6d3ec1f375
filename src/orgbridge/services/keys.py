"""The keys of our access tokens: one signs, loaded or made once; others, published in the store, still verify."""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from orgbridge.kit.json import dumps, loads
from orgbridge.kit.logs import get_logger
from orgbridge.services.errors import TokenRefused, UnusableKey

#: Signatures that a token may carry; nothing else is ever tried.
ALGORITHMS = ("EdDSA", "ES256", "RS256")
#: What the header of an access token says it is (RFC 9068), so that no other JWT passes for one.
TOKEN_TYPE = "at+jwt"  # noqa: S105 - a media type
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
    #: The private key itself, in PEM form; goes before the files.
    pem: str | None = field(default=None, repr=False)

    @property
    def path(self) -> Path:
        """The file with the private key."""
        return self.private_path or self.folder / f"jwt-{self.algorithm.lower()}.pem"


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """The private key that signs, with its public half as it is published."""

    #: The key itself.
    private: PrivateKey
    #: The algorithm it signs with, and no other.
    algorithm: str
    #: RFC 7638 thumbprint.
    kid: str
    #: The public half (RFC 7517).
    jwk: dict[str, Any]


class UnknownKey(TokenRefused):
    """The token names a key that is not known here."""


class KeyRing:
    """Signs tokens with one key and checks those of several, each by its own algorithm only."""

    def __init__(self, signing: SigningKey) -> None:
        self.signing = signing
        self._published: dict[str, dict[str, Any]] = {}
        self._verifying: dict[str, tuple[Any, str]] = {}
        self.replace(signing, [])

    @property
    def kid(self) -> str:
        """Name of the key that signs."""
        return self.signing.kid

    @property
    def algorithm(self) -> str:
        """Algorithm of the key that signs."""
        return self.signing.algorithm

    def replace(self, signing: SigningKey, others: list[dict[str, Any]]) -> None:
        """Sign with this key from now on, and verify its tokens and those of the other public keys."""
        self.signing = signing
        self._published = {str(jwk["kid"]): jwk for jwk in [signing.jwk, *others] if jwk.get("alg") in ALGORITHMS}
        self._verifying = {
            kid: (jwt.PyJWK(jwk, algorithm=jwk["alg"]).key, jwk["alg"]) for kid, jwk in self._published.items()
        }

    def forget(self, kid: str) -> None:
        """Refuse the tokens of a key."""
        self._published.pop(kid, None)
        self._verifying.pop(kid, None)

    def knows(self, kid: str) -> bool:
        """Return whether tokens of this key are valid here."""
        return kid in self._verifying

    def sign(self, claims: dict[str, Any]) -> str:
        """Return the claims as a signed access token whose header names the key."""
        key = self.signing
        return jwt.encode(claims, key.private, algorithm=key.algorithm, headers={"kid": key.kid, "typ": TOKEN_TYPE})

    def verify(self, token: str, *, audience: str, issuer: str, now: float) -> dict[str, Any]:
        """Return the claims of an access token of one of our keys that is valid at `now` (unix seconds).

        Raises:
            UnknownKey: The token names a key that is not ours, or not yet known here.
            TokenRefused: The token is malformed, of another type or algorithm, not valid now, or for somebody else.
        """
        try:
            header = jwt.get_unverified_header(token)
            kid = header.get("kid")
            if not isinstance(kid, str) or kid not in self._verifying:
                raise UnknownKey
            if str(header.get("typ", "")).lower().removeprefix("application/") != TOKEN_TYPE:
                raise TokenRefused
            key, algorithm = self._verifying[kid]
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=audience,
                issuer=issuer,
                options={
                    "require": ["exp", "iat", "sub"],
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
        except jwt.PyJWTError as error:
            raise TokenRefused from error
        check_times(claims, now)
        return claims

    def jwks(self) -> dict[str, Any]:
        """Return the public key set (RFC 7517), the signing key first."""
        return {"keys": list(self._published.values())}


def check_times(claims: dict[str, Any], now: float, *, leeway: float = 0.0) -> None:
    """See that a token has begun and has not ended. Here and not in the library: time comes in as a value.

    Args:
        claims: With `exp`, perhaps with `nbf`.
        now: Unix seconds.
        leeway: Seconds that the clocks of two houses may differ.

    Raises:
        TokenRefused: It has expired or is not valid yet.
    """
    expires, begins = claims["exp"], claims.get("nbf", 0)
    if isinstance(expires, bool) or not isinstance(expires, int | float) or expires + leeway <= now:
        raise TokenRefused("The bearer token has expired: get a new one at POST /token.")
    # A second for the fractions that tokens do not carry.
    if isinstance(begins, bool) or not isinstance(begins, int | float) or begins - leeway > now + 1:
        raise TokenRefused("The bearer token is not valid yet: see whether the clocks agree.")


def load_key_ring(config: KeyConfig) -> KeyRing:
    """Load the signing key, or make it once when none is configured. Blocks; call it before serving.

    Raises:
        UnusableKey: A file is not a PEM key, the two keys are not a pair, or the key does not fit the algorithm.
    """
    return KeyRing(load_signing_key(config))


def load_signing_key(config: KeyConfig) -> SigningKey:
    """Load the signing key, or make it once when none is configured. Blocks.

    Raises:
        UnusableKey: A file is not a PEM key, the two keys are not a pair, or the key does not fit the algorithm.
    """
    if config.pem is not None:
        private = _parse_private(config.pem.encode(), "JWT_PRIVATE_KEY", "it")
        if config.public_path is not None:
            _check_pair(private, config.public_path)
    elif config.private_path is not None:
        private = _read_private(config.private_path, "JWT_PRIVATE_KEY_PATH")
        if config.public_path is not None:
            _check_pair(private, config.public_path)
    else:
        if not config.path.exists():
            make_key(config, replacing=False)
        private = _read_private(config.path, "the made key")
    _check_fits(private, config.algorithm)
    return signing_key(private, config.algorithm)


def signing_key(private: PrivateKey, algorithm: str) -> SigningKey:
    """Return a private key with the public half and the name that go with it."""
    jwk = _public_jwk(private.public_key(), algorithm)
    return SigningKey(private=private, algorithm=algorithm, kid=str(jwk["kid"]), jwk=jwk)


def make_key(config: KeyConfig, *, replacing: bool) -> None:
    """Make the key file under the data folder, mode 0600, whole or not at all. Blocks.

    Args:
        config: Which algorithm, and where.
        replacing: True puts it in the place of the one that is there; False leaves that one.
    """
    private: PrivateKey
    match config.algorithm:
        case "EdDSA":
            private = ed25519.Ed25519PrivateKey.generate()
        case "ES256":
            private = ec.generate_private_key(ec.SECP256R1())
        case _:
            private = rsa.generate_private_key(public_exponent=65537, key_size=3072)
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = config.path
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    if replacing:
        temporary.replace(path)
    else:
        try:
            # A link and not a rename: when several processes start at once, the first one's key is everybody's.
            path.hardlink_to(temporary)
        except FileExistsError:
            return
        finally:
            temporary.unlink()
    log.warning(
        "signing_key_made",
        algorithm=config.algorithm,
        path=str(path),
        remedy="nothing for one machine; set JWT_PRIVATE_KEY_PATH to keep the key where you keep secrets",
    )


def _read_private(path: Path, name: str) -> PrivateKey:
    try:
        pem = path.read_bytes()
    except OSError as error:
        raise UnusableKey(f"{name}: {path.name} is not a readable PEM private key without a passphrase.") from error
    return _parse_private(pem, name, path.name)


def _parse_private(pem: bytes, name: str, what: str) -> PrivateKey:
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError):
        # The cause is cut off: a parser's message may quote the key.
        raise UnusableKey(f"{name}: {what} is not a readable PEM private key without a passphrase.") from None
    if not isinstance(key, ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise UnusableKey(f"{name}: {what} is not an Ed25519, P-256 or RSA key.")
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
