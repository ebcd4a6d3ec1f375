"""How Salesforce is reached and signed in to, by the names of either document."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from orgbridge.kit.receivers import is_safe_url
from orgbridge.wire.versions import DEFAULT_VERSION, NEWEST, OLDEST, parse_version
from orgbridge.wiring.settings.topic import Topic
from orgbridge.wiring.settings.values import Listed, PrivateKey, reveal

LOGIN_URL = "https://login.salesforce.com/services/oauth2/token"


class AuthFlow(StrEnum):
    """How the service signs in to Salesforce."""

    PASSWORD = "password"  # noqa: S105 - the name of a flow
    CLIENT_CREDENTIALS = "client_credentials"
    JWT_BEARER = "jwt_bearer"
    REFRESH_TOKEN = "refresh_token"  # noqa: S105 - the name of a flow


class SalesforceSettings(Topic):
    """How Salesforce is reached and signed in to, by the names of either document."""

    salesforce_client_id: str | None = Field(None, description="the consumer key of the app", examples=["3MVG9..."])
    salesforce_client_secret: SecretStr | None = Field(
        None, description="the consumer secret of the app", examples=["A1B2C3..."]
    )
    salesforce_username: str | None = Field(
        None, description="the user the service works as", examples=["integration@example.com"]
    )
    salesforce_password: SecretStr | None = Field(
        None, description="that user's password with the security token appended", examples=["mypasswordMYTOKEN"]
    )
    salesforce_token_url: str = Field(
        LOGIN_URL,
        pattern=r"^https?://[^\s/@]+(/\S*)?$",
        description="the OAuth token endpoint, a URL without user or password in it",
        examples=["https://yourdomain.my.salesforce.com/services/oauth2/token"],
    )
    salesforce_api_version: str = Field(
        DEFAULT_VERSION, description=f"an API version from v{OLDEST}.0 to v{NEWEST}.0", examples=["v58.0"]
    )
    salesforce_token_refresh_buffer: int = Field(
        300, ge=0, le=86_400, description="seconds before expiry to sign in anew, 0 to 86400", examples=["300"]
    )
    salesforce_auth_flow: AuthFlow | None = Field(
        None,
        description="one of password, client_credentials, jwt_bearer, refresh_token; empty chooses by what is set",
        examples=["client_credentials"],
    )
    sfcc_client_id: str | None = Field(None, description="fills in for SALESFORCE_CLIENT_ID", examples=["3MVG9..."])
    sfcc_client_secret: SecretStr | None = Field(
        None, description="fills in for SALESFORCE_CLIENT_SECRET", examples=["A1B2C3..."]
    )
    sfcc_admin_username: str | None = Field(
        None, description="fills in for SALESFORCE_USERNAME", examples=["admin@example.com"]
    )
    sfcc_admin_password: SecretStr | None = Field(
        None, description="with SFCC_ADMIN_TOKEN appended, fills in for SALESFORCE_PASSWORD", examples=["mypassword"]
    )
    sfcc_admin_token: SecretStr | None = Field(
        None, description="the security token of that user", examples=["MYTOKEN"]
    )
    sfcc_domain_name: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9.-]+$",
        description="the My Domain name or host; fills in for SALESFORCE_TOKEN_URL",
        examples=["acme or acme.my.salesforce.com"],
    )
    sfcc_network_name: str | None = Field(
        None, description="the Experience Cloud site of the web store; not used by this version", examples=["customers"]
    )
    orgbridge_salesforce_concurrency: int = Field(
        20, ge=1, le=100, description="calls to Salesforce at once from one process, 1 to 100", examples=["20"]
    )
    orgbridge_salesforce_timeout_seconds: float = Field(
        120.0, gt=0, le=600, description="seconds to wait for one Salesforce reply", examples=["120"]
    )
    orgbridge_salesforce_jwt_key_path: Path | None = Field(
        None, description="a PEM file with the RSA key of the JWT bearer flow", examples=["/run/secrets/salesforce.pem"]
    )
    orgbridge_salesforce_jwt_key: PrivateKey = Field(
        None,
        description="that key itself, as PEM or PKCS#12 in base64, best from Key Vault; goes before the file",
        examples=["-----BEGIN PRIVATE KEY-----..."],
    )
    orgbridge_salesforce_buyer_sessions: int = Field(
        500, ge=1, le=100_000, description="users of Salesforce that are acted for at once, at most", examples=["500"]
    )
    orgbridge_salesforce_buyer_idle_seconds: int = Field(
        1_800,
        ge=10,
        le=86_400,
        description="seconds after which an unused session of such a user is let go",
        examples=["1800"],
    )
    orgbridge_salesforce_jwt_audience: str | None = Field(
        None,
        description="the audience of the JWT bearer flow; empty derives it",
        examples=["https://login.salesforce.com"],
    )
    orgbridge_salesforce_refresh_token: SecretStr | None = Field(
        None, description="the refresh token of the refresh_token flow", examples=["5Aep861..."]
    )
    orgbridge_salesforce_http_hosts: Listed = Field(
        [],
        description="hosts besides loopback that may be signed in to by plain http, separated by commas: emulated orgs "
        "in a network of your own, for secrets and records travel in clear",
        examples=["org"],
    )

    @field_validator("salesforce_api_version")
    @classmethod
    def _known_version(cls, value: str) -> str:
        number = parse_version(value)
        if number is None or not OLDEST <= number <= NEWEST:
            raise ValueError("Salesforce does not serve this API version, or the project is not tested on it")
        return f"v{number}.0"

    @property
    def has_salesforce_key(self) -> bool:
        """Whether users can be signed in to Salesforce by JWT bearer."""
        return self.orgbridge_salesforce_jwt_key is not None or self.orgbridge_salesforce_jwt_key_path is not None

    @property
    def client_id(self) -> str | None:
        """The consumer key, by either name."""
        return self.salesforce_client_id or self.sfcc_client_id

    @property
    def client_secret(self) -> str | None:
        """The consumer secret, by either name."""
        return reveal(self.salesforce_client_secret) or reveal(self.sfcc_client_secret)

    @property
    def username(self) -> str | None:
        """The integration user, by either name."""
        return self.salesforce_username or self.sfcc_admin_username

    @property
    def password(self) -> str | None:
        """The password with the security token, by either name."""
        own = reveal(self.salesforce_password)
        if own or self.sfcc_admin_password is None:
            return own
        return self.sfcc_admin_password.get_secret_value() + (reveal(self.sfcc_admin_token) or "")

    @property
    def token_url(self) -> str:
        """The token endpoint: its own setting, else made from the My Domain name."""
        # The default counts as not set: a copied .env.example holds it.
        if self.salesforce_token_url != LOGIN_URL or not self.sfcc_domain_name:
            return self.salesforce_token_url
        host = self.sfcc_domain_name
        return f"https://{host if '.' in host else host + '.my.salesforce.com'}/services/oauth2/token"

    @property
    def plain_host(self) -> str | None:
        """The host beyond this machine that is signed in to by plain http, None when there is none."""
        return None if is_safe_url(self.token_url) else urlsplit(self.token_url).hostname

    @property
    def auth_flow(self) -> AuthFlow:
        """The flow that is set, else the one whose settings are present, the safest first."""
        if self.salesforce_auth_flow is not None:
            return self.salesforce_auth_flow
        if self.has_salesforce_key:
            return AuthFlow.JWT_BEARER
        if self.orgbridge_salesforce_refresh_token is not None:
            return AuthFlow.REFRESH_TOKEN
        if self.username or self.password:
            return AuthFlow.PASSWORD
        return AuthFlow.CLIENT_CREDENTIALS

    def cursor_secret(self) -> bytes:
        """Return what cursors are sealed with: the same in every process that signs in to Salesforce the same way."""
        key = self.orgbridge_salesforce_jwt_key_path
        parts = [
            self.client_id or "",
            self.client_secret or "",
            self.username or "",
            self.password or "",
            reveal(self.orgbridge_salesforce_refresh_token) or "",
            key.read_text(errors="replace") if key is not None and key.is_file() else "",
        ]
        return hashlib.sha256("\0".join(parts).encode()).digest()
