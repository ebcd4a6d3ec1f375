"""The emulated org with the seed of commerce: a file that is copied, a key, and assertions of its buyers."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from orgbridge.emulator.app import EmulatorConfig, write_template
from orgbridge.emulator.org.seed import Seed

CLIENT_ID, CLIENT_SECRET = "local-client", "local-secret"
KIEL, BREMEN = "buyer.kiel@nordmuehle.example", "buyer.bremen@nordmuehle.example"
APPROVER, LYON = "approver@nordmuehle.example", "buyer.lyon@castell.example"
OMAHA, NOBODY = "buyer.omaha@prairie.example", "nobody@unbuyer.example"
ADMIN = "admin@local.org"


@cache
def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def private_key() -> str:
    """Return the key that signs the buyers' assertions, in PEM."""
    form, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return _key().private_bytes(serialization.Encoding.PEM, form, none).decode()


def certificate() -> str:
    """Return its public half, in PEM: for `EmulatorConfig.jwt_certificate`."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return _key().public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def assertion(username: str, audience: str = "https://login.salesforce.com") -> str:
    """Return an assertion that signs a user in."""
    ends = datetime.now(UTC) + timedelta(minutes=3)
    claims = {"iss": CLIENT_ID, "sub": username, "aud": audience, "exp": int(ends.timestamp())}
    return jwt.encode(claims, _key(), algorithm="RS256")


def token_form(username: str, audience: str = "https://login.salesforce.com") -> dict[str, str]:
    """Return the form that a token endpoint takes for a user."""
    return {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "assertion": assertion(username, audience),
    }


@cache
def _template() -> Path:
    path = Path(mkdtemp(prefix="orgbridge-commerce-")) / "commerce.sqlite"
    write_template(EmulatorConfig(seed=Seed.COMMERCE), path)
    return path


def new_org(folder: Path) -> Path:
    """Return the file of a new org with the seed of commerce, in a folder; made once, then copied."""
    path = folder / "commerce.sqlite"
    shutil.copyfile(_template(), path)
    return path
