"""Who may sign in and as what: users with passwords, connected clients with secrets and certificates."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from orgbridge.emulator.org.org import Org, UserInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """One user who may sign in by password; the row in User has the same name."""

    #: Looked up without regard to case.
    username: str
    #: Plain: this is an emulated org.
    password: str = field(repr=False)
    #: What callers append to the password.
    security_token: str = field(default="", repr=False)


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
    """Finds users and clients by what they present. Methods about users read the storage: call them in threads.

    Every row of User can sign in by JWT; those with a `Login` by password too.

    Args:
        org: Where the users are.
        org_name: Name of the org.
        logins: Users with passwords; the first is who client credentials run as.
        clients: Connected clients.
        session_seconds: Length of an idle session, as SOAP login tells it.
    """

    def __init__(
        self, org: Org, *, org_name: str, logins: Iterable[Login], clients: Iterable[Client], session_seconds: int
    ) -> None:
        self.org_id = org.org_id
        self.org_name = org_name
        self.session_seconds = session_seconds
        self._org = org
        self._logins = tuple(logins)
        self._clients = tuple(clients)

    def client(self, client_id: str) -> Client | None:
        """Return the client of a consumer key, or None. Does no I/O."""
        return next((client for client in self._clients if client.client_id == client_id), None)

    def run_as(self) -> UserInfo | None:
        """Return the user who client credentials run as."""
        return self._org.find_user(self._logins[0].username)

    def by_username(self, username: str) -> UserInfo | None:
        """Return the user of that name, or None."""
        return self._org.find_user(username)

    def by_id(self, user_id: str) -> UserInfo | None:
        """Return the user of that id, or None."""
        return self._org.user(user_id)

    def check_password(self, username: str, password: str) -> UserInfo | None:
        """Return the user when the password is right, with the security token appended or without.

        Assumed: every address is trusted, so that the token may be left out.
        """
        lowered = username.lower()
        login = next((login for login in self._logins if login.username.lower() == lowered), None)
        if login is None:
            return None
        good = (login.password + login.security_token, login.password)
        matches = [hmac.compare_digest(password.encode(), text.encode()) for text in good]
        return self._org.find_user(username) if any(matches) else None
