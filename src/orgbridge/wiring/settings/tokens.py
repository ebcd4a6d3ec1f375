"""Our own tokens, the first administrator, and tokens of an OpenID Connect issuer."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from orgbridge.wiring.settings.topic import Topic
from orgbridge.wiring.settings.values import PrivateKey, reveal


class TokenSettings(Topic):
    """Our own tokens, the first administrator, and tokens of an OpenID Connect issuer."""

    jwt_private_key_path: Path | None = Field(
        None,
        description="a PEM file with the key that signs tokens; empty makes one in the data folder",
        examples=["/run/secrets/jwt.pem"],
    )
    jwt_private_key: PrivateKey = Field(
        None,
        description="the key that signs tokens itself, as PEM or PKCS#12 in base64, best from Key Vault",
        examples=["-----BEGIN PRIVATE KEY-----..."],
    )
    jwt_public_key_path: Path | None = Field(
        None,
        description="a PEM file with the matching public key; empty derives it",
        examples=["/run/secrets/jwt.pub.pem"],
    )
    jwt_algorithm: Literal["EdDSA", "ES256", "RS256"] = Field(
        "EdDSA", description="one of EdDSA, ES256, RS256", examples=["EdDSA"]
    )
    jwt_access_token_expire_minutes: int = Field(
        30, ge=1, le=1_440, description="minutes that an access token lives, 1 to 1440", examples=["30"]
    )
    orgbridge_jwt_issuer: str = Field(
        "orgbridge", min_length=1, description="`iss` of our tokens", examples=["https://api.example.com"]
    )
    orgbridge_jwt_audience: str | None = Field(
        None, description="`aud` of our tokens; empty takes ORGBRIDGE_JWT_ISSUER", examples=["https://api.example.com"]
    )
    orgbridge_refresh_idle_minutes: int = Field(
        10_080, ge=1, le=525_600, description="minutes that a sign-in lasts without being used", examples=["10080"]
    )
    orgbridge_refresh_absolute_minutes: int = Field(
        43_200, ge=1, le=525_600, description="minutes that a sign-in lasts in any case", examples=["43200"]
    )
    orgbridge_admin_username: str | None = Field(
        None, description="the first administrator, made at the start when there is none", examples=["root"]
    )
    orgbridge_admin_password: SecretStr | None = Field(
        None, description="that administrator's password, 8 characters or more", examples=["..."]
    )
    orgbridge_oidc_issuer: str | None = Field(
        None,
        description="an OpenID Connect issuer whose access tokens are accepted too, exactly as in `iss`",
        examples=["https://login.example.com/realms/main"],
    )
    orgbridge_oidc_audience: str | None = Field(
        None, description="what `aud` of the issuer's tokens must hold", examples=["orgbridge"]
    )
    orgbridge_oidc_jwks_url: str | None = Field(
        None,
        description="the issuer's key set; empty asks its discovery document",
        examples=["https://login.example.com/realms/main/certs"],
    )
    orgbridge_oidc_username_claim: str = Field(
        "preferred_username", description="the claim with the user's name", examples=["preferred_username"]
    )
    orgbridge_oidc_scopes_claim: str = Field(
        "scope", description="the claim with scopes; `admin` never comes from it", examples=["scope"]
    )
    orgbridge_oidc_roles_claim: str = Field(
        "roles", description="the claim with roles or groups; dots lead into objects", examples=["realm_access.roles"]
    )
    orgbridge_oidc_roles: dict[str, str] = Field(
        {},
        description="a JSON object from values of that claim to names of roles of this service",
        examples=['{"sf-admins": "admin", "sf-readers": "reader"}'],
    )

    @property
    def signing_pem(self) -> str | None:
        """The key that signs tokens, when it was given itself."""
        return reveal(self.jwt_private_key)
