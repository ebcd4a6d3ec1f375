"""Which connected client makes an OAuth request, and its proof: a secret in the body or by Basic.

Source: facts/salesforce/auth.md sections 1 and 3.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote_plus

from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.directory import Client
from orgbridge.emulator.http.errors import OAuthFault

FORM = "application/x-www-form-urlencoded"


async def read_form(call: Call) -> dict[str, str]:
    """Return the fields of a form body; none when the body is something else."""
    content_type = (call.header("content-type") or "").partition(";")[0].strip().lower()
    if content_type != FORM:
        return {}
    body = (await call.body()).decode("utf-8", "replace")
    return dict(parse_qsl(body, keep_blank_values=True))


def find_client(call: Call, form: Mapping[str, str], *, secret_required: bool | None = None) -> Client:
    """Return the client that proved itself.

    Args:
        call: The request.
        form: Its fields.
        secret_required: Whether the secret may not be left out; None leaves it to the client. A wrong one never passes.

    Raises:
        OAuthFault: It is unknown, or its secret is missing or wrong.
    """
    client_id, secret = form.get("client_id"), form.get("client_secret")
    basic = _basic(call)
    if basic is not None:
        client_id, secret = basic
    client = call.parts.directory.client(client_id or "")
    if client is None:
        raise OAuthFault("invalid_client_id", "client identifier invalid")
    needed = client.secret_required if secret_required is None else secret_required
    if not secret:
        if needed:
            raise OAuthFault("invalid_client", "client secret required")
        return client
    if not hmac.compare_digest(secret.encode(), client.client_secret.encode()):
        raise OAuthFault("invalid_client", "invalid client credentials", 401 if basic else 400)
    return client


def _basic(call: Call) -> tuple[str, str] | None:
    scheme, _, value = (call.header("authorization") or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise OAuthFault("invalid_client", "invalid client credentials", 401) from error
    client_id, _, secret = text.partition(":")
    return unquote_plus(client_id), unquote_plus(secret)
