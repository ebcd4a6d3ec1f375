"""Who a client says it is at the token endpoint: in the Authorization header or in the form, never in both."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from urllib.parse import unquote_plus

from orgbridge.services.errors import ClientRefused, TokenRequestInvalid


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCredentials:
    """A client id with its secret."""

    #: The service account's id.
    client_id: str
    #: One of its secrets.
    client_secret: str


def client_credentials(authorization: str, client_id: str, client_secret: str) -> ClientCredentials:
    """Return what a client gave (RFC 6749 section 2.3.1).

    Args:
        authorization: The Authorization header, empty when there is none.
        client_id: The form's field, empty when there is none.
        client_secret: The form's field, empty when there is none.

    Raises:
        TokenRequestInvalid: It gave both ways, or none.
        ClientRefused: The header is not Basic, or not readable.
    """
    if not authorization:
        if not client_id or not client_secret:
            raise TokenRequestInvalid("client_credentials needs client_id and client_secret, or Authorization: Basic.")
        return ClientCredentials(client_id=client_id, client_secret=client_secret)
    if client_secret:
        raise TokenRequestInvalid("The client says who it is twice: use Authorization: Basic or the form, not both.")
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        raise ClientRefused("The client signs in with Authorization: Basic, or in the form.")
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode("utf-8")
    except (binascii.Error, ValueError) as error:
        raise ClientRefused from error
    name, colon, secret = text.partition(":")
    if not colon:
        raise ClientRefused
    # Both halves are form-encoded before they are joined, so that a colon can stand in either.
    given = ClientCredentials(client_id=unquote_plus(name), client_secret=unquote_plus(secret))
    if client_id and client_id != given.client_id:
        raise TokenRequestInvalid("client_id differs from the one in the Authorization header.")
    return given
