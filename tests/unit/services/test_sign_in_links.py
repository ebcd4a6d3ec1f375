"""Links that sign in once."""

from __future__ import annotations

import pytest

from orgbridge.services.sign_in_links import LINK_LIFETIME, SignInLinks, SignInLinkUsed
from tests.support.clocks import HandClock


def test_a_link_grows_old() -> None:
    """After a quarter of an hour nobody is signed in by it, and of many that wait the oldest goes first."""
    clock = HandClock()
    links = SignInLinks(clock)
    old = links.make("user_1")
    clock.move(LINK_LIFETIME.total_seconds())
    with pytest.raises(SignInLinkUsed):
        links.redeem(old)
    first, *others = [links.make(f"user_{number}") for number in range(101)]
    with pytest.raises(SignInLinkUsed):
        links.redeem(first)
    assert [links.redeem(ticket) for ticket in others] == [f"user_{number}" for number in range(1, 101)]
