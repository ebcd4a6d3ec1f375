"""Where a session may be sent that a token endpoint handed out."""

from __future__ import annotations

import pytest

from orgbridge.client.destinations import is_this_machine, may_follow

_LOGIN = "https://login.salesforce.com/services/oauth2/token"


@pytest.mark.parametrize(
    ("token_url", "instance_url", "may"),
    [
        (_LOGIN, "https://acme.my.salesforce.com", True),
        (_LOGIN, "http://acme.my.salesforce.com", False),
        (_LOGIN, "https://169.254.169.254", False),
        (_LOGIN, "https://127.0.0.1:8443", False),
        (_LOGIN, "https://[::ffff:10.0.0.1]", False),
        (_LOGIN, "https://[fd00::1]", False),
        (_LOGIN, "https://2130706433", False),
        (_LOGIN, "https://0x7f.1", False),
        (_LOGIN, "https://metadata.google.internal", False),
        (_LOGIN, "https://localhost", False),
        (_LOGIN, "https://user:pw@acme.my.salesforce.com", False),
        ("http://127.0.0.1:8080/t", "http://127.0.0.1:9090", True),
        ("http://127.0.0.1:8080/t", "http://localhost:8080", True),
        ("http://emulator:8080/t", "http://emulator:8080", True),
        ("https://10.0.0.5/t", "https://10.0.0.6", True),
    ],
)
def test_a_session_goes_only_where_its_token_may_lead(token_url: str, instance_url: str, may: bool) -> None:
    """Not to plain http, not to this machine or its neighbours, unless the token came from there."""
    assert may_follow(token_url, instance_url) is may


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1:8080", True),
        ("http://LOCALHOST", True),
        ("https://[::1]:8443/x", True),
        ("https://acme.my.salesforce.com", False),
        ("https://localhost.acme.com", False),
        ("http://10.0.0.1", False),
    ],
)
def test_only_the_loopback_is_this_machine(url: str, here: bool) -> None:
    """Downloads from anywhere else are asked for packed."""
    assert is_this_machine(url) is here
