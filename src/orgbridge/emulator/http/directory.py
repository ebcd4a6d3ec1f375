"""Who may sign in and as what: users with passwords, connected clients with secrets and certificates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from orgbridge.emulator.org.org import Org
from orgbridge.emulator.org.readable import UserInfo
from orgbridge.emulator.schema.errors import SFError


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """One user who may sign in by password; the row in User has the same name."""

    #: Looked up without regard to case.
    username: str
    #: Plain: this is an emulated org.
    password: str = field(repr=False)
    #: What callers append to the password.
    security_token: str = field(default="", repr=False)
    #: Whether the user calls from a trusted address, where the security token may be left out.
    trusted_address: bool = True
    #: Whether an administrator locked the user out.
    locked_out: bool = False
    #: Whether the password has to be changed: SOAP login says so.
    password_expired: bool = False
    #: Whether the user may use the API.
    api_enabled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A connected client of the org: an app with a consumer key."""

    #: Consumer key.
    client_id: str
    #: Consumer secret.
    client_secret: str = field(repr=False)
    #: Key that its JWT assertions are checked with; None refuses them.
    public_key: RSAPublicKey | None = None
    #: Addresses that browsers may be sent back to; with none, every address of the browser's own machine.
    redirect_uris: tuple[str, ...] = ()
    #: Whether codes and refresh tokens need the secret; apps on people's own machines have none.
    secret_required: bool = True
    #: User names that may use it; None for all. Others are not approved by the administrator.
    permitted_users: frozenset[str] | None = None
    #: Whether users are asked, the first time, if they let it act for them.
    asks_consent: bool = True
    #: Whether JWT assertions and device requests need that consent beforehand.
    jwt_needs_consent: bool = False
    #: What it may ask for.
    scopes: tuple[str, ...] = ("api", "id", "openid", "refresh_token", "offline_access", "web", "full", "profile")
    #: Name of the user whom client credentials run as; None for the org's first.
    run_as: str | None = None

    def permits(self, username: str) -> bool:
        """Tell whether a user may use it."""
        return self.permitted_users is None or username.lower() in self.permitted_users


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInPolicy:
    """What the org lets people do at the door."""

    #: Whether the API is switched on for the org.
    api_enabled: bool = True
    #: Whether SOAP login() is switched on.
    soap_login: bool = True
    #: Whether the OAuth user name and password flow is switched on.
    password_flow: bool = True
    #: Whether the org is locked.
    org_locked: bool = False
    #: Whether a refresh token is used up when it is used, and a new one given in its place.
    rotate_refresh_tokens: bool = False
    #: Wrong passwords in a row after which a user is locked out for a while; 0 for no end.
    max_failed_passwords: int = 0


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
        logins: Users with passwords, by id; the first is who client credentials run as.
        clients: Connected clients.
        session_seconds: Length of an idle session, as SOAP login tells it.
        policy: What the org lets people do at the door.
    """

    def __init__(
        self,
        org: Org,
        *,
        org_name: str,
        logins: Mapping[str, Login],
        clients: Iterable[Client],
        session_seconds: int,
        policy: SignInPolicy,
    ) -> None:
        self.org_id = org.org_id
        self.org_name = org_name
        self.session_seconds = session_seconds
        self.policy = policy
        self._org = org
        self._logins = tuple(logins.values())
        self._clients = tuple(clients)
        self._without_api = frozenset(user_id for user_id, login in logins.items() if not login.api_enabled)

    def client(self, client_id: str) -> Client | None:
        """Return the client of a consumer key, or None. Does no I/O."""
        return next((client for client in self._clients if client.client_id == client_id), None)

    def login(self, username: str) -> Login | None:
        """Return the password and its conditions of a user name, or None. Does no I/O."""
        lowered = username.lower()
        return next((login for login in self._logins if login.username.lower() == lowered), None)

    def api_refusal(self, user_id: str) -> SFError | None:
        """Return why a user may not use the API, or None. Does no I/O.

        Source: facts/salesforce/errors.md section 2.
        """
        if not self.policy.api_enabled:
            return SFError("API_DISABLED_FOR_ORG", "API is not enabled for this Organization or Partner")
        if user_id in self._without_api:
            return SFError("API_CURRENTLY_DISABLED", "API is disabled for this User")
        return None

    def run_as(self, client: Client) -> UserInfo | None:
        """Return the user who a client's own credentials run as."""
        return self._org.find_user(client.run_as or self._logins[0].username)

    def by_username(self, username: str) -> UserInfo | None:
        """Return the user of that name, or None."""
        return self._org.find_user(username)

    def by_id(self, user_id: str) -> UserInfo | None:
        """Return the user of that id, or None."""
        return self._org.user(user_id)

    def is_active(self, user_id: str) -> bool:
        """Tell whether the user of that id is there and may act."""
        user = self._org.user(user_id)
        return user is not None and user.is_active
