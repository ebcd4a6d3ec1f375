"""Addresses that users and settings name, and that this service is then asked to speak to: which of them it may.

Here, below everything, because settings are read without the client that speaks to them.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from orgbridge.kit.errors import ErrorKind, OrgbridgeError
from orgbridge.kit.networks import Address, Network, address_of, is_public, unwrapped

_LONGEST_URL = 2_000
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class WebhookRefused(OrgbridgeError):
    """The address of a webhook must be an https URL of a public host."""

    code = "webhook.address_refused"
    kind = ErrorKind.INVALID


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
            if "/" in word or address_of(word) is not None:
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
        literal = address_of(host)
        if literal is not None:
            self.check_address(host, literal)
        if parts.scheme == "http" and host.lower() not in self.hosts and not (literal and self._listed(literal)):
            raise WebhookRefused("The address must begin with https://.")

    def check_address(self, host: str, address: Address) -> None:
        """See that an address to which a host leads may be spoken to.

        Raises:
            WebhookRefused: It is not public and not allowed.
        """
        if host.lower() in self.hosts or self._listed(address) or is_public(address):
            return
        raise WebhookRefused(
            f"{host} leads to an address inside a private network; ORGBRIDGE_WEBHOOK_ALLOW may allow it."
        )

    def _listed(self, address: Address) -> bool:
        plain = unwrapped(address)
        return any(plain.version == network.version and plain in network for network in self.networks)


def is_safe_url(url: str) -> bool:
    """Return whether a document may be trusted that comes from there: https, or this machine."""
    parts = urlsplit(url)
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    )
