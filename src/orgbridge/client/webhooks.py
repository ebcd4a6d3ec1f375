"""Webhooks sent: signed, to addresses that users gave, and therefore to no address inside the house.

A user's address is a request that this service makes on the user's behalf, from inside the network. So the name is
resolved here, every address it stands for must be public or expressly allowed, and the connection goes to the very
addresses that were checked: a name that changes its mind between check and connection changes nothing. Redirects are
not followed, replies are not read.

The signature is that of Standard Webhooks (headers `webhook-id`, `webhook-timestamp`, `webhook-signature`), for which
there are libraries in most languages.

Source: Standard Webhooks specification, "Webhook Headers" and "Signature scheme", read 2025-08-01.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import secrets
import socket
from datetime import datetime

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from orgbridge.kit import traces
from orgbridge.kit.errors import ErrorKind, OrgbridgeError
from orgbridge.kit.networks import address_of
from orgbridge.kit.receivers import WebhookPolicy

_SECRET_MARK = "whsec_"  # noqa: S105 - what secrets begin with
_SECRET_BYTES = 32
_CONNECT_SECONDS, _TOTAL_SECONDS = 5.0, 15.0
_CONNECTIONS = 20


class WebhookFailed(OrgbridgeError):
    """The receiver of a webhook could not be reached or did not answer in time."""

    code = "webhook.failed"
    kind = ErrorKind.UNAVAILABLE
    retryable = True


def new_secret() -> str:
    """Return a fresh signing secret."""
    return _SECRET_MARK + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the signature of a message: HMAC-SHA256 over id, timestamp and body.

    Raises:
        ValueError: The secret is not one of ours.
    """
    try:
        key = base64.b64decode(secret.removeprefix(_SECRET_MARK), validate=True)
    except binascii.Error:
        raise ValueError("not a signing secret") from None
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()


class _CheckedResolver(AbstractResolver):
    """Resolves a name, and gives only addresses that were checked: the connection goes to these and no others."""

    def __init__(self, policy: WebhookPolicy) -> None:
        self._policy = policy

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family)
        results: list[ResolveResult] = []
        for found_family, _, protocol, _, place in found:
            address = address_of(str(place[0]).partition("%")[0])
            if address is None:
                continue
            # One address that is not allowed spoils the name: it is a trick or a mistake, and never a receiver.
            self._policy.check_address(host, address)
            results.append(
                ResolveResult(
                    hostname=host,
                    host=str(address),
                    port=port,
                    family=found_family,
                    proto=protocol,
                    flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
                )
            )
        return results

    async def close(self) -> None:
        return


class WebhookSender:
    """Sends webhooks. Close it."""

    def __init__(self, policy: WebhookPolicy) -> None:
        self._policy = policy
        self._session: aiohttp.ClientSession | None = None

    async def send(self, *, url: str, secret: str, message_id: str, now: datetime, event: str, body: bytes) -> int:
        """Send one message once and return the HTTP status of the answer.

        Args:
            url: The receiver.
            secret: What the message is signed with.
            message_id: The same each time that the message is sent, so that the receiver knows it again.
            now: When it is sent; part of what is signed.
            event: What the message is about.
            body: JSON.

        Raises:
            WebhookRefused: The receiver is not one that may be spoken to; nothing was sent.
            WebhookFailed: It could not be reached or did not answer in time; it may have got the message.
        """
        self._policy.check(url)
        timestamp = int(now.timestamp())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "orgbridge",
            "Accept-Encoding": "identity",
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(secret, message_id, timestamp, body),
            "orgbridge-event": event,
        }
        if (trace := traces.present()) is not None:
            headers[traces.TRACEPARENT] = trace
        try:
            response = await self._open().post(url, data=body, headers=headers, allow_redirects=False)
            # What it says besides does not matter; reading it would be a favour to whoever wants us to read for ever.
            response.close()
            return response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise WebhookFailed(f"The receiver did not take the message: {type(error).__name__}.") from None

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    resolver=_CheckedResolver(self._policy), use_dns_cache=False, force_close=True, limit=_CONNECTIONS
                ),
                timeout=aiohttp.ClientTimeout(total=_TOTAL_SECONDS, sock_connect=_CONNECT_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
            )
        return self._session
