"""What a caller may do: sizes, rates, receivers, hosts, and what is remembered of each call."""

from __future__ import annotations

from pydantic import Field, SecretStr, field_validator

from orgbridge.kit.receivers import WebhookPolicy
from orgbridge.kit.sealing import MIN_KEY_CHARS
from orgbridge.wiring.settings.topic import Topic
from orgbridge.wiring.settings.values import Listed

#: Calls per time, as the library `limits` reads it.
RATE = r"^(off|[1-9][0-9]{0,8} ?/ ?([1-9][0-9]{0,4} ?)?(second|minute|hour|day)s?)$"


class ProtectionSettings(Topic):
    """What a caller may do: sizes, rates, receivers, hosts, and what is remembered of each call."""

    orgbridge_max_body_bytes: int = Field(
        16 * 1024 * 1024,
        ge=1024,
        description="largest JSON body in bytes; uploaded files have no limit",
        examples=["16777216"],
    )
    orgbridge_webhook_allow: Listed = Field(
        [],
        description="networks and host names inside the house that webhooks may be sent to, separated by commas",
        examples=["10.1.0.0/16,hooks.internal"],
    )
    orgbridge_rate_limit_read: str = Field(
        "120000/minute",
        pattern=RATE,
        description="calls that only read, per caller, e.g. 600/minute; off for no limit",
        examples=["120000/minute"],
    )
    orgbridge_rate_limit_write: str = Field(
        "60000/minute",
        pattern=RATE,
        description="calls that change records and the like, per caller; off for no limit",
        examples=["60000/minute"],
    )
    orgbridge_rate_limit_bulk: str = Field(
        "6000/minute",
        pattern=RATE,
        description="calls that submit or steer loads, per caller; off for no limit",
        examples=["6000/minute"],
    )
    orgbridge_rate_limit_token: str = Field(
        "600/minute",
        pattern=RATE,
        description="sign-ins per address, failed ones wait besides; off for no limit",
        examples=["600/minute"],
    )
    orgbridge_sealing_key: SecretStr | None = Field(
        None,
        description="what seals secrets of webhooks in the database, 32 characters of chance or more, best from Key "
        "Vault; of several, separated by commas, the first seals and all open; empty: a key of the data folder, none "
        "with PostgreSQL",
        examples=["made by: openssl rand -hex 32"],
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
    orgbridge_allowed_hosts: Listed = Field(
        [],
        description="names that this service may be called by, separated by commas, *.example.com too; empty: any",
        examples=["api.example.com"],
    )
    orgbridge_trusted_proxies: Listed = Field(
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

    @field_validator("orgbridge_sealing_key")
    @classmethod
    def _strong_keys(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and any(len(key) < MIN_KEY_CHARS for key in _keys(value)):
            raise ValueError(f"a key has at least {MIN_KEY_CHARS} characters")
        return value

    @field_validator("orgbridge_webhook_allow")
    @classmethod
    def _known_receivers(cls, value: list[str]) -> list[str]:
        WebhookPolicy.of(tuple(value))
        return value

    @property
    def sealing_keys(self) -> list[str]:
        """The keys that seal secrets in the database, the one that seals now first."""
        return _keys(self.orgbridge_sealing_key) if self.orgbridge_sealing_key is not None else []

    @property
    def webhook_policy(self) -> WebhookPolicy:
        """Which receivers of webhooks are allowed besides public ones."""
        return WebhookPolicy.of(tuple(self.orgbridge_webhook_allow))


def _keys(value: SecretStr) -> list[str]:
    return [key.strip() for key in value.get_secret_value().split(",") if key.strip()]
