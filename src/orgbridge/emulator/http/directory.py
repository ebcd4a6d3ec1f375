"""Who may sign in and as what: users with passwords, connected clients with secrets and certificates."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """One user who may sign in."""

    #: Looked up without regard to case.
    username: str
    #: Plain: this is an emulated org.
    password: str = field(repr=False)
    #: What callers append to the password.
    security_token: str = field(default="", repr=False)
    #: 18-character id of the row in User.
    user_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """The one connected client of the org."""

    #: Consumer key.
    client_id: str
    #: Consumer secret.
    client_secret: str = field(repr=False)
    #: Key that its JWT assertions are checked with; None refuses them.
    public_key: RSAPublicKey | None = None


class CertificateError(ValueError):
    """The text is no RSA certificate or public key in PEM."""


def read_public_key(pem: str) -> RSAPublicKey:
    """Return the RSA key of a certificate or of a bare public key.

    Raises:
        CertificateError: The text is something else.
    """
    try:
        if "CERTIFICATE" in pem:
            key = x509.load_pem_x509_certificate(pem.encode()).public_key()
        else:
            key = serialization.load_pem_public_key(pem.encode())  # type: ignore[assignment]  # narrowed below
    except ValueError as error:
        raise CertificateError("the JWT certificate is no certificate or public key in PEM") from error
    if not isinstance(key, RSAPublicKey):
        raise CertificateError("the JWT certificate holds no RSA key")
    return key


class Directory:
    """Finds users and clients by what they present.

    Args:
        org_id: 18-character id of the org.
        org_name: Name of the org.
        logins: Users; the first is who client credentials run as.
        clients: Connected clients.
        session_seconds: Length of an idle session, as SOAP login tells it.
    """

    def __init__(
        self, *, org_id: str, org_name: str, logins: Iterable[Login], clients: Iterable[Client], session_seconds: int
    ) -> None:
        self.org_id = org_id
        self.org_name = org_name
        self.session_seconds = session_seconds
        self._logins = tuple(logins)
        self._clients = tuple(clients)

    @property
    def run_as(self) -> Login:
        """The user who client credentials run as."""
        return self._logins[0]

    def client(self, client_id: str) -> Client | None:
        """Return the client of a consumer key, or None."""
        return next((client for client in self._clients if client.client_id == client_id), None)

    def by_username(self, username: str) -> Login | None:
        """Return the user of that name, or None."""
        lowered = username.lower()
        return next((login for login in self._logins if login.username.lower() == lowered), None)

    def by_id(self, user_id: str) -> Login | None:
        """Return the user of that id, or None."""
        return next((login for login in self._logins if login.user_id == user_id), None)

    def check_password(self, username: str, password: str) -> Login | None:
        """Return the user when the password is right, with the security token appended or without.

        Assumed: every address is trusted, so that the token may be left out.
        """
        login = self.by_username(username)
        if login is None:
            return None
        good = (login.password + login.security_token, login.password)
        matches = [hmac.compare_digest(password.encode(), text.encode()) for text in good]
        return login if any(matches) else None
