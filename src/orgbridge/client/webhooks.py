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
import ipaddress
import secrets
import socket
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from orgbridge.kit.errors import ErrorKind, OrgbridgeError

_SECRET_MARK = "whsec_"  # noqa: S105 - what secrets begin with
_SECRET_BYTES = 32
_LONGEST_URL = 2_000
_CONNECT_SECONDS, _TOTAL_SECONDS = 5.0, 15.0
_CONNECTIONS = 20
#: Addresses inside an IPv6 address through which something else is reached: NAT64, 6to4, Teredo.
_TUNNELS = tuple(ipaddress.ip_network(text) for text in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32"))

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class WebhookRefused(OrgbridgeError):
    """The address of a webhook must be an https URL of a public host."""

    code = "webhook.address_refused"
    kind = ErrorKind.INVALID


class WebhookFailed(OrgbridgeError):
    """The receiver of a webhook could not be reached or did not answer in time."""

    code = "webhook.failed"
    kind = ErrorKind.UNAVAILABLE
    retryable = True


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookPolicy:
    """Which receivers are allowed besides public ones by https."""

    #: Networks whose addresses may be spoken to, also by plain http.
    networks: tuple[Network, ...] = ()
    #: Host names that may be spoken to wherever they lead, also by plain http.
    hosts: frozenset[str] = frozenset()

    @classmethod
    def of(cls, words: tuple[str, ...]) -> WebhookPolicy:
        """Return the policy that a list of networks (`10.1.0.0/16`) and host names stands for.

        Raises:
            ValueError: A word is neither.
        """
        networks, hosts = [], set()
        for word in words:
            if "/" in word or _address(word) is not None:
                networks.append(ipaddress.ip_network(word))
            elif word and all(part.replace("-", "").isalnum() for part in word.split(".")):
                hosts.add(word.lower())
            else:
                raise ValueError(f"{word!r} is neither a network nor a host name")
        return cls(networks=tuple(networks), hosts=frozenset(hosts))

    def check(self, url: str) -> None:
        """See that a URL may be spoken to, as far as that can be told without resolving its name.

        Raises:
            WebhookRefused: It may not.
        """
        if len(url) > _LONGEST_URL or any(character <= " " for character in url):
            raise WebhookRefused("The address is too long or holds a space.")
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError:
            raise WebhookRefused("The address is no URL.") from None
        if parts.scheme not in ("https", "http") or not host or parts.fragment:
            raise WebhookRefused
        if parts.username is not None or parts.password is not None:
            raise WebhookRefused("The address must hold no user name and no password.")
        literal = _address(host)
        if literal is not None:
            self.check_address(host, literal)
        if parts.scheme == "http" and host.lower() not in self.hosts and not (literal and self._listed(literal)):
            raise WebhookRefused("The address must begin with https://.")

    def check_address(self, host: str, address: Address) -> None:
        """See that an address to which a host leads may be spoken to.

        Raises:
            WebhookRefused: It is not public and not allowed.
        """
        if host.lower() in self.hosts or self._listed(address) or _public(address):
            return
        raise WebhookRefused(
            f"{host} leads to an address inside a private network; ORGBRIDGE_WEBHOOK_ALLOW may allow it."
        )

    def _listed(self, address: Address) -> bool:
        plain = _plain(address)
        return any(plain.version == network.version and plain in network for network in self.networks)


def _address(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


def _plain(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address merely wraps."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _public(address: Address) -> bool:
    plain = _plain(address)
    if isinstance(plain, ipaddress.IPv6Address) and any(plain in network for network in _TUNNELS):
        return False
    return plain.is_global and not plain.is_multicast and not plain.is_reserved


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
            address = _address(str(place[0]).partition("%")[0])
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
