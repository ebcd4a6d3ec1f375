"""Every setting, and the only place that reads the environment.

A setting comes from, in this order: the arguments, the environment, `NAME_FILE` (a file that holds the value), the
`.env` file, the secrets folder (one file per setting). An empty value counts as not set.
"""

from __future__ import annotations

import hashlib
import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, SecretStr, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.sources import DotEnvSettingsSource, EnvSettingsSource

from orgbridge.client.mails import is_sender
from orgbridge.kit.json import JSON, JSONDecodeError, dumps, loads
from orgbridge.kit.object_addresses import ObjectAddress
from orgbridge.kit.receivers import WebhookPolicy, is_safe_url
from orgbridge.wire.limits import INGEST_BATCH_RECORDS
from orgbridge.wire.versions import DEFAULT_VERSION, NEWEST, OLDEST, parse_version
from orgbridge.wiring.errors import SettingFault, SettingsError
from orgbridge.wiring.pems import private_key_pem

LOGIN_URL = "https://login.salesforce.com/services/oauth2/token"
_MAX_SECRET_FILE_BYTES = 64 * 1024
#: Calls per time, as the library `limits` reads it.
_LIMIT = r"^(off|[1-9][0-9]{0,8} ?/ ?([1-9][0-9]{0,4} ?)?(second|minute|hour|day)s?)$"


class AuthFlow(StrEnum):
    """How the service signs in to Salesforce."""

    PASSWORD = "password"  # noqa: S105 - the name of a flow
    CLIENT_CREDENTIALS = "client_credentials"
    JWT_BEARER = "jwt_bearer"
    REFRESH_TOKEN = "refresh_token"  # noqa: S105 - the name of a flow


class Settings(BaseSettings):
    """All settings. The name in the environment is the field's name in upper case."""

    model_config = SettingsConfigDict(
        case_sensitive=False,
        env_ignore_empty=True,
        env_file_encoding="utf-8",
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        validate_default=False,
    )

    # The application
    debug_mode: bool = Field(
        False, description="true for verbose logs as text, false for JSON lines", examples=["false"]
    )
    app_name: str = Field(
        "SalesforceIntegrationAPI", description="the name in the API documents", examples=["SalesforceIntegrationAPI"]
    )
    app_version: str = Field("1.0.0", description="the version in the API documents", examples=["1.0.0"])
    api_v1_str: str = Field(
        "/api/v1",
        pattern=r"^(/[A-Za-z0-9._~-]+)+$",
        description="the prefix of every route, beginning with a slash and not ending in one",
        examples=["/api/v1"],
    )
    backend_cors_origins: Annotated[list[str], NoDecode] = Field(
        [],
        description="allowed browser origins, separated by commas",
        examples=["http://localhost,https://my.app"],
    )

    # Salesforce
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

    # Logs
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = Field(
        "INFO", description="one of DEBUG, INFO, WARNING, ERROR, CRITICAL", examples=["INFO"]
    )
    log_filename: Path | None = Field(
        None, description="the log file; empty logs to standard error only", examples=["sfdc_api.log"]
    )
    log_max_bytes: int = Field(
        10_485_760, ge=1, description="bytes at which the log file turns over", examples=["10485760"]
    )
    log_backup_count: int = Field(5, ge=0, description="how many old log files are kept", examples=["5"])

    # Folders
    data_path_input: Path = Field(
        Path("/app/data/input"),
        description="the only folder that /bulk/local-file-process reads",
        examples=["/app/data/input"],
    )
    data_path_output: Path = Field(
        Path("/app/data/output"),
        description="the folder for the results of each load, and for exports whose target is a plain name",
        examples=["/app/data/output"],
    )
    data_path_failed: Path = Field(
        Path("/app/data/failed"),
        description="a folder into which the failed and unprocessed rows of each load are copied, to be loaded again",
        examples=["/app/data/failed"],
    )

    # Databases and Azure
    psql_connection_string: SecretStr | None = Field(
        None,
        description="a PostgreSQL URL; empty uses SQLite files in the data folder",
        examples=["postgresql://orgbridge@db.example.com/orgbridge"],
    )
    azure_cosmos_endpoint: str | None = Field(
        None,
        pattern=r"^https://[^\s/@?#]+/?$",
        description="the Cosmos DB account that documents of machines are kept in; empty keeps them in the database",
        examples=["https://x.documents.azure.com"],
    )
    azure_cosmos_key: SecretStr | None = Field(
        None, description="that account's key; empty uses the machine's identity", examples=["..."]
    )
    azure_cosmos_database: str | None = Field(
        None,
        pattern=r"^[^/\\?#\s]{1,255}$",
        description="the name of the database in that account; empty is orgbridge",
        examples=["orgbridge"],
    )
    azure_key_vault_url: str | None = Field(
        None,
        description="the vault to take secrets from, named as settings with dashes: SALESFORCE-CLIENT-SECRET",
        examples=["https://x.vault.azure.net"],
    )

    orgbridge_cosmos_ca: Path | None = Field(
        None,
        description="a PEM file of the authority of a Cosmos DB that is not Azure's own; empty: those of this machine",
        examples=["/etc/ssl/private-cloud.pem"],
    )
    orgbridge_key_vault_refresh_seconds: float = Field(
        300.0,
        gt=0,
        le=86_400,
        description="seconds between two looks at the vault: a rotated secret is used without a restart",
        examples=["300"],
    )
    orgbridge_key_vault_ca: Path | None = Field(
        None,
        description="a PEM file of the authority of a vault that is not Azure's own; empty: those of this machine",
        examples=["/etc/ssl/private-cloud.pem"],
    )

    # The names of the second document; they fill in for missing SALESFORCE_* names.
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
    webstore_id: str | None = Field(
        None,
        description="the id of the web store that is bought in; empty takes the one that an account can buy in",
        examples=["0ZE000000000001AAA"],
    )
    orgbridge_cart_machine_field: str = Field(
        "Asset_Id__c",
        pattern=r"^[A-Za-z][A-Za-z0-9_]{0,79}$",
        description="the text field of CartItem that takes the machine of a line, where the org has it",
        examples=["Asset_Id__c"],
    )
    orgbridge_cart_seconds: float = Field(
        8.0,
        ge=0,
        le=60,
        description="how long a call about a cart waits for prices that Salesforce still computes",
        examples=["8"],
    )

    # Our own tokens
    jwt_private_key_path: Path | None = Field(
        None,
        description="a PEM file with the key that signs tokens; empty makes one in the data folder",
        examples=["/run/secrets/jwt.pem"],
    )
    jwt_private_key: SecretStr | None = Field(
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

    # Orgbridge's own
    orgbridge_data: Path = Field(
        Path(".orgbridge"),
        description="the folder for the embedded database, keys and load files",
        examples=[".orgbridge"],
    )
    orgbridge_host: str = Field("127.0.0.1", description="the address to listen on", examples=["0.0.0.0"])
    orgbridge_port: int = Field(
        8000, ge=0, le=65_535, description="the port to listen on, 0 to 65535", examples=["8000"]
    )
    orgbridge_workers: int = Field(1, ge=1, le=64, description="service processes, 1 to 64", examples=["1"])
    orgbridge_part_rows: int | None = Field(
        None,
        ge=1,
        le=10_000_000,
        description=f"rows of one part of a load, best a multiple of {INGEST_BATCH_RECORDS}; empty chooses by size",
        examples=["100000"],
    )
    orgbridge_parts_in_parallel: int = Field(
        5, ge=1, le=25, description="parts of all loads that are at Salesforce at once, 1 to 25", examples=["5"]
    )
    orgbridge_poll_seconds: float = Field(
        5.0, gt=0, le=300, description="longest pause in seconds between two looks at a Salesforce job", examples=["5"]
    )
    orgbridge_patience_seconds: float = Field(
        600.0,
        gt=0,
        le=86_400,
        description="seconds that a load waits for a Salesforce that does not answer before a part is given up",
        examples=["600"],
    )
    orgbridge_checkout_seconds: float = Field(
        300.0,
        gt=0,
        le=86_400,
        description="seconds that an order puts up with a checkout that does not get on before the cart is given back",
        examples=["300"],
    )
    orgbridge_order_settle_seconds: float = Field(
        160.0,
        gt=0,
        le=3_600,
        description="seconds after which a request that was to make an order and was never answered is over, one way "
        "or the other; longer than any such request can take",
        examples=["160"],
    )
    orgbridge_order_marker_field: str | None = Field(
        None,
        pattern=r"^[A-Za-z][A-Za-z0-9_]{0,79}$",
        description="text field of Order that carries the mark by which an order made from a cart's lines is found "
        "again; best one that is unique. Unset, Orgbridge_Marker__c where the org has it, else OrderReferenceNumber",
        examples=["Orgbridge_Marker__c"],
    )
    orgbridge_lease_seconds: float = Field(
        30.0,
        ge=2,
        le=600,
        description="seconds after which a silent worker counts as dead (PostgreSQL)",
        examples=["30"],
    )
    orgbridge_salesforce_concurrency: int = Field(
        20, ge=1, le=100, description="calls to Salesforce at once from one process, 1 to 100", examples=["20"]
    )
    orgbridge_api_reserve_percent: float = Field(
        20.0,
        ge=0,
        le=100,
        description="percent of the org's daily API requests that loads leave untouched, 0 to 100",
        examples=["20"],
    )
    orgbridge_api_caller_percent: float = Field(
        100.0,
        gt=0,
        le=100,
        description="percent of the org's daily API requests that one caller may use in 24 hours; 100 sets no share",
        examples=["25"],
    )
    orgbridge_api_recheck_seconds: float = Field(
        900.0,
        gt=0,
        le=86_400,
        description="seconds until a parked load looks again whether the org has API requests to spare",
        examples=["900"],
    )
    orgbridge_api_queue_seconds: float = Field(
        30.0,
        gt=0,
        le=600,
        description="seconds that a request waits for its turn when too many calls to Salesforce run at once",
        examples=["30"],
    )
    orgbridge_salesforce_timeout_seconds: float = Field(
        120.0, gt=0, le=600, description="seconds to wait for one Salesforce reply", examples=["120"]
    )
    orgbridge_max_body_bytes: int = Field(
        16 * 1024 * 1024,
        ge=1024,
        description="largest JSON body in bytes; uploaded files have no limit",
        examples=["16777216"],
    )
    orgbridge_public_url: str | None = Field(
        None,
        pattern=r"^https?://[^\s/@?#]+(/[^\s?#]*)?$",
        description="where people reach this service, for links in mails; empty: mails carry no links",
        examples=["https://api.example.com"],
    )
    orgbridge_document_bytes: int = Field(
        25 * 1024 * 1024,
        ge=1024,
        le=2_000_000_000,
        description="largest document of a purchase order in bytes",
        examples=["26214400"],
    )
    orgbridge_smtp_host: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9.:_-]+$",
        description="the mail server; empty: no mail is sent, and mails say so",
        examples=["smtp.example.com"],
    )
    orgbridge_smtp_port: int | None = Field(
        None,
        ge=1,
        le=65_535,
        description="its port; empty: 587 for starttls, 465 for tls, 25 for off",
        examples=["587"],
    )
    orgbridge_smtp_username: str | None = Field(
        None, description="the user to sign in to the mail server as; empty does not sign in", examples=["mailer"]
    )
    orgbridge_smtp_password: SecretStr | None = Field(None, description="that user's password", examples=["..."])
    orgbridge_smtp_from: str | None = Field(
        None,
        description="whom mails come from, an address or a name with one",
        examples=["Purchasing <purchasing@example.com>"],
    )
    orgbridge_smtp_tls: Literal["starttls", "tls", "off"] = Field(
        "starttls",
        description="starttls, tls from the first byte, or off: without a password, for a server of this machine",
        examples=["starttls"],
    )
    orgbridge_smtp_ca: Path | None = Field(
        None,
        description="a PEM file of the authority of the mail server; empty: those of this machine",
        examples=["/etc/ssl/private-mail.pem"],
    )
    orgbridge_webhook_allow: Annotated[list[str], NoDecode] = Field(
        [],
        description="networks and host names inside the house that webhooks may be sent to, separated by commas",
        examples=["10.1.0.0/16,hooks.internal"],
    )
    orgbridge_retention_days: float | None = Field(
        30.0,
        gt=0,
        le=36_500,
        description="days after which inputs and results of ended loads are removed; counts and receipts stay",
        examples=["30"],
    )
    orgbridge_retention_rows_days: float | None = Field(
        None,
        gt=0,
        le=36_500,
        description="days after which counts and receipts of ended loads are removed too; empty keeps them",
        examples=["730"],
    )
    orgbridge_retention_orders_days: float | None = Field(
        400.0,
        gt=0,
        le=36_500,
        description="days after which carts that were ordered, or not, are forgotten with their idempotency keys, "
        "which until then find the same order; what is undecided stays; empty keeps all",
        examples=["400"],
    )
    orgbridge_rate_limit_read: str = Field(
        "120000/minute",
        pattern=_LIMIT,
        description="calls that only read, per caller and service process, e.g. 600/minute; off for no limit",
        examples=["120000/minute"],
    )
    orgbridge_rate_limit_write: str = Field(
        "60000/minute",
        pattern=_LIMIT,
        description="calls that change records and the like, per caller and service process; off for no limit",
        examples=["60000/minute"],
    )
    orgbridge_rate_limit_bulk: str = Field(
        "6000/minute",
        pattern=_LIMIT,
        description="calls that submit or steer loads, per caller and service process; off for no limit",
        examples=["6000/minute"],
    )
    orgbridge_rate_limit_token: str = Field(
        "600/minute",
        pattern=_LIMIT,
        description="sign-ins per address and service process, failed ones wait besides; off for no limit",
        examples=["600/minute"],
    )
    orgbridge_idempotency_hours: int = Field(
        24, ge=1, le=720, description="hours for which a reply under an Idempotency-Key is kept", examples=["24"]
    )
    orgbridge_idempotency_lease_seconds: float = Field(
        60.0,
        ge=1,
        le=3_600,
        description="seconds after which a silent request counts as cut off, and its Idempotency-Key as unknown",
        examples=["60"],
    )
    orgbridge_idempotency_reply_bytes: int = Field(
        1_048_576, ge=1024, description="largest reply in bytes that an Idempotency-Key replays", examples=["1048576"]
    )
    orgbridge_audit_reads: bool = Field(
        False, description="true to write calls that only read to the audit as well", examples=["false"]
    )
    orgbridge_audit_values: bool = Field(
        False, description="true to write values of fields to the audit as well", examples=["false"]
    )
    orgbridge_audit_retention_days: int = Field(
        0, ge=0, le=36_500, description="days for which audit entries are kept, 0 for ever", examples=["365"]
    )
    orgbridge_allowed_hosts: Annotated[list[str], NoDecode] = Field(
        [],
        description="names that this service may be called by, separated by commas, *.example.com too; empty: any",
        examples=["api.example.com"],
    )
    orgbridge_trusted_proxies: Annotated[list[str], NoDecode] = Field(
        [],
        description="addresses or networks of proxies whose X-Forwarded-For and -Proto are believed; empty: nobody's",
        examples=["10.0.0.0/8"],
    )
    orgbridge_hsts_seconds: int = Field(
        0,
        ge=0,
        le=63_072_000,
        description="seconds for which browsers are to use https only (Strict-Transport-Security); 0 says nothing",
        examples=["31536000"],
    )
    orgbridge_files_url: str | None = Field(
        None,
        pattern=r"^(s3|az)://[^\s/@?#]+(/[A-Za-z0-9._/-]*)?$",
        description="where the files of loads lie, s3://bucket/prefix or az://container/prefix; empty: the data folder",
        examples=["s3://acme-orgbridge/production"],
    )
    orgbridge_export_urls: Annotated[list[str], NoDecode] = Field(
        [],
        description="addresses in object storage below which exports may be put, separated by commas",
        examples=["s3://acme-exports/daily"],
    )
    orgbridge_import_urls: Annotated[list[str], NoDecode] = Field(
        [],
        description="addresses in object storage below which inputs may be taken, separated by commas; empty: none",
        examples=["s3://acme-inputs/daily"],
    )
    orgbridge_import_max_bytes: int = Field(
        48 * 1024**3,
        ge=1024,
        le=48 * 1024**3,
        description="largest object in bytes that is taken as an input",
        examples=["51539607552"],
    )
    orgbridge_files_endpoint: str | None = Field(
        None,
        pattern=r"^https?://[^\s@]+$",
        description="the address of object storage that is not the cloud's own",
        examples=["https://minio.example.com"],
    )
    orgbridge_files_region: str | None = Field(None, description="the region of the S3 bucket", examples=["eu-west-1"])
    orgbridge_files_access_key_id: str | None = Field(
        None, description="the id of the S3 access key; empty uses the machine's role", examples=["AKIA..."]
    )
    orgbridge_files_secret_access_key: SecretStr | None = Field(
        None, description="the secret of the S3 access key", examples=["wJalr..."]
    )
    orgbridge_files_session_token: SecretStr | None = Field(
        None, description="the token of a temporary S3 session", examples=["IQoJb3..."]
    )
    orgbridge_files_account_name: str | None = Field(
        None, description="the name of the Azure storage account", examples=["acmestorage"]
    )
    orgbridge_files_account_key: SecretStr | None = Field(
        None,
        description="the key of the Azure storage account; empty uses the machine's identity",
        examples=["Eby8v..."],
    )
    orgbridge_secrets_dir: Path | None = Field(
        None, description="a folder with one file per setting, named as the setting", examples=["/run/secrets"]
    )
    orgbridge_salesforce_jwt_key_path: Path | None = Field(
        None, description="a PEM file with the RSA key of the JWT bearer flow", examples=["/run/secrets/salesforce.pem"]
    )
    orgbridge_salesforce_jwt_key: SecretStr | None = Field(
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

    @field_validator(
        *("backend_cors_origins", "orgbridge_export_urls", "orgbridge_webhook_allow", "orgbridge_allowed_hosts"),
        *("orgbridge_trusted_proxies", "orgbridge_import_urls"),
        mode="before",
    )
    @classmethod
    def _split_origins(cls, value: Any) -> Any:
        """Accept `a,b` and a JSON list, as the first document's deployments write either."""
        if not isinstance(value, str):
            return value
        if value.strip().startswith("["):
            try:
                return loads(value)
            except JSONDecodeError:
                raise ValueError("it begins like a JSON list and is not one") from None
        return [origin.strip() for origin in value.split(",") if origin.strip()]

    @field_validator("orgbridge_import_urls")
    @classmethod
    def _known_sources(cls, value: list[str]) -> list[str]:
        for address in value:
            ObjectAddress.parse(address)
        return value

    @field_validator("orgbridge_webhook_allow")
    @classmethod
    def _known_receivers(cls, value: list[str]) -> list[str]:
        WebhookPolicy.of(tuple(value))
        return value

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper_level(cls, value: Any) -> Any:
        return value.upper() if isinstance(value, str) else value

    @field_validator("salesforce_api_version")
    @classmethod
    def _known_version(cls, value: str) -> str:
        number = parse_version(value)
        if number is None or not OLDEST <= number <= NEWEST:
            raise ValueError("Salesforce does not serve this API version, or the project is not tested on it")
        return f"v{number}.0"

    @field_validator("jwt_private_key", "orgbridge_salesforce_jwt_key", mode="after")
    @classmethod
    def _one_pem(cls, value: SecretStr | None) -> SecretStr | None:
        return SecretStr(private_key_pem(value.get_secret_value())) if value is not None else None

    #: What these settings were read with, so that they can be read again.
    _origin: dict[str, Any] = PrivateAttr(default_factory=dict)

    # Values that come from more than one setting

    @property
    def signing_pem(self) -> str | None:
        """The key that signs tokens, when it was given itself."""
        return _reveal(self.jwt_private_key)

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
        return _reveal(self.salesforce_client_secret) or _reveal(self.sfcc_client_secret)

    @property
    def username(self) -> str | None:
        """The integration user, by either name."""
        return self.salesforce_username or self.sfcc_admin_username

    @property
    def password(self) -> str | None:
        """The password with the security token, by either name."""
        own = _reveal(self.salesforce_password)
        if own or self.sfcc_admin_password is None:
            return own
        return self.sfcc_admin_password.get_secret_value() + (_reveal(self.sfcc_admin_token) or "")

    @property
    def token_url(self) -> str:
        """The token endpoint: its own setting, else made from the My Domain name."""
        # The default counts as not set: a copied .env.example holds it.
        if self.salesforce_token_url != LOGIN_URL or not self.sfcc_domain_name:
            return self.salesforce_token_url
        host = self.sfcc_domain_name
        return f"https://{host if '.' in host else host + '.my.salesforce.com'}/services/oauth2/token"

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

    @property
    def webhook_policy(self) -> WebhookPolicy:
        """Which receivers of webhooks are allowed besides public ones."""
        return WebhookPolicy.of(tuple(self.orgbridge_webhook_allow))

    @property
    def database_url(self) -> str:
        """The connection string of the tables; with a password in it when PostgreSQL is set."""
        if self.psql_connection_string is not None:
            return self.psql_connection_string.get_secret_value()
        return f"sqlite:///{self.orgbridge_data.absolute() / 'orgbridge.sqlite'}"

    def secrets(self) -> list[str]:
        """Return every secret value, for the redactor of the logs and for nothing else."""
        values = [
            value.get_secret_value()
            for name in type(self).model_fields
            if isinstance(value := getattr(self, name), SecretStr)
        ]
        if self.password:
            values.append(self.password)
        return values

    def cursor_secret(self) -> bytes:
        """Return what cursors are sealed with: the same in every process that signs in to Salesforce the same way."""
        key = self.orgbridge_salesforce_jwt_key_path
        parts = [
            self.client_id or "",
            self.client_secret or "",
            self.username or "",
            self.password or "",
            _reveal(self.orgbridge_salesforce_refresh_token) or "",
            key.read_text(errors="replace") if key is not None and key.is_file() else "",
        ]
        return hashlib.sha256("\0".join(parts).encode()).digest()

    def environment(self) -> dict[str, str]:
        """Return what a child process needs in its environment to read the same settings, secrets left out.

        Secrets are read again from where they came, so that they appear in no process's environment by our doing.
        """
        handed: dict[str, str] = {}
        for name in self.model_fields_set:
            value = getattr(self, name)
            if value is None or isinstance(value, SecretStr):
                continue
            if isinstance(value, dict):
                handed[name.upper()] = dumps(value).decode()
            else:
                handed[name.upper()] = ",".join(value) if isinstance(value, list) else str(value)
        return handed

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put the `NAME_FILE` source behind the plain names of the environment and of the `.env` file."""
        return (
            init_settings,
            env_settings,
            NamedFiles(settings_cls, env_settings, dotenv_settings),
            dotenv_settings,
            file_secret_settings,
            *_vault_sources(settings_cls, init_settings, env_settings, dotenv_settings),
        )


def _vault_sources(
    settings_cls: type[BaseSettings], *sources: PydanticBaseSettingsSource
) -> list[PydanticBaseSettingsSource]:
    """Return the vault as a source when one is named; it has the last word, so that a machine can override it."""
    named: dict[str, str | None] = {"azure_key_vault_url": None, "orgbridge_key_vault_ca": None}
    for source in reversed(sources):
        if isinstance(source, EnvSettingsSource | DotEnvSettingsSource):
            values: dict[str, Any] = {name.lower(): value for name, value in source.env_vars.items()}
        else:
            values = source()
        named.update({name: str(values[name]) for name in named if values.get(name)})
    url, authority = named["azure_key_vault_url"], named["orgbridge_key_vault_ca"]
    if url is None:
        return []
    # Imported here because the SDK takes half a second that nobody without a vault should wait.
    from orgbridge.wiring.vault import VaultSettings

    return [VaultSettings(settings_cls, url, Path(authority) if authority is not None else None)]


class NamedFiles(PydanticBaseSettingsSource):
    """Settings from the files that `NAME_FILE` variables point at."""

    def __init__(self, settings_cls: type[BaseSettings], *sources: PydanticBaseSettingsSource) -> None:
        super().__init__(settings_cls)
        self._variables: dict[str, str | None] = {}
        for source in reversed(sources):
            if isinstance(source, EnvSettingsSource | DotEnvSettingsSource):
                self._variables.update({name.lower(): value for name, value in source.env_vars.items()})

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return the content of the file named for the field, without the newline at its end.

        Raises:
            SettingsError: The file cannot be read, is not text or is larger than any secret.
        """
        path = self._variables.get(f"{field_name}_file")
        if not path:
            return None, field_name, False
        name = f"{field_name.upper()}_FILE"
        try:
            with Path(path).open("rb") as file:
                data = file.read(_MAX_SECRET_FILE_BYTES + 1)
            if len(data) > _MAX_SECRET_FILE_BYTES:
                reason = f"the file is larger than {_MAX_SECRET_FILE_BYTES} bytes; point it at one with only the value"
                raise SettingsError([SettingFault(name=name, reason=reason)])
            return data.decode("utf-8").rstrip("\r\n") or None, field_name, False
        except OSError as error:
            reason = (
                f"its file cannot be read ({error.strerror}); point it at a readable file that holds only the value"
            )
            raise SettingsError([SettingFault(name=name, reason=reason)]) from error
        except UnicodeDecodeError as error:
            reason = "its file is not UTF-8 text; point it at a file that holds only the value"
            raise SettingsError([SettingFault(name=name, reason=reason)]) from error

    def __call__(self) -> dict[str, Any]:
        """Return the values of every setting that has a file."""
        found: dict[str, Any] = {}
        faults: list[SettingFault] = []
        for name, field in self.settings_cls.model_fields.items():
            try:
                value, key, _ = self.get_field_value(field, name)
            except SettingsError as error:
                faults.extend(error.faults)
                continue
            if value is not None:
                found[key] = value
        if faults:
            raise SettingsError(faults)
        return found


def load_settings(
    *, env_file: Path | None = Path(".env"), needs_salesforce: bool = True, **overrides: JSON
) -> Settings:
    """Read every setting and check it, alone and together with the others.

    Args:
        env_file: The `.env` file; one that does not exist is not read.
        needs_salesforce: False for commands that never call Salesforce.
        overrides: Settings given as arguments, by field name; None means "not given".

    Raises:
        SettingsError: At least one setting is missing or wrong; each is named with its remedy and without its value.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    secrets_dir = given.get("orgbridge_secrets_dir") or _environment().get("ORGBRIDGE_SECRETS_DIR") or None
    if secrets_dir is not None and not Path(str(secrets_dir)).is_dir():
        reason = "there is no such folder; point it at a folder with one file per setting"
        raise SettingsError([SettingFault(name="ORGBRIDGE_SECRETS_DIR", reason=reason)])
    try:
        settings = Settings(_env_file=env_file, _secrets_dir=secrets_dir, **given)
    except ValidationError as error:
        raise SettingsError(
            [_fault(item) for item in error.errors(include_input=False, include_context=False)]
        ) from None
    settings._origin = {"env_file": env_file, "needs_salesforce": needs_salesforce, **overrides}
    faults = [
        *_key_faults(settings),
        *_sign_in_faults(settings),
        *_mail_faults(settings),
        *(_salesforce_faults(settings) if needs_salesforce else []),
    ]
    if faults:
        raise SettingsError(faults)
    return settings


def reload_settings(settings: Settings) -> Settings:
    """Read all settings again, from where these came.

    Raises:
        SettingsError: At least one is missing or wrong now.
    """
    return load_settings(**settings._origin)


def hand_down(settings: Settings) -> None:
    """Put the settings, secrets left out, into this process's environment, for the processes it starts."""
    os.environ.update(settings.environment())  # noqa: TID251 - this module is the one user of the environment


def unknown_names(settings_env: dict[str, str] | None = None) -> list[str]:
    """Return the `ORGBRIDGE_*` variables of the environment that no setting reads: most likely a slip of the pen."""
    names = settings_env if settings_env is not None else _environment()
    known = {name.upper() for name in (*Settings.model_fields, *ClientSettings.model_fields)}
    known |= {f"{name}_FILE" for name in known}
    return sorted(name for name in names if name.startswith("ORGBRIDGE_") and name not in known)


class ClientSettings(BaseSettings):
    """What the commands that call a running service need: where it is, and a token."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True)

    orgbridge_url: str | None = Field(None, description="the service's address", examples=["http://127.0.0.1:8000"])
    orgbridge_token: SecretStr | None = Field(None, description="an access token of the service", examples=["eyJ..."])
    orgbridge_data: Path = Field(Path(".orgbridge"), description="the folder with cli.json", examples=[".orgbridge"])


def load_client_settings(*, env_file: Path | None = Path(".env")) -> ClientSettings:
    """Return the address and token given by the environment; each may be missing, `cli.json` then has them."""
    return ClientSettings(_env_file=env_file)


def _environment() -> dict[str, str]:
    return dict(os.environ)  # noqa: TID251 - this module is the one reader of the environment


def _reveal(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret is not None else None


def _fault(item: ErrorDetails) -> SettingFault:
    name = str(item["loc"][0]) if item["loc"] else "settings"
    field = Settings.model_fields.get(name.lower())
    what = item["msg"].removeprefix("Value error, ")
    if item["type"] != "value_error":
        what = what[:1].lower() + what[1:]
    if field is None:
        return SettingFault(name=name.upper(), reason=what)
    example = field.examples[0] if field.examples else ""
    return SettingFault(name=name.upper(), reason=f"{what}; set it to {field.description}, e.g. {example}")


def _salesforce_faults(settings: Settings) -> list[SettingFault]:
    flow = settings.auth_flow
    needed: dict[str, object] = {"SALESFORCE_CLIENT_ID": settings.client_id}
    match flow:
        case AuthFlow.PASSWORD:
            needed |= {
                "SALESFORCE_CLIENT_SECRET": settings.client_secret,
                "SALESFORCE_USERNAME": settings.username,
                "SALESFORCE_PASSWORD": settings.password,
            }
        case AuthFlow.CLIENT_CREDENTIALS:
            needed |= {"SALESFORCE_CLIENT_SECRET": settings.client_secret}
        case AuthFlow.JWT_BEARER:
            needed |= {
                "SALESFORCE_USERNAME": settings.username,
                "ORGBRIDGE_SALESFORCE_JWT_KEY_PATH": settings.has_salesforce_key,
            }
        case AuthFlow.REFRESH_TOKEN:
            needed |= {"ORGBRIDGE_SALESFORCE_REFRESH_TOKEN": settings.orgbridge_salesforce_refresh_token}
    faults = []
    for name, value in needed.items():
        if not value:
            field = Settings.model_fields[name.lower()]
            reason = f"it is missing and sign-in by {flow.value} needs it; set it to {field.description}"
            faults.append(SettingFault(name=name, reason=f"{reason}, or give {name}_FILE"))
    path = settings.orgbridge_salesforce_jwt_key_path
    if flow is AuthFlow.JWT_BEARER and path is not None and not path.is_file():
        faults.append(_no_file("ORGBRIDGE_SALESFORCE_JWT_KEY_PATH"))
    return faults


def _key_faults(settings: Settings) -> list[SettingFault]:
    faults = []
    for name in ("jwt_private_key_path", "jwt_public_key_path"):
        path: Path | None = getattr(settings, name)
        if path is not None and not path.is_file():
            faults.append(_no_file(name.upper()))
    if settings.jwt_public_key_path is not None and settings.jwt_private_key_path is None:
        reason = "it is missing while JWT_PUBLIC_KEY_PATH is set; set both, or neither"
        faults.append(SettingFault(name="JWT_PRIVATE_KEY_PATH", reason=reason))
    url = _reveal(settings.psql_connection_string)
    if url is not None and not url.startswith(("postgresql://", "postgres://", "postgresql+psycopg://")):
        reason = "it does not begin with postgresql://; set it to a PostgreSQL URL, or leave it empty for SQLite"
        faults.append(SettingFault(name="PSQL_CONNECTION_STRING", reason=reason))
    return faults


def _sign_in_faults(settings: Settings) -> list[SettingFault]:
    faults = []
    pairs = {
        "orgbridge_admin_password": "orgbridge_admin_username",
        "orgbridge_admin_username": "orgbridge_admin_password",
        "orgbridge_oidc_issuer": "orgbridge_oidc_audience",
    }
    for given, needed in pairs.items():
        if getattr(settings, given) and not getattr(settings, needed):
            field = Settings.model_fields[needed]
            reason = f"it is missing while {given.upper()} is set; set it to {field.description}"
            faults.append(SettingFault(name=needed.upper(), reason=reason))
    for name in ("orgbridge_oidc_issuer", "orgbridge_oidc_jwks_url"):
        url = getattr(settings, name)
        if url and not is_safe_url(url):
            reason = "it is not an https address; keys that come over http could be anybody's"
            faults.append(SettingFault(name=name.upper(), reason=reason))
    if settings.orgbridge_oidc_issuer and settings.orgbridge_oidc_issuer == settings.orgbridge_jwt_issuer:
        reason = "it is the same as ORGBRIDGE_JWT_ISSUER; the two must differ"
        faults.append(SettingFault(name="ORGBRIDGE_OIDC_ISSUER", reason=reason))
    return faults


def _mail_faults(settings: Settings) -> list[SettingFault]:
    faults = []
    needed = {
        "orgbridge_smtp_from": settings.orgbridge_smtp_host,
        "orgbridge_smtp_host": settings.orgbridge_smtp_from,
        "orgbridge_smtp_password": settings.orgbridge_smtp_username,
        "orgbridge_smtp_username": settings.orgbridge_smtp_password,
    }
    for name, other in needed.items():
        if other and not getattr(settings, name):
            reason = f"it is missing while its other half is set; set it to {Settings.model_fields[name].description}"
            faults.append(SettingFault(name=name.upper(), reason=reason))
    if settings.orgbridge_smtp_from is not None and not is_sender(settings.orgbridge_smtp_from):
        reason = "it is no address; write purchasing@example.com, or Purchasing <purchasing@example.com>"
        faults.append(SettingFault(name="ORGBRIDGE_SMTP_FROM", reason=reason))
    if settings.orgbridge_smtp_tls == "off" and settings.orgbridge_smtp_password is not None:
        reason = "it is off while a password is set, which would travel in clear; set it to starttls or tls"
        faults.append(SettingFault(name="ORGBRIDGE_SMTP_TLS", reason=reason))
    if settings.orgbridge_smtp_ca is not None and not settings.orgbridge_smtp_ca.is_file():
        faults.append(_no_file("ORGBRIDGE_SMTP_CA"))
    return faults


def _no_file(name: str) -> SettingFault:
    return SettingFault(name=name, reason="there is no file at this path; point it at a PEM file")
