"""Waits and addresses of the sign-in throttle."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orgbridge.services.throttling import Patience, attempt_of, network_of


@given(st.integers(0, 10_000), st.integers(0, 100))
def test_waits_double_from_the_first_to_the_longest(failures: int, free: int) -> None:
    """No wait while failures are free, never longer than the longest, never shorter than after one failure less."""
    patience = Patience(free=free)
    wait = patience.wait(failures)
    assert timedelta(0) <= wait <= patience.longest
    assert (wait == timedelta(0)) == (failures < free)
    assert patience.wait(failures + 1) >= wait


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8:0:0:ffff::9", "2001:db8::/64"),
        ("2001:db8:0:1::9", "2001:db8:0:1::/64"),
        ("", ""),
        ("testclient", "testclient"),
    ],
)
def test_one_who_has_a_network_counts_once(address: str, network: str) -> None:
    """An IPv6 caller has a /64, an IPv4 caller an address, in either spelling."""
    assert network_of(address) == network


@given(st.text(), st.text(), st.text())
def test_keys_are_hashes_that_tell_accounts_apart(first: str, second: str, address: str) -> None:
    """Nothing typed is in a key; another name has other keys, the same address the same one."""
    one, two = attempt_of(first, address), attempt_of(second, address)
    assert {len(key) for key in (one.pair, one.address, one.account)} == {64}
    assert one.address == two.address
    assert (one.account == two.account, one.pair == two.pair) == (first == second, first == second)
