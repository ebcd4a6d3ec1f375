"""The server that mails are sent by."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from orgbridge.wiring.settings.topic import Topic


class MailSettings(Topic):
    """The server that mails are sent by."""

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
