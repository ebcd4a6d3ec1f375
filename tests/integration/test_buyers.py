"""Acting as users of Salesforce by JWT bearer, against the emulated org with a certificate and two users."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from orgbridge.client import ClientCredentials, Salesforce, Secret
from orgbridge.client.errors import AuthenticationFailed
from orgbridge.emulator.app import EmulatorConfig, EmulatorUser
from orgbridge.kit.clock import SystemClock
from orgbridge.orgs.buyers import BuyerConfig
from orgbridge.orgs.connections import OrgConfig, Orgs
from orgbridge.orgs.errors import BuyersNotConfigured
from orgbridge.wiring.hosting import HostedOrg, OrgHost
from tests.support.clocks import HandClock

_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
_PEM = _KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
_PUBLIC = (
    _KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
)


class _Clock(HandClock):
    """Time that is moved by hand, on the calendar that the org goes by: an assertion is good for three minutes."""

    def now(self) -> datetime:
        """Return the machine's instant."""
        return SystemClock().now()


_ANN, _BOB = "ann@buyers.example.com", "bob@buyers.example.com"


@pytest.fixture(scope="module")
def host() -> Iterator[OrgHost]:
    """Give a host of orgs."""
    with OrgHost() as host:
        yield host


@pytest.fixture
def org(host: OrgHost) -> Iterator[HostedOrg]:
    """Give an org with an administrator and two buyers."""
    users = tuple(
        EmulatorUser(username=name, password="localpass") for name in ("admin@local.org", _ANN, _BOB, "c@b.example.com")
    )
    with host.org(EmulatorConfig(users=users, jwt_certificate=_PUBLIC)) as org:
        yield org


def _config(org: HostedOrg, buyers: BuyerConfig | None) -> OrgConfig:
    return OrgConfig(
        credentials=ClientCredentials(client_id=org.client_id, client_secret=Secret(org.client_secret)),
        token_url=org.token_url,
        buyers=buyers,
    )


def _buyers(org: HostedOrg, **more: Any) -> BuyerConfig:
    return BuyerConfig(client_id=org.client_id, private_key=Secret(_PEM), **more)


@pytest.fixture
async def orgs(org: HostedOrg) -> AsyncIterator[Orgs]:
    """Give the org's connection, with room for two buyers."""
    async with Orgs([_config(org, _buyers(org, max_sessions=2, idle_seconds=600.0))], _Clock()) as orgs:
        yield orgs


async def _who(salesforce: Salesforce) -> str:
    reply = await salesforce.request("GET", "/services/oauth2/userinfo")
    return str(reply.json()["preferred_username"])


async def test_each_acts_as_oneself(orgs: Orgs) -> None:
    """Two users are two sessions; nobody's user is the integration user."""
    assert await _who(await orgs.buyer(_ANN)) == _ANN
    assert await _who(await orgs.buyer(_BOB)) == _BOB
    assert await orgs.buyer(None) is orgs.get().salesforce
    assert await _who(await orgs.buyer(None)) == "admin@local.org"


async def test_a_record_is_made_by_whom_it_was_made_for(orgs: Orgs) -> None:
    """What a buyer creates is the buyer's at Salesforce."""
    ann = await orgs.buyer(_ANN)
    made = await ann.records.create("Account", {"Name": "Ann's"})
    page = await ann.query.page(f"SELECT CreatedBy.Username FROM Account WHERE Id = '{made}'")
    assert page.records[0]["CreatedBy"]["Username"] == _ANN


async def test_many_calls_at_once_are_one_sign_in(orgs: Orgs) -> None:
    """The session is shared, in any case of the name."""
    found = await asyncio.gather(*(orgs.buyer(name) for name in [_ANN, _ANN.upper()] * 10))
    assert len({id(one) for one in found}) == 1
    assert found[0].tokens.sign_ins == 1


async def test_sessions_are_bounded_and_go_when_idle(org: HostedOrg) -> None:
    """The one unused for longest makes room, and all go after a while; a client handed out still works."""
    clock = _Clock()
    async with Orgs([_config(org, _buyers(org, max_sessions=2, idle_seconds=600.0))], clock) as orgs:
        held = orgs.get().buyers
        ann = await orgs.buyer(_ANN)
        await orgs.buyer(_BOB)
        await orgs.buyer("c@b.example.com")
        assert len(held) == 2
        assert await _who(ann) == _ANN
        assert await orgs.buyer(_ANN) is not ann
        clock.move(601)
        await orgs.buyer(_BOB)
        assert len(held) == 1


async def test_a_user_whom_salesforce_refuses_is_nobody_else(orgs: Orgs) -> None:
    """The refusal is told, and kept for a while without asking again."""
    for _ in range(2):
        with pytest.raises(AuthenticationFailed):
            await orgs.buyer("stranger@example.com")


async def test_without_a_key_nobody_is_acted_for(org: HostedOrg) -> None:
    """Never silently as the integration user."""
    async with Orgs([_config(org, None)], _Clock()) as orgs:
        with pytest.raises(BuyersNotConfigured) as caught:
            await orgs.buyer(_ANN)
    assert caught.value.sf_username == _ANN


async def test_a_rotated_key_is_used_for_the_next_sign_in(org: HostedOrg) -> None:
    """A wrong key is replaced by the right one without a restart, and the refusal of the old one is forgotten."""
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    wrong = BuyerConfig(client_id=org.client_id, private_key=Secret(other.decode()))
    async with Orgs([_config(org, wrong)], _Clock()) as orgs:
        with pytest.raises(AuthenticationFailed):
            await orgs.buyer(_ANN)
        await orgs.get().use(_config(org, None).credentials, _buyers(org))
        assert await _who(await orgs.buyer(_ANN)) == _ANN


def test_no_key_is_shown(org: HostedOrg) -> None:
    """A printed configuration holds no key."""
    assert "PRIVATE" not in repr(_buyers(org))
