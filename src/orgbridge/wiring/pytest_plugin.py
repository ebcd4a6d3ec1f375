"""Fixtures for the tests of whoever talks to Salesforce: `orgbridge_org` is a fresh emulated org in milliseconds.

    def test_that_my_code_survives_a_lost_reply(orgbridge_org):
        orgbridge_org.control.fault("reply_lost", path="/sobjects/Account")
        my_code(url=orgbridge_org.url, token=orgbridge_org.access_token())
        assert len(orgbridge_org.control.requests(method="POST", path="/sobjects/Account")) == 2

`@pytest.mark.orgbridge(seed="sample", daily_api_requests=10)` says what the org is like: any field of `EmulatorConfig`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from orgbridge.wiring.hosting import HostedOrg, OrgHost


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", "orgbridge(**config): what the emulated org of `orgbridge_org` is like")


@pytest.fixture(scope="session")
def orgbridge_host() -> Iterator[OrgHost]:
    """The thread that all emulated orgs of this session run on; `with orgbridge_host.org():` opens another org."""
    # Inside: every pytest run of the environment loads this file, and most of them open no org.
    from orgbridge.wiring.hosting import OrgHost

    with OrgHost() as host:
        yield host


@pytest.fixture
def orgbridge_org(orgbridge_host: OrgHost, request: pytest.FixtureRequest) -> Iterator[HostedOrg]:
    """A fresh emulated org of this test alone: `url`, credentials, `access_token()`, `control`."""
    from orgbridge.emulator.app import EmulatorConfig
    from orgbridge.emulator.org.seed import Seed

    options: dict[str, Any] = {}
    # The nearest marker wins: a test's own over its class's and its module's.
    for marker in reversed(list(request.node.iter_markers("orgbridge"))):
        options |= marker.kwargs
    if "seed" in options:
        options["seed"] = Seed(options["seed"])
    with orgbridge_host.org(EmulatorConfig(**options)) as org:
        yield org
