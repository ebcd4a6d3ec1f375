"""Which network addresses the outside can reach, and which lie inside the house."""

from __future__ import annotations

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: Addresses inside an IPv6 address through which something else is reached: NAT64, 6to4, Teredo.
_TUNNELS = tuple(ipaddress.ip_network(text) for text in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32"))
_INSIDE_NAMES = (".localhost", ".local", ".internal")


def address_of(host: str) -> Address | None:
    """Return the address that a host is written as; None for a name."""
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


def unwrapped(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address merely wraps, else the address itself."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def is_public(address: Address) -> bool:
    """Return whether an address belongs to one host on the Internet: nothing private, tunnelled, reserved or shared."""
    plain = unwrapped(address)
    if isinstance(plain, ipaddress.IPv6Address) and any(plain in network for network in _TUNNELS):
        return False
    return plain.is_global and not plain.is_multicast and not plain.is_reserved


def is_inside(host: str) -> bool:
    """Return whether a host names this machine or an address that the outside cannot reach."""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(_INSIDE_NAMES):
        return True
    address = address_of(name)
    if address is not None:
        return not is_public(address)
    # Names of digits and dots are addresses to some resolvers: 127.1, 2130706433, 0x7f.1.
    return bool(name) and all(part[:1].isdigit() for part in name.split("."))
