"""Addresses inside and outside of the house."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orgbridge.kit.networks import address_of, is_inside, is_public


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "a.localhost", "printer.local", "metadata.google.internal", "LOCALHOST."),
        *("127.0.0.1", "10.1.2.3", "169.254.169.254", "192.168.0.1", "0.0.0.0", "224.0.0.1", "240.0.0.1"),
        *("[::1]", "fe80::1", "fd00::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::"),
        *("127.1", "2130706433", "0x7f.1"),
    ],
)
def test_what_the_outside_cannot_reach_is_inside(host: str) -> None:
    """Names of this machine, private, local, shared, reserved and wrapped addresses, and numbers that stand for one."""
    assert is_inside(host)


@pytest.mark.parametrize("host", ["login.salesforce.com", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "4chan.org"])
def test_what_the_outside_can_reach_is_not(host: str) -> None:
    """Public names and addresses."""
    assert not is_inside(host)


@given(st.ip_addresses(v=4))
def test_wrapping_an_address_changes_nothing(address: ipaddress.IPv4Address) -> None:
    """An IPv4 address is judged alike as itself and inside an IPv6 one."""
    wrapped = address_of(f"::ffff:{address}")
    assert wrapped is not None
    assert is_public(wrapped) == is_public(address)
    assert not is_public(address) or not address.is_private
