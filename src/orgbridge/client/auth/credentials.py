"""The four ways to sign in, each as what it needs and the form it sends. No I/O here.

Source: facts/salesforce/auth.md sections 1 and 2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import jwt

from orgbridge.client.auth.secrets import Secret
from orgbridge.client.errors import AuthenticationFailed

_JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
#: The platform documents 3 minutes as the longest life of an assertion.
_ASSERTION_LIFE = timedelta(minutes=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordCredentials:
    """The username-password flow, which Salesforce is retiring (existing apps until Winter '27)."""

    #: Consumer key of the app.
    client_id: str
    #: Consumer secret of the app.
    client_secret: Secret
    #: The integration user.
    username: str
    #: The password; with the security token appended unless the caller's address is trusted.
    password: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCredentials:
    """The client-credentials flow: the app runs as its "Run As" user. Only at the org's My Domain host."""

    #: Consumer key of the app.
    client_id: str
    #: Consumer secret of the app.
    client_secret: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class JWTCredentials:
    """The JWT bearer flow: an assertion signed with the app's certificate key, for one user."""

    #: Consumer key of the app.
    client_id: str
    #: The user to sign in as.
    username: str
    #: RSA private key in PEM form.
    private_key: Secret
    #: Whom the assertion is for; None derives it from the token URL.
    audience: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshCredentials:
    """The refresh-token flow: somebody consented in a browser before."""

    #: Consumer key of the app.
    client_id: str
    #: The refresh token that was configured, or the one that Salesforce gave in its place.
    refresh_token: Secret
    #: Consumer secret, when the app demands it.
    client_secret: Secret | None = None


Credentials = PasswordCredentials | ClientCredentials | JWTCredentials | RefreshCredentials


def flow_name(credentials: Credentials) -> str:
    """Return the name of the flow as `SALESFORCE_AUTH_FLOW` spells it."""
    match credentials:
        case PasswordCredentials():
            return "password"
        case ClientCredentials():
            return "client_credentials"
        case JWTCredentials():
            return "jwt_bearer"
        case RefreshCredentials():
            return "refresh_token"


def grant_form(credentials: Credentials, *, token_url: str, now: datetime) -> Mapping[str, str]:
    """Return the form to post to the token endpoint. It holds secrets: never log it.

    Args:
        credentials: How to sign in.
        token_url: The endpoint, from which the audience of an assertion is derived.
        now: The present instant, for the life of an assertion.

    Raises:
        AuthenticationFailed: The private key is no RSA key in PEM form. Nothing was sent.
    """
    match credentials:
        case PasswordCredentials():
            return {
                "grant_type": "password",
                "client_id": credentials.client_id,
                "client_secret": credentials.client_secret.reveal(),
                "username": credentials.username,
                "password": credentials.password.reveal(),
            }
        case ClientCredentials():
            return {
                "grant_type": "client_credentials",
                "client_id": credentials.client_id,
                "client_secret": credentials.client_secret.reveal(),
            }
        case JWTCredentials():
            return {"grant_type": _JWT_GRANT, "assertion": _assertion(credentials, token_url, now)}
        case RefreshCredentials():
            form = {
                "grant_type": "refresh_token",
                "client_id": credentials.client_id,
                "refresh_token": credentials.refresh_token.reveal(),
            }
            if credentials.client_secret is not None:
                form["client_secret"] = credentials.client_secret.reveal()
            return form


def _assertion(credentials: JWTCredentials, token_url: str, now: datetime) -> str:
    claims = {
        "iss": credentials.client_id,
        "sub": credentials.username,
        "aud": credentials.audience or default_audience(token_url),
        "exp": int((now + _ASSERTION_LIFE).timestamp()),
    }
    try:
        return jwt.encode(claims, credentials.private_key.reveal(), algorithm="RS256")
    except (jwt.InvalidKeyError, ValueError, TypeError):
        # The cause is cut off: a parser's message may quote the key.
        raise AuthenticationFailed(
            cause="the private key for the JWT bearer flow cannot be read.",
            remedy="Give an unencrypted RSA private key in PEM form, the one whose certificate the app holds.",
        ) from None


def default_audience(token_url: str) -> str:
    """Return whom an assertion is for: the sandbox login host for a sandbox, the production one otherwise."""
    host = urlsplit(token_url).hostname or ""
    sandbox = host == "test.salesforce.com" or ".sandbox." in host
    return "https://test.salesforce.com" if sandbox else "https://login.salesforce.com"
