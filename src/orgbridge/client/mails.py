"""Mails: built so that no text of anybody becomes a header, and sent by SMTP, with a time limit for everything.

The sender is pluggable: whatever has `send` can take the place of SMTP.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from datetime import datetime
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from enum import StrEnum
from typing import ClassVar, Final, Protocol

import aiosmtplib

from orgbridge.kit.errors import ErrorKind, OrgbridgeError
from orgbridge.kit.mail_addresses import is_address, one_line, parse_sender

_TIMEOUT_SECONDS: Final = 20.0
_MAX_REASON_CHARS: Final = 300


class MailTLS(StrEnum):
    """How the way to the mail server is protected."""

    #: From the first byte.
    TLS = "tls"
    #: From the STARTTLS command on, which must succeed.
    STARTTLS = "starttls"
    #: Not at all: for servers of this machine.
    OFF = "off"


class MailError(OrgbridgeError):
    """A mail was not sent."""


class MailFailed(MailError):
    """The mail server could not be reached or did not take the mail now; it may have got it."""

    code: ClassVar[str] = "mail.failed"
    kind: ClassVar[ErrorKind] = ErrorKind.UNAVAILABLE
    retryable: ClassVar[bool] = True


class MailRefused(MailError):
    """The mail server will never take this mail, or there is no address to send it to."""

    code: ClassVar[str] = "mail.refused"
    kind: ClassVar[ErrorKind] = ErrorKind.INVALID


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One mail to one person."""

    #: Becomes the Message-ID, the same for every attempt, so that mail programs know it again.
    id: str
    #: Where it goes.
    to: str
    #: Who that is, for people.
    to_name: str
    #: What it is about.
    subject: str
    #: As plain text. Left out of messages: it may hold a link that is as good as a signature.
    text: str = field(repr=False)
    #: The same as HTML.
    html: str = field(repr=False)


class MailSender(Protocol):
    """Sends mails."""

    async def send(self, mail: Mail, now: datetime) -> None:
        """Send a mail once.

        Raises:
            MailFailed: It was not taken now, or nobody knows.
            MailRefused: It never will be.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SMTPConfig:
    """Which mail server, and as whom."""

    host: str
    port: int
    #: Whom mails come from: an address, or `Name <address>`.
    sender: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: MailTLS = MailTLS.STARTTLS
    #: For each step of a sending.
    timeout_seconds: float = _TIMEOUT_SECONDS
    #: A PEM file of authorities instead of this machine's.
    authority: str | None = None


def build_message(mail: Mail, sender: str, now: datetime) -> EmailMessage:
    """Return the message of a mail, plain and HTML.

    Raises:
        MailRefused: The address is not one.
    """
    if not is_address(mail.to):
        raise MailRefused("The user has no e-mail address that can be written to.")
    name, address = parse_sender(sender)
    message = EmailMessage(policy=SMTP)
    try:
        message["From"] = Address(name, addr_spec=address)
        message["To"] = Address(one_line(mail.to_name), addr_spec=mail.to)
    except (HeaderParseError, ValueError, IndexError) as error:
        raise MailRefused("The user has no e-mail address that can be written to.") from error
    message["Subject"] = one_line(mail.subject)
    message["Date"] = format_datetime(now)
    message["Message-ID"] = f"<{mail.id}@{address.rpartition('@')[2]}>"
    # No machine answers it: RFC 3834 section 5.
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text, cte="quoted-printable")
    message.add_alternative(mail.html, subtype="html", cte="quoted-printable")
    return message


class SMTPSender:
    """Sends mails by SMTP, each over a connection of its own."""

    def __init__(self, config: SMTPConfig) -> None:
        self._config = config

    async def send(self, mail: Mail, now: datetime) -> None:
        """Send a mail once.

        Raises:
            MailFailed: It was not taken now, or nobody knows.
            MailRefused: It never will be.
        """
        config = self._config
        message = build_message(mail, config.sender, now)
        context = None
        if config.tls is not MailTLS.OFF:
            context = ssl.create_default_context(cafile=config.authority)
        try:
            await aiosmtplib.send(
                message,
                sender=parse_sender(config.sender)[1],
                recipients=[mail.to],
                hostname=config.host,
                port=config.port,
                username=config.username,
                password=config.password,
                timeout=config.timeout_seconds,
                use_tls=config.tls is MailTLS.TLS,
                # Never "if the server offers it": somebody in between would not offer it.
                start_tls=config.tls is MailTLS.STARTTLS,
                tls_context=context,
            )
        except aiosmtplib.SMTPRecipientsRefused as refused:
            codes = [one.code for one in refused.recipients]
            raise _trouble(bool(codes) and all(code >= 500 for code in codes), refused) from None
        except aiosmtplib.SMTPDataError as refused:
            raise _trouble(refused.code >= 500, refused) from None
        except (aiosmtplib.SMTPException, OSError, ssl.SSLError) as error:
            # A refused sign-in, sender or greeting is about the settings, and not about this mail: it waits for them.
            raise _trouble(False, error) from None


def _trouble(for_good: bool, error: Exception) -> MailError:
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        said = "; ".join(f"{one.code} {one.message}" for one in error.recipients)
    elif isinstance(error, aiosmtplib.SMTPResponseException):
        said = f"{error.code} {error.message}"
    else:
        said = str(error)
    text = f"The mail server did not take the mail: {type(error).__name__}: {one_line(said)}"[:_MAX_REASON_CHARS]
    return MailRefused(text) if for_good else MailFailed(text)
