"""A scripted Salesforce and a client of it, with a clock that the test moves and no pauses between tries."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from orgbridge.client import (
    ClientCredentials,
    RetryPolicy,
    Salesforce,
    Secret,
    Timeouts,
    TokenConfig,
    TransportConfig,
)
from tests.support.clocks import HandClock
from tests.support.salesforce_double import SalesforceDouble

SECRET = "the-consumer-secret"


@pytest.fixture
def clock() -> HandClock:
    """A clock that stands still."""
    return HandClock()


@pytest.fixture
async def double() -> AsyncIterator[SalesforceDouble]:
    """A scripted Salesforce."""
    async with SalesforceDouble() as double:
        yield double


@pytest.fixture
def sign_in(double: SalesforceDouble) -> TokenConfig:
    """How to sign in at the double."""
    return TokenConfig(
        credentials=ClientCredentials(client_id="key", client_secret=Secret(SECRET)),
        token_url=double.token_url,
        wait_initial=0.0,
    )


@pytest.fixture
def config() -> TransportConfig:
    """No pauses, short timeouts, few bytes."""
    return TransportConfig(
        api_version="v67.0",
        retry=RetryPolicy(attempts=3, wait_initial=0.0, wait_jitter=0.0, wait_max=0.2, busy_seconds=0.0),
        timeouts=Timeouts(connect=2.0, read=5.0, total=10.0, upload=30.0, stream=30.0),
        reply_bytes=2_000_000,
    )


@pytest.fixture
async def salesforce(sign_in: TokenConfig, config: TransportConfig, clock: HandClock) -> AsyncIterator[Salesforce]:
    """A client of the double."""
    async with Salesforce(sign_in, config, clock=clock) as salesforce:
        yield salesforce
